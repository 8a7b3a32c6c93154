"""Broken by the steps: their length, their number, and where they lead."""

from __future__ import annotations

from typing import Any

import numpy as np

import lamina as lm
from doctor.entry import broken
from doctor.proofs import not_finite, stuck, unfinished, worse
from doctor.task import Task
from doctor.training import Training

ALL = ("digits", "diamonds", "blobs", "rings", "friedman", "waves")
FOUR = ("digits", "diamonds", "blobs", "friedman")
NUMERIC = ("diamonds", "friedman", "waves")
START = lm.initializers
RATE = lm.schedules

# ---- too long steps


@broken("LR_TOO_HIGH", ALL, worse())
def adam(task: Task, seed: int) -> Training:
    """Adam with a rate of 0.5, five hundred times the usual."""
    return Training(task, seed, optimizer=lm.Adam(0.5))


@broken("LR_TOO_HIGH", NUMERIC, worse())
def sgd(task: Task, seed: int) -> Training:
    """Plain SGD on a squared error with a rate of 0.5: it overshoots in the steepest direction."""
    return Training(task, seed, optimizer=lm.SGD(0.5))


@broken("LR_TOO_HIGH", ("digits", "blobs", "rings", "waves"), worse())
def momentum(task: Task, seed: int) -> Training:
    """A momentum of 0.99 multiplies a rate of 0.1 by 100."""
    return Training(task, seed, optimizer=lm.Momentum(0.1, 0.99))


@broken("LR_TOO_HIGH", FOUR, worse())
def one_cycle(task: Task, seed: int) -> Training:
    """OneCycle up to a rate of 1: its mild end does not bring back what its middle threw off."""
    return Training(task, seed, optimizer=lm.Adam(lm.OneCycle(1.0)))


@broken("LR_TOO_HIGH", ("digits", "friedman", "waves"), worse())
def growing(task: Task, seed: int) -> Training:
    """A schedule with the wrong sign: from a good rate it doubles every other epoch."""
    steps = len(task.x) / 32
    rate = RATE.Exponential(2e-3, 2.0, decay_steps=2 * steps)
    return Training(task, seed, optimizer=lm.Adam(rate))


@broken("LR_TOO_HIGH", ("blobs", "diamonds", "rings"), worse())
def rmsprop_tanh(task: Task, seed: int) -> Training:
    """RMSprop with 0.2 on tanh units, whose outputs are thrown from bound to bound."""
    return Training(task, seed, activation="tanh", optimizer=lm.RMSprop(0.2))


@broken("LR_TOO_HIGH", FOUR, worse())
def first_steps(task: Task, seed: int) -> Training:
    """A good rate, but for the first twenty steps, which were of 1: units that never come back."""
    rate = RATE.Piecewise([20], [1.0, 2e-3])
    kind = "tanh" if task.classes else "relu"
    return Training(task, seed, activation=kind, optimizer=lm.Adam(rate), patience=8)


# ---- too short steps


@broken("LR_TOO_LOW", ALL, worse())
def adam_far_too_low(task: Task, seed: int) -> Training:
    """Adam with a rate of 1e-5."""
    return Training(task, seed, optimizer=lm.Adam(1e-5))


@broken("LR_TOO_LOW", FOUR, worse())
def sgd_far_too_low(task: Task, seed: int) -> Training:
    """SGD with a rate that would suit Adam, and then some: 1e-4."""
    return Training(task, seed, optimizer=lm.SGD(1e-4))


@broken("LR_TOO_LOW", ("digits", "diamonds", "rings", "waves"), worse())
def warms_up_for_ever(task: Task, seed: int) -> Training:
    """A warm-up of 100,000 steps, of which the training makes a thousand."""
    return Training(task, seed, optimizer=lm.Adam(RATE.Warmup(2e-3, 100_000)))


@broken("LR_TOO_LOW", ("blobs", "rings", "friedman"), worse())
def low_cycle(task: Task, seed: int) -> Training:
    """OneCycle whose highest rate is 3e-5."""
    return Training(task, seed, optimizer=lm.Adam(lm.OneCycle(3e-5)))


# ---- too few steps


@broken("NOT_CONVERGED", ("digits", "friedman", "waves"), unfinished)
def few_epochs(task: Task, seed: int) -> Training:
    """One epoch at a rate that is as high as it may be: there is no way but to go on."""
    return Training(task, seed, epochs=1, optimizer=lm.Adam(1e-2))


@broken("NOT_CONVERGED", ("digits", "friedman", "waves"), unfinished)
def impatient(task: Task, seed: int) -> Training:
    """Early stopping to which a gain of 0.25 in an epoch is nothing: it stops at once."""
    stop = lm.EarlyStopping(patience=1, min_delta=0.25)
    return Training(task, seed, epochs=40, callbacks=[stop], optimizer=lm.Adam(1e-2))


@broken("NOT_CONVERGED", ("digits", "diamonds", "friedman", "waves"), unfinished)
def one_batch(task: Task, seed: int) -> Training:
    """All rows in one batch: an epoch is one step, and twenty-five of them are few."""
    return Training(task, seed, batch_size=len(task.x), optimizer=lm.Adam(1e-2))


@broken("NOT_CONVERGED", ("digits", "waves"), unfinished)
def short_sgd(task: Task, seed: int) -> Training:
    """SGD with momentum at a rate that is as high as it may be, and one epoch."""
    rate = lm.Momentum(0.03, 0.9)
    return Training(task, seed, activation="tanh", epochs=1, optimizer=rate)


@broken("NOT_CONVERGED", ("rings", "waves", "friedman", "digits"), unfinished)
def deep_and_short(task: Task, seed: int) -> Training:
    """Four layers of tanh need some epochs to begin with; they get three of them."""
    return Training(task, seed, (24,) * 4, "tanh", epochs=3, optimizer=lm.Adam(5e-3))


# ---- steps that lead nowhere finite: broken losses and starts, not rates


@broken("DIVERGED", NUMERIC, not_finite)
def logarithm_of_a_prediction(task: Task, seed: int) -> Training:
    """A squared difference of logarithms, of predictions that may be below 0: NaN."""

    def loss(y: Any, p: Any) -> tuple[Any, Any]:
        with np.errstate(all="ignore"):
            off = np.log(p) - np.log(y + 10)
            return (off**2).mean(axis=1), 2 * off / p

    return Training(task, seed, loss=loss)


@broken("DIVERGED", NUMERIC, not_finite)
def relative_error_of_zero(task: Task, seed: int) -> Training:
    """A relative error, where some targets are 0 (they were rounded): a division by zero."""

    def loss(y: Any, p: Any) -> tuple[Any, Any]:
        with np.errstate(all="ignore"):
            return np.abs((p - y) / y).mean(axis=1), np.sign(p - y) / np.abs(y)

    rounded = task.but(y=np.round(task.y, 1), validation_y=np.round(task.validation_y, 1))
    return Training(rounded, seed, loss=loss)


@broken("DIVERGED", ("digits", "blobs", "friedman"), not_finite)
def start_beyond_measure(task: Task, seed: int) -> Training:
    """Initial weights of 1e15: three layers of that are more than a float32 can hold."""
    start = {"kernel_initializer": START.RandomNormal(stddev=1e15)}
    return Training(task, seed, dense=start, output=start)


@broken("DIVERGED", NUMERIC, not_finite)
def exponential_output(task: Task, seed: int) -> Training:
    """An output exp(z) that nothing bounds, from a start where z comes to a hundred."""
    wide = {"kernel_initializer": START.RandomNormal(stddev=1.5)}
    return Training(task, seed, dense=wide, output={"activation": "exponential", **wide})


@broken("DIVERGED", NUMERIC, not_finite)
def uphill(task: Task, seed: int) -> Training:
    """A loss of one's own whose gradient has the wrong sign: each step makes it worse."""

    def loss(y: Any, p: Any) -> tuple[Any, Any]:
        with np.errstate(all="ignore"):
            return ((y - p) ** 2).mean(axis=1), 2 * (y - p)

    return Training(task, seed, loss=loss, optimizer=lm.SGD(0.02))


# ---- steps that were right for the beginning, and no longer are


@broken("PLATEAU", ("digits", "blobs", "friedman", "waves"), stuck)
def divided_every_epoch(task: Task, seed: int) -> Training:
    """A good rate is divided by ten every epoch: after three of them nothing moves."""
    rate = RATE.Step(2e-3, step_size=1, gamma=0.1, unit="epoch")
    return Training(task, seed, optimizer=lm.Adam(rate))


@broken("PLATEAU", ("digits", "blobs", "friedman", "waves"), stuck)
def impatient_callback(task: Task, seed: int) -> Training:
    """ReduceLROnPlateau without patience: it takes slow progress for none, and the rate away."""
    fall = lm.ReduceLROnPlateau(factor=0.03, patience=1, threshold=0.5)
    return Training(task, seed, epochs=30, callbacks=[fall])


@broken("PLATEAU", ("diamonds", "rings", "friedman", "waves"), stuck)
def cosine_too_short(task: Task, seed: int) -> Training:
    """A cosine made for 80 steps; the rate is 0 for the thousand that follow."""
    rate = lm.Adam(RATE.Cosine(3e-3, total_steps=80))
    return Training(task, seed, optimizer=rate)


@broken("PLATEAU", ("diamonds", "waves"), stuck, allows=("LR_TOO_HIGH",))
def coarse_steps(task: Task, seed: int) -> Training:
    """A rate that was good for the beginning and never falls: the loss circles above its floor."""
    return Training(task, seed, activation="leaky_relu", epochs=60, optimizer=lm.Adam(0.1))


@broken("PLATEAU", ("blobs", "friedman", "waves"), stuck, allows=("LR_TOO_HIGH",))
def steps_of_one_length(task: Task, seed: int) -> Training:
    """Lion goes by signs: its steps never become shorter by themselves, and 0.005 is long."""
    return Training(task, seed, activation="gelu", epochs=50, optimizer=lm.Lion(0.005))


@broken("PLATEAU", ("diamonds", "waves"), stuck)
def cycles_without_end(task: Task, seed: int) -> Training:
    """A cyclical rate between 0.02 and 0.1 shakes off each time what was gained."""
    rate = RATE.Cyclical(0.02, 0.1, step_size_up=100)
    return Training(task, seed, activation="elu", epochs=60, optimizer=lm.Adam(rate))
