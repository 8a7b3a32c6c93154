"""What a doctor's visit looks at: a bounded sample of the rows, drawn by seed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.data import Dataset, class_numbers, class_weight_of
from lamina.sparse import Csr

__all__ = ["MEASURED_ROWS", "TRAINED_ROWS", "Visit", "as_given", "head_of_classes", "taken"]

TRAINED_ROWS = 20_000  # at most, in a trial
MEASURED_ROWS = 4000  # at most, by each measurement


@dataclasses.dataclass
class Visit:
    """A trained network, and the rows that are looked at.

    Parameters
    ----------
    trainer : Trainer
        Is asked, and never changed.
    train : Dataset
        Rows for trials, with all weights that the fit had.
    seen : Dataset
        The first of them, for measuring: without the weights of their classes.
    held_out : Dataset or None
        Validation rows.
    all_rows, all_validation_rows : Dataset
        What these were drawn from.
    class_weight : dict of int to float
        Of the fit; empty if it had none.
    column_names : list of list of str
        By input.
    seed : int
        Of the draw, and of all trials.
    left_out : list of str
        What was not looked at, and why.
    """

    trainer: Any
    train: Dataset
    seen: Dataset
    held_out: Dataset | None
    all_rows: Dataset
    all_validation_rows: Dataset | None
    class_weight: dict[int, float]
    column_names: list[list[str]]
    seed: int
    left_out: list[str] = dataclasses.field(default_factory=list)

    @property
    def batch_size(self) -> int:
        """Of the last fit."""
        plan = self.trainer._plan
        return 128 if plan is None else int(plan.batch_size)

    @property
    def judged(self) -> Dataset:
        """The rows that tell how good a network is: those held out, if there are any."""
        return self.seen if self.held_out is None else self.held_out

    def loss(self, trainer: Any, data: Dataset) -> float:
        """Return a trainer's loss on rows, in inference mode."""
        means, _ = trainer._core.evaluate(*data, 256, trainer.num_threads, [])
        return float(means["loss"])

    def weighted(self, data: Dataset) -> Dataset:
        """Return rows with the weights that their classes had in the fit as well."""
        if not self.class_weight:
            return data
        target = data.targets[0]
        assert target is not None  # class weights go with a single output
        weights = np.array(
            [self.class_weight.get(label.item(), 1.0) for label in class_numbers(target)]
        )
        if data.weights is not None:
            weights *= data.weights.ravel()
        return data._replace(weights=weights)

    @classmethod
    def of(
        cls,
        trainer: Any,
        given: Dataset,
        validation: Dataset | None,
        names: list[list[str]],
        seed: int,
        measured: int = MEASURED_ROWS,
    ) -> Visit:
        """Draw the rows, of training and validation rows so many to measure on."""
        plan = trainer._plan
        if validation is None and plan is not None and plan.validation_split:
            given, validation = _split_again(trainer, given, plan)
        rng = np.random.default_rng(seed)
        train = taken(given, _drawn(rng, given, TRAINED_ROWS))
        seen = taken(train, np.arange(min(train.size, measured)))
        held_out = None
        if validation is not None:
            held_out = taken(validation, np.sort(_drawn(rng, validation, measured)))
        weights = {} if plan is None else _class_weight(plan.class_weight, given)
        visit = cls(trainer, train, seen, held_out, given, validation, weights, names, seed)
        visit.train = visit.weighted(train)
        return visit


def head_of_classes(trainer: Any) -> int | None:
    """Return the first output that predicts one class a row."""
    heads = trainer._core.heads()
    return next((place for place, head in enumerate(heads) if head["classes"]), None)


def _split_again(trainer: Any, data: Dataset, plan: Any) -> tuple[Dataset, Dataset | None]:
    """Hold out the rows that a fit with validation_split held out, if these are its data."""
    before = trainer._split
    try:
        train, held_out = trainer._hold_out(data, plan.validation_split, plan.shuffle)
        same = before is None or trainer._split is before
    finally:
        trainer._split = before
    return (train, held_out) if same else (data, None)


def _drawn(rng: np.random.Generator, data: Dataset, most: int) -> NDArray[np.intp]:
    """Draw rows in random order, so that any first ones are a sample, too."""
    if data.size <= most:
        return rng.permutation(data.size)
    return rng.choice(data.size, size=most, replace=False, shuffle=True)


def taken(data: Dataset, places: NDArray[np.intp]) -> Dataset:
    """Return copies of some of the rows that count."""
    rows = places if data.rows is None else np.asarray(data.rows)[places]
    return Dataset(
        [_csr_rows(x, rows) if isinstance(x, Csr) else np.asarray(x[rows]) for x in data.inputs],
        [None if target is None else np.asarray(target[rows]) for target in data.targets],
        None if data.weights is None else np.asarray(data.weights[rows]),
    )


def _csr_rows(matrix: Csr, rows: NDArray[np.intp]) -> Csr:
    begin, end = matrix.indptr[rows], matrix.indptr[rows + 1]
    parts = [np.arange(first, last) for first, last in zip(begin, end, strict=True)]
    entries = np.concatenate(parts) if parts else np.arange(0)
    starts = np.concatenate([[0], np.cumsum(end - begin)]).astype(matrix.indptr.dtype)
    return Csr(starts, matrix.indices[entries], matrix.data[entries], matrix.columns)


def _class_weight(spec: Any, data: Dataset) -> dict[int, float]:
    """Return the weight of each class that the fit had."""
    given = class_weight_of(spec)
    if isinstance(given, Mapping):
        return dict(given)
    target = data.targets[0]
    if given is None or target is None:
        return {}
    labels = class_numbers(target)
    classes, counts = np.unique(
        labels if data.rows is None else labels[data.rows], return_counts=True
    )
    weights = counts.sum() / (len(classes) * counts)
    return dict(zip(classes.tolist(), weights.tolist(), strict=True))


def as_given(trainer: Any, data: Dataset) -> tuple[Any, Any]:
    """Return X and y as ``fit`` takes them."""
    return _by_name(trainer.model.input_names, data.inputs), _by_name(
        trainer.model.output_names, data.targets
    )


def _by_name(names: Sequence[str], parts: Sequence[Any]) -> Any:
    if len(names) == 1:
        return parts[0]
    return {name: part for name, part in zip(names, parts, strict=True) if part is not None}
