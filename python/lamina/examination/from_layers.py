"""Facts on the layers: as a monitored fit saw them, else as they are now."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from lamina import activations
from lamina.data import Dataset
from lamina.diagnosis import LayerFacts
from lamina.examination.trials import copied
from lamina.examination.visit import Visit, as_given, taken
from lamina.network import flat_specs
from lamina.watching import layer_values, measure_sample

__all__ = ["layer_facts"]

_ROWS = 2000  # that are looked at


def layer_facts(visit: Visit) -> list[LayerFacts]:
    """Return what is known of each layer that has outputs of its own."""
    trainer = visit.trainer
    values = trainer.history.layers or _now(visit)
    specs = {one["name"]: one for one in flat_specs(_specs(trainer.model))}
    outputs = {output["name"] for output in trainer.model._core.outputs()}
    facts = []
    for layer in trainer.model._core.layers():
        name = layer["name"]
        if name in values:
            facts.append(
                LayerFacts(
                    name,
                    layer["class"],
                    _activation(specs.get(name, {}).get("activation")),
                    name in outputs,
                    int(np.prod(layer["output_shapes"][0])),
                    {key: list(map(float, known)) for key, known in values[name].items()},
                )
            )
    return facts


def _specs(model: Any) -> Any:
    return json.loads(model._core.spec)["layers"]


def _activation(spec: Any) -> str:
    if spec is None:
        return "linear"
    made = activations.get(spec["class"] if isinstance(spec, dict) else spec)
    return str(json.loads(made._core_spec())["class"])


def _now(visit: Visit) -> dict[str, dict[str, list[float]]]:
    """Return the statistics of this moment, a number each."""
    rows = taken(visit.train, np.arange(min(visit.train.size, _ROWS)))
    _, outputs = measure_sample(visit.trainer, rows)
    measured = layer_values(outputs, _norms(visit, rows))
    return {
        name: {key: [value] for key, value in values.items()} for name, values in measured.items()
    }


def _norms(visit: Visit, rows: Dataset) -> dict[str, dict[str, float]]:
    """Return the norms of gradients and weights, of a copy."""
    copy = copied(visit.trainer)
    X, y = as_given(copy, rows)
    copy.compute_gradients(X, y, sample_weight=rows.weights)
    core = copy.model._core
    squares: dict[str, list[float]] = {}
    for one in core.tensors():
        if one["trainable"]:
            sums = squares.setdefault(one["layer"], [0.0, 0.0])
            for place, view in enumerate((core.gradient_view(one["name"]), core.view(one["name"]))):
                sums[place] += float(np.sum(np.square(np.asarray(view, np.float64))))
    return {
        name: {"gradient_norm": math.sqrt(gradient), "weight_norm": math.sqrt(weight)}
        for name, (gradient, weight) in squares.items()
    }
