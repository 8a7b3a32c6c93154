"""Lamina through its public API, as a user would call it."""

from __future__ import annotations

import numpy as np
from cases import LEARNING_RATE, Array, Case, Data

import lamina as lm


class Lamina:
    """One `fit` of one epoch a call; a trainer goes on where it stopped."""

    version = lm.__version__

    def __init__(self, case: Case, data: Data, threads: int) -> None:
        *hidden, outputs = case.widths[1:]
        last = "softmax" if case.classes else "linear"
        self.case, self.data, self.threads = case, data, threads
        self.model = lm.Model(
            [
                lm.Input(case.widths[0]),
                *[lm.Dense(units, activation="relu") for units in hidden],
                lm.Dense(outputs, activation=last),
            ],
            seed=0,
        )
        self.trainer = lm.Trainer(
            self.model,
            loss="categorical_crossentropy" if case.classes else "mean_squared_error",
            optimizer=lm.Adam(learning_rate=LEARNING_RATE),
            num_threads=threads,
        )

    def epoch(self) -> None:
        self.trainer.fit(
            self.data.x, self.data.y, epochs=1, batch_size=self.case.batch_size, verbose=0
        )

    def predict(self, x: Array) -> Array:
        return np.asarray(self.model.predict(x, num_threads=self.threads))


class LaminaFrozen(Lamina):
    """The model as a Predictor; a single row goes in by predict_one, and gets its axis back."""

    def __init__(self, case: Case, data: Data, threads: int) -> None:
        super().__init__(case, data, threads)
        self.predictor = self.model.freeze_for_inference()

    def predict(self, x: Array) -> Array:
        if len(x) == 1:
            return np.asarray(self.predictor.predict_one(x[0])[np.newaxis])
        return np.asarray(self.predictor.predict(x, num_threads=self.threads))
