"""Data made by formulas: three families of classes, two of numbers. Every seed draws anew."""

from __future__ import annotations

import numpy as np

from doctor.task import Task, prepared

ROWS = (1500, 750)  # to train on, to validate on


def blobs(rng: np.random.Generator) -> Task:
    """Four classes of three clouds each in 12 dimensions, somewhat overlapping."""
    count = sum(ROWS)
    centres = rng.normal(0.0, 1.0, (4, 3, 12))
    label, cloud = rng.integers(0, 4, count), rng.integers(0, 3, count)
    x = centres[label, cloud] + rng.normal(0.0, 0.75, (count, 12))
    return prepared("blobs", _in_units(x, rng), label, ROWS, rng, classes=4)


def clouds(rng: np.random.Generator) -> Task:
    """Two classes that nobody can part: what is seen of a row leaves it open for many of them."""
    x = rng.normal(0.0, 1.0, (sum(ROWS), 8))
    bent = 1.5 * x[:, 0] * x[:, 1] + np.sin(2 * x[:, 2]) + x[:, 3] - 0.5 * x[:, 4] ** 2
    label = rng.random(len(x)) < 1.0 / (1.0 + np.exp(-1.5 * (bent + 1.0)))
    return prepared("clouds", _in_units(x, rng), label, ROWS, rng, classes=2)


def rings(rng: np.random.Generator) -> Task:
    """Three rings around one another, two columns: nothing that a straight line could part."""
    count = sum(ROWS)
    label = rng.integers(0, 3, count)
    radius = 1.0 + label + rng.normal(0.0, 0.22, count)
    angle = rng.uniform(0.0, 2 * np.pi, count)
    x = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return prepared("rings", _in_units(x, rng), label, ROWS, rng, classes=3)


def friedman(rng: np.random.Generator) -> Task:
    """Friedman's first function of five columns, five more that say nothing, and noise."""
    x = rng.uniform(0.0, 1.0, (sum(ROWS), 10))
    y = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2
    y = y + 10 * x[:, 3] + 5 * x[:, 4] + rng.normal(0.0, 1.0, len(x))
    return prepared("friedman", _in_units(x, rng), y, ROWS, rng)


def waves(rng: np.random.Generator) -> Task:
    """A surface of waves over three columns, which no plane comes near to, and a little noise."""
    x = rng.uniform(-1.0, 1.0, (sum(ROWS), 3))
    y = np.sin(3 * x[:, 0] + 0.5) * np.cos(2 * x[:, 1]) + 0.5 * x[:, 2] ** 2
    y = y + rng.normal(0.0, 0.1, len(x))
    return prepared("waves", _in_units(x, rng), y, ROWS, rng)


def _in_units(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Metres, grams, years: every column in a unit and from a zero of its own."""
    units = 10.0 ** rng.uniform(-2.0, 3.0, x.shape[1])
    return (x + rng.normal(0.0, 3.0, x.shape[1])) * units
