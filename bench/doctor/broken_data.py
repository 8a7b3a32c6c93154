"""Broken by the data: their units, their columns, their classes, and which rows validate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import lamina as lm
from doctor.entry import broken
from doctor.proofs import constant_column, no_better, rare_missed, worse
from doctor.task import Task
from doctor.training import Training

FOUR = ("digits", "diamonds", "blobs", "friedman")
TABLES = ("diamonds", "blobs", "friedman", "waves")
NUMERIC = ("diamonds", "friedman", "waves")
Change = Callable[[Any], Any]


def both(task: Task, change: Change) -> Task:
    """Change the inputs of training and validation rows alike."""
    return task.with_inputs(change(task.x.copy()), change(task.validation_x.copy()))


def careful(task: Task, seed: int, **settings: Any) -> Training:
    """Return a training with nothing wrong but the data: it stops early with the best weights."""
    return Training(task, seed, **{"epochs": 40, "patience": 6, **settings})


# ---- inputs in their own units


@broken("UNSCALED_INPUT", (*TABLES, "rings"), worse(1.15))
def as_in_the_file(task: Task, seed: int) -> Training:
    """Every column as it stands in the file, in a unit and from a zero of its own."""
    return careful(both(task, lambda x: x * task.unit + task.offset), seed)


@broken("UNSCALED_INPUT", (*TABLES, "rings"), worse(1.15))
def one_in_millimetres(task: Task, seed: int) -> Training:
    """One column was given in millimetres, and so is a thousand times larger than the others."""

    def change(x: Any) -> Any:
        x[:, 0] *= 1000
        return x

    return careful(both(task, change), seed)


@broken("UNSCALED_INPUT", ("rings", "friedman", "waves"), worse(1.15))
def one_in_kilometres(task: Task, seed: int) -> Training:
    """The first column is ten thousand times smaller than the others: nobody hears it."""

    def change(x: Any) -> Any:
        x[:, 0] /= 10_000
        return x

    return careful(both(task, change), seed)


@broken("UNSCALED_INPUT", (*TABLES, "rings"), worse(1.15))
def years(task: Task, seed: int) -> Training:
    """All columns vary by 1 around 2,000, as years do: scaled, perhaps, but not centred."""
    return careful(both(task, lambda x: x + 2000), seed)


@broken("UNSCALED_INPUT", ("digits", "blobs", "friedman", "waves"), worse(1.15))
def missing_is_999999(task: Task, seed: int) -> Training:
    """In each column one cell in fifty is missing, and stands as 999999 in the file."""
    rng = np.random.default_rng([seed, 1])

    def change(x: Any) -> Any:
        return np.where(rng.random(x.shape) < 0.02, 999_999.0, x)

    return careful(both(task, change), seed)


@broken("UNSCALED_INPUT", ("diamonds", "blobs", "rings", "waves"), worse(1.15))
def raw_with_sgd(task: Task, seed: int) -> Training:
    """Columns a hundred times too large, and SGD with a rate that would be right without that."""
    return careful(both(task, lambda x: x * 100), seed, optimizer=lm.Momentum(0.01, 0.9))


# ---- columns that say nothing


@broken("CONSTANT_INPUT", FOUR, constant_column)
def stuck_sensor(task: Task, seed: int) -> Training:
    """One column has kept its mean ever since the sensor broke."""

    def change(x: Any) -> Any:
        x[:, 1] = 0.0
        return x

    return careful(both(task, change), seed)


@broken("CONSTANT_INPUT", FOUR, constant_column)
def column_of_ones(task: Task, seed: int) -> Training:
    """A column of ones was added, as one does for a regression without a bias of its own."""
    return careful(both(task, lambda x: np.append(x, np.ones((len(x), 1)), axis=1)), seed)


@broken("CONSTANT_INPUT", ("blobs", "rings", "diamonds", "waves"), constant_column)
def categories_that_never_come(task: Task, seed: int) -> Training:
    """Six columns of a one-hot code for categories that do not occur."""
    return careful(both(task, lambda x: np.append(x, np.zeros((len(x), 6)), axis=1)), seed)


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


def rescaled(task: Task, times: float, plus: float = 0.0) -> Task:
    """Give the target in another unit, from another zero."""
    return task.but(y=task.y * times + plus, validation_y=task.validation_y * times + plus)


@broken("TARGET_UNSCALED", NUMERIC, worse(1.15))
def dollars(task: Task, seed: int) -> Training:
    """A target of thousands, as prices are; diamonds' as they stand in the file."""
    if task.name != "diamonds":
        return careful(rescaled(task, 4000.0, 4000.0), seed)
    prices = [
        np.exp(y * task.target_unit + task.target_offset) for y in (task.y, task.validation_y)
    ]
    return careful(task.but(y=prices[0], validation_y=prices[1]), seed)


@broken("TARGET_UNSCALED", NUMERIC, worse(1.15))
def far_from_zero(task: Task, seed: int) -> Training:
    """A target that varies by 1 around 500, as an air pressure does."""
    return careful(rescaled(task, 1.0, 500.0), seed)


@broken("TARGET_UNSCALED", NUMERIC, worse(1.15))
def concentrations(task: Task, seed: int) -> Training:
    """A target that varies by 0.0001: the steps are far too coarse for that."""
    return careful(rescaled(task, 1e-4), seed)


@broken("TARGET_UNSCALED", NUMERIC, worse(1.15))
def pennies_with_sgd(task: Task, seed: int) -> Training:
    """A target of hundreds with SGD, whose steps grow as the target does."""
    return careful(rescaled(task, 300.0), seed, optimizer=lm.Momentum(0.005, 0.9))


@broken("TARGET_UNSCALED", NUMERIC, worse(1.15))
def millions(task: Task, seed: int) -> Training:
    """A target of millions, and the absolute error, whose gradients do not tell how far it is."""
    return careful(rescaled(task, 1e6, 2e6), seed, loss="mae")


# ---- classes of which some are rare


def rare(task: Task, label: int, rows: int) -> Task:
    """Keep so many training rows of a class, and validation rows in proportion."""

    def kept(y: Any, most: float) -> Any:
        return (y != label) | (np.cumsum(y == label) <= max(most, 5))

    a = kept(task.y, rows)
    b = kept(task.validation_y, rows * len(task.validation_y) / len(task.y))
    return task.but(
        x=task.x[a],
        y=task.y[a],
        validation_x=task.validation_x[b],
        validation_y=task.validation_y[b],
        full=task.full or task,
    )


def two_classes(task: Task, label: int) -> Task:
    """Ask for one class against all others."""
    y, held_out = ((one == label).astype(np.int64) for one in (task.y, task.validation_y))
    return task.but(y=y, validation_y=held_out, classes=2)


def blurred(task: Task, spread: float, seed: int) -> Task:
    """Measure the inputs less exactly, so that the classes overlap (rings lie closer together)."""
    rng = np.random.default_rng([seed, 5])
    spread = spread / 4 if task.columns == 2 else spread
    return both(task, lambda x: x + rng.normal(0.0, spread, x.shape))


@broken("IMBALANCED_CLASSES", ("digits", "blobs", "rings"), rare_missed)
def one_in_fifty(task: Task, seed: int) -> Training:
    """One class against the rest, where it is one row in fifty, and looks much like the others."""
    data = rare(blurred(two_classes(task, 1), 0.6, seed), 1, len(task.y) // 50)
    return careful(data, seed, patience=12)


@broken("IMBALANCED_CLASSES", ("digits", "blobs", "rings"), rare_missed)
def one_of_many(task: Task, seed: int) -> Training:
    """Of several classes one has fourteen rows."""
    return careful(rare(blurred(task, 0.5, seed), 1, 14), seed, patience=12)


@broken("IMBALANCED_CLASSES", ("digits", "blobs", "rings"), rare_missed)
def not_worth_it(task: Task, seed: int) -> Training:
    """One row in forty, a small network, and a strong penalty: the rare class does not pay."""
    penalty = {"kernel_regularizer": lm.L2(1e-2)}
    data = rare(two_classes(task, task.classes - 1), 1, len(task.y) // 40)
    return careful(data, seed, hidden=(12,), dense=penalty, output=penalty, batch_size=128)


@broken("IMBALANCED_CLASSES", ("digits", "blobs", "rings"), rare_missed)
def two_rare_ones(task: Task, seed: int) -> Training:
    """Two classes together have one row in fifty."""
    data = rare(rare(blurred(task, 0.5, seed), 0, 16), 1, 12)
    return careful(data, seed, patience=12)


@broken("IMBALANCED_CLASSES", ("blobs", "rings"), rare_missed)
def faults(task: Task, seed: int) -> Training:
    """Faults: one row in a hundred, told by accuracy alone 99 % right without finding one."""
    data = rare(blurred(two_classes(task, 0), 0.8, seed), 1, 14)
    return careful(data, seed, activation="tanh", patience=12)


# ---- validation rows from elsewhere


def pool(task: Task) -> tuple[Any, Any]:
    """All rows, training and validation together."""
    x = np.concatenate([task.x, task.validation_x])
    return x, np.concatenate([task.y, task.validation_y])


def cut(task: Task, order: Any) -> Task:
    """Train on the first rows of an order, and validate on the last."""
    x, y = pool(task)
    a, b = order[: len(task.x)], order[len(task.x) :]
    a = np.random.default_rng(0).permutation(a)
    changed = task.but(y=y[a], validation_y=y[b])
    return changed.with_inputs(x[a], x[b])


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


def shuffled(task: Task, seed: int) -> Task:
    """Give every row another row's answer."""
    rng = np.random.default_rng([seed, 8])
    return task.but(
        y=rng.permutation(task.y),
        validation_y=rng.permutation(task.validation_y),
    )


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
