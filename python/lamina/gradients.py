"""Backpropagation checked against finite differences."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina._isa import core
from lamina.data import as_inputs
from lamina.losses import Loss
from lamina.model import Model

__all__ = ["GradientCheck", "check_gradients"]


@dataclass(frozen=True)
class GradientCheck:
    """How far analytic and numerical gradients are apart.

    Attributes
    ----------
    errors : dict of str to float
        For each tensor, and ``"input"`` (each input by name, if there are several): the largest
        difference, as a share of the largest entry of the numerical gradient.
    """

    errors: dict[str, float]

    @property
    def max_error(self) -> float:
        """The largest of the errors."""
        return max(self.errors.values())


def check_gradients(
    model: Model,
    x: Any,
    y: Any,
    loss: Loss | Sequence[Loss],
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
    x : array_like; for several inputs a dict by name or a tuple
        A small batch. What a sparse matrix holds is left alone: the gradient by it is not checked.
    y : array_like; for several outputs a sequence of them
        Its targets.
    loss : Loss; for several outputs one for all, or a sequence of them
        Objects, for instance ``lm.losses.MeanSquaredError()``. Several are added up.
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
    ports = twin._core.ports()
    rows = [_own(one, port["kind"]) for one, port in zip(as_inputs(x, ports), ports, strict=True)]
    batch = rows[0] if len(rows) == 1 else tuple(rows)
    count = len(twin.output_names)
    targets = [np.asarray(one) for one in (_several("y", y, count) if count > 1 else [y])]
    losses = _several("loss", loss, count) if isinstance(loss, (list, tuple)) else [loss] * count

    def outputs(found: Any) -> Any:
        return zip(losses, targets, found if count > 1 else [found], strict=True)

    gradients = [of.gradient(t, p) for of, t, p in outputs(twin.forward(batch))]
    dx = twin.backward(gradients if count > 1 else gradients[0])

    def value() -> float:
        found = twin.predict(batch, num_threads=1)
        return math.fsum(of(t, p) for of, t, p in outputs(found))

    errors = {}
    for tensor in twin._core.tensors():
        if not tensor["trainable"]:
            continue
        name = tensor["name"]
        analytic = twin._core.gradient_view(name).copy()
        errors[name] = _error(twin._core.view(name), analytic, value, epsilon, entries)
    for port, array, gradient in zip(ports, rows, dx if len(ports) > 1 else [dx], strict=True):
        if gradient is not None and isinstance(array, np.ndarray):
            name = "input" if len(ports) == 1 else port["name"]
            errors[name] = _error(array, gradient, value, epsilon, entries)
    return GradientCheck(errors)


def _own(rows: Any, kind: str) -> Any:
    """Return a copy whose numbers can be moved; a sparse matrix as it is."""
    if not isinstance(rows, np.ndarray):
        return rows
    return np.array(rows, dtype=np.int32 if kind == "codes" else np.float64)


def _several(what: str, given: Any, count: int) -> list[Any]:
    """Return what is given for each of several outputs."""
    if not isinstance(given, (list, tuple)) or len(given) != count:
        raise ValueError(f"check_gradients: {what} must be a list of {count}, one an output")
    return list(given)


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
