"""Windows: a stream's chunks copied into windows of equal size, read on a thread of their own."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np

from lamina.data import AnyArray, Dataset
from lamina.progress import RowsBar
from lamina.sparse import dense_alone
from lamina.streams import Order, Stream

__all__ = ["Window", "WindowReader", "draw_windows", "multiple_of", "predict_windows"]

_END = object()  # of an epoch
_LOOK = 0.1  # seconds between looks for signals
_JOIN = 0.5  # seconds that an interrupted caller waits for a source that does not answer


class Window(NamedTuple):
    """Rows of a stream that are trained on together."""

    data: Dataset
    first_row: int  # its number in the stream
    buffer: _Buffer


class _Failure(NamedTuple):
    error: BaseException


class _StopError(Exception):
    """The caller wants no more."""


class _Buffer:
    """The arrays that a window lies in, filled one chunk after another."""

    def __init__(self, rows: int) -> None:
        self.rows, self.filled, self.first_row = rows, 0, 0
        self._arrays: list[AnyArray | None] = []
        self._inputs = 0

    def begin(self, first_row: int) -> None:
        self.filled, self.first_row = 0, first_row

    def take(self, data: Dataset, at: int) -> int:
        """Copy rows of a chunk from `at` on; return how many fitted."""
        given = [*data.inputs, *data.targets, data.weights]
        if not self._arrays:
            self._inputs = len(data.inputs)
            self._arrays = [self._room(one) for one in given]
        count = min(self.rows - self.filled, len(data.inputs[0]) - at)
        for place, (mine, one) in enumerate(zip(self._arrays, given, strict=True)):
            if (mine is None) != (one is None):
                raise ValueError("all chunks must have sample_weight and the same targets, or none")
            if mine is None or one is None:
                continue
            if one[:1].size != mine[:1].size and len(one):  # (n,) and (n, 1) are alike
                raise ValueError(
                    f"{self._name(place)} has rows of shape {one.shape[1:]}, in the chunks before "
                    f"{mine.shape[1:]}"
                )
            dtype = np.promote_types(mine.dtype, one.dtype)
            if dtype != mine.dtype:
                self._arrays[place] = mine = self._wider(mine, dtype)
            part = one[at : at + count]
            mine[self.filled : self.filled + count] = part.reshape(count, *mine.shape[1:])
        self.filled += count
        return count

    def _room(self, one: AnyArray | None) -> AnyArray | None:
        """Return room for such rows, in this machine's byte order."""
        if one is None:
            return None
        return np.empty((self.rows, *one.shape[1:]), np.promote_types(one.dtype, one.dtype))

    def _wider(self, mine: AnyArray, dtype: np.dtype[Any]) -> AnyArray:
        """Return what is there with room for another dtype."""
        wider: AnyArray = np.empty(mine.shape, dtype)
        wider[: self.filled] = mine[: self.filled]
        return wider

    def _name(self, place: int) -> str:
        if place < self._inputs:
            return "X"
        return "sample_weight" if place == len(self._arrays) - 1 else "y"

    def window(self) -> Window:
        n = self.filled
        filled = [None if one is None else one[:n] for one in self._arrays]
        inputs = [one for one in filled[: self._inputs] if one is not None]
        data = Dataset(inputs, filled[self._inputs : -1], filled[-1])
        return Window(data, self.first_row, self)


class WindowReader:
    """Reads epochs of a stream on a thread, into two windows in turns.

    A context: the thread runs inside it. It ends with it, or as soon as the source answers.

    Parameters
    ----------
    stream : Stream
        What is read.
    convert : callable
        Makes a Dataset of a chunk.
    window_rows : int
        Rows of a window.
    orders : iterable of Order or None
        Of the windows of each epoch that is to be read.
    """

    def __init__(
        self,
        stream: Stream,
        convert: Callable[[Any], Dataset],
        window_rows: int,
        orders: Iterable[Order | None] = (None,),
    ) -> None:
        self._stream, self._convert, self._orders = stream, convert, orders
        self._rows = window_rows
        least = window_rows if stream.rows is None else min(window_rows, stream.rows)
        self._free: queue.SimpleQueue[_Buffer | None] = queue.SimpleQueue()
        self._full: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(2):
            self._free.put(_Buffer(least))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lamina stream", daemon=True)

    def __enter__(self) -> WindowReader:
        """Begin to read."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Tell the thread to end; wait for it, but not for a source that hangs."""
        self._stop.set()
        self._free.put(None)
        self._thread.join(_JOIN)

    def epoch(self) -> Iterator[Window]:
        """Yield the windows of the next epoch; each is valid until the next one is asked for."""
        while True:
            item = self._wait()
            if item is _END:
                return
            if isinstance(item, _Failure):
                raise item.error
            yield item
            self._free.put(item.buffer)

    def _wait(self) -> Any:
        """Return what comes next; a signal is seen in the meantime, on every system."""
        while True:
            with contextlib.suppress(queue.Empty):
                return self._full.get(timeout=_LOOK)

    def _run(self) -> None:
        try:
            for order in self._orders:
                chunks = self._stream.chunks(self._rows, order)
                try:
                    for window in self._windows(chunks):
                        self._full.put(window)
                finally:
                    close = getattr(chunks, "close", None)
                    if close is not None:
                        close()
                self._full.put(_END)
        except _StopError:
            return
        except BaseException as error:
            self._full.put(_Failure(error))

    def _windows(self, chunks: Iterator[tuple[int | None, Any]]) -> Iterator[Window]:
        """Yield the windows of one epoch, the last with the rows that are left."""
        buffer: _Buffer | None = None
        row = 0
        for number, (first_row, data) in enumerate(self._converted(chunks)):
            first = row if first_row is None else first_row
            n, at = len(data.inputs[0]), 0
            if buffer is not None and buffer.first_row + buffer.filled != first:
                yield buffer.window()  # what follows lies elsewhere
                buffer = None
            while at < n:
                buffer = buffer or self._next_free(first + at)
                at += _in_chunk(number, buffer.take, data, at)
                if buffer.filled == buffer.rows:
                    yield buffer.window()
                    buffer = None
            row += n
        if buffer is not None:
            yield buffer.window()
        self._check_rows(row)

    def _converted(
        self, chunks: Iterator[tuple[int | None, Any]]
    ) -> Iterator[tuple[int | None, Dataset]]:
        number = 0
        while True:
            if self._stop.is_set():
                raise _StopError
            try:
                first_row, chunk = next(chunks)
            except StopIteration:
                return
            except Exception as error:
                if hasattr(error, "add_note"):  # from Python 3.11 on
                    error.add_note(f"raised by the source of the stream for its chunk {number}")
                raise
            yield first_row, _in_chunk(number, self._convert, chunk)
            number += 1

    def _next_free(self, first_row: int) -> _Buffer:
        buffer = self._free.get()
        if buffer is None or self._stop.is_set():
            raise _StopError
        buffer.begin(first_row)
        return buffer

    def _check_rows(self, row: int) -> None:
        if row == 0:
            raise ValueError(
                "the stream gave no rows; if its source is a generator, or a function that returns "
                "the same one each time, it can be read only once: give the generator function"
            )
        if self._stream.rows is not None and row != self._stream.rows:
            raise ValueError(f"the stream gave {row} rows; rows={self._stream.rows} was said")


def _in_chunk(number: int, do: Callable[..., Any], *given: Any) -> Any:
    """Do it; errors say in which chunk."""
    try:
        return do(*given)
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"chunk {number}: {error}") from error


def draw_windows(seed: int, epoch: int) -> Order:
    """Return what draws the order of an epoch's windows; it depends on seed and epoch alone."""

    def draw(count: int) -> Sequence[int]:
        keys = np.random.Philox(key=[seed, (epoch << 8) | 5]).random_raw(count)  # stream 5
        order: list[int] = np.argsort(keys, kind="stable").tolist()
        return order

    return draw


def multiple_of(unit: int, rows: int) -> int:
    """Return the largest multiple of `unit` up to `rows`, but at least one."""
    return max(1, rows // unit) * unit


def predict_windows(
    stream: Stream,
    inputs: Callable[[Any], list[AnyArray]],
    predict: Callable[[list[AnyArray]], Any],
    bar: RowsBar,
) -> Any:
    """Return the predictions for all rows of a stream: an array, or a list of them.

    Parameters
    ----------
    stream : Stream
        Of chunks X, or of tuples whose first is X; several inputs alone come as a dict.
    inputs : callable
        Makes arrays of X.
    predict : callable
        Makes an array or a list of them of those.
    bar : RowsBar
        Is told of each window that is done.
    """

    def convert(chunk: Any) -> Dataset:
        pair = isinstance(chunk, tuple) or (
            isinstance(chunk, list) and chunk and hasattr(chunk[0], "__array__")
        )
        x = dense_alone(inputs(chunk[0] if pair and len(chunk) in (2, 3) else chunk))
        if len({len(one) for one in x}) > 1:
            raise ValueError(f"the inputs have {[len(one) for one in x]} rows")
        return Dataset(x, [])

    out: list[AnyArray] = []
    parts: list[list[AnyArray]] = []
    several, row = False, 0
    with WindowReader(stream, convert, multiple_of(16, stream.window_rows)) as reader:
        for window in reader.epoch():
            result = predict(window.data.inputs)
            several = isinstance(result, list)
            found: list[AnyArray] = result if several else [result]
            bar.window_done(len(found[0]))
            if stream.rows is None:
                parts.append(found)
                continue
            out = out or [np.empty((stream.rows, *one.shape[1:]), one.dtype) for one in found]
            for place, one in zip(out, found, strict=True):
                room = place[row : row + len(one)]
                room[:] = one[: len(room)]  # too many rows: the reader complains
            row += len(found[0])
    if stream.rows is None:
        out = [np.concatenate(ones) for ones in zip(*parts, strict=True)]
    return out if several else out[0]
