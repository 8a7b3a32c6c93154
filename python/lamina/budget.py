"""Time budgets of fits: what still fits into the seconds that are left."""

from __future__ import annotations

import math
import time
from numbers import Real

__all__ = ["Budget", "Pace"]

_SPARE = 0.03  # share of the budget by which what is only expected to take so long may overrun it


class Budget:
    """The seconds that a call may take, from now on.

    Parameters
    ----------
    seconds : float or None
        Above 0; None for no limit.

    Raises
    ------
    ValueError
        If it is another number.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self._begin = time.perf_counter()
        number = isinstance(seconds, Real) and math.isfinite(seconds)
        if seconds is not None and not (number and seconds > 0):
            raise ValueError(f"time_budget must be a number of seconds above 0, got {seconds!r}")
        self.seconds = seconds

    @property
    def left(self) -> float | None:
        """Seconds that are left, at least 0; None if there is no limit."""
        if self.seconds is None:
            return None
        return max(0.0, self._begin + self.seconds - time.perf_counter())

    def is_over(self, step: float = 0.0) -> bool:
        """Say whether one more step would end further behind the end than now is before it."""
        return self.left is not None and self.left <= step / 2

    def allows(self, seconds: float, step: float = 0.0) -> bool:
        """Say whether so much more fits; a budget may be overrun by a little, or by a step."""
        if self.seconds is None or seconds <= 0:
            return True
        left = self._begin + self.seconds - time.perf_counter()
        return seconds <= left + max(_SPARE * self.seconds, step)

    @property
    def reason(self) -> str:
        """Why a fit stops that has used it up."""
        return f"time budget of {self.seconds:g} s used up" if self.seconds else "stopped"


class Pace:
    """How long a fit takes for a row, and for what it does at the end of an epoch.

    Parameters
    ----------
    measured_rows : int
        That are predicted at the end of each epoch, 0 if none are.
    """

    # A step is forward, backward, gradients and the update; a prediction is forward alone.
    _FORWARD = 1 / 3

    def __init__(self, measured_rows: int) -> None:
        self._measured_rows = measured_rows
        self._rows, self._seconds = 0, 0.0
        self._end: float | None = None

    def trained(self, rows: int, seconds: float) -> None:
        """Note a piece of training."""
        self._rows += rows
        self._seconds += seconds

    def ended(self, seconds: float) -> None:
        """Note the end of an epoch: measuring and callbacks."""
        self._end = seconds

    def step(self, rows: int) -> float:
        """Return the seconds that so many rows take to be trained on; 0 if nobody knows."""
        return self._seconds / self._rows * rows if self._rows else 0.0

    def prediction(self, rows: int) -> float:
        """Return the seconds that so many rows take to be predicted; 0 if nobody knows."""
        return self.step(rows) * self._FORWARD

    @property
    def end(self) -> float:
        """The seconds that the next end of an epoch will take; 0 if nobody knows."""
        if self._end is not None:
            return self._end
        return self.prediction(self._measured_rows)
