"""What a fit watches beside the losses: a sample of the rows that it trains on, layer by layer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from lamina.data import Dataset
from lamina.history_record import LAYER_STATISTICS
from lamina.streaming import StreamData

__all__ = [
    "draw_rows",
    "drawn",
    "layer_values",
    "measure_sample",
    "observe",
    "sample",
    "sample_rows",
]

_FEW = 512  # rows that are always worth a look
_SHARE = 64  # else one row in so many: a look at it costs nearly half of training on it


def sample_rows(rows: int | None) -> int:
    """Return how many of so many rows a monitored fit looks at after each epoch."""
    return _FEW if rows is None else min(rows, max(_FEW, rows // _SHARE))


def draw_rows(rows: int, count: int, seed: int) -> list[int]:
    """Return `count` of so many places, in order, or all of them; they depend on nothing else.

    One is drawn from each of `count` stretches of the same length: so a sample of sorted rows is as
    mixed as they are.
    """
    if count >= rows:
        return list(range(rows))
    edges = np.arange(count + 1, dtype=np.int64) * rows // count
    random = np.random.Philox(key=[seed, 5]).random_raw(count)  # stream 5 is the sample's
    drawn: list[int] = (
        edges[:-1] + (random % np.diff(edges).astype(np.uint64)).astype(int)
    ).tolist()
    return drawn


def drawn(data: Dataset, count: int, seed: int) -> Dataset:
    """Return so many of the rows that count, as they lie; all of them if there are fewer."""
    rows = np.arange(data.all_rows) if data.rows is None else np.asarray(data.rows)
    if data.weights is not None:
        rows = rows[data.weights[rows].ravel() > 0]
    if data.rows is None and count >= len(rows) == data.all_rows:
        return data
    return data._replace(rows=rows[draw_rows(len(rows), count, seed)].tolist())


def sample(data: Dataset | StreamData, count: int, seed: int) -> Dataset | None:
    """Return some of the rows of a data set, or the first ones of a stream.

    They are copies if that is possible, so that nothing reads far-off memory again; of a stream
    that can be read only once there are none.
    """
    if isinstance(data, StreamData):
        first = data.first_rows(count, weighted=True)
        if first is None or first.weights is None or (first.weights > 0).all():
            return first
        some = drawn(first, count, seed)
        return some if some.rows else None
    some = drawn(data, count, seed)
    if some.rows is None or not all(isinstance(one, np.ndarray) for one in data.inputs):
        return some
    return Dataset(
        [one[some.rows] for one in data.inputs],
        [None if one is None else one[some.rows] for one in data.targets],
        None if data.weights is None else data.weights[some.rows],
    )


def measure_sample(
    trainer: Any, data: Dataset, layers: bool = True
) -> tuple[float, dict[str, dict[str, float]]]:
    """Return the loss over such rows in inference mode, and what the layers' outputs are like."""
    means, statistics = trainer._core.observe(*data, trainer.num_threads, layers)
    return float(means["loss"]), statistics


def layer_values(
    *measured: Mapping[str, Mapping[str, float]],
) -> dict[str, dict[str, float]]:
    """Return all statistics of each layer, NaN where nobody has measured one."""
    names = dict.fromkeys(name for one in measured for name in one)
    values = {}
    for name in names:
        of_layer = dict.fromkeys(LAYER_STATISTICS, math.nan)
        for one in measured:
            of_layer.update(one.get(name, {}))
        if of_layer["weight_norm"] > 0:
            of_layer["update_ratio"] = of_layer["update_norm"] / of_layer["weight_norm"]
        values[name] = of_layer
    return values


def observe(
    trainer: Any, X: Any, y: Any, sample_weight: Any = None
) -> tuple[float, dict[str, dict[str, float]]]:
    """Return the loss over these rows in inference mode, and what the layers' outputs are like.

    Parameters
    ----------
    trainer : Trainer
        With the model as it is now.
    X, y, sample_weight
        As for ``trainer.evaluate``; no stream.

    Returns
    -------
    float
        The loss.
    dict of dict
        By layer: mean, spread, dead and saturated, as in ``History.layers``.
    """
    data = trainer._dataset(X, y, sample_weight)
    trainer._core.check(*data, trainer.num_threads)
    return measure_sample(trainer, data)
