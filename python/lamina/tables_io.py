"""Reads tables from files: CSV and CSV.gz with the standard library, Parquet through polars.

A table is a plain dict, column name -> list of text cells (CSV) or NumPy array (typed Parquet
columns). What a cell means is no business of this file: see table_cells.py.
"""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = [
    "Column",
    "Columns",
    "TableError",
    "read_csv",
    "read_parquet",
    "read_table",
    "row_count",
    "select_rows",
]

Column: TypeAlias = "npt.NDArray[Any] | list[str]"
Columns: TypeAlias = dict[str, Column]

_DELIMITERS = ",;\t|"
_SAMPLE_CHARACTERS = 1 << 16
_SAMPLE_RECORDS = 50


class TableError(ValueError):
    """What is wrong with a table or a file, in one sentence that a user can act on.

    Examples
    --------
    >>> from lamina.tables_io import read_table
    >>> read_table("nowhere.csv")
    Traceback (most recent call last):
    ...
    lamina.tables_io.TableError: nowhere.csv: there is no such file
    """


def read_table(path: str | os.PathLike[str]) -> Columns:
    """Read a table from a file, whatever its format.

    Parquet is known by its first bytes, everything else is read as CSV (gzip-compressed or not).

    Parameters
    ----------
    path : str or path
        A ``.csv``, ``.csv.gz`` or ``.parquet`` file; the name does not matter, the content does.

    Returns
    -------
    dict
        Column name -> list of str (CSV) or 1-D array (Parquet), all of one length, at least 1.

    Raises
    ------
    TableError
        If the file is missing, empty, without rows, ragged, undecodable or has two columns of
        one name.

    Examples
    --------
    >>> import lamina as lm
    >>> columns = read_table(lm.datasets.path("diamonds"))
    >>> list(columns)[:3], columns["cut"][:2], row_count(columns)
    (['carat', 'cut', 'color'], ['Ideal', 'Premium'], 53940)
    """
    try:
        with open(path, "rb") as file:
            head = file.read(4)
    except OSError as error:
        raise _unreadable(path, error) from None
    return read_parquet(path) if head == b"PAR1" else read_csv(path)


def read_csv(path: str | os.PathLike[str]) -> Columns:
    r"""Read a text table; every cell stays text.

    The text is UTF-8 (or UTF-16 with a byte-order mark). The delimiter is whichever of ``,``
    ``;`` tab ``|`` cuts the first records into equally many cells. Cells may be quoted with
    ``"`` and then hold delimiters, line ends and doubled quotes (RFC 4180). Blank lines are
    passed over. A column without a name is left out: pandas and R write row numbers there.

    Parameters
    ----------
    path : str or path
        The file, plain or gzip-compressed.

    Returns
    -------
    dict
        Column name -> list of str.

    Raises
    ------
    TableError
        One sentence that names the file and, where there is one, the line.
    """
    text = _decode(_read_bytes(path), path)
    if not text.strip():
        raise TableError(f"{path}: the file is empty")
    delimiter = _sniff_delimiter(text)
    records = _parse(text, delimiter, path)
    header = [name.strip() for name in records[0]]
    _check_header(header, path)
    if len(records) == 1:
        raise TableError(f"{path}: the table has no rows, only a header")
    if set(map(len, records)) != {len(header)}:
        raise _ragged(text, delimiter, len(header), path)
    cells = zip(*itertools.islice(records, 1, None), strict=True)
    return {name: list(column) for name, column in zip(header, cells, strict=True) if name}


def read_parquet(path: str | os.PathLike[str]) -> Columns:
    """Read a Parquet file with polars.

    Numbers become arrays (float64 with NaN for nulls where there are any), everything else text:
    booleans ``True`` and ``False``, dates in ISO form, nulls the empty string.

    Parameters
    ----------
    path : str or path
        The file.

    Returns
    -------
    dict
        Column name -> 1-D array or list of str.

    Raises
    ------
    TableError
        If polars is not installed or cannot read the file, or a column holds neither numbers nor
        text.
    """
    try:
        import polars
    except ImportError:
        raise TableError(
            f'{path}: reading Parquet needs polars: pip install "lamina[cli]"'
        ) from None
    try:
        frame = polars.read_parquet(os.fspath(path))
    except (OSError, polars.exceptions.PolarsError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TableError(f"{path}: polars cannot read the file: {reason}") from None
    if frame.height == 0:
        raise TableError(f"{path}: the table has no rows")
    return {name: _from_series(frame[name], f"{path}: column {name!r}") for name in frame.columns}


def row_count(columns: Mapping[str, Sequence[Any] | npt.NDArray[Any]]) -> int:
    """Return the number of rows of a dict of columns.

    Examples
    --------
    >>> row_count({"a": ["1", "2"], "b": ["x", "y"]})
    2
    """
    return len(next(iter(columns.values()))) if columns else 0


def select_rows(columns: Columns, rows: npt.NDArray[np.intp]) -> Columns:
    """Return the rows with these numbers, in this order, of every column.

    Examples
    --------
    >>> select_rows({"a": ["1", "2", "3"]}, np.array([2, 0]))
    {'a': ['3', '1']}
    """
    order = rows.tolist()
    return {
        name: column[rows] if isinstance(column, np.ndarray) else [column[i] for i in order]
        for name, column in columns.items()
    }


def _unreadable(path: str | os.PathLike[str], error: OSError) -> TableError:
    if isinstance(error, FileNotFoundError):
        return TableError(f"{path}: there is no such file")
    if isinstance(error, IsADirectoryError):
        return TableError(f"{path}: this is a folder, not a table")
    return TableError(f"{path}: cannot read the file: {error.strerror or error}")


def _read_bytes(path: str | os.PathLike[str]) -> bytes:
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from None
    if data[:2] != b"\x1f\x8b":
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        raise TableError(f"{path}: the gzip compression is damaged or cut off") from None


def _decode(data: bytes, path: str | os.PathLike[str]) -> str:
    if data[:4] == b"PK\x03\x04":
        raise TableError(f"{path}: this is a zip or Excel file; save the table as CSV")
    utf16 = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        text = data.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise TableError(
            f"{path}, line {line}: byte 0x{data[error.start]:02X} is not "
            f"{'UTF-16' if utf16 else 'UTF-8'} text; save the table as UTF-8"
        ) from None
    if "\0" in text:
        raise TableError(f"{path}: this is not a text table (it holds zero bytes)")
    return text


def _reader(text: str, delimiter: str) -> Any:
    lines = io.StringIO(text, newline="")
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)


def _sniff_delimiter(text: str) -> str:
    """Return the delimiter that cuts the first records into the most cells, all alike."""
    sample = text[:_SAMPLE_CHARACTERS]
    whole = len(sample) == len(text)

    def score(delimiter: str) -> tuple[bool, int]:
        widths = []
        try:
            for record in itertools.islice(_reader(sample, delimiter), _SAMPLE_RECORDS):
                widths.append(len(record))
        except csv.Error:
            whole_records = widths
        else:
            whole_records = widths if whole or len(widths) == _SAMPLE_RECORDS else widths[:-1]
        widths = [width for width in whole_records if width] or [0]
        return widths[0] > 1 and len(set(widths)) == 1, widths[0]

    return max(_DELIMITERS, key=score)


def _parse(text: str, delimiter: str, path: str | os.PathLike[str]) -> list[list[str]]:
    reader = _reader(text, delimiter)
    try:
        return [record for record in reader if record]
    except csv.Error as error:
        reason = str(error)
        if "unexpected end" in reason or "field larger" in reason:
            reason = 'a cell opens with " and is never closed'
        raise TableError(f"{path}, line {reader.line_num}: {reason}") from None


def _check_header(header: list[str], path: str | os.PathLike[str]) -> None:
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise TableError(
            f"{path}: two columns are called {twice[0]!r}; is the first line really a header?"
        )
    if not any(header):
        raise TableError(f"{path}: the first line names no column")


def _ragged(text: str, delimiter: str, width: int, path: str | os.PathLike[str]) -> TableError:
    reader = _reader(text, delimiter)
    found = next(len(record) for record in reader if record and len(record) != width)
    return TableError(
        f"{path}, line {reader.line_num}: {found} cells where the header has {width} "
        f"(delimiter {delimiter!r})"
    )


def _from_series(series: Any, where: str) -> Column:
    """Turn a polars Series into an array of numbers or a list of text."""
    import polars

    kind = series.dtype
    if kind.is_numeric():
        whole = kind.is_integer() and not series.null_count()
        return np.asarray((series if whole else series.cast(polars.Float64)).to_numpy())
    if kind == polars.Boolean:
        return ["" if cell is None else str(cell) for cell in series.to_list()]
    if kind.is_nested() or kind in (polars.Binary, polars.Object):
        raise TableError(f"{where} holds {kind}, which is neither numbers nor text")
    return [cell or "" for cell in series.cast(polars.String).to_list()]
