"""Losses: how far predictions are from targets, as one number. The core computes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lamina._config import Configurable
from lamina._isa import core

__all__ = [
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
]


class Loss(Configurable):
    """A loss, for a Trainer or alone on arrays.

    A row's loss is the mean over its outputs (for categorical cross-entropy the sum over classes);
    a batch's is the mean over its rows, weighted where there are weights: sum(w · l) / sum(w).

    Nothing broadcasts: targets have the predictions' shape, where ``(n,)`` and ``(n, 1)`` mean the
    same for one output; categorical cross-entropy also takes class numbers.
    """

    def __call__(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Return the mean loss of a batch.

        Parameters
        ----------
        y_true : array_like, shape (n, outputs) or (n,)
            Targets.
        y_pred : array_like, shape (n, outputs) or (n,)
            Predictions, float32 or float64; other numbers become float64.
        sample_weight : array_like, shape (n,), optional
            Weight of each row, at least 0. Default: 1 for each.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            If the shapes do not belong together or a target is impossible; the message names the
            row.
        """
        truth, predicted, weight = np.asarray(y_true), np.asarray(y_pred), _array(sample_weight)
        return float(core.loss_mean(self._core_spec(), truth, predicted, weight))

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> NDArray[Any]:
        """Return the loss of each row, unweighted.

        Parameters
        ----------
        y_true, y_pred : array_like
            As for a call.

        Returns
        -------
        ndarray, shape (n,)
        """
        result: NDArray[Any] = core.loss_values(
            self._core_spec(), np.asarray(y_true), np.asarray(y_pred)
        )
        return result

    def gradient(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> NDArray[Any]:
        """Return the gradient of the mean loss with respect to the predictions.

        It is already divided by the sum of the weights: what ``model.backward`` takes.

        Parameters
        ----------
        y_true, y_pred, sample_weight : array_like
            As for a call.

        Returns
        -------
        ndarray
            Of the shape and float type of `y_pred`.
        """
        result: NDArray[Any] = core.loss_gradient(
            self._core_spec(), np.asarray(y_true), np.asarray(y_pred), _array(sample_weight)
        )
        return result


@dataclass(eq=False, repr=False)
class MeanSquaredError(Loss):
    """Squared error, the usual loss of a regression; ``"mean_squared_error"`` or ``"mse"``.

    l = mean_j (p_j - y_j)², dl/dp_j = 2 (p_j - y_j) / outputs. Its minimum is the mean of the
    targets, and a few far-off targets weigh much.

    Examples
    --------
    >>> import lamina as lm
    >>> loss = lm.losses.MeanSquaredError()
    >>> loss([1.0, 2.0], [1.0, 4.0])
    2.0
    >>> loss.values([1.0, 2.0], [1.0, 4.0])
    array([0., 4.])
    >>> loss.gradient([1.0, 2.0], [1.0, 4.0])
    array([0., 2.])
    """


@dataclass(eq=False, repr=False)
class MeanAbsoluteError(Loss):
    """Absolute error: a regression that far-off targets do not pull; ``"mae"``.

    l = mean_j |p_j - y_j|, dl/dp_j = sign(p_j - y_j) / outputs, which is 0 where p = y. Its minimum
    is the median of the targets.

    Examples
    --------
    >>> import lamina as lm
    >>> loss = lm.losses.MeanAbsoluteError()
    >>> loss([1.0, 2.0], [1.0, 4.0])
    1.0
    >>> loss([1.0, 2.0], [1.0, 4.0], sample_weight=[3.0, 1.0])
    0.5
    """


@dataclass(eq=False, repr=False)
class BinaryCrossentropy(Loss):
    """Cross-entropy of yes-or-no targets, one or several a row; ``"bce"``.

    l = mean_j -(y_j ln p_j + (1 - y_j) ln(1 - p_j)). Probabilities are clipped to [ε, 1 - ε], with
    ε = 1e-7 for float32 and 1e-15 for float64. From logits z it is
    max(z, 0) - z y + ln(1 + exp(-|z|)), exact for any z.

    A Trainer whose model ends in ``activation="sigmoid"`` computes the exact form by itself; leave
    `from_logits` False there.

    Parameters
    ----------
    from_logits : bool, default False
        True: predictions are the numbers before the sigmoid.

    Notes
    -----
    Targets lie between 0 and 1: 0 and 1, or probabilities.

    Examples
    --------
    >>> import lamina as lm
    >>> loss = lm.losses.BinaryCrossentropy()
    >>> round(loss([1, 0], [0.5, 0.5]), 4)
    0.6931
    >>> round(lm.losses.BinaryCrossentropy(from_logits=True)([1, 0], [0.0, 0.0]), 4)
    0.6931
    """

    from_logits: bool = False


@dataclass(eq=False, repr=False)
class CategoricalCrossentropy(Loss):
    """Cross-entropy of one class out of several.

    By name ``"categorical_crossentropy"``, ``"cce"`` or ``"sparse_categorical_crossentropy"``:
    class numbers and one-hot rows are both understood.

    l = -sum_j y_j ln p_j, with probabilities clipped as in BinaryCrossentropy; from logits z
    l = ln(sum_j exp z_j) - sum_j y_j z_j, exact for any z. A Trainer whose model ends in
    ``activation="softmax"`` computes the exact form by itself; leave `from_logits` False there.

    Parameters
    ----------
    from_logits : bool, default False
        True: predictions are the numbers before the softmax.
    label_smoothing : float, default 0.0
        Share s of the label that is spread over all N classes, from 0 to 1: y becomes
        (1 - s) y + s / N. Often raises accuracy and always worsens the probabilities.

    Notes
    -----
    Targets are whole numbers 0 … N-1 of any type, shape (n,) or (n, 1), or rows (n, N) that sum
    to 1. Label smoothing: Szegedy et al., Rethinking the Inception architecture, arXiv 1512.00567.

    Examples
    --------
    >>> import lamina as lm
    >>> loss = lm.losses.CategoricalCrossentropy()
    >>> p = [[0.5, 0.25, 0.25], [0.25, 0.25, 0.5]]
    >>> round(loss([0, 2], p), 4)
    0.6931
    >>> loss([0, 2], p) == loss([[1, 0, 0], [0, 0, 1]], p)
    True
    """

    from_logits: bool = False
    label_smoothing: float = 0.0


def _array(values: ArrayLike | None) -> NDArray[Any] | None:
    return None if values is None else np.asarray(values)
