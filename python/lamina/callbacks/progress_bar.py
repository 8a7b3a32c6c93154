"""ProgressBar."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TextIO

from lamina._config import Configurable
from lamina.callbacks.base import Callback, Logs
from lamina.progress import Progress

__all__ = ["ProgressBar"]


class ProgressBar(Callback, Configurable):
    """Shows a bar of the whole fit, with the values of its last epoch.

    It is the bar of ``fit(verbose=1)``, for those who want to choose what it counts and where it is
    drawn; give ``verbose=0`` beside it. It hears of the training some 20 times a second and costs
    nothing per batch. A fit that is resumed goes on where the bar was.

    Parameters
    ----------
    unit : {"batch", "rows"}, default "batch"
        What is counted.
    leave : bool, default True
        Whether the bar stays when the fit has ended.
    file : text stream, optional
        Where it is drawn. Default: stderr (a widget in a notebook).

    Raises
    ------
    ValueError
        If `unit` is something else.

    References
    ----------
    tqdm, https://tqdm.github.io.

    Examples
    --------
    >>> import io
    >>> import numpy as np
    >>> import lamina as lm
    >>> x = np.linspace(-1, 1, 64).reshape(-1, 1)
    >>> model = lm.Model([lm.Input(1), lm.Dense(1)], seed=0)
    >>> trainer, drawn = lm.Trainer(model, loss="mse"), io.StringIO()
    >>> bar = lm.ProgressBar(file=drawn)
    >>> history = trainer.fit(x, x, epochs=3, batch_size=16, callbacks=[bar], verbose=0)
    >>> "12.0/12.0" in drawn.getvalue()
    True
    """

    def __init__(self, unit: str = "batch", leave: bool = True, file: TextIO | None = None) -> None:
        if unit not in ("batch", "rows"):
            raise ValueError(f"ProgressBar: unit must be 'batch' or 'rows', got {unit!r}")
        self.unit = unit
        self.leave = leave
        self.file = file
        self._progress: Progress | None = None
        self._rows = 0  # of the epoch, as far as it has come

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Open the bar."""
        fit: Mapping[str, Any] = self.params
        self._close()
        self._progress = Progress(
            1,
            fit["epochs"],
            fit["rows"],
            fit["epochs_done"],
            batch_size=fit["batch_size"] if self.unit == "batch" else 1,
            leave=self.leave,
            file=self.file,
        ).__enter__()

    def on_tick(self, rows: int) -> None:
        """Move the bar."""
        self._rows = rows
        if self._progress is not None:
            self._progress.rows_done(rows)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Show the values of the epoch."""
        if self._progress is not None:
            if self._rows > 0:
                self._progress.rows_known(self._rows)
            self._progress.epoch_done(epoch, logs or {})
            self._rows = 0

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Close the bar."""
        self._close()

    def on_exception(self, error: BaseException) -> None:
        """Close the bar."""
        self._close()

    def _close(self) -> None:
        if self._progress is not None:
            self._progress.__exit__(None, None, None)
            self._progress = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave the open bar and its stream behind in copies."""
        return {**super().__getstate__(), "_progress": None, "_rows": 0, "file": None}
