"""Steps on single batches, between fits: what the Trainer has for streams and for control."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from numpy.typing import ArrayLike

from lamina.data import class_weight_spec
from lamina.given_data import GivenData

__all__ = ["OnlineTraining"]


class OnlineTraining(GivenData):
    """The part of a Trainer that takes one step at a time."""

    _scheduling: ClassVar[tuple[int, int, bool]]

    def train_on_batch(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        class_weight: Mapping[int, float] | str | None = None,
    ) -> dict[str, float]:
        """Take one step of the optimizer on these rows.

        For data that come in one batch after another (a stream, a replay buffer), and between fits:
        the optimizer's state, schedules by step and random numbers go on where the last step, of a
        fit or of this, left them. A loop over the batches of an epoch gives the bits of
        ``fit(..., shuffle=False)``. Predictions see the new weights at once (the averaged ones, if
        the optimizer has ``use_ema``); those that other threads begin meanwhile wait for the step.
        It counts no epochs: :attr:`epoch` and schedules by epoch stay, the history grows only in
        fits, and there are no callbacks.

        It is quickest for NumPy arrays that need no conversion, of one input and one output. Memory
        is allocated in the first call, for as many rows as it has, and again only for more.

        Parameters
        ----------
        X, y
            As for :meth:`fit`; all rows are one batch.
        sample_weight : array_like, shape (n,), optional
            Weight of each row, at least 0.
        class_weight : mapping of int to float or "balanced", optional
            Multiplies the weight of the rows of each class. Balanced: by the rows of this batch.
            Not with several outputs.

        Returns
        -------
        dict of str to float
            Loss and metrics of these rows by the weights before the step, with the keys of the
            logs, as Keras 3 returns them with ``return_dict=True``. As in a fit the loss is without
            L1 and L2, and metrics that are no mean over rows (F1, ROC AUC, ...) are left out.

        Raises
        ------
        ValueError, TypeError
            If the data do not fit or hold NaN, infinity or labels that do not exist; nothing has
            been changed then.
        RuntimeError
            If the model is being trained by another call; if layers that adapt have not seen data
            (``model.adapt(X)``), or kernels whose initialiser wants data (``model.initialize(X)``);
            if a schedule's length comes from fit, and no fit has planned this step. If the loss is
            not finite: nothing has been changed then. If a weight became non-finite: the message
            names it. No copy of the weights is kept at each step, as fit keeps one at each epoch,
            so load a saved model.

        Notes
        -----
        Keras refuses `sample_weight` together with `class_weight`; here they are multiplied.

        Examples
        --------
        >>> import numpy as np
        >>> import lamina as lm
        >>> model = lm.Model([lm.Input(2), lm.Dense(8, activation="tanh"), lm.Dense(1)], seed=0)
        >>> trainer = lm.Trainer(model, loss="mse", optimizer=lm.Adam(0.02))
        >>> stream = np.random.default_rng(0)
        >>> for _ in range(500):
        ...     x = stream.uniform(-1, 1, (16, 2))
        ...     logs = trainer.train_on_batch(x, x[:, 0] * x[:, 1])
        >>> logs.keys(), logs["loss"] < 0.01
        (dict_keys(['loss']), True)
        """
        how = self._batch_keys, self.num_threads, self._scheduling
        if class_weight is None:
            logs = self._core.train_rows(X, y, sample_weight, *how)
            if logs is not None:
                return logs  # type: ignore[no-any-return]
        data = self._dataset(X, y, sample_weight)
        if class_weight is not None:
            class_weight_spec(class_weight)  # refuses another word
            data = self._with_class_weights(data, class_weight)
        result: dict[str, float] = self._core.train_on_batch(*data[:3], *how)
        return result

    @property
    def _batch_keys(self) -> tuple[str, ...]:
        """The keys of a batch's logs; made once."""
        keys: tuple[str, ...] | None = self.__dict__.get("_kept_batch_keys")
        if keys is None:
            keys = self.__dict__["_kept_batch_keys"] = tuple(self._heads.keys(sets=False))
        return keys
