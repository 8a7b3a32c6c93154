"""The epochs of one fit: callbacks are called, values recorded, a stop is heeded.

What a fit was asked for, and how far it has come, is a FitPlan; with the core's train state it is
all that resuming needs.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from lamina._config import Configurable
from lamina.budget import Budget, Pace
from lamina.callbacks import Callback
from lamina.history import History
from lamina.interrupts import note, sigterm_raises, uninterrupted
from lamina.progress import Progress

__all__ = [
    "Due",
    "Fit",
    "FitPlan",
    "check_hooks",
    "hook_params",
    "restore_states",
    "resumed_hooks",
    "states",
]

Train = Callable[..., Mapping[str, Any]]
# Returns the logs of an epoch, and of a monitored fit what is known of each layer.
Measure = Callable[
    [Mapping[str, Any]], tuple[Mapping[str, float], Mapping[str, Mapping[str, float]]]
]


@dataclasses.dataclass
class Due:
    """A hook that not all callbacks have been called with."""

    hook: str
    number: int
    logs: dict[str, float]
    called: int = 0  # so many have, or are just being


@dataclasses.dataclass
class FitPlan:
    """What a fit was asked for, and how far it has come, in JSON's types.

    Parameters
    ----------
    first_epoch, epochs : int
        The number of its first epoch, and of how many there are.
    batch_size, shuffle, check_input, validation_split
        As given to ``Trainer.fit``.
    class_weight : list of [int, float], str or None
        The same as given to ``Trainer.fit``.
    """

    first_epoch: int
    epochs: int
    batch_size: int = 128
    shuffle: bool = True
    check_input: bool = True
    validation_split: float = 0.0
    class_weight: Any = None
    monitor: bool = False
    validation_signature: int | str | None = None  # of validation_data, as the core marks data
    # How far it has come:
    opened: int = -1  # the last epoch that the callbacks know to have begun
    result: dict[str, Any] | None = None  # of an epoch that has not been measured yet
    due: Due | None = None
    best_epoch: int | None = None
    stop_asked: str | None = None  # why, by whoever called stop()
    stop_resumable: bool = False  # also between two epochs
    stop_reason: str | None = None
    ended: bool = False  # by itself: nothing is left to be resumed
    callbacks: list[dict[str, Any]] = dataclasses.field(default_factory=list)  # see states()

    @property
    def last_epoch(self) -> int:
        """The number of the epoch behind its last one."""
        return self.first_epoch + self.epochs


class Fit:
    """One fit of a trainer, or what is left of it.

    Parameters
    ----------
    trainer : Trainer
        Its core trains; it holds why the fit stops, and the history of all fits.
    plan : FitPlan
        Kept up to date: whoever reads it inside a hook finds that hook called.
    hooks : sequence of Callback
        Called in order.
    progress : Progress
        Shows what happens.
    budget : Budget
        The time that it has.
    measured_rows : int, default 0
        That are predicted after each epoch.
    ending : (int, callable), optional
        Measures, once and at the end, what ``history.final`` says beside epoch and val_loss; and
        how many rows are predicted for that.
    """

    def __init__(
        self,
        trainer: Any,
        plan: FitPlan,
        hooks: Sequence[Callback],
        progress: Progress,
        budget: Budget,
        measured_rows: int = 0,
        ending: tuple[int, Callable[[], dict[str, float]]] | None = None,
    ) -> None:
        self._ending = ending
        self._budget, self._pace = budget, Pace(measured_rows)
        self._trainer = trainer
        self._plan = plan
        self._hooks = hooks
        self._progress = progress
        self.history: History = trainer.history.since(plan.first_epoch)
        self._hear_ticks = [hook.on_tick for hook in hooks if overrides(hook, "on_tick")]

    def run(self, train: Train, measure: Measure) -> None:
        """Run the epochs that are left.

        Parameters
        ----------
        train : callable (tick, on_batch, every, budget) -> dict
            Trains what is left of an epoch. ``tick(rows done)`` returns 0 to stop, 1 to go on and 2
            to have the next batch told; ``on_batch(logs) -> go on`` is called after that and after
            each `every`-th batch of the training. What it returns has "end" and "reason".
            It stops between two steps once the budget is used up, but makes one at least.
        measure : callable (dict) -> dict of str to float
            Makes the epoch's logs of what the core says at its end.
        """
        plan = self._plan
        if plan.stop_resumable or self._epoch_is_open():
            plan.stop_asked, plan.stop_resumable = None, False  # that fit has stopped
        try:
            with sigterm_raises(any(hook.wants_sigterm for hook in self._hooks)):
                self._run_all(train, measure)
        except BaseException:
            with contextlib.suppress(Exception):  # a get_state must not hide what went wrong
                plan.callbacks = states(self._hooks)
            raise
        else:
            plan.callbacks = states(self._hooks)
            self._measure_end()
        finally:
            self._note_end()

    def _note_end(self) -> None:
        """Say in the histories how the fit ended."""
        for record in (self.history, self._trainer.history):
            record.stop_reason = self._plan.stop_reason
            record.best_epoch = self._plan.best_epoch

    def _epoch_is_open(self) -> bool:
        """Tell whether an epoch has begun that has not come to its end."""
        return bool(self._plan.opened >= self._trainer._core.epoch)

    def _run_all(self, train: Train, measure: Measure) -> None:
        """Run the epochs and the hooks around them, and tell the callbacks what goes wrong."""
        plan = self._plan
        try:
            self._trainer.history.final = None
            for hook in self._hooks:
                hook.on_train_begin({})
            self._run_epochs(train, measure)
            for hook in self._hooks:
                hook.on_train_end(self._last_logs())
        except BaseException as error:
            interrupted = isinstance(error, KeyboardInterrupt)
            if interrupted and not plan.ended:
                core = self._trainer._core
                where = f"epoch {core.epoch} at row {core.cursor}"
                with contextlib.suppress(Warning):  # where warnings are errors
                    note(error, f"trainer.resume(X, y, ...) goes on in {where}, bit for bit")
            plan.stop_reason = "interrupted" if interrupted else f"{type(error).__name__}: {error}"
            self._note_end()
            self._tell(error)
            raise

    def _run_epochs(self, train: Train, measure: Measure) -> None:
        """Do what is due from before an interruption, then epoch by epoch.

        However small the budget is, each call gets on: by a due measurement, or by a step.
        """
        plan, trainer = self._plan, self._trainer
        self._call_due()
        got_on = plan.result is not None
        if plan.result is not None:
            self._end_epoch(measure)
        while plan.stop_asked is None and trainer.epoch < plan.last_epoch:
            if got_on and self._budget.is_over(self._pace.step(plan.batch_size)):
                plan.stop_reason = self._budget.reason
                return
            if not self._run_epoch(train):
                return
            last = trainer.epoch == plan.last_epoch
            rows = self._ending[0] if last and self._ending is not None else 0
            seconds = self._pace.end + self._pace.prediction(rows)
            if not self._budget.allows(seconds, self._pace.step(plan.batch_size)):
                plan.stop_reason = self._budget.reason  # resuming measures first
                return
            self._end_epoch(measure)
            got_on = True
        with uninterrupted():
            plan.stop_reason = plan.stop_asked or "all epochs done"
            left = trainer.epoch < plan.last_epoch
            plan.ended = not (self._epoch_is_open() or (plan.stop_resumable and left))

    def _run_epoch(self, train: Train) -> bool:
        """Train an epoch, or what is left of it; False if it did not come to its end."""
        plan, core = self._plan, self._trainer._core
        epoch = core.epoch
        if plan.opened < epoch:
            with uninterrupted():
                plan.opened = epoch
                plan.due = Due("on_epoch_begin", epoch, {})
            self._call_due()
        asked = plan.stop_asked is not None  # by on_epoch_begin
        begin, before = time.perf_counter(), core.cursor
        end = {"end": "stopped"} if asked else train(self._tick, *self._batch_hook(), self._budget)
        if end["end"] == "diverged":
            plan.stop_reason, plan.ended = f"diverged: {end['reason']}", True
            self._progress.warn(plan.stop_reason)
            return False
        if end["end"] == "stopped":
            plan.stop_reason, plan.stop_asked = plan.stop_asked or self._budget.reason, None
            return False
        self._pace.trained(core.cursor - before, time.perf_counter() - begin)
        rows = core.cursor
        for hear in self._hear_ticks:
            hear(rows)
        with uninterrupted():
            rate = self._trainer.optimizer.handle.last_learning_rate  # an epoch's end changes it
            plan.result = {**core.finish_epoch(), "learning_rate": rate}
        self._progress.rows_known(rows)
        return True

    def _end_epoch(self, measure: Measure) -> None:
        """Measure, record and call the callbacks."""
        plan, trainer = self._plan, self._trainer
        assert plan.result is not None
        begin = time.perf_counter()
        logs, layers = measure(plan.result)
        logs, rate = dict(logs), plan.result["learning_rate"]
        epoch = trainer.epoch - 1
        with uninterrupted():
            plan.result = None
            plan.due = Due("on_epoch_end", epoch, logs)
            for record in (self.history, trainer.history):
                record.append(epoch, logs, rate, layers)
        self._progress.epoch_done(epoch, logs)
        self._call_due()
        self._pace.ended(time.perf_counter() - begin)

    def _measure_end(self) -> None:
        """Note how the weights that are left do on training and on validation data."""
        plan, core = self._plan, self._trainer._core
        values = self.history.history.get("val_loss", [])
        went_back = (plan.stop_reason or "").startswith(("diverged", "TerminateOnNaN"))
        if self._ending is None or not values or went_back:
            return
        epoch = plan.best_epoch if core.shows_best else self.history.epoch[-1]
        if core.cursor > 0 or not plan.ended or epoch not in self.history.epoch:
            return
        with contextlib.suppress(Exception):  # a fit that is complete does not end by this
            val_loss = values[self.history.epoch.index(epoch)]
            final = {"epoch": epoch, "val_loss": val_loss, **self._ending[1]()}
            self.history.final, self._trainer.history.final = final, dict(final)

    def _call_due(self) -> None:
        """Call the hooks that have not been called; one that raises counts as called."""
        due = self._plan.due
        while due is not None and due.called < len(self._hooks):
            hook = self._hooks[due.called]
            with uninterrupted() if hook.is_quick else contextlib.nullcontext():
                due.called += 1
                getattr(hook, due.hook)(due.number, due.logs)
        self._plan.due = None

    def _tell(self, error: BaseException) -> None:
        """Call on_exception; what goes wrong there must not hide the error itself."""
        for hook in self._hooks:
            try:
                hook.on_exception(error)
            except Exception as another:
                with contextlib.suppress(Warning):  # where warnings are errors
                    self._progress.warn(f"{type(hook).__name__}.on_exception: {another!r}")

    def _last_logs(self) -> dict[str, float]:
        """Return the logs of the last epoch of this fit; empty if there is none."""
        return {key: values[-1] for key, values in self.history.history.items() if values}

    def _tick(self, cursor: int) -> int:
        self._progress.rows_done(cursor)
        for hear in self._hear_ticks:
            hear(cursor)
        if self._plan.stop_asked is not None:
            return 0
        asked = any(hook.asks_for_batches and hook.wants_next_batch() for hook in self._hooks)
        return 2 if asked else 1

    def _batch_hook(self) -> tuple[Callable[[dict[str, float]], bool] | None, int]:
        """Return what the engine calls after batches, and after every how many of them."""
        intervals = [hook.batch_interval for hook in self._hooks]
        if not any(intervals) and not any(hook.asks_for_batches for hook in self._hooks):
            return None, 0
        plan, core = self._plan, self._trainer._core

        def hook_batch(logs: dict[str, float]) -> bool:
            batch = -(-core.cursor // plan.batch_size) - 1
            plan.due = Due("on_train_batch_end", batch, logs)
            self._call_due()
            return plan.stop_asked is None

        return hook_batch, math.gcd(*intervals)


def states(hooks: Sequence[Callback]) -> list[dict[str, Any]]:
    """Return what resuming needs to know of callbacks: their classes, arguments and states."""
    return [
        {"class": type(hook).__name__, "spec": _spec(hook), "state": hook.get_state()}
        for hook in hooks
    ]


def _spec(hook: Callback) -> dict[str, Any] | None:
    """Return what a callback can be made anew from, if it can."""
    try:
        return hook.to_spec() if isinstance(hook, Configurable) else None
    except (TypeError, ValueError):
        return None  # an argument that JSON does not know


def overrides(hook: Callback, name: str) -> bool:
    """Tell whether a callback has its own method of that name."""
    return getattr(type(hook), name) is not getattr(Callback, name)


def resumed_hooks(
    plan: FitPlan, there: Sequence[Callback], given: Sequence[Callback] | None
) -> list[Callback]:
    """Return the callbacks of a fit that is resumed; :func:`restore_states` must follow.

    Parameters
    ----------
    plan : FitPlan
        Of that fit.
    there : sequence of Callback
        The objects that were in it, if it ran in this process.
    given : sequence of Callback or None
        Those to go on with, if the caller says.

    Raises
    ------
    ValueError
        If there are others than in that fit, or none and they cannot be made anew.
    """
    before = [one["class"] for one in plan.callbacks]
    if given is None:
        given = there or [_made(one) for one in plan.callbacks]
    now = [type(hook).__name__ for hook in given]
    if now != before:
        raise ValueError(
            f"resume: the fit had the callbacks [{', '.join(before)}], got [{', '.join(now)}]"
        )
    return list(given)


def restore_states(plan: FitPlan, hooks: Sequence[Callback]) -> None:
    """Give the callbacks of a fit that is resumed the states of their predecessors."""
    for hook, one in zip(hooks, plan.callbacks, strict=True):
        if one["state"] and plan.opened >= 0:  # else the fit begins anew
            hook.set_state(one["state"])


def _made(one: Mapping[str, Any]) -> Callback:
    """Make a callback anew from its arguments."""
    if one["spec"] is None:
        raise ValueError(
            f"resume: the fit had a callback {one['class']}, which cannot be made from a file; "
            "give callbacks=[…], all of them in their order"
        )
    return cast(Callback, Configurable.from_spec(one["spec"]))


def hook_params(plan: FitPlan, rows: int | None, done: int) -> dict[str, Any]:
    """Return what callbacks may know of a fit to so many rows, of which so many epochs are done."""
    steps = None if rows is None else -(-rows // plan.batch_size)
    return {
        "epochs": plan.epochs,
        "batch_size": plan.batch_size,
        "rows": rows,
        "steps": steps,
        "epochs_done": done,
    }


def check_hooks(hooks: Sequence[Callback]) -> None:
    """Refuse two callbacks that would overwrite each other's best weights."""
    restoring = [hook for hook in hooks if getattr(hook, "restore_best_weights", False)]
    if len(restoring) > 1:
        raise ValueError(
            "fit: one callback can restore the best weights, got "
            f"{', '.join(map(repr, restoring))}; give the others restore_best_weights=False"
        )
