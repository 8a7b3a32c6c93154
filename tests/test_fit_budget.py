"""A fit within a time budget stops between steps, says so, and goes on with the same bits.

No time is measured here: a budget of a nanosecond is used up after each step.
"""

import numpy as np
import pytest
from test_resume import (
    BATCH,
    EPOCHS,
    callbacks,
    everything,
    rows,
    trainer_of_everything,
    trainer_of_plain,
)
from test_resume import uninterrupted as uninterrupted

import lamina as lm
from lamina.budget import Budget, Pace

NOTHING = 1e-9  # seconds
LONG = 1e6


def resumed_until_done(trainer, data, **how):
    """The number of calls of resume that a fit needed, each with no time."""
    calls = 0
    while trainer.resumable:
        assert trainer.history.stop_reason == "time budget of 1e-09 s used up"
        trainer.resume(*data, time_budget=NOTHING, **how)
        calls += 1
        assert calls < 1000
    return calls


def test_a_step_or_a_measurement_at_a_time(uninterrupted):
    trainer, data = trainer_of_everything(), rows()
    how = {"validation_data": rows(1), "verbose": 0}
    fit = {"epochs": EPOCHS, "batch_size": BATCH, "callbacks": callbacks()}
    trainer.fit(*data, **fit, **how, time_budget=NOTHING)
    assert trainer.optimizer.iterations == 0  # two batches make an update
    assert trainer._core.cursor == BATCH
    calls = resumed_until_done(trainer, data, **how)
    assert calls == 49 + EPOCHS  # steps, and measurements that had been left due
    assert everything(trainer) == uninterrupted


def test_a_long_budget_changes_nothing(uninterrupted):
    trainer = trainer_of_everything()
    trainer.fit(
        *rows(),
        epochs=EPOCHS,
        batch_size=BATCH,
        validation_data=rows(1),
        callbacks=callbacks(),
        verbose=0,
        time_budget=LONG,
    )
    assert everything(trainer) == uninterrupted
    assert not trainer.resumable


def test_best_weights_are_restored_at_the_end():
    trainer, data = trainer_of_everything(), rows()
    best = lm.EarlyStopping(patience=6)
    how = {"validation_data": rows(1), "verbose": 0}
    trainer.fit(
        *data, epochs=EPOCHS, batch_size=BATCH, callbacks=[best], time_budget=NOTHING, **how
    )
    for _ in range(9 * 6 + 3):  # into the tenth epoch
        trainer.resume(*data, time_budget=NOTHING, **how)
    assert trainer.epoch == 9
    assert trainer.resumable
    assert trainer.evaluate(*rows(1))["loss"] == pytest.approx(best.best, rel=1e-6)


def test_without_measurements_an_epoch_is_recorded_with_its_last_step():
    trainer, data = trainer_of_plain(), rows()
    trainer.fit(*data, epochs=3, batch_size=BATCH, verbose=0, time_budget=NOTHING)
    for _ in range(4):
        trainer.resume(*data, verbose=0, time_budget=NOTHING)
    assert trainer.history.epoch == [0]
    assert resumed_until_done(trainer, data, verbose=0) == 10
    whole = trainer_of_plain()
    whole.fit(*data, epochs=3, batch_size=BATCH, verbose=0)
    assert everything(trainer) == everything(whole)


def test_a_stream():
    x, y = rows(n=200)
    how = {"validation_data": lm.ArrayStream(*rows(1), window_rows=32), "verbose": 0}

    def run(budget):
        trainer, stream = trainer_of_plain(), lm.ArrayStream(x, y, window_rows=64)
        trainer.fit(stream, epochs=2, batch_size=BATCH, time_budget=budget, **how)
        if budget is not None:
            assert resumed_until_done(trainer, (stream,), **how) == 2 * 13 - 1 + 2
        return everything(trainer)

    assert run(NOTHING) == run(None)


def test_a_hook_that_stops_has_the_last_word():
    trainer = trainer_of_plain()
    hooks = [lm.LambdaCallback(on_train_batch_end=lambda *_: trainer.stop("enough"))]
    trainer.fit(*rows(), batch_size=BATCH, callbacks=hooks, verbose=0, time_budget=NOTHING)
    assert trainer.history.stop_reason == "enough"


@pytest.mark.parametrize("budget", [0, -1.0, float("nan"), float("inf"), "60"])
def test_a_budget_that_is_none_is_refused(budget):
    trainer = trainer_of_plain()
    before = trainer.model.fingerprint()
    with pytest.raises(ValueError, match="time_budget must be a number of seconds above 0"):
        trainer.fit(*rows(), time_budget=budget)
    with pytest.raises(ValueError, match="time_budget"):
        trainer.resume(*rows(), time_budget=budget)
    assert trainer.model.fingerprint() == before


class Clock:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("lamina.budget.time.perf_counter", clock)
    return clock


def test_what_a_budget_allows(clock):
    budget = Budget(10)
    clock.now += 9
    assert budget.left == 1
    assert budget.allows(1.25)  # within 3 % of 10 s
    assert not budget.allows(1.5)
    assert budget.allows(1.5, step=0.6)  # within a step
    assert not budget.is_over(step=1.9)
    assert budget.is_over(step=2.1)  # a step would end later than now is early
    clock.now += 2
    assert budget.left == 0
    assert budget.is_over()
    assert not budget.allows(0.1)
    assert budget.allows(0)  # what takes no time
    assert Budget().allows(1e9)
    assert Budget().left is None


def test_the_first_measurement_is_estimated_from_the_training():
    pace = Pace(measured_rows=300)
    assert pace.end == 0
    pace.trained(rows=1000, seconds=10.0)
    assert pace.step(100) == pytest.approx(1.0)
    assert pace.end == pytest.approx(1.0)  # a third of the time of as many trained rows
    pace.ended(0.25)
    assert pace.end == 0.25


def test_a_measurement_that_would_overrun_is_left_due(clock):
    """Here each step, and each row of validation data, takes a second by a clock of our own."""
    trainer, data = trainer_of_plain(), rows()
    calls = []

    def measured(*given):
        calls.append(clock.now)
        clock.now += 70
        return {"loss": 0.0, "val_loss": 0.0}

    trainer._measuring.logs = measured
    hook = lm.LambdaCallback(on_epoch_begin=lambda *_: setattr(clock, "now", clock.now + 5))
    how = {"validation_data": rows(1), "verbose": 0}
    trainer.fit(
        *data, epochs=4, batch_size=BATCH, callbacks=[hook], time_budget=160, **how
    )  # 5, 70, 5, 70: the third epoch begins with 10 left, and cannot be measured
    assert calls == [105, 180]
    assert trainer.epoch == 3
    assert len(trainer.history) == 2
    assert trainer.history.stop_reason == "time budget of 160 s used up"
    trainer.resume(*data, **how)
    assert len(trainer.history) == 4


def test_the_plan_of_a_stopped_fit_is_json():
    import dataclasses
    import json

    trainer = trainer_of_plain()
    trainer.fit(*rows(), batch_size=BATCH, validation_data=rows(1), verbose=0, time_budget=NOTHING)
    plan = dataclasses.asdict(trainer._plan)
    assert json.loads(json.dumps(plan)) == plan


def test_weights_of_zero_alone_do_not_hold_a_fit_up():
    """Steps that are skipped count, too."""
    trainer, (x, y) = trainer_of_plain(), rows()
    weight = np.ones(len(y))
    weight[: 2 * BATCH] = 0
    trainer.fit(
        x, y, sample_weight=weight, shuffle=False, batch_size=BATCH, verbose=0, time_budget=NOTHING
    )
    assert trainer._core.cursor == BATCH
