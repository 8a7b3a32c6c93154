"""CONSTANT_INPUT, UNSCALED_INPUT and TARGET_UNSCALED: columns, and what scaling them brings."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lamina.diagnosis import thresholds as t
from lamina.diagnosis.curves import judged_loss, loss_of, material
from lamina.diagnosis.facts import ColumnFacts, DataFacts, Facts
from lamina.diagnosis.findings import Finding

__all__ = [
    "RULES",
    "constant_input",
    "target_unscaled",
    "unscaled_input",
]


# ---- scales -------------------------------------------------------------------------------------


def unscaled_input(facts: Facts) -> list[Finding]:
    """UNSCALED_INPUT: columns far from mean 0 and spread 1, which the model reads as they are.

    A problem if the same network does better on the same rows once they are scaled.
    """
    data = facts.data
    columns = [] if data is None else [column for column in data.columns if not column.scaled]
    far = [column for column in columns if _is_far(column.mean, column.spread, column.common_share)]
    if not far:
        return []
    worst = max(far, key=lambda column: _farness(column.mean, column.spread))
    level, words, evidence = _shown_by(facts, "scaled_input", "scaled_target", "scaled inputs")
    others = f" (and {len(far) - 1} more of {len(columns)})" if far[1:] else ""
    return [
        Finding(
            "UNSCALED_INPUT",
            level,
            f"Column {worst.name}{others} has mean {worst.mean:.3g} and spread "
            f"{worst.spread:.3g}, and no layer scales it{words}.",
            f"Put {_scaler(far)} behind the input.",
            {"mean": worst.mean, "spread": worst.spread, "columns": len(far), **evidence},
            column=worst.name,
        )
    ]


def target_unscaled(facts: Facts) -> list[Finding]:
    """TARGET_UNSCALED: a regression's target far from mean 0 and spread 1.

    A problem if the same network does better with the same target once it is scaled.
    """
    data = facts.data
    if data is None or data.target_mean is None or not data.target_spread:
        return []
    mean, spread = data.target_mean, data.target_spread
    if not _is_far(mean, spread, 0.0):
        return []
    level, words, evidence = _shown_by(facts, "scaled_target", "scaled_input", "a scaled target")
    return [
        Finding(
            "TARGET_UNSCALED",
            level,
            f"The target has mean {mean:.3g} and spread {spread:.3g}, far from what a new "
            f"network gives{words}.",
            "Train on (y - mean) / spread, and turn predictions back.",
            {"mean": mean, "spread": spread, **evidence},
        )
    ]


def _farness(mean: float, spread: float) -> float:
    """Return how many orders of magnitude a column is from 1, in size or from its own mean."""
    off = abs(mean) / spread if spread > 0 else 1.0
    return max(abs(math.log10(math.hypot(mean, spread))), math.log10(max(off, 1.0)))


def _scaler(columns: Sequence[ColumnFacts]) -> str:
    """Return the layer that suits: outliers would squeeze all other values of Normalization."""
    outliers = any(
        max(one.high - one.mean, one.mean - one.low) > t.OUTLIER * one.spread for one in columns
    )
    return "lm.RobustScale()" if outliers else "lm.Normalization()"


def _is_far(mean: float, spread: float, common_share: float) -> bool:
    """Tell whether numbers are large, small (and not just rarely other than 0), or off centre."""
    size = math.hypot(mean, spread)
    off = 0 < t.FAR_MEAN * spread < abs(mean) and size > 1.0
    small = spread > 0 and size < t.SMALL_SIZE and common_share < t.NEARLY_CONSTANT
    return off or small or size > t.LARGE_SIZE


def _shown_by(facts: Facts, alone: str, other: str, name: str) -> tuple[str, str, dict[str, float]]:
    """Return the level, words and numbers: what is better if this is scaled, all else being same.

    Either nothing else is, or both are and the other alone as well. What is better must be so
    beside the training itself, too, which may have had more time.
    """
    own = judged_loss(facts)
    for without, scaled in (("again", alone), (other, "scaled")):
        before, after = facts.trial(without), facts.trial(scaled)
        if before is None or after is None:
            continue
        reached = loss_of(after)
        if material(own, reached, facts) and material(loss_of(before), reached, facts):
            words = f"; with {name} it came to a loss of {reached:.4g} instead of {own:.4g}"
            return "problem", words, {"loss": own, "scaled_loss": reached}
    return "hint", "", {}


# ---- columns ------------------------------------------------------------------------------------


def constant_input(facts: Facts) -> list[Finding]:
    """CONSTANT_INPUT: columns with one value in all training rows.

    A column of zeros does no harm, nor does one that a layer scales, which makes it 0. Other values
    are added to every unit, as a second bias. They are a hint if many columns are nearly always
    the same, as the pixels at the border of pictures, where more rows would bring other values;
    else a problem. So is a column that is another in validation rows, as no weight has been trained
    for that.
    """
    data = facts.data
    constant = [] if data is None else [c for c in data.columns if c.spread == 0]
    if data is None or not constant:
        return []
    read = [column for column in constant if not column.scaled]
    changing = [column for column in read if _changes(column, data)]
    strange = [c for c in read if c.low != 0 and not _is_background(c, data.columns)]
    found = changing or strange
    column = (found or constant)[0]
    others = f" (and {len(constant) - 1} more)" if constant[1:] else ""
    also = f", but not in {column.shift:.0%} of the validation rows" if changing else ""
    return [
        Finding(
            "CONSTANT_INPUT",
            "problem" if found else "hint",
            f"Column {column.name}{others} is {column.low:.6g} in all training rows{also}.",
            "Find out how the column came about." if changing else "Leave the column out.",
            {"value": column.low, "columns": len(constant)},
            column=column.name,
        )
    ]


def _is_background(column: ColumnFacts, columns: Sequence[ColumnFacts]) -> bool:
    """Tell whether other columns nearly always have nearly this value, too."""
    varied = [one for one in columns if one.spread > 0]
    usual = sorted(one.spread for one in varied)[len(varied) // 2] if varied else 0.0
    return any(
        one.common_share >= t.NEARLY_CONSTANT
        and abs(one.common - column.low) <= t.SAME_VALUE * usual
        for one in varied
    )


def _changes(column: ColumnFacts, data: DataFacts) -> bool:
    """Tell whether validation rows have so many other values that chance does not explain it."""
    return (column.shift or 0.0) > max(t.CHANGED_SHARE, 20.0 / max(data.rows, 1))


RULES = (constant_input, unscaled_input, target_unscaled)
