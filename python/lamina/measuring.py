"""What a trainer measures: the values of an epoch, of validation data, of an evaluation."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina._isa import core
from lamina.data import Dataset
from lamina.finding import first_layer_not_finite
from lamina.heads import Heads, Measured
from lamina.network import flat_specs
from lamina.progress import RowsBar
from lamina.streaming import StreamData
from lamina.watching import layer_values, measure_sample

__all__ = ["Measuring"]

LayerValues = dict[str, dict[str, float]]


class Measuring:
    """Measures for one trainer.

    Parameters
    ----------
    trainer : Trainer
        Its core, threads and ``set_metrics_on_training`` are asked for at each call.
    heads : Heads
        Its losses and metrics by output.
    """

    def __init__(self, trainer: Any, heads: Heads) -> None:
        self._trainer = trainer
        self._heads = heads
        self._held_out: Dataset | StreamData | None = None  # of the fit that runs

    @contextlib.contextmanager
    def of(
        self,
        data: Dataset | StreamData,
        held_out: Dataset | StreamData | None,
        watched: Callable[[], Dataset | None] | None = None,
    ) -> Iterator[Callable[[Mapping[str, Any]], tuple[dict[str, float], LayerValues]]]:
        """Yield what makes the logs of an epoch of a fit to such data; see :meth:`logs`.

        Of a monitored fit it also returns what is known of each layer; `watched` gives the rows
        that are looked at then, if there are any.
        """
        self._held_out = held_out

        def measure(result: Mapping[str, Any]) -> tuple[dict[str, float], LayerValues]:
            if watched is None:
                return self.logs(result, data, held_out), {}
            layers: LayerValues = {}
            rows, loss = watched(), math.nan
            if rows is not None:
                loss, layers = measure_sample(self._trainer, rows)
            logs = self.logs(result, data, held_out, loss)
            return logs, layer_values(layers, result["layers"])

        try:
            yield measure
        finally:
            self._held_out = None

    def first_not_finite(self) -> str:
        """Say which layer is the first to give NaN or infinity on the validation data of the fit.

        Empty if none does, or if the data cannot be read again.
        """
        return first_layer_not_finite(self._trainer, self._held_out)

    def __call__(
        self, data: Dataset | StreamData, batch_size: int = 256, bar: RowsBar | None = None
    ) -> dict[str, float]:
        """Return loss and all metrics in one pass over the data."""
        if isinstance(data, StreamData):
            return self._stream(data, batch_size, bar)
        sets = self._heads.sets
        trainer = self._trainer
        means, predictions = trainer._core.evaluate(
            *data, batch_size, trainer.num_threads, sets, show=bar and bar.show
        )
        if not any(sets):
            return dict(means)
        return self._heads.all_values(means, *self._measured(data, predictions))

    def _stream(self, data: StreamData, batch_size: int, bar: RowsBar | None) -> dict[str, float]:
        """Return the same of a stream, of which a window is in memory at a time."""
        sets, trainer, running = self._heads.sets, self._trainer, core.Sums()
        kept: list[tuple[Dataset, Sequence[NDArray[Any] | None]]] = []
        with data.reader(16) as reader:
            for window in reader.epoch():
                predictions = trainer._core.evaluate(
                    *window.data,
                    batch_size,
                    trainer.num_threads,
                    sets,
                    running=running,
                    first_row=window.first_row,
                    show=bar and bar.show,
                )[1]
                if bar is not None:
                    bar.window_done(window.data.size)
                if any(sets):
                    kept.append((_without_inputs(window.data), predictions))
        if running.weight <= 0:
            raise ValueError("sample_weight: all weights are 0")
        means = trainer._core.means(running)
        if not any(sets):
            return dict(means)
        targets = [_joined([one.targets[h] for one, _ in kept]) for h in range(len(sets))]
        weights = _joined([one.weights for one, _ in kept])
        joined = [_joined([p[h] for _, p in kept]) for h in range(len(sets))]
        return self._heads.all_values(means, *self._measured(Dataset([], targets, weights), joined))

    def check(self, data: Dataset | StreamData) -> None:
        """Refuse data that a set metric cannot take, before anything is trained on."""
        if not self._heads.any_sets:
            return
        if isinstance(data, StreamData):
            some_rows = data.first_rows(256)
            if some_rows is None:
                return  # they could not be read again
            few = some_rows
        else:
            rows = range(data.size) if data.rows is None else data.rows
            few = data._replace(weights=None, rows=list(rows[:256]))
        trainer = self._trainer
        some = trainer._core.evaluate(
            *few, 256, trainer.num_threads, self._heads.sets, looking=True
        )[1]
        self._heads.check(*self._measured(data=few, predictions=some))

    def logs(
        self,
        result: Mapping[str, Any],
        data: Dataset | StreamData,
        held_out: Dataset | StreamData | None,
        train_loss_eval: float | None = None,
    ) -> dict[str, float]:
        """Return the logs of an epoch: the core's result, and what is measured now."""
        logs: dict[str, float] = dict(result["means"])
        if self._sets_on_training():
            logs = {**self(data), **logs}
        if self._penalized():
            logs["penalty"] = result["penalty"]
        if train_loss_eval is not None:
            logs["train_loss_eval"] = train_loss_eval
        if held_out is not None:
            logs.update({f"val_{name}": value for name, value in self(held_out).items()})
        return logs

    def rows(self, data: Dataset | StreamData, held_out: Dataset | StreamData | None) -> int:
        """Return how many rows are predicted after each epoch, as far as anybody knows."""
        measured = [held_out, data if self._sets_on_training() else None]
        return sum(one.size or 0 for one in measured if one is not None)

    def keys(self, *, validated: bool, monitored: bool = False) -> list[str]:
        """Return the keys that the logs of a fit will have."""
        names = self._heads.keys(sets=self._sets_on_training())
        keys = [*names, *(["penalty"] if self._penalized() else [])]
        keys += ["train_loss_eval"] if monitored else []
        measured = self._heads.keys(sets=True) if validated else []
        return keys + [f"val_{name}" for name in measured]

    def _measured(
        self, data: Dataset, predictions: Sequence[NDArray[Any] | None]
    ) -> tuple[list[Measured | None], NDArray[Any] | None]:
        """Return what set metrics need, by output, and the weights, of the rows that count."""
        rows = slice(None) if data.rows is None else np.asarray(data.rows)
        weights = None if data.weights is None else data.weights[rows].reshape(-1)
        measured: list[Measured | None] = []
        heads = self._trainer._core.heads()
        for head, target, p in zip(heads, data.targets, predictions, strict=True):
            if p is None or target is None:
                measured.append(None)
                continue
            y = target[rows]
            if y.size == len(y):  # (n, 1), or class numbers (n,)
                y = y.reshape(-1, 1) if p.shape[1] == 1 else y.reshape(-1)
            measured.append(Measured(y, p, head["multilabel"]))
        return measured, weights

    def _sets_on_training(self) -> bool:
        return bool(self._trainer.set_metrics_on_training) and self._heads.any_sets

    def _penalized(self) -> bool:
        return any(
            one.get("kernel_regularizer")
            or one.get("bias_regularizer")
            or one.get("activity_regularizer")
            or (one["class"] == "ActivityRegularization" and one["l1"] + one["l2"] > 0)
            for one in flat_specs(json.loads(self._trainer.model._core.spec)["layers"])
        )


def _joined(parts: Sequence[NDArray[Any] | None]) -> NDArray[Any] | None:
    """Return parts of a column one after another."""
    given = [part for part in parts if part is not None]
    return np.concatenate(given) if given else None


def _without_inputs(data: Dataset) -> Dataset:
    """Return copies of targets and weights, whose memory is soon used again."""
    targets = [None if one is None else one.copy() for one in data.targets]
    return Dataset([], targets, None if data.weights is None else data.weights.copy())
