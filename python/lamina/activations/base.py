"""What activation functions have in common: calls on arrays, derivatives, look-up by name."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lamina._config import Configurable, find_class
from lamina._isa import core

__all__ = ["Activation", "ElementwiseActivation", "RowwiseActivation", "get"]


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


class RowwiseActivation(Activation):
    """An activation whose outputs depend on all inputs of their row.

    So there is no elementwise derivative, but :meth:`backward` and :meth:`jacobian`.
    """

    def backward(self, dy: ArrayLike, y: ArrayLike) -> NDArray[Any]:
        """Return dL/dx from dL/dy: the chain rule through the function.

        Parameters
        ----------
        dy : array_like, shape (..., n)
            Gradient of the loss with respect to the output.
        y : array_like, shape (..., n)
            The output, ``f(x)``.

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


def get(activation: str | Activation) -> Activation:
    """Return an activation function by name, alias or class name; an object passes through.

    Parameters
    ----------
    activation : str or Activation
        For instance ``"relu"``, ``"swish"`` or ``"SiLU"``.

    Raises
    ------
    ValueError
        If there is no such function; the message names the nearest and lists all.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.activations.get("swish")
    lm.activations.SiLU()
    """
    if isinstance(activation, Activation):
        return activation
    spec = json.loads(core.resolve("activations", json.dumps(activation)))
    with contextlib.suppress(ValueError):
        return find_class(Activation, spec["class"]).from_spec(spec)
    # The core knows it, and nobody has documented it here yet.
    entries = {entry["class"]: entry for entry in core.catalogue()["activations"]}
    kind = RowwiseActivation if entries[spec["class"]]["row_wise"] else ElementwiseActivation
    made: Activation = type(spec["class"], (kind,), {"__module__": __name__})()
    return made
