"""The plain network that a trained one is compared with."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from lamina.baseline import as_loss
from lamina.examination.visit import Visit
from lamina.layers import (
    Concatenate,
    Dense,
    Embedding,
    Flatten,
    Impute,
    Input,
    RobustScale,
    Scale,
)
from lamina.model import Model
from lamina.optimizers import Adam
from lamina.trainer import Trainer

__all__ = ["BATCH_SIZE", "of_any_number", "reference"]

BATCH_SIZE = 32
_UNITS = 64
_RATE = 2e-3
_ANY_NUMBER = {"MeanSquaredError", "MeanAbsoluteError", "Huber", "LogCosh"}


def reference(visit: Visit) -> Any:
    """Return a trainer of two hidden layers behind scaled inputs, with the same loss and output.

    Of a regression it is scaled at its end, too, so that the losses are in the same units.
    """
    trainer = visit.trainer
    specs = json.loads(trainer.model._core.spec)["layers"]
    ports = [Input.from_spec({**one, "name": None}) for one in specs if one["class"] == "Input"]
    parts = [_prepared(port, visit.train.inputs[place]) for place, port in enumerate(ports)]
    hidden = parts[0] if len(parts) == 1 else Concatenate()(parts)
    for _ in range(2):
        hidden = Dense(_UNITS, activation="relu")(hidden)
    ends = [_end(visit, place)(hidden) for place in range(len(visit.train.targets))]
    scales = [
        Scale(use_bias=True, trainable=False) if of_any_number(visit, place) else None
        for place in range(len(ends))
    ]
    outputs = [
        end if scale is None else scale(end) for end, scale in zip(ends, scales, strict=True)
    ]
    model = Model(inputs=ports, outputs=outputs, seed=visit.seed, dtype=trainer.model.dtype.name)
    for place, scale in enumerate(scales):
        if scale is not None:
            _scale(model[scale.name or ""], visit.train.targets[place])
    losses, weights = trainer._heads.losses, trainer._heads.weights
    return Trainer(
        model,
        loss=losses if len(losses) > 1 else losses[0],
        optimizer=Adam(_RATE, epsilon=1e-18),
        loss_weights=weights if len(losses) > 1 else None,
        num_threads=trainer.num_threads,
    )


def _prepared(port: Any, values: Any) -> Any:
    """Return what the hidden layers read of an input."""
    if port.kind == "codes":
        return Embedding(8)(port)
    if port.kind == "sparse" or not isinstance(values, np.ndarray):
        return Dense(_UNITS)(port)
    end = port if len(port.shape) == 1 else Flatten()(port)
    if values.dtype.kind == "f" and np.isnan(values).any():
        end = Impute()(end)
    return RobustScale()(end)


def _end(visit: Visit, place: int) -> Any:
    output = visit.trainer.model._core.outputs()[place]
    width = int(np.prod(output["shape"]))
    return Dense(
        width, activation="linear" if of_any_number(visit, place) else output["activation"]
    )


def of_any_number(visit: Visit, place: int) -> bool:
    """Say whether an output predicts numbers of any size, one for each target, by a plain loss."""
    output = visit.trainer.model._core.outputs()[place]
    target = visit.train.targets[place]
    loss = as_loss(visit.trainer._heads.losses[place])
    width = int(np.prod(output["shape"]))
    return (
        target is not None
        and type(loss).__name__ in _ANY_NUMBER
        and output["activation"] not in {"softmax", "sigmoid"}
        and target.size == len(target) * width
    )


def _scale(layer: Any, target: Any) -> None:
    columns = np.asarray(target, np.float64).reshape(len(target), -1)
    spread = columns.std(axis=0)
    layer.scale = np.where(spread > 0, spread, 1.0)
    layer.bias = columns.mean(axis=0)
