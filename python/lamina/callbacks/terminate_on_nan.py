"""TerminateOnNaN."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

from lamina._config import Configurable
from lamina.callbacks.base import Callback, Logs
from lamina.interrupts import uninterrupted

__all__ = ["TerminateOnNaN"]


class TerminateOnNaN(Callback, Configurable):
    """Ends the training when a value of an epoch is NaN or infinite, and goes back to before.

    A fit by itself ends where the loss of a step or a weight is not finite, and says which layer,
    which row and which step. What it cannot know is whether a validation loss or a metric that is
    not finite is an accident: the ROC AUC of rows of one class is NaN. With this callback any value
    of an epoch's logs that is not finite ends the fit. The weights go back to the last epoch whose
    values were all finite (in the first epoch: to where the fit began), and what the optimizer
    remembers of the gradients is forgotten, as after a divergence. If another callback restores the
    best weights, those of an earlier epoch stay.

    ``history.stop_reason`` and a RuntimeWarning name the value, the epoch and the first layer whose
    output is not finite for a row of the validation data, if there is one.

    It holds as much memory as the weights.

    Attributes
    ----------
    stopped_epoch : int or None
        The epoch with such a value; None if there was none.

    References
    ----------
    keras.callbacks.TerminateOnNaN. (That looks at the loss after each batch, and leaves the weights
    as they are.)

    Examples
    --------
    >>> import warnings
    >>> import numpy as np
    >>> import lamina as lm
    >>> x = np.linspace(-1, 1, 64).reshape(-1, 1)
    >>> model = lm.Model([lm.Input(1), lm.Dense(1)], seed=0)
    >>> scores = iter([0.75, 0.5, float("nan")])
    >>> def score(y_true, y_pred):
    ...     return next(scores)
    >>> trainer = lm.Trainer(model, loss="mse", metrics=[score])
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     history = trainer.fit(
    ...         x, x, epochs=9, validation_data=(x, x), callbacks=[lm.TerminateOnNaN()], verbose=0
    ...     )
    >>> history.stop_reason.split(";")[0]
    'TerminateOnNaN: val_score is nan in epoch 2'
    """

    is_quick = True

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self.stopped_epoch: int | None = None
        self._resumed = False

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Note the weights that a bad first epoch goes back to."""
        if not self._resumed:
            self.stopped_epoch = None
            self.trainer._core.keep_good()
        self._resumed = False

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Keep the weights, or stop."""
        bad = {name: value for name, value in (logs or {}).items() if not math.isfinite(value)}
        with uninterrupted():
            if not bad:
                self.trainer._core.keep_good()
                return
            self.stopped_epoch = epoch
        reason = self._reason(epoch, bad)
        self.trainer.stop(reason)
        warnings.warn(reason, RuntimeWarning, stacklevel=2)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Go back, if there was such a value."""
        if self.stopped_epoch is None:
            return
        self.trainer._core.restore_good()
        plan = self.trainer._plan
        if plan.best_epoch is not None and plan.best_epoch >= self.stopped_epoch:
            before = self.stopped_epoch - 1
            plan.best_epoch = before if before >= plan.first_epoch else None

    def on_exception(self, error: BaseException) -> None:
        """Go back, if there was such a value."""
        self.on_train_end()

    def _reason(self, epoch: int, bad: Mapping[str, float]) -> str:
        values = ", ".join(f"{name} is {value}" for name, value in bad.items())
        where = self.trainer._measuring.first_not_finite()
        where = f": on the validation data {where}" if where else ""
        return (
            f"TerminateOnNaN: {values} in epoch {epoch}{where}; the weights are back at the last "
            "epoch whose values were finite"
        )

    def get_state(self) -> dict[str, Any]:
        """Return the epoch with such a value."""
        return {"stopped_epoch": self.stopped_epoch}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Take over the epoch; the weights to go back to are with the trainer's."""
        self.stopped_epoch = state["stopped_epoch"]
        self._resumed = True

    def _has_state(self) -> bool:
        return self.stopped_epoch is not None
