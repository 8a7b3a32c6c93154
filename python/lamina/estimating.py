"""How long a fit will take, and how much memory: from a short probe on copies."""

from __future__ import annotations

import copy
import dataclasses
import time
import types
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from lamina._isa import core
from lamina.budget import Budget
from lamina.callbacks.base import Callback, LambdaCallback, as_callbacks
from lamina.data import Dataset, at_least_1, class_weight_spec
from lamina.fitting import Fit, FitPlan
from lamina.history import History
from lamina.measuring import Measuring
from lamina.progress import Progress
from lamina.streaming import training
from lamina.streams import Stream, is_stream
from lamina.summary import size_text

__all__ = ["Estimate", "EstimatingTraining", "copy_of"]

_TRAINING = 0.3  # seconds of the probe, with measuring where that is short
_MEASURING = 0.05  # seconds of what is measured apart
_SLICE = 0.02  # seconds that are timed together
_WARM_UP = 0.4  # share of the training that says nothing about what follows
_MUCH = 64 << 20  # bytes of data beyond which the probe reads only so many of them
_MUCH_TO_LEARN = 4 << 20  # the same where layers learn from the data, which may be slow


@dataclasses.dataclass(frozen=True)
class Estimate:
    """What ``trainer.estimate`` says of a fit.

    Parameters
    ----------
    seconds : float
        Of the whole call.
    epoch_seconds : float
        Of an epoch, measuring included.
    epochs : int
        How many there are.
    megabytes : float
        What the fit holds beside the data: the sum of ``trainer.memory``.
    """

    seconds: float
    epoch_seconds: float
    epochs: int
    megabytes: float

    def __str__(self) -> str:
        """Return it as a person reads it."""
        each = f"{self.epochs} epochs of {_time_text(self.epoch_seconds)}"
        return (
            f"about {_time_text(self.seconds)} ({each}) and {size_text(1e6 * self.megabytes)} "
            "beside the data"
        )


class EstimatingTraining:
    """The part of a Trainer that says what a fit will cost."""

    def estimate(
        self,
        X: Any,
        y: Any = None,
        *,
        epochs: int = 20,
        batch_size: int = 128,
        validation_data: tuple[Any, ...] | None = None,
        validation_split: float = 0.0,
        shuffle: bool = True,
        sample_weight: ArrayLike | None = None,
        class_weight: Mapping[int, float] | str | None = None,
        callbacks: Sequence[Callback] | Callback | None = None,
        check_input: bool = True,
    ) -> Estimate:
        """Say how long :meth:`fit` with these arguments would take, and how much memory.

        A copy of the model is trained for about a third of a second, or for the whole fit if that
        is shorter, and the rest is calculated: checking the data, warming up, shuffling, steps, and
        measuring after each epoch. Model, trainer, optimizer and random numbers stay as they are; a
        loss or metric that is a Python function is called. On an idle machine the result is within
        some 20 per cent; other work on the machine during the fit makes that longer, and an
        EarlyStopping shorter.

        Parameters
        ----------
        X, y, sample_weight, class_weight, validation_data, validation_split
            As in :meth:`fit`, but no streams.
        epochs : int, default 20
            As in :meth:`fit`.
        batch_size : int, default 128
            As in :meth:`fit`.
        shuffle, check_input : bool, default True
            As in :meth:`fit`.
        callbacks : sequence of Callback or Callback, optional
            Whether one of them keeps the best weights counts in the memory. None is called.

        Returns
        -------
        Estimate
            ``seconds``, ``epoch_seconds`` and ``megabytes``; ``print`` shows them.

        Raises
        ------
        ValueError, TypeError
            As :meth:`fit`; and if a stream is given.

        Examples
        --------
        >>> import numpy as np
        >>> import lamina as lm
        >>> x = np.random.default_rng(0).normal(size=(500, 8))
        >>> model = lm.Model([lm.Input(8), lm.Dense(16, activation="relu"), lm.Dense(1)], seed=0)
        >>> trainer = lm.Trainer(model, loss="mse")
        >>> cost = trainer.estimate(x, x[:, 0], epochs=5)
        >>> cost.seconds > 0, trainer.epoch
        (True, 0)
        """
        if is_stream(X, y) or isinstance(validation_data, Stream):
            raise ValueError(
                "estimate: a stream says nothing of its rows before it is read; give some thousand "
                "of them as arrays, and multiply the seconds of an epoch"
            )
        plan = FitPlan(
            0,
            at_least_1("estimate: epochs", epochs),
            at_least_1("estimate: batch_size", batch_size),
            bool(shuffle),
            bool(check_input),
            float(validation_split),
            class_weight_spec(class_weight),
        )
        probe = copy_of(self)
        begin = time.perf_counter()
        data, held_out = probe._data(plan, (X, y, sample_weight), validation_data)
        for part in (held_out, data if probe.set_metrics_on_training else None):
            if part is not None:
                probe._measuring.check(part)
        how = {
            "batch_size": plan.batch_size,
            "rows": data.size,
            "validation_rows": 0 if held_out is None else held_out.size,
            "keeps_best": any(
                getattr(one, "restore_best_weights", False) for one in as_callbacks(callbacks)
            ),
            "shuffle": plan.shuffle,
        }
        prepared = time.perf_counter() - begin
        before = probe.memory(**how)
        seconds, each = _Probe(probe, plan, data, held_out).seconds()
        after = probe.memory(**how)  # with what products pack on the way
        size = sum(max(size, after.get(what, 0)) for what, size in before.items())
        return Estimate(prepared + seconds, each, plan.epochs, size / 1e6)


class _Quiet(Progress):
    """Shows nothing."""

    def __init__(self, epochs: int, rows: int) -> None:
        super().__init__(0, epochs, rows)

    def warn(self, text: str) -> None:
        """Say nothing: it is not the fit itself that diverges."""


class _Probe:
    """Some training, and what follows from it.

    Parameters
    ----------
    trainer : Trainer
        A copy, which is trained.
    plan : FitPlan
        Of the fit in question.
    data, held_out : Dataset
        Of the fit in question.
    """

    def __init__(
        self, trainer: Any, plan: FitPlan, data: Dataset, held_out: Dataset | None
    ) -> None:
        self._trainer, self._plan, self._data, self._held_out = trainer, plan, data, held_out
        learns = any(layer["waits"] for layer in trainer.model._core.layers())
        self._part = _first(data, _MUCH_TO_LEARN if learns else _MUCH)
        self._slices: list[tuple[int, float]] = []  # rows and seconds
        self._begins: list[float] = []  # of epochs
        self._ends: list[float] = []  # seconds of measuring

    def seconds(self) -> tuple[float, float]:
        """Return the seconds of the fit, and of one of its epochs."""
        plan, trainer, part = self._plan, self._trainer, self._part
        settings = (
            *(plan.batch_size, plan.epochs, plan.shuffle, trainer.num_threads, plan.check_input),
            *trainer._scheduling,
        )
        watch = LambdaCallback(
            on_epoch_begin=lambda epoch, logs: self._begins.append(time.perf_counter())
        )
        measured = trainer._measuring.rows(part, self._held_out)
        begin = time.perf_counter()
        with training(trainer, part, settings, lambda: None):
            begun = time.perf_counter()
            budget = Budget(_TRAINING)
            quiet = _Quiet(plan.epochs, part.size)
            Fit(trainer, plan, [watch], quiet, budget, measured).run(self._train, self._measure)
            end = time.perf_counter()
            whole = part is self._data
            if whole and plan.ended and trainer.epoch == plan.epochs:
                return end - begin, (end - begun) / plan.epochs
            epochs = np.diff(self._begins)
            if whole and len(epochs) >= 3:
                each = float(epochs[len(epochs) // 2 :].mean())
                left = plan.epochs - len(epochs)
                return self._begins[-1] - begin + left * each, each
            more = self._data.size / part.size
            rate, warm_up = self._rate()
            shuffling = self._shuffling(rate)
        each = self._data.size * rate + shuffling * more + self._measuring(rate)
        return (begun - begin) * more + warm_up + plan.epochs * each, each

    def _train(self, tick: Any, on_batch: Any, every: int, budget: Budget) -> Mapping[str, Any]:
        """Train, slice by slice."""
        engine = self._trainer._core
        while True:
            begin, before = time.perf_counter(), engine.cursor
            end: Mapping[str, Any] = engine.run_window(
                tick, on_batch, every, min(budget.left or 0.0, _SLICE)
            )
            if end["end"] != "diverged":
                self._slices.append((engine.cursor - before, time.perf_counter() - begin))
            if end["end"] != "stopped" or budget.is_over():
                return end

    def _measure(self, result: Mapping[str, Any]) -> tuple[dict[str, float], dict[str, Any]]:
        begin = time.perf_counter()
        logs = self._trainer._measuring.logs(result, self._part, self._held_out)
        self._ends.append(time.perf_counter() - begin)
        return dict(logs), {}

    def _rate(self) -> tuple[float, float]:
        """Return the seconds of a row, and what warming up took beyond that."""
        if not self._slices:
            raise ValueError(
                "estimate: the training diverges at once: the loss or a weight becomes non-finite; "
                "lower the learning rate"
            )
        rows, seconds = np.array(self._slices).T
        warm = np.cumsum(seconds) <= _WARM_UP * seconds.sum()
        warm[-1] = False
        # Not the mean: the engine tries all threads often at first, and ever more seldom.
        rate = np.median(seconds[~warm] / rows[~warm])
        return float(rate), max(0.0, float(seconds.sum() - rate * rows.sum()))

    def _shuffling(self, rate: float) -> float:
        """Return what the beginning and the end of an epoch take, from another one's first step."""
        engine = self._trainer._core
        begin = time.perf_counter()
        if engine.cursor > 0:
            engine.finish_epoch()
        if engine.run_window(None, None, 0, 0.0)["end"] == "diverged":
            return 0.0
        seconds = time.perf_counter() - begin
        return max(0.0, seconds - rate * int(engine.cursor))

    def _measuring(self, rate: float) -> float:
        """Return what measuring after an epoch takes."""
        measuring = self._trainer._measuring
        whole = self._part is self._data
        if self._ends and (whole or not measuring.rows(self._data, None)):
            return self._ends[-1]
        seconds = 0.0
        also = self._data if measuring.rows(self._data, None) else None
        for data in (self._held_out, also):
            if data is None:
                continue
            count = max(256, int(_MEASURING / (rate / 3)))
            some = data if count >= data.size else _rows(data, count)
            measuring(some)  # takes its memory
            begin = time.perf_counter()
            measuring(some)
            seconds += (time.perf_counter() - begin) * data.size / some.size
        return seconds


def copy_of(trainer: Any, handle: Any = None) -> Any:
    """Return a trainer of a model with the same weights that shares nothing that changes.

    Its optimizer begins anew; with a `handle` that is a core optimizer of the caller's.
    """
    model = object.__new__(type(trainer.model))  # not by its file: layers may follow functions
    model.__dict__.update(trainer.model.__dict__)
    model._core = core.Model(trainer.model._core.spec, trainer.model._functions)
    for one in trainer.model._core.tensors():
        model._core.view(one["name"])[...] = trainer.model._core.view(one["name"])
    for layer in trainer.model._core.layers():
        if not layer["waits"]:
            model._core.note_data_seen(str(layer["name"]))
    twin = copy.copy(trainer)
    if handle is None:
        functions: list[Any] = []  # of schedules
        handle = core.Optimizer(trainer.optimizer._core_spec(functions), functions)
    losses, metrics, weights = trainer._heads.for_core
    twin._core = core.Trainer(model._core, handle, losses, metrics, weights, trainer.seed)
    twin.model, twin.optimizer = model, types.SimpleNamespace(handle=handle)
    twin._measuring = Measuring(twin, trainer._heads)
    twin.history = History(trainer.seed)
    twin._plan, twin._hooks = None, []
    return twin


def _first(data: Dataset, most: int) -> Dataset:
    """Return all of it, or as many of the first rows as take so many bytes."""
    size = sum(_bytes(one) for one in data.inputs) * data.size // max(1, data.all_rows)
    return data if size <= most else _rows(data, max(1, data.size * most // size))


def _rows(data: Dataset, count: int) -> Dataset:
    rows = range(data.size) if data.rows is None else data.rows
    return data._replace(rows=list(rows[:count]))


def _bytes(one: Any) -> int:
    """Return the size of an array, or of the arrays of a sparse matrix."""
    parts = one if isinstance(one, tuple) else [one]
    return sum(int(part.nbytes) for part in parts if isinstance(part, np.ndarray))


def _time_text(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.2g} s" if seconds >= 0.01 else f"{1000 * seconds:.2g} ms"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
