"""Optimizers with a rate for each weight, from the squares of its gradients."""

from __future__ import annotations

from dataclasses import dataclass

from lamina.optimizers.base import Optimizer
from lamina.schedules.base import Scheduled

__all__ = ["Adadelta", "Adagrad", "RMSprop"]


@dataclass(eq=False, repr=False)
class Adagrad(Optimizer):
    """A rate for each weight that falls with all it has seen: for rare features.

    a += g²; p -= rate · g / (sqrt(a) + epsilon)

    Parameters
    ----------
    learning_rate : float or Schedule, default 0.01
        Size of a step, at least 0; the first step moves each weight by about this much.
    initial_accumulator_value : float, default 0.0
        Where a begins, at least 0. (Keras begins at 0.1.)
    epsilon : float, default 1e-10
        Keeps the quotient finite, at least 0.
    form : {"torch", "keras"}, default "torch"
        "keras": epsilon is within the root, sqrt(a + epsilon).
    clipnorm, clipvalue, global_clipnorm, weight_decay, use_ema, ema_momentum, \
gradient_accumulation_steps
        Options of every optimizer; see Optimizer.

    References
    ----------
    Duchi, Hazan & Singer, Adaptive subgradient methods for online learning and stochastic
    optimization, JMLR 12, 2011.

    Examples
    --------
    >>> import numpy as np
    >>> import lamina as lm
    >>> p, optimizer = np.array([1.0]), lm.Adagrad(learning_rate=0.5)
    >>> optimizer.update(p, np.array([8.0]))
    >>> round(float(p[0]), 6)
    0.5
    """

    learning_rate: Scheduled = 0.01
    initial_accumulator_value: float = 0.0
    epsilon: Scheduled = 1e-10
    form: str = "torch"


@dataclass(eq=False, repr=False)
class Adadelta(Optimizer):
    """A rate for each weight that finds its own unit, from the steps it has done.

    a = rho · a + (1 - rho) · g²; d = sqrt(u + epsilon) / sqrt(a + epsilon) · g;
    u = rho · u + (1 - rho) · d²; p -= rate · d

    Parameters
    ----------
    learning_rate : float or Schedule, default 1.0
        Multiplies the steps, at least 0. (Keras begins at 0.001, the paper has none.)
    rho : float, default 0.9
        Share of the mean squares that is kept, from 0 to 1. (Keras: 0.95.)
    epsilon : float, default 1e-6
        Size of the first steps' squares, at least 0. (Keras: 1e-7.)
    clipnorm, clipvalue, global_clipnorm, weight_decay, use_ema, ema_momentum, \
gradient_accumulation_steps
        Options of every optimizer; see Optimizer.

    References
    ----------
    Zeiler, ADADELTA: an adaptive learning rate method, arXiv 1212.5701.

    Examples
    --------
    >>> import numpy as np
    >>> import lamina as lm
    >>> p, optimizer = np.array([1.0]), lm.Adadelta()
    >>> optimizer.update(p, np.array([8.0]))
    >>> bool(0.99 < p[0] < 1)
    True
    """

    learning_rate: Scheduled = 1.0
    rho: Scheduled = 0.9
    epsilon: Scheduled = 1e-6


@dataclass(eq=False, repr=False)
class RMSprop(Optimizer):
    """A rate for each weight, by the recent size of its gradient.

    a = rho · a + (1 - rho) · g²; p -= rate · g / (sqrt(a) + epsilon). With momentum the quotients
    add up: v = momentum · v + g / (sqrt(a) + epsilon); p -= rate · v.

    Parameters
    ----------
    learning_rate : float or Schedule, default 0.01
        Size of a step, at least 0. The first step is 1 / sqrt(1 - rho) times as long.
    rho : float, default 0.99
        Share of the mean square that is kept, from 0 to 1. (Keras: 0.9.)
    momentum : float, default 0.0
        Share of the velocity that is kept, from 0 to 1; 0 needs no memory for it.
    epsilon : float, default 1e-8
        Keeps the quotient finite, at least 0. (Keras: 1e-7.)
    centered : bool, default False
        True: a minus the square of the mean gradient, an estimate of its variance, in a's place.
    form : {"torch", "keras"}, default "torch"
        "keras": epsilon is within the root, sqrt(a + epsilon), and the rate within v.
    clipnorm, clipvalue, global_clipnorm, weight_decay, use_ema, ema_momentum, \
gradient_accumulation_steps
        Options of every optimizer; see Optimizer.

    References
    ----------
    Tieleman & Hinton, Neural networks for machine learning, Coursera, lecture 6.5, 2012; centered:
    Graves, Generating sequences with recurrent neural networks, arXiv 1308.0850.

    Examples
    --------
    >>> import numpy as np
    >>> import lamina as lm
    >>> p, optimizer = np.array([1.0]), lm.RMSprop(learning_rate=0.5, rho=0.75)
    >>> optimizer.update(p, np.array([8.0]))
    >>> abs(round(float(p[0]), 6))
    0.0
    """

    learning_rate: Scheduled = 0.01
    rho: Scheduled = 0.99
    momentum: Scheduled = 0.0
    epsilon: Scheduled = 1e-8
    centered: bool = False
    form: str = "torch"
