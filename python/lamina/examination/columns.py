"""Facts on the columns of the inputs: where they lie, and whether validation rows are like them."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.data import class_numbers
from lamina.diagnosis import ColumnFacts, DataFacts
from lamina.examination.visit import Visit, head_of_classes
from lamina.sparse import Csr

__all__ = ["column_facts", "ks_distance", "scaled_ports"]

_CELLS = 400_000  # looked at, of each of training and validation
_COLUMNS = 2000
_LONG = 200_000  # rows by which a column is called constant
_JOINT = 64  # columns, of which the mean distance is measured
_ALIKE = 0.3  # of the validation rows must be left when classes are made alike
_SPLITS = 20  # at random, which it is compared with

AnyArray = NDArray[Any]

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


def column_facts(visit: Visit, facts: DataFacts) -> None:
    """Add the facts of the columns."""
    model = visit.trainer.model
    ports = zip(model._core.ports(), scaled_ports(model), visit.column_names, strict=True)
    numeric = []
    for place, (port, scaled, names) in enumerate(ports):
        if port["kind"] != "numeric" or isinstance(visit.train.inputs[place], Csr):
            kind = "sparse" if port["kind"] == "numeric" else port["kind"]
            visit.left_out.append(f"the columns of the input {port['name']!r}: {kind}")
            continue
        numeric.append((place, scaled, names))
    alike = _alike(visit)
    width = sum(len(names) for _, _, names in numeric)
    if not width:
        return
    step = -(-width // _COLUMNS)
    if step > 1:
        visit.left_out.append(f"columns but each {step}th of {width}")
    rows = max(200, _CELLS * step // width)
    pairs: list[tuple[AnyArray, AnyArray]] = []
    for place, scaled, names in numeric:
        as_read = partial(np.asarray, dtype=np.float64 if scaled else model.dtype)
        train = as_read(visit.train.inputs[place][:rows, ::step])
        facts.column_rows = len(train)
        everything = _strided(visit.all_rows.inputs[place], visit.all_rows.rows)
        held_out = None
        if visit.held_out is not None:
            held_out = as_read(visit.held_out.inputs[place][alike[:rows], ::step])
            facts.validation_column_rows = len(held_out)
            pairs.append((train, held_out))
        for column, name in enumerate(names[::step]):
            values = train[:, column]
            if (values == values[0]).all():
                values = as_read(everything[:, column * step])
            others = None if held_out is None else held_out[:, column]
            facts.columns.append(_column(name, values, others, scaled=scaled))
    if pairs:
        _mean_shift(pairs, facts, visit.seed)


def _alike(visit: Visit) -> NDArray[np.intp]:
    """Return places of validation rows with the same shares of the classes as training rows.

    So that columns are not called shifted where it is the classes that are.
    """
    place, data = head_of_classes(visit.trainer), visit.held_out
    if data is None:
        return np.arange(0)
    here, there = (
        None if place is None else class_numbers(np.asarray(one.targets[place]))
        for one in (visit.train, data)
    )
    if here is None or there is None:
        return np.arange(data.size)
    classes, counts = np.unique(here, return_counts=True)
    found = np.array([np.count_nonzero(there == label) for label in classes])
    share = counts / counts.sum()
    rows = float((found / share).min())  # that can be had with these shares
    if rows < _ALIKE * data.size:
        return np.arange(data.size)
    chosen = [
        np.flatnonzero(there == label)[: round(rows * part)]
        for label, part in zip(classes, share, strict=True)
    ]
    return np.sort(np.concatenate(chosen))


def _mean_shift(pairs: list[tuple[AnyArray, AnyArray]], facts: DataFacts, seed: int) -> None:
    """Add the mean of the distances, and what it is if the rows are split at random.

    Such a split knows how the columns depend on one another, as no formula does.
    """
    rows = len(pairs[0][0])
    pool = np.concatenate([np.concatenate(pair) for pair in pairs], axis=1)
    pool = np.nan_to_num(pool[:, :: -(-pool.shape[1] // _JOINT)].astype(np.float64))
    order = np.argsort(pool, axis=0, kind="stable")
    values = np.take_along_axis(pool, order, axis=0)
    ends = np.concatenate([values[1:] != values[:-1], np.ones((1, values.shape[1]), bool)])

    def mean_distance(first: NDArray[np.bool_]) -> float:
        steps = np.where(first, 1.0 / first.sum(), -1.0 / (~first).sum())
        apart = np.abs(np.cumsum(steps[order], axis=0))
        return float(np.where(ends, apart, 0.0).max(axis=0).mean())

    rng = np.random.default_rng(seed)
    first = np.arange(len(pool)) < rows
    chance = [mean_distance(rng.permutation(first)) for _ in range(_SPLITS)]
    facts.mean_shift = mean_distance(first)
    facts.chance_of_mean_shift = float(np.mean(chance) + 6 * np.std(chance, ddof=1))


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
    numbers, counts = np.unique(here, return_counts=True)
    facts.common, most = float(numbers[counts.argmax()]), int(counts.max())
    facts.common_share = most / len(here)
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
