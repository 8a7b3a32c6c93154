"""What callbacks share that watch one value of each epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from lamina._config import Configurable
from lamina.callbacks.base import Callback, Logs
from lamina.metrics._base import direction, find_key

__all__ = ["MonitoringCallback", "monitored"]


class MonitoringCallback(Callback, Configurable):
    """The base of callbacks that watch one value of each epoch and count.

    A subclass has arguments `monitor` (which value, also by alias) and `mode` ("min", "max" or
    "auto": by what is known of the value), names its counters in ``_STATE``, sets them to where a
    fit begins in ``_forget`` and counts in ``_look(epoch, value)``. In return each fit begins to
    count anew, one that is resumed goes on, and the value is looked for before anything is
    trained.
    """

    monitor: str
    mode: str
    _resumed: bool
    is_quick = True

    _STATE: ClassVar[tuple[str, ...]]

    def _forget(self) -> None:
        """Set the counters to where a fit begins."""
        raise NotImplementedError

    def _look(self, epoch: int, value: float) -> None:
        """Count an epoch's value, and do what follows."""
        raise NotImplementedError

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
        """Look at the value; counters and what follows from them change together or not at all."""
        self._look(epoch, self._value(logs))

    def get_state(self) -> dict[str, Any]:
        """Return the counters and the best value."""
        return {name: getattr(self, name) for name in self._STATE}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Take over counters and best value; the next fit goes on counting from them."""
        for name in self._STATE:
            setattr(self, name, state[name])
        self._resumed = True

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        """Begin anew in a copy."""
        super().__setstate__(state)
        self._resumed = False

    def _check_mode(self) -> None:
        if self.mode not in ("auto", "min", "max"):
            raise ValueError(
                f"{type(self).__name__}: mode must be 'auto', 'min' or 'max', got {self.mode!r}"
            )

    def _check_at_least_0(self, *names: str) -> None:
        for name in names:
            if not getattr(self, name) >= 0:
                raise ValueError(
                    f"{type(self).__name__}: {name} must be at least 0, got {getattr(self, name)}"
                )

    def _value(self, logs: Logs | None) -> float:
        logs = logs or {}
        return float(logs[self._key(list(logs))])

    def _larger_is_better(self) -> bool:
        if self.mode != "auto":
            return self.mode == "max"
        outputs = getattr(self.model, "output_names", ())
        known = direction(
            self.monitor, getattr(self.trainer, "metrics", ()), outputs if outputs[1:] else ()
        )
        if known is not None:
            return known
        if "loss" in self.monitor or "error" in self.monitor:
            return False
        raise ValueError(
            f"{type(self).__name__}: cannot tell from the name {self.monitor!r} whether smaller or "
            "larger is better; give mode='min' or mode='max'"
        )

    def _key(self, keys: Sequence[str]) -> str:
        """Return the key of the logs that `monitor` means."""
        return monitored(type(self).__name__, self.monitor, keys)


def monitored(who: str, monitor: str, keys: Sequence[str]) -> str:
    """Return the key of the logs that a callback's `monitor` means.

    Raises
    ------
    ValueError
        If there is none.
    """
    key = find_key(monitor, keys)
    if key is not None:
        return key
    remedy = ""
    if monitor.startswith("val_") and not any(key.startswith("val_") for key in keys):
        remedy = " (values with val_ need validation_data or validation_split)"
    raise ValueError(
        f"{who}: monitor {monitor!r} is not among the values of this fit: {', '.join(keys)}{remedy}"
    )
