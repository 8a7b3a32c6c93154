"""Facts on the layers: as a monitored fit saw them, else as they are now."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from lamina._isa import core
from lamina.diagnosis import LayerFacts
from lamina.examination.from_start import norms_of
from lamina.examination.trials import copied
from lamina.examination.visit import Visit, taken
from lamina.network import flat_specs
from lamina.watching import layer_values, measure_sample

__all__ = ["layer_facts"]

_ROWS = 2000  # that are looked at
_ZERO = 1e-4  # weights below this are 0


def layer_facts(visit: Visit) -> list[LayerFacts]:
    """Return what is known of each layer that has outputs of its own."""
    trainer = visit.trainer
    model = trainer.model
    seen = trainer.history.layers
    is_known = any(np.isfinite(one["mean"][-1]) for one in seen.values() if one["mean"])
    values = seen if is_known else _now(visit)  # a later fit may not have been monitored
    specs = {one["name"]: one for one in flat_specs(json.loads(model._core.spec)["layers"])}
    outputs = {one["name"] for one in model._core.outputs()}
    return [
        LayerFacts(
            layer["name"],
            layer["class"],
            _activation(specs.get(layer["name"], {}).get("activation")),
            layer["name"] in outputs,
            int(np.prod(layer["output_shapes"][0])),
            {key: list(map(float, known)) for key, known in values[layer["name"]].items()},
            shrunk=_shrunk(model, specs.get(layer["name"], {})),
        )
        for layer in model._core.layers()
        if layer["name"] in values
    ]


def _activation(spec: Any) -> str:
    """Return the name of an activation from its description."""
    if not isinstance(spec, dict):
        return "linear"
    known = core.catalogue()["activations"]
    return next((str(one["name"]) for one in known if one["class"] == spec["class"]), "linear")


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
