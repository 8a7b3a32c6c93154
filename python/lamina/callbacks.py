"""Callbacks: what is called while a fit runs, to watch it or to end it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from lamina._config import Configurable
from lamina.metrics import canonical_key

__all__ = ["Callback", "EarlyStopping", "LambdaCallback"]

Logs = Mapping[str, float]


class Callback:
    """The base of callbacks: write a subclass and override the hooks you need.

    The Trainer sets `trainer` and `model` before the first hook. A hook ends the training with
    ``self.trainer.stop("reason")``; an exception in a hook comes out of ``fit`` as it is. A hook
    for batches makes the engine return to Python at every batch: costly for small networks.

    A callback with state (one whose :meth:`get_state` is not empty) belongs to one Trainer; for
    another take ``copy.deepcopy(callback)``.

    Examples
    --------
    >>> import lamina as lm
    >>> class PrintLoss(lm.Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         print(epoch, logs["loss"])
    >>> PrintLoss().on_epoch_end(0, {"loss": 0.25})
    0 0.25
    """

    model: Any = None
    _trainer: Any = None

    @property
    def trainer(self) -> Any:
        """The Trainer whose fit this callback watches, or None."""
        return self._trainer

    @trainer.setter
    def trainer(self, trainer: Any) -> None:
        taken = self._trainer is not None and trainer is not None
        if taken and trainer is not self._trainer and self._has_state():
            raise ValueError(
                f"{type(self).__name__}: this callback already belongs to a Trainer and has state; "
                "give each Trainer its own: copy.deepcopy(callback)"
            )
        self._trainer = trainer

    @property
    def wants_batches(self) -> bool:
        """Whether `on_train_batch_end` does anything, so that the engine must stop for it."""
        return type(self).on_train_batch_end is not Callback.on_train_batch_end

    def _has_state(self) -> bool:
        return bool(self.get_state())

    def check(self, keys: Sequence[str]) -> None:
        """Refuse a fit that this callback cannot work with; called before anything is trained.

        Parameters
        ----------
        keys : sequence of str
            The keys that the logs of each epoch will have.
        """

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Do something when a fit begins."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Do something when a fit ends, for whatever reason; `logs` are those of the last epoch."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Do something when an epoch begins, counted from 0 over all fits of the Trainer."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Do something when an epoch ends; `logs` has its loss and metrics."""

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Do something after each training step; `batch` counts from 0 in each epoch."""

    def get_state(self) -> dict[str, Any]:
        """Return what a checkpoint must keep, in JSON's types; empty if there is nothing."""
        return {}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Take over what `get_state` returned; the next fit then goes on from there."""

    def __getstate__(self) -> dict[str, Any]:
        """Leave the Trainer behind in copies and pickles."""
        return {k: v for k, v in self.__dict__.items() if k not in ("_trainer", "model")}


@dataclass(eq=False, repr=False)
class EarlyStopping(Callback, Configurable):
    """Ends the training when a value has stopped improving, and restores the best weights.

    After each epoch the monitored value counts as an improvement if it is better than the best so
    far by more than `min_delta`; NaN never does. After `patience` epochs in a row without one the
    training stops. Each fit begins to count anew.

    Parameters
    ----------
    monitor : str, default "val_loss"
        Which value: ``"loss"``, a metric, or one of them with ``val_`` before it. Aliases such as
        ``"val_mse"`` are understood.
    patience : int, default 10
        Epochs without improvement, at least 0. (0 and 1 both stop at the first such epoch, as in
        Keras.)
    min_delta : float, default 0.0
        How much better a value must be, in its own units, at least 0.
    mode : {"auto", "min", "max"}, default "auto"
        Whether smaller or larger is better. "auto": smaller for names with "loss" or "error",
        larger for "accuracy", "auc" and "r2".
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
        if self.mode not in ("auto", "min", "max"):
            raise ValueError(
                f"EarlyStopping: mode must be 'auto', 'min' or 'max', got {self.mode!r}"
            )
        if self.patience < 0:
            raise ValueError(f"EarlyStopping: patience must be at least 0, got {self.patience}")
        if not self.min_delta >= 0:
            raise ValueError(f"EarlyStopping: min_delta must be at least 0, got {self.min_delta}")
        self._resumed = False
        self._forget()

    def _forget(self) -> None:
        self.wait = 0
        self.best: float | None = None
        self.best_epoch: int | None = None
        self.stopped_epoch: int | None = None

    def check(self, keys: Sequence[str]) -> None:
        """Raise ValueError if `monitor` is not among the keys or its direction is not known."""
        self._key(keys)
        self._larger_is_better()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Begin to count anew, unless the state of a checkpoint has just been set."""
        if not self._resumed:
            self._forget()
        self._resumed = False

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Look at the value; keep the weights if it is the best, stop if patience is at an end."""
        logs = logs or {}
        value = float(logs[self._key(list(logs))])
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

    def get_state(self) -> dict[str, Any]:
        """Return the counters and the best value."""
        return {name: getattr(self, name) for name in self._STATE}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Take over counters and best value; the next fit goes on counting from them."""
        for name in self._STATE:
            setattr(self, name, state[name])
        self._resumed = True

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

    def _larger_is_better(self) -> bool:
        if self.mode != "auto":
            return self.mode == "max"
        name = canonical_key(self.monitor)
        if "loss" in name or "error" in name:
            return False
        if "accuracy" in name or "auc" in name or "r2" in name:
            return True
        raise ValueError(
            f"EarlyStopping: cannot tell from the name {self.monitor!r} whether smaller or larger "
            "is better; give mode='min' or mode='max'"
        )

    def _key(self, keys: Sequence[str]) -> str:
        """Return the key of the logs that `monitor` means."""
        for key in (self.monitor, canonical_key(self.monitor)):
            if key in keys:
                return key
        remedy = ""
        if self.monitor.startswith("val_") and not any(key.startswith("val_") for key in keys):
            remedy = " (values with val_ need validation_data or validation_split)"
        raise ValueError(
            f"EarlyStopping: monitor {self.monitor!r} is not among the values of this fit: "
            f"{', '.join(keys)}{remedy}"
        )

    def _reason(self) -> str:
        since = f"has not improved for {self.wait} epoch{'s' if self.wait != 1 else ''}"
        if self.best is None:
            return f"EarlyStopping: {self.monitor} {since} and never was a number"
        best = f"best {self.best:.6g} in epoch {self.best_epoch}"
        return f"EarlyStopping: {self.monitor} {since}; {best}"


class LambdaCallback(Callback):
    """A callback made of functions, for something short.

    Parameters
    ----------
    on_epoch_begin, on_epoch_end : callable, optional
        Called with (epoch, logs).
    on_train_begin, on_train_end : callable, optional
        Called with (logs).
    on_train_batch_end : callable, optional
        Called with (batch, logs).

    Examples
    --------
    >>> import lamina as lm
    >>> losses = []
    >>> watch = lm.LambdaCallback(on_epoch_end=lambda epoch, logs: losses.append(logs["loss"]))
    >>> watch.on_epoch_end(0, {"loss": 0.25})
    >>> losses
    [0.25]
    """

    def __init__(
        self,
        on_epoch_begin: Callable[[int, Any], object] | None = None,
        on_epoch_end: Callable[[int, Any], object] | None = None,
        on_train_begin: Callable[[Any], object] | None = None,
        on_train_end: Callable[[Any], object] | None = None,
        on_train_batch_end: Callable[[int, Any], object] | None = None,
    ) -> None:
        self._functions: dict[str, Callable[..., object] | None] = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_end": on_train_batch_end,
        }

    @property
    def wants_batches(self) -> bool:
        """Whether there is a function for batches."""
        return self._functions["on_train_batch_end"] is not None

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Call the function, if there is one."""
        self._call("on_epoch_begin", epoch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Call the function, if there is one."""
        self._call("on_epoch_end", epoch, logs)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Call the function, if there is one."""
        self._call("on_train_begin", logs)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Call the function, if there is one."""
        self._call("on_train_end", logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Call the function, if there is one."""
        self._call("on_train_batch_end", batch, logs)

    def _call(self, hook: str, *given: Any) -> None:
        function = self._functions[hook]
        if function is not None:
            function(*given)
