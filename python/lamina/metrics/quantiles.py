"""How good predicted quantiles are: the pinball loss, and how often targets lie below them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from lamina.metrics import _checks
from lamina.metrics._base import RowMetric

__all__ = ["Coverage", "QuantileLoss", "coverage", "quantile_loss"]


def _fan(name: str, y_true: ArrayLike, y_pred: ArrayLike) -> tuple[_checks.Floats, _checks.Floats]:
    """Return targets (n, 1, targets) and predictions (n, predictions of each, targets)."""
    truth, predicted = np.asarray(y_true), np.asarray(y_pred)
    targets = truth.shape[1] if truth.ndim == 2 else 1
    width = predicted.shape[1] if predicted.ndim == 2 else 1
    if width == targets or width % max(targets, 1) or len(truth) != len(predicted):
        truth, predicted = _checks.pair(name, y_true, y_pred)
    shape = (len(truth), -1, targets)
    predicted = _checks.finite(name, predicted)
    return _checks.finite(name, truth).reshape(shape), predicted.reshape(shape)


@dataclass(eq=False, repr=False)
class QuantileLoss(RowMetric):
    """The pinball loss of predicted quantiles; ``"quantile_loss"`` or ``"pinball_loss"``.

    mean max(q (y - p), (q - 1) (y - p)) for the level q, over the outputs and, weighted, over the
    rows, in units of the target. It is least for the true quantile of each row; with q = 0.5 it is
    half the mean absolute error.

    Parameters
    ----------
    levels : float or sequence of float, default 0.5
        Levels of the predicted quantiles, from 0 to 1. With several there is a prediction of each
        for every target: the first level's of all targets, then the second's.

    References
    ----------
    Koenker & Bassett, Regression quantiles, Econometrica 46, 1978.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.metrics.QuantileLoss(levels=0.75)([1.0, 2.0], [0.0, 4.0])
    0.625
    >>> lm.metrics.QuantileLoss(levels=[0.25, 0.75])([1.0, 2.0], [[0.0, 2.0], [1.0, 2.0]])
    0.1875
    """

    levels: float | Sequence[float] = 0.5
    larger_is_better = False

    def __post_init__(self) -> None:
        """Make any sequence a list, as it is read from files."""
        if not isinstance(self.levels, (int, float)):
            self.__dict__["levels"] = [float(q) for q in self.levels]

    def __call__(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Return the mean pinball loss.

        Parameters
        ----------
        y_true : array_like, shape (n,) or (n, targets)
            Targets.
        y_pred : array_like, shape (n,) or (n, levels · targets)
            Predicted quantiles.
        sample_weight : array_like, shape (n,), optional
            Weight of each row, at least 0.

        Returns
        -------
        float
            At least 0.

        Raises
        ------
        ValueError
            If the shapes do not belong together, a number is not finite, or a level is not from 0
            to 1.
        """
        truth, predicted = _fan(self.name, y_true, y_pred)
        levels = np.atleast_1d(np.asarray(self.levels, dtype=np.float64))
        if not ((levels >= 0) & (levels <= 1)).all():
            raise ValueError(f"QuantileLoss: levels must be in [0, 1], got {self.levels}")
        if len(levels) != predicted.shape[1]:
            raise ValueError(
                f"QuantileLoss: {len(levels)} levels need as many predictions of each target, got "
                f"{predicted.shape[1]} (y_true and y_pred have the shapes {np.shape(y_true)} and "
                f"{np.shape(y_pred)})"
            )
        below = truth - predicted
        costs = np.maximum(levels[:, None] * below, (levels[:, None] - 1) * below).mean(axis=1)
        return _checks.mean(self.name, costs, sample_weight)


@dataclass(eq=False, repr=False)
class Coverage(RowMetric):
    """How often targets lie below a predicted quantile, or inside an interval; ``"coverage"``.

    With one prediction for each target mean [y ≤ p], which for a good quantile of the level q is
    about q. With several predictions for one target (the outputs of a model with several
    quantiles, in ascending order) mean [p_first ≤ y ≤ p_last]: for the levels 0.1 and 0.9 about
    0.8. Neither is good or bad by being larger, so for EarlyStopping it has no direction of its
    own: give the mode, or monitor ``QuantileLoss``.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.metrics.coverage([1.0, 2.0, 3.0, 4.0], [2.0, 2.0, 2.0, 2.0])
    0.5
    >>> lm.metrics.coverage([1.0, 5.0], [[0.0, 2.0], [1.0, 3.0]])
    0.5
    """

    def __call__(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Return the share of targets that are covered.

        Parameters
        ----------
        y_true : array_like, shape (n,) or (n, targets)
            Targets.
        y_pred : array_like, shape (n,), (n, targets) or (n, levels · targets)
            Predicted quantiles, the first level's of all targets first.
        sample_weight : array_like, shape (n,), optional
            Weight of each row, at least 0.

        Returns
        -------
        float
            From 0 to 1.

        Raises
        ------
        ValueError
            If the shapes do not belong together or a number is not finite.
        """
        truth, predicted = _fan(self.name, y_true, y_pred)
        first, last, target = predicted[:, 0], predicted[:, -1], truth[:, 0]
        inside = target <= last
        if predicted.shape[1] > 1:
            inside &= first <= target
        return _checks.mean(self.name, inside.astype(np.float64), sample_weight)


quantile_loss = QuantileLoss()
coverage = Coverage()
