"""Facts on the layers: as a monitored fit saw them, else as they are now."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from lamina.diagnosis import LayerFacts
from lamina.examination.from_start import norms_of
from lamina.examination.trials import copied
from lamina.examination.visit import Visit, taken
from lamina.history import History
from lamina.history_facts import layers_of
from lamina.network import flat_specs
from lamina.watching import layer_values, measure_sample

__all__ = ["layer_facts"]

_ROWS = 2000  # that are looked at
_ZERO = 1e-4  # weights below this are 0


def layer_facts(visit: Visit) -> list[LayerFacts]:
    """Return what is known of each layer that has outputs of its own."""
    trainer = visit.trainer
    history = trainer.history
    if not history.layers:
        history = History()
        history.layers = _now(visit)
    layers = layers_of(history, trainer.model)
    specs = {one["name"]: one for one in flat_specs(json.loads(trainer.model._core.spec)["layers"])}
    for layer in layers:
        layer.shrunk = _shrunk(trainer.model, specs.get(layer.name, {}))
    return layers


def _shrunk(model: Any, spec: Any) -> float:
    """Return the share of a kernel that a penalty has made 0."""
    if not spec.get("kernel_regularizer"):
        return 0.0
    kernel = np.asarray(model._core.view(f"{spec['name']}/kernel"))
    return float((np.abs(kernel) < _ZERO).mean())


def _now(visit: Visit) -> dict[str, dict[str, list[float]]]:
    """Return the statistics of this moment, a number each."""
    rows = taken(visit.train, np.arange(min(visit.train.size, _ROWS)))
    _, outputs = measure_sample(visit.trainer, rows)
    norms: dict[str, dict[str, float]] = {}
    try:
        norms = norms_of(copied(visit.trainer), rows)
    except (ValueError, TypeError) as error:  # they are not finite, or it cannot be copied
        visit.left_out.append(f"the gradients of the layers: {error}")
    measured = layer_values(outputs, norms)
    return {
        name: {key: [value] for key, value in values.items()} for name, values in measured.items()
    }
