"""Keras: `compile` and `fit`, on the backend that KERAS_BACKEND names (JAX if it names none)."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from cases import LEARNING_RATE, Array, Case, Data, Weights

from peers.affinity import limit_threads

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import keras

EPSILON = 5e-10  # beside the uncorrected root, a twentieth in early steps: the others' 1e-8


class Keras:
    """One `fit` of one epoch a call."""

    version = f"{keras.__version__} on {keras.backend.backend()}"

    def __init__(self, case: Case, data: Data, start: Weights, threads: int) -> None:
        limit_threads(threads)
        self.case, self.data = case, data
        *hidden, outputs = case.widths[1:]
        last = "softmax" if case.classes else "linear"
        layers: list[Any] = [keras.Input((case.widths[0],))]
        layers += [keras.layers.Dense(units, activation="relu") for units in hidden]
        self.network = keras.Sequential([*layers, keras.layers.Dense(outputs, activation=last)])
        self.network.set_weights([array for pair in start for array in pair])
        self.network.compile(
            optimizer=keras.optimizers.Adam(LEARNING_RATE, epsilon=EPSILON),
            loss="sparse_categorical_crossentropy" if case.classes else "mse",
        )

    def epoch(self, shuffle: bool = True) -> None:
        how = {"epochs": 1, "batch_size": self.case.batch_size, "shuffle": shuffle, "verbose": 0}
        self.network.fit(self.data.x, self.data.y, **how)

    def predict(self, x: Array) -> Array:
        return np.asarray(self.network.predict(x, batch_size=len(x), verbose=0))
