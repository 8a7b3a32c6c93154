"""Lamina through its public API, as a user would call it."""

from __future__ import annotations

import numpy as np
from cases import LEARNING_RATE, Array, Case, Data, Weights

import lamina as lm


def network(case: Case) -> lm.Model:
    """The case's network with the weights that Lamina draws: every contestant begins with them."""
    *hidden, outputs = case.widths[1:]
    last = "softmax" if case.classes else "linear"
    return lm.Model(
        [
            lm.Input(case.widths[0]),
            *[lm.Dense(units, activation="relu") for units in hidden],
            lm.Dense(outputs, activation=last),
        ],
        seed=0,
    )


class Lamina:
    """One `fit` of one epoch a call; a trainer goes on where it stopped."""

    version = lm.__version__

    def __init__(self, case: Case, data: Data, start: Weights, threads: int) -> None:
        self.case, self.data, self.threads = case, data, threads
        self.model = network(case)
        for layer, (kernel, bias) in zip(self.model.layers, start, strict=True):
            layer.kernel[:], layer.bias[:] = kernel, bias
        self.trainer = lm.Trainer(
            self.model,
            loss="categorical_crossentropy" if case.classes else "mean_squared_error",
            optimizer=lm.Adam(learning_rate=LEARNING_RATE),
            num_threads=threads,
        )

    def epoch(self, shuffle: bool = True) -> None:
        how = {"epochs": 1, "batch_size": self.case.batch_size, "shuffle": shuffle, "verbose": 0}
        self.trainer.fit(self.data.x, self.data.y, **how)

    def predict(self, x: Array) -> Array:
        return np.asarray(self.model.predict(x, num_threads=self.threads))


class LaminaFrozen(Lamina):
    """The model as a Predictor; a single row goes in by predict_one, and gets its axis back."""

    def __init__(self, case: Case, data: Data, start: Weights, threads: int) -> None:
        super().__init__(case, data, start, threads)
        self.predictor = self.model.freeze_for_inference()

    def predict(self, x: Array) -> Array:
        if len(x) == 1:
            return np.asarray(self.predictor.predict_one(x[0])[np.newaxis])
        return np.asarray(self.predictor.predict(x, num_threads=self.threads))
