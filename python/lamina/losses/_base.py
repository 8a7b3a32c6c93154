"""What every loss can do: be called on arrays, row by row, and give its gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lamina._config import Configurable
from lamina._isa import core

__all__ = ["Loss"]


class Loss(Configurable):
    """A loss, for a Trainer or alone on arrays.

    A row's loss is the mean over its outputs (for cross-entropy over classes, the Kullback-Leibler
    divergence and GaussianNLL the sum); a batch's is the mean over its rows, weighted where there
    are weights: sum(w · l) / sum(w).

    Nothing broadcasts: targets have the predictions' shape, where ``(n,)`` and ``(n, 1)`` mean the
    same for one output. Losses over classes also take class numbers; Quantile and GaussianNLL have
    several outputs for each target.

    A loss of your own needs no class: a Trainer takes any function
    ``(y_true, y_pred) -> (values, gradient)``.

    Examples
    --------
    The function gets a whole batch, here of a relative error. `values` are the losses of the rows
    (n,), `gradient` (n, outputs) is each row's own: weights and means are the Trainer's part.

    >>> import numpy as np
    >>> import lamina as lm
    >>> def relative(y_true, y_pred):
    ...     error = y_pred / y_true - 1
    ...     return (error**2).mean(axis=1), 2 * error / y_true / y_pred.shape[1]
    >>> x = np.linspace(-1, 1, 64).reshape(-1, 1)
    >>> model = lm.Model([lm.Input(1), lm.Dense(8, activation="tanh"), lm.Dense(1)], seed=0)
    >>> trainer = lm.Trainer(model, loss=relative, optimizer=lm.Adam(0.02))
    >>> history = trainer.fit(x, 2.0**x, epochs=100, batch_size=16, verbose=0)
    >>> bool(history["loss"][-1] < 0.01 * history["loss"][0])
    True
    """

    def __call__(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Return the mean loss of a batch.

        Parameters
        ----------
        y_true : array_like, shape (n, outputs) or (n,)
            Targets, or class numbers (n,) where the loss takes them.
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


def _array(values: ArrayLike | None) -> NDArray[Any] | None:
    return None if values is None else np.asarray(values)
