"""Decodes a table: text, dates and booleans to float64 columns and int32 codes.

It scales, imputes and learns nothing: what is numeric lives in transform.py until layers do it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lamina.table_cells import as_columns, as_texts, parse_dates, parse_numbers
from lamina.tables_io import Column, Columns, TableError, row_count

__all__ = ["ColumnKind", "Encoded", "TableEncoder"]

MAX_LEVELS = 64


@dataclass(frozen=True)
class ColumnKind:
    """How one column is read: its name, "number", "date" or "category", and its levels."""

    name: str
    kind: str
    levels: tuple[str, ...] = ()


class Encoded(NamedTuple):
    """A decoded table: `numbers` (rows, numeric columns) with NaN for blanks, `codes` likewise."""

    numbers: npt.NDArray[np.float64]
    codes: npt.NDArray[np.int32]


class TableEncoder:
    """Finds out what the columns of a table are and turns their cells into numbers and codes.

    A column is *numeric* when every cell that is not blank is a finite number, a *date* when
    every such cell is an ISO date (days since 1970), and *categorical* otherwise. Categories
    become codes 1, 2, … in the order of their sorted texts; 0 stands for a blank cell and for a
    level that training did not know. Of more than `max_levels` levels the most frequent are
    kept, the others share code 0. Columns in which all cells are the same are left out.

    Parameters
    ----------
    max_levels : int, default 64
        The most levels a categorical column keeps.

    Attributes
    ----------
    columns : tuple of ColumnKind
        The columns that are used, in the order of the table.

    Examples
    --------
    >>> from lamina.table import TableEncoder
    >>> table = {"carat": ["0.3", "", "1.1"], "cut": ["Good", "Ideal", "Good"]}
    >>> encoder = TableEncoder().fit(table)
    >>> encoder.numeric, encoder.categorical
    (['carat'], ['cut'])
    >>> encoded = encoder.transform({"cut": ["Ideal", "Awful"], "carat": ["0.5", "0.7"]})
    >>> encoded.numbers.ravel(), encoded.codes.ravel()
    (array([0.5, 0.7]), array([2, 0], dtype=int32))
    """

    def __init__(self, *, max_levels: int = MAX_LEVELS) -> None:
        self.max_levels = max_levels
        self.columns: tuple[ColumnKind, ...] = ()

    def fit(self, table: Any, *, ignore: Collection[str] = ()) -> TableEncoder:
        """Find the kind of every column.

        Parameters
        ----------
        table : dict of columns or DataFrame
            The training rows.
        ignore : collection of str
            Columns to leave out, for instance the target.

        Returns
        -------
        TableEncoder
            The encoder itself.

        Raises
        ------
        TableError
            If no column is left.
        """
        found = []
        for name, column in as_columns(table).items():
            if name not in ignore:
                kind = self._kind(name, column)
                found += [kind] if kind else []
        if not found:
            raise TableError("no column is left to learn from: each holds one value only")
        self.columns = tuple(found)
        return self

    def transform(self, table: Any) -> Encoded:
        """Decode the columns this encoder knows; others are ignored, the order does not matter.

        Returns
        -------
        Encoded
            ``numbers``, float64 (rows, numeric and date columns) with NaN for blanks, and
            ``codes``, int32 (rows, categorical columns).

        Raises
        ------
        TableError
            If columns are missing (it says which), or a cell of a numeric column is no number.
        """
        columns = as_columns(table)
        missing = self.missing(columns)
        if missing:
            raise TableError(
                f"the table lacks {'a column' if len(missing) == 1 else 'columns'} of training: "
                f"{', '.join(map(repr, missing))} (it has {', '.join(map(repr, columns))})"
            )
        rows = row_count(columns)
        numbers = [_decode(columns[c.name], c) for c in self.columns if c.kind != "category"]
        codes = [_codes(columns[c.name], c) for c in self.columns if c.kind == "category"]
        return Encoded(
            np.column_stack(numbers) if numbers else np.empty((rows, 0)),
            np.column_stack(codes) if codes else np.empty((rows, 0), dtype=np.int32),
        )

    def missing(self, columns: Columns) -> list[str]:
        """Return the names of the columns that training had and this table lacks."""
        return [c.name for c in self.columns if c.name not in columns]

    @property
    def numeric(self) -> list[str]:
        """Names of the columns decoded to numbers, dates among them."""
        return [c.name for c in self.columns if c.kind != "category"]

    @property
    def categorical(self) -> list[str]:
        """Names of the columns decoded to codes."""
        return [c.name for c in self.columns if c.kind == "category"]

    @property
    def cardinalities(self) -> list[int]:
        """Number of codes of each categorical column, code 0 included."""
        return [len(c.levels) + 1 for c in self.columns if c.kind == "category"]

    def get_state(self) -> dict[str, Any]:
        """Return everything :meth:`from_state` needs, as JSON values."""
        return {"max_levels": self.max_levels, "columns": [asdict(c) for c in self.columns]}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> TableEncoder:
        """Make the encoder again from :meth:`get_state`'s dict."""
        encoder = cls(max_levels=state["max_levels"])
        encoder.columns = tuple(
            ColumnKind(c["name"], c["kind"], tuple(c["levels"])) for c in state["columns"]
        )
        return encoder

    def _kind(self, name: str, column: Column) -> ColumnKind | None:
        if isinstance(column, np.ndarray):
            if np.isinf(column).any():
                row = int(np.flatnonzero(np.isinf(column))[0])
                raise TableError(f"column {name!r} holds an infinite number in row {row + 1}")
            return None if _constant(column) else ColumnKind(name, "number")
        for kind, parse in (("number", parse_numbers), ("date", parse_dates)):
            values = parse(column)
            if values is not None:
                return None if _constant(values) else ColumnKind(name, kind)
        counts = Counter(as_texts(column))
        if len(counts) == 1:
            return None
        del counts[""]
        levels = sorted(counts, key=lambda level: (-counts[level], level))[: self.max_levels]
        return ColumnKind(name, "category", tuple(sorted(levels)))


def _constant(values: npt.NDArray[Any]) -> bool:
    """Tell whether all cells are the same; NaN equals NaN."""
    return bool(np.all(values == values[0]) or np.all(np.isnan(values)))


def _decode(column: Column, plan: ColumnKind) -> npt.NDArray[np.float64]:
    if isinstance(column, np.ndarray) and plan.kind == "number":
        values = column.astype(np.float64, copy=False)
        if not np.isinf(values).any():
            return values
        raise _bad_cell(plan, [str(value) for value in column.tolist()])
    texts = column if isinstance(column, list) else as_texts(column)
    parsed = parse_numbers(texts) if plan.kind == "number" else parse_dates(texts)
    if parsed is None:
        raise _bad_cell(plan, texts)
    return parsed


def _bad_cell(plan: ColumnKind, texts: list[str]) -> TableError:
    parse = parse_numbers if plan.kind == "number" else parse_dates
    row = next(i for i, cell in enumerate(texts) if parse([cell]) is None)
    what = "finite numbers" if plan.kind == "number" else "dates like 2024-02-29"
    return TableError(
        f"column {plan.name!r} held {what} in training, but row {row + 1} has {texts[row]!r}"
    )


def _codes(column: Column, plan: ColumnKind) -> npt.NDArray[np.int32]:
    code = {level: i for i, level in enumerate(plan.levels, start=1)}
    return np.array([code.get(text, 0) for text in as_texts(column)], dtype=np.int32)
