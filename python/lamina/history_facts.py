"""A history as facts for a diagnosis."""

from __future__ import annotations

import re

from lamina.diagnosis import Facts, LayerFacts
from lamina.history_record import Record

__all__ = ["facts_of"]


def facts_of(history: Record) -> Facts:
    """Return what a history knows of its training, be it one fit or several."""
    values, final = history.history, history.final or {}
    return Facts(
        loss=list(values.get("loss", [])),
        val_loss=list(values.get("val_loss", [])),
        train_loss_eval=list(values.get("train_loss_eval", [])),
        learning_rate=[float(rate) for rate in history.learning_rate],
        epoch=list(history.epoch),
        final_train_loss=final.get("train_loss_eval"),
        final_val_loss=final.get("val_loss"),
        baseline_loss=final.get("baseline_loss"),
        baseline_train_loss=final.get("baseline_train_loss"),
        least_loss=final.get("least_loss"),
        stop_reason=history.stop_reason,
        layers=_layers(history),
    )


def _layers(history: Record) -> list[LayerFacts]:
    """Return the layers of a monitored fit, in the order of the model; the last is the output.

    A history does not know what they are, so names have to do: "dense_1" is a Dense.
    """
    last = next(reversed(history.layers), None)
    return [
        LayerFacts(
            name,
            kind=_kind(name),
            output=name == last,
            values={key: list(one) for key, one in values.items()},
        )
        for name, values in history.layers.items()
    ]


def _kind(name: str) -> str:
    """Return the class that a layer of this name has if nobody named it."""
    return "".join(word.capitalize() for word in re.sub(r"_\d+$", "", name).split("_"))
