"""What all optimizers share: options, state, steps on arrays and models."""

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

__all__ = ["Optimizer"]

_Arrays = NDArray[Any] | Sequence[NDArray[Any]]


@dataclass(eq=False, repr=False)
class Optimizer(Configurable):
    """What all optimizers share: their options, and their use on arrays and models.

    Give one to a Trainer by name (``optimizer="adam"``) or as an object, or call :meth:`update` on
    arrays of your own. An optimizer has state, so it belongs to one Trainer; copies
    (``copy.deepcopy``) have the same arguments and begin anew.

    One step does, in this order: the gradient with its penalties, the clips, weight decay, the
    optimizer itself, L1's proximal step, constraints, the moving average. What is frozen has no
    gradient and no state; freed again, it begins without one, as in its first step.

    Each number of the method itself, and `weight_decay`, may be a Schedule or a Python function of
    the step in place of a float (an initial value apart); see ``lm.schedules.Schedule``.

    Parameters
    ----------
    learning_rate : float or Schedule
        Size of a step, at least 0.
    clipnorm : float, optional
        Scale each tensor's gradient down to this Euclidean norm if it is longer. Default: no clip.
    clipvalue : float, optional
        Cut each element of the gradient to [-clipvalue, clipvalue], after a clip by norm. Default:
        no clip.
    global_clipnorm : float, optional
        Scale all gradients together down to this norm if they are longer. Default: no clip.
    weight_decay : float or Schedule, default 0.0
        Decoupled: each step takes away learning rate · weight_decay of every weight, apart from
        the gradient (Loshchilov & Hutter, arXiv 1711.05101).
    use_ema : bool, default False
        Keep an exponential moving average of the weights beside them.
    ema_momentum : float, default 0.99
        average = ema_momentum · average + (1 - ema_momentum) · weight, from 0 to 1. It begins with
        the weights before the first step. (Keras, PyTorch: with those after it.)
    gradient_accumulation_steps : int, default 1
        Batches whose gradients are averaged before each step, so that a batch of 4 · 64 rows needs
        the memory of 64. `iterations` and schedules count steps, not batches; batches left over at
        the end of an epoch wait for the next.
    """

    learning_rate: Scheduled
    _: KW_ONLY
    clipnorm: float | None = None
    clipvalue: float | None = None
    global_clipnorm: float | None = None
    weight_decay: Scheduled = 0.0
    use_ema: bool = False
    ema_momentum: float = 0.99
    gradient_accumulation_steps: int = 1
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


def _listed(arrays: _Arrays) -> list[NDArray[Any]]:
    return [arrays] if isinstance(arrays, np.ndarray) else list(arrays)
