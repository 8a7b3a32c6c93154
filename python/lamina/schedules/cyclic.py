"""Schedules that rise and fall."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lamina.schedules.base import Schedule

__all__ = ["CosLog", "CosineRestarts", "Cyclical", "OneCycle"]


@dataclass(eq=False, repr=False)
class CosineRestarts(Schedule):
    """Falls along half a cosine again and again.

    rate(t) = f + (r - f) mⁱ (1 + cos(π tᵢ / Tᵢ)) / 2, where tᵢ is the time since the i-th restart
    and Tᵢ = T₀ · t_mulⁱ the length of that period; r is the first and f the lowest value, T₀
    `first_decay_steps`, m `m_mul`. PyTorch's CosineAnnealingWarmRestarts (T_0, T_mult) and Keras'
    CosineDecayRestarts (whose t_mul is 2 by default).


    Parameters
    ----------
    learning_rate : float
        Value at 0, at least 0.
    first_decay_steps : int
        Length of the first period in `unit`, at least 1.
    t_mul : float, default 1.0
        Length of a period by that of the one before, at least 1.
    m_mul : float, default 1.0
        Height of a period by that of the one before, from 0 to 1.
    final_learning_rate : float, default 0.0
        What each period falls to, at least 0.
    unit : {"step", "epoch"}, default "step"
        What t and the lengths count.

    References
    ----------
    Loshchilov & Hutter, SGDR: stochastic gradient descent with warm restarts, arXiv 1608.03983.

    Examples
    --------
    >>> import lamina as lm
    >>> schedule = lm.schedules.CosineRestarts(0.1, first_decay_steps=10, t_mul=2.0)
    >>> [round(schedule(t), 3) for t in (0, 5, 10, 20, 30)]
    [0.1, 0.05, 0.1, 0.05, 0.1]
    """

    learning_rate: float
    first_decay_steps: int
    t_mul: float = 1.0
    m_mul: float = 1.0
    final_learning_rate: float = 0.0
    unit: str = "step"


@dataclass(eq=False, repr=False)
class CosLog(Schedule):
    """Waves that grow longer: many rates tried early, the last fall slow.

    rate(t) = r (1 - cos(2π log₂(1 + (2ᶜ - 1) t / T))) / 2 with r the highest value, c `cycles` and
    T the length. It begins and ends at 0 and each wave is about twice as long as the one before.
    RealMLP's schedule for tables, there with 4 cycles.


    Parameters
    ----------
    max_learning_rate : float
        The highest value, at least 0.
    total_steps : int, optional
        Length in `unit`, at least 1. None (default): the length of the fit.
    cycles : float, default 4
        Number of waves, above 0, at most 64.
    unit : {"step", "epoch"}, default "step"
        What t and the lengths count.

    References
    ----------
    Holzmüller, Grinsztajn & Steinwart, Better by default: strong pre-tuned MLPs and boosted trees
    on tabular data, arXiv 2407.04491.

    Examples
    --------
    >>> import lamina as lm
    >>> schedule = lm.schedules.CosLog(0.1, total_steps=150)
    >>> [round(schedule(t), 3) for t in (0, 10, 30, 70, 150)]
    [0.0, 0.0, 0.0, 0.0, 0.0]
    >>> round(schedule(150 * (2**3.5 - 1) / 15), 3)
    0.1
    """

    max_learning_rate: float
    total_steps: int | None = None
    cycles: float = 4
    unit: str = "step"


@dataclass(eq=False, repr=False)
class Cyclical(Schedule):
    """Rises and falls along lines, again and again, between two values.

    rate(t) = b + (m - b) · h · s: h is a triangle from 0 up to 1 and back, s by `mode` 1
    ("triangular"), 1/2ᵏ in the k-th cycle from 0 ("triangular2") or gammaᵗ ("exp_range"); b and m
    are the base and the highest value. PyTorch's CyclicLR, whose cycle of the momentum is
    :meth:`momentum`.


    Parameters
    ----------
    base_learning_rate : float
        Value at 0 and between the cycles, at least 0. It may be the larger one; the triangles then
        point down.
    max_learning_rate : float
        Value at the tips, at least 0.
    step_size_up : int, default 2000
        Length of the rise in `unit`, at least 1.
    step_size_down : int, optional
        Length of the fall. None (default): as long as the rise.
    mode : {"triangular", "triangular2", "exp_range"}, default "triangular"
        How the height changes from cycle to cycle.
    gamma : float, default 1.0
        For "exp_range", from 0 to 1.
    unit : {"step", "epoch"}, default "step"
        What t and the lengths count.

    References
    ----------
    Smith, Cyclical learning rates for training neural networks, arXiv 1506.01186.

    Examples
    --------
    >>> import lamina as lm
    >>> schedule = lm.schedules.Cyclical(0.01, 0.05, step_size_up=10, mode="triangular2")
    >>> [round(schedule(t), 3) for t in (0, 10, 20, 30)]
    [0.01, 0.05, 0.01, 0.03]
    """

    base_learning_rate: float
    max_learning_rate: float
    step_size_up: int = 2000
    step_size_down: int | None = None
    mode: str = "triangular"
    gamma: float = 1.0
    unit: str = "step"

    def momentum(self, base_momentum: float = 0.8, max_momentum: float = 0.9) -> Cyclical:
        """Return the schedule of the momentum that goes with this one of the rate.

        The momentum is low while the rate is high, and high while it is low.

        Parameters
        ----------
        base_momentum : float, default 0.8
            The lowest, where the rate is highest; above 0.
        max_momentum : float, default 0.9
            The highest, where the rate is lowest.

        Examples
        --------
        >>> import lamina as lm
        >>> rate = lm.schedules.Cyclical(0.01, 0.05, step_size_up=10)
        >>> optimizer = lm.Momentum(rate, momentum=rate.momentum())
        >>> [round(rate.momentum()(t), 3) for t in (0, 10, 20)]
        [0.9, 0.8, 0.9]
        """
        return replace(self, base_learning_rate=max_momentum, max_learning_rate=base_momentum)


@dataclass(eq=False, repr=False)
class OneCycle(Schedule):
    """Rises to a high rate and falls far below the first: a good default for a fixed length.

    Up from m / d at 0 to m at p T - 1, then down to m / (d · e) at T - 1, where it stays, along
    cosines; m is the highest value, p `pct_start`, T the length, d `div_factor` and e
    `final_div_factor`. In three phases it falls as long as it rose, to m / d, before it falls to
    the end. This is PyTorch's OneCycleLR, whose cycle of the momentum is :meth:`momentum`.


    Parameters
    ----------
    max_learning_rate : float
        The highest rate, at least 0. It can be some times what a constant rate would bear.
    total_steps : int, optional
        Length in `unit`, at least 1. None (default): the length of the fit.
    pct_start : float, default 0.3
        Share of the length in which the rate rises, from 0 to 1.
    div_factor : float, default 25.0
        Highest over first rate, above 0.
    final_div_factor : float, default 1e4
        First over last rate, above 0.
    three_phase : bool, default False
        Whether it comes back to the first rate before it falls to the end, as in the paper.
    anneal_strategy : {"cos", "linear"}, default "cos"
        Cosines or lines.
    unit : {"step", "epoch"}, default "step"
        What t and the lengths count.

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
    three_phase: bool = False
    anneal_strategy: str = "cos"
    unit: str = "step"

    def momentum(self, base_momentum: float = 0.85, max_momentum: float = 0.95) -> OneCycle:
        """Return the schedule of the momentum that goes with this one of the rate.

        The momentum is low while the rate is high, and high while it is low.

        Parameters
        ----------
        base_momentum : float, default 0.85
            The lowest, where the rate is highest; above 0.
        max_momentum : float, default 0.95
            The highest, where the rate is lowest.

        Examples
        --------
        >>> import lamina as lm
        >>> rate = lm.OneCycle(0.1, total_steps=100)
        >>> optimizer = lm.Momentum(rate, momentum=rate.momentum())
        >>> [round(rate.momentum()(t), 3) for t in (0, 29, 99)]
        [0.95, 0.85, 0.95]
        """
        return replace(
            self,
            max_learning_rate=base_momentum,
            div_factor=base_momentum / max_momentum,
            final_div_factor=1.0,
        )
