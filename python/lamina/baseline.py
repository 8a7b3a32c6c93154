"""The best constant prediction: what a network must beat to have learnt anything."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina._config import Configurable, spec_json
from lamina._isa import core
from lamina.losses import Loss

__all__ = ["as_loss", "best_constant", "constant_loss", "least_loss", "mean_loss"]

_OF_MEANS = {"MeanSquaredError", "CategoricalCrossentropy", "BinaryCrossentropy"}

# Losses that may be negative, or whose least value depends on the targets.
_ANY_LEAST_VALUE = {"CosineSimilarity", "Gamma", "GaussianNLL", "Poisson", "Tweedie"}

Floats = NDArray[np.float64]

_BLOCK = 1 << 20  # numbers that are looked at together
_STEPS = 60
_LEAST = 1e-6  # probability
_PROBABILITIES = {"softmax", "sigmoid"}
_CLOSED = {  # the mean is the best constant of probabilities and of these
    "MeanSquaredError",
    "CategoricalCrossentropy",
    "BinaryCrossentropy",
    "KLDivergence",
    "Poisson",
}


def as_loss(loss: Any) -> Any:
    """Return the object of a loss that was given by name; functions as they are."""
    if isinstance(loss, str):
        return Loss.from_spec(json.loads(core.resolve("losses", spec_json(loss))))
    return loss


def least_loss(loss: Any) -> float | None:
    """Return the value below which a loss cannot come, 0; None if it has none, or is a function."""
    loss = as_loss(loss)
    if not isinstance(loss, Loss) or type(loss).__name__ in _ANY_LEAST_VALUE:
        return None
    return 0.0


def constant_loss(loss: Any, constant: Floats, target: NDArray[Any], weight: Any = None) -> float:
    """Return the mean loss of a constant prediction."""
    return _measured(loss, target, weight)(constant)[0]


def mean_loss(
    loss: Any,
    target: NDArray[Any],
    weight: Any,
    width: int,
    other: NDArray[Any],
    other_weight: Any = None,
) -> float | None:
    """Return the loss on `other` targets of the mean of these, in one pass over them.

    Parameters
    ----------
    loss, target, weight, width
        As for :func:`best_constant`.
    other, other_weight : ndarray
        Targets of other rows, and their weights.

    Returns
    -------
    float or None
        None for losses other than the mean squared error and cross-entropies, of which the mean
        is the best constant and means are all that their losses depend on.
    """
    loss = as_loss(loss)
    name = type(loss).__name__
    if name not in _OF_MEANS or not _mean_is_best(loss):
        return None
    mean = next(_starts(target, weight, width))
    if name == "MeanSquaredError":
        return float(np.mean(_mean(other, other_weight, lambda y: np.square(y - mean))))
    there = next(_starts(other, other_weight, width))
    mean = np.clip(mean, _LEAST, 1 - _LEAST)
    if name == "CategoricalCrossentropy":
        return -float(there @ np.log(mean))
    return -float(np.mean(there * np.log(mean) + (1 - there) * np.log1p(-mean)))


def best_constant(
    loss: Any, target: NDArray[Any], weight: Any, width: int, activation: str
) -> Floats:
    """Return the constant prediction of the lowest loss.

    Of several beginnings (mean and median of the targets, shares of the classes, their logarithms)
    the best; unless it is the best that there is by a formula, it is improved by steps along the
    loss's gradient, each at least as good as the one before.

    Parameters
    ----------
    loss : Loss or callable
        Of one output.
    target : ndarray, shape (n,) or (n, columns)
        Numbers, or class numbers.
    weight : ndarray of shape (n,), or None
        Of the rows.
    width : int
        Of the output.
    activation : str
        Of the output: where its predictions lie.
    """
    measured = _measured(loss, target, weight)
    starts = [_allowed(start, activation) for start in _starts(target, weight, width)]
    losses = [measured(start)[0] for start in starts]
    best = int(np.nanargmin(losses))
    if _mean_is_best(loss) and best == 0:
        return starts[0]
    spread = float(np.std(target)) or 1.0
    scale = 1.0 if activation in _PROBABILITIES or _of_classes(target, width) else spread
    return _improved(measured, starts[best], scale, activation)


def _mean_is_best(loss: Any) -> bool:
    plain = not getattr(loss, "label_smoothing", 0.0) and getattr(loss, "positive_weight", 1.0) == 1
    return type(loss).__name__ in _CLOSED and plain and not getattr(loss, "from_logits", False)


def _measured(
    loss: Any, target: NDArray[Any], weight: Any
) -> Callable[[Floats], tuple[float, Floats]]:
    """Return what gives the loss of a constant and its gradient."""
    weights = np.ones(len(target)) if weight is None else np.asarray(weight, np.float64).ravel()

    def measured(constant: Floats) -> tuple[float, Floats]:
        predicted = np.tile(constant, (len(target), 1))
        if isinstance(loss, Configurable):
            gradient = loss.gradient(target, predicted, weights)  # type: ignore[attr-defined]
            return float(loss(target, predicted, weights)), gradient.sum(axis=0)  # type: ignore[operator]
        columns = np.asarray(target, np.float64).reshape(len(target), -1)
        values, gradient = loss(columns, predicted)
        share = weights / weights.sum()
        return float(share @ np.ravel(values)), share @ np.reshape(gradient, predicted.shape)

    return measured


def _of_classes(target: NDArray[Any], width: int) -> bool:
    return width > 1 and target.size == len(target) and _whole(target, width)


def _whole(target: NDArray[Any], width: int) -> bool:
    numbers = np.unique(target)
    return bool(numbers[0] >= 0 and numbers[-1] < width and (numbers == np.floor(numbers)).all())


def _starts(target: NDArray[Any], weight: Any, width: int) -> Iterator[Floats]:
    """Yield beginnings, the mean first."""
    if _of_classes(target, width):
        weights = None if weight is None else np.asarray(weight, np.float64).ravel()
        shares = np.bincount(target.ravel().astype(int), weights, width)
        shares = shares / shares.sum()
        yield shares
        yield np.log(np.maximum(shares, _LEAST))
        return
    mean = _mean(target, weight)
    repeat = -(-width // len(mean))  # several outputs a target, as of quantiles
    yield np.tile(mean, repeat)[:width]
    columns = _columns(target)
    yield np.tile(np.median(columns, axis=0), repeat)[:width]
    if (columns >= 0).all() and (columns <= 1).all():
        inside = np.clip(np.tile(mean, repeat)[:width], _LEAST, 1 - _LEAST)
        yield np.log(inside / (1 - inside))
        yield np.log(inside)
    if width == 2 * columns.shape[1]:  # a mean and a variance
        variance = np.maximum(columns.var(axis=0), _LEAST)
        for second in (np.log(variance), variance):
            yield np.concatenate([mean, second])


def _columns(target: NDArray[Any]) -> Floats:
    return np.asarray(target, np.float64).reshape(len(target), -1)


def _mean(
    target: NDArray[Any], weight: Any, of: Callable[[Floats], Floats] = lambda y: y
) -> Floats:
    """Return the mean over the rows of a function of each column, in little memory."""
    weights = np.ones(len(target)) if weight is None else np.asarray(weight, np.float64).ravel()
    block = max(1, _BLOCK * len(target) // max(1, target.size))
    parts = (
        weights[first : first + block] @ of(_columns(target[first : first + block]))
        for first in range(0, len(target), block)
    )
    return np.asarray(sum(parts) / weights.sum())


def _allowed(constant: Floats, activation: str) -> Floats:
    """Return the nearest prediction that such an output can give."""
    if activation not in _PROBABILITIES:
        return np.maximum(constant, 0.0) if activation in {"relu", "softplus"} else constant
    inside = np.clip(constant, _LEAST, 1 - _LEAST)
    return inside / inside.sum() if activation == "softmax" else inside


def _improved(
    measured: Callable[[Floats], tuple[float, Floats]],
    constant: Floats,
    scale: float,
    activation: str,
) -> Floats:
    """Go downhill; a step that does not lead down is made smaller, one that does is made longer."""
    value, gradient = measured(constant)
    size = scale / (math.sqrt(float(gradient @ gradient)) or 1.0)
    for _ in range(_STEPS):
        trial = _allowed(constant - size * gradient, activation)
        reached, slope = measured(trial)
        if reached < value:
            constant, value, gradient, size = trial, reached, slope, 2 * size
        else:
            size /= 4
    return constant
