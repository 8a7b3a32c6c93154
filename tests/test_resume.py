"""A fit that was interrupted and resumed ends with the bits of one that was not."""

import signal

import numpy as np
import pytest

import lamina as lm
from lamina.fitting import Fit
from lamina.interrupts import uninterrupted as uninterrupted_block

ROWS, COLUMNS, BATCH, EPOCHS = 70, 6, 16, 10  # 5 batches an epoch, the last one short: 50 steps


def rows(seed=0, n=ROWS):
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, COLUMNS)).astype(np.float32)
    return x, (np.sin(x[:, 0]) + x[:, 1] > 0.2).astype(np.int64)


def trainer_of_everything():
    """Dropout, batch statistics, a moving average, one-cycle, accumulation."""
    model = lm.Model(
        [
            lm.Input(COLUMNS),
            lm.Dense(16, activation="relu", kernel_regularizer=lm.L2(1e-3)),
            lm.BatchNormalization(),
            lm.Dropout(0.2),
            lm.Dense(2, activation="softmax"),
        ],
        seed=3,
    )
    optimizer = lm.Adam(
        learning_rate=lm.OneCycle(max_learning_rate=0.02),
        use_ema=True,
        ema_momentum=0.9,
        gradient_accumulation_steps=2,
    )
    return lm.Trainer(
        model, loss="categorical_crossentropy", optimizer=optimizer, metrics=["accuracy"]
    )


def callbacks():
    return [
        lm.ReduceLROnPlateau(factor=0.5, patience=1),
        lm.EarlyStopping(patience=6),
    ]


def everything(trainer):
    """All that could differ."""
    history = trainer.history
    return (
        trainer.model.fingerprint(),
        trainer._core.state(),
        history.epoch,
        {key: [repr(value) for value in values] for key, values in history.history.items()},
        history.best_epoch,
        history.stop_reason,
    )


@pytest.fixture(scope="module")
def uninterrupted():
    trainer = trainer_of_everything()
    x, y = rows()
    trainer.fit(
        x,
        y,
        epochs=EPOCHS,
        batch_size=BATCH,
        validation_data=rows(1),
        callbacks=callbacks(),
        verbose=0,
    )
    return everything(trainer)


class StopAt(lm.Callback):
    """Ends a fit after one step of all."""

    def __init__(self, step, how):
        self.step, self.how, self.seen = step, how, 0

    def on_train_batch_end(self, batch, logs=None):
        self.seen += 1
        assert batch == (self.seen - 1) % 5
        if self.seen == self.step:
            self.how(self.trainer)


def raising(error):
    def how(trainer):
        raise error

    return how


WAYS = {
    "stop": lambda trainer: trainer.stop(),
    "exception": raising(RuntimeError("on purpose")),
    "ctrl-c": raising(KeyboardInterrupt()),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("step", [1, 4, 5, 6, 23, 25, 49])
def test_interrupted_at_a_step(uninterrupted, step, way):
    trainer, (x, y) = trainer_of_everything(), rows()
    hooks = [StopAt(step, WAYS[way]), *callbacks()]
    how = {"validation_data": rows(1), "verbose": 0}
    try:
        trainer.fit(x, y, epochs=EPOCHS, batch_size=BATCH, callbacks=hooks, **how)
    except (RuntimeError, KeyboardInterrupt):
        assert way != "stop"
    assert trainer.resumable == (step % 5 != 0 or way != "stop")
    if trainer.resumable:
        trainer.resume(x, y, **how)
        assert everything(trainer) == uninterrupted
        assert not trainer.resumable
        assert hooks[0].seen == 50


def test_interrupted_at_every_second_step(uninterrupted):
    trainer, (x, y) = trainer_of_everything(), rows()

    class Interrupting(lm.Callback):
        calls = 0

        def on_train_batch_end(self, batch, logs=None):
            self.calls += 1
            if self.calls % 2 == 0:
                raise KeyboardInterrupt

    how = {"validation_data": rows(1), "verbose": 0}
    hooks = [*callbacks(), Interrupting()]
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(x, y, epochs=EPOCHS, batch_size=BATCH, callbacks=hooks, **how)
    for _ in range(24):
        with pytest.raises(KeyboardInterrupt):
            trainer.resume(x, y, **how)
    trainer.resume(x, y, **how)
    assert hooks[-1].calls == 50
    assert everything(trainer) == uninterrupted


@pytest.mark.parametrize("place", range(3))
def test_a_hook_that_raises_at_an_epochs_end_is_called_once(uninterrupted, place):
    trainer, (x, y) = trainer_of_everything(), rows()
    calls = []

    def raising_once(epoch, logs):
        calls.append(epoch)
        if epoch == 3:
            raise RuntimeError("on purpose")

    hooks = callbacks()
    hooks.insert(place, lm.LambdaCallback(on_epoch_end=raising_once))
    how = {"validation_data": rows(1), "verbose": 0}
    with pytest.raises(RuntimeError, match="on purpose"):
        trainer.fit(x, y, epochs=EPOCHS, batch_size=BATCH, callbacks=hooks, **how)
    trainer.resume(x, y, **how)
    assert calls == list(range(10))
    assert everything(trainer) == uninterrupted


def test_ctrl_c_leaves_the_best_weights_and_resume_goes_on_from_the_last(uninterrupted):
    trainer, (x, y) = trainer_of_everything(), rows()
    best = lm.EarlyStopping(patience=6)

    def interrupt(epoch, logs):
        if epoch == 7:
            raise KeyboardInterrupt

    hooks = [lm.ReduceLROnPlateau(factor=0.5, patience=1), best]
    hooks.append(lm.LambdaCallback(on_epoch_end=interrupt))
    how = {"validation_data": rows(1), "verbose": 0}
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(x, y, epochs=EPOCHS, batch_size=BATCH, callbacks=hooks, **how)
    assert trainer.evaluate(*rows(1))["loss"] == pytest.approx(best.best, rel=1e-6)
    trainer.model.layers[0].kernel[:] = 0  # forgotten when it goes on
    trainer.resume(x, y, **how)
    assert everything(trainer) == uninterrupted


def test_a_measurement_that_is_interrupted_is_made_when_it_goes_on(uninterrupted, monkeypatch):
    trainer, (x, y) = trainer_of_everything(), rows()
    measure, calls = trainer._measuring.logs, []

    def interrupted_once(*given):
        calls.append(trainer.epoch)
        if calls == [1, 2, 3, 4]:
            raise KeyboardInterrupt
        return measure(*given)

    monkeypatch.setattr(trainer._measuring, "logs", interrupted_once)
    how = {"validation_data": rows(1), "verbose": 0}
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(x, y, epochs=EPOCHS, batch_size=BATCH, callbacks=callbacks(), **how)
    assert len(trainer.history) == 3
    trainer.resume(x, y, **how)
    assert everything(trainer) == uninterrupted


def test_the_history_of_a_resumed_fit_has_all_of_its_epochs():
    trainer, (x, y) = trainer_of_plain(), rows()
    trainer.fit(x, y, epochs=2, verbose=0)
    stopping = StopAtEpoch(3)
    part = trainer.fit(x, y, epochs=4, callbacks=[stopping], verbose=0)
    assert part.epoch == [2]
    assert part.stop_reason == "for a test"
    whole = trainer.resume(x, y, verbose=0)
    assert whole.epoch == [2, 3, 4, 5]
    assert whole.stop_reason == "all epochs done"
    assert trainer.history.epoch == list(range(6))


class StopAtEpoch(lm.Callback):
    """Stops inside an epoch, before its first step is done."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            self.trainer.stop("for a test")


def trainer_of_plain():
    model = lm.Model([lm.Input(COLUMNS), lm.Dense(4, activation="tanh"), lm.Dense(1)], seed=0)
    return lm.Trainer(model, loss="mse")


def test_a_stream_goes_on_at_the_window_where_it_stopped():
    x, y = rows(n=200)

    def run(step):
        trainer = trainer_of_plain()
        stream = lm.ArrayStream(x, y, window_rows=64)
        seen = []

        def stop(batch, logs):
            seen.append(batch)
            if len(seen) == step:
                raise KeyboardInterrupt

        hooks = [lm.LambdaCallback(on_train_batch_end=stop)]
        try:
            trainer.fit(stream, epochs=3, batch_size=BATCH, callbacks=hooks, verbose=0)
        except KeyboardInterrupt:
            trainer.resume(stream, verbose=0)
        return *everything(trainer), seen

    whole = run(0)
    for step in (1, 4, 5, 12, 13, 14, 26, 38):
        assert run(step) == whole, step


def test_a_stream_whose_last_measurement_was_interrupted(monkeypatch):
    x, y = rows(n=200)
    trainer = trainer_of_plain()
    stream = lm.ArrayStream(x, y, window_rows=64)
    measure, calls = trainer._measuring.logs, []

    def interrupted_once(*given):
        calls.append(trainer.epoch)
        if calls == [1, 2]:
            raise KeyboardInterrupt
        return measure(*given)

    monkeypatch.setattr(trainer._measuring, "logs", interrupted_once)
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(stream, epochs=2, batch_size=BATCH, verbose=0)
    weights = trainer.model.fingerprint()
    assert len(trainer.resume(stream, verbose=0)) == 2
    assert calls == [1, 2, 2]
    assert trainer.model.fingerprint() == weights


def test_resuming_within_a_hook_is_refused():
    trainer, (x, y) = trainer_of_plain(), rows()
    hook = lm.LambdaCallback(on_epoch_end=lambda *_: trainer.resume(x, y, verbose=0))
    with pytest.raises(RuntimeError, match="resume: the model is being trained"):
        trainer.fit(x, y, epochs=2, callbacks=[hook], verbose=0)
    assert trainer.resumable


# ---- what is refused ----------------------------------------------------------------------------


def stopped(**options):
    """A trainer whose fit was stopped at the beginning of epoch 1."""
    trainer, (x, y) = trainer_of_plain(), rows()
    hooks = [StopAtEpoch(1), *options.pop("callbacks", [])]
    trainer.fit(x, y, epochs=3, batch_size=BATCH, callbacks=hooks, verbose=0, **options)
    assert trainer.resumable
    return trainer


def test_other_data_are_refused_unless_told_otherwise():
    x, y = rows()
    trainer = stopped()
    before = everything(trainer)
    other_x, other_y = x.copy(), y.copy()
    other_x[0, 0] += 1
    other_y[0] = 1 - other_y[0]
    for given in [(x[1:], y[1:]), (other_x, y), (x, other_y)]:
        with pytest.raises(ValueError, match=r"resume: these are other data .*other_data=True"):
            trainer.resume(*given, verbose=0)
    with pytest.raises(ValueError, match="other data"):
        trainer.resume(x, y, sample_weight=np.ones(ROWS), verbose=0)
    with pytest.raises(ValueError, match="the fit had no validation_data"):
        trainer.resume(x, y, validation_data=rows(1), verbose=0)
    assert everything(trainer) == before
    assert trainer.resumable
    assert trainer.resume(x[1:], y[1:], other_data=True, verbose=0).epoch == [0, 1, 2]


def test_validation_data_must_be_given_again():
    trainer = stopped(validation_data=rows(1))
    for validation in (None, rows(2)):
        with pytest.raises(ValueError, match="the fit had other validation_data"):
            trainer.resume(*rows(), validation_data=validation, verbose=0)
    trainer.resume(*rows(), validation_data=rows(1), verbose=0)


def test_a_validation_split_is_the_same_again():
    trainer = stopped(validation_split=0.25)
    history = trainer.resume(*rows(), verbose=0)
    whole = trainer_of_plain()
    assert (
        whole.fit(*rows(), epochs=3, batch_size=BATCH, validation_split=0.25, verbose=0).history
        == history.history
    )


def test_nothing_to_resume():
    trainer, (x, y) = trainer_of_plain(), rows()
    with pytest.raises(ValueError, match=r"resume: no fit has been; fit\("):
        trainer.resume(x, y)
    trainer.fit(x, y, epochs=1, verbose=0)
    assert not trainer.resumable
    with pytest.raises(ValueError, match="the last fit has ended: all epochs done"):
        trainer.resume(x, y)
    trainer = stopped()
    trainer.reset()
    with pytest.raises(ValueError, match="no fit has been"):
        trainer.resume(x, y)


def test_other_callbacks_are_refused():
    trainer = stopped(callbacks=[lm.EarlyStopping("loss")])
    with pytest.raises(
        ValueError, match=r"had the callbacks \[StopAtEpoch, EarlyStopping\], got \["
    ):
        trainer.resume(*rows(), callbacks=[lm.EarlyStopping("loss")], verbose=0)
    trainer.resume(*rows(), callbacks=[StopAtEpoch(9), lm.EarlyStopping("loss")], verbose=0)


# ---- Ctrl-C at awkward moments ------------------------------------------------------------------


class Core:
    """A trainer's core with a Ctrl-C at the end of one of its calls."""

    def __init__(self, core, call):
        self._core, self._call = core, call

    def __getattr__(self, name):
        found = getattr(self._core, name)
        if name != self._call:
            return found

        def interrupted(*given, **named):
            result = found(*given, **named)
            self._call = None
            signal.raise_signal(signal.SIGINT)
            return result

        return interrupted


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("call", ["begin_fit", "run_window", "finish_epoch", "end_fit"])
def test_ctrl_c_as_a_call_of_the_core_returns(call, streamed):
    x, y = rows()

    def run(interrupted):
        trainer = trainer_of_plain()
        given = (lm.ArrayStream(x, y, window_rows=32),) if streamed else (x, y)
        hooks = [lm.EarlyStopping("loss"), lm.LambdaCallback()]
        how = {"epochs": 3, "batch_size": BATCH, "callbacks": hooks, "verbose": 0}
        if not interrupted:
            trainer.fit(*given, **how)
            return everything(trainer)
        real = trainer._core
        trainer._core = Core(real, call)
        with pytest.raises(KeyboardInterrupt):
            trainer.fit(*given, **how)
        trainer._core = real
        assert not real.fitting
        if call == "end_fit":  # nothing is left
            assert not trainer.resumable
        else:
            trainer.resume(*given, verbose=0)
        return everything(trainer)

    assert run(interrupted=True) == run(interrupted=False)


def test_signals_that_are_held_back_come_after_the_block_in_order_and_handlers_stay():
    came = []
    before = signal.signal(signal.SIGTERM, lambda *_: came.append("term"))
    try:
        with pytest.raises(KeyboardInterrupt), uninterrupted_block():  # noqa: PT012
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGINT)
            assert came == []
        assert came == ["term"]
        with pytest.raises(KeyboardInterrupt), uninterrupted_block():  # noqa: PT012
            signal.raise_signal(signal.SIGINT)
            raise ValueError("the block's own")
        signal.raise_signal(signal.SIGTERM)
        assert came == ["term", "term"]
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGTERM, before)


class SignalIn(lm.EarlyStopping):
    """A Ctrl-C in the middle of one of our own callbacks."""

    at = 2

    def _key(self, keys):
        if self.trainer._core.fitting and self.trainer.epoch == self.at:
            self.at = None
            signal.raise_signal(signal.SIGINT)
        return super()._key(keys)


def test_ctrl_c_within_a_callback_that_counts(uninterrupted):
    trainer, (x, y) = trainer_of_everything(), rows()
    hooks = [lm.ReduceLROnPlateau(factor=0.5, patience=1), SignalIn(patience=6)]
    how = {"validation_data": rows(1), "verbose": 0}
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(x, y, epochs=EPOCHS, batch_size=BATCH, callbacks=hooks, **how)
    trainer.resume(x, y, **how)
    assert everything(trainer) == uninterrupted


def test_every_callback_hears_of_every_epochs_beginning():
    trainer, (x, y), heard = trainer_of_plain(), rows(), []

    def first(epoch, logs):
        heard.append(("first", epoch))
        if epoch == 1:
            raise RuntimeError("on purpose")

    hooks = [
        lm.LambdaCallback(on_epoch_begin=first),
        lm.LambdaCallback(on_epoch_begin=lambda epoch, logs: heard.append(("second", epoch))),
    ]
    with pytest.raises(RuntimeError, match="on purpose"):
        trainer.fit(x, y, epochs=3, callbacks=hooks, verbose=0)
    trainer.resume(x, y, verbose=0)
    assert heard == [(who, epoch) for epoch in range(3) for who in ("first", "second")]


def test_a_stop_that_leaves_a_fit_resumable_between_epochs():
    x, y = rows()

    def run(**stop):
        trainer = trainer_of_plain()

        def ask(epoch, logs):
            if epoch == 1 and stop:
                trainer.stop("a signal", **stop)

        hooks = [lm.LambdaCallback(on_epoch_end=ask), lm.EarlyStopping("loss")]
        history = trainer.fit(x, y, epochs=4, callbacks=hooks, verbose=0)
        if trainer.resumable:
            assert history.stop_reason == "a signal"
            trainer.resume(x, y, verbose=0)
        return everything(trainer)

    assert run(resumable=True) == run()
    assert run(resumable=False) != run()


def test_a_stop_while_nothing_runs_is_none():
    trainer = stopped()
    trainer.stop("too late")
    assert len(trainer.resume(*rows(), verbose=0)) == 3


def test_early_stopping_is_not_forgotten(monkeypatch):
    """Where Ctrl-C comes after the last callback and before the fit has ended."""
    x, y = rows()
    trainer = trainer_of_plain()
    real, calls = Fit._call_due, []

    def interrupted(fit):
        real(fit)
        calls.append(fit._trainer.epoch)
        if fit._plan.stop_asked:
            raise KeyboardInterrupt

    monkeypatch.setattr(Fit, "_call_due", interrupted)
    hooks = [lm.EarlyStopping("loss", patience=1, min_delta=1e9, restore_best_weights=False)]
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(x, y, epochs=9, callbacks=hooks, verbose=0)
    monkeypatch.setattr(Fit, "_call_due", real)
    history = trainer.resume(x, y, verbose=0)
    assert len(history) == 2
    assert history.stop_reason.startswith("EarlyStopping")


def test_a_refused_resume_leaves_callbacks_alone():
    x, y = rows()
    stopping = lm.EarlyStopping("loss", patience=2, min_delta=1e9)
    trainer = stopped(callbacks=[stopping])
    with pytest.raises(ValueError, match="other data"):
        trainer.resume(x[1:], y[1:], verbose=0)
    trainer.fit(x, y, epochs=2, callbacks=[stopping], verbose=0)
    assert (stopping.wait, stopping.best_epoch) == (1, 1)  # counted anew


def test_a_state_that_cannot_be_had_does_not_hide_what_went_wrong():
    class Broken(lm.Callback):
        broken = False

        def on_epoch_end(self, epoch, logs=None):
            self.broken = True
            raise ValueError("the real reason")

        def get_state(self):
            if self.broken:
                raise TypeError("my state is broken")
            return {}

    with pytest.raises(ValueError, match="the real reason"):
        trainer_of_plain().fit(*rows(), epochs=2, callbacks=[Broken()], verbose=0)


def test_a_fit_after_an_epoch_that_was_not_measured_leaves_no_hole(monkeypatch):
    x, y = rows()
    trainer = trainer_of_plain()
    measure = trainer._measuring.logs

    def interrupted(*given):
        raise KeyboardInterrupt

    monkeypatch.setattr(trainer._measuring, "logs", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(x, y, epochs=1, verbose=0)
    monkeypatch.setattr(trainer._measuring, "logs", measure)
    trainer.fit(x, y, epochs=1, verbose=0)
    assert trainer.history.epoch == [0, 1]
    assert np.isfinite(trainer.history["loss"]).all()


def stream_of(x, y, weights=None, window_rows=64):
    """A stream of chunks, which can be read again."""

    def chunks():
        for begin in range(0, len(x), 40):
            part = slice(begin, begin + 40)
            yield (x[part], y[part]) if weights is None else (x[part], y[part], weights[part])

    return lm.Stream(chunks, rows=len(x), window_rows=window_rows)


def raised_at_the_end_of(epoch):
    def hook(now, logs):
        if now == epoch:
            raise KeyboardInterrupt

    return lm.LambdaCallback(on_epoch_end=hook)


def interrupted_between_epochs(kind, epoch, n=200, **options):
    """A trainer, interrupted at an epoch's end, and a whole one's fingerprint."""
    prints = []
    for hooks in ([], [raised_at_the_end_of(epoch)]):
        trainer = trainer_of_plain()
        given = kind(*rows(n=n))
        given = given if isinstance(given, tuple) else (given,)
        how = {"epochs": 3, "batch_size": BATCH, "callbacks": hooks, "verbose": 0, **options}
        try:
            trainer.fit(*given, **how)
        except KeyboardInterrupt:
            assert trainer._core.cursor == 0
        prints.append(trainer.model.fingerprint())
    return trainer, prints[0]


def windows_of(*given):
    return lm.ArrayStream(*given, window_rows=64)


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("epoch", range(3))
@pytest.mark.parametrize("kind", [stream_of, windows_of])
def test_another_stream_between_epochs_is_refused(kind, epoch, shuffle):
    x, y = rows(n=200)
    trainer, whole = interrupted_between_epochs(kind, epoch, shuffle=shuffle)
    before = everything(trainer)
    weights = np.full(len(x), 2.0)
    for given in (kind(100 * x, y), kind(x, 1 - y), kind(x, y, weights), kind(x[1:], y[1:])):
        with pytest.raises(ValueError, match=r"resume: these are other data .*other_data=True"):
            trainer.resume(given, verbose=0)
    with pytest.raises(ValueError, match="these are other data"):
        trainer.resume(x, y, verbose=0)
    assert everything(trainer) == before
    trainer.resume(kind(x, y), verbose=0)
    assert trainer.model.fingerprint() == whole
    assert not trainer.resumable


@pytest.mark.parametrize("epoch", range(3))
def test_a_stream_interrupted_before_its_epochs_first_step_is_known(epoch):
    x, y = rows(n=200)
    trainer, interrupting = trainer_of_plain(), []

    def begin(logs):
        if interrupting:
            raise KeyboardInterrupt

    hooks = [StopAtEpoch(epoch), lm.LambdaCallback(on_train_begin=begin)]
    trainer.fit(windows_of(x, y), epochs=3, batch_size=BATCH, callbacks=hooks, verbose=0)
    assert (trainer.epoch, trainer._core.cursor) == (epoch, 0)
    interrupting.append(True)
    with pytest.raises(KeyboardInterrupt):  # its mark is that of this epoch's first window now
        trainer.resume(windows_of(x, y), verbose=0)
    interrupting.clear()
    with pytest.raises(ValueError, match="these are other data"):
        trainer.resume(windows_of(x + 1, y), verbose=0)
    assert len(trainer.resume(windows_of(x, y), verbose=0)) == 3


def test_a_stream_for_a_fit_that_began_on_arrays_is_refused():
    x, y = rows(n=200)
    trainer, whole = interrupted_between_epochs(lambda *given: given, 0)
    with pytest.raises(ValueError, match="these are other data"):
        trainer.resume(stream_of(5 * x, y), verbose=0)
    with pytest.raises(ValueError, match="these are other data"):
        trainer.resume(windows_of(x, y), verbose=0)
    trainer.resume(x, y, verbose=0)
    assert trainer.model.fingerprint() == whole


def test_streams_of_validation_data_are_told_apart():
    x, y = rows(1)
    weights = np.full(len(x), 2.0)
    trainer = stopped(validation_data=stream_of(x, y))
    for other in (stream_of(2 * x, y), stream_of(x, y, weights), stream_of(x[:60], y[:60]), (x, y)):
        with pytest.raises(ValueError, match="the fit had other validation_data"):
            trainer.resume(*rows(), validation_data=other, verbose=0)
    trainer.resume(*rows(), validation_data=stream_of(x, y), verbose=0)


def test_a_refused_call_forgets_no_validation_data():
    trainer = stopped(validation_data=rows(1))
    x, y = rows()
    with pytest.raises(ValueError, match="NaN"):
        trainer.resume(np.full_like(x, np.nan), y, other_data=True, validation_data=rows(2))
    with pytest.raises(ValueError, match="the fit had other validation_data"):
        trainer.resume(x, y, validation_data=rows(2), verbose=0)
    trainer.resume(x, y, validation_data=rows(1), verbose=0)
