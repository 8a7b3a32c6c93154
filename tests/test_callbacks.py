"""The callbacks beside EarlyStopping, and what all of them may rely on."""

import copy
import io
import json
import pickle
import sys

import numpy as np
import pytest

import lamina as lm
from lamina._config import Configurable

NAN = float("nan")
BATCH = 16


def rows(seed=0, n=70):
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, 3))
    return x, x[:, :1] - x[:, 1:2] * x[:, 2:]


def trainer_of(dtype="float32", **options):
    model = lm.Model(
        [lm.Input(3), lm.Dense(8, activation="tanh"), lm.Dense(1)], seed=0, dtype=dtype
    )
    return lm.Trainer(model, loss="mse", **options)


def fit(trainer, *hooks, epochs=4, **options):
    return trainer.fit(
        *rows(), epochs=epochs, batch_size=BATCH, callbacks=list(hooks), verbose=0, **options
    )


class Interrupting(lm.Callback):
    """Raises at one event, once."""

    def __init__(self, hook, number, error=None):
        self.at, self.error = (hook, number), error or KeyboardInterrupt()

    def _look(self, *event):
        if event == self.at:
            self.at = None
            raise self.error

    def on_epoch_begin(self, epoch, logs=None):
        self._look("on_epoch_begin", epoch)

    def on_epoch_end(self, epoch, logs=None):
        self._look("on_epoch_end", epoch)


# ---- what all of them share ---------------------------------------------------------------------

PLAIN = {
    "CSVLogger": lambda folder: lm.CSVLogger(folder / "epochs.csv", separator=";"),
    "EarlyStopping": lambda folder: lm.EarlyStopping("loss", patience=3),
    "ProgressBar": lambda folder: lm.ProgressBar(unit="rows"),
    "ReduceLROnPlateau": lambda folder: lm.ReduceLROnPlateau("loss"),
    "TerminateOnNaN": lambda folder: lm.TerminateOnNaN(),
}


@pytest.mark.parametrize("name", PLAIN)
def test_each_can_be_made_anew_from_plain_data(name, tmp_path, capsys):
    callback = PLAIN[name](tmp_path)
    fit(trainer_of(), callback)
    made = Configurable.from_spec(json.loads(json.dumps(callback.to_spec())))
    assert made == callback
    assert repr(made) == repr(callback)
    made.set_state(json.loads(json.dumps(callback.get_state())) or callback.get_state())
    assert made.get_state() == callback.get_state()
    twin = copy.deepcopy(callback)
    assert twin == callback
    assert twin.trainer is None
    anew = PLAIN[name](tmp_path)
    for one in (twin, copy.copy(callback), pickle.loads(pickle.dumps(callback))):
        assert one.get_state() == anew.get_state()
        assert not one._has_state()
    fit(trainer_of(), twin)
    capsys.readouterr()


def test_every_callback_is_tested_here():
    known = {*PLAIN, "Callback", "LambdaCallback", "OptunaPruningCallback", "TensorBoard"}
    elsewhere = {"ModelCheckpoint"}
    assert set(lm.callbacks.__all__) - elsewhere == known
    assert all(getattr(lm, name) is getattr(lm.callbacks, name) for name in lm.callbacks.__all__)


HOOKS = ["on_train_begin", "on_epoch_begin", "on_train_batch_end", "on_epoch_end", "on_train_end"]


class Recording(lm.Callback):
    """Writes down its calls."""

    def __init__(self):
        self.calls = []

    def on_train_begin(self, logs=None):
        self.calls.append(("on_train_begin", logs))

    def on_train_end(self, logs=None):
        self.calls.append(("on_train_end", logs))

    def on_epoch_begin(self, epoch, logs=None):
        self.calls.append(("on_epoch_begin", epoch, logs))

    def on_epoch_end(self, epoch, logs=None):
        self.calls.append(("on_epoch_end", epoch, logs))

    def on_train_batch_end(self, batch, logs=None):
        self.calls.append(("on_train_batch_end", batch, logs))

    def on_exception(self, error):
        self.calls.append(("on_exception", error))


def names(record):
    return [call[0] for call in record.calls]


def test_the_order_of_the_hooks():
    record = Recording()
    history = fit(trainer_of(), record, epochs=2, validation_data=rows(1))
    epoch = ["on_epoch_begin", *["on_train_batch_end"] * 5, "on_epoch_end"]
    assert names(record) == ["on_train_begin", *epoch, *epoch, "on_train_end"]
    assert [call[1] for call in record.calls[1:8]] == [0, 0, 1, 2, 3, 4, 0]
    last = {key: values[-1] for key, values in history.history.items()}
    assert record.calls[-1] == ("on_train_end", last)
    assert record.calls[-2] == ("on_epoch_end", 1, last)
    assert record.calls[0] == ("on_train_begin", {})
    assert record.calls[1] == ("on_epoch_begin", 0, {})


def test_what_callbacks_know_of_the_fit():
    seen = []

    class Watching(lm.Callback):
        def on_train_begin(self, logs=None):
            assert self.trainer.model is self.model
            seen.append(dict(self.params))

    trainer = trainer_of()
    hooks = [Watching(), Interrupting("on_epoch_begin", 1)]
    with pytest.raises(KeyboardInterrupt):
        fit(trainer, *hooks)
    trainer.resume(*rows(), verbose=0)
    known = {"epochs": 4, "batch_size": BATCH, "rows": 70, "steps": 5, "epochs_done": 0}
    assert seen == [known, {**known, "epochs_done": 1}]


@pytest.mark.parametrize("hook", [*HOOKS, "on_tick"])
def test_an_exception_comes_out_as_it_is(hook):
    error = ZeroDivisionError("mine")
    record = Recording()

    def failing(self, *given):
        if hook in ("on_train_begin", "on_train_end") or trainer.epoch > 0:
            raise error

    callback = type("Failing", (lm.Callback,), {hook: failing})()
    trainer = trainer_of()
    with pytest.raises(ZeroDivisionError) as raised:
        fit(trainer, callback, record)
    assert raised.value is error
    assert record.calls[-1] == ("on_exception", error)
    assert names(record).count("on_exception") == 1
    assert np.isfinite(trainer.model.predict(rows()[0])).all()
    assert trainer.history.stop_reason == "ZeroDivisionError: mine"
    fit(trainer, epochs=1)  # it is not blocked


@pytest.mark.parametrize("strict", [False, True])
def test_on_exception_cannot_hide_the_first(strict, recwarn):
    error = ZeroDivisionError("mine")
    record = Recording()

    def failing(given):
        assert given is error
        raise OSError("another")

    import warnings

    hooks = [lm.LambdaCallback(on_exception=failing), Interrupting("on_epoch_end", 1, error)]
    with warnings.catch_warnings():
        warnings.simplefilter("error" if strict else "always")
        with pytest.raises(ZeroDivisionError) as raised:
            fit(trainer_of(), *hooks, record)
    assert raised.value is error
    assert record.calls[-1] == ("on_exception", error)
    assert [str(one.message) for one in recwarn] == (
        [] if strict else ["LambdaCallback.on_exception: OSError('another')"]
    )


def test_lambda_callback_hears_of_exceptions():
    seen = []
    hooks = [lm.LambdaCallback(on_exception=seen.append), Interrupting("on_epoch_end", 1)]
    with pytest.raises(KeyboardInterrupt):
        fit(trainer_of(), *hooks)
    assert seen == [hooks[1].error]


def python_calls(batch_size, *hooks):
    """How many Python functions an epoch's training calls, but for those by the clock."""
    count = 0

    def count_calls(frame, event, given):
        nonlocal count
        count += event == "call" and frame.f_code.co_name not in ("_tick", "rows_done", "on_tick")

    trainer = trainer_of(num_threads=1)
    fit(trainer, *hooks, epochs=1)
    sys.setprofile(count_calls)
    try:
        trainer.fit(*rows(), epochs=1, batch_size=batch_size, callbacks=list(hooks), verbose=0)
    finally:
        sys.setprofile(None)
    return count


def test_without_a_batch_hook_python_is_not_called_per_batch(tmp_path):
    hooks = [lm.CSVLogger(tmp_path / "a.csv"), lm.TerminateOnNaN(), lm.EarlyStopping("loss")]
    hooks.append(lm.ProgressBar(file=io.StringIO()))
    hooks.append(lm.LambdaCallback(on_epoch_end=lambda epoch, logs: None))
    assert all(hook.batch_interval == 0 for hook in hooks)
    few, many = (python_calls(size, *copy.deepcopy(hooks)) for size in (70, 1))
    assert abs(few - many) <= 40
    batches = lm.LambdaCallback(on_train_batch_end=lambda batch, logs: None)
    assert python_calls(1, batches) - python_calls(70, batches) >= 69


def test_a_hook_for_each_third_batch_is_called_after_each_third_batch():
    class Third(lm.Callback):
        batch_interval = 3

        def __init__(self):
            self.seen = []

        def on_train_batch_end(self, batch, logs=None):
            self.seen.append(5 * self.trainer.epoch + batch)

    third = Third()
    fit(trainer_of(), third)
    assert third.seen == list(range(2, 20, 3))


# ---- CSVLogger ----------------------------------------------------------------------------------


def test_the_file_is_what_the_history_writes(tmp_path):
    history = fit(trainer_of(), lm.CSVLogger(tmp_path / "a.csv"), validation_data=rows(1))
    history.to_csv(tmp_path / "b.csv")
    assert (tmp_path / "a.csv").read_text() == (tmp_path / "b.csv").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "b.csv"]


def test_a_line_is_there_when_the_next_epoch_begins(tmp_path):
    path, seen = tmp_path / "a.csv", []
    look = lm.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: seen.append(path.read_text().count("\n"))
    )
    fit(trainer_of(), lm.CSVLogger(path), look)
    assert seen == [1, 2, 3, 4]


def test_the_columns_stay_as_they_were(tmp_path):
    logger = lm.CSVLogger(tmp_path / "a.csv", separator=";")
    logger.check(["loss", "val_loss"])
    logger.on_train_begin()
    logger.on_epoch_end(0, {"loss": 1 / 3, "val_loss": 2.0})
    logger.on_epoch_end(1, {"loss": 0.5, "f1": 1.0})
    logger.on_train_end()
    assert (tmp_path / "a.csv").read_text().splitlines() == [
        "epoch;loss;val_loss",
        "0;0.3333333333333333;2.0",
        "1;0.5;nan",
    ]


def test_a_second_fit_begins_anew_or_appends(tmp_path):
    path = tmp_path / "a.csv"
    trainer = trainer_of()
    fit(trainer, lm.CSVLogger(path), epochs=2)
    fit(trainer, lm.CSVLogger(path, append=True), epochs=2)
    begins = [line.split(",")[0] for line in path.read_text().splitlines()]
    assert begins == ["epoch", "0", "1", "2", "3"]
    with open(path, "a") as file:
        file.write("4,0.")  # by a process that was killed
    fit(trainer, lm.CSVLogger(path, append=True), epochs=1)
    assert path.read_text().splitlines()[-2:] == ["4,0.", f"4,{trainer.history['loss'][-1]},0.001"]
    fit(trainer, lm.CSVLogger(path), epochs=1)
    assert [line.split(",")[0] for line in path.read_text().splitlines()] == ["epoch", "5"]


def test_a_file_with_other_columns_is_not_appended_to(tmp_path):
    path, trainer = tmp_path / "a.csv", trainer_of()
    fit(trainer, lm.CSVLogger(path))
    before, weights = path.read_text(), trainer.model.fingerprint()
    with pytest.raises(ValueError, match=r"begins with 'epoch,loss,l.*', this fit has .*val_loss"):
        fit(trainer, lm.CSVLogger(path, append=True), validation_data=rows(1))
    assert (path.read_text(), trainer.model.fingerprint()) == (before, weights)
    with pytest.raises(ValueError, match="separator must be one character, got ', '"):
        lm.CSVLogger(path, separator=", ")


def killed_behind(path):
    """As if the process had gone on behind what is resumed from."""
    with open(path, "a") as file:
        file.write("3,9.0,0.5\n4,9.0,0.5\n5,0.")


@pytest.mark.parametrize("damage", [lambda path: None, killed_behind, lambda path: path.unlink()])
@pytest.mark.parametrize("event", [("on_epoch_begin", 3), ("on_epoch_end", 2)])
@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("append", [False, True])
def test_a_resumed_fit_repeats_and_loses_no_line(tmp_path, damage, event, first, append):
    whole, path = tmp_path / "whole.csv", tmp_path / "a.csv"
    fit(trainer_of(), lm.CSVLogger(whole), epochs=6)
    trainer = trainer_of()
    hooks = [Interrupting(*event), lm.CSVLogger(path, append=append)]
    with pytest.raises(KeyboardInterrupt):
        fit(trainer, *(hooks if first else hooks[::-1]), epochs=6)
    damage(path)
    again = [Interrupting("nothing", 0), lm.CSVLogger(path, append=append)]
    trainer.resume(*rows(), callbacks=again if first else again[::-1], verbose=0)
    assert path.read_text() == whole.read_text()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.csv", "whole.csv"]


def test_what_could_not_be_written_is_written_later(tmp_path, monkeypatch):
    whole, path = tmp_path / "whole.csv", tmp_path / "a.csv"
    fit(trainer_of(), lm.CSVLogger(whole))
    trainer, logger, append = trainer_of(), lm.CSVLogger(path), lm.CSVLogger._append
    full = OSError("no space left")

    def failing(self, text):
        if trainer.epoch in (2, 4) and not resumed:
            append(self, text[:3])
            raise full
        append(self, text)

    resumed = []
    monkeypatch.setattr(lm.CSVLogger, "_append", failing)
    with pytest.raises(OSError, match="no space") as raised:
        fit(trainer, logger)
    assert raised.value is full
    resumed.append(True)
    trainer.resume(*rows(), verbose=0)
    assert path.read_text() == whole.read_text()


def test_lines_of_other_fits_stay_where_a_fit_is_resumed(tmp_path):
    path, trainer = tmp_path / "a.csv", trainer_of()
    fit(trainer, lm.CSVLogger(path), epochs=2)
    hooks = [lm.CSVLogger(path, append=True), Interrupting("on_epoch_end", 3)]
    with pytest.raises(KeyboardInterrupt):
        fit(trainer, *hooks)
    killed_behind(path)
    trainer.resume(*rows(), verbose=0)
    trainer.history.to_csv(tmp_path / "b.csv")
    assert path.read_text() == (tmp_path / "b.csv").read_text()


# ---- ProgressBar --------------------------------------------------------------------------------


def drawn(*hooks, bar, trainer=None, **options):
    file = io.StringIO()
    fit(trainer or trainer_of(), lm.ProgressBar(file=file, **bar), *hooks, **options)
    return file.getvalue()


@pytest.mark.parametrize(("unit", "total"), [("batch", "20.0/20.0"), ("rows", "280/280")])
def test_the_bar_comes_to_its_end(unit, total):
    text = drawn(bar={"unit": unit}, validation_data=rows(1))
    assert total in text
    assert {"batch": " batches/s", "rows": " rows/s"}[unit] in text
    assert "val_loss=" in text
    assert text.endswith("\n")
    assert not drawn(bar={"leave": False}).endswith("\n")


def test_the_bar_of_a_resumed_fit_goes_on():
    file, trainer = io.StringIO(), trainer_of()
    hooks = [lm.ProgressBar(file=file), Interrupting("on_epoch_begin", 2)]
    with pytest.raises(KeyboardInterrupt):
        fit(trainer, *hooks)
    assert "10.0/20.0" in file.getvalue()
    trainer.resume(*rows(), verbose=0)
    assert "epoch 3/4" in file.getvalue()
    assert "20.0/20.0" in file.getvalue()
    assert file.getvalue().endswith("\n")


def test_the_bar_of_a_stream_whose_length_nobody_knows():
    file, (x, y) = io.StringIO(), rows()

    def chunks():
        yield x[:40], y[:40]
        yield x[40:], y[40:]

    bar = lm.ProgressBar(unit="rows", file=file)
    trainer_of().fit(lm.Stream(chunks), epochs=3, batch_size=8, callbacks=[bar], verbose=0)
    assert "210/210" in file.getvalue()


def test_a_bar_of_something_else_is_refused():
    with pytest.raises(ValueError, match="unit must be 'batch' or 'rows', got 'epochs'"):
        lm.ProgressBar(unit="epochs")


def test_an_exception_in_a_tick_can_be_resumed_from():
    whole, trainer = trainer_of(), trainer_of()
    fit(whole)

    class Failing(lm.Callback):
        def on_tick(self, rows):
            if rows == 70 and self.trainer.epoch == 1:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(trainer, Failing())
    trainer.resume(*rows(), callbacks=[type("Failing", (lm.Callback,), {})()], verbose=0)
    assert trainer.model.fingerprint() == whole.model.fingerprint()
    assert trainer.history.history == whole.history.history


def test_ticks_tell_how_far_an_epoch_has_come():
    heard = []

    class Hearing(lm.Callback):
        def on_tick(self, rows):
            heard.append((self.trainer.epoch, rows))

    fit(trainer_of(), Hearing())
    ends = [place for place in heard if place[1] == 70]
    assert [epoch for epoch, _ in ends] == [0, 1, 2, 3]
    assert heard == sorted(heard)


# ---- what fit is given --------------------------------------------------------------------------


def test_one_callback_is_a_list_of_it():
    trainer, record = trainer_of(), Recording()
    x, y = rows()
    trainer.fit(x, y, epochs=1, callbacks=record, verbose=0)
    assert names(record)[0] == "on_train_begin"
    stopping = lm.LambdaCallback(on_epoch_begin=lambda epoch, logs: trainer.stop())
    trainer.fit(x, y, epochs=2, callbacks=stopping, verbose=0)
    assert len(trainer.resume(x, y, callbacks=lm.LambdaCallback(), verbose=0)) == 2
    assert trainer.estimate(x, y, epochs=1, callbacks=lm.EarlyStopping("loss")).seconds > 0


@pytest.mark.parametrize(
    ("given", "got"),
    [
        ([lm.EarlyStopping], "the class EarlyStopping: call it"),
        ([print], "<built-in function print>"),
        ("early_stopping", "'e'"),
    ],
)
def test_what_is_no_callback_is_refused(given, got):
    trainer, (x, y) = trainer_of(), rows()
    for call in (trainer.fit, trainer.estimate):
        with pytest.raises(
            TypeError, match=f"callbacks: expected objects of lm.Callback, got {got}"
        ):
            call(x, y, callbacks=given)
    assert trainer.epoch == 0


@pytest.mark.parametrize("name", ["epochs", "batch_size"])
def test_numbers_that_are_not_whole_are_refused(name):
    trainer, (x, y) = trainer_of(), rows()
    for call in (trainer.fit, trainer.estimate):
        for value in (2.9, 2.0, True, np.True_, "2", None):
            with pytest.raises(TypeError, match=f"{name} must be a whole number, got {value!r}"):
                call(x, y, **{name: value})
        with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
            call(x, y, **{name: 0})
    assert trainer.epoch == 0
    assert len(trainer.fit(x, y, epochs=np.int32(2), batch_size=np.uint8(16), verbose=0)) == 2
