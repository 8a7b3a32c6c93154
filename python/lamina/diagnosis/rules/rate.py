"""DIVERGED, LR_TOO_HIGH and LR_TOO_LOW: steps of the wrong length."""

from __future__ import annotations

import math
import statistics

from lamina.diagnosis import thresholds as t
from lamina.diagnosis.curves import (
    behind,
    ends,
    finite,
    is_diverged,
    known,
    material,
    room,
    start,
    swing,
    train_curve,
)
from lamina.diagnosis.facts import Facts, TrialFacts
from lamina.diagnosis.findings import Finding

__all__ = ["RULES", "diverged", "rate_too_high", "rate_too_low"]

_LOWER = "Divide the learning rate by ten, or let lm.find_learning_rate choose it."
_RAISE = "Multiply the learning rate by ten, or let lm.find_learning_rate choose it."


def diverged(facts: Facts) -> list[Finding]:
    """DIVERGED: the training ended because the loss or the weights were no numbers any more."""
    if not is_diverged(facts):
        return []
    reason = (facts.stop_reason or "the loss is not finite").split("; the weights are back")[0]
    return [
        Finding(
            "DIVERGED",
            "problem",
            f"The training {reason}." if reason.startswith("diverged") else f"{reason}.",
            "Lower the learning rate, scale the inputs, or clip the gradient "
            "(global_clipnorm=1.0).",
            {"epochs": len(facts.epoch), "stop_reason": facts.stop_reason or ""},
            epoch=facts.epoch[-1] + 1 if facts.epoch else 0,
        )
    ]


def rate_too_high(facts: Facts) -> list[Finding]:
    """LR_TOO_HIGH, from a loss that was thrown up or jumps about, and from the length of steps.

    Signs: the training diverged and a tenth of the rate does not; the loss of the training rows
    (inference mode, so without dropout's noise) goes up again and again; the first epochs threw
    it far above the start; a step changes the weights by a tenth of themselves and the model
    stays behind. All are hints if the model is as good as the reference network.
    """
    signs = [
        sign
        for sign in (_tamed(facts), _jumping(facts), _thrown(facts), _long_steps(facts))
        if sign is not None
    ]
    if not signs:
        return []
    level = "problem" if any(sign[0] == "problem" for sign in signs) else "hint"
    plain, at = facts.trial("reference"), ends(facts)
    if plain is not None and not is_diverged(facts):
        worse = material(at.val, plain.val_loss, facts) or behind(facts, plain)
        level = level if worse else "hint"
    evidence = {key: value for sign in signs for key, value in sign[2].items()}
    message = "; ".join(sign[1] for sign in signs)
    return [Finding("LR_TOO_HIGH", level, f"{message[0].upper()}{message[1:]}.", _LOWER, evidence)]


_Sign = tuple[str, str, dict[str, float]]


def _tamed(facts: Facts) -> _Sign | None:
    """Diverged, and with a tenth of the rate it does not."""
    slower, begin = facts.trial("slower"), start(facts)
    if not is_diverged(facts) or slower is None or not finite(slower.train_loss):
        return None
    if begin is not None and slower.train_loss >= begin:
        return None
    return (
        "problem",
        f"the training diverged, and with a tenth of the rate it does not (loss "
        f"{slower.train_loss:.4g})",
        {"slower_train_loss": slower.train_loss},
    )


def _jumping(facts: Facts) -> _Sign | None:
    """The loss of the training rows goes up again and again."""
    curve, like = train_curve(facts)
    possible = room(facts, validation=False)
    if possible is None or len(known(curve)) < t.FEWEST_EPOCHS_OF_A_PLATEAU:
        return None
    share = swing(curve) / possible
    if share < t.SWING_SHARE_HINT:
        return None
    return (
        "problem" if like and share >= t.SWING_SHARE else "hint",
        f"the training loss jumps up and down by {share:.1%} of the possible gain in an average "
        f"epoch",
        {"swing_share": share},
    )


def _thrown(facts: Facts) -> _Sign | None:
    """An early epoch was far above the best constant, and the model has not come back."""
    possible, begin = room(facts, validation=False), start(facts)
    curve, like = train_curve(facts)
    early = known(curve[: max(3, len(curve) // 4)])
    plain = facts.trial("reference")
    if possible is None or begin is None or not early or not like:
        return None
    share = (max(early) - begin) / possible
    if share < t.THROWN_SHARE or not finite(facts.baseline_loss):
        return None
    return (
        "problem" if behind(facts, plain) else "hint",
        f"the loss was thrown up to {max(early):.4g} in the first epochs, where the best constant "
        f"has {begin:.4g}",
        {"thrown_loss": max(early), "baseline_loss": begin},
    )


def _long_steps(facts: Facts) -> _Sign | None:
    """A step changes the weights by a tenth of themselves."""
    ratio = _update_ratio(facts)
    if ratio is None or ratio < t.HIGH_UPDATE_RATIO:
        return None
    return (
        "problem" if behind(facts, facts.trial("reference")) else "hint",
        f"a step changes the weights by {ratio:.2g} of themselves (0.001 is usual)",
        {"update_ratio": ratio},
    )


def rate_too_low(facts: Facts) -> list[Finding]:
    """LR_TOO_LOW, from the trials "faster" and "longer" and the length of steps.

    The model is behind the reference network; ten times the rate gets it materially further
    than training on; and training on is slow: an epoch takes away little of what is still
    possible. Where training on is quick, more epochs do it (NOT_CONVERGED). Without trials: steps
    that change next to nothing are a hint.
    """
    faster, longer, at = facts.trial("faster"), facts.trial("longer"), ends(facts)
    ratio = _update_ratio(facts)
    if is_diverged(facts) or at.train is None:
        return []
    if faster is None or longer is None:
        return _hint_of_short_steps(ratio)
    plain = facts.trial("reference")
    if plain is not None and not behind(facts, plain):
        return []
    if not behind(facts, faster) or not _better(longer, faster, facts):
        return []
    progress = _progress(facts, longer)
    if progress is None or progress >= t.PROGRESS_OF_AN_EPOCH:
        return []
    return [
        Finding(
            "LR_TOO_LOW",
            "problem",
            f"In {faster.epochs} epochs ten times the rate brings the training loss from "
            f"{at.train:.4g} to {faster.train_loss:.4g}, the present one only to "
            f"{longer.train_loss:.4g}.",
            _RAISE,
            {
                "train_loss": at.train,
                "longer_train_loss": longer.train_loss,
                "faster_train_loss": faster.train_loss,
                "progress_of_an_epoch": progress,
                **({} if ratio is None else {"update_ratio": ratio}),
            },
        )
    ]


def _hint_of_short_steps(ratio: float | None) -> list[Finding]:
    if ratio is None or ratio >= t.LOW_UPDATE_RATIO:
        return []
    return [
        Finding(
            "LR_TOO_LOW",
            "hint",
            f"A step changes the weights by {ratio:.2g} of themselves (0.001 is usual).",
            _RAISE,
            {"update_ratio": ratio},
        )
    ]


def _better(one: TrialFacts, other: TrialFacts, facts: Facts) -> bool:
    """Tell whether the other trial got materially further, on new rows if there are any."""
    if math.isfinite(other.val_loss):
        return material(one.val_loss, other.val_loss, facts)
    return material(one.train_loss, other.train_loss, facts, validation=False)


def _progress(facts: Facts, longer: TrialFacts) -> float | None:
    """Return which share of the loss that can still go an epoch of the trial "longer" took away."""
    at = ends(facts)
    before, after = (at.val, longer.val_loss)
    reached = [one.val_loss for one in facts.trials if finite(one.val_loss)]
    if before is None:
        before, after = at.train, longer.train_loss
        reached = [one.train_loss for one in facts.trials if finite(one.train_loss)]
    if before is None or not reached or longer.epochs < 1 or before <= min(reached):
        return None
    left = (after - min(reached)) / (before - min(reached))
    return 1.0 - float(min(1.0, max(left, 1e-3)) ** (1.0 / longer.epochs))


def _update_ratio(facts: Facts) -> float | None:
    """Return how much of itself a step changes the weights: the median of layers' medians."""
    medians = [
        statistics.median(values)
        for layer in facts.layers
        if (values := known(layer.values.get("update_ratio", [])))
    ]
    return statistics.median(medians) if medians else None


RULES = (diverged, rate_too_high, rate_too_low)
