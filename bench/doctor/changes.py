"""What entries do to data: each takes a task and returns another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from doctor.task import Task

Change = Callable[[Any], Any]


def both(task: Task, change: Change) -> Task:
    """Change the inputs of training and validation rows alike."""
    return task.with_inputs(change(task.x.copy()), change(task.validation_x.copy()))


def rescaled(task: Task, times: float, plus: float = 0.0) -> Task:
    """Give the target in another unit, from another zero."""
    return task.but(y=task.y * times + plus, validation_y=task.validation_y * times + plus)


def rare(task: Task, label: int, rows: int) -> Task:
    """Keep so many training rows of a class, and validation rows in proportion."""

    def kept(y: Any, most: float) -> Any:
        return (y != label) | (np.cumsum(y == label) <= max(most, 5))

    a = kept(task.y, rows)
    b = kept(task.validation_y, rows * len(task.validation_y) / len(task.y))
    return task.but(
        x=task.x[a],
        y=task.y[a],
        validation_x=task.validation_x[b],
        validation_y=task.validation_y[b],
        full=task.full or task,
    )


def two_classes(task: Task, label: int) -> Task:
    """Ask for one class against all others."""
    y, held_out = ((one == label).astype(np.int64) for one in (task.y, task.validation_y))
    return task.but(y=y, validation_y=held_out, classes=2)


def blurred(task: Task, spread: float, seed: int) -> Task:
    """Measure the inputs less exactly, by so many of their spreads, so that the classes overlap.

    Rings lie closer together than other classes: a quarter of it is enough there.
    """
    rng = np.random.default_rng([seed, 5])
    spread *= float(task.x.std()) / (4 if task.columns == 2 else 1)
    return both(task, lambda x: x + rng.normal(0.0, spread, x.shape))


def pool(task: Task) -> tuple[Any, Any]:
    """All rows, training and validation together."""
    x = np.concatenate([task.x, task.validation_x])
    return x, np.concatenate([task.y, task.validation_y])


def cut(task: Task, order: Any) -> Task:
    """Train on the first rows of an order, and validate on the last."""
    x, y = pool(task)
    a, b = order[: len(task.x)], order[len(task.x) :]
    a = np.random.default_rng(0).permutation(a)
    changed = task.but(y=y[a], validation_y=y[b])
    return changed.with_inputs(x[a], x[b])


def shuffled(task: Task, seed: int) -> Task:
    """Give every row another row's answer."""
    rng = np.random.default_rng([seed, 8])
    return task.but(
        y=rng.permutation(task.y),
        validation_y=rng.permutation(task.validation_y),
    )
