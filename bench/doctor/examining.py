"""Facts of a finished training, as `lm.doctor` gathers them."""

from __future__ import annotations

import inspect
from typing import Any

import lamina as lm
from doctor.training import Trained
from lamina.diagnosis import Facts

try:
    from lamina.examination import examine as _examine
except ImportError:  # before there was one: the curves alone
    _examine = None

BY = "examine" if _examine else "curves"
MONITORED = "monitor" in inspect.signature(lm.Trainer.fit).parameters
SETTINGS: dict[str, Any] = {"monitor": True} if MONITORED else {}


def examine(done: Trained) -> Facts:
    """Return the facts of a training that has just ended, trials included."""
    task = done.task
    if _examine is not None:
        return _examine(done.model, done.trainer, task.x, task.y, task.validation)
    history = done.history
    return Facts(
        loss=list(history.history.get("loss", [])),
        val_loss=list(history.history.get("val_loss", [])),
        learning_rate=list(map(float, history.learning_rate)),
        epoch=list(history.epoch),
        stop_reason=history.stop_reason,
    )
