"""The epochs of one fit: callbacks are called, values recorded, a stop is heeded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lamina.callbacks import Callback
from lamina.history import History
from lamina.progress import Progress

__all__ = ["Fit", "check_hooks"]

Train = Callable[[Any, Any], Mapping[str, Any]]
Logs = Callable[[Mapping[str, Any]], Mapping[str, float]]


class Fit:
    """One fit of a trainer.

    Parameters
    ----------
    trainer : Trainer
        Holds why the fit stops, and the history of all fits.
    hooks : sequence of Callback
        Called in order.
    progress : Progress
        Shows what happens.
    history : History
        Of this fit.
    """

    def __init__(
        self, trainer: Any, hooks: Sequence[Callback], progress: Progress, history: History
    ) -> None:
        self._trainer = trainer
        self._hooks = hooks
        self._progress = progress
        self._history = history

    def run(self, epochs: int, train: Train, logs: Logs) -> None:
        """Run the epochs.

        Parameters
        ----------
        epochs : int
            How many.
        train : callable (tick, on_batch) -> dict
            Trains an epoch: ``tick(rows done) -> go on``, ``on_batch(logs) -> go on`` or None. What
            it returns has "end", "reason" and whatever `logs` reads.
        logs : callable (dict) -> dict of str to float
            Makes the epoch's logs of what `train` returned.
        """
        trainer = self._trainer
        trainer._stop_reason = trainer._best_epoch = None
        for hook in self._hooks:
            hook.on_train_begin()
        try:
            for _ in range(epochs):
                self._run_epoch(train, logs)
                if trainer._stop_reason is not None:
                    break
            else:
                trainer._stop_reason = "all epochs done"
        except KeyboardInterrupt:
            trainer._stop_reason = "interrupted"
            raise
        except BaseException as error:
            trainer._stop_reason = f"{type(error).__name__}: {error}"
            raise
        for hook in self._hooks:
            hook.on_train_end()

    def _run_epoch(self, train: Train, measure: Logs) -> None:
        trainer = self._trainer
        epoch = trainer.epoch
        for hook in self._hooks:
            hook.on_epoch_begin(epoch)
        result = train(self._tick, self._batch_hook())
        if result["end"] == "diverged":
            trainer._stop_reason = f"diverged: {result['reason']}"
            self._progress.warn(trainer._stop_reason)
            return
        if result["end"] == "stopped":
            trainer._stop_reason = trainer._stop_reason or "stopped"
            return
        if "rows" in result:  # of a stream
            self._progress.rows_known(result["rows"])
        logs = measure(result)
        for record in (self._history, trainer.history):
            record.append(epoch, logs)
        self._progress.epoch_done(epoch, logs)
        for hook in self._hooks:
            hook.on_epoch_end(epoch, logs)

    def _tick(self, cursor: int) -> bool:
        self._progress.rows_done(cursor)
        return self._trainer._stop_reason is None

    def _batch_hook(self) -> Callable[[dict[str, float]], bool] | None:
        """Return what the engine calls after each step, or None if nobody listens."""
        listening = [hook for hook in self._hooks if hook.wants_batches]
        if not listening:
            return None
        batch = 0

        def hook_batch(logs: dict[str, float]) -> bool:
            nonlocal batch
            for hook in listening:
                hook.on_train_batch_end(batch, logs)
            batch += 1
            return self._trainer._stop_reason is None

        return hook_batch


def check_hooks(hooks: Sequence[Callback]) -> None:
    """Refuse two callbacks that would overwrite each other's best weights."""
    restoring = [hook for hook in hooks if getattr(hook, "restore_best_weights", False)]
    if len(restoring) > 1:
        raise ValueError(
            "fit: one callback can restore the best weights, got "
            f"{', '.join(map(repr, restoring))}; give the others restore_best_weights=False"
        )
