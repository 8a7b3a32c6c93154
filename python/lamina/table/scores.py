"""How good the predictions for a table are, in its own units, and what guessing would give."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lamina import metrics
from lamina.table.target import Target
from lamina.tables_io import Column

__all__ = ["Scores", "baseline", "score"]

#: Metric -> value; NaN where a metric does not exist (the AUC when a class has no rows).
Scores = dict[str, float]


def score(target: Target, column: Column, prediction: npt.NDArray[Any]) -> Scores:
    """Compare predictions with the target's cells.

    Parameters
    ----------
    target : Target
        What is predicted.
    column : array or list of str
        The true cells, none blank.
    prediction : ndarray
        Regression: (rows,) in the user's units. Classification: (rows, classes) probabilities.

    Returns
    -------
    dict
        ``rmse``, ``mae`` (units of the target) and ``r2``; or ``accuracy``, ``log_loss`` (nats)
        and ``auc`` (area under the ROC curve; for more than two classes the mean over one class
        against the rest).
    """
    if target.task == "regression":
        truth = target.quantities(column)
        return {
            "rmse": metrics.root_mean_squared_error(truth, prediction),
            "mae": metrics.mean_absolute_error(truth, prediction),
            "r2": metrics.r2(truth, prediction),
        }
    labels = target.encode(column)
    return {
        "accuracy": metrics.accuracy(labels, prediction),
        "log_loss": metrics.log_loss(labels, prediction),
        "auc": _area(labels, prediction),
    }


def baseline(target: Target, train: Column, test: Column) -> Scores:
    """Score what needs no model: the training mean, or the training shares of the classes.

    The mean absolute error is that of the training median, which no other constant beats there.
    """
    rows = len(test)
    if target.task == "regression":
        known = target.quantities(train)
        scores = score(target, test, np.full(rows, known.mean()))
        scores["mae"] = score(target, test, np.full(rows, np.median(known)))["mae"]
        return scores
    shares = np.bincount(target.encode(train), minlength=len(target.classes)) / len(train)
    return score(target, test, np.tile(shares, (rows, 1)))


def _area(labels: npt.NDArray[np.integer], probabilities: npt.NDArray[Any]) -> float:
    binary = probabilities.shape[1] == 2
    present = len(np.unique(labels)) == probabilities.shape[1]
    if not present:
        return float("nan")
    return metrics.roc_auc(labels, probabilities[:, 1] if binary else probabilities)
