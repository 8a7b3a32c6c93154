"""What a Trainer measures of each output of its model: losses, their weights, metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lamina._config import Configurable, spec_json
from lamina.data import by_output
from lamina.metrics import Metric
from lamina.metrics._measures import Measures

__all__ = ["Heads", "Measured"]

AnyArray = NDArray[Any]


class Measured(NamedTuple):
    """Targets and predictions of one output: what its set metrics need."""

    target: AnyArray
    predictions: AnyArray
    multilabel: bool


class Heads:
    """The losses, weights and metrics of a Trainer, by output.

    Parameters
    ----------
    names : sequence of str
        The outputs' names.
    loss, loss_weights, metrics
        As given to the Trainer.

    Raises
    ------
    ValueError, TypeError
        If something is not a loss or a metric, or belongs to no output.
    """

    def __init__(self, names: Sequence[str], loss: Any, loss_weights: Any, metrics: Any) -> None:
        self.names = list(names)
        self.losses = [_checked_loss(one) for one in _losses(loss, self.names)]
        self.weights = _weights(loss_weights, self.names)
        self.measures = [Measures(one) for one in _metrics(metrics, self.names)]
        keys = self.keys(sets=True)
        for key in keys:
            if keys.count(key) > 1:
                raise ValueError(
                    f"Trainer: two values would have the key {key!r} in the history; give the "
                    "layers that make the outputs other names"
                )

    @property
    def several(self) -> bool:
        """Whether the model has several outputs."""
        return len(self.names) > 1

    @property
    def for_core(self) -> tuple[list[Any], list[str], list[float]]:
        """What the core reads: losses, metrics, weights."""
        losses = [
            one
            if callable(one) and not isinstance(one, Configurable)
            else ("null" if one is None else spec_json(one))
            for one in self.losses
        ]
        return losses, [measures.for_core for measures in self.measures], self.weights

    @property
    def metrics(self) -> list[Metric]:
        """All metrics as objects, output by output."""
        return [metric for measures in self.measures for metric in measures.metrics]

    @property
    def sets(self) -> list[bool]:
        """By output whether some metric needs all predictions."""
        return [measures.any_sets for measures in self.measures]

    @property
    def measured(self) -> dict[str, bool]:
        """By name whether there is anything that needs a target."""
        return {
            name: loss is not None or bool(measures.metrics)
            for name, loss, measures in zip(self.names, self.losses, self.measures, strict=True)
        }

    @property
    def any_sets(self) -> bool:
        """Whether some need all predictions."""
        return any(self.sets)

    def prefix(self, place: int) -> str:
        """Return what stands before the keys of an output."""
        return f"{self.names[place]}_" if self.several else ""

    def keys(self, *, sets: bool) -> list[str]:
        """Return the keys of the logs in order, with or without those of set metrics."""
        losses = [
            f"{self.prefix(place)}loss"
            for place, loss in enumerate(self.losses)
            if self.several and loss is not None
        ]
        return [
            "loss",
            *losses,
            *(
                f"{self.prefix(place)}{key}"
                for place, measures in enumerate(self.measures)
                for key in measures.keys(sets=sets)
            ),
        ]

    def check(self, measured: Sequence[Measured | None], weight: AnyArray | None) -> None:
        """Refuse targets that a set metric cannot take, given predictions of some rows."""
        for measures, one in zip(self.measures, measured, strict=True):
            if one is not None:
                measures.check(one.target, one.predictions, weight, one.multilabel)

    def all_values(
        self,
        of_core: Mapping[str, float],
        measured: Sequence[Measured | None],
        weight: AnyArray | None,
    ) -> dict[str, float]:
        """Return the core's values and those of the set metrics, in order."""
        values = dict(of_core)
        for place, (measures, one) in enumerate(zip(self.measures, measured, strict=True)):
            if one is None:
                continue
            found = measures.set_values(one.target, one.predictions, weight, one.multilabel)
            values.update({f"{self.prefix(place)}{key}": value for key, value in found.items()})
        return {key: values[key] for key in self.keys(sets=True)}


def _losses(given: Any, names: Sequence[str]) -> list[Any]:
    if isinstance(given, (Mapping, list, tuple)):
        losses = by_output("Trainer: loss", given, names, missing=None)
    else:
        losses = [given] * len(names)
    if all(loss is None for loss in losses):
        raise ValueError(
            "Trainer: there is no loss to train for"
            + (f"; give one for at least one of the outputs {list(names)}" if names[1:] else "")
        )
    return losses


def _checked_loss(loss: Any) -> Any:
    if loss is not None and not isinstance(loss, (str, Configurable)) and not callable(loss):
        raise TypeError(f"Trainer: loss must be a name, a Loss or a function, got {loss!r}")
    return loss


def _weights(given: Any, names: Sequence[str]) -> list[float]:
    if given is None:
        return [1.0] * len(names)
    if not isinstance(given, (Mapping, list, tuple, np.ndarray)):
        raise TypeError(
            "Trainer: loss_weights must be a dict by output or a sequence in the order of the "
            f"outputs {list(names)}, got {given!r}"
        )
    if isinstance(given, np.ndarray):
        given = given.tolist()
    weights = by_output("Trainer: loss_weights", given, names, missing=1.0)
    for weight in weights:
        if not 0 <= weight < float("inf"):
            raise ValueError(f"Trainer: loss_weights must be finite and at least 0, got {weight!r}")
    return [float(weight) for weight in weights]


def _metrics(given: Any, names: Sequence[str]) -> list[Any]:
    """Return the metrics of each output: one or several."""
    if isinstance(given, Mapping) or (
        len(names) > 1 and isinstance(given, (list, tuple)) and given
    ):
        if not isinstance(given, Mapping) and len(given) != len(names):
            raise ValueError(
                f"Trainer: metrics: the model has {len(names)} outputs; give a dict by output, or "
                f"as many entries as outputs, each one metric or a list, in this order: "
                f"{list(names)}"
            )
        return [
            () if one is None else one
            for one in by_output("Trainer: metrics", given, names, missing=None)
        ]
    return [given] * len(names)
