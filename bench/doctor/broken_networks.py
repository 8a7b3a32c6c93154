"""Broken by the network: too little of it, too much of it, or signals that die or explode in it."""

from __future__ import annotations

import numpy as np

import lamina as lm
from doctor.changes import blurred
from doctor.entry import broken
from doctor.proofs import by_heart, dead, exploding, saturated, vanishing, worse
from doctor.task import Task
from doctor.training import Training

START = lm.initializers
FOUR = ("digits", "diamonds", "blobs", "friedman")

# ---- too little


@broken("UNDERFIT", ("rings", "friedman", "waves"), worse())
def linear(task: Task, seed: int) -> Training:
    """No hidden layer at all, for what no straight line can part or follow."""
    return Training(task, seed, hidden=(), epochs=60, patience=8, optimizer=lm.Adam(1e-2))


@broken("UNDERFIT", ("digits", "blobs", "friedman"), worse())
def one_unit(task: Task, seed: int) -> Training:
    """One hidden unit: all that the network knows of a row is one number."""
    rate = lm.Adam(1e-2)
    return Training(task, seed, (1,), "tanh", epochs=60, patience=8, optimizer=rate)


@broken("UNDERFIT", ("digits", "blobs", "waves"), worse())
def strong_l2(task: Task, seed: int) -> Training:
    """An L2 penalty of 0.03: small weights are worth more than a good fit."""
    penalty = {"kernel_regularizer": lm.L2(0.03)}
    return Training(task, seed, dense=penalty, output=penalty, epochs=40, patience=8)


@broken("UNDERFIT", ("digits", "blobs", "friedman"), worse())
def nine_tenths_dropped(task: Task, seed: int) -> Training:
    """Dropout of 0.9 in a small network: two or three units are left to learn with."""
    layers = [lm.Dense(24, activation="tanh"), lm.Dropout(0.9)]
    return Training(task, seed, layers=layers, epochs=60, patience=10, optimizer=lm.Adam(5e-3))


@broken("UNDERFIT", ("digits", "blobs", "rings"), worse())
def short_leash(task: Task, seed: int) -> Training:
    """No unit's weights may be longer than 0.4."""
    leash = {"kernel_constraint": lm.constraints.MaxNorm(0.4)}
    return Training(task, seed, dense=leash, output=leash, epochs=40, patience=8)


@broken("UNDERFIT", ("digits", "blobs"), worse())
def bottleneck(task: Task, seed: int) -> Training:
    """Wide layers, and one of a single unit between them."""
    layers = [lm.Dense(units, activation="tanh") for units in (48, 1, 48)]
    rate = lm.Adam(1e-2)
    return Training(task, seed, layers=layers, epochs=60, patience=10, optimizer=rate)


# ---- too much


@broken("OVERFIT", ("digits", "blobs"), by_heart)
def few_rows(task: Task, seed: int) -> Training:
    """A wide network learns 120 rows by heart, in which the classes overlap."""
    rows = blurred(task, 0.7, seed).rows(120)
    return Training(rows, seed, (192, 192), epochs=150)


@broken("OVERFIT", ("digits", "blobs"), by_heart)
def wrong_labels(task: Task, seed: int) -> Training:
    """Three labels in ten are wrong, and the network has time to learn each of them."""
    rng = np.random.default_rng([seed, 1])
    wrong = rng.random(len(task.y)) < 0.3
    y = np.where(wrong, rng.integers(0, task.classes, len(task.y)), task.y)
    return Training(task.but(y=y), seed, (128, 128), epochs=60)


@broken("OVERFIT", ("diamonds", "friedman"), by_heart)
def noisy_target(task: Task, seed: int) -> Training:
    """More than half of the target is noise, and 150 epochs are enough to learn that by heart."""
    rng = np.random.default_rng([seed, 2])
    y, held_out = (one + rng.normal(0.0, 1.3, one.shape) for one in (task.y, task.validation_y))
    noisy = task.but(y=y.astype(np.float32), validation_y=held_out.astype(np.float32))
    return Training(noisy.rows(250), seed, (192, 192), epochs=150)


@broken("OVERFIT", ("blobs", "rings"), by_heart)
def columns_of_noise(task: Task, seed: int) -> Training:
    """400 rows, and of five columns four that say nothing: some of them fit by chance."""
    rng = np.random.default_rng([seed, 3])
    x, held_out = (
        np.concatenate([one, rng.normal(size=(len(one), 4 * task.columns))], axis=1)
        for one in (task.x, task.validation_x)
    )
    data = task.with_inputs(x, held_out).rows(400)
    return Training(data, seed, (128, 128), epochs=120)


@broken("OVERFIT", ("blobs", "rings"), by_heart)
def more_features_than_rows(task: Task, seed: int) -> Training:
    """A linear model on 500 random waves of the inputs, and 200 rows."""
    rng = np.random.default_rng([seed, 4])
    directions = rng.normal(0.0, 2.0 / np.sqrt(task.columns), (task.columns, 500))
    shift = rng.uniform(0.0, 2 * np.pi, 500)
    rows = blurred(task, 0.8, seed)
    x, held_out = (np.cos(one @ directions + shift) for one in (rows.x, rows.validation_x))
    few = task.with_inputs(x, held_out).rows(200)
    return Training(few, seed, hidden=(), epochs=300, optimizer=lm.Adam(1e-2))


@broken("OVERFIT", ("digits", "blobs"), by_heart)
def far_too_long(task: Task, seed: int) -> Training:
    """300 rows with some overlap, three layers, and 150 epochs where 10 are enough."""
    return Training(blurred(task, 0.4, seed).rows(300), seed, (96,) * 3, epochs=150)


# ---- units that are dead


@broken("DEAD_UNITS", FOUR, dead)
def low_bias(task: Task, seed: int) -> Training:
    """ReLUs whose biases start at -6, which hardly any row comes above."""
    return Training(task, seed, dense={"bias_initializer": START.Constant(-6.0)}, patience=6)


@broken("DEAD_UNITS", FOUR, dead)
def negative_start(task: Task, seed: int) -> Training:
    """Inputs from 0 to 1, and initial weights that are nearly all below 0."""
    low = task.x.min(axis=0)
    width = np.ptp(task.x, axis=0)
    from_0 = task.with_inputs((task.x - low) / width, (task.validation_x - low) / width)
    start = START.RandomUniform(-0.3, 0.01)
    return Training(from_0, seed, dense={"kernel_initializer": start}, patience=6)


@broken("DEAD_UNITS", FOUR, dead)
def only_positive_weights(task: Task, seed: int) -> Training:
    """Weights held at 0 or above, and inputs between -1 and 0, as logarithms of shares are."""
    high, width = task.x.max(axis=0), np.ptp(task.x, axis=0)
    below_0 = task.with_inputs((task.x - high) / width, (task.validation_x - high) / width)
    positive = {"kernel_constraint": lm.constraints.NonNeg()}
    return Training(below_0, seed, dense=positive, patience=6)


@broken("DEAD_UNITS", ("digits", "blobs", "rings", "waves"), dead)
def second_layer(task: Task, seed: int) -> Training:
    """The first of three layers is fine; the second has biases far below what it is given."""
    layers = [
        lm.Dense(48, activation="relu"),
        lm.Dense(48, activation="relu", bias_initializer=START.Constant(-8.0)),
        lm.Dense(48, activation="relu"),
    ]
    return Training(task, seed, layers=layers, patience=6)


# ---- units at their bounds


@broken("SATURATED_UNITS", FOUR, saturated)
def wide_start(task: Task, seed: int) -> Training:
    """tanh units whose weights start at 8 instead of well below 1."""
    start = {"kernel_initializer": START.RandomNormal(stddev=8.0)}
    return Training(task, seed, activation="tanh", dense=start, patience=6)


@broken("SATURATED_UNITS", FOUR, saturated)
def high_bias(task: Task, seed: int) -> Training:
    """Sigmoids whose biases start at 10: they give 1 for every row."""
    start = {"bias_initializer": START.Constant(10.0)}
    return Training(task, seed, activation="sigmoid", dense=start, patience=6)


@broken("SATURATED_UNITS", ("digits", "blobs", "rings", "friedman"), saturated)
def scale_between(task: Task, seed: int) -> Training:
    """What stands before the tanh is multiplied by 40, as when a division was forgotten."""
    times = lm.Scale(initializer=START.Constant(40.0), trainable=False)
    layers = [
        lm.Dense(48, activation="relu"),
        times,
        lm.Dense(48, activation="tanh"),
    ]
    return Training(task, seed, layers=layers, patience=6)


@broken("SATURATED_UNITS", ("digits", "blobs", "friedman"), saturated)
def hard_sigmoids(task: Task, seed: int) -> Training:
    """Hard sigmoids with a start of 8: beyond their corners they are flat, the gradient is 0."""
    start = {"kernel_initializer": START.RandomNormal(stddev=8.0)}
    return Training(task, seed, activation="hard_sigmoid", dense=start, patience=6)


# ---- gradients that fade on their way


@broken("VANISHING_GRADIENT", ("digits", "blobs", "rings", "friedman", "waves"), vanishing)
def deep_sigmoids(task: Task, seed: int) -> Training:
    """Eight layers of sigmoids: each takes three quarters of the gradient or more."""
    return Training(task, seed, (24,) * 8, "sigmoid", patience=10)


@broken("VANISHING_GRADIENT", ("digits", "blobs", "rings", "waves"), vanishing)
def small_start(task: Task, seed: int) -> Training:
    """Eight layers of ELUs with weights that start at 0.02, a tenth of what they should be."""
    start = {"kernel_initializer": START.RandomNormal(stddev=0.02)}
    return Training(task, seed, (32,) * 8, "elu", dense=start, patience=10)


@broken("VANISHING_GRADIENT", ("digits", "blobs", "rings", "waves"), vanishing)
def zero_start(task: Task, seed: int) -> Training:
    """All weights start at 0, so that no gradient at all comes through to the first layers."""
    zeros = {"kernel_initializer": START.Zeros()}
    return Training(task, seed, activation="tanh", dense=zeros, output=zeros, patience=10)


@broken("VANISHING_GRADIENT", FOUR, vanishing)
def scaled_down(task: Task, seed: int) -> Training:
    """Between five layers of tanh everything is multiplied by 0.02."""
    layers = []
    for _ in range(5):
        layers.append(lm.Dense(32, activation="tanh"))
        layers.append(lm.Scale(initializer=START.Constant(0.02), trainable=False))
    return Training(task, seed, layers=layers, patience=10)


@broken("VANISHING_GRADIENT", ("digits", "rings", "friedman", "waves"), vanishing)
def small_orthogonal(task: Task, seed: int) -> Training:
    """Ten layers of tanh that start orthogonal, but with a gain of 0.1."""
    start = {"kernel_initializer": START.Orthogonal(0.1)}
    return Training(task, seed, (24,) * 10, "tanh", dense=start, patience=10)


# ---- gradients that grow on their way


@broken("EXPLODING_GRADIENT", FOUR, exploding)
def large_start(task: Task, seed: int) -> Training:
    """Eight layers of ReLUs that start at 1: each makes the signal about four times larger."""
    start = {"kernel_initializer": START.RandomNormal(stddev=1.0)}
    return Training(task, seed, (32,) * 8, dense=start, patience=10)


@broken("EXPLODING_GRADIENT", FOUR, exploding)
def scaled_up(task: Task, seed: int) -> Training:
    """Between four layers everything is multiplied by 10."""
    layers = []
    for _ in range(4):
        layers.append(lm.Dense(32, activation="relu"))
        layers.append(lm.Scale(initializer=START.Constant(10.0), trainable=False))
    return Training(task, seed, layers=layers, patience=10)


@broken("EXPLODING_GRADIENT", ("blobs", "friedman", "waves"), exploding)
def many_residuals(task: Task, seed: int) -> Training:
    """Sixteen residual blocks with nothing that normalises: the sum doubles in each."""
    layers = [lm.Dense(16, activation="relu")]
    for _ in range(16):
        layers.append(lm.Residual([lm.Dense(16, "relu"), lm.Dense(16)]))
    return Training(task, seed, layers=layers, patience=10)


@broken("EXPLODING_GRADIENT", ("diamonds", "rings", "friedman", "waves"), exploding)
def large_orthogonal(task: Task, seed: int) -> Training:
    """Six layers of ELUs that start orthogonal, with a gain of 5 (trained by SGD)."""
    start = {"kernel_initializer": START.Orthogonal(5.0)}
    return Training(task, seed, (32,) * 6, "elu", dense=start, optimizer=lm.SGD(0.01))
