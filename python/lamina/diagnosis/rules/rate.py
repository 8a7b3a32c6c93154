"""DIVERGED, LR_TOO_HIGH and LR_TOO_LOW: steps of the wrong length."""

from __future__ import annotations

import statistics

from lamina.diagnosis import thresholds as t
from lamina.diagnosis.curves import (
    ahead,
    ends,
    falls_short,
    finite,
    is_diverged,
    judged,
    known,
    learnable,
    missing,
    room,
    start,
    steps,
    swing,
    train_curve,
)
from lamina.diagnosis.facts import Facts, TrialFacts
from lamina.diagnosis.findings import Finding
from lamina.diagnosis.rules.convergence import rate_is_gone

__all__ = ["RULES", "diverged", "rate_too_high", "rate_too_low"]

_LOWER = "Divide the learning rate by ten."
_RAISE = "Multiply the learning rate by ten."


def diverged(facts: Facts) -> list[Finding]:
    """DIVERGED: the training ended because the loss or the weights were no numbers any more."""
    if not is_diverged(facts):
        return []
    reason = (facts.stop_reason or "diverged: the loss is not finite").split(
        "; the weights are back"
    )[0]
    return [
        Finding(
            "DIVERGED",
            "problem",
            f"The training {reason}." if reason.startswith("diverged") else f"{reason}.",
            "Clip the gradient: global_clipnorm=1.0 as an argument of the optimizer.",
            {"epochs": len(facts.epoch), "stop_reason": facts.stop_reason or ""},
            epoch=facts.epoch[-1] + 1 if facts.epoch else 0,
        )
    ]


# ---- too high -----------------------------------------------------------------------------------


def rate_too_high(facts: Facts) -> list[Finding]:
    """LR_TOO_HIGH, from the trials "again" and "again_slower"; else from a loss that jumps about.

    The proof is the same network trained anew with a tenth of the rate: it gets much further than
    the training and than its twin with the usual rate. Or the twin itself gets much further, and
    the weights have grown to several times their first size: then a schedule had steps that were
    far too long. Without trials it is read from the
    training: the loss of the training rows (in inference mode, so without dropout's noise) goes up
    and down all the time, or an early epoch threw it far above the best constant's, or a step
    changes the weights by a tenth of themselves. With trials that prove nothing these are hints.
    """
    usual, slower = facts.trial("again"), facts.trial("again_slower")
    if usual is not None and slower is not None and _proven(facts, usual, slower):
        return [
            Finding(
                "LR_TOO_HIGH",
                "problem",
                f"Trained anew with a tenth of the rate the same network reaches a loss of "
                f"{judged(slower):.4g}, with the rate as it is {judged(usual):.4g}.",
                _LOWER,
                {"slower_loss": judged(slower), "loss": judged(usual)},
            )
        ]
    if usual is not None and _thrown_off(facts, usual):
        return [
            Finding(
                "LR_TOO_HIGH",
                "problem",
                "Trained anew with its usual rate all the time the same network reaches a loss of "
                f"{judged(usual):.4g}, the training ended at {judged(ends(facts)):.4g}: some of "
                "its steps were far too long.",
                "Lower the highest rate of the schedule.",
                {"usual_loss": judged(usual), "loss": judged(ends(facts))},
            )
        ]
    signs = [one for one in (_jumping(facts), _thrown(facts), _long_steps(facts)) if one]
    if not signs:
        return []
    sure = any(sign[0] == "problem" for sign in signs) and not facts.trials
    message = "; ".join(sign[1] for sign in signs)
    return [
        Finding(
            "LR_TOO_HIGH",
            "problem" if sure else "hint",
            f"{message[0].upper()}{message[1:]}.",
            _LOWER,
            {key: value for sign in signs for key, value in sign[2].items()},
        )
    ]


def _proven(facts: Facts, usual: TrialFacts, slower: TrialFacts) -> bool:
    """Tell whether the same network, anew with a tenth of the rate, is far better."""
    best, twin, begin = judged(slower), judged(usual), start(facts)
    possible = room(facts)
    if not finite(best) or begin is None or possible is None or best >= begin:
        return False
    if not learnable(facts):
        return False
    if is_diverged(facts):
        return usual.diverged or (finite(twin) and twin - best >= t.MATERIAL_SHARE * possible)
    if ahead(facts, slower) < t.MATERIAL_SHARE:
        return False
    return not finite(twin) or twin - best >= t.MATERIAL_SHARE * possible


def _thrown_off(facts: Facts, usual: TrialFacts) -> bool:
    """Tell whether weights were thrown: the same network at its usual rate is far better."""
    if is_diverged(facts) or rate_is_gone(facts) or steps(facts) < t.FEW_STEPS:
        return False
    if not learnable(facts):
        return False
    return ahead(facts, usual) >= t.THROWN_OFF_SHARE and _growth(facts) >= t.THROWN_OFF_GROWTH


def _growth(facts: Facts) -> float:
    """Return how many times its first size the weights of a layer came to, at most."""
    grown = [
        max(norms) / layer.start["weight_norm"]
        for layer in facts.layers
        if (norms := known(layer.values.get("weight_norm", [])))
        and layer.start.get("weight_norm", 0.0) > 0
    ]
    return max(grown, default=0.0)


_Sign = tuple[str, str, dict[str, float]]


def _jumping(facts: Facts) -> _Sign | None:
    """The loss of the training rows goes up and down again and again."""
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
    """An early epoch was far above the best constant."""
    possible, begin = room(facts, validation=False), start(facts)
    curve, like = train_curve(facts)
    early = known(curve[: max(3, len(curve) // 4)])
    if possible is None or begin is None or not early or not like:
        return None
    share = (max(early) - begin) / possible
    if share < t.THROWN_SHARE or not finite(facts.baseline_loss):
        return None
    return (
        "hint",
        f"the loss was at {max(early):.4g} in the first epochs, where the best constant has "
        f"{begin:.4g}",
        {"thrown_loss": max(early), "baseline_loss": begin},
    )


def _long_steps(facts: Facts) -> _Sign | None:
    """A step changes the weights by a tenth of themselves."""
    ratio = _update_ratio(facts)
    if ratio is None or ratio < t.HIGH_UPDATE_RATIO:
        return None
    return (
        "hint",
        f"a step changes the weights by {ratio:.2g} of themselves (0.001 is usual)",
        {"update_ratio": ratio},
    )


# ---- too low ------------------------------------------------------------------------------------


def rate_too_low(facts: Facts) -> list[Finding]:
    """LR_TOO_LOW, from the trials "again_faster", "faster" and "longer".

    The model is far behind the plain network, its loss falls smoothly and slowly, and the same
    network gets much further with ten times the rate. After few steps it wants more of them
    (NOT_CONVERGED), and if training on is quick, as well. Where a schedule took the rate away it is
    a PLATEAU. Without trials, steps that change next to nothing are a hint.
    """
    ratio = _update_ratio(facts)
    if is_diverged(facts) or ends(facts).train is None:
        return []
    if facts.trial("reference") is None:
        return [] if ratio is None or ratio >= t.LOW_UPDATE_RATIO else _short_steps("hint", ratio)
    if not falls_short(facts, t.MATERIAL_SHARE):
        return []
    if rate_is_gone(facts):
        return []
    if ratio is not None and ratio < t.TINY_UPDATE_RATIO:
        return _short_steps("problem", ratio)
    faster = facts.trial("again_faster") or facts.trial("faster")
    if faster is None or not _faster_is_better(facts, faster):
        return []
    progress = _progress(facts)
    if progress is None or steps(facts) < t.FEW_STEPS or progress >= t.PROGRESS_OF_A_STEP:
        return []
    at, longer = ends(facts), facts.trial("longer")
    assert longer is not None
    return [
        Finding(
            "LR_TOO_LOW",
            "problem",
            f"With ten times the rate the training loss comes to {faster.train_loss:.4g} instead "
            f"of {at.train:.4g} in as many epochs; training on as it is, to "
            f"{longer.train_loss:.4g}.",
            _RAISE,
            {
                "train_loss": at.train,
                "longer_train_loss": longer.train_loss,
                "faster_train_loss": faster.train_loss,
                "progress_of_a_step": progress,
                **({} if ratio is None else {"update_ratio": ratio}),
            },
        )
    ]


def _faster_is_better(facts: Facts, faster: TrialFacts) -> bool:
    """Tell whether ten times the rate gets far ahead, of a training without a jump in its curve."""
    on = facts.trial("faster") or faster
    gained = min(ahead(facts, faster), ahead(facts, on))
    possible = room(facts, validation=False)
    if possible is None or gained < t.MATERIAL_SHARE:
        return False
    return swing(train_curve(facts)[0]) < t.SMOOTH_SHARE * possible


def _short_steps(level: str, ratio: float) -> list[Finding]:
    return [
        Finding(
            "LR_TOO_LOW",
            level,
            f"A step changes the weights by {ratio:.2g} of themselves (0.001 is usual).",
            _RAISE,
            {"update_ratio": ratio},
        )
    ]


def _progress(facts: Facts) -> float | None:
    """Return which share of the loss that can still go a step of the trial "longer" took away."""
    longer, before = facts.trial("longer"), missing(facts)
    if longer is None or before <= 0:
        return None
    made = longer.steps or longer.epochs
    left = (before - max(ahead(facts, longer), 0.0)) / before
    return 1.0 - float(max(left, 1e-3) ** (1.0 / max(made, 1)))


def _update_ratio(facts: Facts) -> float | None:
    """Return how much of itself a step changes the weights: the median of layers' medians."""
    medians = [
        statistics.median(values)
        for layer in facts.layers
        if (values := known(layer.values.get("update_ratio", [])))
    ]
    return statistics.median(medians) if medians else None


RULES = (diverged, rate_too_high, rate_too_low)
