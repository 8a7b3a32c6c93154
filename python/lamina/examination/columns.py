"""Facts on the columns of the inputs: where they lie, and whether validation rows are like them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.diagnosis import ColumnFacts
from lamina.examination.visit import Visit
from lamina.sparse import Csr

__all__ = ["column_facts", "ks_distance", "scaled_ports"]

_CELLS = 400_000  # looked at, of each of training and validation
_COLUMNS = 2000
_LONG = 200_000  # rows by which a column is called constant

_SCALING = {"Normalization", "RobustScale", "BatchNormalization"}
_PASSING = {
    *("Concatenate", "Flatten", "Reshape", "Impute", "ActivityRegularization"),
    *("Dropout", "AlphaDropout", "GaussianNoise"),
}
_CONTAINERS = {"Residual", "Parallel", "NestedModel"}


def scaled_ports(model: Any) -> list[bool]:
    """Return by input whether each layer that computes with it reads it scaled."""
    layers = [one for one in model._core.layers() if one["class"] not in _CONTAINERS]
    ports = [one for one in layers if one["class"] == "Input" and not one["depth"]]

    def scaled(value: int) -> bool:
        readers = [one for one in layers if value in one["inputs"]]
        return bool(readers) and all(
            one["class"] in _SCALING
            or (one["class"] in _PASSING and all(map(scaled, one["outputs"])))
            for one in readers
        )

    return [scaled(port["outputs"][0]) for port in ports]


def column_facts(visit: Visit) -> tuple[list[ColumnFacts], int, int]:
    """Return the facts of the columns, and how many training and validation rows they are of."""
    model = visit.trainer.model
    ports = zip(model._core.ports(), scaled_ports(model), visit.column_names, strict=True)
    numeric = []
    for place, (port, scaled, names) in enumerate(ports):
        if port["kind"] != "numeric" or isinstance(visit.train.inputs[place], Csr):
            visit.left_out.append(f"the columns of the input {port['name']!r}: {port['kind']}")
            continue
        numeric.append((place, scaled, names))
    width = sum(len(names) for _, _, names in numeric)
    if not width:
        return [], 0, 0
    step = -(-width // _COLUMNS)
    if step > 1:
        visit.left_out.append(f"columns but each {step}th of {width}")
    rows = max(200, _CELLS * step // width)
    found: list[ColumnFacts] = []
    counts = 0, 0
    for place, scaled, names in numeric:
        train = visit.train.inputs[place][:rows, ::step]
        held_out = None if visit.held_out is None else visit.held_out.inputs[place][:rows, ::step]
        counts = len(train), 0 if held_out is None else len(held_out)
        everything = _strided(visit.all_rows.inputs[place], visit.all_rows.rows)
        for column, name in enumerate(names[::step]):
            values = train[:, column]
            if len(values) and (values == values[0]).all():
                values = everything[:, column * step]
            others = None if held_out is None else held_out[:, column]
            found.append(_column(name, values, others, scaled=scaled))
    return found, *counts


def _strided(array: NDArray[Any], rows: list[int] | None) -> NDArray[Any]:
    """Return no more than so many rows, those of training."""
    count = len(array) if rows is None else len(rows)
    step = max(1, -(-count // _LONG))
    chosen: NDArray[Any] = array[::step] if rows is None else array[np.asarray(rows[::step])]
    return chosen


def _column(
    name: str, values: NDArray[Any], others: NDArray[Any] | None, *, scaled: bool
) -> ColumnFacts:
    here = _finite(values)
    facts = ColumnFacts(
        name, float(here.mean()), _spread(here), float(here.min()), float(here.max()), scaled=scaled
    )
    if others is not None:
        there = _finite(others)
        facts.validation_mean, facts.validation_spread = float(there.mean()), _spread(there)
        facts.shift = ks_distance(here, there)
    return facts


def _spread(values: NDArray[np.float64]) -> float:
    """Return the standard deviation; exactly 0 where all are the same."""
    return 0.0 if (values == values[0]).all() else float(values.std())


def _finite(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return the values that are there; a column without any counts as 0."""
    numbers = np.asarray(values, dtype=np.float64)
    numbers = numbers[~np.isnan(numbers)]
    return numbers if len(numbers) else np.zeros(1)


def ks_distance(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Return the Kolmogorov-Smirnov distance: how far two samples' distributions are apart.

    The largest difference of the shares that lie at or below some value; from 0 to 1.
    """
    one, other = np.sort(one), np.sort(other)
    places = np.concatenate([one, other])
    shares = [np.searchsorted(each, places, side="right") / len(each) for each in (one, other)]
    return float(np.abs(shares[0] - shares[1]).max())
