"""Checkpoints, read: a Trainer that goes on where another one was."""

from __future__ import annotations

import dataclasses
import json
import os
import warnings
from collections.abc import Mapping
from typing import Any

from lamina._isa import core
from lamina.fitting import Due, FitPlan
from lamina.history import History
from lamina.losses import Loss
from lamina.metrics import Metric
from lamina.model import Model
from lamina.network import flat_specs
from lamina.optimizers import Optimizer
from lamina.saving import described
from lamina.trainer import Trainer

__all__ = ["load_checkpoint"]


def load_checkpoint(
    path: str | os.PathLike[str],
    trainer: Trainer | None = None,
    *,
    num_threads: int | None = None,
) -> Trainer:
    """Return a Trainer as it was when ``trainer.save_checkpoint`` wrote the file.

    Its ``resume(X, y, ...)`` goes on with the fit, if one was running: with the same data it ends
    with the same bits as if nothing had happened, on any number of threads. It may also fit,
    evaluate and predict at once. A checkpoint that was written inside a fit looks as if that fit
    had been interrupted there.

    Parameters
    ----------
    path : str or path-like
        The file.
    trainer : Trainer, optional
        One that was made with the same arguments as the one that wrote the file. It takes over
        everything, and so does its model. Needed where loss, metrics or schedules are Python
        functions, or classes that are not defined here. Default: model and trainer are made
        from the file.
    num_threads : int, optional
        Of the new Trainer; it belongs to the machine, not to the file.

    Returns
    -------
    Trainer
        A new one, or the one given.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is damaged, no checkpoint, or written by a newer version; if it cannot be made into a
        Trainer without `trainer`; or if `trainer` has another model, optimizer, loss or metrics.
        Nothing has been changed then.
    RuntimeError
        If `trainer` is in a fit.

    Notes
    -----
    A file of an older version that added numbers in another order loads with a RuntimeWarning:
    training goes on, but not with the bits of an uninterrupted run.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> import lamina as lm
    >>> x = np.linspace(-1, 1, 64).reshape(-1, 1)
    >>> def trainer():
    ...     layers = [lm.Input(1), lm.Dense(8, activation="tanh"), lm.Dense(1)]
    ...     return lm.Trainer(lm.Model(layers, seed=0), loss="mse")
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "run.ckpt"
    >>> first = trainer()
    >>> def save_and_stop(batch, logs):
    ...     if first.epoch == 3 and batch == 1:
    ...         first.save_checkpoint(path)
    ...         first.stop()
    >>> watch = lm.LambdaCallback(on_train_batch_end=save_and_stop)
    >>> history = first.fit(x, x**2, epochs=9, batch_size=16, callbacks=[watch], verbose=0)

    Later, and elsewhere; a callback of functions cannot be in a file and is given again:

    >>> second = lm.load_checkpoint(path)
    >>> second.resumable, second.epoch
    (True, 3)
    >>> history = second.resume(x, x**2, callbacks=[lm.LambdaCallback()], verbose=0)
    >>> whole = trainer()
    >>> history = whole.fit(x, x**2, epochs=9, batch_size=16, verbose=0)
    >>> second.model.fingerprint() == whole.model.fingerprint()
    True
    """
    path = os.fspath(path)
    found: list[tuple[Trainer, dict[str, Any]]] = []

    def trainer_for(metadata: Mapping[str, str]) -> Any:
        extra = json.loads(metadata.get("extra", "null"))
        if not isinstance(extra, dict):
            raise ValueError(f"{path}: a train state without a trainer, no checkpoint")
        if trainer is None:
            made = _made(path, metadata["spec"], extra["trainer"], num_threads)
        else:
            made = trainer
            _check_same(path, made, metadata, extra["trainer"])
        found.append((made, extra))
        return made._core

    if trainer is not None and trainer._core.fitting:
        raise RuntimeError("load_checkpoint: the trainer is in a fit; stop it first")
    same_bits = core.load_checkpoint(path, trainer_for)
    result, extra = found[0]
    _take_over(result, extra)
    if not same_bits:
        warnings.warn(
            f"{path} was written by an older version of Lamina, which added numbers in another "
            "order: training goes on from it, but not bit for bit as it would have there",
            RuntimeWarning,
            stacklevel=2,
        )
    return result


def _made(path: str, spec: str, arguments: dict[str, Any], num_threads: int | None) -> Trainer:
    """Make model and trainer anew."""
    if missing := arguments["missing"]:
        raise ValueError(_advice(path, f"a file cannot hold {', '.join(missing)}"))
    try:
        optimizer = Optimizer.from_spec(arguments["optimizer"])
        losses = [one and Loss.from_spec(one) for one in arguments["losses"]]
        metrics = [[Metric.from_spec(m) for m in one] for one in arguments["metrics"]]
    except (ValueError, TypeError) as error:  # a class of the user's
        raise ValueError(_advice(path, str(error))) from error
    model = Model.__new__(Model)
    model._adopt(core.Model(spec))
    one = len(losses) == 1
    return Trainer(
        model,
        loss=losses[0] if one else losses,
        optimizer=optimizer,
        metrics=metrics[0] if one else metrics,
        loss_weights=arguments["loss_weights"],
        set_metrics_on_training=arguments["set_metrics_on_training"],
        num_threads=num_threads,
    )


def _advice(path: str, why: str) -> str:
    return (
        f"{path}: {why}; make model and trainer with the same arguments as before and give it: "
        "lm.load_checkpoint(path, trainer=trainer)"
    )


def _check_same(
    path: str, trainer: Trainer, metadata: Mapping[str, str], arguments: dict[str, Any]
) -> None:
    """Refuse a trainer made from other arguments; freeze its layers as they were."""

    def check(name: str, had: Any, has: Any) -> None:
        if had != has:
            raise ValueError(
                f"{path}: the trainer that wrote it had other {name}: {had}, this one has {has}"
            )

    spec, mine = json.loads(metadata["spec"]), json.loads(trainer.model._core.spec)
    for name in ("dtype", "wiring", "outputs"):
        check(f"{name} of the model", spec.get(name), mine.get(name))
    had, has = ([_unfrozen(one) for one in made["layers"]] for made in (spec, mine))
    check("layers, in number", len(had), len(has))
    for place, (one, other) in enumerate(zip(had, has, strict=True)):
        check(f"layers, at place {place}", one, other)
    now = described(trainer)
    for name in ("losses", "loss_weights", "metrics", "set_metrics_on_training"):
        check(name, arguments[name], now[name])
    check(
        "settings of the optimizer",
        json.loads(metadata["optimizer"]),
        json.loads(trainer.optimizer.handle.spec),
    )
    for layer, one in zip(trainer.model._walk(), flat_specs(spec["layers"]), strict=True):
        trainable = one.get("trainable", True)
        if "layers" in one:
            object.__setattr__(layer, "trainable", trainable)  # not for what is inside it
        elif layer.trainable != trainable:
            layer.trainable = trainable


def _unfrozen(spec: Any) -> Any:
    """Return a layer's spec without what may change at any time."""
    if isinstance(spec, list):
        return [_unfrozen(one) for one in spec]
    if isinstance(spec, dict):
        return {name: _unfrozen(one) for name, one in spec.items() if name != "trainable"}
    return spec


def _take_over(trainer: Trainer, extra: Mapping[str, Any]) -> None:
    """Give a trainer what the core does not know."""
    trainer.history = History.from_json(extra["history"])
    trainer._plan = _plan(extra["plan"])
    trainer._hooks = []
    trainer._split = None  # the same is drawn again


def _plan(values: dict[str, Any] | None) -> FitPlan | None:
    """Make a plan anew; what an older version did not know has its default."""
    if values is None:
        return None
    plan = FitPlan(**_known(FitPlan, values))
    if values["due"] is not None:
        plan.due = Due(**_known(Due, values["due"]))
    return plan


def _known(cls: type, values: Mapping[str, Any]) -> dict[str, Any]:
    names = {one.name for one in dataclasses.fields(cls)}
    return {name: value for name, value in values.items() if name in names}
