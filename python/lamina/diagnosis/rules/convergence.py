"""UNDERFIT, NOT_CONVERGED and PLATEAU: trainings that stay above what is possible."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from lamina.diagnosis import thresholds as t
from lamina.diagnosis.curves import (
    ahead,
    ends,
    falls_short,
    is_diverged,
    judged,
    known,
    late_fall,
    missing,
    room,
    start,
    steps,
    train_curve,
    train_start,
    turn,
    worth_it,
)
from lamina.diagnosis.facts import Facts
from lamina.diagnosis.findings import Finding

__all__ = ["RULES", "circles", "not_converged", "plateau", "rate_is_gone", "still_falling"]

_LONGER = "Train longer: call fit again for as many epochs."


def underfit(facts: Facts) -> list[Finding]:
    """UNDERFIT, from the reference network: it reaches far more on the same rows.

    The model misses on its training rows what the other reaches on new ones, or it would not be
    too little freedom. Without trials nobody knows what could be reached: noise that cannot be
    predicted looks the same.
    """
    at, plain, possible = ends(facts), facts.trial("reference"), room(facts)
    if plain is None or possible is None or is_diverged(facts) or at.train is None:
        return []
    level = judged(plain)
    if ahead(facts, plain) < t.MATERIAL_SHARE or level is None:
        return []
    if at.train - level < t.UNDERFIT_TRAIN_SHARE * possible:
        return []
    return [
        Finding(
            "UNDERFIT",
            "problem",
            f"A plain network reaches a training loss of {plain.train_loss:.4g} and a validation "
            f"loss of {plain.val_loss:.4g} on the same rows; this model stays at "
            f"{at.train:.4g} and {_number(at.val)}.",
            _freedom(facts),
            {
                "train_loss": at.train,
                "val_loss": at.val,
                "reference_train_loss": plain.train_loss,
                "reference_val_loss": plain.val_loss,
            },
        )
    ]


def _freedom(facts: Facts) -> str:
    """Return what holds the model back, as far as anybody knows."""
    if facts.about.get("penalised"):
        return "Give the model more freedom: divide its penalties by ten."
    if facts.about.get("dropout", 0.0) >= t.MUCH_DROPOUT:
        return "Give the model more freedom: halve the rate of its dropout."
    return "Give the model more freedom: twice as many hidden units."


def not_converged(facts: Facts) -> list[Finding]:
    """NOT_CONVERGED, from the trial "longer"; without it from the end of the curves (a hint).

    Training on, with nothing changed, brings lower losses of training and validation rows, and a
    plain network shows that they are possible. If the model is as good as that, nothing is found.
    """
    at, longer = ends(facts), facts.trial("longer")
    if is_diverged(facts) or at.train is None:
        return []
    if longer is None:
        return _hint_of_the_slope(facts) if still_falling(facts) else []
    few = steps(facts) < t.FEW_STEPS and ahead(facts, longer) >= t.FEW_STEPS_SHARE * missing(facts)
    if not (worth_it(facts, longer) or few) or not falls_short(facts, t.SMALL_SHARE):
        return []
    known = at.val is not None
    new_rows = (
        f" and the validation loss from {at.val:.4g} to {longer.val_loss:.4g}" if known else ""
    )
    return [
        Finding(
            "NOT_CONVERGED",
            "problem",
            f"{longer.epochs} more epochs bring the training loss from {at.train:.4g} to "
            f"{longer.train_loss:.4g}{new_rows}.",
            _LONGER,
            {
                "train_loss": at.train,
                "val_loss": at.val,
                "longer_train_loss": longer.train_loss,
                "longer_val_loss": longer.val_loss,
            },
        )
    ]


def plateau(facts: Facts) -> list[Finding]:
    """PLATEAU, from a loss that stands still above what can be reached, where one sees why.

    A schedule or a callback has made the rate next to nothing for most of the epochs. Or the loss
    circles: most was learnt, the second half of the epochs brought nothing, and a tenth of the rate
    takes the loss down again, from where it stands as from the start. Or units began with equal
    weights: then they get equal gradients and stay equal for ever, the layer is one unit, and the
    loss stands still where one unit ends. A curve that merely stands still above the plain
    network's loss is a hint.
    """
    if is_diverged(facts):
        return []
    same = _all_alike(facts)
    if same is not None and falls_short(facts, t.MATERIAL_SHARE / 2):
        return [_alike(facts, same)]
    if rate_is_gone(facts) and stands_still(facts) and falls_short(facts, t.SMALL_SHARE):
        return [_gone(facts)]
    if circles(facts):
        return [_circling(facts)]
    plain = facts.trial("reference")
    if plain is not None and stands_still(facts) and falls_short(facts, t.MATERIAL_SHARE):
        return [_standing(facts)]
    return []


def circles(facts: Facts) -> bool:
    """Tell whether the steps are good for all but the end: they have become too coarse."""
    slower, anew = facts.trial("slower"), facts.trial("again_slower")
    begin, possible = start(facts), room(facts, validation=False)
    curve, left = known(train_curve(facts)[0]), missing(facts)
    if slower is None or anew is None or begin is None or possible is None:
        return False
    if len(curve) < t.FEWEST_EPOCHS_OF_A_PLATEAU:
        return False
    level = statistics.quantiles(curve[len(curve) // 2 :], n=4)[0]
    return (
        level - (begin - possible) <= t.LEARNT_MOST * possible
        and _gained_late(curve) < t.STANDSTILL_SHARE * possible
        and left - missing(facts, slower) >= max(t.CIRCLING_SHARE, t.RESCUED_SHARE * left)
        and left - missing(facts, anew) >= max(t.CIRCLING_SHARE, 0.5 * left)
    )


def rate_is_gone(facts: Facts) -> bool:
    """Tell whether the rate was next to nothing in most epochs, beside the highest it had."""
    rates = known(facts.learning_rate)
    if not rates or max(rates) <= 0:
        return False
    gone = sum(rate < t.GONE_RATE * max(rates) for rate in rates)
    return gone > len(rates) / 2


def still_falling(facts: Facts) -> bool:
    """Tell whether the last third of the epochs brought much, on new rows, too."""
    begin, where, curve = train_start(facts), turn(facts), known(train_curve(facts)[0])
    fall = late_fall(curve)
    if begin is None or fall is None:
        return False
    gained = max(begin, curve[0]) - curve[-1]
    if gained <= 0 or fall < t.STILL_FALLING_SHARE * gained:
        return False
    if where is not None and where.rise > 0:
        return False
    late = late_fall(facts.val_loss)
    return late is None or late >= t.STILL_FALLING_SHARE * gained


def stands_still(facts: Facts) -> bool:
    """Tell whether the second half of the epochs brought next to nothing, and moved little."""
    curve, possible = known(train_curve(facts)[0]), room(facts)
    if possible is None or len(curve) < t.FEWEST_EPOCHS_OF_A_PLATEAU:
        return False
    half = curve[len(curve) // 2 :]
    return max(half) - min(half) < t.STANDSTILL_SHARE * possible


def _gained_late(curve: Sequence[float]) -> float:
    """Return how far the second half of a curve got below the first."""
    half = len(curve) // 2
    return min(curve[:half]) - min(curve[half:])


def _all_alike(facts: Facts) -> str | None:
    """Return the name of a hidden layer whose units all have the same weights."""
    alike = [
        layer.name
        for layer in facts.layers
        if not layer.output and layer.alike is not None and layer.alike >= t.ALIKE_SHARE
    ]
    return alike[0] if alike else None


def _alike(facts: Facts, name: str) -> Finding:
    return Finding(
        "PLATEAU",
        "problem",
        f"All units of {name} have the same weights: they began alike, get the same gradients and "
        f"stay one unit. The training loss stands at {_number(ends(facts).train)}.",
        "Start with random weights: kernel_initializer='auto'.",
        {"train_loss": ends(facts).train},
        layer=name,
    )


def _gone(facts: Facts) -> Finding:
    rates, at = known(facts.learning_rate), ends(facts)
    return Finding(
        "PLATEAU",
        "problem",
        f"The learning rate fell from {max(rates):.3g} to {rates[-1]:.3g}, and since then the "
        f"training loss stands still at {_number(at.train)}.",
        "Let the rate fall later: lm.Cosine falls over the whole fit.",
        {"highest_rate": max(rates), "last_rate": rates[-1], "train_loss": at.train},
        epoch=facts.epoch[len(facts.epoch) // 2],
    )


def _circling(facts: Facts) -> Finding:
    at, slower = ends(facts), facts.trial("slower")
    assert slower is not None
    return Finding(
        "PLATEAU",
        "problem",
        f"The training loss has not fallen for half of the epochs and stands at {at.train:.4g}; "
        f"a tenth of the rate takes it on to {slower.train_loss:.4g}.",
        "Let the rate fall: give lm.Cosine(…) as the learning rate.",
        {"train_loss": at.train, "slower_train_loss": slower.train_loss},
        epoch=facts.epoch[len(facts.epoch) // 2],
    )


def _standing(facts: Facts) -> Finding:
    at = ends(facts)
    return Finding(
        "PLATEAU",
        "hint",
        f"The training loss has stood still at {_number(at.train)} for half of the epochs.",
        "Look at the other findings first: one of them may be the cause.",
        {"train_loss": at.train},
        epoch=facts.epoch[len(facts.epoch) // 2],
    )


def _hint_of_the_slope(facts: Facts) -> list[Finding]:
    at, fall = ends(facts), late_fall(train_curve(facts)[0])
    return [
        Finding(
            "NOT_CONVERGED",
            "hint",
            f"The training loss still fell by {fall:.4g} in the last third of the epochs, "
            f"to {at.train:.4g}.",
            _LONGER,
            {"train_loss": at.train, "late_fall": fall},
        )
    ]


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"


RULES = (underfit, not_converged, plateau)
