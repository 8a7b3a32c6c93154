"""``lamina predict``: a column of predictions for a table."""

from __future__ import annotations

import argparse
import csv
import io
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lamina.cli.tables import read_named
from lamina.table.model import TableModel, load
from lamina.tables_io import TableError

__all__ = ["predict"]


def predict(options: argparse.Namespace) -> None:
    """Run the command; errors are exceptions whose text is for the user."""
    model = load(options.model)
    if not isinstance(model, TableModel):
        raise TableError(
            f"{options.model}: this is a bare network without the columns of a table; "
            "use lamina.load and model.predict in Python"
        )
    columns = read_named(options.table)
    missing = model.encoder.missing(columns)
    if missing:
        raise TableError(
            f"{options.table}: {options.model} needs the column"
            f"{'' if len(missing) == 1 else 's'} {', '.join(missing)}, not in this table "
            f"(it has {', '.join(columns)})"
        )
    text = _csv(_answers(model, columns, options.threads))
    if options.output is None:
        sys.stdout.write(text)
    else:
        _write(options.output, text)


def _answers(model: TableModel, columns: Any, threads: int | None) -> dict[str, Iterable[str]]:
    """Return the columns to write, as text."""
    if model.target.task == "regression":
        values = model.predict(columns, num_threads=threads)
        return {"prediction": (f"{value:.9g}" for value in values)}
    probabilities = model.predict_proba(columns, num_threads=threads)
    answers: dict[str, Iterable[str]] = {
        "prediction": (model.target.classes[i] for i in probabilities.argmax(axis=1))
    }
    for name, column in zip(model.target.classes, probabilities.T, strict=True):
        answers[f"probability_{name}"] = [f"{value:.7g}" for value in column]
    return answers


def _csv(columns: dict[str, Iterable[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return text.getvalue()


def _write(path: Path, text: str) -> None:
    """Write a file that is there whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8", newline="")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise TableError(f"{path}: cannot write the file: {error.strerror}") from None
