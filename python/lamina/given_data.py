"""What a trainer is given to train and to measure on, checked and as the core takes it."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from lamina.baseline import as_loss, least_loss, mean_loss
from lamina.data import Dataset, class_numbers, class_weight_of, class_weights, dataset, split_rows
from lamina.fitting import FitPlan
from lamina.heads import Heads
from lamina.streaming import RESUMED, StreamData, check_stream, refuse_beside_stream, signature
from lamina.streams import Stream, as_stream, is_stream
from lamina.watching import drawn, measure_sample, sample, sample_rows

__all__ = ["GivenData"]

_MOST_ROWS = 1 << 16  # that are measured at the end of a fit


class GivenData:
    """The part of a Trainer that makes data of its arguments."""

    _core: Any
    _heads: Heads
    _split: tuple[tuple[int, float, bool, int], tuple[list[int], list[int]]] | None
    model: Any
    num_threads: int | None
    set_metrics_on_training: bool

    @property
    def seed(self) -> int:
        """The seed of shuffling, dropout and splitting."""
        return int(self._core.seed)

    def _data(
        self, plan: FitPlan, given: tuple[Any, Any, Any], validation_data: Any
    ) -> tuple[Dataset | StreamData, Dataset | StreamData | None]:
        """Return what is trained and what is measured on."""
        X, y, sample_weight = given
        weights = class_weight_of(plan.class_weight)
        held_out = self._validation(validation_data, plan.epochs)
        if is_stream(X, y):
            refuse_beside_stream(y, sample_weight, plan.validation_split)
            return self._streamed(as_stream(X), plan.epochs, weights), held_out
        data = self._dataset(X, y, sample_weight)
        if held_out is None and plan.validation_split:
            data, held_out = self._hold_out(data, plan.validation_split, plan.shuffle)
        return data if weights is None else self._with_class_weights(data, weights), held_out

    def _check_same(
        self,
        plan: FitPlan,
        data: Dataset | StreamData,
        validation: Dataset | StreamData | None,
        begin: int,
    ) -> int | str | None:
        """Refuse to resume with other validation_data, or between epochs with another stream.

        Return the mark of the validation_data, for the plan of a fit that has begun.
        """
        mark: int | str | None = validation.mark if isinstance(validation, StreamData) else None
        if isinstance(validation, Dataset):
            mark = signature(validation)
        if begin == RESUMED:
            had = plan.validation_signature
            unmarked = had == 0 and isinstance(mark, str)  # a stream, in the first checkpoints
            if mark != had and not unmarked:
                raise ValueError(
                    f"resume: the fit had {'no' if had is None else 'other'} validation_data; give "
                    "what it had, or other_data=True"
                )
            if isinstance(data, StreamData):
                check_stream(self, data, plan.batch_size, plan.shuffle)
        return mark

    def _unweighted(
        self, plan: FitPlan, given: tuple[Any, Any, Any], data: Dataset | StreamData
    ) -> Dataset | StreamData:
        """Return what is trained on without class weights, which validation data do not have."""
        if plan.class_weight is None:
            return data
        if isinstance(data, StreamData):
            return self._streamed(data.stream, 1)
        return self._dataset(*given)._replace(rows=data.rows)

    def _watched(
        self, plan: FitPlan, given: tuple[Any, Any, Any], data: Dataset | StreamData
    ) -> Callable[[], Dataset | None] | None:
        """Return what gives the rows that a fit looks at after each epoch, if it is to monitor.

        To be called when the data have been checked.
        """
        if not plan.monitor:
            return None
        return functools.cache(
            lambda: sample(self._unweighted(plan, given, data), sample_rows(data.size), self.seed)
        )

    def _ending(
        self,
        plan: FitPlan,
        given: tuple[Any, Any, Any],
        data: Dataset | StreamData,
        held_out: Dataset | StreamData | None,
    ) -> tuple[int, Callable[[], dict[str, float]]] | None:
        """Return how many rows are measured at the end of a fit, and what does it.

        As many of those that are trained on as are held out. Beside their loss it gives that of
        the best constant prediction on the rows held out, where a formula says which one that is.
        """
        if not isinstance(held_out, Dataset) or isinstance(data, StreamData):
            return None
        count = min(held_out.size, data.size, _MOST_ROWS)

        def measure() -> dict[str, float]:
            whole = self._unweighted(plan, given, data)
            assert isinstance(whole, Dataset)
            some = drawn(whole, count, self.seed)
            ending = {"train_loss_eval": measure_sample(self, some, layers=False)[0]}
            return ending | self._bounds(some, held_out)

        return count, measure

    def _bounds(self, some: Dataset, held_out: Dataset) -> dict[str, float]:
        """Return what the losses of a fit lie between, as far as that is known.

        The best constant prediction's on the rows held out and on those trained on; the least one.
        """
        target, other = some.targets[0], held_out.targets[0]
        if self._heads.several or target is None or other is None:
            return {}
        loss = as_loss(self._heads.losses[0])
        width = int(np.prod(self.model._core.outputs()[0]["shape"]))
        own = _counted(target, some.weights, some.rows)
        others = _counted(other, held_out.weights, held_out.rows)
        bounds = {
            "baseline_loss": mean_loss(loss, *own, width, *others),
            "baseline_train_loss": mean_loss(loss, *own, width, *own),
            "least_loss": least_loss(loss),
        }
        return {name: value for name, value in bounds.items() if value is not None}

    def _with_class_weights(self, data: Dataset, given: Mapping[int, float] | str) -> Dataset:
        target = data.targets[0]
        if self._heads.several or target is None:
            raise ValueError(
                f"class_weight: the model has several outputs, {self._heads.names}, which share "
                "the rows' weights; give those as sample_weight"
            )
        head = self._core.heads()[0]
        if isinstance(given, str) and (head["multilabel"] or not head["classes"]):
            raise ValueError(f"class_weight: {given!r} needs a loss over classes, one class a row")
        return data._replace(weights=class_weights(target, given, data.weights, data.rows))

    def _dataset(self, X: Any, y: Any, sample_weight: ArrayLike | None) -> Dataset:
        return dataset(X, y, self.model._core.ports(), self._heads.measured, sample_weight)

    def _streamed(
        self, stream: Stream, epochs: int, class_weight: Mapping[int, float] | str | None = None
    ) -> StreamData:
        data = StreamData(stream, self.model._core.ports(), self._heads.measured, class_weight)
        also = self.set_metrics_on_training and self._heads.any_sets
        data.check_readings(epochs * (2 if also else 1), "fit")
        return data

    def _validation(self, given: Any, epochs: int) -> Dataset | StreamData | None:
        if given is None:
            return None
        if isinstance(given, Stream):
            streamed = self._streamed(given, 1)
            streamed.check_readings(epochs, "fit: validation_data")
            if (few := streamed.first_rows(256)) is not None:
                self._core.check(*few, self.num_threads)
            return streamed
        if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
            raise ValueError(
                "fit: validation_data must be (X, y) or (X, y, sample_weight) or a stream, "
                f"lm.Stream(…), got {type(given).__name__}"
            )
        held_out = self._dataset(given[0], given[1], given[2] if len(given) == 3 else None)
        self._core.check(*held_out, self.num_threads)
        return held_out

    def _hold_out(self, data: Dataset, share: float, shuffle: bool) -> tuple[Dataset, Dataset]:
        """Split once a trainer; a later fit on as many rows, of the same labels, gets the same."""
        given = [
            (target, head["classes"])
            for target, head in zip(data.targets, self._core.heads(), strict=True)
            if target is not None
        ]
        classes = [target for target, of_classes in given if of_classes]
        target = (classes or [target for target, _ in given])[0]
        mark = 0
        if classes and shuffle:  # then the draw depends on them
            mark = zlib.crc32(class_numbers(target).astype(np.float64).tobytes())
        key = (data.all_rows, share, shuffle, mark)
        if self._split is None or self._split[0] != key:
            rows = split_rows(target, share, self.seed, stratify=bool(classes), shuffle=shuffle)
            self._split = (key, rows)
        train, held_out = self._split[1]
        return data._replace(rows=train), data._replace(rows=held_out)


def _counted(target: Any, weights: Any, rows: Any) -> tuple[Any, Any]:
    """Return targets and weights of the rows that count."""
    if rows is None:
        return target, weights
    return target[rows], None if weights is None else weights[rows]
