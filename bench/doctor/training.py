"""A training as a beginner would write it down, and what came of it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

import lamina as lm
from doctor.task import Task


@dataclass(frozen=True)
class Training:
    """What is to be trained, and how; what is not given is what a careful user would take.

    `layers` are those between input and output; without them, Dense layers of `hidden` units with
    `activation` and the arguments `dense`. `patience`: stop early with the best weights.
    """

    task: Task
    seed: int
    hidden: Sequence[int] = (48, 48)
    activation: str = "relu"
    dense: Mapping[str, Any] = field(default_factory=dict)
    layers: Sequence[Any] | None = None
    output: Mapping[str, Any] = field(default_factory=dict)
    optimizer: Any = None
    loss: str | Callable[..., Any] | None = None
    epochs: int = 25
    batch_size: int = 32
    patience: int | None = None
    callbacks: Sequence[Any] = ()
    class_weight: Any = None

    def model(self) -> lm.Model:
        """Build the network."""
        task = self.task
        between = self.layers
        if between is None:
            between = [lm.Dense(n, self.activation, **self.dense) for n in self.hidden]
        last: dict[str, Any] = {"activation": "softmax"} if task.classes else {}
        out = lm.Dense(task.classes or 1, **{**last, **self.output})
        layers = [lm.Input(task.columns), *copy.deepcopy(list(between)), out]
        return lm.Model(layers, seed=self.seed)

    def run(self, **settings: Any) -> Trained:
        """Train it."""
        model = self.model()
        task = self.task
        trainer = lm.Trainer(
            model,
            loss=self.loss or ("cce" if task.classes else "mse"),
            optimizer=self.optimizer or lm.Adam(2e-3),
            num_threads=1,
        )
        hooks = list(self.callbacks)
        if self.patience is not None:
            hooks.append(lm.EarlyStopping(patience=self.patience))
        trainer.fit(
            task.x,
            task.y,
            epochs=self.epochs,
            batch_size=self.batch_size,
            validation_data=task.validation,
            class_weight=self.class_weight,
            callbacks=hooks,
            verbose=0,
            **settings,
        )
        return Trained(self, model, trainer)


@dataclass(frozen=True)
class Trained:
    """A finished training."""

    training: Training
    model: lm.Model
    trainer: lm.Trainer

    @property
    def task(self) -> Task:
        """The data, as the entry has left them."""
        return self.training.task

    @property
    def history(self) -> lm.History:
        """Its epochs."""
        return self.trainer.history

    @cached_property
    def score(self) -> float:
        """What the model is wrong by, on validation rows: see :meth:`error`."""
        return self.error(*self.task.validation)

    def error(self, x: Any, y: Any) -> float:
        """Return the cross-entropy of classes, or the squared error in shares of the variance.

        By NumPy from the predictions, so that it does not depend on the loss that was trained on;
        of numbers in shares of the target's own variance, so that units do not matter.
        """
        predicted = np.asarray(self.model.predict(x, num_threads=1), np.float64)
        if not np.isfinite(predicted).all():
            return np.inf
        if self.task.classes:
            right = predicted[np.arange(len(y)), np.asarray(y, np.int64)]
            return float(-np.log(np.clip(right, 1e-7, 1.0)).mean())
        variance = np.asarray(self.task.y, np.float64).var()
        return float(np.square(predicted - np.asarray(y, np.float64)).mean() / variance)


def plain(task: Task, seed: int) -> Training:
    """What a careful user begins with: two layers, Adam, early stopping with the best weights."""
    return Training(task, seed, epochs=40, patience=5)
