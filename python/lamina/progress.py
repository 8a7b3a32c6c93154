"""What long calls show while they run: nothing, a bar, or a line an epoch."""

from __future__ import annotations

import shutil
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, ClassVar

__all__ = ["Progress", "RowsBar"]


def _interactive() -> bool:
    return sys.stderr.isatty() or "ipykernel" in sys.modules


def _tqdm(total: int | None, what: str, unit: str = " rows", **options: Any) -> Any:
    from tqdm.auto import tqdm  # here, since importing it takes as long as all of Lamina

    return tqdm(
        total=total,
        desc=what,
        unit=unit,
        unit_scale=True,
        # A terminal that does not know its width (0 columns) would get no bar at all.
        dynamic_ncols=shutil.get_terminal_size((0, 0)).columns > 0,
        ncols=None if shutil.get_terminal_size((0, 0)).columns > 0 else 100,
        **options,
    )


class RowsBar:
    """The bar of one pass over some rows, a context; it opens when the pass turns out long.

    Parameters
    ----------
    what : str
        Who shows it.
    verbose : {0, 1, "auto"}
        0 nothing, 1 a bar, "auto" one in a terminal or notebook if the call takes over a second.
    rows : int or None
        How many; None if nobody knows.
    unit : str
        What is counted, if not rows.
    """

    patience: ClassVar[float] = 1.0  # seconds

    def __init__(
        self, what: str, verbose: int | str, rows: int | None, unit: str = " rows"
    ) -> None:
        if verbose not in (0, 1, "auto"):
            raise ValueError(f"{what}: verbose must be 0, 1 or 'auto', got {verbose!r}")
        self._what, self._rows, self._unit = what, rows, unit
        self._shown = verbose == 1 or (verbose == "auto" and _interactive())
        self._opens = time.perf_counter() + (0.0 if verbose == 1 else self.patience)
        self._before = 0  # rows of windows that are done
        self._bar: Any = None

    @property
    def show(self) -> Callable[[int], None] | None:
        """What is to be told the rows done, now and then; None if nothing will be shown."""
        return self._tell if self._shown else None

    def window_done(self, rows: int) -> None:
        """Count from here on: so many rows are done, and the next ones are told from 0."""
        self._before += rows

    def _tell(self, rows: int) -> None:
        if self._bar is None:
            if time.perf_counter() < self._opens:
                return
            self._bar = _tqdm(self._rows, self._what, self._unit)
        self._bar.update(self._before + rows - self._bar.n)

    def __enter__(self) -> RowsBar:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the bar, full if nothing went wrong."""
        if self._bar is None:
            return
        if kind is None and self._rows is not None:
            self._bar.update(self._rows - self._bar.n)
        self._bar.close()


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
    batch_size : int
        What the bar counts: so many rows as one; 1: the rows.
    leave : bool
        Whether the bar stays when it is closed.
    file : text stream, optional
        Where the bar is drawn. Default: stderr.
    """

    def __init__(
        self,
        verbose: int | str,
        epochs: int,
        rows: int | None,
        done: int = 0,
        *,
        batch_size: int = 1,
        leave: bool = True,
        file: Any = None,
    ) -> None:
        if verbose not in (0, 1, 2, "auto"):
            raise ValueError(f"fit: verbose must be 0, 1, 2 or 'auto', got {verbose!r}")
        if verbose == "auto":
            verbose = 1 if _interactive() else 0
        self._lines = verbose == 2
        self._show_bar = verbose == 1
        self._epochs, self._rows = epochs, rows
        self._done = done
        self._batch_size, self._leave, self._file = batch_size, leave, file
        self._bar: Any = None
        self._start = time.perf_counter()

    def __enter__(self) -> Progress:
        """Open the bar."""
        if self._show_bar:
            self._bar = _tqdm(
                None if self._rows is None else self._epochs * self._units(self._rows),
                f"epoch {self._done + 1}/{self._epochs}",
                initial=self._done * self._units(self._rows or 0),
                unit=" rows" if self._batch_size == 1 else " batches",
                leave=self._leave,
                file=self._file,
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
            done = self._done * self._units(self._rows or 0) + self._units(cursor)
            self._bar.update(done - self._bar.n)

    def rows_known(self, rows: int) -> None:
        """Tell how many rows an epoch has, after the first one."""
        if self._rows is None and self._bar is not None:
            self._bar.total = self._epochs * self._units(rows)
        self._rows = rows

    def _units(self, rows: int) -> int:
        return -(-rows // self._batch_size)

    def epoch_done(self, epoch: int, logs: Mapping[str, float]) -> None:
        """Show an epoch's values."""
        self._done = min(self._done + 1, self._epochs)
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
