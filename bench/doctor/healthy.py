"""Healthy trainings: every habit that is unusual and right, where a doctor should keep quiet."""

from __future__ import annotations

import numpy as np

import lamina as lm
from doctor.changes import both, rare, rescaled
from doctor.entry import healthy
from doctor.proofs import rare_found, well
from doctor.task import Task
from doctor.training import Training, plain

ALL = ("digits", "diamonds", "blobs", "rings", "friedman", "waves")
FOUR = ("digits", "diamonds", "blobs", "friedman")
NUMERIC = ("diamonds", "friedman", "waves")


@healthy(ALL, well())
def usual(task: Task, seed: int) -> Training:
    """Two layers, Adam, early stopping with the best weights."""
    return plain(task, seed)


@healthy(("rings", "diamonds", "waves", "friedman"), well(1.35))
def fixed_epochs(task: Task, seed: int) -> Training:
    """No early stopping: a small penalty, and a number of epochs after which it has converged."""
    penalty = {"kernel_regularizer": lm.L2(1e-3)}
    return Training(task, seed, dense=penalty, output=penalty, epochs=40, optimizer=lm.Adam(1e-3))


@healthy(FOUR, well(1.35))
def dropout(task: Task, seed: int) -> Training:
    """Dropout of 0.5 in a wide network: the training loss is above the validation loss."""
    layers = [lm.Dense(256, activation="relu"), lm.Dropout(0.5), lm.Dense(64, activation="relu")]
    return Training(task, seed, layers=layers, epochs=60, patience=10)


@healthy(("digits", "blobs", "rings", "diamonds"), well())
def tiny_data(task: Task, seed: int) -> Training:
    """150 rows, a small network, a small penalty, early stopping: as much as can be had of them."""
    few = task.rows(150).but(
        validation_x=task.validation_x[:150], validation_y=task.validation_y[:150]
    )
    penalty = {"kernel_regularizer": lm.L2(1e-3)}
    return Training(few, seed, (32, 32), dense=penalty, epochs=120, batch_size=16, patience=15)


@healthy(("digits", "blobs", "rings"), well())
def noisy_labels(task: Task, seed: int) -> Training:
    """One label in five is wrong, in validation rows, too; training stops when it is time."""
    rng = np.random.default_rng([seed, 1])

    def changed(y: np.ndarray) -> np.ndarray:
        wrong = rng.random(len(y)) < 0.2
        return np.where(wrong, rng.integers(0, task.classes, len(y)), y)

    noisy = task.but(y=changed(task.y), validation_y=changed(task.validation_y))
    return Training(noisy, seed, epochs=40, patience=5)


@healthy(("blobs", "rings"), rare_found)
def imbalanced_but_learnt(task: Task, seed: int) -> Training:
    """One class has a fifth of the rows of the others, and is found all the same."""
    count = len(task.y) // task.classes // 5
    return plain(rare(task, 1, count), seed)


@healthy(("blobs", "rings", "digits"), rare_found)
def imbalanced_and_weighed(task: Task, seed: int) -> Training:
    """One class has a tenth of the rows of the others, and class_weight="balanced"."""
    count = len(task.y) // task.classes // 10
    return Training(rare(task, 1, count), seed, epochs=40, patience=8, class_weight="balanced")


@healthy(FOUR, well())
def batch_normalization(task: Task, seed: int) -> Training:
    """BatchNormalization after each layer."""
    layers = []
    for _ in range(2):
        layers += [lm.Dense(48, activation="relu"), lm.BatchNormalization(momentum=0.9)]
    return Training(task, seed, layers=layers, epochs=40, patience=8)


@healthy(ALL, well())
def l2(task: Task, seed: int) -> Training:
    """A small L2 penalty."""
    return Training(task, seed, dense={"kernel_regularizer": lm.L2(1e-4)}, epochs=40, patience=6)


@healthy(("digits", "diamonds", "rings", "friedman", "waves"), well(1.35))
def one_cycle(task: Task, seed: int) -> Training:
    """OneCycle up to 0.01: large steps in the middle, very small ones at the end."""
    return Training(task, seed, epochs=16, optimizer=lm.Adam(lm.OneCycle(0.01)))


@healthy(("digits", "diamonds", "waves"), well())
def cosine(task: Task, seed: int) -> Training:
    """A rate that falls to 0 along a cosine: the loss stands still at the end because it may."""
    return Training(task, seed, epochs=25, optimizer=lm.Adam(lm.schedules.Cosine(5e-3)))


@healthy(("rings", "diamonds", "waves"), well(1.35))
def small_suffices(task: Task, seed: int) -> Training:
    """Twelve units, and no more are needed."""
    return Training(task, seed, (12, 12), "tanh", epochs=80, patience=8, optimizer=lm.Adam(5e-3))


@healthy(ALL, well())
def sgd_momentum(task: Task, seed: int) -> Training:
    """SGD with momentum at a good rate."""
    return Training(task, seed, epochs=50, patience=8, optimizer=lm.Momentum(0.02, 0.9))


@healthy(ALL, well())
def tanh(task: Task, seed: int) -> Training:
    """tanh units, some of which come near their bounds for some rows."""
    return Training(task, seed, activation="tanh", epochs=50, patience=8, optimizer=lm.Adam(4e-3))


@healthy(FOUR, well(1.4))
def residual(task: Task, seed: int) -> Training:
    """Three residual blocks with LayerNormalization."""
    layers = [lm.Dense(48)]
    for _ in range(3):
        block = [lm.LayerNormalization(), lm.Dense(48, activation="relu"), lm.Dense(48)]
        layers.append(lm.Residual(block))
    return Training(task, seed, layers=layers, epochs=30, patience=6)


@healthy(("digits", "diamonds", "rings"), well(1.35))
def few_epochs(task: Task, seed: int) -> Training:
    """Six epochs of small batches: few, but they are enough."""
    rate = lm.Adam(lm.schedules.Linear(6e-3))
    return Training(task, seed, (96, 96), epochs=7, batch_size=8, optimizer=rate)


@healthy(NUMERIC, well())
def noise_floor(task: Task, seed: int) -> Training:
    """A third of the target's variance is noise: no model comes below that."""
    rng = np.random.default_rng([seed, 2])
    y, held_out = (
        (one + rng.normal(0.0, 0.7, one.shape)).astype(np.float32)
        for one in (task.y, task.validation_y)
    )
    return Training(task.but(y=y, validation_y=held_out), seed, (32, 32), epochs=40, patience=6)


@healthy(("digits", "diamonds", "blobs"), well())
def wide(task: Task, seed: int) -> Training:
    """512 units, many of them idle, with AdamW and early stopping."""
    return Training(task, seed, (512,), optimizer=lm.AdamW(1e-3), epochs=30, patience=5)


@healthy(("digits", "diamonds", "rings", "waves"), well(1.4))
def deep(task: Task, seed: int) -> Training:
    """Six layers of ReLUs that start as He and others taught us, and a small penalty."""
    penalty = {"kernel_regularizer": lm.L2(1e-3)}
    return Training(task, seed, (48,) * 6, dense=penalty, epochs=50, patience=10)


@healthy(("digits", "friedman", "waves", "blobs"), well())
def gelu_and_large_batches(task: Task, seed: int) -> Training:
    """gelu, batches of 256 rows and a rate that goes with them."""
    return Training(
        task,
        seed,
        (64, 64),
        "gelu",
        epochs=60,
        batch_size=256,
        patience=8,
        optimizer=lm.Adam(8e-3),
    )


@healthy(("diamonds", "blobs", "friedman", "waves"), well(untouched=True))
def scaled_by_a_layer(task: Task, seed: int) -> Training:
    """The columns as in the file, and Normalization as the first layer, which scales them."""
    raw = both(task, lambda x: x * task.unit + task.offset)
    first = lm.Normalization(task.offset, np.square(task.unit))
    layers = [first, lm.Dense(48, activation="relu"), lm.Dense(48, activation="relu")]
    return Training(raw, seed, layers=layers, epochs=40, patience=5)


@healthy(("diamonds", "friedman", "waves"), well())
def robust_loss(task: Task, seed: int) -> Training:
    """Huber's loss, because one target in fifty is wrong by a lot."""
    rng = np.random.default_rng([seed, 3])
    off = (rng.random(task.y.shape) < 0.02) * rng.normal(0.0, 5.0, task.y.shape)
    data = task.but(y=(task.y + off).astype(np.float32))
    return Training(data, seed, loss=lm.losses.Huber(0.5), epochs=40, patience=6)


@healthy(("digits", "waves"), well())
def long_and_level(task: Task, seed: int) -> Training:
    """Long after it has converged it is still as good: a level curve is no trouble in itself."""
    penalty = {"kernel_regularizer": lm.L2(3e-4)}
    rate = lm.Adam(lm.schedules.Cosine(3e-3))
    return Training(task, seed, dense=penalty, epochs=80, optimizer=rate)


@healthy(("digits", "friedman", "waves", "diamonds"), well())
def rate_falls_on_plateaus(task: Task, seed: int) -> Training:
    """ReduceLROnPlateau: at the end the rate is tiny, and rightly so."""
    fall = lm.ReduceLROnPlateau(factor=0.3, patience=3)
    return Training(task, seed, epochs=45, optimizer=lm.Adam(5e-3), callbacks=[fall], patience=12)


@healthy(("diamonds", "friedman"), well())
def few_validation_rows(task: Task, seed: int) -> Training:
    """60 validation rows: they differ from the training rows by chance alone."""
    few = task.but(validation_x=task.validation_x[:60], validation_y=task.validation_y[:60])
    return Training(few, seed, epochs=40, patience=8)


@healthy(("diamonds", "friedman", "waves"), well(untouched=True))
def not_quite_standard(task: Task, seed: int) -> Training:
    """Columns between 0 and 1 instead of standard scores, and a target of some units."""
    low, width = task.x.min(axis=0), np.ptp(task.x, axis=0)
    data = rescaled(both(task, lambda x: (x - low) / width), 2.0, 3.0)
    return Training(data, seed, epochs=60, patience=8, optimizer=lm.Adam(5e-3))


@healthy(("digits", "diamonds", "blobs"), well())
def columns_of_zeros(task: Task, seed: int) -> Training:
    """Corners of pictures that are always black, categories that never come: 0 does no harm."""
    return plain(both(task, lambda x: np.append(x, np.zeros((len(x), 4)), axis=1)), seed)
