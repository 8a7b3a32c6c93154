"""The real data that composed.py trains on: adult, diamonds, Fashion-MNIST, each cut in three."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from cases import Array

import lamina as lm
from lamina.table import split_rows
from lamina.tables_io import read_table, select_rows

SPLIT_SEED = 0


@dataclass(frozen=True)
class Part:
    """Rows to train on, to choose by or to score: one array for each input of the model."""

    x: dict[str, Array]
    y: Array


@dataclass(frozen=True)
class Problem:
    """One data set: what a model of it reads, and in which units it answers."""

    name: str
    train: Part
    validation: Part
    test: Part
    classes: int  # 0: a number, else the classes of the answer
    cardinalities: tuple[int, ...] = ()  # of the columns of codes

    @property
    def columns(self) -> int:
        """Width of the input called "numbers"."""
        return int(self.train.x["numbers"].shape[1])


def adult(path: Path, share: float = 1.0) -> Problem:
    """Who earns more than 50,000 dollars a year? 32,561 people of the census of 1994 (UCI)."""
    table = read_table(path)
    rich = np.array([cell.strip() == ">50K" for cell in table.pop("income")])
    table.pop("", None)  # numbers of the rows
    return _table_problem("adult", table, rich.astype(np.int64), 2, share)


def diamonds(share: float = 1.0) -> Problem:
    """What does a diamond cost? The logarithm of the price of 53,940 diamonds (bundled)."""
    table = dict(lm.datasets.load_diamonds())
    price = np.log(np.asarray(table.pop("price")))
    for size in "xyz":  # 0 mm: not measured
        millimetres = np.asarray(table[size])
        table[size] = np.where(millimetres == 0, np.nan, millimetres)
    return _table_problem("diamonds", table, price, 0, share)


def fashion_mnist(folder: Path, share: float = 1.0) -> Problem:
    """Which garment is on the picture? The last 10,000 of the training images validate."""
    x, y = _idx(folder, "train-images-idx3"), _idx(folder, "train-labels-idx1")
    last = len(y) - 10_000
    rows = slice(round(last * share))
    test = Part(_pixels(_idx(folder, "t10k-images-idx3")), _labels(folder, "t10k-labels-idx1"))
    return Problem(
        "Fashion-MNIST",
        Part(_pixels(x[rows]), y[rows].astype(np.int64)),
        Part(_pixels(x[last:]), y[last:].astype(np.int64)),
        test,
        classes=10,
    )


def _table_problem(
    name: str, table: Mapping[str, object], y: Array, classes: int, share: float
) -> Problem:
    """Cut 64/16/20 by seed 0, the same share of each class; decode by the training rows alone."""
    table = dict(table)
    labels = y if classes else None
    rest, test = split_rows(len(y), 0.2, SPLIT_SEED, labels=labels)
    inner = None if labels is None else labels[rest]
    train, validation = split_rows(len(rest), 0.2, SPLIT_SEED, labels=inner, stream=1)
    train = rest[train][: round(len(train) * share)]
    encoder = lm.TableEncoder().fit(select_rows(table, train))

    def part(rows: Array) -> Part:
        decoded = encoder.transform(select_rows(table, rows))
        return Part({"numbers": decoded.numbers, "codes": decoded.codes}, y[rows])

    return Problem(
        name,
        part(train),
        part(rest[validation]),
        part(test),
        classes,
        tuple(encoder.cardinalities),
    )


def _idx(folder: Path, name: str) -> Array:
    """Read one file of LeCun's format: a magic number, the sizes, the bytes."""
    content = gzip.decompress((folder / f"{name}-ubyte.gz").read_bytes())
    dimensions = content[3]
    shape = np.frombuffer(content, ">i4", count=dimensions, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def _pixels(images: Array) -> dict[str, Array]:
    return {"numbers": images.reshape(len(images), -1).astype(np.float32) / np.float32(255)}


def _labels(folder: Path, name: str) -> Array:
    return _idx(folder, name).astype(np.int64)
