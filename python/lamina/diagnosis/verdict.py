"""The verdict: what the relation of training and validation loss tells, in two words."""

from __future__ import annotations

import math

from lamina.diagnosis import thresholds as t
from lamina.diagnosis.curves import (
    ahead,
    ends,
    explained,
    finite,
    gap_share,
    is_diverged,
    learnable,
    room,
    start,
    turn,
)
from lamina.diagnosis.facts import Facts
from lamina.diagnosis.rules.convergence import not_converged, still_falling
from lamina.diagnosis.rules.overfit import overfit

__all__ = ["verdict"]


def verdict(facts: Facts) -> tuple[str, str]:
    """Return one of "good fit", "underfitting", "overfitting", "undecided", and why.

    It is about the weights that one has at the end. If EarlyStopping brought the best ones back,
    a curve that had turned is no overfitting any more.

    Parameters
    ----------
    facts : Facts
        Losses of training and validation rows are enough; the best constant's loss and the
        doctor's trials make it surer.
    """
    at = ends(facts)
    if is_diverged(facts):
        return "undecided", "the training diverged: there is no result to judge."
    if at.train is None:
        return "undecided", "no epoch has been completed."
    if at.val is None:
        return "undecided", (
            f"no validation data: the training loss {at.train:.4g} alone cannot tell what the "
            "model does with new rows. Give validation_data or validation_split."
        )
    name, reason = _judge(facts, at.train, at.val)
    if not at.like:
        reason += (
            " (The training loss is the mean over the epoch, with dropout, while the weights "
            "moved; monitor=True measures it as the validation loss is measured.)"
        )
    return name, reason


def _judge(facts: Facts, train: float, val: float) -> tuple[str, str]:
    begin, numbers = start(facts), f"training loss {train:.4g}, validation loss {val:.4g}"
    if begin is None:
        return "undecided", f"nobody knows what these losses are to be compared with ({numbers})."
    over = next(iter(overfit(facts)), None)
    if over is not None and (over.level == "problem" or "gap_share" in over.evidence):
        return "overfitting", over.message
    gained = explained(facts, val)
    if (finite(facts.baseline_loss) and val >= begin) or (
        gained is not None and gained < t.HARDLY_EXPLAINED
    ):
        return _hardly_better(facts, train, val, begin)
    if ahead(facts, facts.trial("reference")) >= t.MATERIAL_SHARE:
        return "underfitting", f"a plain network gets much further than this ({numbers})."
    known = facts.trial("longer") is not None
    if (known and not_converged(facts)) or (not known and still_falling(facts)):
        return "underfitting", f"both losses were still falling at the end ({numbers})."
    if not known and len(facts.epoch) < t.FEWEST_EPOCHS_TO_JUDGE:
        return "undecided", (
            f"after {len(facts.epoch)} epochs nobody knows where the losses go ({numbers})."
        )
    if room(facts) is None:
        return "undecided", f"the loss has never fallen ({numbers})."
    return "good fit", _good(facts, numbers)


def _hardly_better(facts: Facts, train: float, val: float, begin: float) -> tuple[str, str]:
    best = f"one constant for all rows has a validation loss of {begin:.4g}, the model {val:.4g}"
    known = explained(facts, train, validation=False)
    possible = room(facts, validation=False)
    learnt = begin - train >= t.MATERIAL_SHARE * (possible or math.inf)
    if train < val and (learnt if known is None else known >= t.MATERIAL_SHARE):
        return "overfitting", (
            f"the model knows its training rows (loss {train:.4g}) and hardly any others: {best}."
        )
    if not learnable(facts):
        return "undecided", (
            f"{best}, and a plain network is no better: the columns may not tell what is asked for."
        )
    return "underfitting", f"the model has learnt hardly anything: {best}."


def _good(facts: Facts, numbers: str) -> str:
    where, gap = turn(facts), gap_share(facts)
    text = (
        f"new rows are predicted about as well as the training rows ({numbers})."
        if gap < t.GAP_SHARE
        else f"most of what was learnt holds for new rows ({numbers}); {gap:.0%} of it does not."
    )
    gained = explained(facts, ends(facts).val)
    if gained is not None:
        text += f" That is {gained:.0%} of the way from the best constant's loss to the least one."
        if gained < t.MUCH_EXPLAINED and facts.trial("reference") is None:
            text += " Whether more can be had, lm.doctor can tell: it trains a plain network."
    restored = any(one.level == "hint" and one.epoch is not None for one in overfit(facts))
    if where is not None and restored:
        text += f" The validation loss was lowest in epoch {where.epoch}."
    return text
