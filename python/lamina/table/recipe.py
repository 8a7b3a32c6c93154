"""The network and the training that a table gets when nobody says otherwise.

The numbers come from a search over fifteen tables of 96 to 34,500 training rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from lamina.layers import Dense, Dropout, Input, Layer
from lamina.optimizers import Adam
from lamina.schedules import OneCycle
from lamina.table.target import Target, Task

__all__ = ["Recipe", "choose_recipe", "loss_of"]

_PEAK = 3e-3
_MEAN_OF_ONE_CYCLE = 0.506  # of its peak: 0.3 of the steps rise from 1/25, the rest fall to 0


@dataclass(frozen=True)
class Recipe:
    """Everything that decides how a table is trained.

    Parameters
    ----------
    ramps : int
        Ramps of each numeric column, see TableTransform.
    units : tuple of int
        Width of each hidden layer (ReLU).
    dropout : float
        Rate after each hidden layer; 0 for none.
    learning_rate : float
        The highest of the one-cycle schedule.
    weight_decay : float
        Decoupled, times the learning rate.
    batch_size, epochs, patience : int
        Rows a step; the most epochs; epochs without a better validation loss before it stops.
    """

    ramps: int
    units: tuple[int, ...]
    dropout: float
    learning_rate: float
    weight_decay: float
    batch_size: int
    epochs: int
    patience: int

    def layers(self, width: int, target: Target) -> list[Layer]:
        """Return the layers for `width` inputs and this target."""
        layers: list[Layer] = [Input(width)]
        for units in self.units:
            layers.append(Dense(units, activation="relu"))
            if self.dropout:
                layers.append(Dropout(self.dropout))
        return [*layers, _output(target)]

    def optimizer(self) -> Adam:
        """Return a new optimizer with its schedule; the schedule's length comes from fit."""
        schedule = OneCycle(self.learning_rate)
        return Adam(learning_rate=schedule, weight_decay=self.weight_decay)


def choose_recipe(rows: int, numeric_columns: int, task: Task, epochs: int | None = None) -> Recipe:
    """Choose by the number of training rows and numeric columns, and the task.

    Small tables take small batches, so that they see enough steps, and large ones few epochs.
    Weight decay is set by the sum over all steps of learning rate times decay, so that how far
    weights are pulled to zero does not depend on the number of steps (Wang & Aitchison 2024,
    arXiv 2405.13698): 2 up to 5,000 rows, less for more. Ramps need rows to fill them, and at most
    1,024 columns are spent on them.

    Parameters
    ----------
    rows : int
        Training rows, at least 1.
    numeric_columns : int
        Numeric columns before they are prepared.
    task : "regression" or "classification"
        The cross-entropy overfits sooner than the squared error and wants dropout and fewer steps.
    epochs : int, optional
        Overrides the number of epochs; decay and patience follow.

    Examples
    --------
    >>> recipe = choose_recipe(34_500, 6, "regression")
    >>> recipe.batch_size, recipe.epochs, round(recipe.weight_decay, 2)
    (256, 30, 0.17)
    """
    batch = min(max(2 ** round(math.log2(max(rows, 1) / 80)), 16), 256)
    steps_an_epoch = math.ceil(rows / batch)
    steps = 4000 if task == "regression" else 1500
    epochs = epochs or min(max(round(steps / steps_an_epoch), 12), 40)
    ramps = min(24, 1024 // max(numeric_columns, 1)) if rows >= 1500 else 0
    decay = 2.0 * min(1.0, (5000 / rows) ** (1 / 3))
    return Recipe(
        ramps=ramps if ramps >= 4 else 0,
        units=(192, 192, 192),
        dropout=0.0 if task == "regression" else 0.2,
        learning_rate=_PEAK,
        weight_decay=decay / (_MEAN_OF_ONE_CYCLE * _PEAK * epochs * steps_an_epoch),
        batch_size=batch,
        epochs=epochs,
        patience=max(10, epochs // 2),
    )


def loss_of(target: Target) -> str:
    """Return the name of the loss that fits the target.

    Examples
    --------
    >>> loss_of(Target("cut", "classification", ("Good", "Ideal")))
    'binary_crossentropy'
    """
    if target.task == "regression":
        return "mean_squared_error"
    return "binary_crossentropy" if len(target.classes) == 2 else "categorical_crossentropy"


def _output(target: Target) -> Dense:
    if target.task == "regression":
        return Dense(1)
    if len(target.classes) == 2:
        return Dense(1, activation="sigmoid")
    return Dense(len(target.classes), activation="softmax")
