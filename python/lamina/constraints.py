"""Constraints: what a layer's weights must be after each step. The core sees to it."""

from __future__ import annotations

from dataclasses import dataclass

from lamina._config import Configurable

__all__ = ["Constraint", "MaxNorm", "NonNeg", "UnitNorm"]


class Constraint(Configurable):
    """A condition that weights are brought back to after each step.

    ``lm.Dense(64, kernel_constraint=lm.constraints.MaxNorm(3.0))``. Norms are those of a unit's
    incoming weights, a column of the kernel; a bias counts as one column. (Keras' ``axis=0``.) Of
    an embedding's table they are those of a category's vector, a row, as of PyTorch's ``max_norm``.
    The moving average of weights follows the constrained ones (a mean of vectors of norm 1 is
    shorter).
    """


@dataclass(eq=False, repr=False)
class MaxNorm(Constraint):
    """Scales a unit's incoming weights down to a largest norm: a companion of dropout.

    w · min(1, max_value / |w|)

    Parameters
    ----------
    max_value : float, default 2.0
        The largest Euclidean norm, at least 0.

    References
    ----------
    Srebro & Shraibman, Rank, trace-norm and max-norm, COLT 2005; Srivastava et al., Dropout, JMLR
    2014.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.Dense(2, kernel_constraint=lm.constraints.MaxNorm(3.0))
    lm.Dense(2, kernel_constraint=lm.constraints.MaxNorm(max_value=3.0))
    """

    max_value: float = 2.0


@dataclass(eq=False, repr=False)
class UnitNorm(Constraint):
    """Scales a unit's incoming weights to the norm 1; a column of zeros stays as it is.

    w / |w|

    Examples
    --------
    >>> import lamina as lm
    >>> lm.constraints.UnitNorm()
    lm.constraints.UnitNorm()
    """


@dataclass(eq=False, repr=False)
class NonNeg(Constraint):
    """Turns negative weights into 0: outputs that can only grow with their inputs.

    max(w, 0)

    Examples
    --------
    >>> import lamina as lm
    >>> lm.constraints.NonNeg()
    lm.constraints.NonNeg()
    """
