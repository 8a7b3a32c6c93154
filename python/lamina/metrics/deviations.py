"""How far the predictions of a regression are off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from lamina.metrics import _checks
from lamina.metrics._base import RowMetric, SetMetric

__all__ = [
    "R2",
    "ExplainedVariance",
    "MaxError",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "RootMeanSquaredError",
    "explained_variance",
    "max_error",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "r2",
    "root_mean_squared_error",
]


class _Errors(RowMetric):
    """A mean over outputs and rows of what each error costs."""

    larger_is_better = False

    def __call__(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Return the metric.

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
        """
        truth, predicted = _checks.pair(self.name, y_true, y_pred)
        costs = self._costs(truth, predicted)
        return self._finish(_checks.mean(self.name, costs, sample_weight))

    def _costs(self, truth: _checks.Floats, predicted: _checks.Floats) -> _checks.Floats:
        raise NotImplementedError

    def _finish(self, mean: float) -> float:
        return mean


@dataclass(eq=False, repr=False)
class MeanSquaredError(_Errors):
    """The mean squared error; ``"mean_squared_error"`` or ``"mse"``.

    mean (p - y)², over all outputs of a row and then, weighted, over the rows; in squared units of
    the target. (The loss of this name is ``lm.losses.MeanSquaredError``.)

    Examples
    --------
    >>> import lamina as lm
    >>> lm.metrics.mean_squared_error([1.0, 2.0], [1.0, 4.0])
    2.0
    """

    def _costs(self, truth: _checks.Floats, predicted: _checks.Floats) -> _checks.Floats:
        return (predicted - truth) ** 2


@dataclass(eq=False, repr=False)
class RootMeanSquaredError(MeanSquaredError):
    """The square root of the mean squared error; ``"root_mean_squared_error"`` or ``"rmse"``.

    sqrt(mean (p - y)²), in units of the target. For several outputs it is the root of the mean
    over all, as in Keras (scikit-learn averages the roots).

    Examples
    --------
    >>> import lamina as lm
    >>> lm.metrics.root_mean_squared_error([1.0, 1.0], [1.0, 1.0])
    0.0
    >>> lm.metrics.root_mean_squared_error([0.0, 0.0], [3.0, -3.0])
    3.0
    """

    def _finish(self, mean: float) -> float:
        return float(np.sqrt(mean))


@dataclass(eq=False, repr=False)
class MeanAbsoluteError(_Errors):
    """The mean absolute error; ``"mean_absolute_error"`` or ``"mae"``.

    mean |p - y|, in units of the target; large errors weigh less than in the squared error.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.metrics.mean_absolute_error([1.0, 2.0], [1.0, 4.0])
    1.0
    """

    def _costs(self, truth: _checks.Floats, predicted: _checks.Floats) -> _checks.Floats:
        return np.abs(predicted - truth)


@dataclass(eq=False, repr=False)
class MeanAbsolutePercentageError(_Errors):
    """The mean error relative to the target; ``"mape"``.

    mean |p - y| / max(|y|, 2^-52), as a share: 0.1 is 10 %, as in scikit-learn (Keras multiplies by
    100 and takes 1e-7). A target of 0 makes it huge; it is for targets far from 0.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.metrics.mean_absolute_percentage_error([1.0, 2.0], [1.0, 4.0])
    0.5
    """

    def _costs(self, truth: _checks.Floats, predicted: _checks.Floats) -> _checks.Floats:
        smallest = np.finfo(np.float64).eps
        return np.asarray(np.abs(predicted - truth) / np.maximum(np.abs(truth), smallest))


class _Explained(SetMetric):
    """A share of the target's variance."""

    larger_is_better = True

    def __call__(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Return the share that is explained.

        Parameters
        ----------
        y_true, y_pred, sample_weight : array_like
            As for :class:`MeanSquaredError`.

        Returns
        -------
        float
            At most 1.

        Raises
        ------
        ValueError
            As :class:`MeanSquaredError`.
        """
        truth, predicted = _checks.pair(self.name, y_true, y_pred)
        weight = _checks.weights(self.name, sample_weight, len(truth))[:, None]
        error = predicted - truth
        residual = (weight * (error - self._center(error, weight)) ** 2).sum(axis=0)
        deviation = truth - (weight * truth).sum(axis=0) / weight.sum()
        total = (weight * deviation**2).sum(axis=0)
        counted = weight[:, 0] > 0
        constant = np.ptp(truth[counted], axis=0) == 0
        scores = 1 - residual / np.where(constant, 1.0, total)
        return float(np.where(constant, self._exact(error[counted]), scores).mean())

    def _center(self, error: _checks.Floats, weight: _checks.Floats) -> _checks.Floats:
        """Return what may be taken from the errors."""
        raise NotImplementedError

    def _exact(self, error: _checks.Floats) -> _checks.Floats:
        """Return, by output, whether nothing is left unexplained."""
        raise NotImplementedError


@dataclass(eq=False, repr=False)
class R2(_Explained):
    """The coefficient of determination: the share of the target's variance explained; ``"r2"``.

    1 - sum w (y - p)² / sum w (y - mean y)². 1 is perfect, 0 is what the mean of the target gives,
    and worse predictions are negative. For several outputs it is the mean over them. Where a target
    is constant it is 1 if the predictions equal it and 0 if not, as in scikit-learn.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.metrics.r2([1.0, 2.0, 3.0], [1.0, 2.0, 4.0])
    0.5
    """

    _names = ("r2", "r2_score", "r_squared")

    def _center(self, error: _checks.Floats, weight: _checks.Floats) -> _checks.Floats:
        return np.zeros(error.shape[1])

    def _exact(self, error: _checks.Floats) -> _checks.Floats:
        return np.asarray((error == 0).all(axis=0), dtype=np.float64)


@dataclass(eq=False, repr=False)
class ExplainedVariance(_Explained):
    """R² after the mean error is taken off; ``"explained_variance"``.

    1 - var(y - p) / var(y), with weighted variances. It differs from R² where predictions are too
    high or too low throughout. For several outputs it is the mean over them. Where a target is
    constant it is 1 if the predictions are, too, and 0 if not, as in scikit-learn.

    Examples
    --------
    >>> import lamina as lm
    >>> y, p = [1.0, 2.0, 3.0], [2.0, 3.0, 4.0]
    >>> lm.metrics.explained_variance(y, p), lm.metrics.r2(y, p)
    (1.0, -0.5)
    """

    _names = ("explained_variance", "explained_variance_score")

    def _center(self, error: _checks.Floats, weight: _checks.Floats) -> _checks.Floats:
        return np.asarray((weight * error).sum(axis=0) / weight.sum())

    def _exact(self, error: _checks.Floats) -> _checks.Floats:
        return np.asarray(np.ptp(error, axis=0) == 0, dtype=np.float64)


@dataclass(eq=False, repr=False)
class MaxError(SetMetric):
    """The largest absolute error; ``"max_error"``.

    max |p - y|, over all outputs and all rows of a weight above 0, in units of the target: what a
    surrogate model promises at worst.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.metrics.max_error([1.0, 2.0], [1.5, 0.0])
    2.0
    """

    larger_is_better = False
    _names = ("max_error", "maximum_error")

    def __call__(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Return the largest error.

        Parameters
        ----------
        y_true, y_pred, sample_weight : array_like
            As for :class:`MeanSquaredError`.

        Returns
        -------
        float
            At least 0.

        Raises
        ------
        ValueError
            As :class:`MeanSquaredError`.
        """
        truth, predicted = _checks.pair(self.name, y_true, y_pred)
        counted = _checks.weights(self.name, sample_weight, len(truth)) > 0
        return float(np.abs(predicted - truth)[counted].max())


mean_squared_error = MeanSquaredError()
root_mean_squared_error = RootMeanSquaredError()
mean_absolute_error = MeanAbsoluteError()
mean_absolute_percentage_error = MeanAbsolutePercentageError()
r2 = R2()
explained_variance = ExplainedVariance()
max_error = MaxError()
