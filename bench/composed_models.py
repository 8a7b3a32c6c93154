"""The architectures that composed.py compares: each takes a problem and makes a model of it.

Everything a table needs lies in the model: blanks are filled, numbers scaled, codes looked up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from composed_data import Problem

import lamina as lm
from lamina.layers.base import Layer, Node


@dataclass(frozen=True)
class Budget:
    """What all architectures of one problem share; chosen for the plain one, by validation."""

    width: int
    dropout: float
    epochs: int
    learning_rate: float  # the highest of the one-cycle schedule
    weight_decay: float
    scale: type[Layer]  # of the numbers: by mean and deviation, or by median and quartiles


BUDGETS = {
    "adult": Budget(128, 0.2, 12, 3e-3, 0.2, lm.Normalization),
    "diamonds": Budget(128, 0.0, 30, 6e-3, 0.02, lm.RobustScale),
    "Fashion-MNIST": Budget(256, 0.2, 10, 3e-3, 0.02, lm.Normalization),
}


class Architecture:
    """A model of a problem: what it reads, what stands between, what it answers."""

    def __init__(self, problem: Problem, budget: Budget) -> None:
        self.problem, self.budget = problem, budget
        self.given: dict[lm.Dense, Any] = {}  # kernels that are not learned
        self.inputs: list[Layer] = [lm.Input(problem.columns, name="numbers")]
        if problem.cardinalities:
            columns, sizes = len(problem.cardinalities), problem.cardinalities
            self.inputs.append(lm.Input(columns, kind="codes", cardinalities=sizes, name="codes"))

    def numbers(self) -> Node:
        """The numbers, blanks filled and pointed out, all of one scale."""
        x = self.inputs[0]
        if self.problem.cardinalities:
            x = lm.Impute(indicator=True)(x)
        return self.budget.scale()(x)

    def features(self, categories: Layer) -> Node:
        """All that is known of a row, side by side."""
        numbers = self.numbers()
        if not self.problem.cardinalities:
            return numbers
        return lm.Concatenate()([numbers, categories(self.inputs[1])])

    def coarse(self) -> Node:
        """The means of squares of 4 × 4 of the 28 × 28 pixels: a product that is never trained."""
        squares = np.kron(np.eye(7), np.full((4, 1), 0.25))
        pool = lm.Dense(49, use_bias=False, trainable=False, name="coarse")
        self.given[pool] = np.einsum("ij,kl->ikjl", squares, squares).reshape(784, 49)
        return pool(self.numbers())

    def dense(self, x: Node, layers: int) -> Node:
        """Dense layers with dropout, one behind the other."""
        for _ in range(layers):
            x = lm.Dense(self.budget.width, activation="relu")(x)
            x = lm.Dropout(self.budget.dropout)(x)
        return x

    def model(self, x: Node, seed: int) -> lm.Model:
        """The model that answers from x."""
        classes = self.problem.classes
        last = {0: "linear", 2: "sigmoid"}.get(classes, "softmax")
        answer = lm.Dense(classes if classes > 2 else 1, activation=last, name="answer")
        model = lm.Model(inputs=self.inputs, outputs=answer(x), seed=seed)
        for layer, kernel in self.given.items():
            layer.kernel[:] = kernel
        if not classes:
            answer.bias[:] = np.mean(self.problem.train.y)  # so that training begins near by
        return model


def plain(made: Architecture) -> Any:
    """Three dense layers; categories one-hot."""
    return made.dense(made.features(lm.OneHot()), 3)


def normalized(made: Architecture) -> Any:
    """The plain one with batch normalisation before each activation."""
    x = made.features(lm.OneHot())
    for _ in range(3):
        x = lm.Dense(made.budget.width, use_bias=False)(x)
        x = lm.Activation("relu")(lm.BatchNormalization()(x))
        x = lm.Dropout(made.budget.dropout)(x)
    return x


def residual(made: Architecture) -> Any:
    """As ResNet of arXiv 2106.11959: two blocks that normalise first and add to what they read."""
    width = made.budget.width
    x = lm.Dense(width)(made.features(lm.OneHot()))
    for _ in range(2):
        block = [
            lm.BatchNormalization(),
            lm.Dense(width, activation="relu"),
            lm.Dropout(made.budget.dropout),
            lm.Dense(width),
        ]
        x = lm.Residual(block)(x)
    return lm.Activation("relu")(lm.BatchNormalization()(x))


def two_branches(made: Architecture) -> Any:
    """Numbers and categories each on their own first; of a picture the whole and a coarse one."""
    if made.problem.cardinalities:
        second = made.dense(lm.OneHot()(made.inputs[1]), 1)
    else:
        second = made.dense(made.coarse(), 1)
    return made.dense(lm.Concatenate()([made.dense(made.numbers(), 2), second]), 1)


def embeddings(made: Architecture) -> Any:
    """The plain one with a learned vector for each category, which begins small."""
    table = lm.Embedding("auto", name="categories")
    return made.dense(made.features(table), 3)


ARCHITECTURES: dict[str, Callable[[Architecture], Any]] = {
    "plain": plain,
    "normalized": normalized,
    "residual": residual,
    "two branches": two_branches,
    "embeddings": embeddings,
}


def fits(name: str, problem: Problem) -> bool:
    """Whether the problem has what the architecture is about."""
    return name != "embeddings" or bool(problem.cardinalities)
