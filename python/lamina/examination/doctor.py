"""lm.doctor: a trained network is examined, together with its data."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from lamina.baseline import least_loss
from lamina.data import Dataset
from lamina.diagnosis import Diagnosis, Facts, diagnose
from lamina.examination.from_data import baseline_loss, data_facts
from lamina.examination.from_layers import layer_facts
from lamina.examination.from_start import look_at_start
from lamina.examination.from_trials import trial_facts
from lamina.examination.trials import measured_rows
from lamina.examination.visit import Visit
from lamina.history_facts import facts_of
from lamina.model import Model
from lamina.network import flat_specs
from lamina.streams import Stream, is_stream
from lamina.trainer import Trainer

__all__ = ["doctor", "examine"]


def examine(
    model: Model,
    trainer: Trainer,
    X: Any,
    y: Any,
    validation_data: tuple[Any, ...] | None = None,
    *,
    sample_weight: ArrayLike | None = None,
    time_budget: float = 5.0,
    seed: int = 0,
) -> Facts:
    """Return the numbers that :func:`doctor` makes its findings from.

    Parameters
    ----------
    model, trainer, X, y, validation_data, sample_weight, time_budget, seed
        As for :func:`doctor`.

    Returns
    -------
    Facts
        Plain numbers: ``lamina.diagnosis.diagnose(facts)`` makes the diagnosis of them.
    """
    given, validation = _checked(model, trainer, X, y, validation_data, sample_weight, time_budget)
    measured = measured_rows(trainer, float(time_budget))
    visit = Visit.of(trainer, given, validation, _column_names(model, X), seed, measured)
    for part in (visit.train, visit.held_out):
        if part is not None:
            trainer._core.check(*part, trainer.num_threads)
    facts = facts_of(trainer.history)
    facts.about.update(_about(visit))
    facts.final_train_loss = visit.loss(trainer, visit.seen)
    if visit.held_out is None:
        visit.left_out.append("new rows: there are no validation data that would tell of them")
        facts.final_val_loss = None
    else:
        facts.final_val_loss = visit.loss(trainer, visit.held_out)
    facts.baseline_loss = baseline_loss(visit, visit.seen, visit.judged)
    facts.baseline_train_loss = baseline_loss(visit, visit.seen, visit.seen)
    facts.least_loss = _least_loss(trainer)
    facts.data = data_facts(visit)
    facts.layers = layer_facts(visit)
    look_at_start(visit, facts.layers)
    if not time_budget:
        visit.left_out.append("all trials: time_budget is 0")
    else:
        facts.trials = trial_facts(visit, facts, float(time_budget))
    facts.about["left_out"] = visit.left_out
    return facts


def doctor(
    model: Model,
    trainer: Trainer,
    X: Any,
    y: Any,
    validation_data: tuple[Any, ...] | None = None,
    *,
    sample_weight: ArrayLike | None = None,
    time_budget: float = 5.0,
    seed: int = 0,
) -> Diagnosis:
    """Examine a trained network together with its data, and say what is wrong with it.

    ``history.diagnose()`` reads the curves alone. The doctor also looks at the data (scales,
    constant columns, rare classes, validation rows unlike those of training) and at the layers, and
    makes small trainings on copies that show whether a suspicion is true: a plain network, this
    one trained on and at other rates, and anew on scaled inputs and targets, as far as that is in
    question. Weights, optimizer, history and random numbers of the trainer stay as they are.

    Some thousand rows, drawn by `seed`, are looked at (at most 20,000 of training in trials, 4,000
    of each kind by measurements), so a visit takes about as long for millions of rows.

    Parameters
    ----------
    model : Model
        The network, after a fit.
    trainer : Trainer
        That trained it.
    X, y : array_like; for several inputs or outputs dicts by name or tuples
        The training data, as for ``trainer.fit``; no stream, but rows of one.
    validation_data : (X, y) or (X, y, sample_weight), optional
        Rows that it was not trained on. Without them, and without a `validation_split` of the fit
        (which is drawn again), nothing tells how it does on new rows.
    sample_weight : array_like, shape (n,), optional
        As for ``trainer.fit``.
    time_budget : float, default 5.0
        Seconds, at least 0, that all trials together may take, about: the number of their steps is
        derived from it and from the network's size, not from the clock, so that a visit ends with
        the same findings everywhere. Most take less. 0: no trials, so that much remains a hint.
    seed : int, default 0
        Of the rows that are drawn, and of the trials.

    Returns
    -------
    Diagnosis
        The findings, problems first; ``diagnosis.verdict`` says in a word what the relation of
        training and validation loss tells.

    Raises
    ------
    ValueError, TypeError
        If nothing has been trained yet, the trainer trains another model, or the data do not fit.
    RuntimeError
        If the model is being trained at the moment.

    See Also
    --------
    History.diagnose : From the curves alone.

    Examples
    --------
    A column in metres and one in millimetres, which no layer scales:

    >>> import numpy as np
    >>> import lamina as lm
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(600, 2)) * [1.0, 1000.0]
    >>> y = np.sin(2 * X[:, 0]) + X[:, 1] / 1000
    >>> model = lm.Model([lm.Input(2), lm.Dense(16, activation="relu"), lm.Dense(1)], seed=0)
    >>> trainer = lm.Trainer(model, loss="mse")
    >>> validation = X[400:], y[400:]
    >>> history = trainer.fit(X[:400], y[:400], epochs=20, validation_data=validation, verbose=0)
    >>> diagnosis = lm.doctor(model, trainer, X[:400], y[:400], validation)
    >>> diagnosis.codes, diagnosis[0].column
    (['UNSCALED_INPUT'], '1')
    """
    return diagnose(
        examine(
            *(model, trainer, X, y, validation_data),
            sample_weight=sample_weight,
            time_budget=time_budget,
            seed=seed,
        )
    )


def _checked(
    model: Any, trainer: Any, X: Any, y: Any, validation: Any, sample_weight: Any, budget: Any
) -> tuple[Dataset, Dataset | None]:
    """Return the data, or refuse what does not go together."""
    if not isinstance(model, Model) or not isinstance(trainer, Trainer):
        got = f"{type(model).__name__} and {type(trainer).__name__}"
        raise TypeError(f"doctor: expected a Model and its Trainer, got {got}")
    if trainer.model is not model:
        raise ValueError("doctor: the trainer trains another model; give trainer.model")
    if not isinstance(budget, (int, float)) or not 0 <= budget < math.inf:
        raise ValueError(f"doctor: time_budget must be finite and at least 0, got {budget!r}")
    if is_stream(X, y) or isinstance(validation, Stream):
        raise TypeError("doctor: a stream cannot be examined; give some thousand of its rows: X, y")
    if trainer._core.fitting:
        raise RuntimeError("doctor: the model is being trained; wait until its fit has returned")
    if trainer._plan is None and not trainer.optimizer.iterations:
        raise ValueError("doctor: nothing has been trained yet; call trainer.fit(X, y) first")
    given = trainer._dataset(X, y, sample_weight)
    return given, None if validation is None else _validation(trainer, validation)


def _validation(trainer: Any, given: Any) -> Dataset:
    if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
        raise ValueError(
            "doctor: validation_data must be (X, y) or (X, y, sample_weight), got "
            f"{type(given).__name__}"
        )
    data: Dataset = trainer._dataset(given[0], given[1], given[2] if len(given) == 3 else None)
    return data


def _column_names(model: Model, X: Any) -> list[list[str]]:
    """Return the names of the columns: a table's own, else their numbers."""
    names = []
    ports = model._core.ports()
    for place, port in enumerate(ports):
        width = int(np.prod(port["shape"]))
        given = X
        if len(ports) > 1 or isinstance(X, dict):
            given = X[port["name"]] if isinstance(X, dict) else X[place]
        columns = [str(name) for name in getattr(given, "columns", [])]
        if len(columns) != width:
            columns = [str(number) for number in range(width)]
        names.append(columns if len(ports) == 1 else [f"{port['name']}[{c}]" for c in columns])
    return names


def _least_loss(trainer: Any) -> float | None:
    """Return what no loss of the model can come below, if all of its outputs have such a value."""
    values = [least_loss(one) for one in trainer._heads.losses]
    return None if None in values else 0.0


def _about(visit: Visit) -> dict[str, Any]:
    trainer = visit.trainer
    losses = [
        one if isinstance(one, str) else getattr(one, "__name__", type(one).__name__)
        for one in trainer._heads.losses
    ]
    return {
        "loss": losses[0] if len(losses) == 1 else losses,
        "optimizer": type(trainer.optimizer).__name__,
        "batch_size": visit.batch_size,
        "weighted": bool(visit.class_weight),
        **_reins(trainer.model),
    }


def _reins(model: Model) -> dict[str, Any]:
    """Return what keeps a network from learning by heart: its dropout, whether it is penalised."""
    specs = list(flat_specs(json.loads(model._core.spec)["layers"]))
    rates = [one.get("rate") for one in specs if one["class"] in {"Dropout", "AlphaDropout"}]
    names = ("kernel_regularizer", "activity_regularizer")
    return {
        "dropout": max(
            (float(rate) for rate in rates if isinstance(rate, (int, float))), default=0.0
        ),
        "penalised": any(one.get(name) for one in specs for name in names),
    }
