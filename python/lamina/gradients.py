"""Backpropagation checked against finite differences."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lamina._isa import core
from lamina.losses import Loss
from lamina.model import Model

__all__ = ["GradientCheck", "check_gradients"]


@dataclass(frozen=True)
class GradientCheck:
    """How far analytic and numerical gradients are apart.

    Attributes
    ----------
    errors : dict of str to float
        For each tensor, and ``"input"``: the largest difference, as a share of the largest entry of
        the numerical gradient.
    """

    errors: dict[str, float]

    @property
    def max_error(self) -> float:
        """The largest of the errors."""
        return max(self.errors.values())


def check_gradients(
    model: Model,
    x: ArrayLike,
    y: ArrayLike,
    loss: Loss,
    *,
    epsilon: float = 1e-6,
    entries: int = 200,
) -> GradientCheck:
    """Compare the model's gradients with central differences (L(p + e) - L(p - e)) / 2e.

    Everything is computed in float64, on a copy of the model, without dropout.

    Parameters
    ----------
    model : Model
        Left as it is.
    x, y : array_like
        A small batch.
    loss : Loss
        An object, for instance ``lm.losses.MeanSquaredError()``.
    epsilon : float, default 1e-6
        The step. Points nearer than this to a kink (relu at 0) give a wrong difference.
    entries : int, default 200
        At most so many entries of a tensor, evenly spread.

    Returns
    -------
    GradientCheck

    Examples
    --------
    >>> import numpy as np
    >>> import lamina as lm
    >>> model = lm.Model([lm.Input(3), lm.Dense(4, activation="tanh"), lm.Dense(1)], seed=0)
    >>> x, y = np.linspace(-1, 1, 15).reshape(5, 3), np.ones((5, 1))
    >>> lm.check_gradients(model, x, y, lm.losses.MeanSquaredError()).max_error < 1e-7
    True
    """
    twin = _double(model)
    x, y = np.array(x, dtype=np.float64), np.asarray(y)
    output = twin.forward(x)
    dx = twin.backward(loss.gradient(y, output))

    def value() -> float:
        return loss(y, twin.predict(x, num_threads=1))

    errors = {}
    for tensor in twin._core.tensors():
        if not tensor["trainable"]:
            continue
        name = tensor["name"]
        analytic = twin._core.gradient_view(name).copy()
        errors[name] = _error(twin._core.view(name), analytic, value, epsilon, entries)
    if dx is not None:
        errors["input"] = _error(x, dx, value, epsilon, entries)
    return GradientCheck(errors)


def _error(
    live: NDArray[Any], analytic: NDArray[Any], value: Any, epsilon: float, entries: int
) -> float:
    flat = live.reshape(-1)
    worst = scale = 0.0
    for i in np.unique(np.linspace(0, flat.size - 1, min(entries, flat.size)).astype(int)):
        kept = flat[i]
        flat[i] = kept + epsilon
        above = value()
        flat[i] = kept - epsilon
        below = value()
        flat[i] = kept
        numerical = (above - below) / (2 * epsilon)
        worst = max(worst, abs(numerical - float(analytic.reshape(-1)[i])))
        scale = max(scale, abs(numerical))
    return worst / scale if scale > 0 else worst


def _double(model: Model) -> Model:
    """Return a float64 copy."""
    spec = json.loads(model._core.spec)
    spec["dtype"] = "float64"
    twin = Model.__new__(Model)
    twin._functions = model._functions
    twin._adopt(
        core.Model(json.dumps(spec), model._functions), copy.deepcopy(model._network.layers)
    )
    for tensor in model._core.tensors():
        twin._core.view(tensor["name"])[...] = model._core.view(tensor["name"])
    return twin
