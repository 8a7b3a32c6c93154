"""Schedules: a learning rate that changes with the step. The arithmetic is the core's."""

from __future__ import annotations

from dataclasses import dataclass

from lamina._config import Configurable
from lamina._isa import core

__all__ = ["Constant", "Cosine", "OneCycle", "Schedule"]


class Schedule(Configurable):
    """A learning rate as a function of the step; takes the place of a number.

    ``lm.Adam(learning_rate=lm.OneCycle(max_learning_rate=3e-3))``. A step is one batch, counted
    from 0. A schedule whose ``total_steps`` is None takes its length from fit (epochs times
    batches); such a one refuses a second fit and cannot be called alone.
    """

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step.

        Parameters
        ----------
        step : int
            From 0.

        Raises
        ------
        ValueError
            If the length is not known: "give total_steps".
        """
        return float(core.schedule(self._core_spec(), step, 0))


@dataclass(eq=False, repr=False)
class Constant(Schedule):
    """The same rate at every step, as a plain number is.

    Parameters
    ----------
    learning_rate : float
        The rate, at least 0.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.schedules.Constant(0.1)(1000)
    0.1
    """

    learning_rate: float


@dataclass(eq=False, repr=False)
class Cosine(Schedule):
    """Falls along half a cosine: slowly at first, fast in the middle, slowly at the end.

    rate(t) = f + (r - f) (1 + cos(π t / T)) / 2 with r the initial and f the final rate and T the
    total steps; from step T on it is f.

    Parameters
    ----------
    learning_rate : float
        Rate at step 0, at least 0.
    total_steps : int, optional
        Length in steps, at least 1. None (default): the length of the fit.
    final_learning_rate : float, default 0.0
        Rate at the end, at least 0.

    References
    ----------
    Loshchilov & Hutter, SGDR: stochastic gradient descent with warm restarts, arXiv 1608.03983
    (without the restarts).

    Examples
    --------
    >>> import lamina as lm
    >>> schedule = lm.Cosine(0.1, total_steps=100)
    >>> [round(schedule(step), 3) for step in (0, 50, 100)]
    [0.1, 0.05, 0.0]
    """

    learning_rate: float
    total_steps: int | None = None
    final_learning_rate: float = 0.0


@dataclass(eq=False, repr=False)
class OneCycle(Schedule):
    """Rises to a high rate and falls far below the first: a good default for a fixed length.

    Along cosines from max_learning_rate / div_factor at step 0 up to max_learning_rate at step
    pct_start · total_steps - 1, then down to max_learning_rate / (div_factor · final_div_factor) at
    step total_steps - 1, where it stays. This is PyTorch's OneCycleLR, without its cycle of the
    momentum.

    Parameters
    ----------
    max_learning_rate : float
        The highest rate, at least 0. It can be some times what a constant rate would bear.
    total_steps : int, optional
        Length in steps, at least 1. None (default): the length of the fit.
    pct_start : float, default 0.3
        Share of the steps in which the rate rises, from 0 to 1.
    div_factor : float, default 25.0
        Highest over first rate, at least 1.
    final_div_factor : float, default 1e4
        First over last rate, at least 1.

    References
    ----------
    Smith & Topin, Super-convergence: very fast training of neural networks using large learning
    rates, arXiv 1708.07120.

    Examples
    --------
    >>> import lamina as lm
    >>> schedule = lm.OneCycle(0.1, total_steps=100)
    >>> [round(schedule(step), 4) for step in (0, 29, 99)]
    [0.004, 0.1, 0.0]
    """

    max_learning_rate: float
    total_steps: int | None = None
    pct_start: float = 0.3
    div_factor: float = 25.0
    final_div_factor: float = 1e4
