"""One training as an ordinary user of each library writes it, scored after every epoch.

`python accuracy_ways.py TASK.npz LIBRARY SEED THREADS` prints its record as JSON: each training is
a process of its own, in which no other library is. A way calls `recorder.done(score)` at the end of
an epoch and stops when that is true. Nothing here is tuned: that is training.py's business.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from cases import Array


@dataclass(frozen=True)
class Task:
    """A data set cut in two, and the network and settings that all train."""

    name: str
    x: Array
    y: Array
    validation_x: Array
    validation_y: Array
    hidden: tuple[int, ...]
    classes: int  # 0: a number
    batch_size: int
    learning_rate: float
    most_epochs: int
    target: float  # accuracy at least, or RMSE at most

    @property
    def network(self) -> str:
        return "-".join(map(str, (self.x.shape[1], *self.hidden, max(self.classes, 1))))

    def save(self, path: Path) -> None:
        """All fields in one file."""
        np.savez(path, **{one.name: getattr(self, one.name) for one in fields(self)})

    @staticmethod
    def load(path: Path) -> Task:
        with np.load(path) as file:
            found = {name: file[name] for name in file}
        plain = {name: one.tolist() if one.ndim < 1 else one for name, one in found.items()}
        return Task(**{**plain, "hidden": tuple(found["hidden"].tolist())})

    def reached(self, score: float) -> bool:
        return score >= self.target if self.classes else score <= self.target


class Recorder:
    """Seconds and score after each epoch; the clock begins when it is made."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.begun = time.perf_counter()
        self.seconds: list[float] = []
        self.scores: list[float] = []

    def done(self, score: float) -> bool:
        """Note an epoch; whether that was enough."""
        self.seconds.append(time.perf_counter() - self.begun)
        self.scores.append(float(score))
        return self.task.reached(score) or len(self.scores) >= self.task.most_epochs


def train_lamina(task: Task, seed: int, threads: int) -> Recorder:
    import lamina as lm

    class Watch(lm.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if recorder.done(
                logs["val_accuracy" if task.classes else "val_root_mean_squared_error"]
            ):
                self.trainer.stop("reached")

    recorder = Recorder(task)
    last = lm.Dense(max(task.classes, 1), activation="softmax" if task.classes else "linear")
    layers = [lm.Dense(units, activation="relu") for units in task.hidden]
    trainer = lm.Trainer(
        lm.Model([lm.Input(task.x.shape[1]), *layers, last], seed=seed),
        loss="cce" if task.classes else "mse",
        optimizer=lm.Adam(task.learning_rate),
        metrics=["accuracy" if task.classes else "rmse"],
        num_threads=threads,
    )
    trainer.fit(
        task.x,
        task.y,
        epochs=task.most_epochs,
        batch_size=task.batch_size,
        validation_data=(task.validation_x, task.validation_y),
        callbacks=[Watch()],
        verbose=0,
    )
    return recorder


def train_torch(task: Task, seed: int, threads: int) -> Recorder:
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    torch.set_num_threads(threads)
    recorder = Recorder(task)
    torch.manual_seed(seed)
    widths = (task.x.shape[1], *task.hidden)
    layers: list[nn.Module] = []
    for inputs, units in pairwise(widths):
        layers += [nn.Linear(inputs, units), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Linear(widths[-1], max(task.classes, 1)))
    y, held_out = torch.from_numpy(task.y), torch.from_numpy(task.validation_y)
    loss = nn.CrossEntropyLoss() if task.classes else nn.MSELoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=task.learning_rate)
    data = TensorDataset(torch.from_numpy(task.x), y if task.classes else y[:, None])
    loader = DataLoader(data, batch_size=task.batch_size, shuffle=True)
    done = False
    while not done:
        model.train()
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss(model(inputs), targets).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            output = model(torch.from_numpy(task.validation_x))
            if task.classes:
                score = (output.argmax(1) == held_out).float().mean().item()
            else:
                score = ((output[:, 0] - held_out) ** 2).mean().sqrt().item()
        done = recorder.done(score)
    return recorder


def train_keras(task: Task, seed: int, threads: int) -> Recorder:
    from peers.affinity import limit_threads

    limit_threads(threads)
    os.environ.setdefault("KERAS_BACKEND", "jax")
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    import keras

    class Watch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            key = "val_accuracy" if task.classes else "val_root_mean_squared_error"
            self.model.stop_training = recorder.done(logs[key])

    keras.utils.set_random_seed(seed)
    recorder = Recorder(task)
    last = "softmax" if task.classes else "linear"
    model = keras.Sequential(
        [
            keras.Input((task.x.shape[1],)),
            *[keras.layers.Dense(units, activation="relu") for units in task.hidden],
            keras.layers.Dense(max(task.classes, 1), activation=last),
        ]
    )
    rmse = keras.metrics.RootMeanSquaredError
    model.compile(
        optimizer=keras.optimizers.Adam(task.learning_rate),
        loss="sparse_categorical_crossentropy" if task.classes else "mse",
        metrics=["accuracy"] if task.classes else [rmse()],
    )
    model.fit(
        task.x,
        task.y,
        epochs=task.most_epochs,
        batch_size=task.batch_size,
        validation_data=(task.validation_x, task.validation_y),
        callbacks=[Watch()],
        verbose=0,
    )
    return recorder


def train_sklearn(task: Task, seed: int, threads: int) -> Recorder:
    """StandardScaler, then MLPClassifier or MLPRegressor, an epoch a `partial_fit`."""
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    threadpool_limits(threads)
    recorder = Recorder(task)
    scaler = StandardScaler()
    x, held_out = scaler.fit_transform(task.x), scaler.transform(task.validation_x)
    network = (MLPClassifier if task.classes else MLPRegressor)(
        hidden_layer_sizes=task.hidden,
        batch_size=task.batch_size,
        learning_rate_init=task.learning_rate,
        random_state=seed,
    )
    options = {"classes": np.arange(task.classes)} if task.classes else {}
    done = False
    while not done:
        network.partial_fit(x, task.y, **options)
        if task.classes:
            score = network.score(held_out, task.validation_y)
        else:
            score = np.sqrt(np.mean((network.predict(held_out) - task.validation_y) ** 2))
        done = recorder.done(score)
    return recorder


WAYS: dict[str, Callable[[Task, int, int], Recorder]] = {
    "lamina": train_lamina,
    "torch": train_torch,
    "keras": train_keras,
    "sklearn": train_sklearn,
}


def main(file: str, way: str, seed: str, threads: str) -> None:
    """Train and print."""
    task = Task.load(Path(file))
    recorder = WAYS[way](task, int(seed), int(threads))
    record = {
        "seed": int(seed),
        "reached_seconds": recorder.seconds[-1] if task.reached(recorder.scores[-1]) else None,
        "seconds": recorder.seconds,
        "scores": recorder.scores,
    }
    print(json.dumps(record))


if __name__ == "__main__":
    main(*sys.argv[1:])
