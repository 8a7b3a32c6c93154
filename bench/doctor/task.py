"""A task: rows to train on and rows to validate on, prepared as a careful user would."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Task:
    """One data set of one seed.

    `x` is scaled as a careful user does it, by the training rows alone; `offset` and `unit` lead
    back to what stood in the file: ``x * unit + offset``. `y` has class numbers (n,), or standard
    scores (n, 1) of a number that lies `target_unit` apart around `target_offset`.
    """

    name: str
    x: Array
    y: Array | Labels
    validation_x: Array
    validation_y: Array | Labels
    classes: int  # 0: a number
    offset: Array
    unit: Array
    target_offset: float = 0.0
    target_unit: float = 1.0
    full: Task | None = None  # of a task with a rare class: the same before rows were taken away

    @property
    def columns(self) -> int:
        """Width of the input."""
        return int(self.x.shape[1])

    @property
    def validation(self) -> tuple[Array, Array | Labels]:
        """The rows that are not trained on."""
        return self.validation_x, self.validation_y

    def but(self, **changed: object) -> Task:
        """Return this task with something changed."""
        return dataclasses.replace(self, **changed)  # type: ignore[arg-type]

    def rows(self, count: int) -> Task:
        """Return it with the first so many training rows (they are in random order)."""
        return self.but(x=self.x[:count], y=self.y[:count])

    def with_inputs(self, x: object, validation_x: object) -> Task:
        """Return it with other inputs."""
        return self.but(
            x=np.asarray(x, np.float32),
            validation_x=np.asarray(validation_x, np.float32),
        )


def prepared(
    name: str,
    x: object,
    y: object,
    rows: tuple[int, int],
    rng: np.random.Generator,
    *,
    classes: int = 0,
    unit: float | None = None,
) -> Task:
    """Draw training and validation rows; scale them, by the training rows alone.

    Columns that are constant in the training rows are left out. `unit`: all columns are alike
    (pixels) and are divided by this instead.
    """
    values, target = np.asarray(x, np.float64), np.asarray(y)
    order = rng.permutation(len(values))[: sum(rows)]
    train, held_out = order[: rows[0]], order[rows[0] :]
    values = values[:, values[train].std(axis=0) > 0]
    if unit is None:
        offset, units = values[train].mean(axis=0), values[train].std(axis=0)
    else:
        offset, units = np.zeros(values.shape[1]), np.full(values.shape[1], unit)
    scaled = ((values - offset) / units).astype(np.float32)
    middle, width = 0.0, 1.0
    if classes:
        target = target.astype(np.int64)
    else:
        middle, width = float(target[train].mean()), float(target[train].std())
        target = ((target - middle) / width).astype(np.float32).reshape(-1, 1)
    return Task(
        name,
        scaled[train],
        target[train],
        scaled[held_out],
        target[held_out],
        classes,
        offset.astype(np.float32),
        units.astype(np.float32),
        middle,
        width,
    )
