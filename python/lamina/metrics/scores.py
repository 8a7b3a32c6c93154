"""How good probabilities and scores are: log loss, Brier score, ROC AUC."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lamina.metrics import _checks
from lamina.metrics._base import RowMetric, SetMetric, UndefinedMetricError

__all__ = ["BrierScore", "LogLoss", "RocAuc", "brier_score", "log_loss", "roc_auc"]


@dataclass(eq=False, repr=False)
class LogLoss(RowMetric):
    """The mean cross-entropy of predicted probabilities; ``"log_loss"``.

    mean -ln P(the true class), in nats, weighted. It is what the crossentropy losses minimise
    (without label smoothing or class weights), and punishes confidence in the wrong class.
    Probabilities are clipped to [ε, 1 - ε], with ε = 1e-7 for float32 and 1e-15 otherwise, so that
    no row costs more than 16 or 35. (scikit-learn clips at 2^-23 and 2^-52.) A Trainer whose loss
    reads logits computes it from them, exactly and without a clip.

    Multi-label targets: the mean over the questions, as of binary cross-entropy.

    Examples
    --------
    >>> import lamina as lm
    >>> round(lm.metrics.log_loss([1, 0], [0.5, 0.5]), 4)
    0.6931
    >>> round(lm.metrics.log_loss([2], [[0.25, 0.25, 0.5]]), 4)
    0.6931
    """

    larger_is_better = False

    def __call__(
        self,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        multilabel: bool | None = None,
    ) -> float:
        """Return the mean log loss.

        Parameters
        ----------
        y_true : array_like, shape (n,), (n, 1) or (n, k)
            0 and 1, or class numbers 0 … k-1, or rows of k that sum to 1, or k answers of 0 and 1.
        y_pred : array_like, shape (n,), (n, 1) or (n, k)
            P(class 1), or the probability of each class. Rows are taken as they are, not rescaled.
        sample_weight : array_like, shape (n,), optional
            Weight of each row, at least 0.
        multilabel : bool, optional
            As for :class:`Accuracy`.

        Returns
        -------
        float
            At least 0.

        Raises
        ------
        ValueError
            If the shapes do not belong together, a label is out of range, or a prediction lies
            outside [0, 1].
        """
        predicted = _checks.column(np.asarray(y_pred))
        smallest = 1e-7 if predicted.dtype == np.float32 else 1e-15
        p = np.clip(_checks.probabilities(self.name, predicted), smallest, 1 - smallest)
        if p.ndim == 1 or _checks.is_multilabel(self.name, y_true, p.shape, multilabel):
            truth = _checks.binary(self.name, y_true, p.shape)
            rows = -np.log(np.where(truth, p, 1 - p))
        else:
            rows = -(_checks.shares(self.name, y_true, p.shape) * np.log(p)).sum(axis=1)
        return _checks.mean(self.name, rows, sample_weight)


@dataclass(eq=False, repr=False)
class BrierScore(RowMetric):
    """The mean squared error of predicted probabilities; ``"brier_score"`` or ``"brier"``.

    mean (P - y)² for one probability a row; for k classes mean sum_j (P_j - y_j)², from 0 to 2, and
    for two classes half of that, so that one column and two say the same: all as in scikit-learn.
    Like log loss it is best for the true probabilities, but no row costs more than 1 (2).

    Multi-label targets: the mean over the questions.

    References
    ----------
    Brier, Verification of forecasts expressed in terms of probability, Monthly Weather Review 78,
    1950.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.metrics.brier_score([1, 0], [0.5, 0.0])
    0.125
    >>> lm.metrics.brier_score([2], [[0.25, 0.25, 0.5]])
    0.375
    """

    larger_is_better = False

    def __call__(
        self,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        multilabel: bool | None = None,
    ) -> float:
        """Return the mean Brier score.

        Parameters
        ----------
        y_true, y_pred, sample_weight, multilabel
            As for :class:`LogLoss`.

        Returns
        -------
        float
            At least 0.

        Raises
        ------
        ValueError
            As :class:`LogLoss`.
        """
        p = _checks.probabilities(self.name, _checks.column(np.asarray(y_pred)))
        if p.ndim == 1 or _checks.is_multilabel(self.name, y_true, p.shape, multilabel):
            rows = (p - _checks.binary(self.name, y_true, p.shape)) ** 2
        else:
            errors = p - _checks.shares(self.name, y_true, p.shape)
            rows = (errors**2).sum(axis=1) / (2 if p.shape[1] == 2 else 1)
        return _checks.mean(self.name, rows, sample_weight)


@dataclass(eq=False, repr=False)
class RocAuc(SetMetric):
    """The area under the ROC curve; ``"roc_auc"`` or ``"auc"``.

    The probability that a row of class 1 has a higher score than one of class 0, where a tie
    counts half: exact, from the ranks. For that it stores all scores: a Trainer keeps the
    predictions of the data that it measures, and sorts them (Keras' AUC keeps histograms of 200
    thresholds instead, and is approximate). For several classes it is the mean over the classes of
    "this one against the rest", each class counting the same (macro); for multi-label targets the
    mean over the questions. Only the order of the scores matters, so probabilities and logits do
    equally.

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

    larger_is_better = True
    _names = ("roc_auc", "auc", "auroc", "roc_auc_score")

    def __call__(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Return the area.

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
        UndefinedMetricError
            A ValueError: if `y_true` holds one class only, or a class has no rows; there is no
            curve then. A Trainer notes NaN.
        ValueError
            If the shapes do not belong together or a label is out of range.
        """
        scores = _checks.finite(self.name, _checks.column(np.asarray(y_pred)))
        weight = _checks.weights(self.name, sample_weight, len(scores))
        if scores.ndim == 1:
            return self._area(_checks.binary(self.name, y_true, scores.shape), scores, weight, 1)
        truth = np.asarray(y_true)
        size = scores.shape[1]
        if truth.ndim == 2 and truth.shape[1] > 1:
            columns = _checks.binary(self.name, truth, scores.shape)
        else:
            columns = _checks.labels(self.name, truth, scores.shape)[:, None] == np.arange(size)
        areas = [self._area(columns[:, k], scores[:, k], weight, k) for k in range(size)]
        return float(np.mean(areas))

    def _area(
        self,
        positive: NDArray[np.bool_],
        scores: _checks.Floats,
        weight: _checks.Floats,
        label: int,
    ) -> float:
        """Return the area under one curve: sum over equal scores of P (N before + N / 2)."""
        groups, place = np.unique(scores, return_inverse=True)
        place = place.reshape(-1)
        ones = np.bincount(place, weights=weight * positive, minlength=len(groups))
        zeros = np.bincount(place, weights=weight * ~positive, minlength=len(groups))
        if ones.sum() == 0 or zeros.sum() == 0:
            which = "none" if ones.sum() == 0 else "all"
            raise UndefinedMetricError(
                f"{self.name}: needs rows of both kinds, but {which} of the rows (with a weight "
                f"above 0) are of class {label}"
            )
        below = np.cumsum(zeros) - zeros
        return float((ones * (below + 0.5 * zeros)).sum() / (ones.sum() * zeros.sum()))


log_loss = LogLoss()
brier_score = BrierScore()
roc_auc = RocAuc()
