"""Streams as a trainer reads them: what fit and evaluate do window by window."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from lamina._isa import core
from lamina.budget import Budget
from lamina.data import Dataset, class_weights, dataset
from lamina.interrupts import uninterrupted
from lamina.sparse import dense_alone
from lamina.streams import Stream
from lamina.windows import Window, WindowReader, draw_windows, multiple_of

__all__ = [
    "ANEW",
    "RESUMED",
    "RESUMED_WITH_OTHER_DATA",
    "StreamData",
    "check_stream",
    "refuse_beside_stream",
    "signature",
    "training",
]

Train = Callable[..., Mapping[str, Any]]
# How a fit begins, as in the core.
ANEW, RESUMED, RESUMED_WITH_OTHER_DATA = range(3)
_OTHER_DATA = (
    "resume: these are other data than the fit began with: another number of rows, or other values "
    "in X, y or sample_weight. Give the same, or other_data=True to go on with these"
)


class StreamData:
    """A stream, and how its chunks become what a model takes.

    Parameters
    ----------
    stream : Stream
        What is read.
    ports : sequence of mapping
        The model's, of the core.
    outputs : mapping of str to bool
        As for ``lamina.data.as_targets``.
    class_weight : mapping of int to float, optional
        Multiplies the weights of the rows.
    """

    def __init__(
        self,
        stream: Stream,
        ports: Any,
        outputs: Mapping[str, bool],
        class_weight: Mapping[int, float] | str | None = None,
    ) -> None:
        if class_weight is not None and len(outputs) > 1:
            raise ValueError(
                f"class_weight: the model has several outputs, {list(outputs)}, which share the "
                "rows' weights; give those in the chunks"
            )
        if isinstance(class_weight, str):
            raise ValueError(
                f"class_weight: {class_weight!r} needs the number of rows of each class, which is "
                "not known of a stream before it is read; give the weights, {class: weight}"
            )
        self.stream = stream
        self._ports, self._outputs, self._class_weight = ports, outputs, class_weight
        self.mark = "stream"  # of its first rows, once they have been read

    @property
    def size(self) -> int | None:
        """Number of rows, if that is known."""
        return self.stream.rows

    def reader(self, multiple: int, orders: Any = (None,), most: int | None = None) -> WindowReader:
        """Return what reads it in windows of a multiple of so many rows, and at most `most`."""
        rows = min(self.stream.window_rows, most or self.stream.window_rows)
        whole = self.stream.rows is not None and rows >= self.stream.rows
        rows = -(-rows // multiple) * multiple if whole else multiple_of(multiple, rows)
        return WindowReader(self.stream, self._convert, rows, orders)

    def first_rows(self, count: int, *, weighted: bool = False) -> Dataset | None:
        """Return a few rows from the beginning, without their weights unless these are asked for.

        None if that would use them up.
        """
        if self.stream.once:
            return None
        with self.reader(16, most=count) as reader:
            few = next(reader.epoch()).data
            self.mark = f"stream of {self.size} rows, {signature(few):016x}"
            return few if weighted else few._replace(weights=None)

    def check_readings(self, count: int, what: str) -> None:
        """Refuse to read a generator more than once."""
        if self.stream.once and count > 1:
            raise ValueError(
                f"{what}: the stream must be read {count} times, and its source, "
                f"{type(self.stream.source).__name__}, can be read only once: give the function "
                "that makes it, lm.Stream(chunks) and not lm.Stream(chunks())"
            )

    def _convert(self, chunk: Any) -> Dataset:
        if not isinstance(chunk, (tuple, list)) or len(chunk) not in (2, 3):
            raise TypeError(
                f"expected (X, y) or (X, y, sample_weight), got {type(chunk).__name__}"
                + (f" of {len(chunk)}" if isinstance(chunk, (tuple, list)) else "")
            )
        if chunk[1] is None:
            raise ValueError("y is missing")
        data = dataset(chunk[0], chunk[1], self._ports, self._outputs, *chunk[2:])
        n = len(dense_alone(data.inputs)[0])
        parts = [*data.inputs, *data.targets, data.weights]
        lengths = [len(part) for part in parts if part is not None]
        if any(length != n for length in lengths):
            raise ValueError(f"X, y and sample_weight have {lengths} rows")
        if self._class_weight is None or n == 0 or data.targets[0] is None:
            return data
        return data._replace(
            weights=class_weights(data.targets[0], self._class_weight, data.weights)
        )


@contextlib.contextmanager
def training(
    trainer: Any,
    data: Dataset | StreamData,
    settings: tuple[Any, ...],
    begun: Callable[[], None],
    begin: int = ANEW,
    watch: bool = False,
) -> Iterator[Train]:
    """Begin a fit of the core, or go on with one; yield what trains an epoch up to its end.

    Parameters
    ----------
    trainer : Trainer
        Its core is told to begin, and to end: by whoever began, since a fit of another thread may
        have come first while a source was waited for.
    data : Dataset or StreamData
        What is trained on.
    settings : tuple
        What the core's begin_fit takes after the data: batch size, epochs, shuffle and the rest.
    begun : callable
        Called as soon as the core has begun, before any Ctrl-C.
    begin : {ANEW, RESUMED, RESUMED_WITH_OTHER_DATA}
        How.
    watch : bool, default False
        Whether an epoch's last full step is measured, layer by layer.
    """
    core = trainer._core
    if isinstance(data, Dataset):
        if begin == RESUMED:
            _check_signature(core, data, settings)
        with _core_fit(
            core, lambda: core.begin_fit(*data, *settings, begin=begin, watch=watch), begun
        ):
            yield lambda tick, on_batch, every, budget: core.run_window(
                tick, on_batch, every, budget.left
            )
        return
    batch_size, left, shuffle, *_ = settings
    next_epoch = trainer.epoch
    # A fit begins with a window, even if nothing but a measurement of its last epoch is left.
    epochs = range(next_epoch if left else next_epoch - 1, next_epoch + left)
    orders = (draw_windows(trainer.seed, epoch) if shuffle else None for epoch in epochs)
    with data.reader(max(1, batch_size), orders) as reader:
        windows = reader.epoch()
        number, rows, first = 0, 0, next(windows)
        if begin == RESUMED and core.cursor > 0:  # each epoch begins with another window
            _check_signature(core, first.data, settings)
            number, rows, first = _window_of(core.cursor, first, windows)
        where = {"first_row": first.first_row, "window": number, "window_begin": rows}
        rest = {"stream_rows": data.size or 0, "begin": begin, "watch": watch}
        waiting: Iterable[Window] = itertools.chain([first], windows)

        def train(tick: Any, on_batch: Any, every: int, budget: Budget) -> Mapping[str, Any]:
            nonlocal waiting
            result = _train_epoch(core, waiting, first, tick, on_batch, every, budget)
            waiting = reader.epoch()
            return result

        with _core_fit(
            core, lambda: core.begin_fit(*first.data, *settings, **where, **rest), begun
        ):
            yield train


@contextlib.contextmanager
def _core_fit(core: Any, begin: Callable[[], None], begun: Callable[[], None]) -> Iterator[None]:
    """Begin a fit of the core, and end it for certain if it has begun, whenever Ctrl-C comes."""
    has_begun = False
    try:
        with uninterrupted():
            begin()
            has_begun = True
            begun()
        yield
    finally:
        if has_begun:
            try:
                with uninterrupted():
                    core.end_fit()
            except BaseException:
                core.end_fit()  # Ctrl-C came before; a second time does nothing
                raise


def _check_signature(core: Any, data: Dataset, settings: tuple[Any, ...]) -> None:
    """Refuse data that are not those of the fit that is to be resumed."""
    batch_size, _, shuffle, *_ = settings
    if signature(data, batch_size, shuffle) != core.data_signature:
        raise ValueError(_OTHER_DATA)


def check_stream(trainer: Any, data: StreamData, batch_size: int, shuffle: bool) -> None:
    """Refuse another stream than that of a fit which is resumed between two epochs.

    The core's mark is that of the window which the last epoch began with, or the next one if that
    had begun. Inside an epoch :func:`training` looks at the window that is read anyway.
    """
    if trainer._core.cursor > 0 or data.stream.once:
        return
    for epoch in range(max(0, trainer.epoch - 1), trainer.epoch + 1):
        order = draw_windows(trainer.seed, epoch) if shuffle else None
        with data.reader(max(1, batch_size), (order,)) as reader:
            first = next(reader.epoch()).data
            if signature(first, batch_size, shuffle) == trainer._core.data_signature:
                return
    raise ValueError(_OTHER_DATA)


def _window_of(cursor: int, first: Window, windows: Iterator[Window]) -> tuple[int, int, Window]:
    """Pass over the windows of an epoch that have been trained on.

    Return the next one's number, the rows before it, and itself.
    """
    number, rows, window = 0, 0, first
    while cursor > 0 and cursor >= rows + len(window.data.inputs[0]):
        following = next(windows, None)
        if following is None:
            break  # all of them
        number, rows, window = number + 1, rows + len(window.data.inputs[0]), following
    return number, rows, window


def _train_epoch(
    core: Any,
    windows: Iterable[Window],
    begun: Window,
    tick: Any,
    on_batch: Any,
    every: int,
    budget: Budget,
) -> Mapping[str, Any]:
    """Train on the windows of an epoch; the fit has begun with the window `begun`."""
    result: Mapping[str, Any] = {}
    for window in windows:
        if result and (budget.is_over() or not tick(core.cursor)):
            return {"end": "stopped"}
        if window is not begun:
            core.next_window(*window.data[:3], window.first_row)
        result = core.run_window(tick, on_batch, every, budget.left)
        if result["end"] != "complete":
            break
    return result


def signature(data: Dataset, batch_size: int = 0, shuffle: bool = False) -> int:
    """Return a mark of such data: their shapes, and some of their values."""
    return int(core.signature(*data, batch_size, shuffle))


def refuse_beside_stream(y: Any, sample_weight: Any, validation_split: float = 0.0) -> None:
    """Refuse what a stream's chunks bring along, or cannot give.

    Raises
    ------
    ValueError
        If there is any of it.
    """
    for name, given in (("y", y), ("sample_weight", sample_weight)):
        if given is not None:
            raise ValueError(f"{name}: a stream brings its own, in chunks (X, y, sample_weight)")
    if validation_split:
        raise ValueError(
            "validation_split: the rows of a stream are not known before they are read; hold some "
            "back and give them as validation_data, arrays or a stream"
        )
