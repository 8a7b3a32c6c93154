"""What the rules ask of the curves: ends, gains, turns and noise.

All of it is a difference of losses, or a share of one difference in another: a loss in other units
gives the same, and one with another zero (a Gaussian's, which may be negative) as well.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import statistics
from collections.abc import Sequence
from typing import TypeGuard

from lamina.diagnosis import thresholds as t
from lamina.diagnosis.facts import Facts, TrialFacts

__all__ = [
    "Ends",
    "Turn",
    "ahead",
    "ends",
    "explained",
    "falls_short",
    "finite",
    "gap_share",
    "is_diverged",
    "judged",
    "judged_loss",
    "known",
    "late_fall",
    "learnable",
    "loss_of",
    "material",
    "missing",
    "room",
    "start",
    "steps",
    "swing",
    "train_curve",
    "train_start",
    "turn",
    "worth_it",
]


@dataclasses.dataclass(frozen=True)
class Ends:
    """Losses of the weights that the training ended with.

    Parameters
    ----------
    train, val : float or None
        None if nobody has measured it.
    like : bool
        Whether both were measured alike, in inference mode after the epoch. If not, `train` is
        the running loss: with dropout, while the weights moved.
    """

    train: float | None
    val: float | None
    like: bool


@dataclasses.dataclass(frozen=True)
class Turn:
    """Where the validation loss was lowest, and how far it has come up since.

    Parameters
    ----------
    epoch : int
        Its number.
    best : float
        The loss there (the median of three epochs).
    fell : bool
        Whether the loss of the training rows was lower at the end of the curve than there.
    rise : float
        How much higher the curve ends.
    jitter : float
        How far the curve jumps from an epoch to the next, beside its trend.
    """

    epoch: int
    best: float
    fell: bool
    rise: float
    jitter: float


def finite(value: float | None) -> TypeGuard[float]:
    """Tell whether it is a number at all."""
    return value is not None and math.isfinite(value)


def known(values: Sequence[float]) -> list[float]:
    """Return the values that were measured."""
    return [value for value in values if math.isfinite(value)]


def judged_loss(facts: Facts) -> float:
    """Return the loss at the end that counts: of validation rows, if there are any."""
    final = facts.final_val_loss if facts.final_val_loss is not None else facts.final_train_loss
    return math.nan if final is None else final


def loss_of(trial: TrialFacts) -> float:
    """Return the loss that counts of a trial: of validation rows, if there are any."""
    return trial.train_loss if math.isnan(trial.val_loss) else trial.val_loss


def train_curve(facts: Facts) -> tuple[list[float], bool]:
    """Return the loss of the training rows by epoch, and whether it is in inference mode."""
    if known(facts.train_loss_eval):
        return facts.train_loss_eval, True
    return facts.loss, False


def ends(facts: Facts) -> Ends:
    """Return the losses at the end: of the final weights if they were measured, else the last."""
    if finite(facts.final_train_loss):
        val = facts.final_val_loss if finite(facts.final_val_loss) else None
        return Ends(facts.final_train_loss, val, True)
    curve, like = train_curve(facts)
    last_train, last_val = known(curve[-1:]), known(facts.val_loss[-1:])
    return Ends(last_train[0] if last_train else None, last_val[0] if last_val else None, like)


def start(facts: Facts) -> float | None:
    """Return the loss that gains are counted from: the best constant's, else the first epoch's.

    The first epoch's is the largest that is known of it: the running loss is the earliest.
    """
    if finite(facts.baseline_loss):
        return facts.baseline_loss
    curves = (facts.loss, facts.train_loss_eval, facts.val_loss)
    return max(known([curve[0] for curve in curves if curve]), default=None)


def train_start(facts: Facts) -> float | None:
    """Return the same for losses of training rows."""
    return facts.baseline_train_loss if finite(facts.baseline_train_loss) else start(facts)


def room(facts: Facts, *, validation: bool = True) -> float | None:
    """Return the gain that is possible, as far as anybody knows: from `start` to the best loss.

    The best is the lowest that any weights reached, in this training or in a trial of the doctor,
    on validation rows (without any: on training rows) or on training rows. None if nothing got
    below the start.
    """
    begin = start(facts)
    lowest = _lowest(facts, validation=validation)
    lowest = _lowest(facts, validation=False) if lowest is None else lowest
    if begin is None or lowest is None or lowest >= begin:
        return None
    return begin - lowest


def judged(losses: Ends | TrialFacts) -> float | None:
    """Return the loss that tells how good weights are: of validation rows, if there are any."""
    if isinstance(losses, Ends):
        return losses.train if losses.val is None else losses.val
    return losses.train_loss if math.isnan(losses.val_loss) else losses.val_loss


def ahead(facts: Facts, trial: TrialFacts | None) -> float:
    """Return by which share of the possible gain a trial is better than the training's end.

    On validation rows, or on training rows if that is less: what helps new rows alone is no better
    training. 0 without the trial, or if nothing is possible at all.
    """
    at = ends(facts)
    if trial is None or at.train is None or not math.isfinite(trial.train_loss):
        return 0.0
    shares = [_share(at.train - trial.train_loss, room(facts, validation=False))]
    if at.val is not None:
        shares.append(_share(at.val - trial.val_loss, room(facts)))
    return min(shares)


def missing(facts: Facts, trial: TrialFacts | None = None) -> float:
    """Return which share of the possible gain the end of the training misses, or a trial's."""
    at = judged(ends(facts) if trial is None else trial)
    begin, possible = start(facts), room(facts)
    if at is None or begin is None or possible is None:
        return 0.0
    return _share(at - (begin - possible), possible)


def worth_it(facts: Facts, trial: TrialFacts | None) -> bool:
    """Tell whether what a trial has gained is worth speaking of.

    A good share of the possible gain; or less of it but a large share of what was missing, where
    chance has a small part in the loss.
    """
    gained = ahead(facts, trial)
    closes = gained >= t.SHARE_OF_WHAT_IS_LEFT * missing(facts)
    small = gained >= t.SMALL_SHARE and closes and _little_chance(facts)
    return gained >= t.MATERIAL_SHARE or small


def _little_chance(facts: Facts) -> bool:
    """Tell whether new rows can be predicted well: then small differences are no chance."""
    possible, on_train = room(facts), room(facts, validation=False)
    if possible is None or on_train is None:
        return False
    begin, least = facts.baseline_loss, facts.least_loss
    whole = begin - least if finite(begin) and finite(least) else on_train
    return possible >= t.MUCH_EXPLAINED * whole


def material(before: float | None, after: float | None, facts: Facts) -> bool:
    """Tell whether a judged loss of `after` instead of `before` is worth speaking of.

    A good share of the possible gain, or less of it but a large share of what was missing.
    """
    possible, begin = room(facts), start(facts)
    if before is None or not finite(after) or possible is None or begin is None:
        return before == math.inf and finite(after)
    gained, left = before - after, before - (begin - possible)
    if gained >= t.MATERIAL_SHARE * possible:
        return True
    small = gained >= t.SMALL_SHARE * possible and gained >= t.SHARE_OF_WHAT_IS_LEFT * left
    return small and _little_chance(facts)


def learnable(facts: Facts) -> bool:
    """Tell whether the plain network is better than the best constant; without one: True."""
    plain, begin = facts.trial("reference"), start(facts)
    if plain is None or begin is None:
        return True
    reached = judged(plain)
    return finite(reached) and reached < begin


def falls_short(facts: Facts, share: float) -> bool:
    """Tell whether the plain network is ahead by this share.

    Without one nobody knows, but a model that explains much cannot be far behind.
    """
    plain = facts.trial("reference")
    at, possible = judged(ends(facts)), room(facts)
    if plain is None or at is None:
        gained = explained(facts, at)
        return gained is None or gained < t.MUCH_EXPLAINED
    other = judged(plain)
    return other is not None and math.isfinite(other) and _share(at - other, possible) >= share


def _share(difference: float, possible: float | None) -> float:
    if possible is None or math.isnan(difference):
        return 0.0
    return difference / possible


def is_diverged(facts: Facts) -> bool:
    """Tell whether the loss or the weights stopped being numbers."""
    reason = facts.stop_reason or ""
    return reason.startswith("diverged") or any(map(_is_not_a_number, facts.loss[-1:]))


def explained(facts: Facts, loss: float | None, *, validation: bool = True) -> float | None:
    """Return how much of the way from the best constant's loss to the least one a loss has gone.

    Of squared errors it is the share of the variance that is explained. None if either is unknown.
    On training rows it is counted from the best constant of these: other rows, another variance.
    """
    begin, least = facts.baseline_loss if validation else train_start(facts), facts.least_loss
    if not finite(facts.baseline_loss) or not finite(begin) or not finite(least):
        return None
    return None if not finite(loss) or begin <= least else (begin - loss) / (begin - least)


def gap_share(facts: Facts) -> float:
    """Return which share of what was learnt of the training rows does not hold for new ones."""
    at, begin = ends(facts), start(facts)
    if at.train is None or at.val is None or begin is None:
        return 0.0
    on_train, on_new = explained(facts, at.train, validation=False), explained(facts, at.val)
    if on_train is not None and on_new is not None:
        return (on_train - on_new) / on_train if on_train > 0 else 0.0
    return (at.val - at.train) / (begin - at.train) if at.train < begin else 0.0


def turn(facts: Facts) -> Turn | None:
    """Return the lowest point of the validation loss; None with too few epochs."""
    places = [place for place, value in enumerate(facts.val_loss) if math.isfinite(value)]
    if len(places) < t.FEWEST_EPOCHS_TO_TURN:
        return None
    values = [facts.val_loss[place] for place in places]
    smooth = _medians_of_three(values)
    best = smooth.index(min(smooth))
    curve, _ = train_curve(facts)
    there, end = curve[places[best] : places[best] + 1], curve[-1:]
    return Turn(
        epoch=facts.epoch[places[best]] if places[best] < len(facts.epoch) else places[best],
        best=smooth[best],
        fell=not (known(there) and known(end)) or end[0] <= there[0],
        rise=min(values[-1], statistics.median(values[-3:])) - smooth[best],
        jitter=_jitter(values),
    )


def swing(values: Sequence[float]) -> float:
    """Return how much a curve goes up and down again in an epoch, on average of its second half.

    The smaller of all ups and all downs: a curve that falls, or one that rises, has none.
    """
    numbers = known(values)
    late = numbers[len(numbers) // 2 :]
    steps = [after - before for before, after in itertools.pairwise(late)]
    ups, downs = (sum(max(0.0, sign * step) for step in steps) for sign in (1, -1))
    return min(ups, downs) / max(1, len(steps))


def steps(facts: Facts) -> float:
    """Return how many steps the training made; infinite if nobody knows."""
    batch = facts.about.get("batch_size")
    if facts.data is None or not batch:
        return math.inf
    return float(len(facts.epoch) * math.ceil(facts.data.rows / batch))


def late_fall(values: Sequence[float]) -> float | None:
    """Return how far a curve came down in the last third of its epochs."""
    numbers = known(values)
    if len(numbers) < 2:
        return None
    third = max(1, len(numbers) // 3)
    return numbers[-1 - third] - numbers[-1]


def _is_not_a_number(value: float) -> bool:
    return not math.isfinite(value)


def _lowest(facts: Facts, *, validation: bool) -> float | None:
    if validation:
        values = [*facts.val_loss, *(one.val_loss for one in facts.trials)]
        final = facts.final_val_loss
    else:
        values = [*train_curve(facts)[0], *(one.train_loss for one in facts.trials)]
        final = facts.final_train_loss
    return min(known([*values, *([] if final is None else [final])]), default=None)


def _medians_of_three(values: Sequence[float]) -> list[float]:
    padded = [values[0], *values, values[-1]]
    return [statistics.median(padded[place : place + 3]) for place in range(len(values))]


def _jitter(values: Sequence[float]) -> float:
    """Return the median distance of a value from the mean of its neighbours."""
    triples = zip(values, values[1:], values[2:], strict=False)
    middle = [abs(here - (before + after) / 2) for before, here, after in triples]
    return statistics.median(middle) if middle else 0.0
