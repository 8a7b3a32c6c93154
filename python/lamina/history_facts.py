"""A history as facts for a diagnosis."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from lamina._isa import core
from lamina.diagnosis import Facts, LayerFacts
from lamina.history_record import Record

__all__ = ["facts_of", "layers_of"]


def facts_of(history: Record, model: Any = None) -> Facts:
    """Return what a history knows of its training.

    Parameters
    ----------
    history : History
        Of one fit or of several.
    model : Model, optional
        Tells of each layer what it is. Without it names are all there is: "dense_1" is a Dense.
    """
    values = history.history
    final = history.final or {}
    return Facts(
        loss=list(values.get("loss", [])),
        val_loss=list(values.get("val_loss", [])),
        train_loss_eval=list(values.get("train_loss_eval", [])),
        learning_rate=[float(rate) for rate in history.learning_rate],
        epoch=list(history.epoch),
        final_train_loss=final.get("train_loss_eval"),
        final_val_loss=final.get("val_loss"),
        baseline_loss=final.get("baseline_loss"),
        least_loss=final.get("least_loss"),
        stop_reason=history.stop_reason,
        layers=layers_of(history, model),
    )


def layers_of(history: Record, model: Any = None) -> list[LayerFacts]:
    """Return the layers that a monitored fit has looked at, in the order of the model."""
    described = {} if model is None else _described(model)
    last = next(reversed(history.layers), None)
    found = []
    for name, values in history.layers.items():
        about = described.get(name, {"kind": _kind(name), "output": name == last})
        found.append(LayerFacts(name, values={key: list(one) for key, one in values.items()}))
        for key, value in about.items():
            setattr(found[-1], key, value)
    return found


def _described(model: Any) -> dict[str, dict[str, Any]]:
    """Return kind, activation, width and place of each layer by name, nested ones included."""
    outputs = {one["name"] for one in model._core.outputs()}
    activations = {one.get("name"): one.get("activation") for one in _specs(model._core.spec)}
    return {
        one["name"]: {
            "kind": one["class"],
            "activation": _activation_name(activations.get(one["name"])),
            "output": one["name"] in outputs,
            "units": int(one["output_shapes"][0][-1]) if one["output_shapes"] else 0,
        }
        for one in model._core.layers()
    }


def _specs(spec: str) -> Iterator[Mapping[str, Any]]:
    """Go through the descriptions of all layers, however deep they lie."""
    waiting: list[Any] = [json.loads(spec)]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Mapping):
            yield one
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)


def _activation_name(spec: Any) -> str:
    """Return the name of an activation from its description."""
    if not isinstance(spec, Mapping):
        return "linear"
    known = core.catalogue()["activations"]
    return next((one["name"] for one in known if one["class"] == spec["class"]), "linear")


def _kind(name: str) -> str:
    """Return the class that a layer of this name has if nobody named it: "dense_1" is a Dense."""
    return "".join(word.capitalize() for word in re.sub(r"_\d+$", "", name).split("_"))
