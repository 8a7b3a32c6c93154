"""Schedules that stand or fall."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lamina.schedules.base import Schedule

__all__ = [
    "Constant",
    "Cosine",
    "Exponential",
    "FlatCosine",
    "InverseTime",
    "Linear",
    "MultiStep",
    "Polynomial",
    "Step",
]


@dataclass(eq=False, repr=False)
class Constant(Schedule):
    """The same value at every step, as a plain number is; it fits any unit.

    Parameters
    ----------
    learning_rate : float
        The value, at least 0.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.schedules.Constant(0.1)(1000)
    0.1
    """

    learning_rate: float


@dataclass(eq=False, repr=False)
class Step(Schedule):
    """Falls by a factor every so many steps or epochs.

    rate(t) = r · gamma^floor(t / n) with r the first value and n `step_size`: PyTorch's StepLR.
    Usually with ``unit="epoch"``.


    Parameters
    ----------
    learning_rate : float
        Value at 0, at least 0.
    step_size : int
        Length of a stair in `unit`, at least 1.
    gamma : float, default 0.1
        Factor from one stair to the next, at least 0.
    unit : {"step", "epoch"}, default "step"
        What t and the lengths count.

    Examples
    --------
    >>> import lamina as lm
    >>> schedule = lm.schedules.Step(0.1, step_size=30, gamma=0.5)
    >>> [schedule(t) for t in (0, 29, 30, 60)]
    [0.1, 0.1, 0.05, 0.025]
    """

    learning_rate: float
    step_size: int
    gamma: float = 0.1
    unit: str = "step"


@dataclass(eq=False, repr=False)
class MultiStep(Schedule):
    """Falls by a factor at given steps or epochs.

    rate(t) = r · gamma^k with k the number of milestones up to t: PyTorch's MultiStepLR.


    Parameters
    ----------
    learning_rate : float
        Value at 0, at least 0.
    milestones : sequence of int
        Where it falls, in `unit`; one that is named twice counts twice.
    gamma : float, default 0.1
        The factor, at least 0.
    unit : {"step", "epoch"}, default "step"
        What t and the lengths count.

    Examples
    --------
    >>> import lamina as lm
    >>> schedule = lm.schedules.MultiStep(0.1, milestones=[30, 80], gamma=0.5)
    >>> [schedule(t) for t in (29, 30, 79, 80)]
    [0.1, 0.05, 0.05, 0.025]
    """

    learning_rate: float
    milestones: Sequence[float]
    gamma: float = 0.1
    unit: str = "step"

    def __post_init__(self) -> None:
        """Keep the milestones as a tuple, however they were written."""
        one = isinstance(self.milestones, (int, float))
        object.__setattr__(self, "milestones", (self.milestones,) if one else (*self.milestones,))


@dataclass(eq=False, repr=False)
class Exponential(Schedule):
    """Falls by the same share at every step.

    rate(t) = r · gamma^(t / n) with r the first value and n `decay_steps`. PyTorch's ExponentialLR,
    and with n and `staircase` Keras' ExponentialDecay. (gamma above 1 rises: for finding out which
    rate a network bears.)


    Parameters
    ----------
    learning_rate : float
        Value at 0, at least 0.
    gamma : float
        Factor in `decay_steps`, at least 0.
    decay_steps : float, default 1
        The time for one factor, in `unit`, above 0.
    staircase : bool, default False
        True: t / n is rounded down, so that it falls in stairs.
    unit : {"step", "epoch"}, default "step"
        What t and the lengths count.

    Examples
    --------
    >>> import lamina as lm
    >>> schedule = lm.schedules.Exponential(0.1, gamma=0.25, decay_steps=100)
    >>> [round(schedule(t), 6) for t in (0, 50, 100)]
    [0.1, 0.05, 0.025]
    """

    learning_rate: float
    gamma: float
    decay_steps: float = 1
    staircase: bool = False
    unit: str = "step"


@dataclass(eq=False, repr=False)
class InverseTime(Schedule):
    """Falls as 1 / t: slowly, and never to an end.

    rate(t) = r / (1 + d t / n) with r the first value, d `decay_rate` and n `decay_steps`. Steps
    that fall so add up to infinity and their squares do not, which is what stochastic descent needs
    to converge. Keras' InverseTimeDecay.


    Parameters
    ----------
    learning_rate : float
        Value at 0, at least 0.
    decay_rate : float
        How fast, at least 0: after n / d the value is half the first.
    decay_steps : float, default 1
        In `unit`, above 0.
    staircase : bool, default False
        True: t / n is rounded down, so that it falls in stairs.
    unit : {"step", "epoch"}, default "step"
        What t and the lengths count.

    References
    ----------
    Robbins & Monro, A stochastic approximation method, Annals of Mathematical Statistics 1951.

    Examples
    --------
    >>> import lamina as lm
    >>> schedule = lm.schedules.InverseTime(0.1, decay_rate=1.0, decay_steps=100)
    >>> [schedule(t) for t in (0, 100, 300)]
    [0.1, 0.05, 0.025]
    """

    learning_rate: float
    decay_rate: float
    decay_steps: float = 1
    staircase: bool = False
    unit: str = "step"


@dataclass(eq=False, repr=False)
class Polynomial(Schedule):
    """Falls as a power of the time that is left.

    rate(t) = f + (r - f) (1 - t / T)^power with r the first and f the final value and T the length;
    from T on it is f. With f = 0 PyTorch's PolynomialLR, with `cycle` Keras' PolynomialDecay.


    Parameters
    ----------
    learning_rate : float
        Value at 0, at least 0.
    total_steps : int, optional
        Length in `unit`, at least 1. None (default): the length of the fit.
    final_learning_rate : float, default 0.0
        Value at the end, where it stays, at least 0.
    power : float, default 1.0
        At least 0; 1 is a line, more falls faster at first.
    cycle : bool, default False
        True: at its end T becomes 2 T, 3 T, … so that the value jumps up and falls again.
    unit : {"step", "epoch"}, default "step"
        What t and the lengths count.

    Examples
    --------
    >>> import lamina as lm
    >>> schedule = lm.schedules.Polynomial(0.1, total_steps=100, power=2.0)
    >>> [round(schedule(t), 4) for t in (0, 50, 100)]
    [0.1, 0.025, 0.0]
    """

    learning_rate: float
    total_steps: int | None = None
    final_learning_rate: float = 0.0
    power: float = 1.0
    cycle: bool = False
    unit: str = "step"


@dataclass(eq=False, repr=False)
class Linear(Schedule):
    """Goes along a line, down or up.

    rate(t) = r + (f - r) t / T with r the first and f the final value and T the length; from T on
    it is f. PyTorch's LinearLR, whose factors multiply r.


    Parameters
    ----------
    learning_rate : float
        Value at 0, at least 0.
    total_steps : int, optional
        Length in `unit`, at least 1. None (default): the length of the fit.
    final_learning_rate : float, default 0.0
        Value at the end, where it stays, at least 0.
    unit : {"step", "epoch"}, default "step"
        What t and the lengths count.

    Examples
    --------
    >>> import lamina as lm
    >>> schedule = lm.schedules.Linear(0.5, total_steps=10, final_learning_rate=0.9)
    >>> [round(schedule(t), 3) for t in (0, 5, 10, 20)]
    [0.5, 0.7, 0.9, 0.9]
    """

    learning_rate: float
    total_steps: int | None = None
    final_learning_rate: float = 0.0
    unit: str = "step"


@dataclass(eq=False, repr=False)
class Cosine(Schedule):
    """Falls along half a cosine: slowly at first, fast in the middle, slowly at the end.

    rate(t) = f + (r - f) (1 + cos(π t / T)) / 2 with r the first and f the final value and T the
    length; from T on it is f. (In PyTorch's CosineAnnealingLR it would rise again.)


    Parameters
    ----------
    learning_rate : float
        Value at 0, at least 0.
    total_steps : int, optional
        Length in `unit`, at least 1. None (default): the length of the fit.
    final_learning_rate : float, default 0.0
        Value at the end, where it stays, at least 0.
    unit : {"step", "epoch"}, default "step"
        What t and the lengths count.

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
    unit: str = "step"


@dataclass(eq=False, repr=False)
class FlatCosine(Schedule):
    """Stands for most of the time and then falls along half a cosine.

    The first value up to p T, then a cosine down to the final one at T; p is `pct_start`, T the
    length. It needs less care with the length than Cosine; fastai's fit_flat_cos.


    Parameters
    ----------
    learning_rate : float
        Value at 0, at least 0.
    total_steps : int, optional
        Length in `unit`, at least 1. None (default): the length of the fit.
    pct_start : float, default 0.75
        Share of the length that is flat, from 0 to 1.
    final_learning_rate : float, default 0.0
        Value at the end, where it stays, at least 0.
    unit : {"step", "epoch"}, default "step"
        What t and the lengths count.

    Examples
    --------
    >>> import lamina as lm
    >>> schedule = lm.schedules.FlatCosine(0.1, total_steps=100)
    >>> [round(schedule(t), 3) for t in (0, 75, 100)]
    [0.1, 0.1, 0.0]
    """

    learning_rate: float
    total_steps: int | None = None
    pct_start: float = 0.75
    final_learning_rate: float = 0.0
    unit: str = "step"
