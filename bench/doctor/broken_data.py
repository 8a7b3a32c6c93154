"""Broken by the data: their units, their columns, their classes, and which rows validate."""

from __future__ import annotations

from typing import Any

import numpy as np

import lamina as lm
from doctor.changes import blurred, both, cut, pool, rare, rescaled, shuffled, two_classes
from doctor.entry import broken
from doctor.proofs import constant_column, no_better, rare_missed, worse, worse_unscaled
from doctor.task import Task
from doctor.training import Training

FOUR = ("digits", "diamonds", "blobs", "friedman")
TABLES = ("diamonds", "blobs", "friedman", "waves")
NUMERIC = ("diamonds", "friedman", "waves")


def careful(task: Task, seed: int, **settings: Any) -> Training:
    """Return a training with nothing wrong but the data: it stops early with the best weights."""
    return Training(task, seed, **{"epochs": 40, "patience": 6, **settings})


# ---- inputs in their own units


@broken("UNSCALED_INPUT", (*TABLES, "rings"), worse(1.3))
def as_in_the_file(task: Task, seed: int) -> Training:
    """Every column as it stands in the file, in a unit and from a zero of its own."""
    return careful(both(task, lambda x: x * task.unit + task.offset), seed)


@broken("UNSCALED_INPUT", (*TABLES, "rings"), worse(1.3))
def one_in_millimetres(task: Task, seed: int) -> Training:
    """One column was given in millimetres, and so is a thousand times larger than the others."""

    def change(x: Any) -> Any:
        x[:, 0] *= 1000
        return x

    return careful(both(task, change), seed)


@broken("UNSCALED_INPUT", ("rings", "friedman", "waves"), worse(1.3))
def one_in_kilometres(task: Task, seed: int) -> Training:
    """The first column is ten thousand times smaller than the others: nobody hears it."""

    def change(x: Any) -> Any:
        x[:, 0] /= 10_000
        return x

    return careful(both(task, change), seed)


@broken("UNSCALED_INPUT", (*TABLES, "rings"), worse(1.3))
def years(task: Task, seed: int) -> Training:
    """All columns vary by 1 around 2,000, as years do: scaled, perhaps, but not centred."""
    return careful(both(task, lambda x: x + 2000), seed)


@broken("UNSCALED_INPUT", ("digits", "blobs", "friedman", "waves"), worse(1.3))
def bytes_not_gigabytes(task: Task, seed: int) -> Training:
    """Everything is given in a unit ten thousand times too small, and the layers are of tanh."""
    return careful(both(task, lambda x: x * 10_000), seed, activation="tanh")


@broken("UNSCALED_INPUT", ("diamonds", "blobs", "rings", "waves"), worse(1.3))
def raw_with_sgd(task: Task, seed: int) -> Training:
    """Columns a hundred times too large, and SGD with a rate that would be right without that."""
    return careful(both(task, lambda x: x * 100), seed, optimizer=lm.Momentum(0.01, 0.9))


# ---- columns that say nothing


@broken("CONSTANT_INPUT", TABLES, constant_column)
def stuck_sensor(task: Task, seed: int) -> Training:
    """One column keeps what its sensor read last."""
    last = task.x[0, 1]

    def change(x: Any) -> Any:
        x[:, 1] = last
        return x

    return careful(both(task, change), seed)


@broken("CONSTANT_INPUT", TABLES, constant_column)
def column_of_ones(task: Task, seed: int) -> Training:
    """A column of ones was added, as one does for a regression without a bias of its own."""
    return careful(both(task, lambda x: np.append(x, np.ones((len(x), 1)), axis=1)), seed)


@broken("CONSTANT_INPUT", ("blobs", "rings", "diamonds", "waves"), constant_column)
def unknown_everywhere(task: Task, seed: int) -> Training:
    """Three columns that nobody filled in: -1, for unknown, in every row."""
    return careful(both(task, lambda x: np.append(x, np.full((len(x), 3), -1.0), axis=1)), seed)


@broken(
    "CONSTANT_INPUT",
    ("digits", "blobs", "friedman", "waves"),
    constant_column,
    allows=("TRAIN_VALIDATION_SHIFT",),
)
def only_later(task: Task, seed: int) -> Training:
    """A column was only filled in after the training rows were taken (so validation differs)."""

    def change(x: Any) -> Any:
        x[:, 0] = 0.0
        return x

    stuck = task.with_inputs(change(task.x.copy()), task.validation_x)
    return careful(stuck, seed)


@broken("CONSTANT_INPUT", TABLES, constant_column)
def one_year_was_kept(task: Task, seed: int) -> Training:
    """A column of the year, scaled by all years' mean, in a table of which one year was kept."""
    return careful(both(task, lambda x: np.append(x, np.full((len(x), 1), 1.3), axis=1)), seed)


# ---- targets in their own units


@broken("TARGET_UNSCALED", NUMERIC, worse_unscaled)
def dollars(task: Task, seed: int) -> Training:
    """A target of thousands, as prices are; diamonds' as they stand in the file."""
    if task.name != "diamonds":
        return careful(rescaled(task, 4000.0, 4000.0), seed)
    prices = [
        np.exp(y * task.target_unit + task.target_offset) for y in (task.y, task.validation_y)
    ]
    return careful(task.but(y=prices[0], validation_y=prices[1]), seed)


@broken("TARGET_UNSCALED", NUMERIC, worse_unscaled)
def far_from_zero(task: Task, seed: int) -> Training:
    """A target that varies by 1 around 500, as an air pressure does."""
    return careful(rescaled(task, 1.0, 500.0), seed)


@broken("TARGET_UNSCALED", NUMERIC, worse_unscaled)
def concentrations(task: Task, seed: int) -> Training:
    """A target that varies by 0.0001: the steps are far too coarse for that."""
    return careful(rescaled(task, 1e-4), seed)


@broken("TARGET_UNSCALED", NUMERIC, worse_unscaled)
def pennies_with_sgd(task: Task, seed: int) -> Training:
    """A target of hundreds with SGD, whose steps grow as the target does."""
    return careful(rescaled(task, 300.0), seed, optimizer=lm.Momentum(0.005, 0.9))


@broken("TARGET_UNSCALED", NUMERIC, worse_unscaled)
def millions(task: Task, seed: int) -> Training:
    """A target of millions, and the absolute error, whose gradients do not tell how far it is."""
    return careful(rescaled(task, 1e6, 2e6), seed, loss="mae")


# ---- classes of which some are rare


@broken("IMBALANCED_CLASSES", ("digits", "blobs"), rare_missed)
def one_in_fifty(task: Task, seed: int) -> Training:
    """One class against the rest, thirty rows of it; with much dropout it is not worth knowing."""
    data = rare(blurred(two_classes(task, task.classes - 1), 0.5, seed), 1, 30)
    layers = [lm.Dense(32, activation="relu"), lm.Dropout(0.7)]
    return careful(data, seed, layers=layers, epochs=60, patience=12, optimizer=lm.Adam(6e-3))


@broken("IMBALANCED_CLASSES", ("digits", "blobs"), rare_missed)
def one_of_many(task: Task, seed: int) -> Training:
    """Of several classes one has twenty-five rows, and a small penalty holds the weights down."""
    penalty = {"kernel_regularizer": lm.L2(3e-3)}
    data = rare(blurred(task, 0.2, seed), 1, 25)
    return careful(data, seed, hidden=(12,), dense=penalty, output=penalty, patience=10)


@broken("IMBALANCED_CLASSES", ("digits", "blobs", "rings"), rare_missed)
def not_worth_it(task: Task, seed: int) -> Training:
    """One row in forty, a small network, and a strong penalty: the rare class does not pay."""
    penalty = {"kernel_regularizer": lm.L2(1e-2)}
    data = rare(two_classes(task, task.classes - 1), 1, len(task.y) // 40)
    return careful(data, seed, hidden=(12,), dense=penalty, output=penalty, patience=10)


@broken("IMBALANCED_CLASSES", ("digits", "blobs"), rare_missed)
def two_rare_ones(task: Task, seed: int) -> Training:
    """Two classes of several have twenty rows each; without weights nothing is gained by them."""
    data = rare(blurred(task, 0.2, seed), 1, 20)
    if task.classes > 2:
        data = rare(data, 0, 21)
    layers = [lm.Dense(32, activation="relu"), lm.Dropout(0.7)]
    return careful(data, seed, layers=layers, epochs=60, patience=12, optimizer=lm.Adam(6e-3))


@broken("IMBALANCED_CLASSES", ("digits", "blobs"), rare_missed)
def faults(task: Task, seed: int) -> Training:
    """A logistic regression for faults, one row in fifty: 98 % right without finding one."""
    data = rare(blurred(two_classes(task, 1), 0.2, seed), 1, 24)
    return careful(data, seed, hidden=(), patience=10, optimizer=lm.Adam(5e-3))


# ---- validation rows from elsewhere


@broken("TRAIN_VALIDATION_SHIFT", ("diamonds", "friedman", "waves", "rings"), worse(1.3))
def sorted_by_a_column(task: Task, seed: int) -> Training:
    """The file was sorted by a column, and its last third validates."""
    x, _ = pool(task)
    return careful(cut(task, np.argsort(x[:, 0], kind="stable")), seed)


@broken("TRAIN_VALIDATION_SHIFT", ("digits", "blobs", "diamonds", "waves"), worse(1.3))
def scaled_only_once(task: Task, seed: int) -> Training:
    """The validation rows were scaled otherwise: they are twice as large, and shifted."""
    return careful(task.with_inputs(task.x, task.validation_x * 2 + 0.5), seed)


@broken("TRAIN_VALIDATION_SHIFT", TABLES, worse(1.3))
def another_sensor(task: Task, seed: int) -> Training:
    """Two columns of the validation rows come from a sensor that reads 1.5 higher."""
    moved = task.validation_x.copy()
    moved[:, :2] += 1.5
    return careful(task.with_inputs(task.x, moved), seed)


@broken("TRAIN_VALIDATION_SHIFT", ("digits", "blobs", "rings"), worse(1.3))
def sorted_by_class(task: Task, seed: int) -> Training:
    """The file was sorted by class: the training rows hardly have the classes that validate."""
    _, y = pool(task)
    noise = np.random.default_rng([seed, 6]).normal(0.0, 0.3, len(y))
    return careful(cut(task, np.argsort(y + noise, kind="stable")), seed)


@broken("TRAIN_VALIDATION_SHIFT", ("digits", "diamonds", "friedman", "waves"), worse(1.3))
def noisier_later(task: Task, seed: int) -> Training:
    """The validation rows were measured less exactly: noise in every column."""
    rng = np.random.default_rng([seed, 7])
    spread = task.x.std() * 1.5
    noisy = task.validation_x + rng.normal(0.0, spread, task.validation_x.shape)
    return careful(task.with_inputs(task.x, noisy), seed)


# ---- nothing to be learnt, or nothing that came out


@broken("NO_BETTER_THAN_BASELINE", FOUR, no_better)
def answers_of_others(task: Task, seed: int) -> Training:
    """Two tables were joined wrongly: every row has another row's answer."""
    return careful(shuffled(task, seed), seed)


@broken("NO_BETTER_THAN_BASELINE", ("blobs", "rings", "friedman", "waves"), no_better)
def nothing_but_noise(task: Task, seed: int) -> Training:
    """The columns have nothing to do with what is asked for."""
    rng = np.random.default_rng([seed, 9])
    return careful(both(task, lambda x: rng.normal(size=(len(x), 5))), seed, hidden=(24,))


@broken("NO_BETTER_THAN_BASELINE", FOUR, no_better)
def columns_sorted_apart(task: Task, seed: int) -> Training:
    """Each column was put into an order of its own: no row is what it was."""
    rng = np.random.default_rng([seed, 11])
    return careful(both(task, lambda x: rng.permuted(x, axis=0)), seed)


@broken("NO_BETTER_THAN_BASELINE", NUMERIC, no_better)
def returns(task: Task, seed: int) -> Training:
    """What is asked for is chance but for one part in a thousand, as tomorrow's return is."""
    rng = np.random.default_rng([seed, 12])
    y, held_out = (0.03 * one + rng.normal(size=one.shape) for one in (task.y, task.validation_y))
    data = task.but(y=y.astype(np.float32), validation_y=held_out.astype(np.float32))
    return careful(data, seed, hidden=(32,), activation="tanh", optimizer=lm.Momentum(0.01))


@broken("NO_BETTER_THAN_BASELINE", ("digits", "blobs", "rings"), no_better)
def labels_by_chance(task: Task, seed: int) -> Training:
    """Labels drawn by chance, half of them the same class."""
    rng = np.random.default_rng([seed, 10])

    def drawn(count: int) -> Any:
        return np.where(rng.random(count) < 0.5, 0, rng.integers(0, task.classes, count))

    y, held_out = drawn(len(task.y)), drawn(len(task.validation_y))
    return careful(task.but(y=y, validation_y=held_out), seed, activation="tanh")
