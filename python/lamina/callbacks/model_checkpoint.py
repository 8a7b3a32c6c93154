"""ModelCheckpoint."""

from __future__ import annotations

import contextlib
import math
import os
import string
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from lamina.callbacks.base import Logs
from lamina.callbacks.monitoring import MonitoringCallback
from lamina.interrupts import note, uninterrupted
from lamina.metrics._base import find_key

__all__ = ["ModelCheckpoint"]


@dataclass(eq=False, repr=False)
class ModelCheckpoint(MonitoringCallback):
    """Writes checkpoints while a fit runs, from which it can go on, or its best models.

    ``lm.load_checkpoint(path).resume(X, y, ...)`` goes on with the fit, in another process, with
    the bits of one that was never interrupted. It saves after epochs, steps or minutes, whichever
    come first, and, unless it keeps the best only, also when the fit ends by Ctrl-C, an exception
    or SIGTERM, which batch systems send before they kill: that then raises SystemExit(143) in a fit
    in the main thread, if nobody has set a handler. What a ``kill -9`` or a power failure costs is
    the time since the last file. Files are replaced whole or not at all.

    It may stand anywhere in the list of callbacks: those behind it are called when the fit is
    resumed.

    Parameters
    ----------
    filepath : str or path-like
        The file. ``{epoch:02d}`` stands for the number of completed epochs, ``{step}`` for that of
        batches since the training began, ``{val_loss:.3f}`` and other keys, also by alias, for
        values of the last completed epoch (NaN before there is one); ``{{`` and ``}}`` for a brace.
        Folders are made.
    monitor : str, default "val_loss"
        The value that says which epoch is the best; with `save_best_only` alone.
    save_best_only : bool, default False
        Save only after epochs whose value is better than that of all before, and not when the fit
        is interrupted.
    mode : {"auto", "min", "max"}, default "auto"
        Whether smaller or larger is better, as for EarlyStopping.
    every_epochs : int, optional
        Save after every so many epochs. Default: 1, unless `every_steps` or `every_minutes` is
        given.
    every_steps : int, optional
        Save after every so many batches, counted over the whole training.
    every_minutes : float, optional
        Save after the first batch when so many minutes have passed since the last time.
    what : {"checkpoint", "model"}, default "checkpoint"
        "model": what ``model.save`` writes and ``lm.load`` reads, with the weights of the last
        completed epoch (averaged ones, if the optimizer has ``use_ema``): smaller, but it cannot be
        resumed, so only epochs count, and it is not saved when the fit is interrupted.
    keep : int, optional
        Remove all but the last so many files, where `filepath` gives them several names. Default:
        remove none.

    Attributes
    ----------
    best : float or None
        The best value so far, with `save_best_only`: of all fits of the trainer since it was made
        or ``trainer.reset()`` was called.
    saved : list of str
        The files that were written in them and not removed.

    Raises
    ------
    ValueError
        At the beginning of a fit that does not produce what `monitor` or `filepath` name.
    OSError
        Out of the fit, if a file cannot be written; the one before is untouched, and
        ``trainer.resume`` goes on when there is room again.

    Notes
    -----
    Names are Keras'. There a file has weights, or a model with its optimizer, and begins a new fit;
    here it has all that goes on with this one. ``save_weights_only=True`` is ``what="model"`` here;
    ``save_freq`` is `every_epochs` and `every_steps`. `{epoch}` gives the same numbers. PyTorch
    leaves all of it to the user.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> import lamina as lm
    >>> x = np.linspace(-1, 1, 64).reshape(-1, 1)
    >>> model = lm.Model([lm.Input(1), lm.Dense(8, activation="tanh"), lm.Dense(1)], seed=0)
    >>> trainer = lm.Trainer(model, loss="mse")
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> saving = lm.ModelCheckpoint(folder / "run-{epoch:02d}.ckpt", keep=2)
    >>> history = trainer.fit(x, x**2, epochs=5, callbacks=[saving], verbose=0)
    >>> sorted(path.name for path in folder.iterdir())
    ['run-04.ckpt', 'run-05.ckpt']
    >>> lm.load_checkpoint(folder / "run-04.ckpt").resume(x, x**2, verbose=0).epoch
    [0, 1, 2, 3, 4]
    """

    filepath: str | os.PathLike[str]
    monitor: str = "val_loss"
    save_best_only: bool = False
    mode: str = "auto"
    every_epochs: int | None = None
    every_steps: int | None = None
    every_minutes: float | None = None
    what: str = "checkpoint"
    keep: int | None = None

    _STATE: ClassVar[tuple[str, ...]] = ("best", "saved")

    def __post_init__(self) -> None:
        """Check the arguments; the core does not know callbacks."""
        object.__setattr__(self, "filepath", os.fspath(self.filepath))
        self._check_mode()
        if self.what not in ("checkpoint", "model"):
            raise ValueError(
                f"ModelCheckpoint: what must be 'checkpoint' or 'model', got {self.what!r}"
            )
        for name in ("every_epochs", "every_steps", "keep"):
            value = getattr(self, name)
            if value is not None and (value != int(value) or value < 1):
                raise ValueError(
                    f"ModelCheckpoint: {name} must be a whole number of at least 1, got {value}"
                )
        if self.every_minutes is not None and not self.every_minutes >= 0:
            raise ValueError(
                f"ModelCheckpoint: every_minutes must be at least 0, got {self.every_minutes}"
            )
        inside = self.every_steps is not None or self.every_minutes is not None
        if inside and (self.save_best_only or self.what == "model"):
            which = "save_best_only" if self.save_best_only else "what='model'"
            raise ValueError(
                f"ModelCheckpoint: {which} goes by epochs, which every_steps and every_minutes do "
                "not; for both give fit two of them"
            )
        self._fields()
        self._resumed = False
        self._forget()

    def _forget(self) -> None:
        self.best: float | None = None
        self.saved: list[str] = []
        self._last = time.monotonic()
        self._error: BaseException | None = None  # of its own
        self._history: Any = None  # of the training whose files these are

    def __getstate__(self) -> dict[str, Any]:
        """Leave the training behind in copies."""
        return {**super().__getstate__(), "_history": None, "_error": None}

    def _has_state(self) -> bool:
        return self.best is not None or bool(self.saved)

    # ---- when --------------------------------------------------------------------------------

    @property
    def batch_interval(self) -> int:
        """`every_steps`, or 0."""
        return self.every_steps or 0

    @property
    def asks_for_batches(self) -> bool:  # type: ignore[override]
        """Whether time counts."""
        return self.every_minutes is not None

    @property
    def wants_sigterm(self) -> bool:  # type: ignore[override]
        """Whether there is something to save then."""
        return self._for_resuming()

    def wants_next_batch(self) -> bool:
        """Tell whether the minutes are over."""
        minutes = self.every_minutes
        return minutes is not None and time.monotonic() - self._last >= 60 * minutes

    def check(self, keys: Sequence[str]) -> None:
        """Raise ValueError if the fit does not produce what `monitor` or `filepath` name."""
        if self.save_best_only:
            super().check(keys)
        for name in self._fields():
            if name not in ("epoch", "step") and find_key(name, keys) is None:
                raise ValueError(
                    f"ModelCheckpoint: {{{name}}} in filepath is not among the values of this fit: "
                    f"{', '.join(['epoch', 'step', *keys])}"
                )

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Begin anew if the training does; the best value and files of its other fits count."""
        if not self._resumed and self._history is not self.trainer.history:
            self._forget()
        self._history = self.trainer.history  # another one after reset()
        self._resumed = False
        self._last = time.monotonic()
        _make_folder(str(self.filepath).partition("{")[0])  # the rest has its numbers later

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Save if it is time."""
        due = self.every_steps and self.trainer.optimizer.handle.batches % self.every_steps == 0
        if due or self.wants_next_batch():
            self._save()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Save if it is time, or if there has been none as good."""
        anything = self.every_steps is not None or self.every_minutes is not None
        every = self.every_epochs or (0 if anything else 1)
        due = every > 0 and (epoch + 1) % every == 0
        if self.save_best_only:
            if due:
                super().on_epoch_end(epoch, logs)
        elif due or self.wants_next_batch():
            self._save()

    def _look(self, epoch: int, value: float) -> None:
        """Save the best so far."""
        before = self.best
        larger = self._larger_is_better()
        if math.isnan(value) or (
            before is not None and not (value > before if larger else value < before)
        ):
            return
        self.best = value
        try:
            self._save()
        except BaseException:
            self.best = before  # it is in no file
            raise

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Save a fit that was stopped before its end."""
        if self._for_resuming() and not self.trainer._plan.ended:
            self._save()

    def on_exception(self, error: BaseException) -> None:
        """Save where the fit is, and say how to go on."""
        if not self._for_resuming() or self.trainer._plan.ended or error is self._error:
            return
        path = self._save()
        note(error, f"lm.load_checkpoint({path!r}).resume(X, y, ...) goes on, in any process")

    # ---- what --------------------------------------------------------------------------------

    def _for_resuming(self) -> bool:
        return self.what == "checkpoint" and not self.save_best_only

    def _save(self) -> str:
        """Write a file; return its path."""
        path, before = self._path(), list(self.saved)
        with uninterrupted():
            self.saved = [*(one for one in before if one != path), path]
            try:
                _make_folder(path)
                if self.what == "model":
                    self.model.save(path)
                else:
                    self.trainer.save_checkpoint(path)
            except BaseException as error:
                self.saved, self._error = before, error
                raise
            self._last = time.monotonic()
            while self.keep is not None and len(self.saved) > self.keep:
                with contextlib.suppress(OSError):
                    os.unlink(self.saved[0])
                del self.saved[0]
        return path

    def _fields(self) -> list[str]:
        """Return the names in `filepath`."""
        try:
            parts = list(string.Formatter().parse(str(self.filepath)))
        except ValueError as error:
            raise ValueError(f"ModelCheckpoint: filepath {self.filepath!r}: {error}") from error
        return [name for _, name, _, _ in parts if name is not None]

    def _path(self) -> str:
        """Return the path, with the numbers of now."""
        history = self.trainer.history
        values: dict[str, Any] = {}
        for name in self._fields():
            column = history.history.get(find_key(name, history.history) or name)
            values[name] = column[-1] if column else math.nan
        values |= {"epoch": self.trainer.epoch, "step": self.trainer.optimizer.handle.batches}
        return str(self.filepath).format(**values)


def _make_folder(path: str) -> None:
    """Make the folder that a file is to lie in."""
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
