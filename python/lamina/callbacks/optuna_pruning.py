"""OptunaPruningCallback."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lamina.callbacks.base import Callback, Logs
from lamina.callbacks.monitoring import monitored

__all__ = ["OptunaPruningCallback"]


class OptunaPruningCallback(Callback):
    """Reports each epoch to a trial of Optuna, and ends the training if that is to be pruned.

    Then ``optuna.TrialPruned`` comes out of ``fit``, as it should out of the objective; the model
    keeps the weights of the last epoch. Whether small or large values are good is said by the
    study's direction. The step of a report is the number of the epoch. No epoch is reported twice,
    also where a fit is resumed.

    Parameters
    ----------
    trial : optuna.trial.Trial
        The one that the objective was called with.
    monitor : str, default "val_loss"
        Which value: ``"loss"``, a metric, or one of them with ``val_`` before it, also by alias.

    Raises
    ------
    ImportError
        If Optuna is not installed: ``python -m pip install 'lamina[callbacks]'``.
    ValueError
        At the beginning of a fit that does not produce `monitor`, or if the study has several
        directions, for which Optuna does not prune.

    References
    ----------
    Akiba, Sano, Yanase, Ohta, Koyama, Optuna: a next-generation hyperparameter optimization
    framework, 2019, arXiv:1907.10902.

    Examples
    --------
    >>> import numpy as np
    >>> import optuna
    >>> import lamina as lm
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> x = np.linspace(-1, 1, 64).reshape(-1, 1)
    >>> def objective(trial):
    ...     model = lm.Model([lm.Input(1), lm.Dense(8, activation="tanh"), lm.Dense(1)], seed=0)
    ...     rate = trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True)
    ...     trainer = lm.Trainer(model, loss="mse", optimizer=lm.Adam(rate))
    ...     pruning = lm.OptunaPruningCallback(trial)
    ...     history = trainer.fit(x, x**2, validation_split=0.25, callbacks=[pruning], verbose=0)
    ...     return history["val_loss"][-1]
    >>> study = optuna.create_study(
    ...     sampler=optuna.samplers.RandomSampler(seed=0),
    ...     pruner=optuna.pruners.MedianPruner(n_startup_trials=2),
    ... )
    >>> study.optimize(objective, n_trials=6)
    >>> len(study.trials)
    6
    """

    is_quick = True

    def __init__(self, trial: Any, monitor: str = "val_loss") -> None:
        try:
            from optuna import TrialPruned
        except ImportError as error:
            raise ImportError(
                "OptunaPruningCallback needs Optuna: python -m pip install 'lamina[callbacks]'"
            ) from error
        self._pruned = TrialPruned
        self.trial = trial
        self.monitor = monitor
        self._forget()

    def _forget(self) -> None:
        self._reported = -1  # the last epoch

    def check(self, keys: Sequence[str]) -> None:
        """Raise ValueError if `monitor` is not among the keys, or the study cannot prune."""
        monitored(type(self).__name__, self.monitor, keys)
        directions = getattr(getattr(self.trial, "study", None), "directions", [])
        if len(directions) > 1:
            raise ValueError(
                f"{type(self).__name__}: Optuna prunes studies with one direction, this one has "
                f"{len(directions)}"
            )

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """See what the trial knows already: a killed process may have reported more."""
        study = getattr(self.trial, "study", None)
        if study is not None:
            known = study.get_trials(deepcopy=False)[self.trial.number].intermediate_values
            self._reported = max([self._reported, *known])

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Report the value, and raise TrialPruned if Optuna says so."""
        logs = logs or {}
        value = float(logs[monitored(type(self).__name__, self.monitor, list(logs))])
        if epoch > self._reported:
            self._reported = epoch
            self.trial.report(value, epoch)
        if self.trial.should_prune():
            raise self._pruned(
                f"{self.monitor} {value:.6g} in epoch {epoch}: pruned by the study's pruner"
            )

    def get_state(self) -> dict[str, Any]:
        """Return the last epoch that was reported."""
        return {"reported": self._reported}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Take over the last epoch that was reported."""
        self._reported = int(state["reported"])

    def _has_state(self) -> bool:
        return self._reported >= 0
