"""What ``lamina train`` says: sentences, the table of metrics, the JSON object."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable
from typing import Any, TypeAlias

from lamina.table.encoder import TableEncoder
from lamina.table.model import TableModel
from lamina.table.scores import Scores
from lamina.table.target import Target
from lamina.table_cells import as_texts, parse_numbers
from lamina.tables_io import Columns, row_count

__all__ = ["Say", "as_json", "closing", "metric_table", "opening", "result", "speaker"]

Say: TypeAlias = Callable[[str], None]

_HEADINGS = {"log_loss": "log loss", "rmse": "RMSE", "mae": "MAE", "r2": "R2", "auc": "AUC"}


def speaker(options: argparse.Namespace) -> Say:
    """Return the function that prints for people: to stderr beside --json, nowhere if --quiet."""
    if options.quiet:
        return lambda text: None
    stream = sys.stderr if options.json else sys.stdout
    return lambda text: print(text, file=stream, flush=True)


def opening(source: str, rows: Columns, target: Target, encoder: TableEncoder) -> str:
    """Say what is about to be trained, from which columns."""
    classes = f", {len(target.classes)} classes" if target.classes else ""
    lines = [
        f"{source}: predicting {target.name} ({target.task}{classes}), "
        f"{row_count(rows):,} training rows"
    ]
    used = {*encoder.numeric, *encoder.categorical, target.name}
    columns = {
        "numeric": encoder.numeric,
        "categorical": encoder.categorical,
        "left out, one value only": [name for name in rows if name not in used],
    }
    lines += [f"{kind}: {', '.join(names)}" for kind, names in columns.items() if names]
    lines += [f"note: {sentence}" for sentence in almost_numeric(rows, encoder)]
    return "\n".join(lines)


def almost_numeric(rows: Columns, encoder: TableEncoder) -> list[str]:
    """Return a sentence for each column that a few cells keep from being numeric."""
    sentences = []
    for column in encoder.columns:
        numbers = [level for level in column.levels if parse_numbers([level]) is not None]
        if len(numbers) >= 0.9 * max(len(column.levels), 1) and column.kind == "category":
            texts = as_texts(rows[column.name])
            odd = next((text for text in texts if text and parse_numbers([text]) is None), "")
            sentences.append(f"{column.name} is taken for categories because of {odd!r}")
    return sentences


def result(
    model: TableModel, scores: dict[str, Scores], guess: Scores, rows: dict[str, int]
) -> dict[str, Any]:
    """Return the object that ``--json`` prints; NaN becomes None."""
    baseline = {"rmse": guess["rmse"]} if model.target.task == "regression" else guess
    return {
        "task": model.target.task,
        "test": _plain(scores["test"]),
        "validation": _plain(scores["validation"]),
        "train": _plain(scores["train"]),
        "baseline": _plain(baseline),
        "seed": model.model.seed,
        "rows": rows,
        "files": {"model": None, "plot": None},
    }


def as_json(result: dict[str, Any]) -> str:
    """Return the result as one line of JSON."""
    return json.dumps(result, allow_nan=False)


def closing(result: dict[str, Any], guess: Scores, model: TableModel, seconds: float) -> str:
    """Return the table of metrics and where the files went."""
    history = model.history
    assert history is not None
    parts = {name: result[name] for name in ("train", "validation", "test")}
    what = "mean or median" if model.target.task == "regression" else "most frequent class"
    best = "" if history.best_epoch is None else f", the best was number {history.best_epoch + 1}"
    files = result["files"]
    lines = [
        metric_table({**parts, f"guessing the {what}": _plain(guess)}),
        "",
        f"epochs: {len(history)} in {seconds:.1f} s{best}; seed {model.model.seed}",
        f"model: {files['model']}",
    ]
    lines += [f"training curve: {files['plot']}"] if files["plot"] else []
    return "\n".join(lines)


def metric_table(parts: dict[str, dict[str, float | None]]) -> str:
    """Return rows of metrics, aligned.

    Examples
    --------
    >>> train, test = {"rmse": 512.3, "r2": 0.98}, {"rmse": 1000.0, "r2": None}
    >>> print(metric_table({"train": train, "test": test}))
            RMSE      R2
    train  512.3  0.9800
    test   1,000       -
    """
    metrics = list(next(iter(parts.values())))
    rows = [["", *(_HEADINGS.get(m, m) for m in metrics)]]
    rows += [[name, *(_shown(m, values[m]) for m in metrics)] for name, values in parts.items()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    )


def _shown(metric: str, value: float | None) -> str:
    if value is None:
        return "-"
    if metric in ("rmse", "mae"):
        digits = max(0, min(8, 3 - math.floor(math.log10(value)))) if value > 0 else 1
        return f"{value:,.{digits}f}"
    return f"{value:.4f}"


def _plain(scores: Scores) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in scores.items()}
