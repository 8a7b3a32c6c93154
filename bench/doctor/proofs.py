"""How one knows, without the doctor, that a broken training is broken and a healthy one well.

A proof gets the finished training, the data as they were before the entry touched them, and what a
plain training (training.plain) came to on given data. It returns whether it holds, and the numbers.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np

import lamina as lm
from doctor.task import Task
from doctor.training import Trained, Training

Plain = Callable[[Task], Trained]
Proof = Callable[[Trained, Task, Plain], tuple[bool, str]]

SHARE = 0.4  # of a layer's units: fewer that are dead or saturated do not spoil a network
BOUND = 0.02  # of an activation's range: nearer to its end a unit is saturated
FLAT = {"sigmoid": (0.0, 1.0), "hard_sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0)}


def worse(factor: float = 1.4) -> Proof:
    """Its validation error is so many times that of the plain training on the untouched data."""

    def proof(done: Trained, before: Task, plain: Plain) -> tuple[bool, str]:
        better = plain(before).score
        words = f"error {done.score:.3g}, plain {better:.3g}"
        return not done.score < factor * better, words

    return proof


def worse_unscaled(done: Trained, before: Task, plain: Plain) -> tuple[bool, str]:
    """It is clearly worse than the plain training on the same target, once that is scaled."""
    task = done.task
    middle, width = float(task.y.mean()), float(task.y.std())
    y, held_out = ((one - middle) / width for one in (task.y, task.validation_y))
    return worse(1.3)(done, task.but(y=y, validation_y=held_out), plain)


def unfinished(done: Trained, before: Task, plain: Plain) -> tuple[bool, str]:
    """Five times the epochs bring it to two thirds of the error; ten times the rate does not."""
    training = done.training
    more = dataclasses.replace(
        training,
        epochs=5 * max(1, len(done.history)),
        patience=10,
        callbacks=(),
        optimizer=_times(training, 1.0),
    )
    faster = dataclasses.replace(
        training, epochs=max(1, len(done.history)), callbacks=(), optimizer=_times(training, 10.0)
    )
    own, longer, other = done.score, more.run().score, faster.run().score
    words = f"error {own:.3g}, with more epochs {longer:.3g}, with a higher rate {other:.3g}"
    return bool(longer < own / 1.5 and other > own / 1.2), words


def by_heart(done: Trained, before: Task, plain: Plain) -> tuple[bool, str]:
    """Validation rows are predicted far worse than training rows, and stopping sooner mends it.

    It does: its own validation loss was lower by a sixth before, or the plain training on these
    very rows, which stops early, is better by as much.
    """
    losses = done.history["val_loss"]
    risen = float(losses[-1] / losses.min())
    own, held_out, same = done.error(done.task.x, done.task.y), done.score, plain(done.task).score
    words = f"errors {own:.3g} and {held_out:.3g}, {risen:.2f} of its lowest; plain {same:.3g}"
    return bool(max(risen, held_out / same) > 1.2 and own < held_out / 2), words


def not_finite(done: Trained, before: Task, plain: Plain) -> tuple[bool, str]:
    """Training has ended before its time, because something was not finite."""
    reason = str(done.history.stop_reason)
    return reason.startswith("diverged"), reason


def stuck(done: Trained, before: Task, plain: Plain) -> tuple[bool, str]:
    """The second half of the epochs gained next to nothing, though others get further.

    Others: the plain training, whose network is the same but for its start and its steps.
    """
    if not len(done.history):
        return False, str(done.history.stop_reason)
    losses = np.minimum.accumulate(done.history["loss"])
    half = len(losses) // 2
    gained = 1.0 - losses[-1] / losses[half]
    error, better = done.error(done.task.x, done.task.y), plain(before).error(before.x, before.y)
    words = f"second half gained {gained:.1%}; training error {error:.3g}, plain {better:.3g}"
    return bool(gained < 0.1 and error > 1.4 * better), words


def dead(done: Trained, before: Task, plain: Plain) -> tuple[bool, str]:
    """In one layer many ReLUs give 0 for every training row."""
    shares = [
        float((out <= 0).all(axis=0).mean())
        for name, out in _outputs(done.model, done.task.x)
        if name == "relu"
    ]
    return max(shares) >= SHARE, "dead: " + ", ".join(f"{share:.0%}" for share in shares)


def saturated(done: Trained, before: Task, plain: Plain) -> tuple[bool, str]:
    """In one layer many units lie near a bound of their activation for nine rows in ten."""
    shares = []
    for name, out in _outputs(done.model, done.task.x):
        if name in FLAT:
            low, high = FLAT[name]
            near = np.minimum(out - low, high - out) < BOUND * (high - low)
            shares.append(float((near.mean(axis=0) >= 0.9).mean()))
    return max(shares) >= SHARE, "saturated: " + ", ".join(f"{share:.0%}" for share in shares)


def vanishing(done: Trained, before: Task, plain: Plain) -> tuple[bool, str]:
    """The first gradient began a hundred times below the plain network's, and it ended worse."""
    own, usual = (gradient_norms(one)[0] for one in (done.training, plain(before).training))
    fails, words = worse()(done, before, plain)
    return fails and own < 0.01 * usual, f"first gradient {own:.1g}, plain {usual:.1g}; {words}"


def exploding(done: Trained, before: Task, plain: Plain) -> tuple[bool, str]:
    """At the start gradients were 100 times the plain network's, and it ended worse."""
    own, usual = max(gradient_norms(done.training)), max(gradient_norms(plain(before).training))
    fails, words = worse()(done, before, plain)
    return fails and not own < 100 * usual, f"gradients {own:.1g}, plain {usual:.1g}; {words}"


def constant_column(done: Trained, before: Task, plain: Plain) -> tuple[bool, str]:
    """Some column has one value in all training rows."""
    count = int((np.ptp(done.task.x, axis=0) == 0).sum())
    return count > 0, f"{count} constant columns"


def rare_missed(done: Trained, before: Task, plain: Plain) -> tuple[bool, str]:
    """Half of the rare class or more is not found; much more of it is where it is not rare."""
    task = done.task
    assert task.full is not None
    rare = int(np.argmin(np.bincount(task.y, minlength=task.classes)))
    own, other = _recall(done, rare), _recall(plain(task.full), rare)
    return own <= 0.5 and other >= own + 0.3, f"recall {own:.0%}, of as many rows {other:.0%}"


def rare_found(done: Trained, before: Task, plain: Plain) -> tuple[bool, str]:
    """A class is rare, and yet most of it is recognised."""
    counts = np.bincount(done.task.y)
    own = _recall(done, int(counts.argmin()))
    return own >= 0.6 and counts.min() * 4 < counts.max(), f"recall {own:.0%}"


def no_better(done: Trained, before: Task, plain: Plain) -> tuple[bool, str]:
    """It is no better on validation rows than the training rows' mean, or shares of the classes."""
    base = constant_error(done.task)
    return not done.score < 0.97 * base, f"error {done.score:.3g}, a constant's {base:.3g}"


def well(factor: float = 1.25, *, untouched: bool = False) -> Proof:
    """It is hardly worse than the plain training on the same data, and than its own best epoch.

    And it beats a constant. `untouched`: on the data as they were before, in the same units.
    """

    def proof(done: Trained, before: Task, plain: Plain) -> tuple[bool, str]:
        better = plain(before if untouched else done.task).score
        base = constant_error(done.task)
        words = f"error {done.score:.3g}, plain {better:.3g}, a constant's {base:.3g}"
        kept = done.training.patience is not None
        losses = done.history["val_loss"]
        if not kept:
            words += f", loss {losses[-1]:.3g}, lowest {losses.min():.3g}"
        fine = kept or losses[-1] <= 1.1 * losses.min()
        return bool(fine and done.score <= factor * better and done.score < 0.9 * base), words

    return proof


def constant_error(task: Task) -> float:
    """Return the error of predicting the same for every validation row."""
    if task.classes:
        counts = np.bincount(task.y, minlength=task.classes)
        shares = np.clip(counts / counts.sum(), 1e-7, 1.0)
        return float(-np.log(shares[task.validation_y]).mean())
    y = np.asarray(task.y, np.float64)
    return float(np.square(task.validation_y - y.mean()).mean() / y.var())


def gradient_norms(training: Training) -> list[float]:
    """Return the norms of the kernels' gradients at the start, over the first 256 rows."""
    model = training.model()
    task = training.task
    loss = training.loss or ("cce" if task.classes else "mse")
    trainer = lm.Trainer(model, loss=loss, num_threads=1)
    trainer.compute_gradients(task.x[:256], task.y[:256])
    kernels = [layer.kernel_gradient for layer in _dense(model.layers)]
    norms = [float(np.linalg.norm(np.asarray(one, np.float64))) for one in kernels]
    return [norm if math.isfinite(norm) else math.inf for norm in norms]


def _times(training: Training, factor: float) -> Any:
    """A new optimizer of the same kind with so many times the rate."""
    old = training.optimizer
    config = old.get_config()
    return type(old)(**{**config, "learning_rate": factor * config["learning_rate"]})


def _dense(layers: Any) -> list[Any]:
    """All Dense layers, those inside others included."""
    found: list[Any] = []
    for layer in layers:
        if isinstance(layer, lm.Dense):
            found.append(layer)
        else:
            found += _dense(getattr(layer, "layers", ()))
    return found


def _outputs(model: lm.Model, x: Any) -> list[tuple[str, Any]]:
    """The outputs of all Dense layers but the last, by NumPy alone: activation and values."""
    found = []
    with np.errstate(all="ignore"):
        for layer in model.layers[:-1]:
            if isinstance(layer, lm.Dense):
                activation = lm.activations.get(layer.activation)
                x = activation(np.asarray(x) @ np.asarray(layer.kernel) + np.asarray(layer.bias))
                found.append((str(layer.activation), x))
            elif isinstance(layer, lm.Scale):
                x = x * np.asarray(layer.scale)
            else:
                raise TypeError(f"proofs: {type(layer).__name__} is not known here")
    return found


def _recall(done: Trained, label: int) -> float:
    """The share of a class's validation rows that is recognised."""
    rows = done.task.validation_y == label
    found = np.asarray(done.model.predict(done.task.validation_x, num_threads=1)).argmax(axis=1)
    return float((found[rows] == label).mean())
