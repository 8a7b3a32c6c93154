"""TRAIN_VALIDATION_SHIFT: validation rows unlike those of training."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lamina.diagnosis import thresholds as t
from lamina.diagnosis.facts import DataFacts, Facts
from lamina.diagnosis.findings import Finding

__all__ = ["RULES", "train_validation_shift"]


def train_validation_shift(facts: Facts) -> list[Finding]:
    """TRAIN_VALIDATION_SHIFT: validation rows whose columns or targets lie elsewhere."""
    data = facts.data
    if data is None or not data.validation_rows:
        return []
    columns = [c for c in data.columns if c.shift is not None and c.spread > 0]
    chance = _chance(data.column_rows, data.validation_column_rows, len(columns))
    shifted = [c for c in columns if (c.shift or 0.0) > max(chance, t.SHIFT_HINT)]
    found: list[Finding] = []
    together = [*_mean_shift(data), *_target_shift(data)]
    if shifted:
        worst = max(shifted, key=lambda column: column.shift or 0.0)
        far = worst.shift or 0.0
        others = f" (and {len(shifted) - 1} more of {len(columns)})" if shifted[1:] else ""
        found.append(
            Finding(
                "TRAIN_VALIDATION_SHIFT",
                "problem" if far > max(chance, t.SHIFT) else "hint",
                f"Column {worst.name}{others} is distributed otherwise in validation rows: mean "
                f"{worst.validation_mean or 0.0:.3g} instead of {worst.mean:.3g}, "
                f"Kolmogorov-Smirnov distance {far:.2f} where chance gives {chance:.2f}.",
                "Prepare both by the same numbers, and draw the validation rows at random.",
                {"distance": far, "chance": chance, "columns": len(shifted)},
                column=worst.name,
            )
        )
    return sorted([*found, *together], key=lambda one: one.level != "problem")[:1]


def _mean_shift(data: DataFacts) -> list[Finding]:
    far, chance = data.mean_shift, data.chance_of_mean_shift
    if far is None or chance is None or far <= chance:
        return []
    return [
        Finding(
            "TRAIN_VALIDATION_SHIFT",
            "problem" if far > chance + t.MEAN_SHIFT else "hint",
            "The columns together are distributed otherwise in validation rows: mean "
            f"Kolmogorov-Smirnov distance {far:.2f} where chance gives at most {chance:.2f}.",
            "Prepare both by the same numbers, and draw the validation rows at random.",
            {"distance": far, "chance": chance},
        )
    ]


def _target_shift(data: DataFacts) -> list[Finding]:
    far = data.target_shift or 0.0
    least = t.SHIFT
    if data.classes:
        chance, least = _chance_of_classes(data.classes, data.validation_classes), t.CLASS_SHIFT
        what = "The shares of the classes differ"
    else:
        chance = _chance(data.target_rows, data.validation_target_rows, data.targets)
        what = "The target is distributed otherwise"
    if far <= max(chance, t.SHIFT_HINT):
        return []
    return [
        Finding(
            "TRAIN_VALIDATION_SHIFT",
            "problem" if far > max(chance, least) else "hint",
            f"{what} between training and validation rows: distance {far:.2f} where chance gives "
            f"{chance:.2f}.",
            "Draw the validation rows at random, with the same share of each class.",
            {"distance": far, "chance": chance},
        )
    ]


def _chance(rows: int, others: int, tests: int) -> float:
    """Return the largest Kolmogorov-Smirnov distance of so many that chance gives."""
    if not rows or not others or not tests:
        return 1.0
    return math.sqrt(math.log(2 * tests / t.SHIFT_CHANCE) * (1 / rows + 1 / others) / 2)


def _chance_of_classes(counts: Sequence[int], others: Sequence[int]) -> float:
    """Return the largest distance of the shares of classes that chance gives."""
    rows, more = sum(counts), sum(others)
    if not rows or not more:
        return 1.0
    shares = [(one + two) / (rows + more) for one, two in zip(counts, others, strict=True)]
    noise = 1 / rows + 1 / more
    usual = sum(math.sqrt(p * (1 - p) * noise * 2 / math.pi) for p in shares) / 2
    return usual + math.sqrt(math.log(1 / t.SHIFT_CHANCE) * noise / 2)


RULES = (train_validation_shift,)
