"""ReduceLROnPlateau."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from lamina.callbacks.monitoring import MonitoringCallback

__all__ = ["ReduceLROnPlateau"]


@dataclass(eq=False, repr=False)
class ReduceLROnPlateau(MonitoringCallback):
    """Lowers the learning rate when a value has stopped improving.

    After each epoch the monitored value counts as an improvement if it is better than the best so
    far by more than `threshold`; NaN never does. After more than `patience` epochs in a row without
    one the rate is multiplied by `factor`, and the epochs are counted anew. This is PyTorch's
    scheduler of the same name, step by step. (In Keras' the rate falls one epoch earlier, and an
    improvement is `min_delta`, as ``threshold_mode="abs"``.)

    The factor multiplies what a schedule of the rate gives, too. It is part of the trainer's state
    and stays when the fit ends; the counters begin anew with each fit.

    Parameters
    ----------
    monitor : str, default "val_loss"
        Which value: ``"loss"``, a metric, or one of them with ``val_`` before it, also by alias.
    factor : float, default 0.1
        New rate by the old one, above 0 and below 1.
    patience : int, default 10
        Epochs without improvement that are borne, at least 0.
    threshold : float, default 1e-4
        How much better a value must be, at least 0.
    threshold_mode : {"rel", "abs"}, default "rel"
        "rel": by this share of the best value; "abs": by this much.
    cooldown : int, default 0
        Epochs after a reduction in which nothing is counted, at least 0.
    min_lr : float, default 0.0
        The rate does not fall below, at least 0.
    eps : float, default 1e-8
        The rate stays if it would change by no more than this, at least 0.
    mode : {"auto", "min", "max"}, default "auto"
        Whether smaller or larger is better; "auto" goes by the name, as in EarlyStopping.

    Attributes
    ----------
    best : float or None
        The best value of this fit.
    wait : int
        Epochs since then, or since the last reduction.
    cooling : int
        Epochs of `cooldown` that are left.

    Raises
    ------
    ValueError
        At the beginning of a fit that does not produce `monitor`, or if "auto" cannot tell the
        direction.

    References
    ----------
    torch.optim.lr_scheduler.ReduceLROnPlateau; keras.callbacks.ReduceLROnPlateau.

    Examples
    --------
    >>> import numpy as np
    >>> import lamina as lm
    >>> x, y = np.zeros((8, 1)), np.array([0.0, 1.0] * 4)  # nothing can be learned from these
    >>> model = lm.Model([lm.Input(1), lm.Dense(1)], seed=0)
    >>> trainer = lm.Trainer(model, loss="mse", optimizer=lm.SGD(learning_rate=0.5))
    >>> plateau = lm.ReduceLROnPlateau("loss", factor=0.5, patience=1)
    >>> history = trainer.fit(x, y, epochs=5, callbacks=[plateau], verbose=0)
    >>> trainer.optimizer.current_learning_rate
    0.25
    """

    monitor: str = "val_loss"
    factor: float = 0.1
    patience: int = 10
    threshold: float = 1e-4
    threshold_mode: str = "rel"
    cooldown: int = 0
    min_lr: float = 0.0
    eps: float = 1e-8
    mode: str = "auto"

    _STATE: ClassVar[tuple[str, ...]] = ("wait", "best", "cooling")

    def __post_init__(self) -> None:
        """Check the arguments; the core does not know callbacks."""
        self._check_mode()
        if self.threshold_mode not in ("rel", "abs"):
            raise ValueError(
                "ReduceLROnPlateau: threshold_mode must be 'rel' or 'abs', got "
                f"{self.threshold_mode!r}"
            )
        if not 0 < self.factor < 1:
            raise ValueError(
                f"ReduceLROnPlateau: factor must be above 0 and below 1, got {self.factor}"
            )
        self._check_at_least_0("patience", "threshold", "cooldown", "min_lr", "eps")
        self._resumed = False
        self._forget()

    def _forget(self) -> None:
        self.wait = 0
        self.best: float | None = None
        self.cooling = 0

    def _look(self, epoch: int, value: float) -> None:
        """Lower the rate if patience is at an end."""
        self.wait += 1
        if self._improves(value):
            self.wait, self.best = 0, value
        if self.cooling > 0:
            self.cooling -= 1
            self.wait = 0
        if self.wait > self.patience:
            self._reduce()
            self.wait, self.cooling = 0, self.cooldown

    def _has_state(self) -> bool:
        return self.wait > 0 or self.cooling > 0 or self.best is not None

    def _improves(self, value: float) -> bool:
        if math.isnan(value):
            return False
        if self.best is None:
            return True
        sign = 1 if self._larger_is_better() else -1
        if self.threshold_mode == "rel":
            return sign * value > sign * self.best * (1 + sign * self.threshold)
        return sign * value > sign * self.best + self.threshold

    def _reduce(self) -> None:
        optimizer = self.trainer.optimizer
        rate = optimizer.current_learning_rate
        lower = max(rate * self.factor, self.min_lr)
        if rate - lower > self.eps:
            optimizer.scale_learning_rate(lower / rate)
