"""CSVLogger."""

from __future__ import annotations

import csv
import io
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lamina._config import Configurable
from lamina.callbacks.base import Callback, Logs
from lamina.interrupts import uninterrupted

__all__ = ["CSVLogger"]


class CSVLogger(Callback, Configurable):
    """Writes the values of each epoch into a file as soon as the epoch has ended.

    The first line has ``epoch``, the keys of the fit's logs and ``learning_rate`` (what the epoch's
    last step used), each further one an epoch's values with all digits (``float(text)`` gives the
    same number) and ``nan`` for what is missing, as in ``History.to_csv``. A line is in the file
    when the next epoch begins.

    A fit that is resumed repeats no line and loses none: what a killed process wrote behind its
    last checkpoint is cut off, and what is missing is written from the trainer's history.

    Parameters
    ----------
    filename : str or path-like
        The file; its folder must exist.
    separator : str, default ","
        One character between two values.
    append : bool, default False
        False: each fit begins the file anew. True: it goes on with a file that is there, whose
        columns must be the same.

    Raises
    ------
    ValueError
        If `separator` is not one character; at the beginning of a fit, if the file that is to be
        appended to has other columns.

    References
    ----------
    keras.callbacks.CSVLogger. (There the columns are in alphabetical order and missing values are
    ``NA``, and a resumed fit repeats lines.)

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> import lamina as lm
    >>> x = np.zeros((8, 1))
    >>> model = lm.Model([lm.Input(1), lm.Dense(1)], seed=0)
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "epochs.csv"
    >>> trainer = lm.Trainer(model, loss="mse", optimizer=lm.SGD(0.5))
    >>> history = trainer.fit(x, x, epochs=2, callbacks=[lm.CSVLogger(path)], verbose=0)
    >>> path.read_text().splitlines()
    ['epoch,loss,learning_rate', '0,0.0,0.5', '1,0.0,0.5']
    """

    is_quick = True

    def __init__(
        self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False
    ) -> None:
        if len(separator) != 1:
            raise ValueError(f"CSVLogger: separator must be one character, got {separator!r}")
        self.filename = os.fspath(filename)
        self.separator = separator
        self.append = append
        self._keys: list[str] = []
        self._forget()

    def _forget(self) -> None:
        self._first: int | None = None  # epoch that it wrote
        self._written = 0  # epochs since then
        self._before = 0  # lines of other fits between the header and them
        self._resumed = False

    def check(self, keys: Sequence[str]) -> None:
        """Fix the columns; raise ValueError if a file to be appended to has others."""
        rate = self.trainer is not None and "learning_rate" not in keys
        self._keys = keys = [*keys, *(["learning_rate"] if rate else [])]
        if (self.append or self._resumed) and (lines := self._lines()):
            header = lines[0].removesuffix("\n")
            if header != self._line(["epoch", *keys]).removesuffix("\n"):
                raise ValueError(
                    f"CSVLogger: {self.filename} begins with {header!r}, this fit has the columns "
                    f"{self.separator.join(['epoch', *keys])!r}: give another file, or append=False"
                )

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Begin the file, or go on with it."""
        lines = self._lines() if self.append or self._resumed else []
        if self._resumed:
            self._cut_back(lines)
        else:
            self._first, self._written, self._before = None, 0, max(0, len(lines) - 1)
            if not lines:
                with open(self.filename, "w", encoding="utf-8", newline="") as file:
                    file.write(self._line(["epoch", *self._keys]))
            elif not lines[-1].endswith("\n"):
                self._append("\n")  # whoever wrote it was killed
        self._resumed = False

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write a line."""
        if self._first is None:
            self._first = epoch
        text = self._missing(epoch) + self._values(epoch, logs or {})
        with uninterrupted():
            self._append(text)
            self._written = epoch - self._first + 1

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Write what could not be written before."""
        if self._first is not None and self.trainer is not None:
            text = self._missing(self.trainer.epoch)
            with uninterrupted():
                self._append(text)
                self._written += text.count("\n")

    def get_state(self) -> dict[str, Any]:
        """Return how much of the file is its own."""
        return {"first": self._first, "written": self._written, "before": self._before}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Take over how many epochs it has written; what the file has behind them is cut off."""
        self._first, self._written = state["first"], int(state["written"])
        self._before = int(state["before"])
        self._resumed = True

    def _has_state(self) -> bool:
        return self._written > 0

    def _cut_back(self, lines: Sequence[str]) -> None:
        """Leave the header and the lines of epochs that the state knows; write those that lack."""
        kept = [line for line in lines if line.endswith("\n")][: 1 + self._before + self._written]
        if not kept:
            kept = [self._line(["epoch", *self._keys])]
            self._before = 0
        self._before = min(self._before, len(kept) - 1)
        there, self._written = self._written, len(kept) - 1 - self._before
        if self._first is not None:
            kept.append(self._missing(self._first + there))
            self._written = there
        text = "".join(kept)
        if text != "".join(lines):
            self._replace(text)

    def _missing(self, end: int) -> str:
        """Return the lines of the epochs from the last that was written up to `end`."""
        history = getattr(self.trainer, "history", None)
        if history is None or self._first is None:
            return ""
        begin = self._first + self._written
        if begin >= end:
            return ""
        return "".join(
            self._values(
                epoch, {key: values[place] for key, values in history.history.items()}, place
            )
            for place, epoch in enumerate(history.epoch)
            if begin <= epoch < end
        )

    def _values(self, epoch: int, logs: Mapping[str, float], place: int = -1) -> str:
        history = getattr(self.trainer, "history", None)
        if history is not None and history.epoch[place:][:1] == [epoch]:
            logs = {"learning_rate": history._learning_rate[place], **logs}
        values = (float(logs.get(key, float("nan"))) for key in self._keys or logs)
        return self._line([str(epoch), *map(repr, values)])

    def _line(self, cells: Sequence[str]) -> str:
        text = io.StringIO()
        csv.writer(text, delimiter=self.separator, lineterminator="\n").writerow(cells)
        return text.getvalue()

    def _lines(self) -> list[str]:
        """Return the lines of the file, with their ends."""
        try:
            with open(self.filename, encoding="utf-8", newline="\n") as file:
                return file.readlines()
        except FileNotFoundError:
            return []

    def _append(self, text: str) -> None:
        if text:
            with open(self.filename, "a", encoding="utf-8", newline="") as file:
                file.write(text)

    def _replace(self, text: str) -> None:
        """Write the file anew: all of it or, if that fails, nothing."""
        path = Path(self.filename)
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with open(beside, "w", encoding="utf-8", newline="") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            if path.exists():
                shutil.copymode(path, beside)
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)
