"""IMBALANCED_CLASSES and NO_BETTER_THAN_BASELINE: what has not been learnt at all."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lamina.diagnosis import thresholds as t
from lamina.diagnosis.curves import is_diverged, loss_of
from lamina.diagnosis.facts import DataFacts, Facts
from lamina.diagnosis.findings import Finding

__all__ = ["RULES", "imbalanced_classes", "no_better_than_baseline"]


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
            'Give fit class_weight="balanced".'
            if (mendable or not missed) and not facts.about.get("weighted")
            else "Get more rows of the rare classes.",
            {"share": data.classes[worst] / sum(data.classes), "recall": recall},
        )
    ]


def _mean_recall(recall: Sequence[float], rows: Sequence[int], classes: Sequence[int]) -> float:
    """Return the share of the rows of these classes that is found."""
    known = [c for c in classes if c < len(recall) and not math.isnan(recall[c]) and rows[c]]
    total = sum(rows[c] for c in known)
    return sum(recall[c] * rows[c] for c in known) / total if total else math.nan


def no_better_than_baseline(facts: Facts) -> list[Finding]:
    """NO_BETTER_THAN_BASELINE: a problem if a plain network is no better than a constant either.

    Then the cause lies in the data. And if the model itself has become a constant, which it is at
    a tenth of the rate, too, and no hidden layer is silent: by a penalty, or by what its output can
    give. Else other findings say where the cause lies: a hint. So it is without trials.
    """
    data = facts.data
    if data is None or data.model_loss is None or data.constant_loss is None:
        return []
    if is_diverged(facts):  # of which this is no wonder, and says nothing of the data
        return []
    loss, constant = data.model_loss, data.constant_loss
    if loss < constant - t.GAIN * abs(constant):
        return []
    plain, base, slower = facts.trial("reference"), facts.baseline_loss, facts.trial("again_slower")
    beaten = plain is not None and base is not None and _is_beaten(loss_of(plain), base)
    beaten = beaten and plain is not None and math.isfinite(loss_of(plain))
    same = data.prediction_spread is not None and data.prediction_spread < t.SAME_PREDICTIONS
    same = same and not _has_silent_layers(facts)
    same = same or any(layer.shrunk >= t.SHRUNK_SHARE for layer in facts.layers)
    if slower is not None and base is not None:  # else it is the rate that has done it
        same = same and _is_beaten(loss_of(slower), base)
    words = f"The model's loss is {loss:.4g}, that of the best constant prediction {constant:.4g}"
    if plain is not None:
        words += f", that of a plain network {loss_of(plain):.4g}"
    if _is_constant(data):
        words = "The target is the same in all rows"
        advice = "Find out how the target came about."
    elif beaten:
        advice = "See whether the rows of X and of y belong together."
    elif same:
        words += "; it has become a constant itself"
        emptied = any(layer.shrunk >= t.SHRUNK_SHARE for layer in facts.layers)
        advice = "The data can be learnt: " + (
            "divide the penalties by ten."
            if emptied
            else "see that the output's activation can give the targets."
        )
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


def _is_constant(data: DataFacts) -> bool:
    return data.target_spread == 0 or sum(count > 0 for count in data.classes) == 1


def _has_silent_layers(facts: Facts) -> bool:
    """Tell whether most units of a hidden layer are dead or saturated, so that nothing passes."""
    bounds = {"dead": t.DEAD_SHARE, "saturated": t.SATURATED_SHARE}
    return any(
        layer.values.get(name, [0.0])[-1] >= bound
        for layer in facts.layers
        if not layer.output
        for name, bound in bounds.items()
    )


def _is_beaten(loss: float, constant: float) -> bool:
    """Tell whether a trial is hardly better than a constant, though its best epoch was chosen."""
    return not loss < constant - t.PLAIN_GAIN * abs(constant)


RULES = (imbalanced_classes, no_better_than_baseline)
