"""A history as JSON, CSV and DataFrame; what is written is read back, digit by digit."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["csv_columns", "csv_text", "frame", "json_state", "json_text"]

FORMAT_VERSION = 1
_LIBRARIES = ("pandas", "polars")


def json_text(state: Mapping[str, Any]) -> str:
    """Return the state of a history as JSON, which has no NaN: null; infinities are strings."""

    def plain(value: Any) -> Any:
        if isinstance(value, float) and not math.isfinite(value):
            return None if math.isnan(value) else str(value)
        if isinstance(value, list):
            return [plain(one) for one in value]
        return {key: plain(one) for key, one in value.items()} if isinstance(value, dict) else value

    fields = plain({"format_version": FORMAT_VERSION, **state})
    lines = [f"  {json.dumps(key)}: {_lines(value)}" for key, value in fields.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _lines(value: Any) -> str:
    """Return the JSON of a field: a list on one line, a dict a line a key."""
    if not isinstance(value, dict) or not value:
        return json.dumps(value, allow_nan=False)
    inner = (f"    {json.dumps(key)}: {_lines(one)}" for key, one in value.items())
    return "{\n" + ",\n".join(inner) + "\n  }"


def json_state(source: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the state that json_text wrote, from its text or the path of its file.

    Raises
    ------
    ValueError
        If it is no history, or of a later format.
    """
    is_text = isinstance(source, str) and source.lstrip()[:1] == "{"
    text = str(source) if is_text else Path(source).read_text(encoding="utf-8")
    try:
        fields = json.loads(text)
        if not isinstance(fields, dict) or "format_version" not in fields:
            raise ValueError("it has no format_version")
        if fields["format_version"] != FORMAT_VERSION:
            raise ValueError(
                f"its format_version is {fields['format_version']}, this version of Lamina reads "
                f"{FORMAT_VERSION}; install a later one"
            )
        values = {key: _numbers(column) for key, column in fields["history"].items()}
        state = {
            "seed": fields["seed"],
            "epoch": [int(number) for number in fields["epoch"]],
            "learning_rate": _numbers(fields["learning_rate"]),
            "history": values,
            **{key: fields[key] for key in ("best_epoch", "best_epoch_by", "stop_reason")},
            "layers": {
                layer: {key: _numbers(column) for key, column in statistics.items()}
                for layer, statistics in fields.get("layers", {}).items()
            },
            "final": _final(fields.get("final")),
        }
        columns = {"learning_rate": state["learning_rate"], **values}
        for layer, statistics in state["layers"].items():
            columns.update({f"{layer}/{key}": column for key, column in statistics.items()})
        _check_lengths(len(state["epoch"]), columns)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        what = f"there is no {error}" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"History.from_json: not a history of History.to_json: {what}") from None
    return state


def csv_text(columns: Mapping[str, Sequence[float]]) -> str:
    """Return a line of names and a line an epoch, numbers with all digits."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*(map(repr, values) for values in columns.values()), strict=True))
    return file.getvalue()


def csv_columns(path: str | os.PathLike[str]) -> dict[str, list[float]]:
    """Return what csv_text wrote into a file, by column.

    Raises
    ------
    ValueError
        If the file has no column "epoch", or a cell is no number.
    """
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    if not rows or "epoch" not in rows[0]:
        raise ValueError(f"History.from_csv: expected a column 'epoch' in {path}")
    columns: dict[str, list[float]] = {name: [] for name in rows[0]}
    for line, cells in enumerate(rows[1:], 2):
        if len(cells) != len(columns):
            raise ValueError(
                f"History.from_csv: line {line} of {path} has {len(cells)} cells, the first one "
                f"{len(columns)}"
            )
        for (name, values), cell in zip(columns.items(), cells, strict=True):
            try:
                values.append(int(cell) if name == "epoch" else _number(cell))
            except ValueError:
                raise ValueError(
                    f"History.from_csv: line {line} of {path}: {name} is no number: {cell!r}"
                ) from None
    return columns


def frame(
    columns: Mapping[str, Sequence[Any]], library: str | None, index: Sequence[str] = ("epoch",)
) -> Any:
    """Return a DataFrame of the library asked for, or of the first that is there.

    With pandas some of its columns are the index.
    """
    if library not in (None, *_LIBRARIES):
        raise ValueError(f"History.to_frame: library must be 'pandas' or 'polars', got {library!r}")
    for name in _LIBRARIES if library is None else (library,):
        try:
            module = __import__(name)
        except ImportError:
            continue
        if name == "polars":
            return module.DataFrame(dict(columns))
        return module.DataFrame(dict(columns)).set_index(list(index))
    wanted = library or "pandas or polars"
    raise ImportError(
        f"History.to_frame needs {wanted}: python -m pip install {library or 'pandas'}"
    )


def _final(values: Mapping[str, Any] | None) -> dict[str, float] | None:
    if values is None:
        return None
    return {key: int(v) if key == "epoch" else _number(v) for key, v in values.items()}


def _numbers(values: Sequence[Any]) -> list[float]:
    return [_number(value) for value in values]


def _number(value: Any) -> float:
    """Return a number; of an empty cell or null NaN."""
    return math.nan if value is None or value == "" else float(value)


def _check_lengths(epochs: int, columns: Mapping[str, Sequence[float]]) -> None:
    for name, values in columns.items():
        if len(values) != epochs:
            raise ValueError(f"{epochs} epochs, but {len(values)} values of {name}")
