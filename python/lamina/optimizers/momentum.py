"""Gradient descent, with and without a velocity, and Lion."""

from __future__ import annotations

from dataclasses import dataclass

from lamina.optimizers.base import Optimizer
from lamina.schedules.base import Scheduled

__all__ = ["SGD", "Lion", "Momentum", "Nesterov"]


@dataclass(eq=False, repr=False)
class SGD(Optimizer):
    """Gradient descent: a step straight down the gradient of each batch.

    p -= rate · g

    The textbook's method, called stochastic when a batch is less than all rows. It needs a
    well-chosen rate.

    Parameters
    ----------
    learning_rate : float or Schedule, default 0.01
        Size of a step, at least 0.
    clipnorm, clipvalue, global_clipnorm, weight_decay, use_ema, ema_momentum, \
gradient_accumulation_steps
        Options of every optimizer; see Optimizer.

    References
    ----------
    Robbins & Monro, A stochastic approximation method, Annals of Mathematical Statistics 1951.

    Examples
    --------
    >>> import numpy as np
    >>> import lamina as lm
    >>> p = np.array([1.0])
    >>> lm.SGD(learning_rate=0.1).update(p, np.array([2.0]))
    >>> p
    array([0.8])
    """

    learning_rate: Scheduled = 0.01


@dataclass(eq=False, repr=False)
class Momentum(Optimizer):
    """Gradient descent with a memory: the steps add up like the pushes on a heavy ball.

    v = momentum · v + g; p -= rate · v

    In a constant slope the steps grow up to 1 / (1 - momentum) times that of SGD.

    Parameters
    ----------
    learning_rate : float or Schedule, default 0.01
        Size of a step, at least 0.
    momentum : float, default 0.9
        Share of the velocity that is kept, from 0 to 1.
    form : {"torch", "keras"}, default "torch"
        "keras": v = momentum · v + rate · g; p -= v. At a constant rate the two are equal.
    clipnorm, clipvalue, global_clipnorm, weight_decay, use_ema, ema_momentum, \
gradient_accumulation_steps
        Options of every optimizer; see Optimizer.

    References
    ----------
    Polyak, Some methods of speeding up the convergence of iteration methods, USSR Computational
    Mathematics and Mathematical Physics 1964.

    Examples
    --------
    >>> import numpy as np
    >>> import lamina as lm
    >>> p, optimizer = np.array([4.0]), lm.Momentum(learning_rate=1.0, momentum=0.5)
    >>> for step in range(2):
    ...     optimizer.update(p, np.array([1.0]))
    >>> p
    array([1.5])
    """

    learning_rate: Scheduled = 0.01
    momentum: Scheduled = 0.9
    form: str = "torch"


@dataclass(eq=False, repr=False)
class Nesterov(Optimizer):
    """Momentum that looks ahead: it brakes earlier when the slope turns.

    v = momentum · v + g; p -= rate · (g + momentum · v)

    Parameters
    ----------
    learning_rate : float or Schedule, default 0.01
        Size of a step, at least 0.
    momentum : float, default 0.9
        Share of the velocity that is kept, from 0 to 1.
    form : {"torch", "keras"}, default "torch"
        "keras": the rate is within v. At a constant rate the two are equal.
    clipnorm, clipvalue, global_clipnorm, weight_decay, use_ema, ema_momentum, \
gradient_accumulation_steps
        Options of every optimizer; see Optimizer.

    References
    ----------
    Nesterov, A method for solving the convex programming problem with convergence rate O(1/k²),
    1983; in this form Sutskever et al., On the importance of initialization and momentum in deep
    learning, ICML 2013, and PyTorch.

    Examples
    --------
    >>> import numpy as np
    >>> import lamina as lm
    >>> p, optimizer = np.array([4.0]), lm.Nesterov(learning_rate=1.0, momentum=0.5)
    >>> optimizer.update(p, np.array([1.0]))
    >>> p
    array([2.5])
    """

    learning_rate: Scheduled = 0.01
    momentum: Scheduled = 0.9
    form: str = "torch"


@dataclass(eq=False, repr=False)
class Lion(Optimizer):
    """Steps of one size, by the sign of a mean of gradients: half of Adam's memory.

    p -= rate · sign(β₁ m + (1 - β₁) g); m = β₂ m + (1 - β₂) g

    Every weight moves by the rate at each step, so the rate is a third to a tenth of Adam's, and a
    `weight_decay` as many times larger.

    Parameters
    ----------
    learning_rate : float or Schedule, default 1e-4
        Size of a step, at least 0.
    beta_1 : float, default 0.9
        Share of the mean in the direction, from 0 to 1.
    beta_2 : float, default 0.99
        Share of the mean that is kept, from 0 to 1.
    clipnorm, clipvalue, global_clipnorm, weight_decay, use_ema, ema_momentum, \
gradient_accumulation_steps
        Options of every optimizer; see Optimizer.

    References
    ----------
    Chen et al., Symbolic discovery of optimization algorithms, arXiv 2302.06675.

    Examples
    --------
    >>> import numpy as np
    >>> import lamina as lm
    >>> p, optimizer = np.array([1.0]), lm.Lion(learning_rate=0.25)
    >>> optimizer.update(p, np.array([8.0]))
    >>> p
    array([0.75])
    """

    learning_rate: Scheduled = 1e-4
    beta_1: Scheduled = 0.9
    beta_2: Scheduled = 0.99
