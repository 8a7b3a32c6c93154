"""Rules from the data, and from trials that change one thing about them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lamina.diagnosis import thresholds as t
from lamina.diagnosis.curves import material
from lamina.diagnosis.facts import ColumnFacts, DataFacts, Facts, TrialFacts
from lamina.diagnosis.findings import Finding

__all__ = [
    "RULES",
    "constant_input",
    "imbalanced_classes",
    "no_better_than_baseline",
    "target_unscaled",
    "train_validation_shift",
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
            "Put lm.Normalization() behind the input, or lm.RobustScale() if there are outliers.",
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
    if not _is_far(mean, spread, 0.0) or (facts.about.get("output", "linear") != "linear"):
        return []
    level, words, evidence = _shown_by(facts, "scaled_target", "scaled_input", "a scaled target")
    return [
        Finding(
            "TARGET_UNSCALED",
            level,
            f"The target has mean {mean:.3g} and spread {spread:.3g}, far from what a new "
            f"network gives{words}.",
            "Train on (y - mean) / spread and turn predictions back, or use lm.TableModel, which "
            "does it.",
            {"mean": mean, "spread": spread, **evidence},
        )
    ]


def _farness(mean: float, spread: float) -> float:
    """Return how many orders of magnitude a column is from 1, in size or from its own mean."""
    off = abs(mean) / spread if spread > 0 else 1.0
    return max(abs(math.log10(math.hypot(mean, spread))), math.log10(max(off, 1.0)))


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
    both, one, again = facts.trial("scaled"), facts.trial(alone), facts.trial("again")
    first, second = facts.trial(other), facts.trial(alone)
    pairs = [(again, one), (first, both)] if second or both else []
    own = _judged(facts)
    for without, scaled in pairs:
        if without is None or scaled is None:
            continue
        reached, before = _loss_of(scaled), _loss_of(without)
        if material(own, reached, facts) and material(before, reached, facts):
            words = f"; with {name} it came to a loss of {reached:.4g} instead of {own:.4g}"
            return "problem", words, {"loss": own, "scaled_loss": reached}
    return "hint", "", {}


def _judged(facts: Facts) -> float:
    final = facts.final_val_loss if facts.final_val_loss is not None else facts.final_train_loss
    return math.nan if final is None else final


def _loss_of(trial: TrialFacts) -> float:
    return trial.train_loss if math.isnan(trial.val_loss) else trial.val_loss


# ---- columns ------------------------------------------------------------------------------------


def constant_input(facts: Facts) -> list[Finding]:
    """CONSTANT_INPUT: columns with one value in all training rows.

    A hint if they are but the last of many columns that are nearly always the same, as the pixels
    at the border of pictures: there more rows would bring other values. A problem if not, and if
    validation rows have other values, which no weight has been trained for.
    """
    data = facts.data
    constant = [] if data is None else [c for c in data.columns if c.spread == 0]
    if data is None or not constant:
        return []
    changing = [column for column in constant if _changes(column, data)]
    strange = [column for column in constant if not _is_background(column, data.columns)]
    found = changing or strange
    column = (found or constant)[0]
    others = f" (and {len(constant) - 1} more)" if constant[1:] else ""
    also = f", but not in {column.shift:.0%} of the validation rows" if changing else ""
    return [
        Finding(
            "CONSTANT_INPUT",
            "problem" if found else "hint",
            f"Column {column.name}{others} is {column.low:.6g} in all training rows{also}.",
            "See how the column came about; if it is right, leave it out.",
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


# ---- classes ------------------------------------------------------------------------------------


def imbalanced_classes(facts: Facts) -> list[Finding]:
    """IMBALANCED_CLASSES: a problem if rare classes are not found as others are; else a hint."""
    data = facts.data
    if data is None or len(data.classes) < 2 or not sum(data.classes):
        return []
    usual = sum(data.classes) / len(data.classes)
    present = [c for c, count in enumerate(data.classes) if count]
    rare = [c for c in present if data.classes[c] < t.RARE * usual]
    if not rare:
        return []
    common = [c for c in present if c not in rare]
    judged = data.validation_classes or data.classes
    shown = [c for c in rare if judged[c] >= t.FEWEST_RARE_ROWS and not math.isnan(data.recall[c])]
    worst = min(shown or rare, key=lambda c: data.recall[c])
    recall, others = (_mean_recall(data.recall, judged, which) for which in ([worst], common))
    balanced = facts.trial("balanced")
    better = math.nan if balanced is None else _mean_recall(balanced.recall, judged, [worst])
    missed = bool(shown) and recall < t.FOUND
    mendable = not math.isnan(better) and better >= recall + t.RECALL_GAIN
    words = f"Class {worst} has {data.classes[worst]} of {sum(data.classes)} training rows; "
    words += f"{recall:.0%} of its rows are found, {others:.0%} of those of frequent classes"
    if mendable:
        words += f", and {better:.0%} where all classes weigh alike"
    return [
        Finding(
            "IMBALANCED_CLASSES",
            "problem" if missed and recall < others - t.RECALL_GAIN else "hint",
            f"{words}.",
            'Give fit class_weight="balanced", or more rows of the rare classes.'
            if mendable or not missed
            else 'Get more rows of the rare classes; class_weight="balanced" is the next best.',
            {"share": data.classes[worst] / sum(data.classes), "recall": recall},
        )
    ]


def _mean_recall(recall: Sequence[float], rows: Sequence[int], classes: Sequence[int]) -> float:
    """Return the share of the rows of these classes that is found."""
    known = [c for c in classes if c < len(recall) and not math.isnan(recall[c]) and rows[c]]
    total = sum(rows[c] for c in known)
    return sum(recall[c] * rows[c] for c in known) / total if total else math.nan


# ---- nothing learnt -----------------------------------------------------------------------------


def no_better_than_baseline(facts: Facts) -> list[Finding]:
    """NO_BETTER_THAN_BASELINE: a problem if a plain network is no better than a constant either.

    Then the cause lies in the data. And if the model itself has become a constant, which it is at
    a tenth of the rate, too: by a penalty, by how it begins, or by what its output can give. Else
    other findings say where the cause lies: a hint. So it is without trials.
    """
    data = facts.data
    if data is None or data.model_loss is None or data.constant_loss is None:
        return []
    loss, constant = data.model_loss, data.constant_loss
    if loss < constant - t.GAIN * abs(constant):
        return []
    plain, base, slower = facts.trial("reference"), facts.baseline_loss, facts.trial("again_slower")
    beaten = plain is not None and base is not None and _is_beaten(_loss_of(plain), base)
    same = data.prediction_spread is not None and data.prediction_spread < t.SAME_PREDICTIONS
    same = same or any(layer.shrunk >= t.SHRUNK_SHARE for layer in facts.layers)
    if slower is not None and base is not None:  # else it is the rate that has done it
        same = same and _is_beaten(_loss_of(slower), base)
    words = f"The model's loss is {loss:.4g}, that of the best constant prediction {constant:.4g}"
    if plain is not None:
        words += f", that of a plain network {_loss_of(plain):.4g}"
    if beaten:
        advice = "See whether the rows of X and y belong together, and whether X can tell y at all."
    elif same:
        words += "; it has become a constant itself"
        advice = "The data can be learnt: take off penalties, and see that the output's activation "
        advice += "can give the targets."
    else:
        advice = "The data can be learnt: look at the other findings."
    return [
        Finding(
            "NO_BETTER_THAN_BASELINE",
            "problem" if beaten or (same and plain is not None) else "hint",
            f"{words}.",
            advice,
            {"loss": loss, "constant_loss": constant},
        )
    ]


def _is_beaten(loss: float, constant: float) -> bool:
    """Tell whether a trial is hardly better than a constant, though its best epoch was chosen."""
    return not loss < constant - t.PLAIN_GAIN * abs(constant)


RULES = (
    constant_input,
    unscaled_input,
    target_unscaled,
    train_validation_shift,
    imbalanced_classes,
    no_better_than_baseline,
)
