"""The learning-rate range test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from lamina.data import Dataset, at_least_1, class_weight_spec
from lamina.examination.range_test import Explosion, RangeTest, note_of, usual_rate
from lamina.examination.rising import losses_at
from lamina.fitting import FitPlan
from lamina.progress import RowsBar
from lamina.streams import is_stream
from lamina.trainer import Trainer

__all__ = ["find_learning_rate"]


def find_learning_rate(
    trainer: Trainer,
    X: Any,
    y: Any = None,
    *,
    min_learning_rate: float = 1e-6,
    max_learning_rate: float = 10.0,
    steps: int = 400,
    batch_size: int = 128,
    shuffle: bool = True,
    sample_weight: ArrayLike | None = None,
    class_weight: Mapping[int, float] | str | None = None,
    check_input: bool = True,
    verbose: int | str = "auto",
) -> RangeTest:
    """Find a learning rate by a range test: one short training at rising rates.

    A copy of the model is trained for some hundred steps, each with a rate that is a little higher
    than the last one's. At first the loss stands still, then it falls, and at last it explodes,
    which ends the test. The suggestion is a rate inside the fall. It belongs to the
    model, the optimizer, the batch size and the data as they were tested: give the batch size that
    you train with.

    Model, trainer, optimizer, history and random numbers stay as they are, bit for bit. The copy
    has the weights that the model has now; its optimizer begins anew, as it does in a new Trainer.

    Parameters
    ----------
    trainer : Trainer
        As you want to train. Its learning rate does not matter; its optimizer's other arguments do.
    X, y, sample_weight, class_weight
        As in :meth:`Trainer.fit`, but no streams. Few rows are read several times.
    min_learning_rate, max_learning_rate : float, default 1e-6 and 10
        The lowest and the highest rate, above 0. All optimizers of lm.optimizers find theirs in
        between.
    steps : int, default 400
        How many rates, at least 20, the same factor apart. With fewer steps the loss has less
        time to fall and to explode, and the suggestion is rougher.
    batch_size : int, default 128
        Rows a batch, as in :meth:`Trainer.fit`. With ``gradient_accumulation_steps`` a step takes
        so many batches, and its loss is their mean.
    shuffle, check_input : bool, default True
        As in :meth:`Trainer.fit`.
    verbose : {0, 1, "auto"}, default "auto"
        0 nothing, 1 a bar, "auto" a bar in a terminal or notebook after a second.

    Returns
    -------
    RangeTest
        ``suggestion``, ``rates``, ``losses``, ``smoothed``, ``notes``; ``plot()`` draws it.

    Raises
    ------
    ValueError, TypeError
        If data or arguments do not fit, as in :meth:`Trainer.fit`; and if a stream is given.

    Notes
    -----
    A loss or schedule that is a Python function is called. The loss is that of the batch in
    training mode, with dropout and without L1 and L2. A learning rate that follows a schedule is
    replaced by the test's rates, and the result says so in ``notes``: the suggestion is for the
    schedule's highest rate. Schedules of other numbers, such as the momentum, run. Layers'
    multipliers of the rate hold. Adadelta's rate multiplies steps whose size it finds itself (1 by
    default); it is tested like the others, and ``notes`` says so.

    The suggestion lies where half of the fall has come and a fifth of the way, on a logarithmic
    axis, from there to the lowest loss. That was chosen by measurement among the rules that others
    have and some of our own (docs/decisions/0010-which-learning-rate.md): on real data the rate
    trains about as well as the best of nine. It is a rate that learns fast: a long training on few
    rows, with Adam or Lion above all, wants early stopping or a third of it. It is no promise;
    where the rate matters, compare some around it with :func:`lamina.validation_curve`.

    References
    ----------
    Smith, Cyclical learning rates for training neural networks, arXiv 1506.01186.

    Examples
    --------
    >>> import numpy as np
    >>> import lamina as lm
    >>> x = np.random.default_rng(0).normal(size=(500, 4))
    >>> y = np.sin(x[:, 0]) + x[:, 1] * x[:, 2]
    >>> model = lm.Model([lm.Input(4), lm.Dense(32, activation="relu"), lm.Dense(1)], seed=0)
    >>> test = lm.find_learning_rate(lm.Trainer(model, loss="mse"), x, y, batch_size=32)
    >>> 1e-3 < test.suggestion < 1e-1
    True
    >>> trainer = lm.Trainer(model, loss="mse", optimizer=lm.Adam(test.suggestion))
    >>> history = trainer.fit(x, y, epochs=30, batch_size=32, verbose=0)
    >>> bool(history["loss"][-1] < 0.1 * history["loss"][0])
    True
    """
    if is_stream(X, y):
        raise ValueError(
            "find_learning_rate: a stream may be too large to be read several times; give some "
            "thousand of its rows as arrays"
        )
    rates = _rates(min_learning_rate, max_learning_rate, steps)
    plan = FitPlan(
        0,
        1,
        at_least_1("find_learning_rate: batch_size", batch_size),
        bool(shuffle),
        bool(check_input),
        class_weight=class_weight_spec(class_weight),
    )

    def prepare(twin: Any) -> Dataset:
        data: Dataset = twin._data(plan, (X, y, sample_weight), None)[0]
        return data

    explosion, done = Explosion(len(rates)), 0
    with RowsBar("find_learning_rate", verbose, len(rates), " steps") as bar:

        def goes_on(loss: float) -> bool:
            nonlocal done
            done += 1
            if bar.show is not None:
                bar.show(done)
            return explosion.goes_on(loss)

        settings = plan.batch_size, plan.shuffle, plan.check_input
        losses = losses_at(trainer, rates, prepare, settings, goes_on)
    optimizer = trainer.optimizer
    notes, usual = note_of(optimizer), usual_rate(optimizer)
    return RangeTest(rates[: len(losses)], losses, len(rates), notes, usual)


def _rates(lowest: float, highest: float, steps: int) -> Any:
    """Return the rates, the same factor apart."""
    if not 0 < lowest < highest < float("inf"):
        raise ValueError(
            "find_learning_rate: expected 0 < min_learning_rate < max_learning_rate, got "
            f"{lowest} and {highest}"
        )
    if at_least_1("find_learning_rate: steps", steps) < 20:
        raise ValueError(f"find_learning_rate: steps must be at least 20, got {steps}")
    return np.geomspace(lowest, highest, steps)
