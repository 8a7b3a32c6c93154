"""What metrics ask of targets, predictions and weights, and what they make of them."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Floats",
    "binary",
    "column",
    "finite",
    "is_multilabel",
    "labels",
    "mean",
    "pair",
    "probabilities",
    "same_shape",
    "shares",
    "weights",
]

Floats: TypeAlias = NDArray[np.float64]

_SUM_TOLERANCE = 1e-3  # of a row of shares, as in the core


def mean(name: str, rows: Floats, sample_weight: ArrayLike | None) -> float:
    """Return sum(w · rows) / sum(w); of rows with several values, of their means."""
    weight = weights(name, sample_weight, len(rows))
    rows = rows if rows.ndim == 1 else rows.mean(axis=1)
    return float((weight * rows).sum() / weight.sum())


def weights(name: str, sample_weight: ArrayLike | None, n: int) -> Floats:
    """Return a weight for each row."""
    if n == 0:
        raise ValueError(f"{name}: there are 0 rows")
    if sample_weight is None:
        return np.ones(n)
    weight = finite(name, column(np.asarray(sample_weight)))
    if weight.shape != (n,):
        raise ValueError(f"{name}: expected sample_weight of shape ({n},), got {weight.shape}")
    if (weight < 0).any():
        row = int(np.argmax(weight < 0))
        raise ValueError(f"{name}: weights must be at least 0, got {weight[row]} in row {row}")
    if weight.sum() == 0:
        raise ValueError(f"{name}: all weights are 0")
    return weight


def column(values: NDArray[Any]) -> NDArray[Any]:
    """Return (n, 1) as (n,), anything else as it is."""
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values


def finite(name: str, values: NDArray[Any]) -> Floats:
    """Return one or two dimensions of finite numbers in float64."""
    if values.ndim not in (1, 2):
        raise ValueError(f"{name}: expected one or two dimensions, got shape {values.shape}")
    if values.dtype.kind not in "biuf":
        raise TypeError(f"{name}: expected numbers, got an array of {values.dtype}")
    floats = np.asarray(values, dtype=np.float64)
    good = np.isfinite(floats)
    if not good.all():
        row = int(np.argmin(good.reshape(len(good), -1).all(axis=1)))
        kind = "NaN" if np.isnan(floats[row]).any() else "an infinite number"
        raise ValueError(f"{name}: row {row} holds {kind}")
    return floats


def probabilities(name: str, values: NDArray[Any]) -> Floats:
    """Return numbers from 0 to 1."""
    p = finite(name, values)
    if p.size and not (p.min() >= 0 and p.max() <= 1):
        raise ValueError(
            f"{name}: predictions must be probabilities from 0 to 1, got {p.min():g} to "
            f"{p.max():g}; apply lm.activations.sigmoid or softmax to logits"
        )
    return p


def same_shape(name: str, truth: NDArray[Any], predicted: NDArray[Any]) -> None:
    """Refuse two arrays of different shapes."""
    if truth.shape != predicted.shape:
        raise ValueError(
            f"{name}: y_true and y_pred must have the same shape, got {truth.shape} and "
            f"{predicted.shape}"
        )


def pair(name: str, y_true: ArrayLike, y_pred: ArrayLike) -> tuple[Floats, Floats]:
    """Return targets and predictions as (n, outputs) in float64."""
    truth = finite(name, column(np.asarray(y_true)))
    predicted = finite(name, column(np.asarray(y_pred)))
    same_shape(name, truth, predicted)
    if truth.shape[0] == 0:
        raise ValueError(f"{name}: there are 0 rows")
    return truth.reshape(len(truth), -1), predicted.reshape(len(predicted), -1)


def binary(name: str, y_true: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return labels 0 and 1 as booleans of the predictions' shape."""
    truth = finite(name, column(np.asarray(y_true)))
    if truth.shape != shape:
        raise ValueError(
            f"{name}: y_true and y_pred must have the same shape, got {truth.shape} and {shape}"
        )
    good = (truth == 0) | (truth == 1)
    if not good.all():
        row = int(np.argmin(good.reshape(len(good), -1).all(axis=1)))
        raise ValueError(f"{name}: labels must be 0 or 1, got {truth[row]} in row {row}")
    return np.asarray(truth == 1)


def is_multilabel(
    name: str, y_true: ArrayLike, shape: tuple[int, ...], multilabel: bool | None
) -> bool:
    """Tell whether k columns of targets are k questions, rather than one class out of k.

    Unless the caller knows: they are if all are 0 or 1 and not every row sums to 1.
    """
    truth = column(np.asarray(y_true))
    if len(shape) != 2 or truth.shape != shape:
        return False
    if multilabel is not None:
        return multilabel
    rows = finite(name, truth)
    return bool(((rows == 0) | (rows == 1)).all() and (rows.sum(axis=1) != 1).any())


def labels(name: str, y_true: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.intp]:
    """Return class numbers 0 … k-1 for predictions of shape (n, k)."""
    n, k = shape
    truth = finite(name, column(np.asarray(y_true)))
    if truth.shape == (n, k):
        return np.asarray(shares(name, truth, shape).argmax(axis=1))
    if truth.shape != (n,):
        raise ValueError(
            f"{name}: for predictions of shape {shape} y_true must have shape ({n},) or {shape}, "
            f"got {truth.shape}"
        )
    good = (truth >= 0) & (truth < k) & (truth == np.floor(truth))
    if not good.all():
        row = int(np.argmin(good))
        raise ValueError(
            f"{name}: labels must be whole numbers from 0 to {k - 1}, got {truth[row]:g} in row "
            f"{row}"
        )
    return truth.astype(np.intp)


def shares(name: str, y_true: ArrayLike, shape: tuple[int, ...]) -> Floats:
    """Return rows of k shares that sum to 1, from such rows or from class numbers."""
    truth = column(np.asarray(y_true))
    if truth.shape != shape:
        return np.eye(shape[1])[labels(name, truth, shape)]
    rows = finite(name, truth)
    good = (np.abs(rows.sum(axis=1) - 1) <= _SUM_TOLERANCE) & (rows >= 0).all(axis=1)
    if not good.all():
        row = int(np.argmin(good))
        raise ValueError(
            f"{name}: rows of y_true must be one-hot or shares that sum to 1, row {row} is not"
        )
    return rows
