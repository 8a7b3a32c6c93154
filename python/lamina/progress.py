"""What fit shows while it runs: nothing, a bar, or a line an epoch."""

from __future__ import annotations

import shutil
import sys
import time
import warnings
from collections.abc import Mapping
from types import TracebackType
from typing import Any

__all__ = ["Progress"]


def _interactive() -> bool:
    return sys.stderr.isatty() or "ipykernel" in sys.modules


class Progress:
    """Follows a fit of some epochs over some rows.

    Parameters
    ----------
    verbose : {0, 1, 2, "auto"}
        As in ``Trainer.fit``.
    epochs : int
        Of the fit.
    rows : int or None
        Of an epoch; None if nobody knows.
    done : int
        Epochs that are done already.
    """

    def __init__(self, verbose: int | str, epochs: int, rows: int | None, done: int = 0) -> None:
        if verbose not in (0, 1, 2, "auto"):
            raise ValueError(f"fit: verbose must be 0, 1, 2 or 'auto', got {verbose!r}")
        if verbose == "auto":
            verbose = 1 if _interactive() else 0
        self._lines = verbose == 2
        self._show_bar = verbose == 1
        self._epochs, self._rows = epochs, rows
        self._done = done
        self._bar: Any = None
        self._start = time.perf_counter()

    def __enter__(self) -> Progress:
        """Open the bar."""
        if self._show_bar:
            from tqdm.auto import tqdm  # here, since importing it takes as long as all of Lamina

            self._bar = tqdm(
                total=None if self._rows is None else self._epochs * self._rows,
                initial=self._done * (self._rows or 0),
                unit=" rows",
                unit_scale=True,
                # A terminal that does not know its width (0 columns) would get no bar at all.
                dynamic_ncols=shutil.get_terminal_size((0, 0)).columns > 0,
                ncols=None if shutil.get_terminal_size((0, 0)).columns > 0 else 100,
                leave=True,
                desc=f"epoch {self._done + 1}/{self._epochs}",
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the bar."""
        if self._bar is not None:
            self._bar.close()

    def rows_done(self, cursor: int) -> None:
        """Move the bar to `cursor` rows of the open epoch."""
        if self._bar is not None:
            self._bar.update(self._done * (self._rows or 0) + cursor - self._bar.n)

    def rows_known(self, rows: int) -> None:
        """Tell how many rows an epoch has, after the first one."""
        if self._rows is None and self._bar is not None:
            self._bar.total = self._epochs * rows
        self._rows = rows

    def epoch_done(self, epoch: int, logs: Mapping[str, float]) -> None:
        """Show an epoch's values."""
        self._done += 1
        if self._bar is not None:
            shown = {key: f"{value:.4g}" for key, value in logs.items() if key != "penalty"}
            self._bar.set_postfix(shown, refresh=False)
            self._bar.set_description(
                f"epoch {min(self._done + 1, self._epochs)}/{self._epochs}", refresh=False
            )
            self.rows_done(0)
        if self._lines:
            values = "  ".join(f"{key} {value:.5g}" for key, value in logs.items())
            seconds = time.perf_counter() - self._start
            print(f"epoch {self._done}/{self._epochs}  {values}  {seconds:.1f} s", flush=True)

    def warn(self, text: str) -> None:
        """Say something that must not be overlooked."""
        warnings.warn(text, RuntimeWarning, stacklevel=6)
