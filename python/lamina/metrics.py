"""Metrics: what a person wants to know about predictions, as NumPy functions of whole arrays.

Those that are a mean over rows are also known to the Trainer by name (``metrics=["accuracy"]``);
there the core computes them while it trains.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lamina._isa import core

__all__ = [
    "accuracy",
    "log_loss",
    "mean_absolute_error",
    "mean_squared_error",
    "r2",
    "roc_auc",
    "root_mean_squared_error",
]

_Floats = NDArray[np.float64]


def accuracy(y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Return the share of rows whose prediction is right.

    mean [prediction = label], weighted.

    Parameters
    ----------
    y_true : array_like, shape (n,), (n, 1) or (n, k)
        Labels: class numbers, or anything that can be compared if `y_pred` holds labels, too; or
        one-hot rows if `y_pred` has k columns.
    y_pred : array_like, shape (n,), (n, 1) or (n, k)
        Labels (whole numbers of an integer type, booleans or strings); or P(class 1) as floats,
        right if above 0.5 for a label of 1; or k columns of scores, of which the largest counts.
    sample_weight : array_like, shape (n,), optional
        Weight of each row, at least 0.

    Returns
    -------
    float
        From 0 to 1.

    Raises
    ------
    ValueError
        If the shapes do not belong together, a label is not among the k columns, or a single
        column of floats is no probability.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.metrics.accuracy([0, 1, 1, 0], [0.2, 0.9, 0.4, 0.1])
    0.75
    >>> lm.metrics.accuracy([2, 0], [[0.1, 0.2, 0.7], [0.3, 0.4, 0.3]])
    0.5
    >>> lm.metrics.accuracy(["cat", "dog"], ["cat", "cat"], sample_weight=[3, 1])
    0.75
    """
    name = "accuracy"
    predicted = _column(np.asarray(y_pred))
    if predicted.ndim == 2:
        right = _labels(name, y_true, predicted.shape) == _finite(name, predicted).argmax(axis=1)
    elif predicted.dtype.kind == "f":
        right = _binary(name, y_true, predicted.shape) == (_probabilities(name, predicted) > 0.5)
    else:
        truth = _column(np.asarray(y_true))
        _same_shape(name, truth, predicted)
        right = truth == predicted
    return _mean(name, np.asarray(right, dtype=np.float64), sample_weight)


def log_loss(y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Return the mean cross-entropy of predicted probabilities.

    mean -ln P(the true class), in nats, weighted. It is what the crossentropy losses minimise, and
    punishes confidence in the wrong class. Probabilities are clipped to [ε, 1 - ε], with ε = 1e-7
    for float32 and 1e-15 otherwise, so that no row costs more than 16 or 35.

    Parameters
    ----------
    y_true : array_like, shape (n,), (n, 1) or (n, k)
        0 and 1, or class numbers 0 … k-1, or rows of k that sum to 1.
    y_pred : array_like, shape (n,), (n, 1) or (n, k)
        P(class 1), or the probability of each class. Rows are taken as they are, not rescaled.
    sample_weight : array_like, shape (n,), optional
        Weight of each row, at least 0.

    Returns
    -------
    float
        At least 0.

    Raises
    ------
    ValueError
        If the shapes do not belong together, a label is out of range, or a prediction lies outside
        [0, 1].

    Examples
    --------
    >>> import lamina as lm
    >>> round(lm.metrics.log_loss([1, 0], [0.5, 0.5]), 4)
    0.6931
    >>> round(lm.metrics.log_loss([2], [[0.25, 0.25, 0.5]]), 4)
    0.6931
    """
    name = "log_loss"
    predicted = _column(np.asarray(y_pred))
    smallest = 1e-7 if predicted.dtype == np.float32 else 1e-15
    p = np.clip(_probabilities(name, predicted), smallest, 1 - smallest)
    if p.ndim == 1:
        truth = _binary(name, y_true, p.shape)
        rows = -np.log(np.where(truth, p, 1 - p))
    else:
        rows = -(_shares(name, y_true, p.shape) * np.log(p)).sum(axis=1)
    return _mean(name, rows, sample_weight)


def roc_auc(y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Return the area under the ROC curve.

    The probability that a row of class 1 has a higher score than one of class 0, where a tie
    counts half: exact, from the ranks. For several classes it is the mean over the classes of
    "this one against the rest", each class counting the same (macro). Only the order of the scores
    matters, so probabilities and logits do equally.

    Parameters
    ----------
    y_true : array_like, shape (n,), (n, 1) or (n, k)
        0 and 1; or class numbers 0 … k-1; or k columns of 0 and 1.
    y_pred : array_like, shape (n,), (n, 1) or (n, k)
        Scores for class 1, or a column of scores for each class.
    sample_weight : array_like, shape (n,), optional
        Weight of each row, at least 0.

    Returns
    -------
    float
        From 0 to 1; 0.5 for guesses.

    Raises
    ------
    ValueError
        If `y_true` holds one class only, or a class has no rows; there is no curve then.

    References
    ----------
    Hanley & McNeil, The meaning and use of the area under a receiver operating characteristic (ROC)
    curve, Radiology 143, 1982.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.metrics.roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    >>> lm.metrics.roc_auc([0, 1, 1], [0.5, 0.5, 0.9])
    0.75
    """
    name = "roc_auc"
    scores = _finite(name, _column(np.asarray(y_pred)))
    weight = _weights(name, sample_weight, len(scores))
    if scores.ndim == 1:
        return _area(name, _binary(name, y_true, scores.shape), scores, weight, 1)
    truth = np.asarray(y_true)
    if truth.ndim == 2 and truth.shape[1] > 1:
        columns = _binary(name, truth, scores.shape)
    else:
        classes = np.arange(scores.shape[1])
        columns = _labels(name, truth, scores.shape)[:, None] == classes
    areas = [_area(name, columns[:, k], scores[:, k], weight, k) for k in range(scores.shape[1])]
    return float(np.mean(areas))


def mean_squared_error(
    y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
) -> float:
    """Return the mean squared error; "mse".

    mean (p - y)², over all outputs of a row and then, weighted, over the rows; in squared units of
    the target.

    Parameters
    ----------
    y_true, y_pred : array_like, shape (n,) or (n, outputs)
        Targets and predictions, of the same shape; (n,) and (n, 1) mean the same.
    sample_weight : array_like, shape (n,), optional
        Weight of each row, at least 0.

    Returns
    -------
    float
        At least 0.

    Raises
    ------
    ValueError
        If the shapes differ (nothing broadcasts) or a number is not finite.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.metrics.mean_squared_error([1.0, 2.0], [1.0, 4.0])
    2.0
    """
    return _mean_square("mean_squared_error", y_true, y_pred, sample_weight)


def root_mean_squared_error(
    y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
) -> float:
    """Return the square root of the mean squared error; "rmse".

    sqrt(mean (p - y)²), in units of the target. For several outputs it is the root of the mean
    over all, as in Keras (scikit-learn averages the roots).

    Parameters
    ----------
    y_true, y_pred, sample_weight : array_like
        As for mean_squared_error.

    Returns
    -------
    float
        At least 0.

    Raises
    ------
    ValueError
        As mean_squared_error.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.metrics.root_mean_squared_error([1.0, 1.0], [1.0, 1.0])
    0.0
    >>> lm.metrics.root_mean_squared_error([0.0, 0.0], [3.0, -3.0])
    3.0
    """
    name = "root_mean_squared_error"
    return float(np.sqrt(_mean_square(name, y_true, y_pred, sample_weight)))


def mean_absolute_error(
    y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
) -> float:
    """Return the mean absolute error; "mae".

    mean |p - y|, in units of the target; large errors weigh less than in the squared error.

    Parameters
    ----------
    y_true, y_pred, sample_weight : array_like
        As for mean_squared_error.

    Returns
    -------
    float
        At least 0.

    Raises
    ------
    ValueError
        As mean_squared_error.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.metrics.mean_absolute_error([1.0, 2.0], [1.0, 4.0])
    1.0
    """
    name = "mean_absolute_error"
    truth, predicted = _pair(name, y_true, y_pred)
    return _mean(name, np.abs(predicted - truth).mean(axis=1), sample_weight)


def r2(y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Return the coefficient of determination: the share of the target's variance explained.

    1 - sum w (y - p)² / sum w (y - mean y)². 1 is perfect, 0 is what the mean of the target gives,
    and worse predictions are negative. For several outputs it is the mean over them. Where a target
    is constant it is 1 if the predictions equal it and 0 if not, as in scikit-learn.

    Parameters
    ----------
    y_true, y_pred, sample_weight : array_like
        As for mean_squared_error.

    Returns
    -------
    float
        At most 1.

    Raises
    ------
    ValueError
        As mean_squared_error.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.metrics.r2([1.0, 2.0, 3.0], [1.0, 2.0, 4.0])
    0.5
    """
    name = "r2"
    truth, predicted = _pair(name, y_true, y_pred)
    weight = _weights(name, sample_weight, len(truth))[:, None]
    center = (weight * truth).sum(axis=0) / weight.sum()
    residual = (weight * (truth - predicted) ** 2).sum(axis=0)
    total = (weight * (truth - center) ** 2).sum(axis=0)
    constant = np.ptp(truth[weight[:, 0] > 0], axis=0) == 0
    scores = 1 - residual / np.where(constant, 1.0, total)
    return float(np.where(constant, residual == 0, scores).mean())


def canonical_key(key: str) -> str:
    """Return the key that logs use: ``"val_mse"`` is ``"val_mean_squared_error"`` there."""
    prefix = "val_" if key.startswith("val_") else ""
    name = key[len(prefix) :]
    return prefix + _aliases().get(name, name)


@functools.cache
def _aliases() -> dict[str, str]:
    """Return the core's other names of its metrics, and what they stand for."""
    return {alias: m["name"] for m in core.catalogue()["metrics"] for alias in m["aliases"]}


def _area(
    name: str, positive: NDArray[np.bool_], scores: _Floats, weight: _Floats, label: int
) -> float:
    """Return the area under one ROC curve, with sum over equal scores of P (N before + N / 2)."""
    groups, place = np.unique(scores, return_inverse=True)
    place = place.reshape(-1)
    ones = np.bincount(place, weights=weight * positive, minlength=len(groups))
    zeros = np.bincount(place, weights=weight * ~positive, minlength=len(groups))
    if ones.sum() == 0 or zeros.sum() == 0:
        which = "none" if ones.sum() == 0 else "all"
        raise ValueError(
            f"{name}: needs rows of both kinds, but {which} of the rows (with a weight above 0) "
            f"are of class {label}"
        )
    below = np.cumsum(zeros) - zeros
    return float((ones * (below + 0.5 * zeros)).sum() / (ones.sum() * zeros.sum()))


def _mean_square(
    name: str, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None
) -> float:
    truth, predicted = _pair(name, y_true, y_pred)
    return _mean(name, ((predicted - truth) ** 2).mean(axis=1), sample_weight)


def _mean(name: str, rows: _Floats, sample_weight: ArrayLike | None) -> float:
    """Return sum(w · rows) / sum(w)."""
    weight = _weights(name, sample_weight, len(rows))
    return float((weight * rows).sum() / weight.sum())


def _weights(name: str, sample_weight: ArrayLike | None, n: int) -> _Floats:
    """Return a weight for each row."""
    if n == 0:
        raise ValueError(f"{name}: there are 0 rows")
    if sample_weight is None:
        return np.ones(n)
    weight = _finite(name, _column(np.asarray(sample_weight)))
    if weight.shape != (n,):
        raise ValueError(f"{name}: expected sample_weight of shape ({n},), got {weight.shape}")
    if (weight < 0).any():
        row = int(np.argmax(weight < 0))
        raise ValueError(f"{name}: weights must be at least 0, got {weight[row]} in row {row}")
    if weight.sum() == 0:
        raise ValueError(f"{name}: all weights are 0")
    return weight


def _column(values: NDArray[Any]) -> NDArray[Any]:
    """Return (n, 1) as (n,), anything else as it is."""
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values


def _finite(name: str, values: NDArray[Any]) -> _Floats:
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


def _probabilities(name: str, values: NDArray[Any]) -> _Floats:
    """Return numbers from 0 to 1."""
    p = _finite(name, values)
    if p.size and not (p.min() >= 0 and p.max() <= 1):
        raise ValueError(
            f"{name}: predictions must be probabilities from 0 to 1, got {p.min():g} to "
            f"{p.max():g}; apply lm.activations.sigmoid or softmax to logits"
        )
    return p


def _same_shape(name: str, truth: NDArray[Any], predicted: NDArray[Any]) -> None:
    if truth.shape != predicted.shape:
        raise ValueError(
            f"{name}: y_true and y_pred must have the same shape, got {truth.shape} and "
            f"{predicted.shape}"
        )


def _pair(name: str, y_true: ArrayLike, y_pred: ArrayLike) -> tuple[_Floats, _Floats]:
    """Return targets and predictions as (n, outputs) in float64."""
    truth = _finite(name, _column(np.asarray(y_true)))
    predicted = _finite(name, _column(np.asarray(y_pred)))
    _same_shape(name, truth, predicted)
    if truth.shape[0] == 0:
        raise ValueError(f"{name}: there are 0 rows")
    return truth.reshape(len(truth), -1), predicted.reshape(len(predicted), -1)


def _binary(name: str, y_true: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return labels 0 and 1 as booleans of the predictions' shape."""
    truth = _finite(name, _column(np.asarray(y_true)))
    if truth.shape != shape:
        raise ValueError(
            f"{name}: y_true and y_pred must have the same shape, got {truth.shape} and {shape}"
        )
    good = (truth == 0) | (truth == 1)
    if not good.all():
        row = int(np.argmin(good.reshape(len(good), -1).all(axis=1)))
        raise ValueError(f"{name}: labels must be 0 or 1, got {truth[row]} in row {row}")
    return np.asarray(truth == 1)


def _labels(name: str, y_true: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.intp]:
    """Return class numbers 0 … k-1 for predictions of shape (n, k)."""
    n, k = shape
    truth = _finite(name, _column(np.asarray(y_true)))
    if truth.shape == (n, k):
        return np.asarray(_shares(name, truth, shape).argmax(axis=1))
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


def _shares(name: str, y_true: ArrayLike, shape: tuple[int, ...]) -> _Floats:
    """Return rows of k shares that sum to 1, from such rows or from class numbers."""
    truth = _column(np.asarray(y_true))
    if truth.shape != shape:
        return np.eye(shape[1])[_labels(name, truth, shape)]
    rows = _finite(name, truth)
    good = (np.abs(rows.sum(axis=1) - 1) <= 1e-4) & (rows >= 0).all(axis=1)
    if not good.all():
        row = int(np.argmin(good))
        raise ValueError(
            f"{name}: rows of y_true must be one-hot or shares that sum to 1, row {row} is not"
        )
    return rows
