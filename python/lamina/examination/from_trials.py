"""Which trials are made: what a network would be, had one thing been another."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina._config import Configurable
from lamina.baseline import as_loss
from lamina.data import Dataset, class_weights
from lamina.diagnosis import Facts, TrialFacts
from lamina.examination.from_data import recalls
from lamina.examination.reference import BATCH_SIZE, of_any_number, reference
from lamina.examination.trials import TooLargeError, Trials, again, continued
from lamina.examination.visit import Visit, head_of_classes, taken
from lamina.sparse import Csr

__all__ = ["trial_facts"]

_SHORT = 5  # epochs that a network goes on for at least, or begins anew with
_LONG = 100  # epochs of the reference
_PATIENCE = 5  # of its 20 points


def trial_facts(visit: Visit, facts: Facts, time_budget: float) -> list[TrialFacts]:
    """Make all trials that say something of these facts; note those that cannot be made."""
    found = []
    failed: dict[str, list[str]] = {}  # by the reason
    for name, make in _trials(Trials(visit, time_budget), facts):
        try:
            found.append(make())
        except (TooLargeError, ValueError, TypeError, RuntimeError) as error:
            failed.setdefault(str(error), []).append(name)
    for reason, names in failed.items():
        visit.left_out.append(f"trial{'s'[: len(names) - 1]} {', '.join(names)}: {reason}")
    return found


def _trials(trials: Trials, facts: Facts) -> Iterator[tuple[str, Callable[[], TrialFacts]]]:
    visit = trials.visit
    trainer = visit.trainer
    epochs = max(int(trainer.epoch), _SHORT)

    def tried(
        name: str, made: Callable[[], Any], **how: Any
    ) -> tuple[str, Callable[[], TrialFacts]]:
        return name, lambda: trials.run(name, made(), epochs, **how)

    yield "reference", lambda: _reference(trials)
    for name, factor in (("longer", 1.0), ("slower", 0.1), ("faster", 10.0)):
        yield tried(name, partial(continued, trainer, factor))
    for name, factor in (("again", 1.0), ("again_slower", 0.1), ("again_faster", 10.0)):
        yield tried(name, partial(again, trainer, factor))
    inputs, target = _input_scales(visit, facts), _target_scale(visit, facts)
    if inputs:
        yield "scaled_input", lambda: _scaled(trials, "scaled_input", epochs, inputs, None)
    if target is not None:
        yield "scaled_target", lambda: _scaled(trials, "scaled_target", epochs, {}, target)
    if inputs and target is not None:
        yield "scaled", lambda: _scaled(trials, "scaled", epochs, inputs, target)
    if _rare(facts) and not visit.class_weight:
        yield "balanced", lambda: _balanced(trials, epochs)


def _reference(trials: Trials) -> TrialFacts:
    """Train the plain network; without validation rows on three quarters, judged by the rest."""
    visit = trials.visit
    if visit.held_out is None:
        part, count = visit.seen.size // 4, visit.train.size
        judged = taken(visit.seen, np.arange(part))
        train = taken(visit.train, np.arange(part, count))
        visit = dataclasses.replace(visit, train=train, held_out=judged)
        trials = dataclasses.replace(trials, visit=visit)
    how: dict[str, Any] = {"batch_size": BATCH_SIZE, "patience": _PATIENCE, "finer": 2}
    return trials.run("reference", reference(visit), _LONG, **how)


# ---- scales -------------------------------------------------------------------------------------

Scale = tuple[NDArray[np.float64], NDArray[np.float64]]  # what is subtracted, and divided by
_LIMIT = 5.0  # spreads, beyond which outliers are bent back


def _scale_of(columns: NDArray[Any]) -> Scale:
    """Return medians and spreads that outliers do not move; see lm.RobustScale."""
    numbers = np.asarray(columns, np.float64)
    numbers = np.where(np.isnan(numbers).all(axis=0), 0.0, numbers)
    low, middle, high = np.nanquantile(numbers, [0.25, 0.5, 0.75], axis=0)
    half = (np.nanmax(numbers, axis=0) - np.nanmin(numbers, axis=0)) / 2
    spread = np.where(high > low, (high - low) / 1.349, half)  # 1.349: a normal column's is 1
    return middle, np.where(spread > 0, spread, 1.0)


def _plain_scale_of(columns: NDArray[Any]) -> Scale:
    numbers = np.asarray(columns, np.float64)
    spread = numbers.std(axis=0)
    return numbers.mean(axis=0), np.where(spread > 0, spread, 1.0)


def _input_scales(visit: Visit, facts: Facts) -> dict[int, Scale]:
    """Return the scales of the dense numeric inputs, if the model does not scale them all."""
    if facts.data is None or all(column.scaled for column in facts.data.columns):
        return {}
    ports = visit.trainer.model._core.ports()
    return {
        place: _scale_of(x)
        for place, (x, port) in enumerate(zip(visit.train.inputs, ports, strict=True))
        if port["kind"] == "numeric" and not isinstance(x, Csr)
    }


def _target_scale(visit: Visit, facts: Facts) -> Scale | None:
    """Return the scale of the targets of a plain regression."""
    outputs = visit.trainer.model._core.outputs()
    if facts.data is None or not facts.data.targets or len(outputs) > 1:
        return None
    target = visit.train.targets[0]
    if outputs[0]["activation"] != "linear" or target is None or not of_any_number(visit, 0):
        return None
    return _plain_scale_of(target.reshape(len(target), -1))


def _with_inputs_scaled(data: Dataset, scales: dict[int, Scale]) -> Dataset:
    inputs = list(data.inputs)
    for place, (shift, spread) in scales.items():
        z = (inputs[place] - shift) / spread
        inputs[place] = z / np.sqrt(1 + np.square(z / _LIMIT))
    return data._replace(inputs=inputs)


def _scaled(
    trials: Trials, name: str, epochs: int, inputs: dict[int, Scale], target: Scale | None
) -> TrialFacts:
    """Train the same network on scaled rows; its losses are in the units of the targets."""
    visit = trials.visit
    made = again(visit.trainer)
    loss = as_loss(visit.trainer._heads.losses[0])

    def measured(trainer: Any, data: Dataset) -> float:
        data = _with_inputs_scaled(data, inputs)
        if target is None:
            return visit.loss(trainer, data)
        _, predictions = trainer._core.evaluate(*data, 256, trainer.num_threads, [True])
        found = np.asarray(predictions[0], np.float64) * target[1] + target[0]
        return _loss_of(loss, data, found)

    train = _with_inputs_scaled(visit.train, inputs)
    if target is not None:
        given = np.asarray(train.targets[0], np.float64).reshape(train.size, -1)
        train = train._replace(targets=[(given - target[0]) / target[1]])
    return trials.run(name, made, epochs, train, measure=measured)


def _loss_of(loss: Any, data: Dataset, predictions: NDArray[np.float64]) -> float:
    target = np.asarray(data.targets[0], np.float64).reshape(len(predictions), -1)
    if isinstance(loss, Configurable):
        return float(loss(target, predictions, data.weights))  # type: ignore[operator]
    return float(np.average(np.ravel(loss(target, predictions)[0]), weights=data.weights))


# ---- classes ------------------------------------------------------------------------------------


def _rare(facts: Facts) -> bool:
    """Say whether some class has less than half of its share."""
    classes = [] if facts.data is None else facts.data.classes
    return bool(classes) and min(classes) * len(classes) < 0.5 * sum(classes)


def _balanced(trials: Trials, epochs: int) -> TrialFacts:
    """Train the same network with all classes weighing alike."""
    visit = trials.visit
    place = head_of_classes(visit.trainer) or 0
    target = visit.train.targets[place]
    assert target is not None
    weights = class_weights(target, "balanced", visit.train.weights)
    made = again(visit.trainer)
    found = trials.run("balanced", made, epochs, visit.train._replace(weights=weights))
    width = int(np.prod(visit.trainer.model._core.outputs()[place]["shape"]))
    return dataclasses.replace(found, recall=recalls(made, place, visit.judged, max(width, 2)))
