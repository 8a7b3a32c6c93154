"""What was taken for what: the confusion matrix, precision, recall and F1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lamina.metrics import _checks
from lamina.metrics._base import SetMetric

__all__ = ["F1", "Precision", "Recall", "confusion_matrix", "f1", "precision", "recall"]

_AVERAGES = ("auto", "binary", "macro", "micro", "weighted")


class Counts(NamedTuple):
    """Weights of rows, by class (or by question, if multi-label)."""

    hits: _checks.Floats
    predicted: _checks.Floats
    true: _checks.Floats
    matrix: _checks.Floats | None  # (true, predicted); None for multi-label targets
    binary: bool  # are the classes 0 and 1?


def count(
    name: str,
    y_true: ArrayLike,
    y_pred: ArrayLike,
    sample_weight: ArrayLike | None,
    multilabel: bool | None = None,
) -> Counts:
    """Return how much weight of each class was there, was predicted, and was right."""
    predicted = _checks.column(np.asarray(y_pred))
    weight = _checks.weights(name, sample_weight, len(predicted))
    if _checks.is_multilabel(name, y_true, predicted.shape, multilabel):
        above = _checks.probabilities(name, predicted) > 0.5
        truth = _checks.binary(name, y_true, predicted.shape)
        # Sums of NumPy's, not a product: the order of a BLAS depends on the CPU and its threads.
        hits, chosen, true = (
            (weight[:, None] * each).sum(axis=0) for each in (truth & above, above, truth)
        )
        return Counts(hits, chosen, true, None, binary=False)
    labels, guesses, size, binary = _codes(name, y_true, predicted)
    pairs = np.bincount(labels * size + guesses, weights=weight, minlength=size * size)
    matrix = np.asarray(pairs, dtype=np.float64).reshape(size, size)
    return Counts(matrix.diagonal(), matrix.sum(axis=0), matrix.sum(axis=1), matrix, binary)


def _codes(
    name: str, y_true: ArrayLike, predicted: NDArray[Any]
) -> tuple[NDArray[np.intp], NDArray[np.intp], int, bool]:
    """Return labels and predictions as class numbers, how many classes, and if they are 0 and 1."""
    if predicted.ndim == 2:
        guesses = _checks.finite(name, predicted).argmax(axis=1)
        size = predicted.shape[1]
        return _checks.labels(name, y_true, predicted.shape), guesses, size, size == 2
    if predicted.dtype.kind == "f":
        above = _checks.probabilities(name, predicted) > 0.5
        truth = _checks.binary(name, y_true, predicted.shape)
        return truth.astype(np.intp), above.astype(np.intp), 2, True
    truth = _checks.column(np.asarray(y_true))
    _checks.same_shape(name, truth, predicted)
    both = np.concatenate([truth, predicted])
    if both.dtype.kind in "biuf" and ((both == 0) | (both == 1)).all():
        return truth.astype(np.intp), predicted.astype(np.intp), 2, True
    classes, codes = np.unique(both, return_inverse=True)
    return codes[: len(truth)], codes[len(truth) :], len(classes), False


def confusion_matrix(
    y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
) -> NDArray[Any]:
    """Return how many rows of each class were taken for each class.

    Entry (i, j) counts the rows of class i that were predicted as class j, as in scikit-learn; with
    weights it is their sum. It is no single number, so a Trainer does not take it.

    Parameters
    ----------
    y_true, y_pred, sample_weight : array_like
        As for :class:`Accuracy`; multi-label targets are refused.

    Returns
    -------
    ndarray, shape (k, k)
        int64, or float64 if there are weights. For k columns of scores the classes are 0 … k-1,
        also those without rows; for one column of probabilities 0 and 1; for labels all that occur
        in either, sorted (0 and 1 if there are no others).

    Raises
    ------
    ValueError
        As :class:`Accuracy`, and for multi-label targets.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.metrics.confusion_matrix([0, 0, 1, 1, 1], [0.1, 0.7, 0.9, 0.8, 0.3])
    array([[1, 1],
           [1, 2]])
    >>> lm.metrics.confusion_matrix(["cat", "dog"], ["cat", "cat"], sample_weight=[0.5, 2.0])
    array([[0.5, 0. ],
           [2. , 0. ]])
    """
    matrix = count("confusion_matrix", y_true, y_pred, sample_weight).matrix
    if matrix is None:
        raise ValueError(
            "confusion_matrix: is for classes, got targets of several questions (multi-label); "
            "give one column of y_true and y_pred at a time"
        )
    return matrix.astype(np.int64) if sample_weight is None else matrix


@dataclass(eq=False, repr=False)
class _Averaged(SetMetric):
    """A ratio of counts, of one class or averaged over classes."""

    average: str = "auto"
    larger_is_better = True

    def __post_init__(self) -> None:
        """Check the argument; the core does not know set metrics."""
        if self.average not in _AVERAGES:
            raise ValueError(
                f"{type(self).__name__}: average must be one of {', '.join(_AVERAGES)}, got "
                f"{self.average!r}"
            )

    def __call__(
        self,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        multilabel: bool | None = None,
    ) -> float:
        """Return the metric.

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
            As :class:`Accuracy`, or if average is "binary" and there are not two classes 0 and 1.
        """
        counts = count(self.name, y_true, y_pred, sample_weight, multilabel)
        average = self.average
        if average == "auto":
            average = "binary" if counts.binary else "macro"
        if average == "binary":
            if not counts.binary:
                raise ValueError(
                    f"{self.name}: average='binary' needs the two classes 0 and 1; take 'macro', "
                    "'micro' or 'weighted'"
                )
            return float(self._ratio(*(part[1:2] for part in counts[:3]))[0])
        if average == "micro":
            return float(self._ratio(*(part.sum(keepdims=True) for part in counts[:3]))[0])
        values = self._ratio(*counts[:3])
        if average == "weighted":
            return float(_quotient((values * counts.true).sum(), counts.true.sum()))
        occurs = (counts.true + counts.predicted > 0) | (counts.matrix is None)
        return float(values[occurs].mean())

    def _ratio(
        self, hits: _checks.Floats, predicted: _checks.Floats, true: _checks.Floats
    ) -> _checks.Floats:
        raise NotImplementedError


def _quotient(above: Any, below: Any) -> _checks.Floats:
    """Return above / below, 0 where both are 0."""
    return np.asarray(above / np.where(below == 0, 1.0, below), dtype=np.float64)


@dataclass(eq=False, repr=False)
class Precision(_Averaged):
    """Of the rows predicted as a class, the share that are of it; ``"precision"``.

    true positives / (true positives + false positives), weighted; 0 where nothing was predicted as
    the class, as in scikit-learn.

    Parameters
    ----------
    average : {"auto", "binary", "macro", "micro", "weighted"}, default "auto"
        "binary": of class 1 alone. "macro": the mean over the classes that occur among targets or
        predictions (of a weight above 0), as in scikit-learn. "micro": of all classes' counts
        together; for classes that is accuracy. "weighted": the mean over classes by their weight
        in the targets. "auto": "binary" for the two classes 0 and 1, else "macro".

    Notes
    -----
    One column of probabilities is read with the threshold 0.5; of k columns the largest counts.
    Multi-label targets: each question has its own counts, with the threshold 0.5, and the averages
    are over all questions; "macro" by default.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.metrics.precision([0, 0, 1, 1], [0.2, 0.6, 0.7, 0.9])
    0.6666666666666666
    >>> lm.metrics.Precision(average="macro")([0, 1, 2, 2], [0, 1, 1, 2])
    0.8333333333333334
    """

    _names = ("precision", "precision_score")

    def _ratio(
        self, hits: _checks.Floats, predicted: _checks.Floats, true: _checks.Floats
    ) -> _checks.Floats:
        return _quotient(hits, predicted)


@dataclass(eq=False, repr=False)
class Recall(_Averaged):
    """Of the rows of a class, the share that was found; ``"recall"``.

    true positives / (true positives + false negatives), weighted; 0 for a class without rows, as in
    scikit-learn. Of class 1 it is also called sensitivity.

    Parameters
    ----------
    average : {"auto", "binary", "macro", "micro", "weighted"}, default "auto"
        As for :class:`Precision`. "macro" is the balanced accuracy, if each class that was
        predicted has rows; "weighted" is the accuracy.

    Notes
    -----
    Thresholds and multi-label targets as for :class:`Precision`.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.metrics.recall([0, 0, 1, 1], [0.2, 0.6, 0.3, 0.9])
    0.5
    """

    _names = ("recall", "recall_score", "sensitivity")

    def _ratio(
        self, hits: _checks.Floats, predicted: _checks.Floats, true: _checks.Floats
    ) -> _checks.Floats:
        return _quotient(hits, true)


@dataclass(eq=False, repr=False)
class F1(_Averaged):
    """The harmonic mean of precision and recall; ``"f1"``.

    2 TP / (2 TP + FP + FN), weighted; 0 for a class that is neither there nor predicted, as in
    scikit-learn. It is high only if both are, also where a class is rare.

    Parameters
    ----------
    average : {"auto", "binary", "macro", "micro", "weighted"}, default "auto"
        As for :class:`Precision`. "macro" is the mean of the classes' F1.

    Notes
    -----
    Thresholds and multi-label targets as for :class:`Precision`.

    References
    ----------
    van Rijsbergen, Information retrieval, 2nd edition, 1979.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.metrics.f1([0, 0, 1, 1], [0.2, 0.6, 0.3, 0.9])
    0.5
    >>> lm.metrics.F1(average="micro")([0, 1, 2, 2], [0, 1, 1, 2])
    0.75
    """

    _names = ("f1", "f1_score", "f_measure")

    def _ratio(
        self, hits: _checks.Floats, predicted: _checks.Floats, true: _checks.Floats
    ) -> _checks.Floats:
        return _quotient(2 * hits, predicted + true)


precision = Precision()
recall = Recall()
f1 = F1()
