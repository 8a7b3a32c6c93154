"""Streams of Arrow batches and Parquet files, by name of column; pyarrow is imported when used."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from lamina.data import AnyArray
from lamina.streams import Chunks, Order, Stream

__all__ = ["ArrowStream", "ParquetStream"]

Room = dict[str, AnyArray]  # for arrays that are filled again and again, by what they are
Named = dict[str, Any]  # the columns of a batch
Columns = str | Sequence[str] | Mapping[str, "str | Sequence[str]"]

_BLOCK = 4096  # rows of a batch that are turned at a time, so that they stay in the cache
_DECODED = 1 << 21  # numbers that pyarrow decodes at a time


class ArrowStream(Stream):
    """Arrow record batches or tables as a stream, with columns picked by name.

    Parameters
    ----------
    source : iterable, function that returns one, table, or an object with ``to_batches``
        Gives record batches, tables, or whatever speaks Arrow's PyCapsule protocol (polars
        DataFrames, …). A table or ``pyarrow.dataset.Dataset`` is read batch by batch, as often as
        needed; a ``RecordBatchReader`` only once.
    target : str, sequence of str, or mapping of str to either, optional
        Column y, columns of y (n, k), or those of each output by its name. Not needed for
        ``model.predict``.
    columns : sequence of str, or mapping of str to sequence of str, optional
        Columns of X in order, or those of each input by its name. Default: all but target and
        weight.
    weight : str, optional
        Column of the rows' weights.
    window_rows : int, default 65536
        See :class:`Stream`.
    rows : int, optional
        See :class:`Stream`. Known for a Table.
    dtype : "float32" or "float64", optional
        Of X in the windows. Default: the columns' common dtype, by NumPy's rules, so float32 for
        float32 columns and float64 where there is a double, or a wide integer beside a float. A
        model in float32 gets the same bits from "float32", which halves the windows of doubles.

    Raises
    ------
    ImportError
        Without pyarrow: ``pip install "lamina[parquet]"``.

    Notes
    -----
    Numbers and booleans are taken, decimals as float64; a null becomes NaN, which is refused unless
    an :class:`~lamina.Impute` layer comes first. For text and dates see
    :class:`~lamina.TableModel`.

    Examples
    --------
    >>> import lamina as lm
    >>> import pyarrow as pa  # doctest: +SKIP
    >>> table = pa.table({"a": [0.0, 1.0], "b": [1.0, 3.0], "y": [1, 0]})  # doctest: +SKIP
    >>> stream = lm.ArrowStream(table, target="y")  # doctest: +SKIP
    """

    def __init__(
        self,
        source: Any,
        *,
        target: Columns | None = None,
        columns: Sequence[str] | Mapping[str, Sequence[str]] | None = None,
        weight: str | None = None,
        window_rows: int = 65536,
        rows: int | None = None,
        dtype: str | None = None,
    ) -> None:
        _pyarrow()
        if dtype not in (None, "float32", "float64"):
            raise ValueError(f"{type(self).__name__}: dtype must be 'float32' or 'float64'")
        if isinstance(columns, str):
            raise TypeError(f"{type(self).__name__}: columns must be a list, got {columns!r}")
        if _speaks_arrow(source) and not hasattr(source, "__next__"):
            source = _pyarrow().table(source)  # one frame, not an iterable of them
        super().__init__(
            getattr(source, "to_batches", source),
            window_rows=window_rows,
            rows=rows or getattr(source, "num_rows", None),
        )
        self.target, self.columns, self.weight, self.dtype = target, columns, weight, dtype

    def chunks(self, window_rows: int, order: Order | None = None) -> Chunks:
        """Yield the batches of one epoch as arrays."""
        room: Room = {}
        names: list[str] = []
        for _, table in super().chunks(window_rows, order):
            for batch in _batches(table):
                columns = dict(zip(batch.schema.names, batch.columns, strict=True))
                if len(columns) < len(batch.schema.names):
                    raise ValueError(f"columns of the same name: {batch.schema.names}")
                names = names or list(columns)
                self._check_alike(list(columns), names)
                yield None, self._chunk(columns, self._inputs(names), room)

    def _check_alike(self, names: Sequence[str], first: Sequence[str]) -> None:
        """Refuse other columns than the first batch or file has, if all of them are X."""
        if self.columns is None and set(names) != set(first):
            raise ValueError(f"expected the columns {list(first)} as before, got {list(names)}")

    def _chunk(self, batch: Named, inputs: Columns, room: Room) -> Any:
        """Return X, (X, y) or (X, y, weight) of a batch, valid until the next is asked for."""
        x = _picked(batch, inputs, self.dtype, room, "X")
        if self.target is None:
            return x
        y = _picked(batch, self.target, None, room, "y")
        if self.weight is None:
            return x, y
        return x, y, _numbers(batch, self.weight)

    def _inputs(self, names: Sequence[str]) -> Columns:
        if self.columns is not None:
            return self.columns
        others = {*_names(self.target), *_names(self.weight)}
        return [name for name in names if name not in others]

    def _needed(self, names: Sequence[str]) -> list[str]:
        """Return the columns that are read at all."""
        needed = [*_names(self._inputs(names)), *_names(self.target), *_names(self.weight)]
        return list(dict.fromkeys(needed))


class ParquetStream(ArrowStream):
    """Parquet files larger than memory, read batch by batch.

    Only the columns needed are read, and decoded on the reading thread while the engine trains. How
    many rows there are is known from the files' metadata. Beside the two windows, memory holds a
    batch of some million numbers and read buffers of the columns.

    Parameters
    ----------
    paths : path, or sequence of them
        Files of the same columns, read in this order.
    target, columns, weight, window_rows, dtype
        See :class:`ArrowStream`.

    Raises
    ------
    ImportError
        Without pyarrow: ``pip install "lamina[parquet]"``.
    ValueError
        If a file lacks a column.
    OSError
        If a file cannot be read.

    Notes
    -----
    Rows are shuffled within a window only, and files are read in their order: see :class:`Stream`.
    """

    def __init__(
        self,
        paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        *,
        target: Columns | None = None,
        columns: Sequence[str] | Mapping[str, Sequence[str]] | None = None,
        weight: str | None = None,
        window_rows: int = 65536,
        dtype: str | None = None,
    ) -> None:
        self.paths = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
        if not self.paths:
            raise ValueError("ParquetStream: there are no files")
        super().__init__(
            self._read,
            target=target,
            columns=columns,
            weight=weight,
            window_rows=window_rows,
            dtype=dtype,
        )
        self.rows = 0
        first: list[str] = []
        for path in self.paths:
            with self._open(path) as file:
                self.rows += file.metadata.num_rows
                names = file.schema_arrow.names
                first = first or names
                missing = [name for name in self._needed(first) if name not in names]
                if missing:
                    raise ValueError(f"{os.fspath(path)}: no column {missing}; it has {names}")
                self._check_alike(names, first)

    def _open(self, path: str | os.PathLike[str]) -> Any:
        # By default all of a file's column chunks would be held from the first batch on.
        return _pyarrow("pyarrow.parquet").ParquetFile(path, buffer_size=1 << 18, pre_buffer=False)

    def _read(self) -> Iterator[Any]:
        for path in self.paths:
            with self._open(path) as file:
                needed = self._needed(file.schema_arrow.names)
                rows = min(self.window_rows, max(1024, _DECODED // max(1, len(needed))))
                yield from file.iter_batches(rows, columns=needed, use_threads=False)

    def __repr__(self) -> str:
        """Return the call that makes such a stream, its columns apart."""
        return f"lm.ParquetStream({self.paths!r}, window_rows={self.window_rows})"


def _pyarrow(module: str = "pyarrow") -> Any:
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            'reading Arrow and Parquet needs pyarrow: pip install "lamina[parquet]"'
        ) from error


def _speaks_arrow(table: Any) -> bool:
    """Say whether it has Arrow's PyCapsule protocol: a table, a batch, a polars DataFrame."""
    return hasattr(table, "__arrow_c_stream__") or hasattr(table, "__arrow_c_array__")


def _batches(table: Any) -> Iterable[Any]:
    """Return record batches of what speaks Arrow."""
    if hasattr(table, "schema") and hasattr(table, "num_columns") and hasattr(table, "columns"):
        return list(table.to_batches()) if hasattr(table, "to_batches") else [table]
    if _speaks_arrow(table):
        batches: list[Any] = _pyarrow().table(table).to_batches()
        return batches
    raise TypeError(f"expected a record batch or a table, got {type(table).__name__}")


def _names(given: Columns | None) -> list[str]:
    """Return the columns that are named."""
    if given is None:
        return []
    if isinstance(given, str):
        return [given]
    parts = given.values() if isinstance(given, Mapping) else given
    return [name for part in parts for name in ([part] if isinstance(part, str) else part)]


def _picked(batch: Named, names: Columns, dtype: str | None, room: Room, what: str) -> Any:
    """Return columns as one array, by name of in- or output as a dict of them."""
    if isinstance(names, Mapping):
        return {
            key: _picked(batch, part, dtype, room, f"{what}[{key}]") for key, part in names.items()
        }
    if isinstance(names, str):
        return _numbers(batch, names)
    columns = [_numbers(batch, name) for name in names]
    if not columns:
        raise ValueError("there are no columns for X")
    return _matrix(columns, np.dtype(dtype) if dtype else np.result_type(*columns), room, what)


def _numbers(batch: Named, name: str) -> AnyArray:
    """Return a column; null is NaN."""
    if name not in batch:
        raise ValueError(f"there is no column {name!r}; there are {list(batch)}")
    column = batch[name]
    values: AnyArray = column.to_numpy(zero_copy_only=False)
    if values.dtype.kind in "biuf":
        return values
    types = _pyarrow("pyarrow.types")
    if types.is_decimal(column.type):
        column = column.cast("float64")
    elif types.is_boolean(column.type):  # with nulls
        column = column.cast("float32")
    else:
        raise TypeError(
            f"column {name!r} holds {column.type}; numbers are needed: encode it, or use "
            "lm.TableModel, which takes tables"
        )
    numbers: AnyArray = column.to_numpy(zero_copy_only=False)
    return numbers


def _matrix(columns: Sequence[AnyArray], dtype: np.dtype[Any], room: Room, what: str) -> AnyArray:
    """Return columns side by side, rows contiguous, in the room if they fit."""
    n = len(columns[0])
    there = room.get(what)
    if there is None or len(there) < n or there.dtype != dtype or there.shape[1] != len(columns):
        room[what] = np.empty((n, len(columns)), dtype)
    out = room[what][:n]
    for first in range(0, n, _BLOCK):
        rows = slice(first, first + _BLOCK)
        for place, column in enumerate(columns):
            out[rows, place] = column[rows]
    return out
