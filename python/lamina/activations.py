"""Activation functions: what a layer applies to its weighted sums. The arithmetic is the core's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lamina._config import Configurable
from lamina._isa import core

__all__ = [
    "Activation",
    "ElementwiseActivation",
    "LeakyReLU",
    "Linear",
    "ReLU",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "leaky_relu",
    "linear",
    "relu",
    "sigmoid",
    "softmax",
    "tanh",
]


class Activation(Configurable):
    """An activation function, callable on arrays.

    Give one to a layer by name (``activation="relu"``) or as an object
    (``activation=lm.activations.LeakyReLU(0.2)``). The lower-case names of this module are
    ready-made: ``lm.activations.relu(x)``.
    """

    def __call__(self, x: ArrayLike) -> NDArray[Any]:
        """Apply the function.

        Parameters
        ----------
        x : array_like
            Any shape; of float32 or float64, other numbers become float64.

        Returns
        -------
        ndarray
            A new array of the same shape, float32 or float64.
        """
        result: NDArray[Any] = core.activation(self._core_spec(), np.asarray(x))
        return result


class ElementwiseActivation(Activation):
    """An activation that treats every number by itself, so that it has a derivative at each."""

    def derivative(self, x: ArrayLike) -> NDArray[Any]:
        """Return the derivative dy/dx at each element.

        Parameters
        ----------
        x : array_like
            Input of the function (not its output), any shape.

        Returns
        -------
        ndarray
            Of the shape of `x`. At a kink it is the subgradient that the class documents.
        """
        result: NDArray[Any] = core.activation_derivative(self._core_spec(), np.asarray(x))
        return result


@dataclass(eq=False, repr=False)
class Linear(ElementwiseActivation):
    """The identity: the output layer of a regression, or of a loss that takes logits.

    y = x, dy/dx = 1.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.activations.linear([-1.0, 2.0])
    array([-1.,  2.])
    """


@dataclass(eq=False, repr=False)
class ReLU(ElementwiseActivation):
    """Rectified linear unit: the usual choice for hidden layers.

    y = max(0, x); dy/dx = 1 for x > 0 and 0 elsewhere, also at the kink x = 0.

    A unit that is negative for every row of the data gets no gradient and stays so; LeakyReLU
    does not have this flaw.

    References
    ----------
    Nair & Hinton, Rectified linear units improve restricted Boltzmann machines, ICML 2010.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.activations.relu([-1.0, 0.0, 2.0])
    array([0., 0., 2.])
    >>> lm.activations.relu.derivative([-1.0, 0.0, 2.0])
    array([0., 0., 1.])
    """


@dataclass(eq=False, repr=False)
class LeakyReLU(ElementwiseActivation):
    """ReLU with a small slope below zero, so that no unit loses its gradient.

    y = x for x > 0, else negative_slope · x; dy/dx = 1 for x > 0, else negative_slope, also at
    the kink x = 0.

    Parameters
    ----------
    negative_slope : float, default 0.01
        Slope for x < 0, from 0 (ReLU) to 1 (linear). The default is PyTorch's; Keras takes 0.3.

    References
    ----------
    Maas, Hannun & Ng, Rectifier nonlinearities improve neural network acoustic models, ICML 2013.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.activations.LeakyReLU(negative_slope=0.5)([-2.0, 2.0])
    array([-1.,  2.])
    """

    negative_slope: float = 0.01


@dataclass(eq=False, repr=False)
class Sigmoid(ElementwiseActivation):
    """The logistic function: turns any number into a probability.

    y = 1 / (1 + exp(-x)); dy/dx = y (1 - y), at most 1/4. The output of a yes-or-no question, with
    the loss ``"binary_crossentropy"``. It does not overflow for any finite x.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.activations.sigmoid([0.0])
    array([0.5])
    >>> lm.activations.sigmoid.derivative([0.0])
    array([0.25])
    """


@dataclass(eq=False, repr=False)
class Tanh(ElementwiseActivation):
    """Hyperbolic tangent: smooth, between -1 and 1, for hidden layers of smooth functions.

    y = tanh(x); dy/dx = 1 - y².

    Examples
    --------
    >>> import lamina as lm
    >>> lm.activations.tanh([0.0])
    array([0.])
    >>> lm.activations.tanh.derivative([0.0])
    array([1.])
    """


@dataclass(eq=False, repr=False)
class Softmax(Activation):
    """Turns the last axis into a distribution over classes: positive, with sum 1.

    y_j = exp(x_j) / sum_k exp(x_k). The output of a question with several classes, with the loss
    ``"categorical_crossentropy"``. Adding a constant to a row changes nothing, and the largest
    entry is subtracted first, so that nothing overflows. Every output depends on every input of
    its row; so there is no elementwise derivative, but :meth:`backward` and :meth:`jacobian`.

    References
    ----------
    Bridle, Probabilistic interpretation of feedforward classification network outputs, 1990.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.activations.softmax([[1.0, 1.0], [3.0, 3.0]])
    array([[0.5, 0.5],
           [0.5, 0.5]])
    """

    def backward(self, dy: ArrayLike, y: ArrayLike) -> NDArray[Any]:
        """Return dL/dx from dL/dy: the chain rule through the function.

        dx_j = y_j (dy_j - sum_k dy_k y_k)

        Parameters
        ----------
        dy : array_like, shape (..., n)
            Gradient of the loss with respect to the output.
        y : array_like, shape (..., n)
            The output, ``softmax(x)``.

        Returns
        -------
        ndarray, shape (..., n)

        Examples
        --------
        >>> import lamina as lm
        >>> lm.activations.softmax.backward([[1.0, 0.0]], [[0.5, 0.5]])
        array([[ 0.25, -0.25]])
        """
        result: NDArray[Any] = core.activation_backward(
            self._core_spec(), np.asarray(dy), np.asarray(y)
        )
        return result

    def jacobian(self, x: ArrayLike) -> NDArray[Any]:
        """Return all derivatives dy_i/dx_j of each row.

        J_ij = y_i (δ_ij - y_j), a symmetric matrix.

        Parameters
        ----------
        x : array_like, shape (..., n)
            Input of the function.

        Returns
        -------
        ndarray, shape (..., n, n)

        Examples
        --------
        >>> import lamina as lm
        >>> lm.activations.softmax.jacobian([1.0, 1.0])
        array([[ 0.25, -0.25],
               [-0.25,  0.25]])
        """
        y = self(x)
        square = (*y.shape, y.shape[-1])
        unit = np.broadcast_to(np.eye(y.shape[-1], dtype=y.dtype), square)
        return self.backward(unit.copy(), np.broadcast_to(y[..., None, :], square).copy())


linear = Linear()
relu = ReLU()
leaky_relu = LeakyReLU()
sigmoid = Sigmoid()
tanh = Tanh()
softmax = Softmax()
