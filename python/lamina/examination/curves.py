"""Curves of many trainings: scores by the number of rows, and by a parameter."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from lamina.callbacks.base import Callback
from lamina.data import at_least_1
from lamina.examination.curve_results import LearningCurve, ValidationCurve
from lamina.examination.trainings import Scores, Trainings, checked_make
from lamina.progress import RowsBar
from lamina.trainer import Trainer

__all__ = ["learning_curve", "validation_curve"]


def learning_curve(
    make: Callable[[int], Trainer],
    X: Any,
    y: Any,
    *,
    train_sizes: Sequence[float] | ArrayLike = (0.0625, 0.125, 0.25, 0.5, 1.0),
    repeats: int = 3,
    metric: str | None = None,
    validation_data: tuple[Any, ...] | None = None,
    validation_split: float = 0.25,
    seed: int = 0,
    epochs: int = 20,
    same_steps: bool = True,
    sample_weight: ArrayLike | None = None,
    callbacks: Sequence[Callback] | Callback | None = None,
    verbose: int | str = "auto",
    **fit: Any,
) -> LearningCurve:
    """Train on ever more rows, and measure on the same rows: would more data help?

    If the validation score still becomes better at the right end, more rows of the same kind would
    help. If it has come to rest and training is as bad, a larger model or better inputs would. All
    sizes are measured on the same rows held out; smaller sets of rows are part of the larger ones,
    with the same share of each class, and each repeat draws others and begins with other weights.

    Parameters
    ----------
    make : callable
        ``make(seed)`` returns a new Trainer of a new Model with that seed:
        ``lambda seed: lm.Trainer(lm.Model([...], seed=seed), loss="mse")``.
    X, y, sample_weight
        As in :meth:`Trainer.fit`, but no streams.
    train_sizes : sequence of float or int, default (0.0625, 0.125, 0.25, 0.5, 1.0)
        Shares of the rows that are not held out, above 0 and at most 1; or numbers of rows.
    repeats : int, default 3
        Trainings a size. One cannot be told from chance.
    metric : str, optional
        What is measured: a key or alias of what ``trainer.evaluate`` returns. Default: the
        trainer's first metric, or the loss if it has none.
    validation_data : (X, y) or (X, y, sample_weight), optional
        The rows held out, for instance the latest ones.
    validation_split : float, default 0.25
        Without `validation_data`: the share held out, drawn by `seed`, the same of each class.
    seed : int, default 0
        The repeats have the seeds seed, seed + 1 and so on.
    epochs : int, default 20
        Of the training on the most rows.
    same_steps : bool, default True
        Train smaller sets for more epochs, so that all trainings make about as many steps: a small
        set in a few steps would look worse than it is. False: the same epochs for all.
    callbacks : sequence of Callback, optional
        Each training gets copies; ``lm.EarlyStopping(patience=20)`` lets no size learn by heart.
    verbose : {0, 1, "auto"}, default "auto"
        0 nothing, 1 a bar of the trainings, "auto" a bar in a terminal or notebook.
    **fit
        Whatever else :meth:`Trainer.fit` takes: ``batch_size``, ``class_weight``, ...

    Returns
    -------
    LearningCurve
        ``train_sizes``, ``train_scores``, ``validation_scores``, ``reading``; ``plot()`` draws it.

    Raises
    ------
    ValueError, TypeError
        If `make` or the arguments do not fit, before anything is trained.
    KeyboardInterrupt
        On Ctrl-C in the first training. Later it ends the curve, which has what was measured.

    Notes
    -----
    Both scores are measured after a training, without dropout, so they can be compared. The names
    are scikit-learn's, which measures by cross-validation; here the rows held out stay the same, so
    sizes can be compared in pairs, and the repeats show the chance of weights and rows.

    Examples
    --------
    >>> import numpy as np
    >>> import lamina as lm
    >>> x = np.random.default_rng(0).normal(size=(400, 3))
    >>> y = np.sin(x[:, 0]) + x[:, 1] * x[:, 2]
    >>> def make(seed):
    ...     layers = [lm.Input(3), lm.Dense(16, activation="tanh"), lm.Dense(1)]
    ...     return lm.Trainer(lm.Model(layers, seed=seed), loss="mse", optimizer=lm.Adam(0.01))
    >>> curve = lm.learning_curve(make, x, y, train_sizes=[30, 100, 300], epochs=30)
    >>> curve.train_sizes
    array([ 30, 100, 300])
    >>> mean = curve.validation_scores.mean(axis=1)
    >>> bool(mean[0] > mean[2])
    True
    """
    what = "learning_curve"
    make = checked_make(what, make, "def make(seed): return lm.Trainer(...)", 1)
    repeats = at_least_1(f"{what}: repeats", repeats)
    epochs = at_least_1(f"{what}: epochs", epochs)
    batch_size = at_least_1(f"{what}: batch_size", fit.pop("batch_size", 128))
    trainings = Trainings(
        what,
        make(seed),
        X,
        y,
        sample_weight=sample_weight,
        validation_data=validation_data,
        validation_split=validation_split,
        metric=metric,
        seed=seed,
        callbacks=callbacks,
    )
    sizes = _sizes(train_sizes, len(trainings.rows))
    most = epochs * -(-sizes[-1] // batch_size)
    each = [round(most / -(-size // batch_size)) if same_steps else epochs for size in sizes]
    scores = Scores(len(sizes), repeats)
    subsets = [trainings.subsets(sizes, seed + repeat) for repeat in range(repeats)]

    def train(point: int, repeat: int) -> None:
        how = {"epochs": each[point], "batch_size": batch_size, **fit}
        trainings.run(make(seed + repeat), subsets[repeat][point], scores, (point, repeat), **how)

    interrupted = _all(what, train, scores, verbose)
    found = trainings.metric, trainings.larger_is_better
    return LearningCurve(sizes, each, scores, *found, interrupted)


def validation_curve(
    make: Callable[[Any, int], Trainer],
    X: Any,
    y: Any,
    values: Iterable[Any],
    *,
    name: str | None = None,
    repeats: int = 3,
    metric: str | None = None,
    validation_data: tuple[Any, ...] | None = None,
    validation_split: float = 0.25,
    seed: int = 0,
    sample_weight: ArrayLike | None = None,
    callbacks: Sequence[Callback] | Callback | None = None,
    verbose: int | str = "auto",
    **fit: Any,
) -> ValidationCurve:
    """Train with ever other values of one parameter, and measure on the same rows.

    Where training and validation are both bad, the model learns too little; where training is good
    and validation bad, it learns by heart. The best values lie in between.

    Parameters
    ----------
    make : callable
        ``make(value, seed)`` returns a new Trainer of a new Model with that seed, made with that
        value: a rate of dropout, an L2, a width, an optimizer's rate.
    X, y, sample_weight
        As in :meth:`Trainer.fit`, but no streams.
    values : iterable
        What is tried: numbers, or anything else that `make` takes.
    name : str, optional
        Of the parameter. Default: that of make's first argument.
    repeats : int, default 3
        Trainings a value, with the same seeds for each. One cannot be told from chance.
    metric, validation_data, validation_split, seed, callbacks, verbose
        As in :func:`lamina.learning_curve`.
    **fit
        Whatever else :meth:`Trainer.fit` takes: ``epochs``, ``batch_size``, ``class_weight``, ...

    Returns
    -------
    ValidationCurve
        ``values``, ``train_scores``, ``validation_scores``, ``best_value``, ``reading``; ``plot()``
        draws it.

    Raises
    ------
    ValueError, TypeError
        If `make` or the arguments do not fit, before anything is trained.
    KeyboardInterrupt
        On Ctrl-C in the first training. Later it ends the curve, which has what was measured.

    Notes
    -----
    A training that diverges, as at the high end of learning rates, counts for nothing: its scores
    are NaN, and its value is never the best. The best value was chosen by the rows held out; what
    it is worth shows on rows that were kept apart. The names are scikit-learn's.

    Examples
    --------
    >>> import numpy as np
    >>> import lamina as lm
    >>> x = np.random.default_rng(0).normal(size=(200, 3))
    >>> y = np.sin(x[:, 0]) + x[:, 1] * x[:, 2]
    >>> def make(units, seed):
    ...     layers = [lm.Input(3), lm.Dense(units, activation="tanh"), lm.Dense(1)]
    ...     return lm.Trainer(lm.Model(layers, seed=seed), loss="mse", optimizer=lm.Adam(0.01))
    >>> curve = lm.validation_curve(make, x, y, [1, 4, 16], epochs=100, batch_size=32)
    >>> curve.name, curve.best_value
    ('units', 16)
    """
    what = "validation_curve"
    named = _first_argument(make) if name is None else name
    make = checked_make(what, make, "def make(value, seed): return lm.Trainer(...)", 2)
    tried = list(values)
    if not tried:
        raise ValueError(f"{what}: values is empty; give what is to be tried")
    repeats = at_least_1(f"{what}: repeats", repeats)
    firsts = [make(value, seed) for value in tried]  # a value that does not fit shows at once
    trainings = Trainings(
        what,
        firsts[0],
        X,
        y,
        sample_weight=sample_weight,
        validation_data=validation_data,
        validation_split=validation_split,
        metric=metric,
        seed=seed,
        callbacks=callbacks,
    )
    del firsts
    scores = Scores(len(tried), repeats)

    def train(point: int, repeat: int) -> None:
        trainer = make(tried[point], seed + repeat)
        trainings.run(trainer, trainings.rows, scores, (point, repeat), **fit)

    interrupted = _all(what, train, scores, verbose)
    found = trainings.metric, trainings.larger_is_better
    return ValidationCurve(named, tried, scores, *found, interrupted)


def _all(what: str, train: Callable[[int, int], None], scores: Scores, verbose: int | str) -> bool:
    """Do all trainings, a repeat of all points after another; True if Ctrl-C ended them."""
    points, repeats = scores.train.shape
    with RowsBar(what, verbose, points * repeats, " trainings") as bar:
        for repeat in range(repeats):
            for point in range(points):
                try:
                    train(point, repeat)
                except KeyboardInterrupt:
                    if scores.done == 0:
                        raise
                    return True
                if bar.show is not None:
                    bar.show(scores.done)
    return False


def _sizes(given: Any, rows: int) -> list[int]:
    """Return numbers of rows, ascending, each once."""
    sizes = np.atleast_1d(np.asarray(given))
    if sizes.ndim != 1 or not sizes.size or sizes.dtype.kind not in "iuf":
        raise ValueError(f"learning_curve: train_sizes must be a list of numbers, got {given!r}")
    if sizes.dtype.kind == "f":
        if not all(0 < share <= 1 for share in sizes):
            raise ValueError(
                "learning_curve: train_sizes: shares must be above 0 and at most 1, got "
                f"{sizes.tolist()}; numbers of rows are whole numbers"
            )
        sizes = np.array([max(1, math.floor(rows * share + 0.5)) for share in sizes])
    if sizes.min() < 1 or sizes.max() > rows:
        raise ValueError(
            f"learning_curve: train_sizes: expected 1 to {rows} rows, which are not held out, got "
            f"{sizes.tolist()}"
        )
    return [int(size) for size in np.unique(sizes)]


def _first_argument(make: Callable[..., Any]) -> str:
    """Return the name of a function's first argument."""
    try:
        return next(iter(inspect.signature(make).parameters), "value")
    except (TypeError, ValueError):
        return "value"
