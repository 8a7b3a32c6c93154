"""Where numbers stop being finite: which layer is the first to give NaN or infinity for some data.

(Of a training step that the engine refuses it says so by itself.)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from lamina.data import Dataset
from lamina.streaming import StreamData

__all__ = ["first_layer_not_finite"]

_ROWS = 1024  # at a time


def first_layer_not_finite(trainer: Any, data: Dataset | StreamData | None) -> str:
    """Return "layer dense_1 gives inf for row 17", in words, or nothing.

    Nothing, too, where the data cannot be read again, or are sparse.

    Parameters
    ----------
    trainer : Trainer
        Its model is asked, in inference.
    data : Dataset, StreamData or None
        What to look at.
    """
    if isinstance(data, StreamData):
        if data.stream.once:
            return ""
        with data.reader(16, most=_ROWS) as reader:
            return _search(trainer, ((w.data.inputs, w.first_row) for w in reader.epoch()))
    if data is None or not all(isinstance(x, np.ndarray) for x in data.inputs):
        return ""
    return _search(trainer, _parts(data), None if data.rows is None else data.rows)


def _parts(data: Dataset) -> Iterator[tuple[list[Any], int]]:
    """Yield the rows that count, some at a time, and how many came before them."""
    for begin in range(0, data.size, _ROWS):
        end = begin + _ROWS
        part = slice(begin, end) if data.rows is None else data.rows[begin:end]
        yield [x[part] for x in data.inputs], begin


def _search(
    trainer: Any, parts: Iterable[tuple[Sequence[Any], int]], rows: Sequence[int] | None = None
) -> str:
    """Look at what each layer gives; an earlier layer counts more than an earlier row."""
    names = [layer.name for layer in trainer.model.layers]
    found = ""
    for inputs, first in parts:
        for place, name in enumerate(names):
            bad = _first_bad(trainer, inputs, name)
            if bad is not None:
                row = first + bad[0]
                found = f"layer {name} gives {bad[1]} for row {row if rows is None else rows[row]}"
                names = names[:place]
                break
    return found


def _first_bad(trainer: Any, inputs: Sequence[Any], layer: str) -> tuple[int, float] | None:
    """Return the first row that a layer gives something for that is not finite, and that."""
    given = trainer.model._core.predict_layer(list(inputs), layer, None, trainer.num_threads)
    for values in given if isinstance(given, list) else [given]:
        places = np.argwhere(~np.isfinite(values))
        if len(places):
            return int(places[0][0]), float(values[tuple(places[0])])
    return None
