"""Facts from the data: columns, classes, targets, and what a constant prediction would reach."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.baseline import as_loss, best_constant, constant_loss
from lamina.data import Dataset, class_numbers
from lamina.diagnosis import DataFacts
from lamina.examination.columns import column_facts, ks_distance, scaled_ports
from lamina.examination.visit import Visit, head_of_classes

__all__ = ["baseline_loss", "data_facts", "recalls"]


def data_facts(visit: Visit) -> DataFacts:
    """Return what the data of a visit are like."""
    held_out = visit.all_validation_rows
    facts = DataFacts(visit.all_rows.size, 0 if held_out is None else held_out.size)
    column_facts(visit, facts)
    facts.scaled = all(scaled_ports(visit.trainer.model))
    facts.target_rows = visit.seen.size
    facts.validation_target_rows = 0 if visit.held_out is None else visit.held_out.size
    judged = visit.weighted(visit.judged)
    facts.model_loss = visit.loss(visit.trainer, judged)
    facts.constant_loss = baseline_loss(visit, visit.train, judged)
    place = head_of_classes(visit.trainer)
    if place is not None:
        _class_facts(visit, place, facts)
    else:
        _target_facts(visit, facts)
    facts.prediction_spread = _prediction_spread(visit)
    return facts


def _prediction_spread(visit: Visit) -> float:
    """Return how far predictions lie apart; of a regression beside the targets."""
    predictions = _predictions(visit.trainer, visit.judged)
    spreads = [0.0]
    for head, found, target in zip(
        visit.trainer._core.heads(), predictions, visit.judged.targets, strict=True
    ):
        if target is not None:
            numbers = not head["classes"] and not head["multilabel"]
            beside = float(np.std(target)) if numbers else 0.0
            spreads.append(float(found.std(axis=0).max()) / (beside or 1.0))
    return max(spreads)


def _predictions(trainer: Any, data: Dataset) -> list[NDArray[np.float64]]:
    wanted = [target is not None for target in data.targets]
    _, predictions = trainer._core.evaluate(*data, 256, trainer.num_threads, wanted)
    return [np.asarray(0.0 if one is None else one, np.float64) for one in predictions]


def baseline_loss(visit: Visit, train: Dataset, judged: Dataset) -> float | None:
    """Return the loss, on other rows, of the prediction that is the best constant of some."""
    trainer = visit.trainer
    total = 0.0
    for place, output in enumerate(trainer.model._core.outputs()):
        loss = as_loss(trainer._heads.losses[place])
        target, other = train.targets[place], judged.targets[place]
        if loss is None or target is None or other is None:
            continue
        width = int(np.prod(output["shape"]))
        try:
            constant = best_constant(loss, target, train.weights, width, output["activation"])
            reached = constant_loss(loss, constant, other, judged.weights)
        except Exception as error:  # a function of the user's that takes no such predictions
            visit.left_out.append(f"the best constant prediction: {error}")
            return None
        total += trainer._heads.weights[place] * reached
    return total


def recalls(trainer: Any, place: int, data: Dataset, count: int) -> list[float]:
    """Return the share of each class's rows that a model finds; NaN for a class without rows."""
    given = _predictions(trainer, data)[place]
    found = (
        given.argmax(axis=1) if given.shape[1] > 1 else (given.ravel() > _middle(trainer, place))
    )
    labels = _labels(data.targets[place])
    return [_share(found[labels == label] == label) for label in range(count)]


def _middle(trainer: Any, place: int) -> float:
    """Return where two classes meet: probability 1/2, or 0 for a loss of margins."""
    margins = "Hinge" in type(as_loss(trainer._heads.losses[place])).__name__
    return 0.0 if margins else 0.5


def _share(hits: NDArray[np.bool_]) -> float:
    return float(hits.mean()) if len(hits) else float("nan")


def _labels(target: Any) -> NDArray[np.intp]:
    """Return class numbers from 0; margins' -1 counts as 0."""
    return np.maximum(class_numbers(target), 0).astype(np.intp)


def _class_facts(visit: Visit, place: int, facts: DataFacts) -> None:
    width = int(np.prod(visit.trainer.model._core.outputs()[place]["shape"]))
    count = max(width, 2)

    def counted(data: Dataset) -> list[int]:
        labels = _labels(data.targets[place])
        chosen = labels if data.rows is None else labels[np.asarray(data.rows)]
        return [int(number) for number in np.bincount(chosen, minlength=count)]

    facts.classes = counted(visit.all_rows)
    facts.recall = recalls(visit.trainer, place, visit.judged, count)
    if visit.all_validation_rows is not None:
        facts.validation_classes = counted(visit.all_validation_rows)
        here, there = np.array(facts.classes), np.array(facts.validation_classes)
        facts.target_shift = float(np.abs(here / here.sum() - there / there.sum()).sum() / 2)


def _target_facts(visit: Visit, facts: DataFacts) -> None:
    place = next(p for p, target in enumerate(visit.seen.targets) if target is not None)
    target = _columns_of(visit.seen, place)
    facts.targets = target.shape[1]
    means, spreads = target.mean(axis=0), target.std(axis=0)
    far = np.maximum(np.abs(means), np.abs(np.log(np.maximum(spreads, 1e-300))))
    worst = int(far.argmax())
    facts.target_mean, facts.target_spread = float(means[worst]), float(spreads[worst])
    if visit.held_out is not None:
        there = _columns_of(visit.held_out, place)
        pairs = zip(target.T, there.T, strict=True)
        facts.target_shift = max(ks_distance(one, other) for one, other in pairs)


def _columns_of(data: Dataset, place: int) -> NDArray[np.float64]:
    target = np.asarray(data.targets[place], np.float64)
    return target.reshape(len(target), -1)
