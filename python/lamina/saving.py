"""Checkpoints, written: what a Trainer puts beside the core's train state."""

from __future__ import annotations

import dataclasses
import json
import os
import threading
from typing import Any

from lamina._config import Configurable, spec_json
from lamina._isa import core
from lamina.callbacks import Callback
from lamina.files import remove_leftovers
from lamina.fitting import FitPlan, states
from lamina.heads import Heads
from lamina.history import History
from lamina.metrics import Metric
from lamina.optimizers import Optimizer

__all__ = ["Saving", "described"]


class Saving:
    """The part of a Trainer that writes checkpoints."""

    _core: Any
    _heads: Heads
    _plan: FitPlan | None
    _hooks: list[Callback]
    _thread: int | None  # that runs the last fit
    model: Any
    history: History
    optimizer: Optimizer
    loss_weights: Any
    set_metrics_on_training: bool

    def save_checkpoint(self, path: str | os.PathLike[str]) -> None:
        """Write all that going on needs to a file, whole or not at all.

        :func:`lamina.load_checkpoint` makes a Trainer of it, in this process or another one, on
        this machine or another one: its :meth:`resume` ends with the bits that this training would
        have ended with. The file holds the model, the optimizer's state, moving average and best
        weights, the trainer's arguments, the history, what the fit was asked for, how far it has
        come, and the state of its callbacks; no data, and no code: Python functions are known by
        name only.

        It may be called at any time: before, between and after fits, and in any hook of a callback,
        also in the middle of an epoch. :class:`lamina.ModelCheckpoint` calls it while a fit runs.

        Parameters
        ----------
        path : str or path-like
            The file. An older one stays until the new one is whole and on the disk; a link stays
            a link.

        Raises
        ------
        OSError
            If the file cannot be written; an older one is then untouched.
        RuntimeError
            If another thread is training.
        TypeError
            If a callback's ``get_state`` returns what JSON cannot hold.

        Examples
        --------
        >>> import pathlib, tempfile
        >>> import numpy as np
        >>> import lamina as lm
        >>> x = np.linspace(-1, 1, 64).reshape(-1, 1)
        >>> model = lm.Model([lm.Input(1), lm.Dense(8, activation="tanh"), lm.Dense(1)], seed=0)
        >>> trainer = lm.Trainer(model, loss="mse")
        >>> history = trainer.fit(x, x**2, epochs=3, verbose=0)
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "run.ckpt"
        >>> trainer.save_checkpoint(path)
        >>> again = lm.load_checkpoint(path)
        >>> again.model.fingerprint() == model.fingerprint(), again.epoch
        (True, 3)
        """
        if self._core.fitting and self._thread != threading.get_ident():
            raise RuntimeError(
                "save_checkpoint: another thread is training; give its fit a "
                "callback lm.ModelCheckpoint(path), or wait until it has returned"
            )
        plan = None if self._plan is None else dataclasses.asdict(self._plan)
        if plan is not None and self._core.fitting:  # else they are as the fit left them
            plan["callbacks"] = states(self._hooks)
        extra = {"trainer": described(self), "history": self.history.to_json(), "plan": plan}
        text = _json(extra)
        path = os.path.realpath(path) if os.path.islink(path) else os.fspath(path)
        remove_leftovers(path)
        self._core.save(path, text)


def _json(extra: dict[str, Any]) -> str:
    """Return the text; an error names the callback whose state cannot be in one."""
    try:
        return json.dumps(extra)
    except (TypeError, ValueError):
        for one in (extra["plan"] or {}).get("callbacks", ()):
            try:
                json.dumps(one["state"])
            except (TypeError, ValueError) as error:
                raise TypeError(
                    f"save_checkpoint: {one['class']}.get_state() returned what JSON cannot hold: "
                    f"{error}"
                ) from error
        raise


def described(trainer: Any) -> dict[str, Any]:
    """Return a trainer's arguments in JSON's types; "missing" names what a file cannot hold."""
    missing: list[str] = []
    functions: list[Any] = []
    for layer in trainer.model._network.layers:
        layer._spec(functions)
    if functions:
        missing.append("a schedule in the model")
    functions = []
    optimizer = trainer.optimizer._spec(functions)
    if functions:
        missing.append("a schedule of the optimizer")
    heads = trainer._heads
    return {
        "losses": [_loss(one, missing) for one in heads.losses],
        "loss_weights": heads.weights,
        "metrics": [[_metric(m, missing) for m in one.metrics] for one in heads.measures],
        "optimizer": optimizer,
        "set_metrics_on_training": trainer.set_metrics_on_training,
        "missing": missing,
    }


def _loss(loss: Any, missing: list[str]) -> Any:
    """Return the loss' full description, or a function's name."""
    if loss is None or isinstance(loss, (str, Configurable)):
        return json.loads(core.resolve("losses", spec_json(loss))) if loss is not None else None
    missing.append(f"the loss {_name(loss)}")
    return {"function": _name(loss)}


def _metric(metric: Metric, missing: list[str]) -> Any:
    function = getattr(metric, "function", None)
    if function is None:
        try:
            return metric.to_spec()
        except (TypeError, ValueError, AttributeError):
            pass
    name = _name(function or type(metric))
    missing.append(f"the metric {name}")
    return {"function": name}


def _name(function: Any) -> str:
    return str(getattr(function, "__name__", type(function).__name__))
