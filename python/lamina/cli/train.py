"""``lamina train``: read, split, train, score, save, report."""

from __future__ import annotations

import argparse
import difflib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from lamina.cli import report
from lamina.cli.tables import read_named, table_stem
from lamina.plots import save_learning_curve
from lamina.table.encoder import TableEncoder
from lamina.table.model import TableModel
from lamina.table.recipe import loss_of
from lamina.table.scores import Scores, baseline
from lamina.table.split import split_rows
from lamina.table.target import Target, known_rows
from lamina.tables_io import Columns, TableError, row_count, select_rows

__all__ = ["train"]

_TEST_SHARE = 0.2
_FEWEST_ROWS = 5


@dataclass
class _Parts:
    """The rows of a run by their use; `notes` are sentences about how they came about."""

    train: Columns
    validation: Columns
    test: Columns
    target: Target
    notes: list[str]


def train(options: argparse.Namespace) -> None:
    """Run the command; errors are exceptions whose text is for the user."""
    say = report.speaker(options)
    output = options.output or Path(f"{table_stem(options.table)}.lamina")
    _check_writable(output)
    parts = _parts(options)
    target = parts.target
    encoder = TableEncoder().fit(parts.train, ignore=[target.name])
    model = TableModel(
        encoder,
        target=target if target.task == "classification" else target.name,
        task=target.task,
        seed=options.seed,
    )
    say(report.opening(options.table, parts.train, target, encoder))
    for note in parts.notes:
        say(f"note: {note}")
    start = time.perf_counter()
    model.fit(
        parts.train,
        validation=parts.validation,
        epochs=options.epochs,
        num_threads=options.threads,
        verbose=0 if options.quiet else "auto" if options.json else 1,
    )
    seconds = time.perf_counter() - start
    used = {"train": parts.train, "validation": parts.validation, "test": parts.test}
    scores = {name: model.evaluate(rows) for name, rows in used.items()}
    guess = baseline(model.target, parts.train[target.name], parts.test[target.name])
    result = report.result(model, scores, guess, {n: row_count(rows) for n, rows in used.items()})
    model.details = {**result, "table": os.path.basename(options.table), "files": None}
    model.save(output)
    plot = _plot(model, scores, output, say)
    result["files"] = {"model": str(output), "plot": plot and str(plot)}
    if options.json:
        print(report.as_json(result))
    say(report.closing(result, guess, model, seconds))


def _parts(options: argparse.Namespace) -> _Parts:
    """Read the tables and decide which rows do what."""
    table = read_named(options.table)
    if options.target is None:
        raise TableError(f"say which column to predict with --target: {', '.join(table)}")
    share = _share(options.validation)
    notes: list[str] = []
    rows = _known(table, options.target, options.table, notes)
    if row_count(rows) < _FEWEST_ROWS:
        raise TableError(
            f"{options.table}: {row_count(rows)} rows with a value of {options.target} are too "
            f"few to train, validate and test; at least {_FEWEST_ROWS} are needed"
        )
    target = Target.fit(options.target, rows[options.target], options.task)
    if options.test is not None:
        rest, test = rows, _known(read_named(options.test), options.target, options.test, notes)
    else:
        rest, test = _draw(rows, _TEST_SHARE, target, options.seed, stream=0)
    if share is None:
        other = read_named(options.validation)
        train_rows, validation = rest, _known(other, options.target, options.validation, notes)
    else:
        share = min(share * row_count(rows) / row_count(rest), 1.0)
        train_rows, validation = _draw(rest, share, target, options.seed, stream=1)
    return _Parts(train_rows, validation, test, target, notes)


def _known(table: Columns, name: str, source: str, notes: list[str]) -> Columns:
    """Return the rows with a target and note how many have none."""
    if name not in table:
        close = difflib.get_close_matches(name, table, n=1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        raise TableError(f"{source}: there is no column {name!r}{hint}; it has {', '.join(table)}")
    rows = known_rows(table, name)
    dropped = row_count(table) - row_count(rows)
    if dropped:
        plural = "row has" if dropped == 1 else "rows have"
        notes.append(f"{source}: {dropped:,} {plural} no {name} and {_were(dropped)} left out")
    return rows


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _draw(
    rows: Columns, share: float, target: Target, seed: int, stream: int
) -> tuple[Columns, Columns]:
    labels = target.encode(rows[target.name]) if target.task == "classification" else None
    rest, drawn = split_rows(row_count(rows), share, seed, labels=labels, stream=stream)
    return select_rows(rows, rest), select_rows(rows, drawn)


def _share(text: str) -> float | None:
    """Return --validation as a share of the rows, or None if it names a table."""
    try:
        share = float(text)
    except ValueError:
        return None
    if not 0 < share < 1:
        raise TableError(f"--validation: a share lies between 0 and 1, got {text}")
    return share


def _check_writable(output: Path) -> None:
    """Refuse before the training what would fail after it."""
    folder = output.parent
    if not folder.is_dir():
        raise TableError(f"--output: there is no folder {folder}")
    if output.is_dir():
        raise TableError(f"--output: {output} is a folder; give the name of a file")
    if not os.access(folder, os.W_OK):
        raise TableError(f"--output: the folder {folder} is not writable")


def _plot(
    model: TableModel, scores: dict[str, Scores], output: Path, say: report.Say
) -> Path | None:
    path = output.with_suffix(".png")
    if path == output:
        path = output.with_suffix(".curve.png")
    metric = "rmse" if model.target.task == "regression" else "accuracy"
    title = f"{model.target.name}: test {metric} {scores['test'][metric]:.4g}"
    assert model.history is not None
    loss = loss_of(model.target).replace("_", " ").replace("error", "error of the scaled target")
    try:
        save_learning_curve(model.history, path, title=title, loss_name=loss)
    except (ImportError, OSError) as error:
        say(f"note: no picture of the training curve: {error}")
        return None
    return path
