"""A training at rising learning rates, on a copy: the measurement behind the range test."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.data import Dataset
from lamina.estimating import copy_of
from lamina.optimizers import Optimizer
from lamina.schedules import Function
from lamina.streaming import training

__all__ = ["losses_at"]

_Floats = NDArray[np.float64]


def losses_at(
    trainer: Any,
    rates: _Floats,
    prepare: Callable[[Any], Dataset],
    settings: tuple[int, bool, bool],
    goes_on: Callable[[float], bool],
) -> _Floats:
    """Return the loss of each step of a training whose steps have these rates, one after another.

    A copy of the trainer is trained, with an optimizer that begins anew. The loss of a step is that
    of its batches before the step, in training mode; of several accumulated batches the mean.

    Parameters
    ----------
    trainer : Trainer
        Is left as it is.
    rates : ndarray
        Of the steps.
    prepare : callable
        Makes the data, given the copy.
    settings : tuple
        Batch size, shuffle, check_input.
    goes_on : callable
        Is told the loss of each step; False ends it.

    Returns
    -------
    ndarray
        As many as there were steps; the last may be NaN or infinite, after which nothing follows.
    """
    twin = copy_of(trainer, _at(trainer.optimizer, rates))
    data = prepare(twin)
    batch_size, shuffle, check_input = settings
    each = max(1, trainer.optimizer.gradient_accumulation_steps)
    batches = -(-data.size // batch_size)
    epochs = -(-len(rates) * each // batches)
    losses: list[float] = []
    open_step: list[float] = []

    def on_batch(logs: dict[str, float]) -> bool:
        open_step.append(logs["loss"])
        if len(open_step) < each:
            return True
        losses.append(math.fsum(open_step) / each if np.isfinite(open_step).all() else math.inf)
        open_step.clear()
        return goes_on(losses[-1]) and len(losses) < len(rates)

    how = (batch_size, epochs, shuffle, trainer.num_threads, check_input, *trainer._scheduling)
    with training(twin, data, how, lambda: None):
        for _ in range(epochs):
            end = twin._core.run_window(None, on_batch, 1, None)
            if end["end"] == "diverged":
                losses.append(math.inf)
            if end["end"] != "complete" or len(losses) == len(rates):
                break
            twin._core.finish_epoch()
    return np.array(losses[: len(rates)])


def _at(optimizer: Optimizer, rates: _Floats) -> Any:
    """Return a core optimizer like this one whose steps have these rates."""
    last = len(rates) - 1
    given = dict(optimizer.__dict__)
    twin = object.__new__(type(optimizer))
    twin.__dict__.update(given, _handle=None, _owner=None)
    rising = Function(lambda step: float(rates[min(int(step), last)]))
    object.__setattr__(twin, "learning_rate", rising)
    return twin.handle
