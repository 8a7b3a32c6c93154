"""Streams: training data that come in chunks, so that they may be larger than memory."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

from lamina.data import AnyArray, as_array
from lamina.sparse import is_sparse

__all__ = ["ArrayStream", "Chunks", "Order", "Stream", "as_stream", "is_stream"]

Order = Callable[[int], Sequence[int]]  # the order of so many windows in an epoch
Chunks = Iterator[tuple["int | None", Any]]  # the number of the first row, where it is known

_PIECE = 8 << 20  # bytes that ArrayStream hands on at a time


class Stream:
    """Training data in chunks (X, y) or (X, y, sample_weight), one after another.

    For data that do not fit into memory, or are made on the way. ``trainer.fit``,
    ``trainer.evaluate`` and ``model.predict`` take a stream where they take arrays, and
    `validation_data` may be one. Chunks may have any number of rows, from one to millions: they are
    copied into *windows* of `window_rows` rows, and only windows count, so that results do not
    depend on how the data are cut. While one window is trained on, a thread reads the next. Memory
    holds two windows and a chunk.

    **Rows are shuffled within a window only**, in another order each epoch, and windows are passed
    in the order in which they come. So data that are sorted (by class, by date, by customer) train
    badly: shuffle the file once, or take windows that hold much of it.

    Parameters
    ----------
    source : iterable, or function that returns one
        Gives the chunks of one epoch. It is asked again for each epoch, so a generator object,
        which can be read only once, does for one epoch alone; give the generator function instead.
        Chunks are tuples of what ``fit`` takes: arrays, DataFrames, tensors, dicts by input or
        output; for ``model.predict`` X alone, or tuples whose y is not looked at. It is read on
        another thread, and the next epoch's first chunks while the last of this one are trained on.
    window_rows : int, default 65536
        Rows of a window, at least 1; ``fit`` rounds it down to whole batches (one at least),
        ``evaluate`` and ``predict`` to whole multiples of 16. Two windows of c columns take
        ``2 * window_rows * c * 4`` bytes for float32.
    rows : int, optional
        How many rows an epoch has, if that is known: for schedules whose length comes from fit, and
        for the progress bar. An epoch of another number of rows is an error.

    Raises
    ------
    TypeError
        If `source` is neither iterable nor a function.

    Notes
    -----
    With ``shuffle=False`` the weights are those of ``fit(X, y, shuffle=False)`` on all rows as one
    array, bit for bit; with ``shuffle=True`` they are if one window holds all rows.

    A Keras generator or PyTorch ``DataLoader`` makes the batches; here the chunks' size does not
    matter, and `batch_size` of ``fit`` counts. There is no ``steps_per_epoch``: cut an endless
    generator with ``itertools.islice`` in the function.

    Columns keep their dtype in a window; if a later chunk has another one, the window takes that
    which holds both (int32 and float32: float64).

    Layers that adapt to data (Normalization, Impute, …) learn from the first window of the first
    epoch, unless ``model.adapt`` has been called.

    Examples
    --------
    >>> import numpy as np
    >>> import lamina as lm
    >>> def chunks():
    ...     for part in range(4):
    ...         x = np.random.default_rng(part).normal(size=(100, 2)).astype(np.float32)
    ...         yield x, x[:, 0] * x[:, 1]
    >>> model = lm.Model([lm.Input(2), lm.Dense(8, activation="tanh"), lm.Dense(1)], seed=0)
    >>> trainer = lm.Trainer(model, loss="mse")
    >>> history = trainer.fit(lm.Stream(chunks, window_rows=200), epochs=2, batch_size=20)
    >>> model.predict(lm.Stream(chunks)).shape
    (400, 1)
    """

    _names: ClassVar[str] = "source"

    def __init__(
        self,
        source: Iterable[Any] | Callable[[], Iterable[Any]],
        *,
        window_rows: int = 65536,
        rows: int | None = None,
    ) -> None:
        if not callable(source) and not hasattr(source, "__iter__"):
            raise TypeError(
                "Stream: expected an iterable of (X, y) chunks, or a function that returns one, "
                f"got {type(source).__name__}"
            )
        self.source = source
        self.window_rows = _count("window_rows", window_rows)
        self.rows = None if rows is None else _count("rows", rows)

    @property
    def once(self) -> bool:
        """Whether it can be read only once: the source is a generator or another iterator."""
        return not callable(self.source) and hasattr(self.source, "__next__")

    def chunks(self, window_rows: int, order: Order | None = None) -> Chunks:
        """Yield the chunks of one epoch, each with the number of its first row, if that is known.

        Parameters
        ----------
        window_rows : int
            Rows of the windows that they will be copied into.
        order : callable, optional
            Draws the order of so many windows. Default, and where a source has only one order: as
            they come.
        """
        made = self.source() if callable(self.source) else self.source
        for chunk in made:
            yield None, chunk

    def __repr__(self) -> str:
        """Return the call that makes such a stream."""
        rows = "" if self.rows is None else f", rows={self.rows}"
        return f"lm.{type(self).__name__}({self.source!r}, window_rows={self.window_rows}{rows})"


class ArrayStream(Stream):
    """Arrays read window by window: memory maps far larger than memory, at the disk's speed.

    ``fit(X, y)`` takes a memory map, too, and shuffles over all of its rows: for that it jumps to
    each row, which a disk does slowly once the file does not fit into memory. This stream reads
    windows of rows that lie one after another, in another order of windows each epoch, drawn from
    the seed, and shuffles within them. What has been read is given back to the operating system, so
    that the process does not grow.

    Parameters
    ----------
    X : array_like, or a dict or tuple of them
        As in ``fit``; whatever is sliced by rows.
    y : array_like, or a dict or tuple of them, optional
        As in ``fit``. Not needed for ``model.predict``.
    sample_weight : array_like, shape (n,), optional
        As in ``fit``.
    window_rows : int, default 65536
        See :class:`Stream`.

    Raises
    ------
    ValueError
        If the arrays have different numbers of rows.

    Examples
    --------
    >>> import numpy as np
    >>> import lamina as lm
    >>> X = np.random.default_rng(0).normal(size=(1000, 4)).astype(np.float32)  # or np.memmap(…)
    >>> stream = lm.ArrayStream(X, X.sum(axis=1), window_rows=256)
    >>> stream.rows
    1000
    >>> model = lm.Model([lm.Input(4), lm.Dense(1)], seed=0)
    >>> history = lm.Trainer(model, loss="mse").fit(stream, epochs=1, batch_size=32)
    """

    def __init__(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, window_rows: int = 65536
    ) -> None:
        given = [("X", X), ("y", y), ("sample_weight", sample_weight)]
        parts = [(name, _arrays(name, part)) for name, part in given if part is not None]
        leaves = [(name, one) for name, part in parts for one in _leaves(part)]
        for name, one in leaves:
            if len(one) != len(leaves[0][1]):
                raise ValueError(
                    f"ArrayStream: X has {len(leaves[0][1])} rows, {name} has {len(one)}"
                )
        self._y_and_weight = (y is not None, sample_weight is not None)
        self._parts = [part for _, part in parts]
        self._maps = _mappings([one for _, one in leaves])
        self._row_bytes = sum(one.nbytes for _, one in leaves) // max(1, len(leaves[0][1]))
        super().__init__([], window_rows=window_rows, rows=len(leaves[0][1]))

    @property
    def once(self) -> bool:
        """Never: arrays can be read again."""
        return False

    def chunks(self, window_rows: int, order: Order | None = None) -> Chunks:
        """Yield pieces of the windows, which come in the order drawn."""
        n = self.rows or 0
        starts: Sequence[int] = range(0, n, window_rows)
        if order is not None and len(starts) > 1:
            starts = [starts[place] for place in order(len(starts))]
        piece = max(16, _PIECE // max(1, self._row_bytes))
        for start in starts:
            end = min(n, start + window_rows)
            for first in range(start, end, piece):
                rows = slice(first, min(end, first + piece))
                parts = [_sliced(part, rows) for part in self._parts]
                if len(parts) == 1 and isinstance(parts[0], tuple):
                    parts.append(None)  # it would be taken for X and y
                yield first, tuple(parts) if len(parts) > 1 else parts[0]
                del parts
                for one in self._maps:
                    one.madvise(mmap.MADV_DONTNEED)

    def __repr__(self) -> str:
        """Say what it reads."""
        return f"<lm.ArrayStream of {self.rows} rows, window_rows={self.window_rows}>"


def is_stream(X: Any, y: Any) -> bool:
    """Say whether X is to be read as chunks: there is no y beside it."""
    return isinstance(X, Stream) or y is None


def as_stream(X: Any) -> Stream:
    """Return the stream that X is, or that an iterable or a function makes.

    Raises
    ------
    TypeError
        If X is rows, and their targets are missing.
    """
    if isinstance(X, Stream):
        return X
    rows = hasattr(X, "__array__") or hasattr(X, "__dlpack__") or is_sparse(X)
    rows = rows or isinstance(X, (dict, str, bytes))
    if rows or not (callable(X) or hasattr(X, "__iter__")):
        raise TypeError(
            "y is missing; without y, X must give chunks (X, y): a lm.Stream, an iterable or a "
            f"function that returns one, got {type(X).__name__}"
        )
    return Stream(X)


def _count(name: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"Stream: {name} must be a whole number of at least 1, got {value!r}")
    return int(value)


def _arrays(name: str, part: Any) -> Any:
    """Return a part with arrays for whatever its leaves are; memory maps stay as they are."""
    if isinstance(part, dict):
        return {key: as_array(f"{name}[{key!r}]", one) for key, one in part.items()}
    if isinstance(part, tuple) or (
        isinstance(part, list) and part and all(getattr(one, "ndim", 0) > 1 for one in part)
    ):
        return tuple(as_array(name, one) for one in part)
    return as_array(name, part)


def _leaves(part: Any) -> list[AnyArray]:
    if isinstance(part, dict):
        return list(part.values())
    return list(part) if isinstance(part, tuple) else [part]


def _sliced(part: Any, rows: slice) -> Any:
    if isinstance(part, dict):
        return {key: one[rows] for key, one in part.items()}
    return tuple(one[rows] for one in part) if isinstance(part, tuple) else part[rows]


def _mappings(arrays: Sequence[AnyArray]) -> list[mmap.mmap]:
    """Return the mapped files beneath arrays whose pages can be dropped and read again.

    Not those of copy-on-write, whose changes lie in the pages alone.
    """
    found: dict[int, mmap.mmap] = {}
    for one in arrays:
        base: Any = one
        shared = False
        while isinstance(base, np.ndarray):
            shared = shared or getattr(base, "mode", "c") in ("r", "r+", "w+")
            base = base.base
        if shared and isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            found[id(base)] = base
    return list(found.values())
