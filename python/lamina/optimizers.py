"""Optimizers: how weights follow their gradients. The core keeps the state and does the steps."""

from __future__ import annotations

import math
import weakref
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lamina._config import Configurable
from lamina._isa import core
from lamina.schedules.base import Scheduled, adopt_functions

__all__ = ["SGD", "Adagrad", "Adam", "Momentum", "Nesterov", "Optimizer", "RMSprop"]

_Arrays = NDArray[Any] | Sequence[NDArray[Any]]


@dataclass(eq=False, repr=False)
class Optimizer(Configurable):
    """What all optimizers share: their options, and their use on arrays and models.

    Give one to a Trainer by name (``optimizer="adam"``) or as an object, or call :meth:`update` on
    arrays of your own. An optimizer has state, so it belongs to one Trainer; copies
    (``copy.deepcopy``) have the same arguments and begin anew.

    One step does, in this order: the gradient with its penalties, the clips, weight decay, the
    optimizer itself, L1's proximal step, the moving average.

    Each number of the method itself, and `weight_decay`, may be a Schedule or a Python function of
    the step in place of a float (an initial value apart); see ``lm.schedules.Schedule``.

    Parameters
    ----------
    learning_rate : float or Schedule
        Size of a step, at least 0.
    clipnorm : float, optional
        Scale each tensor's gradient down to this Euclidean norm if it is longer. Default: no clip.
    clipvalue : float, optional
        Cut each element of the gradient to [-clipvalue, clipvalue]. Default: no clip.
    global_clipnorm : float, optional
        Scale all gradients together down to this norm if they are longer. Default: no clip.
    weight_decay : float or Schedule, default 0.0
        Decoupled: each step takes away learning rate · weight_decay of every weight, apart from
        the gradient (Loshchilov & Hutter, arXiv 1711.05101).
    use_ema : bool, default False
        Keep an exponential moving average of the weights beside them.
    ema_momentum : float, default 0.99
        average = ema_momentum · average + (1 - ema_momentum) · weight, from 0 to 1.
    """

    learning_rate: Scheduled
    _: KW_ONLY
    clipnorm: float | None = None
    clipvalue: float | None = None
    global_clipnorm: float | None = None
    weight_decay: Scheduled = 0.0
    use_ema: bool = False
    ema_momentum: float = 0.99
    _handle: Any = field(default=None, init=False)
    _owner: Any = field(default=None, init=False)

    _transient: ClassVar[tuple[str, ...]] = ("_handle", "_owner")

    def __post_init__(self) -> None:
        """Take functions for schedules."""
        adopt_functions(self)

    @property
    def handle(self) -> Any:
        """The core's optimizer, which has the state; made when first asked for."""
        if self._handle is None:
            functions: list[Any] = []
            spec = self._core_spec(functions)
            self._handle = core.Optimizer(spec, functions)
        return self._handle

    @property
    def iterations(self) -> int:
        """Number of steps done."""
        return 0 if self._handle is None else int(self._handle.iterations)

    @property
    def epoch(self) -> int:
        """Number of completed epochs, which schedules with ``unit="epoch"`` go by.

        A Trainer sets it; in a loop by hand set it yourself: ``optimizer.epoch += 1``.
        """
        return 0 if self._handle is None else int(self._handle.epoch)

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self.handle.epoch = epoch

    @property
    def current_learning_rate(self) -> float:
        """Learning rate of the next step."""
        return float(self.handle.learning_rate)

    def scale_learning_rate(self, factor: float) -> None:
        """Multiply the learning rate of all further steps, whatever schedule it follows.

        ReduceLROnPlateau calls this. The product of all factors is part of a trainer's state;
        :meth:`reset` forgets it.

        Parameters
        ----------
        factor : float
            Above 0.

        Examples
        --------
        >>> import lamina as lm
        >>> optimizer = lm.SGD(learning_rate=0.5)
        >>> optimizer.scale_learning_rate(0.5)
        >>> optimizer.current_learning_rate
        0.25
        """
        if not 0 < factor < math.inf:
            raise ValueError(
                f"scale_learning_rate: factor must be above 0 and finite, got {factor}"
            )
        self.handle.rate_scale *= factor

    def current(self, name: str) -> float:
        """Return what an argument that may follow a schedule will be in the next step.

        Parameters
        ----------
        name : str
            Such as "momentum" or "weight_decay". "learning_rate" is the schedule's, without what
            ReduceLROnPlateau makes of it (:attr:`current_learning_rate`).

        Examples
        --------
        >>> import lamina as lm
        >>> optimizer = lm.Momentum(momentum=lm.schedules.Linear(0.5, 1000, 0.9))
        >>> optimizer.current("momentum")
        0.5
        """
        return float(self.handle.current(name))

    def update(self, params: _Arrays, grads: _Arrays) -> None:
        """Do one step on arrays.

        Parameters
        ----------
        params : ndarray or sequence of ndarray
            The weights: float32 or float64, C-contiguous and writable. They are changed in place,
            and must be as many and of the same shapes at each step.
        grads : ndarray or sequence of ndarray
            Their gradients, of the same shapes and type; left as they are.

        Raises
        ------
        ValueError, TypeError
            If an array does not fit; nothing has been changed then.

        Examples
        --------
        >>> import numpy as np
        >>> import lamina as lm
        >>> weights = np.array([1.0, 2.0])
        >>> optimizer = lm.SGD(learning_rate=0.5)
        >>> optimizer.update(weights, np.array([1.0, -1.0]))
        >>> weights, optimizer.iterations
        (array([0.5, 2.5]), 1)
        """
        self.handle.update(_listed(params), _listed(grads))

    def step(self, model: Any) -> None:
        """Do one step on a model, with the gradients that ``model.backward`` left in it.

        Parameters
        ----------
        model : Model
            Its parameters are changed in place.

        Raises
        ------
        RuntimeError
            If the model is being trained by someone else.

        Examples
        --------
        >>> import numpy as np
        >>> import lamina as lm
        >>> model = lm.Model([lm.Input(1), lm.Dense(1)], seed=0)
        >>> loss, optimizer = lm.losses.MeanSquaredError(), lm.Adam(learning_rate=0.1)
        >>> x, y = np.array([[1.0], [2.0]]), np.array([[2.0], [4.0]])
        >>> for step in range(300):
        ...     prediction = model.forward(x, training=True)
        ...     _ = model.backward(loss.gradient(y, prediction))
        ...     optimizer.step(model)
        >>> loss(y, model.predict(x)) < 1e-2
        True
        """
        self.handle.step(model._core)

    def reset(self) -> None:
        """Forget the state: the next step is the first."""
        if self._handle is not None:
            self._handle.reset()

    def _claim(self, owner: object) -> None:
        """Make `owner` (a Trainer) the one who uses this optimizer's state.

        Raises
        ------
        ValueError
            If another one does, or steps have been done without one; or if a subclass has an
            update of its own, which the engine would not call.
        """
        changed = [name for name in ("update", "step") if self._overrides(name)]
        if changed:
            raise ValueError(
                f"{type(self).__name__}: a Trainer would not call its own {' and '.join(changed)}; "
                "use the optimizer in a loop by hand: model.forward, model.backward, update"
            )
        if self._owner is not None and self._owner() is owner:
            return
        if self._owner is not None or self.iterations > 0:
            whose = "belongs to a Trainer" if self._owner is not None else "has done steps"
            raise ValueError(
                f"{type(self).__name__}: this optimizer already {whose} and its state cannot be "
                "shared; give each Trainer its own: copy.deepcopy(optimizer)"
            )
        self._owner = weakref.ref(owner)

    def _overrides(self, method: str) -> bool:
        return getattr(type(self), method) is not getattr(Optimizer, method)


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
    clipnorm, clipvalue, global_clipnorm, weight_decay, use_ema, ema_momentum
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

    PyTorch's form, in which the rate multiplies the whole velocity (in Keras' form it is inside;
    at a constant rate the two are equal). In a constant slope the steps grow up to
    1 / (1 - momentum) times that of SGD.

    Parameters
    ----------
    learning_rate : float or Schedule, default 0.01
        Size of a step, at least 0.
    momentum : float, default 0.9
        Share of the velocity that is kept, from 0 to 1.
    clipnorm, clipvalue, global_clipnorm, weight_decay, use_ema, ema_momentum
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
    clipnorm, clipvalue, global_clipnorm, weight_decay, use_ema, ema_momentum
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
    clipnorm, clipvalue, global_clipnorm, weight_decay, use_ema, ema_momentum
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


@dataclass(eq=False, repr=False)
class RMSprop(Optimizer):
    """A rate for each weight, by the recent size of its gradient.

    a = rho · a + (1 - rho) · g²; p -= rate · g / (sqrt(a) + epsilon)

    PyTorch's form and defaults (Keras: rho 0.9, epsilon 1e-7 inside the root).

    Parameters
    ----------
    learning_rate : float or Schedule, default 0.01
        Size of a step, at least 0. The first step is 1 / sqrt(1 - rho) times as long.
    rho : float, default 0.99
        Share of the mean square that is kept, from 0 to 1.
    epsilon : float, default 1e-8
        Keeps the quotient finite, at least 0.
    clipnorm, clipvalue, global_clipnorm, weight_decay, use_ema, ema_momentum
        Options of every optimizer; see Optimizer.

    References
    ----------
    Tieleman & Hinton, Neural networks for machine learning, Coursera, lecture 6.5, 2012.

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
    epsilon: Scheduled = 1e-8


@dataclass(eq=False, repr=False)
class Adam(Optimizer):
    """Momentum and a rate for each weight in one: the default, and seldom a bad choice.

    m = β₁ m + (1 - β₁) g; v = β₂ v + (1 - β₂) g²;
    p -= rate · m̂ / (sqrt(v̂) + epsilon) with m̂ = m / (1 - β₁ᵗ), v̂ = v / (1 - β₂ᵗ) and t the step,
    counted from 1. No weight moves much more than the rate in one step. With `weight_decay` it is
    AdamW.

    Parameters
    ----------
    learning_rate : float or Schedule, default 0.001
        Size of a step, at least 0.
    beta_1 : float, default 0.9
        Share of the mean gradient that is kept, at least 0 and below 1.
    beta_2 : float, default 0.999
        Share of the mean square that is kept, at least 0 and below 1.
    epsilon : float, default 1e-8
        Keeps the quotient finite, at least 0; outside the bias correction, as in the paper's
        algorithm 1 and in PyTorch. (Keras' 1e-7 is the paper's ε̂, inside it.)
    clipnorm, clipvalue, global_clipnorm, weight_decay, use_ema, ema_momentum
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


def _listed(arrays: _Arrays) -> list[NDArray[Any]]:
    return [arrays] if isinstance(arrays, np.ndarray) else list(arrays)
