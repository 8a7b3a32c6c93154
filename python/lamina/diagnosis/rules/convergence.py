"""UNDERFIT, NOT_CONVERGED and PLATEAU: trainings that stay above what is possible."""

from __future__ import annotations

import math

from lamina.diagnosis import thresholds as t
from lamina.diagnosis.curves import (
    behind,
    ends,
    is_diverged,
    known,
    late_fall,
    material,
    room,
    start,
    train_curve,
    turn,
)
from lamina.diagnosis.facts import Facts, TrialFacts
from lamina.diagnosis.findings import Finding

__all__ = ["RULES", "not_converged", "plateau", "stands_still", "still_falling", "underfit"]


def underfit(facts: Facts) -> list[Finding]:
    """UNDERFIT, from the reference network: it reaches far more on the same rows.

    It misses on its training rows what the other reaches on new ones, or it would not be too little
    freedom; and training on does not help, or it would be NOT_CONVERGED. Without trials nobody
    knows what could be reached: noise that cannot be predicted looks the same.
    """
    at, plain, longer = ends(facts), facts.trial("reference"), facts.trial("longer")
    if plain is None or is_diverged(facts) or not behind(facts, plain):
        return []
    if not material(at.train, _level(plain), facts) or (longer and behind(facts, longer)):
        return []
    return [
        Finding(
            "UNDERFIT",
            "problem",
            f"A plain network reaches a training loss of {plain.train_loss:.4g} and a validation "
            f"loss of {plain.val_loss:.4g} on the same rows; this model stays at "
            f"{at.train:.4g} and {_number(at.val)}.",
            "Give the model more freedom: more units or layers, less dropout, smaller penalties.",
            {
                "train_loss": at.train,
                "val_loss": at.val,
                "reference_train_loss": plain.train_loss,
                "reference_val_loss": plain.val_loss,
            },
        )
    ]


def not_converged(facts: Facts) -> list[Finding]:
    """NOT_CONVERGED, from the trial "longer"; without it from the end of the curves (a hint).

    Training on, with nothing changed, brings materially lower losses of training and validation
    rows. If a plain network was trained and is no better than the model, it is a hint: the
    model is good, and could be better.
    """
    at, longer = ends(facts), facts.trial("longer")
    if is_diverged(facts):
        return []
    if longer is None:
        return _hint_of_the_slope(facts) if still_falling(facts) else []
    if not behind(facts, longer):
        return []
    plain = facts.trial("reference")
    level = "problem" if plain is None or behind(facts, plain) else "hint"
    return [
        Finding(
            "NOT_CONVERGED",
            level,
            f"{longer.epochs} more epochs bring the training loss from {at.train:.4g} to "
            f"{longer.train_loss:.4g} and the validation loss from {_number(at.val)} to "
            f"{_number(longer.val_loss)}.",
            "Train longer: call fit again, or give it two to four times the epochs and "
            "lm.EarlyStopping.",
            {
                "train_loss": at.train,
                "val_loss": at.val,
                "longer_train_loss": longer.train_loss,
                "longer_val_loss": longer.val_loss,
            },
        )
    ]


def plateau(facts: Facts) -> list[Finding]:
    """PLATEAU, from a curve that stands still above what another learning rate reaches.

    The second half of the epochs brought next to nothing, more of them bring nothing either, but
    with ten times or a tenth of the rate the loss falls again, or a plain network is far below.
    """
    at, longer = ends(facts), facts.trial("longer")
    if is_diverged(facts) or not stands_still(facts):
        return []
    if longer is not None and behind(facts, longer):
        return []
    ways = [one for one in map(facts.trial, ("faster", "slower")) if one is not None]
    better = [one for one in ways if behind(facts, one)]
    plain = facts.trial("reference")
    if not better and not behind(facts, plain):
        return []
    best = min(better, key=lambda one: one.train_loss) if better else None
    what = (
        f"the rate made {best.name} brings it to {best.train_loss:.4g}"
        if best is not None
        else "a plain network gets far below"
    )
    return [
        Finding(
            "PLATEAU",
            "problem" if best is not None and (plain is None or behind(facts, plain)) else "hint",
            f"The training loss has stood still at {at.train:.4g} for the last "
            f"{len(facts.epoch) // 2} epochs; {what}.",
            "Change the learning rate where the curve stops: raise it if a schedule has made it "
            "small, else lower it with lm.callbacks.ReduceLROnPlateau.",
            {"train_loss": at.train, "best_train_loss": best.train_loss if best else None},
            epoch=facts.epoch[len(facts.epoch) // 2] if facts.epoch else None,
        )
    ]


def still_falling(facts: Facts) -> bool:
    """Tell whether the last third of the epochs brought much, on new rows, too."""
    begin, at, where = start(facts), ends(facts), turn(facts)
    fall = late_fall(train_curve(facts)[0])
    if begin is None or fall is None or at.train is None:
        return False
    gained = max(begin, *known(train_curve(facts)[0][:1])) - at.train
    if gained <= 0 or fall < t.STILL_FALLING_SHARE * gained:
        return False
    if where is not None and where.rise > 0:
        return False
    late = late_fall(facts.val_loss)
    return late is None or late >= t.STILL_FALLING_SHARE * gained / 2


def stands_still(facts: Facts) -> bool:
    """Tell whether the second half of the epochs brought next to nothing."""
    curve, possible = known(train_curve(facts)[0]), room(facts)
    if possible is None or len(curve) < t.FEWEST_EPOCHS_OF_A_PLATEAU:
        return False
    half = curve[len(curve) // 2 :]
    moved = max(half) - min(half)
    return moved < t.STANDSTILL_SHARE * possible and not material(half[0], half[-1], facts)


def _hint_of_the_slope(facts: Facts) -> list[Finding]:
    at, fall = ends(facts), late_fall(train_curve(facts)[0])
    return [
        Finding(
            "NOT_CONVERGED",
            "hint",
            f"The training loss still fell by {fall:.4g} in the last third of the epochs, "
            f"to {at.train:.4g}.",
            "Train longer: call fit again, or give it two to four times the epochs and "
            "lm.EarlyStopping.",
            {"train_loss": at.train, "late_fall": fall},
        )
    ]


def _level(trial: TrialFacts) -> float:
    """Return the loss that it shows to be possible: of new rows, if there are any."""
    return trial.val_loss if math.isfinite(trial.val_loss) else trial.train_loss


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"


RULES = (underfit, not_converged, plateau)
