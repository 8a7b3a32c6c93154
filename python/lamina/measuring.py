"""What a trainer measures: the values of an epoch, of validation data, of an evaluation."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.data import Dataset
from lamina.heads import Heads, Measured
from lamina.network import flat_specs

__all__ = ["Measuring"]


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

    def __call__(self, data: Dataset, batch_size: int = 256) -> dict[str, float]:
        """Return loss and all metrics in one pass over the data."""
        sets = self._heads.sets
        trainer = self._trainer
        means, predictions = trainer._core.evaluate(*data, batch_size, trainer.num_threads, sets)
        if not any(sets):
            return dict(means)
        return self._heads.all_values(means, *self._measured(data, predictions))

    def check(self, data: Dataset) -> None:
        """Refuse data that a set metric cannot take, before anything is trained on."""
        if not self._heads.any_sets:
            return
        rows = range(data.size) if data.rows is None else data.rows
        few = data._replace(weights=None, rows=list(rows[:256]))
        trainer = self._trainer
        some = trainer._core.evaluate(
            *few, 256, trainer.num_threads, self._heads.sets, looking=True
        )[1]
        self._heads.check(*self._measured(data=few, predictions=some))

    def logs(
        self, result: Mapping[str, Any], data: Dataset, held_out: Dataset | None
    ) -> dict[str, float]:
        """Return the logs of an epoch: the core's result, and what is measured now."""
        logs: dict[str, float] = dict(result["means"])
        if self._sets_on_training():
            logs = {**self(data), **logs}
        if self._penalized():
            logs["penalty"] = result["penalty"]
        if held_out is not None:
            logs.update({f"val_{name}": value for name, value in self(held_out).items()})
        return logs

    def keys(self, *, validated: bool) -> list[str]:
        """Return the keys that the logs of a fit will have."""
        names = self._heads.keys(sets=self._sets_on_training())
        keys = [*names, *(["penalty"] if self._penalized() else [])]
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
