"""OVERFIT: what is learnt of the training rows is no longer true of new rows."""

from __future__ import annotations

from lamina.diagnosis import thresholds as t
from lamina.diagnosis.curves import (
    Ends,
    Turn,
    ends,
    explained,
    finite,
    gap_share,
    learnable,
    start,
    train_start,
    turn,
)
from lamina.diagnosis.facts import Facts
from lamina.diagnosis.findings import Finding

__all__ = ["RULES", "overfit"]


def overfit(facts: Facts) -> list[Finding]:
    """OVERFIT, from the validation curve's turn and from the gap at the end.

    A gap alone is no fault: every network knows its training rows better, the fewer they are the
    more. The fault is a turn: from some epoch on the loss of new rows rose while that of the
    training rows still fell. It is a problem if the weights that one ends with have lost a good
    part of what was gained; with the best weights restored they have not. Without a turn it is a
    problem if the training rows are known by heart. If half of what was learnt of them is not true
    of others it is a hint: of few rows, or where much is chance, nobody may learn more.
    """
    at, begin, where = ends(facts), start(facts), turn(facts)
    own = train_start(facts)
    if at.train is None or at.val is None or begin is None or own is None or own <= at.train:
        return []
    if gap_share(facts) < t.GAP_SHARE or _knows_nothing(facts, at):
        return []
    if where is None or not _has_turned(where):
        return _gap(facts, at)
    held = _lost(where, at, begin, held=True)
    enough = t.LOST_SHARE if finite(facts.baseline_loss) else t.LOST_SHARE_WITHOUT_BASELINE
    opened = held >= t.LOST_SHARE_HINT and _opened(where, at)
    if held >= enough or opened:
        return [_finding("problem", where, at, held)]
    gap = _gap(facts, at)
    if gap:
        return gap
    if held >= t.LOST_SHARE_HINT:
        return [_finding("hint", where, at, held)]
    if _lost(where, at, begin, held=False) >= t.LOST_SHARE:
        return [_restored(where, at)]
    return []


def _knows_nothing(facts: Facts, at: Ends) -> bool:
    """Tell whether next to nothing was learnt of the training rows either."""
    known = explained(facts, at.train, validation=False)
    return known is not None and known < t.MATERIAL_SHARE


def _has_turned(where: Turn) -> bool:
    """Tell whether the curve rose out of its noise while the training rows' loss fell."""
    return where.fell and where.rise > t.RISE_OVER_JITTER * where.jitter


def _lost(where: Turn, at: Ends, begin: float, *, held: bool) -> float:
    """Return which share of the gain on new rows was lost since the turn.

    `held`: by the weights one has at the end, which may be the restored ones; else by the curve.
    If new rows never gained much, it is counted in shares of a tenth of the training rows' gain.
    """
    assert at.val is not None
    assert at.train is not None
    rise = min(where.rise, at.val - where.best) if held else where.rise
    gained = max(begin - where.best, t.GAP_SHARE * (begin - at.train))
    return rise / gained


def _opened(where: Turn, at: Ends) -> bool:
    """Tell whether the gap between the losses has grown much since the turn."""
    assert at.val is not None
    assert at.train is not None
    rise = min(where.rise, at.val - where.best)
    return rise >= t.OPENED_SHARE * (where.best - at.train)


def _finding(level: str, where: Turn, at: Ends, lost: float) -> Finding:
    return Finding(
        "OVERFIT",
        level,
        f"Overfitting since epoch {where.epoch}: the validation loss rose from {where.best:.4g} "
        f"to {at.val:.4g}, while the training loss fell to {at.train:.4g}. "
        f"{'All' if lost >= 1 else f'{lost:.0%}'} of the gain on new rows is lost.",
        "Stop at the best epoch and keep its weights: callbacks=[lm.EarlyStopping()].",
        {
            "best_val_loss": where.best,
            "val_loss": at.val,
            "train_loss": at.train,
            "lost_share": lost,
        },
        epoch=where.epoch,
    )


def _restored(where: Turn, at: Ends) -> Finding:
    return Finding(
        "OVERFIT",
        "hint",
        f"The validation loss rose after epoch {where.epoch}, but the weights are those of a good "
        f"epoch (validation loss {at.val:.4g}).",
        "Nothing has to be done: these weights can be used.",
        {"best_val_loss": where.best, "val_loss": at.val, "train_loss": at.train},
        epoch=where.epoch,
    )


def _gap(facts: Facts, at: Ends) -> list[Finding]:
    assert at.val is not None
    assert at.train is not None
    share, least = gap_share(facts), facts.least_loss
    by_heart = finite(least) and at.train - least < t.BY_HEART * (at.val - least)
    wide = t.WIDE_GAP_SHARE <= share <= 1 - t.LOST_SHARE and learnable(facts)
    if not wide and not by_heart:
        return []
    what = f"{share:.0%} of what was learnt of the training rows does not hold for new rows"
    if by_heart:
        what = f"the training rows are known by heart, and {what}"
    return [
        Finding(
            "OVERFIT",
            "problem" if by_heart else "hint",
            f"{what[0].upper()}{what[1:]}: training loss {at.train:.4g}, validation loss "
            f"{at.val:.4g}.",
            "Train on more rows, if there are any: that helps most.",
            {"val_loss": at.val, "train_loss": at.train, "gap_share": share},
        )
    ]


RULES = (overfit,)
