"""EarlyStopping."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from lamina.callbacks.base import Logs
from lamina.callbacks.monitoring import MonitoringCallback

__all__ = ["EarlyStopping"]


@dataclass(eq=False, repr=False)
class EarlyStopping(MonitoringCallback):
    """Ends the training when a value has stopped improving, and restores the best weights.

    After each epoch the monitored value counts as an improvement if it is better than the best so
    far by more than `min_delta`; NaN never does. After `patience` epochs in a row without one the
    training stops. Each fit begins to count anew.

    Parameters
    ----------
    monitor : str, default "val_loss"
        Which value: ``"loss"``, a metric, or one of them with ``val_`` before it, such as
        ``"val_f1"``. Aliases such as ``"val_mse"`` are understood.
    patience : int, default 10
        Epochs without improvement, at least 0. (0 and 1 both stop at the first such epoch, as in
        Keras.)
    min_delta : float, default 0.0
        How much better a value must be, in its own units, at least 0.
    mode : {"auto", "min", "max"}, default "auto"
        Whether smaller or larger is better. "auto": what is known of the loss and of each metric
        of lm.metrics; of other names (a function's) those with "loss" or "error" are to be small.
    restore_best_weights : bool, default True
        At the end go back to the weights of the best epoch, also if the epochs ran out (as in
        Keras 3).

    Attributes
    ----------
    best : float or None
        The best value of this fit.
    best_epoch : int or None
        Its epoch.
    wait : int
        Epochs since then.
    stopped_epoch : int or None
        The epoch after which the training was stopped; None if it was not.

    Raises
    ------
    ValueError
        At the beginning of a fit that does not produce `monitor` (the message lists what it does),
        or if "auto" cannot tell the direction.

    References
    ----------
    Prechelt, Early stopping - but when?, in Neural networks: tricks of the trade, 1998; names and
    counting as in Keras 3.

    Examples
    --------
    >>> import lamina as lm
    >>> stopping = lm.EarlyStopping(patience=2, restore_best_weights=False)
    >>> stopping.on_train_begin()
    >>> for epoch, value in enumerate([0.5, 0.25, 0.75]):
    ...     stopping.on_epoch_end(epoch, {"val_loss": value})
    >>> stopping.best, stopping.best_epoch, stopping.wait
    (0.25, 1, 1)
    """

    monitor: str = "val_loss"
    patience: int = 10
    min_delta: float = 0.0
    mode: str = "auto"
    restore_best_weights: bool = True

    _STATE: ClassVar[tuple[str, ...]] = ("wait", "best", "best_epoch", "stopped_epoch")

    def __post_init__(self) -> None:
        """Check the arguments; the core does not know callbacks."""
        self._check_mode()
        self._check_at_least_0("patience", "min_delta")
        self._resumed = False
        self._forget()

    def _forget(self) -> None:
        self.wait = 0
        self.best: float | None = None
        self.best_epoch: int | None = None
        self.stopped_epoch: int | None = None

    def _look(self, epoch: int, value: float) -> None:
        """Keep the weights if the value is the best, stop if patience is at an end."""
        self.wait += 1
        if self._improves(value):
            self.wait, self.best, self.best_epoch = 0, value, epoch
            if self.restore_best_weights:
                self.trainer.snapshot_best(epoch, value)
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.trainer.stop(self._reason())

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Go back to the best weights."""
        if self.restore_best_weights and self.best_epoch is not None:
            self.trainer.restore_best()

    def on_exception(self, error: BaseException) -> None:
        """Go back to the best weights on Ctrl-C; ``trainer.resume`` goes on from the last."""
        if isinstance(error, KeyboardInterrupt):
            self.on_train_end()

    def _has_state(self) -> bool:
        return self.wait > 0 or self.best is not None

    def _improves(self, value: float) -> bool:
        if math.isnan(value):
            return False
        if self.best is None:
            return True
        if self._larger_is_better():
            return value - self.min_delta > self.best
        return value + self.min_delta < self.best

    def _reason(self) -> str:
        since = f"has not improved for {self.wait} epoch{'s' if self.wait != 1 else ''}"
        if self.best is None:
            return f"EarlyStopping: {self.monitor} {since} and never was a number"
        best = f"best {self.best:.6g} in epoch {self.best_epoch}"
        return f"EarlyStopping: {self.monitor} {since}; {best}"
