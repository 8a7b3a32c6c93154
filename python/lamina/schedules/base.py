"""Schedule, the base of all of them, and functions in the place of one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from lamina._config import Configurable, arguments
from lamina._isa import core

__all__ = ["Function", "Schedule"]


class Schedule(Configurable):
    """A number as a function of the step or the epoch; takes the place of the number.

    ``lm.Adam(learning_rate=lm.OneCycle(max_learning_rate=3e-3))``. Besides the learning rate, every
    number of an optimizer can follow one (``lm.Momentum(momentum=lm.schedules.Linear(0.5, 1000,
    0.9))``, ``lm.Adam(weight_decay=lm.Cosine(0.1))``), and so can the rate of a Dropout; the
    arguments' names speak of the learning rate all the same.

    A step is one batch, counted from 0. With ``unit="epoch"`` a schedule counts completed epochs
    instead and stands still within one, as PyTorch's do that are stepped once an epoch; its lengths
    are epochs, too. A schedule whose ``total_steps`` is None takes its length from the first fit:
    its steps (epochs times batches), or its epochs. A later fit may do what is left of it and no
    more, and such a schedule cannot be called alone.

    A Python function takes the place of a schedule, too: see Function. So does an object of a
    subclass that has a ``__call__`` of its own.

    Notes
    -----
    What a schedule may give is checked when the optimizer or the model is made, as far as its
    arguments say it (a momentum that would rise above 1 is refused there); the value of a function,
    or of something that grows without limit, at each step, before the weights change.
    """

    @overload
    def __call__(self, t: float) -> float: ...
    @overload
    def __call__(self, t: Sequence[float] | NDArray[Any]) -> NDArray[np.float64]: ...
    def __call__(self, t: float | Sequence[float] | NDArray[Any]) -> float | NDArray[np.float64]:
        """Return the value at a time.

        Parameters
        ----------
        t : float or array_like
            In the schedule's unit, from 0.

        Returns
        -------
        float, or ndarray of t's shape

        Raises
        ------
        ValueError
            If the length is not known: "give total_steps"; or t is less than 0.
        """
        functions: list[Callable[[float], float]] = []
        spec = self._core_spec(functions)
        values = core.schedule(spec, functions, np.asarray(t, float))
        return values if np.ndim(t) else float(values)


@dataclass(eq=False, repr=False)
class Function(Schedule):
    """Any Python function of t.

    ``lm.Adam(learning_rate=lambda step: 0.01 / (1 + step))`` means the same; this class is there
    for its unit. The function is called once a step, by the thread that called fit, and must return
    a finite number in the range of what follows it. A resumed run goes on bit for bit if the
    function depends on t alone.

    Parameters
    ----------
    function : callable
        t (an int) -> number.
    unit : {"step", "epoch"}, default "step"
        What t counts.

    Raises
    ------
    TypeError
        By ``get_config`` and whatever writes a file: a function cannot be written.

    Examples
    --------
    >>> import lamina as lm
    >>> schedule = lm.schedules.Function(lambda epoch: 0.5**epoch, unit="epoch")
    >>> schedule(3)
    0.125
    """

    function: Callable[[float], float]
    unit: str = "step"

    def __post_init__(self) -> None:
        """Refuse what cannot be called."""
        if not callable(self.function):
            raise TypeError(f"Function: function must be callable, got {self.function!r}")

    def _config(self, functions: list[Any] | None) -> dict[str, Any]:
        if functions is None:
            raise TypeError(
                "Function: a Python function cannot be written to a configuration or a file; use "
                "one of the other schedules, or make the object anew where it is needed"
            )
        functions.append(self.function)
        return {"function": len(functions) - 1, "unit": self.unit}


# What may be given for a number that changes.
Scheduled = float | Schedule | Callable[[float], float]


def adopt_functions(thing: Configurable) -> None:
    """Make Function objects of the functions among the arguments of `thing`."""
    for name in arguments(type(thing)):
        value = getattr(thing, name)
        adopted = as_schedule(value)
        if adopted is not value:
            object.__setattr__(thing, name, adopted)


def as_schedule(value: Any) -> Any:
    """Return a Function for a Python function, anything else as it is."""
    plain = isinstance(value, Schedule) and type(value).__call__ is Schedule.__call__
    return Function(value) if callable(value) and not plain else value
