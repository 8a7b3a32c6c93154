"""Adam and its kin."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from lamina.optimizers.base import Optimizer
from lamina.schedules.base import Scheduled

__all__ = ["AMSGrad", "Adam", "AdamW", "Adamax", "NAdam", "RAdam"]


@dataclass(eq=False, repr=False)
class Adam(Optimizer):
    """Momentum and a rate for each weight in one: the default, and seldom a bad choice.

    m = β₁ m + (1 - β₁) g; v = β₂ v + (1 - β₂) g²;
    p -= rate · m̂ / (sqrt(v̂) + epsilon) with m̂ = m / (1 - β₁ᵗ), v̂ = v / (1 - β₂ᵗ) and t the step,
    counted from 1. No weight moves much more than the rate in one step. AdamW is the same with
    a weight decay by default.

    Parameters
    ----------
    learning_rate : float or Schedule, default 0.001
        Size of a step, at least 0.
    beta_1 : float, default 0.9
        Share of the mean gradient that is kept, at least 0 and below 1.
    beta_2 : float, default 0.999
        Share of the mean square that is kept, at least 0 and below 1.
    epsilon : float, default 1e-8
        Keeps the quotient finite, at least 0. (Keras: 1e-7.)
    form : {"torch", "keras"}, default "torch"
        "keras": epsilon is the paper's ε̂, added before v is corrected, so that it weighs more
        in the first steps.
    clipnorm, clipvalue, global_clipnorm, weight_decay, use_ema, ema_momentum, \
gradient_accumulation_steps
        Options of every optimizer; see Optimizer.

    References
    ----------
    Kingma & Ba, Adam: a method for stochastic optimization, arXiv 1412.6980.

    Examples
    --------
    >>> import numpy as np
    >>> import lamina as lm
    >>> p, optimizer = np.array([1.0]), lm.Adam(learning_rate=0.5)
    >>> optimizer.update(p, np.array([8.0]))
    >>> round(float(p[0]), 6)
    0.5
    """

    learning_rate: Scheduled = 0.001
    beta_1: Scheduled = 0.9
    beta_2: Scheduled = 0.999
    epsilon: Scheduled = 1e-8
    form: str = "torch"


@dataclass(eq=False, repr=False)
class AdamW(Optimizer):
    """Adam with a weight decay apart from the gradient: the usual choice where one regularises.

    As Adam, after p -= rate · weight_decay · p. A decay in the gradient (``lm.L2``) would be
    divided by the gradient's size; this one is not.

    The `weight_decay` of 0.01 is PyTorch's default (Keras: 0.004).

    Parameters
    ----------
    learning_rate : float or Schedule, default 0.001
        Size of a step, at least 0.
    beta_1 : float, default 0.9
        Share of the mean gradient that is kept, at least 0 and below 1.
    beta_2 : float, default 0.999
        Share of the mean square that is kept, at least 0 and below 1.
    epsilon : float, default 1e-8
        Keeps the quotient finite, at least 0. (Keras: 1e-7.)
    form : {"torch", "keras"}, default "torch"
        "keras": epsilon is the paper's ε̂, added before v is corrected, so that it weighs more
        in the first steps.
    clipnorm, clipvalue, global_clipnorm, weight_decay, use_ema, ema_momentum, \
gradient_accumulation_steps
        Options of every optimizer; see Optimizer.

    References
    ----------
    Loshchilov & Hutter, Decoupled weight decay regularization, arXiv 1711.05101.

    Examples
    --------
    >>> import numpy as np
    >>> import lamina as lm
    >>> p, optimizer = np.array([1.0]), lm.AdamW(learning_rate=0.5)
    >>> optimizer.update(p, np.array([8.0]))
    >>> round(float(p[0]), 6)
    0.495
    """

    learning_rate: Scheduled = 0.001
    beta_1: Scheduled = 0.9
    beta_2: Scheduled = 0.999
    epsilon: Scheduled = 1e-8
    form: str = "torch"
    _: KW_ONLY
    weight_decay: Scheduled = 0.01


@dataclass(eq=False, repr=False)
class AMSGrad(Optimizer):
    """Adam whose rates never grow again: a proof of convergence.

    As Adam, with the largest v so far in v's place. (PyTorch and Keras: ``Adam(amsgrad=True)``.)

    Parameters
    ----------
    learning_rate : float or Schedule, default 0.001
        Size of a step, at least 0.
    beta_1 : float, default 0.9
        Share of the mean gradient that is kept, at least 0 and below 1.
    beta_2 : float, default 0.999
        Share of the mean square that is kept, at least 0 and below 1.
    epsilon : float, default 1e-8
        Keeps the quotient finite, at least 0. (Keras: 1e-7.)
    form : {"torch", "keras"}, default "torch"
        "keras": epsilon is the paper's ε̂, added before v is corrected, so that it weighs more
        in the first steps.
    clipnorm, clipvalue, global_clipnorm, weight_decay, use_ema, ema_momentum, \
gradient_accumulation_steps
        Options of every optimizer; see Optimizer.

    References
    ----------
    Reddi, Kale & Kumar, On the convergence of Adam and beyond, arXiv 1904.09237.

    Examples
    --------
    >>> import numpy as np
    >>> import lamina as lm
    >>> p, optimizer = np.array([1.0]), lm.AMSGrad(learning_rate=0.5)
    >>> optimizer.update(p, np.array([8.0]))
    >>> round(float(p[0]), 6)
    0.5
    """

    learning_rate: Scheduled = 0.001
    beta_1: Scheduled = 0.9
    beta_2: Scheduled = 0.999
    epsilon: Scheduled = 1e-8
    form: str = "torch"


@dataclass(eq=False, repr=False)
class Adamax(Optimizer):
    """Adam with the largest gradient in place of the mean square: steps of steady size.

    m = β₁ m + (1 - β₁) g; u = max(β₂ u, |g| + epsilon); p -= rate / (1 - β₁ᵗ) · m / u

    Parameters
    ----------
    learning_rate : float or Schedule, default 0.002
        Size of a step, at least 0.
    beta_1 : float, default 0.9
        Share of the mean gradient that is kept, at least 0 and below 1.
    beta_2 : float, default 0.999
        Share of the mean square that is kept, at least 0 and below 1.
    epsilon : float, default 1e-8
        Keeps the quotient finite, at least 0. (Keras: 1e-7.)
    form : {"torch", "keras"}, default "torch"
        "keras": u = max(β₂ u, |g|) and m / (u + epsilon).
    clipnorm, clipvalue, global_clipnorm, weight_decay, use_ema, ema_momentum, \
gradient_accumulation_steps
        Options of every optimizer; see Optimizer.

    References
    ----------
    Kingma & Ba, Adam: a method for stochastic optimization, arXiv 1412.6980, algorithm 2.

    Examples
    --------
    >>> import numpy as np
    >>> import lamina as lm
    >>> p, optimizer = np.array([1.0]), lm.Adamax(learning_rate=0.5)
    >>> optimizer.update(p, np.array([8.0]))
    >>> round(float(p[0]), 6)
    0.5
    """

    learning_rate: Scheduled = 0.002
    beta_1: Scheduled = 0.9
    beta_2: Scheduled = 0.999
    epsilon: Scheduled = 1e-8
    form: str = "torch"


@dataclass(eq=False, repr=False)
class NAdam(Optimizer):
    """Adam that looks ahead, as Nesterov does.

    As Adam, with rate · (c' m / (1 - C c') + (1 - c) g / (1 - C)) in place of rate · m / (1 - β₁ᵗ);
    c = β₁ (1 - 0.96^(t · momentum_decay) / 2) at step t, c' that of the next step and C the product
    of all c so far (with the present β₁).

    Parameters
    ----------
    learning_rate : float or Schedule, default 0.002
        Size of a step, at least 0.
    beta_1 : float, default 0.9
        Share of the mean gradient that is kept, at least 0 and below 1.
    beta_2 : float, default 0.999
        Share of the mean square that is kept, at least 0 and below 1.
    epsilon : float, default 1e-8
        Keeps the quotient finite, at least 0. (Keras: 1e-7.)
    momentum_decay : float, default 0.004
        How fast c goes from β₁ / 2 to β₁, at least 0. (Keras': 1, and its epsilon 1e-7.)
    clipnorm, clipvalue, global_clipnorm, weight_decay, use_ema, ema_momentum, \
gradient_accumulation_steps
        Options of every optimizer; see Optimizer.

    References
    ----------
    Dozat, Incorporating Nesterov momentum into Adam, ICLR workshop 2016.

    Examples
    --------
    >>> import numpy as np
    >>> import lamina as lm
    >>> p, optimizer = np.array([1.0]), lm.NAdam(learning_rate=0.5)
    >>> optimizer.update(p, np.array([8.0]))
    >>> bool(0 < p[0] < 1)
    True
    """

    learning_rate: Scheduled = 0.002
    beta_1: Scheduled = 0.9
    beta_2: Scheduled = 0.999
    epsilon: Scheduled = 1e-8
    momentum_decay: Scheduled = 0.004


@dataclass(eq=False, repr=False)
class RAdam(Optimizer):
    """Adam that warms up by itself: careful while it has seen few gradients.

    As Adam, times a factor that grows from about 0 to 1 as v becomes reliable (a matter of β₂ and
    of t alone); in the first steps, in which it is not at all, p -= rate · m / (1 - β₁ᵗ).

    Parameters
    ----------
    learning_rate : float or Schedule, default 0.001
        Size of a step, at least 0.
    beta_1 : float, default 0.9
        Share of the mean gradient that is kept, at least 0 and below 1.
    beta_2 : float, default 0.999
        Share of the mean square that is kept, at least 0 and below 1.
    epsilon : float, default 1e-8
        Keeps the quotient finite, at least 0. (Keras: 1e-7.)
    clipnorm, clipvalue, global_clipnorm, weight_decay, use_ema, ema_momentum, \
gradient_accumulation_steps
        Options of every optimizer; see Optimizer.

    References
    ----------
    Liu et al., On the variance of the adaptive learning rate and beyond, arXiv 1908.03265.

    Examples
    --------
    >>> import numpy as np
    >>> import lamina as lm
    >>> p, optimizer = np.array([1.0]), lm.RAdam(learning_rate=0.01)
    >>> optimizer.update(p, np.array([8.0]))
    >>> round(float(p[0]), 6)
    0.92
    """

    learning_rate: Scheduled = 0.001
    beta_1: Scheduled = 0.9
    beta_2: Scheduled = 0.999
    epsilon: Scheduled = 1e-8
