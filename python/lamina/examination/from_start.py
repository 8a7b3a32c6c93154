"""Facts on the layers as they were before the first step, and on units that are alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from lamina.data import Dataset
from lamina.diagnosis import LayerFacts
from lamina.examination.trials import again
from lamina.examination.visit import Visit, as_given, taken
from lamina.watching import measure_sample

__all__ = ["look_at_start", "norms_of"]

_ROWS = 512  # that are looked at
_SAME = 1e-5  # of its largest weight: rounding may differ


def look_at_start(visit: Visit, layers: Sequence[LayerFacts]) -> None:
    """Add to each layer what it was like with the first weights, and how alike its units are."""
    found = _first(visit)
    same = _alike(visit.trainer.model)
    for layer in layers:
        layer.start = {key: float(value) for key, value in found.get(layer.name, {}).items()}
        layer.alike = same.get(layer.name)


def _first(visit: Visit) -> dict[str, dict[str, float]]:
    rows = taken(visit.train, np.arange(min(visit.train.size, _ROWS)))
    try:
        untrained = again(visit.trainer)
        _, found = measure_sample(untrained, rows)
        for name, norms in norms_of(untrained, rows).items():
            found.setdefault(name, {}).update(norms)
    except (ValueError, TypeError, RuntimeError) as error:  # not finite, or it cannot be copied
        visit.left_out.append(f"the layers before the first step: {error}")
        return {}
    return found


def norms_of(trainer: Any, rows: Dataset) -> dict[str, dict[str, float]]:
    """Return the norms of gradients and weights by layer; the trainer is a copy."""
    X, y = as_given(trainer, rows)
    trainer.compute_gradients(X, y, sample_weight=rows.weights)
    core = trainer.model._core
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


def _alike(model: Any) -> dict[str, float]:
    """Return for each kernel the share of units that have the same weights as the first unit."""
    found = {}
    for one in model._core.tensors():
        if one["role"] == "kernel" and len(one["shape"]) == 2 and one["shape"][1] > 1:
            kernel = np.asarray(model._core.view(one["name"]), np.float64)
            first = kernel[:, :1]
            apart = np.abs(kernel - first).max(axis=0)
            found[one["layer"]] = float((apart <= _SAME * np.abs(first).max()).mean())
    return found
