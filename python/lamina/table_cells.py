"""What a cell of a table means: blank, a number, a date or a text. One reading for all callers.

It knows nothing of files, networks or models.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from lamina.tables_io import Column, Columns, TableError, read_table

__all__ = ["BLANKS", "as_columns", "as_texts", "is_blank", "parse_dates", "parse_numbers", "typed"]

#: Texts that mean "nothing here", after spaces are stripped.
BLANKS = frozenset(
    ["", "?", "NA", "N/A", "n/a", "<NA>", "#N/A", "NaN", "nan", "NaT", "NULL", "null"]
)

_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?")
_SECONDS_PER_DAY = 86_400.0


def is_blank(cell: str) -> bool:
    """Tell whether a text cell means that nothing is known.

    Examples
    --------
    >>> is_blank(" NA "), is_blank("?"), is_blank("0")
    (True, True, False)
    """
    return cell.strip() in BLANKS


def parse_numbers(cells: list[str]) -> npt.NDArray[np.float64] | None:
    """Return the column as float64 with NaN for blanks, or None if it is not all finite numbers.

    Examples
    --------
    >>> parse_numbers(["1", " 2.5", "NA"])
    array([1. , 2.5, nan])
    >>> parse_numbers(["1", "two"]) is None, parse_numbers(["1", "inf"]) is None
    (True, True)
    """
    try:
        try:
            values = np.array(list(map(float, cells)), dtype=np.float64)
        except ValueError:
            values = np.array([np.nan if is_blank(cell) else float(cell) for cell in cells])
    except ValueError:
        return None
    if np.isinf(values).any() or any("_" in cell for cell in cells):
        return None
    return values


def parse_dates(cells: list[str]) -> npt.NDArray[np.float64] | None:
    """Return ISO dates as days since 1970-01-01 with NaN for blanks, or None if not all are.

    Accepted are ``2024-02-29`` and ``2024-02-29 18:30[:00[.5]]``, with a ``T`` for the space,
    too; without a time zone.

    Examples
    --------
    >>> parse_dates(["1970-01-02 12:00", ""])
    array([1.5, nan])
    """
    stripped = [cell.strip() for cell in cells]
    if not all(_DATE.fullmatch(cell) or cell in BLANKS for cell in stripped):
        return None
    try:
        moments = np.array(
            ["NaT" if cell in BLANKS else cell for cell in stripped], dtype="datetime64[ms]"
        )
    except ValueError:  # a 13th month, a 30th of February
        return None
    days = moments.astype(np.int64) / (1000.0 * _SECONDS_PER_DAY)
    return np.where(np.isnat(moments), np.nan, days)


def typed(columns: Columns) -> Columns:
    """Return the columns with those of numbers as float64 arrays; the others stay text.

    Examples
    --------
    >>> typed({"a": ["1", "NA"], "b": ["x", "y"]})
    {'a': array([ 1., nan]), 'b': ['x', 'y']}
    """
    result: Columns = {}
    for name, column in columns.items():
        numbers = parse_numbers(column) if isinstance(column, list) else None
        result[name] = column if numbers is None else numbers
    return result


def as_texts(column: Column) -> list[str]:
    """Return the cells as stripped text, "" for blanks; whole numbers without a decimal point.

    Examples
    --------
    >>> as_texts([" x", "NA"]), as_texts(np.array([1.0, 2.5, np.nan]))
    (['x', ''], ['1', '2.5', ''])
    """
    if isinstance(column, list):
        return ["" if is_blank(cell) else cell.strip() for cell in column]
    return [_number_text(value) for value in column.tolist()]


def as_columns(table: Any) -> Columns:
    """Return the columns of a file, a dict or a DataFrame in the two forms used here.

    Parameters
    ----------
    table : path, mapping or DataFrame
        A file for :func:`~lamina.tables_io.read_table`, a mapping from column name to a 1-D
        sequence, or anything with ``.columns`` and ``table[name]`` (pandas, polars).

    Returns
    -------
    dict
        Column name -> 1-D array of float64 or integers, or list of str. Missing values are NaN
        or "".

    Raises
    ------
    TableError
        If there are no rows, the columns' lengths differ or a column is not one-dimensional.
    TypeError
        If the table is of another kind.

    Examples
    --------
    >>> as_columns({"a": [1, 2], "b": [True, None], "c": ["x", None]})
    {'a': array([1, 2]), 'b': ['True', ''], 'c': ['x', '']}
    """
    if isinstance(table, (str, os.PathLike)):
        return read_table(table)
    if isinstance(table, Mapping):
        names = list(table)
    elif hasattr(table, "columns") and hasattr(table, "__getitem__"):
        names = list(table.columns)
    else:
        raise TypeError(
            f"a table is a path, a dict of columns or a DataFrame, got {type(table).__name__}"
        )
    columns = {str(name): _normalise(table[name], str(name)) for name in names}
    lengths = {name: len(column) for name, column in columns.items()}
    if not lengths or not any(lengths.values()):
        raise TableError("the table has no rows")
    if len(set(lengths.values())) > 1:
        first, rows = next(iter(lengths.items()))
        other = next(name for name in lengths if lengths[name] != rows)
        raise TableError(
            f"column {first!r} has {rows} rows but column {other!r} has {lengths[other]}"
        )
    return columns


def _normalise(values: Any, name: str) -> Column:
    if isinstance(values, list) and all(type(value) is str for value in values):
        return values
    array = np.asarray(values)
    if array.ndim != 1:
        raise TableError(f"column {name!r} must have one dimension, its shape is {array.shape}")
    if array.dtype.kind in "iu":
        return array
    if array.dtype.kind == "f":
        return array.astype(np.float64, copy=False)
    if array.dtype.kind in "SUMObT":
        plain = np.datetime_as_string(array) if array.dtype.kind == "M" else array
        return [_object_text(value) for value in plain.tolist()]
    raise TableError(f"column {name!r} holds {array.dtype}, which is neither numbers nor text")


def _object_text(value: Any) -> str:
    if value is None or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, float):
        return _number_text(value)
    text = str(value)
    return "" if text in ("<NA>", "NaT") else text


def _number_text(value: float) -> str:
    if value != value:
        return ""
    return str(int(value)) if value == value // 1 and abs(value) < 1e15 else repr(float(value))
