"""Several trainings that differ in one thing: the same rows held out, seeds that are repeated."""

from __future__ import annotations

import copy
import inspect
import reprlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lamina.callbacks.base import Callback, as_callbacks
from lamina.data import as_array, as_target, drawn_order, split_rows
from lamina.metrics._base import direction, find_key
from lamina.sparse import is_sparse
from lamina.streams import is_stream
from lamina.trainer import Trainer

__all__ = ["Scores", "Trainings", "checked_make"]

_SUBSETS = 6  # the stream of random numbers that orders rows for nested subsets
_Floats = NDArray[np.float64]


class Scores:
    """The scores of several trainings: a row a point of a curve, a column a repeat.

    Parameters
    ----------
    points, repeats : int
        How many.
    """

    def __init__(self, points: int, repeats: int) -> None:
        self.train: _Floats = np.full((points, repeats), np.nan)
        self.validation: _Floats = np.full((points, repeats), np.nan)
        self.diverged: NDArray[np.bool_] = np.zeros((points, repeats), dtype=bool)
        self.done = 0


class Trainings:
    """Trains fresh trainers on parts of the same data and measures them on the same rows.

    Parameters
    ----------
    what : str
        Whose arguments these are, for messages.
    first : Trainer
        One of those that will be trained, to check everything with; is left as it is.
    X, y, sample_weight, validation_data, validation_split
        As in ``Trainer.fit``, but no streams.
    metric : str or None
        What is measured. None: the trainer's first metric, or the loss without one.
    seed : int
        Of the rows held out, and of the first repeat.
    callbacks : sequence of Callback, Callback or None
        Each training gets copies.
    """

    def __init__(
        self,
        what: str,
        first: Trainer,
        X: Any,
        y: Any,
        *,
        sample_weight: ArrayLike | None,
        validation_data: tuple[Any, ...] | None,
        validation_split: float,
        metric: str | None,
        seed: int,
        callbacks: Sequence[Callback] | Callback | None,
    ) -> None:
        if is_stream(X, y):
            raise ValueError(f"{what}: a stream has no rows to choose from; give arrays")
        self._what, self.seed = what, seed
        data = first._dataset(X, y, sample_weight)
        first._core.check(*data, first.num_threads)
        self._given = X, y, sample_weight
        self._several = len(first.model._core.ports()) > 1, first._heads.several
        self._callbacks = as_callbacks(callbacks)
        heads = zip(data.targets, first._core.heads(), strict=True)
        given = [(target, head["classes"]) for target, head in heads if target is not None]
        classes = [target for target, of_classes in given if of_classes]
        self._stratify = bool(classes)
        self._target = (classes or [target for target, _ in given])[0]
        if validation_data is None:
            self.rows, held_out = split_rows(
                self._target, validation_split, seed, stratify=self._stratify, shuffle=True
            )
            *parts, weights = self._part(held_out)
            self.validation_data = (*parts, *([] if weights is None else [weights]))
        else:
            first._validation(validation_data, 1)  # checks it
            self.rows, self.validation_data = list(range(data.size)), tuple(validation_data)
        self.metric = self._metric(first, metric)
        self.larger_is_better: bool | None = None
        if self.metric in _losses(first):
            self.larger_is_better = False
        else:
            names = list(first._heads.names)
            self.larger_is_better = direction(self.metric, first.metrics, names)

    def _metric(self, first: Trainer, metric: str | None) -> str:
        keys = first._heads.keys(sets=True)
        if metric is None:
            losses = _losses(first)
            return next((key for key in keys if key not in losses), "loss")
        found = find_key(metric, keys)
        if found is None:
            raise ValueError(
                f"{self._what}: metric: the trainer does not measure {metric!r}, but "
                f"{', '.join(keys)}"
            )
        return found

    def subsets(self, sizes: Sequence[int], seed: int) -> list[list[int]]:
        """Return rows for training, so many each; smaller ones are part of the larger ones.

        Of each class about the same share in all. In ascending order, so that all of them are as
        they were given.
        """
        order = drawn_order(self._target[self.rows], seed, _SUBSETS, stratify=self._stratify)
        rows = np.asarray(self.rows)
        return [sorted(rows[order[:size]].tolist()) for size in sizes]

    def run(
        self,
        trainer: Trainer,
        rows: list[int],
        scores: Scores,
        place: tuple[int, int],
        **fit: Any,
    ) -> None:
        """Train on some rows, measure, and note the scores; NaN if the training diverged."""
        X, y, weight = self._part(rows)
        callbacks = [copy.deepcopy(one) for one in self._callbacks]
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "diverged", RuntimeWarning)
            history = trainer.fit(
                X,
                y,
                sample_weight=weight,
                validation_data=self.validation_data if callbacks else None,
                callbacks=callbacks,
                verbose=0,
                **fit,
            )
        if (history.stop_reason or "").startswith("diverged"):
            scores.diverged[place] = True
        else:
            held_out = self.validation_data
            weights = held_out[2] if len(held_out) == 3 else None
            train = trainer.evaluate(X, y, sample_weight=weight, verbose=0)
            measured = trainer.evaluate(*held_out[:2], sample_weight=weights, verbose=0)
            scores.train[place], scores.validation[place] = (
                train[self.metric],
                measured[self.metric],
            )
        scores.done += 1

    def _part(self, rows: list[int]) -> tuple[Any, Any, Any]:
        """Return some rows of what was given."""
        X, y, weight = self._given
        return (
            _part(X, rows, self._several[0], lambda one: as_array("X", one)),
            _part(y, rows, self._several[1], as_target),
            None if weight is None else as_array("sample_weight", weight)[rows],
        )


def _losses(trainer: Trainer) -> list[str]:
    """Return the keys of the loss, and of those of each output."""
    heads = trainer._heads
    return ["loss", *(f"{heads.prefix(place)}loss" for place in range(len(heads.names)))]


def _part(data: Any, rows: list[int], several: bool, convert: Callable[[Any], NDArray[Any]]) -> Any:
    """Return some rows of an array, or of several."""
    if is_sparse(data):
        return data.tocsr()[rows]
    if isinstance(data, Mapping):
        return {name: _part(one, rows, False, convert) for name, one in data.items()}
    if several and isinstance(data, (list, tuple)):
        return [_part(one, rows, False, convert) for one in data]
    return None if data is None else convert(data)[rows]


def checked_make(
    what: str, make: Callable[..., Any], example: str, count: int
) -> Callable[..., Trainer]:
    """Return `make` with checks: fresh trainers alone, which know their seed.

    Parameters
    ----------
    what : str
        Whose argument it is.
    make : callable
        The user's; its last argument is the seed.
    example : str
        How it should look.
    count : int
        How many arguments it gets.

    Raises
    ------
    TypeError
        If it cannot be called so. What it raises itself is raised again as TypeError or ValueError,
        with what it was called with.
    """
    try:
        inspect.signature(make).bind(*range(count))
    except TypeError as error:
        raise TypeError(f"{what}: make: expected {example}; {error}") from None
    except ValueError:
        pass  # something built in, whose arguments nobody knows
    seen: list[Any] = []

    def checked(*given: Any) -> Trainer:
        try:
            trainer = make(*given)
        except (TypeError, ValueError, AttributeError, LookupError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(_failed(what, given, example, error)) from error
        if not isinstance(trainer, Trainer):
            raise TypeError(
                f"{what}: make must return a Trainer, got {type(trainer).__name__}; expected "
                f"{example}"
            )
        if (
            trainer.epoch
            or trainer.optimizer.iterations
            or any(trainer.model is model for model in seen)
        ):
            raise ValueError(
                f"{what}: make must return a new Trainer of a new Model at each call, this one has "
                f"been used before; expected {example}"
            )
        seed = given[-1]
        if seed not in (trainer.seed, trainer.model.seed):
            raise ValueError(
                f"{what}: make was given the seed {seed} and returned a Trainer with the seed "
                f"{trainer.seed}: hand it on, lm.Model(layers, seed=seed), so that the repeats "
                "differ and can be repeated"
            )
        seen[:] = [*seen[-50:], trainer.model]
        return trainer

    return checked


def _failed(what: str, given: Sequence[Any], example: str, error: Exception) -> str:
    """Say what `make` was called with, in which order, and what it raised."""
    *values, seed = map(reprlib.repr, given)
    order = f"the value {values[0]} first, then the seed {seed}" if values else f"the seed {seed}"
    return (
        f"{what}: make was called with {order}, and raised {type(error).__name__}: {error}; "
        f"expected {example}"
    )
