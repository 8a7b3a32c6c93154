"""Trials: small trainings on copies, which turn a suspicion into evidence."""

from __future__ import annotations

import copy
import dataclasses
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from lamina._config import arguments
from lamina._isa import core
from lamina.data import Dataset
from lamina.diagnosis import TrialFacts
from lamina.examination.visit import MEASURED_ROWS, Visit, as_given, taken
from lamina.model import Model
from lamina.schedules import Constant
from lamina.trainer import Trainer

__all__ = ["TooLargeError", "Trials", "again", "continued", "copied", "measured_rows"]

_FLOPS = 4e10  # that a second of the doctor's time stands for, whatever the machine
_BACKWARD = 3  # a row that is trained on costs so many predictions
_ROW_VISITS = 100_000  # at most, of a trial
_STEPS = 4000  # at most
_EPOCHS = 100  # at most
_FEWEST = 5  # epochs, before rows are left out
_POINTS = 10  # measurements after the first
_SHARE = 8  # the trials that a visit makes, about

Measure = Callable[[Any, Dataset], float]


@dataclasses.dataclass
class Trials:
    """Makes the trials of a visit, each of a number of steps that depends on no clock.

    Parameters
    ----------
    visit : Visit
        The network and the rows.
    time_budget : float
        Seconds for all of them, about, which the work of each is derived from.
    """

    visit: Visit
    time_budget: float

    def size(self, trainer: Any, epochs: int, batch_size: int) -> tuple[int, int, int]:
        """Return how many rows and epochs a trial of a network may have, and how many points.

        Raises
        ------
        TooLargeError
            If they are too few to tell anything.
        """
        visit = self.visit
        visits = row_visits(trainer, self.time_budget)
        held_out = 0 if visit.held_out is None else visit.held_out.size
        point = (visit.seen.size + held_out) / _BACKWARD
        points = int(min(_POINTS, max(visits / 3 / point, 2)))
        visits = min(visits - (points + 1) * point, _ROW_VISITS, _STEPS * batch_size)
        available = visit.train.size
        rows = min(available, max(int(visits) // _FEWEST, min(available, 500)))
        most = int(visits) // rows
        if most < 2:
            raise TooLargeError("the network is too large for this time_budget")
        return rows, min(epochs, most, _EPOCHS), points

    def run(
        self,
        name: str,
        trainer: Any,
        epochs: int,
        train: Dataset | None = None,
        *,
        batch_size: int | None = None,
        patience: int = _POINTS,
        finer: int = 1,
        measure: Measure | None = None,
    ) -> TrialFacts:
        """Train a copy, and measure how it goes.

        Parameters
        ----------
        name : str
            Of the trial.
        trainer : Trainer
            The copy.
        epochs : int
            At most.
        train : Dataset, optional
            Other rows than the visit's.
        batch_size : int, optional
            Another one than the fit's.
        patience, finer : int
            It ends after so many points without a better one; it has so many times the usual.
        measure : callable, optional
            Returns a trainer's loss on rows.
        """
        visit = self.visit
        batch_size = visit.batch_size if batch_size is None else batch_size
        rows, epochs, points = self.size(trainer, epochs, batch_size)
        data = _first(visit.train if train is None else train, rows)
        facts = TrialFacts(name, 0, math.inf, math.nan, rows=rows)
        facts.learning_rate = float(trainer.optimizer.current_learning_rate)
        if any(one["waits"] for one in trainer.model._core.layers()):
            trainer.model.adapt(as_given(trainer, data)[0])
        _measure(facts, trainer, visit, measure or visit.loss)
        for end in np.unique(np.linspace(0, epochs, min(finer * points, epochs) + 1).astype(int))[
            1:
        ]:
            facts.diverged = not _fitted(trainer, data, int(end) - facts.epochs, batch_size)
            if facts.diverged:
                break
            facts.epochs = int(end)
            _measure(facts, trainer, visit, measure or visit.loss)
            judged = facts.val_losses or facts.train_losses
            if len(judged) - 1 - int(np.argmin(judged)) >= patience:
                break
        facts.steps = facts.epochs * -(-rows // batch_size)
        _conclude(facts)
        return facts


def row_visits(trainer: Any, time_budget: float) -> float:
    """Return how many rows a network may be trained on for in one trial."""
    flops = _BACKWARD * sum(int(one["flops"]) for one in trainer.model._core.operations())
    return time_budget / _SHARE * _FLOPS / max(flops, 1)


def measured_rows(trainer: Any, time_budget: float) -> int:
    """Return how many rows are worth measuring on, beside what the trials may take."""
    visits = row_visits(trainer, time_budget) if time_budget else math.inf
    return int(max(1000, min(visits / 4, MEASURED_ROWS)))


def _measure(facts: TrialFacts, trainer: Any, visit: Visit, measure: Measure) -> None:
    """Add a point to the curves."""
    facts.train_losses.append(measure(trainer, visit.seen))
    if visit.held_out is not None:
        facts.val_losses.append(measure(trainer, visit.held_out))


class TooLargeError(Exception):
    """A trial would take too long."""


def _conclude(facts: TrialFacts) -> None:
    """Find the best epoch; a trial that diverged has none."""
    if facts.diverged:
        facts.train_loss = facts.val_loss = math.inf
        return
    judged = facts.val_losses or facts.train_losses
    best = 1 + int(np.argmin(judged[1:]))
    facts.train_loss = facts.train_losses[best]
    facts.val_loss = facts.val_losses[best] if facts.val_losses else math.nan


def _fitted(trainer: Any, data: Dataset, epochs: int, batch_size: int) -> bool:
    """Train; say whether all numbers stayed finite."""
    X, y = as_given(trainer, data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        history = trainer.fit(
            *(X, y),
            epochs=epochs,
            batch_size=batch_size,
            sample_weight=data.weights,
            verbose=0,
            check_input=False,
        )
    return len(history) == epochs


def _first(data: Dataset, rows: int) -> Dataset:
    return data if rows >= data.size else taken(data, np.arange(rows))


# ---- copies -------------------------------------------------------------------------------------


def continued(trainer: Any, factor: float) -> Any:
    """Return a copy that goes on where a trainer stands, at so many times its usual rate.

    With a constant rate it has the optimizer's state; with a schedule, whose end has been reached,
    it begins anew with the weights.
    """
    rate = usual_rate(trainer)
    if not _constant(trainer.optimizer.learning_rate):
        return _copy(trainer, copy.deepcopy(trainer.model), rate * factor)
    made = copied(trainer)
    made._core.load_state(trainer._core.state())
    made.optimizer.handle.rate_scale *= rate * factor / made.optimizer.current_learning_rate
    return made


def copied(trainer: Any) -> Any:
    """Return a copy of a trainer and its model, with a new optimizer."""
    return _copy(trainer, copy.deepcopy(trainer.model), None)


def again(trainer: Any, factor: float = 1.0) -> Any:
    """Return a copy that begins with the first weights, at so many times the usual rate."""
    return _copy(trainer, untrained(trainer.model), usual_rate(trainer) * factor)


def untrained(model: Any) -> Any:
    """Return a copy with its first weights; what training left alone is as it is."""
    made = Model.__new__(Model)
    made._adopt(core.Model(model._core.spec))
    for one in model._core.tensors():
        if not one["trainable"] and not _moving(model, one):
            made._core.view(one["name"])[...] = model._core.view(one["name"])
    for one in model._core.layers():
        if one["waits"] is False and one["class"] in {"Normalization", "RobustScale", "Impute"}:
            made._core.note_data_seen(one["name"])
    return made


def _moving(model: Any, tensor: Any) -> bool:
    """Say whether a tensor is a moving average of training."""
    return "/moving_" in tensor["name"]


def usual_rate(trainer: Any) -> float:
    """Return the learning rate that most epochs had."""
    rates = trainer.history.learning_rate
    rates = rates[np.isfinite(rates) & (rates > 0)]
    return float(np.median(rates)) if len(rates) else float(trainer.optimizer.current_learning_rate)


def copy_of_optimizer(optimizer: Any, rate: float | None) -> Any:
    """Return an optimizer with the same arguments but, if one is given, a constant rate."""
    if rate is None:
        return copy.deepcopy(optimizer)
    given = {name: getattr(optimizer, name) for name in arguments(type(optimizer))}
    return type(optimizer)(**{**given, "learning_rate": rate})


def _constant(rate: Any) -> bool:
    return isinstance(rate, (int, float, Constant))


def _copy(trainer: Any, model: Any, rate: float | None) -> Any:
    return Trainer(
        model,
        loss=trainer.loss,
        optimizer=copy_of_optimizer(trainer.optimizer, rate),
        loss_weights=trainer.loss_weights,
        seed=trainer.seed,
        num_threads=trainer.num_threads,
    )
