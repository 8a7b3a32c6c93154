"""Shares of right answers: accuracy, top-k accuracy, balanced accuracy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from lamina.metrics import _checks
from lamina.metrics._base import RowMetric, SetMetric
from lamina.metrics.confusion import count

__all__ = [
    "Accuracy",
    "BalancedAccuracy",
    "TopKAccuracy",
    "accuracy",
    "balanced_accuracy",
    "top_k_accuracy",
]


@dataclass(eq=False, repr=False)
class Accuracy(RowMetric):
    """The share of rows whose prediction is right; ``"accuracy"`` or ``"acc"``.

    mean [prediction = label], weighted. For one column of predictions it is Keras'
    BinaryAccuracy, for several its CategoricalAccuracy. Where classes are unequally frequent,
    look at :class:`BalancedAccuracy` or :class:`F1`, too.

    Targets of several questions (multi-label): the mean share of right answers, as Keras'
    BinaryAccuracy (scikit-learn counts rows whose answers are all right). Among equal scores the
    first class counts as the largest.

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

    larger_is_better = True

    def __call__(
        self,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        multilabel: bool | None = None,
    ) -> float:
        """Return the share of right predictions.

        Parameters
        ----------
        y_true : array_like, shape (n,), (n, 1) or (n, k)
            Labels: class numbers, or anything that can be compared if `y_pred` holds labels, too;
            or, if `y_pred` has k columns, one-hot rows or k answers of 0 and 1.
        y_pred : array_like, shape (n,), (n, 1) or (n, k)
            Labels (whole numbers of an integer type, booleans or strings); or P(class 1) as
            floats, right if above 0.5 for a label of 1; or k columns of scores, of which the
            largest counts (multi-label: k probabilities).
        sample_weight : array_like, shape (n,), optional
            Weight of each row, at least 0.
        multilabel : bool, optional
            Whether k columns of targets are k questions, rather than one class out of k. Default:
            they are, if all are 0 or 1 and not every row sums to 1.

        Returns
        -------
        float
            From 0 to 1.

        Raises
        ------
        ValueError
            If the shapes do not belong together, a label is not among the k columns, or a single
            column of floats is no probability.
        """
        predicted = _checks.column(np.asarray(y_pred))
        name, shape = self.name, predicted.shape
        questions = predicted.ndim == 1 and predicted.dtype.kind == "f"
        if questions or _checks.is_multilabel(name, y_true, shape, multilabel):
            above = _checks.probabilities(name, predicted) > 0.5
            right = _checks.binary(name, y_true, shape) == above
        elif predicted.ndim == 2:
            best = _checks.finite(name, predicted).argmax(axis=1)
            right = _checks.labels(name, y_true, shape) == best
        else:
            truth = _checks.column(np.asarray(y_true))
            _checks.same_shape(name, truth, predicted)
            right = truth == predicted
        return _checks.mean(name, np.asarray(right, dtype=np.float64), sample_weight)


@dataclass(eq=False, repr=False)
class TopKAccuracy(RowMetric):
    """The share of rows whose label is among the k highest scores; ``"top_k_accuracy"``.

    mean [rank of the label's score ≤ k], weighted. For questions with many classes, of which some
    are nearly the same. Among equal scores the later class ranks first, as in scikit-learn (Keras
    and PyTorch differ); so with ties k=1 may differ from accuracy. With as many classes as k or
    fewer it is 1.

    Parameters
    ----------
    k : int, default 5
        How many guesses a row has, at least 1 (Keras' default; scikit-learn's is 2).

    Examples
    --------
    >>> import lamina as lm
    >>> scores = [[0.5, 0.3, 0.2], [0.1, 0.3, 0.6]]
    >>> lm.metrics.TopKAccuracy(k=2)([1, 0], scores)
    0.5
    """

    k: int = 5
    larger_is_better = True

    def __call__(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Return the share of rows whose label is among the k highest scores.

        Parameters
        ----------
        y_true : array_like, shape (n,) or (n, classes)
            Class numbers 0 … classes-1, or one-hot rows.
        y_pred : array_like, shape (n, classes)
            A score for each class.
        sample_weight : array_like, shape (n,), optional
            Weight of each row, at least 0.

        Returns
        -------
        float
            From 0 to 1.

        Raises
        ------
        ValueError
            If the shapes do not belong together, or k is less than 1.
        """
        scores = _checks.finite(self.name, np.asarray(y_pred))
        if self.k < 1:
            raise ValueError(f"TopKAccuracy: k must be at least 1, got {self.k}")
        if scores.ndim != 2 or scores.shape[1] < 2:
            raise ValueError(
                f"{self.name}: expected a column of scores for each class, got shape {scores.shape}"
            )
        label = _checks.labels(self.name, y_true, scores.shape)[:, None]
        own = np.take_along_axis(scores, label, axis=1)
        later = np.arange(scores.shape[1]) > label
        above = ((scores > own) | ((scores == own) & later)).sum(axis=1)
        return _checks.mean(self.name, (above < self.k).astype(np.float64), sample_weight)


@dataclass(eq=False, repr=False)
class BalancedAccuracy(SetMetric):
    """Accuracy with each class counting the same, however rare; ``"balanced_accuracy"``.

    The mean of the recalls of the classes that have rows (of a weight above 0), as in
    scikit-learn. Guessing gives 1 / classes, also where one class has nearly all rows.

    It is for classes: multi-label targets are refused; take ``Recall(average="macro")``.

    Examples
    --------
    >>> import lamina as lm
    >>> y = [0, 0, 0, 1]
    >>> lm.metrics.accuracy(y, [0, 0, 0, 0]), lm.metrics.balanced_accuracy(y, [0, 0, 0, 0])
    (0.75, 0.5)
    """

    larger_is_better = True
    _names = ("balanced_accuracy", "balanced_accuracy_score")

    def __call__(
        self,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        multilabel: bool | None = None,
    ) -> float:
        """Return the mean recall of the classes.

        Parameters
        ----------
        y_true, y_pred, sample_weight, multilabel
            As for :class:`Accuracy`.

        Returns
        -------
        float
            From 0 to 1.

        Raises
        ------
        ValueError
            As :class:`Accuracy`, and for multi-label targets.
        """
        counts = count(self.name, y_true, y_pred, sample_weight, multilabel)
        if counts.matrix is None:
            raise ValueError(
                f"{self.name}: is for classes, got targets of several questions (multi-label); "
                "take lm.metrics.Recall(average='macro')"
            )
        there = counts.true > 0
        return float((counts.hits[there] / counts.true[there]).mean())


accuracy = Accuracy()
top_k_accuracy = TopKAccuracy()
balanced_accuracy = BalancedAccuracy()
