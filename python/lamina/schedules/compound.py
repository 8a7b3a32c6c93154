"""Schedules made of other schedules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lamina.schedules.base import Schedule, Scheduled, adopt_functions, as_schedule

__all__ = ["Piecewise", "Warmup"]


@dataclass(eq=False, repr=False)
class Warmup(Schedule):
    """Rises along a line to where another schedule begins, and then follows it.

    rate(t) = s(0) (f + (1 - f) t / n) for t < n, then s(t - n); s is the schedule, n `warmup_steps`
    and f `start_factor`. For large batches and for Adam, whose first steps know little.

    Parameters
    ----------
    schedule : float, Schedule or function
        What follows; it begins when the warm-up is over, in the same unit. One that takes its
        length from fit gets what the warm-up leaves.
    warmup_steps : int
        Length of the rise in `unit`, at least 0.
    start_factor : float, default 0.0
        First value as a share of ``schedule(0)``, from 0 to 1. (PyTorch's LinearLR begins at 1/3.)
    unit : {"step", "epoch"}, default "step"
        What t and the lengths count.

    References
    ----------
    Goyal et al., Accurate, large minibatch SGD: training ImageNet in 1 hour, arXiv 1706.02677.

    Examples
    --------
    >>> import lamina as lm
    >>> schedule = lm.schedules.Warmup(lm.Cosine(0.1, total_steps=100), warmup_steps=10)
    >>> [round(schedule(step), 3) for step in (0, 5, 10, 60, 110)]
    [0.0, 0.05, 0.1, 0.05, 0.0]
    """

    schedule: Scheduled
    warmup_steps: int
    start_factor: float = 0.0
    unit: str = "step"

    def __post_init__(self) -> None:
        """Take a function for a schedule."""
        adopt_functions(self)


@dataclass(eq=False, repr=False)
class Piecewise(Schedule):
    """Values or schedules one after another.

    values[0] before boundaries[0], values[1] from there up to boundaries[1], and so on. A schedule
    begins at 0 where its piece begins, and one without a length of its own gets the piece's (the
    last piece's comes from fit).

    With numbers this is Keras' PiecewiseConstantDecay, which stays at the old value for one step
    more; with schedules PyTorch's SequentialLR.

    Parameters
    ----------
    boundaries : sequence of int
        Where the next piece begins, rising, in `unit`.
    values : sequence of float, Schedule or function
        One more than boundaries; schedules of the same unit.
    unit : {"step", "epoch"}, default "step"
        What t and the boundaries count.

    Examples
    --------
    >>> import lamina as lm
    >>> schedule = lm.schedules.Piecewise([10, 20], [0.1, lm.schedules.Linear(0.05), 0.01])
    >>> [schedule(step) for step in (9, 10, 15, 20)]
    [0.1, 0.05, 0.025, 0.01]
    """

    boundaries: Sequence[float]
    values: Sequence[Scheduled]
    unit: str = "step"

    def __post_init__(self) -> None:
        """Keep tuples; take functions for schedules."""
        one = isinstance(self.boundaries, (int, float))
        object.__setattr__(self, "boundaries", (self.boundaries,) if one else (*self.boundaries,))
        object.__setattr__(self, "values", tuple(as_schedule(value) for value in self.values))
