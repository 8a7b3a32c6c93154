"""Activations of a whole row, such as softmax."""

from __future__ import annotations

from dataclasses import dataclass

from lamina.activations.base import RowwiseActivation

__all__ = [
    "LogSoftmax",
    "Softmax",
    "log_softmax",
    "softmax",
]


@dataclass(eq=False, repr=False)
class Softmax(RowwiseActivation):
    """Turns the last axis into a distribution over classes: positive, with sum 1.

    y_j = exp(x_j) / sum_k exp(x_k); dy_i/dx_j = y_i (δ_ij - y_j). The output of a question with
    several classes, with the loss ``"categorical_crossentropy"``. Adding a constant to a row
    changes nothing, and the largest entry is subtracted first, so that nothing overflows.

    References
    ----------
    Bridle, Probabilistic interpretation of feedforward classification network outputs, 1990.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.activations.softmax([[1.0, 1.0], [3.0, 3.0]])
    array([[0.5, 0.5],
           [0.5, 0.5]])
    >>> lm.activations.softmax.jacobian([1.0, 1.0])
    array([[ 0.25, -0.25],
           [-0.25,  0.25]])
    """


@dataclass(eq=False, repr=False)
class LogSoftmax(RowwiseActivation):
    """The logarithm of the softmax, exact where the softmax itself would be 0.

    y_j = x_j - ln sum_k exp(x_k); dy_i/dx_j = δ_ij - exp(y_j).

    Examples
    --------
    >>> import lamina as lm
    >>> lm.activations.log_softmax([[0.0, 1000.0]])
    array([[-1000.,     0.]])
    """


softmax = Softmax()
log_softmax = LogSoftmax()
