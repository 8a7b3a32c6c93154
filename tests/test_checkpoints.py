"""Checkpoint files: a Trainer that is loaded goes on with the bits of the one that saved."""

import copy
import json
import math
import os
import struct
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from test_resume import (
    BATCH,
    EPOCHS,
    StopAtEpoch,
    callbacks,
    everything,
    rows,
    trainer_of_everything,
    trainer_of_plain,
)
from test_resume import uninterrupted as uninterrupted  # the fixture

import lamina as lm
from lamina._isa import core

GOLDEN = Path(__file__).parent / "data" / "golden-1-training.ckpt"
HOW = {"validation_data": rows(1), "verbose": 0}


def fitted(hooks, epochs=EPOCHS, trainer=None):
    trainer = trainer or trainer_of_everything()
    trainer.fit(*rows(), epochs=epochs, batch_size=BATCH, callbacks=hooks, **HOW)
    return trainer


# ---- at every step ------------------------------------------------------------------------------


def test_saved_and_loaded_at_every_step(uninterrupted, tmp_path):
    """Dropout, batch statistics, an average, one-cycle, accumulation, plateau, early stopping."""
    paths = []

    def save(batch, logs):
        paths.append(tmp_path / f"{len(paths) + 1}.ckpt")
        paths[-1].write_bytes(b"")  # an older one is replaced
        trainer.save_checkpoint(paths[-1])

    trainer = trainer_of_everything()
    whole = fitted([lm.LambdaCallback(on_train_batch_end=save), *callbacks()], trainer=trainer)
    assert everything(whole) == uninterrupted  # whoever saves changes nothing
    assert len(paths) == 50
    for step, path in enumerate(paths, 1):
        again = lm.load_checkpoint(path)
        assert again.resumable
        assert again.epoch == (step - 1) // 5
        again.resume(*rows(), callbacks=[lm.LambdaCallback(), *callbacks()], **HOW)
        assert everything(again) == uninterrupted, step
        assert not again.resumable


class SaveAt(lm.Callback):
    """Saves in every hook of an epoch."""

    def __init__(self, folder, name):
        self.folder, self.name, self.paths = folder, name, []

    def save(self, hook):
        self.paths.append(self.folder / f"{self.name}-{hook}.ckpt")
        self.trainer.save_checkpoint(self.paths[-1])

    def on_train_begin(self, logs=None):
        self.save("begin")

    def on_epoch_begin(self, epoch, logs=None):
        self.save(f"begin-{epoch}")

    def on_epoch_end(self, epoch, logs=None):
        self.save(f"end-{epoch}")

    def on_train_end(self, logs=None):
        self.save("end")


@pytest.mark.parametrize("place", range(3))
def test_saved_in_any_hook_from_any_place(uninterrupted, tmp_path, place):
    hooks = callbacks()
    hooks.insert(place, saving := SaveAt(tmp_path, f"at-{place}"))
    trainer = fitted(hooks)
    assert everything(trainer) == uninterrupted
    assert len(saving.paths) == 22
    for path in saving.paths:
        again = lm.load_checkpoint(path)
        if path.stem.endswith("-end"):  # behind it, the best weights may have to be restored
            assert not again.resumable
            continue
        hooks = callbacks()
        hooks.insert(place, SaveAt(tmp_path, "again"))
        again.resume(*rows(), callbacks=hooks, **HOW)
        assert everything(again) == uninterrupted, path.stem


def test_between_fits_nothing_differs(uninterrupted, tmp_path):
    path = tmp_path / "run.ckpt"
    trainer = fitted(callbacks())
    trainer.save_checkpoint(path)
    again = lm.load_checkpoint(path)
    assert everything(again) == everything(trainer) == uninterrupted
    assert again.model.fingerprint() == trainer.model.fingerprint()
    assert repr(again.optimizer) == repr(trainer.optimizer)
    assert again.metrics == trainer.metrics
    assert not again.resumable
    with pytest.raises(ValueError, match="the last fit has ended: all epochs done"):
        again.resume(*rows())
    x = rows()[0]
    np.testing.assert_array_equal(again.model.predict(x), trainer.model.predict(x))
    assert again.evaluate(*rows(1)) == trainer.evaluate(*rows(1))
    assert again.restore_best()


def test_before_any_fit(tmp_path):
    trainer = trainer_of_plain()
    trainer.save_checkpoint(tmp_path / "run.ckpt")
    again = lm.load_checkpoint(tmp_path / "run.ckpt", num_threads=1)
    assert again.num_threads == 1
    assert not again.resumable
    for one in (trainer, again):
        one.fit(*rows(), epochs=2, verbose=0)
    assert everything(again) == everything(trainer)


def test_a_fit_on_top_gives_the_bits_of_the_trainer_that_saved(tmp_path):
    trainer = trainer_of_plain()
    trainer.fit(*rows(), epochs=2, validation_split=0.25, verbose=0)
    trainer.save_checkpoint(tmp_path / "run.ckpt")
    again = lm.load_checkpoint(tmp_path / "run.ckpt")
    for one in (trainer, again):
        one.fit(*rows(), epochs=2, validation_split=0.25, verbose=0)
    assert everything(again) == everything(trainer)


def test_a_checkpoint_inside_a_fit_shows_what_an_interruption_there_would(tmp_path):
    path = tmp_path / "run.ckpt"
    trainer, seen = trainer_of_everything(), []

    def stop(batch, logs):
        seen.append(batch)
        if len(seen) == 13:
            trainer.save_checkpoint(path)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fitted([lm.LambdaCallback(on_train_batch_end=stop)], trainer=trainer)
    again = lm.load_checkpoint(path)
    assert again.model.fingerprint() == trainer.model.fingerprint()  # the average
    assert again._core.state() == trainer._core.state()


def test_several_outputs_several_losses(tmp_path):
    begin = lm.Input(6)
    hidden = lm.Dense(8, activation="tanh")(begin)
    ends = [lm.Dense(1, name="a")(hidden), lm.Dense(1, activation="sigmoid", name="b")(hidden)]
    trainer = lm.Trainer(
        lm.Model(inputs=begin, outputs=ends, seed=1),
        loss={"a": "huber", "b": "bce"},
        loss_weights={"b": 0.5},
        metrics={"b": ["accuracy", "f1"]},
        optimizer=lm.SGD(0.05),
        set_metrics_on_training=True,
        seed=7,
    )
    x, y = rows()
    targets = {"a": x[:, 0], "b": y}
    saving = lm.ModelCheckpoint(tmp_path / "{step}.ckpt", every_steps=3)
    how = {"epochs": 3, "batch_size": BATCH, "verbose": 0}
    trainer.fit(x, targets, callbacks=[saving], **how)
    again = lm.load_checkpoint(saving.saved[1])
    again.resume(x, targets, verbose=0)
    assert everything(again) == everything(trainer)
    assert again.history.keys() == trainer.history.keys()


# ---- Python functions ---------------------------------------------------------------------------


def my_loss(y_true, y_pred):
    return ((y_pred - y_true) ** 2).mean(axis=1), (2 * (y_pred - y_true)).astype(y_pred.dtype)


def my_metric(y_true, y_pred):
    return float(np.abs(y_true - y_pred).max())


def trainer_of_functions(**changes):
    layers = [lm.Input(6), lm.Dense(4, activation="tanh"), lm.Dropout(0.1), lm.Dense(1)]
    how = {
        "loss": my_loss,
        "optimizer": lm.Adam(lambda step: 0.01 / (1 + step)),
        "metrics": [my_metric, "mae"],
        **changes,
    }
    return lm.Trainer(lm.Model(layers, seed=changes.pop("model_seed", 0)), **how)


class Mine(lm.Callback):
    """Of the user's, with state."""

    def __init__(self):
        self.count = 0

    def on_epoch_end(self, epoch, logs=None):
        self.count += 1

    def get_state(self):
        return {"count": self.count}

    def set_state(self, state):
        self.count = state["count"]


def test_python_functions_need_a_trainer_made_as_before(tmp_path):
    x, y = rows()
    whole = trainer_of_functions()
    whole.fit(x, y, epochs=3, callbacks=[Mine()], verbose=0)
    saving = lm.ModelCheckpoint(tmp_path / "{epoch}.ckpt")
    trainer_of_functions().fit(x, y, epochs=3, callbacks=[Mine(), saving], verbose=0)
    path = saving.saved[0]
    with pytest.raises(
        ValueError,
        match=r"schedule of the optimizer, the loss my_loss, the metric "
        r"my_metric; make model and trainer .*load_checkpoint\(path, trainer=",
    ):
        lm.load_checkpoint(path)
    random_seed = lm.Trainer(
        lm.Model(
            [lm.Input(6), lm.Dense(4, activation="tanh"), lm.Dropout(0.1), lm.Dense(1)], seed=99
        ),
        loss=my_loss,
        optimizer=lm.Adam(lambda step: 0.01 / (1 + step)),
        metrics=[my_metric, "mae"],
    )
    for given in (trainer_of_functions(), random_seed):
        again = lm.load_checkpoint(path, trainer=given)
        assert again is given
        with pytest.raises(ValueError, match=r"a callback Mine, which cannot be made from a file"):
            again.resume(x, y, verbose=0)
        mine = Mine()
        again.resume(x, y, callbacks=[mine, lm.ModelCheckpoint(tmp_path / "x")], verbose=0)
        assert mine.count == 3
        assert everything(again) == everything(whole)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss": "mse"}, "other losses"),
        ({"metrics": ["mae"]}, "other metrics"),
        ({"optimizer": lm.Adam(0.01)}, "other settings of the optimizer"),
        ({"optimizer": lm.SGD(lambda step: 0.01)}, "other settings of the optimizer"),
        ({"set_metrics_on_training": True}, "other set_metrics_on_training"),
        ({"loss_weights": [0.5]}, "other loss_weights"),
    ],
)
def test_another_trainer_is_refused_and_left_alone(tmp_path, changes, message):
    first = trainer_of_functions()
    first.fit(*rows(), epochs=1, verbose=0)
    first.save_checkpoint(tmp_path / "run.ckpt")
    other = trainer_of_functions(**changes)
    before = everything(other)
    with pytest.raises(ValueError, match=message):
        lm.load_checkpoint(tmp_path / "run.ckpt", trainer=other)
    assert everything(other) == before


def test_another_model_is_refused(tmp_path):
    trainer_of_plain().save_checkpoint(tmp_path / "run.ckpt")
    for layers in (
        [lm.Input(6), lm.Dense(5, activation="tanh"), lm.Dense(1)],
        [lm.Input(6), lm.Dense(1)],
    ):
        other = lm.Trainer(lm.Model(layers, seed=0), loss="mse")
        with pytest.raises(ValueError, match="other layers"):
            lm.load_checkpoint(tmp_path / "run.ckpt", trainer=other)


def test_what_was_frozen_on_the_way_is_frozen_again(tmp_path):
    trainer = trainer_of_plain()
    trainer.fit(*rows(), epochs=1, verbose=0)
    trainer.model.layers[0].trainable = False
    trainer.save_checkpoint(tmp_path / "run.ckpt")
    for given in (None, trainer_of_plain()):
        again = lm.load_checkpoint(tmp_path / "run.ckpt", trainer=given)
        assert again.model.layers[0].trainable is False
        assert again._core.state() == trainer._core.state()


def test_strings_and_objects_mean_the_same(tmp_path):
    trainer_of_plain().save_checkpoint(tmp_path / "run.ckpt")
    model = lm.Model([lm.Input(6), lm.Dense(4, activation="tanh"), lm.Dense(1)], seed=0)
    other = lm.Trainer(model, loss=lm.losses.MeanSquaredError(), optimizer=lm.Adam())
    assert lm.load_checkpoint(tmp_path / "run.ckpt", trainer=other) is other


# ---- data ---------------------------------------------------------------------------------------


def test_other_data_are_refused_unless_told_otherwise(tmp_path):
    trainer, (x, y) = trainer_of_plain(), rows()
    trainer.fit(x, y, epochs=3, batch_size=BATCH, callbacks=[StopAtEpoch(1)], verbose=0)
    trainer.save_checkpoint(tmp_path / "run.ckpt")
    again, hooks = lm.load_checkpoint(tmp_path / "run.ckpt"), [StopAtEpoch(9)]
    with pytest.raises(ValueError, match=r"resume: these are other data .*other_data=True"):
        again.resume(x[1:], y[1:], callbacks=hooks, verbose=0)
    assert again._core.state() == trainer._core.state()
    more = again.resume(x[1:], y[1:], callbacks=hooks, other_data=True, verbose=0)
    assert more.epoch == [0, 1, 2]


# ---- files --------------------------------------------------------------------------------------


def rewritten(path, change, checksum=True):
    """A file whose metadata were changed, with the right checksum if asked for."""
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    change(header["__metadata__"])
    if checksum:
        header["__metadata__"]["sha256"] = summed(header, raw[8 + length :])
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + raw[8 + length :])


def summed(header, data):
    """The checksum as tensor_file.cpp has it."""
    import hashlib

    total = hashlib.sha256()
    for key, value in sorted(header["__metadata__"].items()):
        if key != "sha256":
            total.update(f"{key}={value}\n".encode())
    for name, one in sorted((n, o) for n, o in header.items() if n != "__metadata__"):
        shape = "(" + ", ".join(map(str, one["shape"])) + ("," if len(one["shape"]) == 1 else "")
        total.update(f"{name}{one['dtype']}{shape})".encode())
        begin, end = one["data_offsets"]
        total.update(data[begin:end])
    return total.hexdigest()


@pytest.fixture
def path(tmp_path):
    trainer = trainer_of_plain()
    trainer.fit(*rows(), epochs=1, verbose=0)
    trainer.save_checkpoint(tmp_path / "run.ckpt")
    return tmp_path / "run.ckpt"


def test_unknown_fields_are_passed_over(path):
    def change(metadata):
        extra = json.loads(metadata["extra"])
        history = json.loads(extra["history"])
        for one in (extra, extra["plan"], history, extra["trainer"]):
            one["of_a_later_version"] = {"x": 1}
        extra["history"] = json.dumps(history)
        state = json.loads(metadata["state"])
        state["of_a_later_version"] = [1]
        metadata["extra"], metadata["state"] = json.dumps(extra), json.dumps(state)
        metadata["of_a_later_version"] = "yes"

    rewritten(path, change)
    assert lm.load_checkpoint(path).history.epoch == [0]


def test_a_newer_format_is_refused_with_what_to_do(path):
    rewritten(path, lambda metadata: metadata.update(format_version="2"))
    with pytest.raises(ValueError, match=r"run.ckpt: written by a newer Lamina .*pip install"):
        lm.load_checkpoint(path)


def test_other_numerics(path):
    def raised(by):
        def change(metadata):
            state = json.loads(metadata["state"])
            state["numerics_version"] += by
            metadata["state"] = json.dumps(state)

        return change

    rewritten(path, raised(-1))
    with pytest.warns(RuntimeWarning, match="not bit for bit"):
        assert lm.load_checkpoint(path).epoch == 1
    rewritten(path, raised(2))
    with pytest.raises(ValueError, match=r"newer Lamina \(numerics_version"):
        lm.load_checkpoint(path)


def test_damage_is_noticed(path):
    raw = path.read_bytes()
    for place in range(0, len(raw), 97):
        damaged = bytearray(raw)
        damaged[place] ^= 4
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"run\.ckpt"):
            lm.load_checkpoint(path)
    for length in (0, 5, 8, 100, len(raw) // 2, len(raw) - 1):
        path.write_bytes(raw[:length])
        with pytest.raises(ValueError, match=r"run\.ckpt"):
            lm.load_checkpoint(path)


def test_models_and_checkpoints_are_told_apart(path):
    with pytest.raises(ValueError, match="expected a lamina-model, this is a lamina-checkpoint"):
        lm.load(path)
    lm.load_checkpoint(path).model.save(path)
    with pytest.raises(ValueError, match="expected a lamina-checkpoint, this is a lamina-model"):
        lm.load_checkpoint(path)
    with pytest.raises(OSError, match="cannot read"):
        lm.load_checkpoint(path.with_name("none"))


def test_the_first_format_loads_for_ever():
    """Written by the first version, in the middle of epoch 2; what came of it stands beside it."""
    expected = json.loads(GOLDEN.with_suffix(".json").read_text())
    trainer = lm.load_checkpoint(GOLDEN)
    x, y = np.array(expected["x"]), np.array(expected["y"])
    np.testing.assert_allclose(trainer.model.predict(x), expected["predictions"], rtol=1e-5)
    assert trainer.history.history["loss"] == pytest.approx(expected["loss"][:2])
    history = trainer.resume(x, y, validation_data=(x, y), verbose=0)
    np.testing.assert_allclose(history["loss"], expected["loss"], rtol=1e-4)
    np.testing.assert_allclose(history["val_loss"], expected["val_loss"], rtol=1e-4)


def test_what_has_been_loaded_can_be_saved_again(tmp_path):
    trainer = lm.load_checkpoint(GOLDEN)
    trainer.save_checkpoint(tmp_path / "again.ckpt")
    again = lm.load_checkpoint(tmp_path / "again.ckpt")
    assert again._plan == trainer._plan
    assert len(again._plan.callbacks) == 2
    assert again.history == trainer.history
    assert again._core.state() == trainer._core.state()


def test_another_thread_does_not_save_half_a_step(tmp_path):
    trainer, errors = trainer_of_plain(), []

    def save():
        try:
            trainer.save_checkpoint(tmp_path / "run.ckpt")
        except RuntimeError as error:
            errors.append(str(error))

    def start(batch, logs):
        thread = threading.Thread(target=save)
        thread.start()
        thread.join()

    hooks = [lm.LambdaCallback(on_train_batch_end=start)]
    trainer.fit(*rows(), epochs=1, callbacks=hooks, verbose=0)
    assert len(errors) == 1
    assert "another thread is training" in errors[0]
    assert not list(tmp_path.iterdir())


def test_a_callbacks_state_must_be_of_jsons_types(tmp_path):
    class Bad(Mine):
        def get_state(self):
            return {"array": np.zeros(2)}

    trainer = trainer_of_plain()
    trainer.fit(*rows(), epochs=1, callbacks=[Bad()], verbose=0)
    with pytest.raises(TypeError, match="JSON"):
        trainer.save_checkpoint(tmp_path / "run.ckpt")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="processes cannot be asked for elsewhere")
def test_what_killed_processes_left_is_removed(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    left = tmp_path / f"run.ckpt.tmp{gone.pid}"
    others = [
        tmp_path / name
        for name in (f"run.ckpt.tmp{os.getppid()}", f"other.ckpt.tmp{gone.pid}", "run.ckpt.tmpx")
    ]
    for one in (left, *others):
        one.write_text("half a file")
    trainer = trainer_of_plain()
    trainer.save_checkpoint(tmp_path / "run.ckpt")
    assert not left.exists()
    assert all(one.exists() for one in others)
    left.write_text("half a file")
    trainer.model.save(tmp_path / "run.ckpt")
    assert not left.exists()


# ---- ModelCheckpoint ----------------------------------------------------------------------------


def names(folder):
    return sorted(one.name for one in folder.iterdir())


@pytest.mark.parametrize("place", range(3))
def test_it_may_stand_anywhere(uninterrupted, tmp_path, place):
    hooks = callbacks()
    saving = lm.ModelCheckpoint(tmp_path / "{epoch}-{step}.ckpt", every_steps=7, every_epochs=3)
    hooks.insert(place, saving)
    assert everything(fitted(hooks)) == uninterrupted
    expected = [f"{(s - 1) // 5}-{s}.ckpt" for s in range(7, 51, 7)]
    assert names(tmp_path) == sorted([*expected, "3-15.ckpt", "6-30.ckpt", "9-45.ckpt"])
    for path in list(saving.saved):
        again = lm.load_checkpoint(path)
        again.resume(*rows(), **HOW)
        assert everything(again) == uninterrupted, path


def test_steps_are_counted_over_the_training_whoever_else_listens(tmp_path):
    saving = lm.ModelCheckpoint(tmp_path / "{step}.ckpt", every_steps=4)
    other = lm.ModelCheckpoint(tmp_path / "{step}.6", every_steps=6)
    trainer = trainer_of_plain()
    for _ in range(2):
        trainer.fit(*rows(), epochs=1, batch_size=BATCH, callbacks=[saving, other], verbose=0)
    assert names(tmp_path) == ["4.ckpt", "6.6", "8.ckpt"]


def test_minutes(tmp_path, monkeypatch):
    from lamina.callbacks import model_checkpoint

    now = [0.0]
    monkeypatch.setattr(model_checkpoint.time, "monotonic", lambda: now[0])
    saving = lm.ModelCheckpoint(tmp_path / "{step}.ckpt", every_minutes=1)

    def pass_time(batch, logs):
        now[0] += 25

    hooks = [lm.LambdaCallback(on_train_batch_end=pass_time), saving]
    trainer_of_plain().fit(*rows(), epochs=2, batch_size=BATCH, callbacks=hooks, verbose=0)
    assert names(tmp_path) == ["3.ckpt", "6.ckpt", "9.ckpt"]


def test_minutes_alone_are_asked_for(tmp_path):
    """No hook for batches is installed, and still a batch within an epoch is caught."""
    saving = lm.ModelCheckpoint(tmp_path / "{epoch}-{step}.ckpt", every_minutes=0)
    model = lm.Model([lm.Input(6), lm.Dense(256), lm.Dense(256), lm.Dense(1)], seed=0)
    x, y = rows(n=20_000)
    trainer = lm.Trainer(model, loss="mse")
    trainer.fit(x, y, epochs=2, batch_size=8, callbacks=[saving], verbose=0)
    inside = [name for name in names(tmp_path) if name not in ("1-2500.ckpt", "2-5000.ckpt")]
    assert inside
    again = lm.load_checkpoint(tmp_path / inside[0])
    again.resume(x, y, verbose=0)
    assert everything(again) == everything(trainer)


def test_the_best_only(tmp_path):
    values = iter([3.0, 1.0, float("nan"), 2.0, 0.5, 0.7])
    best = lm.ModelCheckpoint(
        tmp_path / "{epoch}", monitor="value", save_best_only=True, mode="min"
    )
    for epoch, value in enumerate(values):
        best.trainer = fake = FakeTrainer(epoch + 1)
        best.on_epoch_end(epoch, {"value": value})
        assert fake.written == ([str(tmp_path / f"{epoch + 1}")] if epoch in (0, 1, 4) else [])
        best._trainer = None
    assert best.best == 0.5
    best.trainer = FakeTrainer(7, OSError("no space"))
    with pytest.raises(OSError, match="no space"):
        best.on_epoch_end(6, {"value": 0.25})
    assert best.best == 0.5  # that of the files


class FakeTrainer:
    """What ModelCheckpoint asks of one."""

    metrics = ()

    def __init__(self, epoch, error=None):
        self.epoch, self.error, self.written = epoch, error, []
        self.history = lm.History()
        self.optimizer = type("", (), {"handle": type("", (), {"batches": 0})()})()

    def save_checkpoint(self, path):
        if self.error:
            raise self.error
        self.written.append(path)


def test_the_best_model_is_that_of_early_stopping(tmp_path):
    best = lm.ModelCheckpoint(
        tmp_path / "best.lamina", save_best_only=True, what="model", monitor="val_accuracy"
    )
    hooks = [lm.EarlyStopping("val_accuracy", patience=20), best]
    trainer = fitted(hooks)
    assert best.best == hooks[0].best
    model = lm.load(tmp_path / "best.lamina")
    assert model.fingerprint() == trainer.model.fingerprint()


def test_its_own_state_goes_on(tmp_path):
    """`keep` counts the files of the process before, `best` is the best of both."""
    saving = lm.ModelCheckpoint(tmp_path / "{epoch:02d}-{val_loss:.3f}.ckpt", keep=2)
    best = lm.ModelCheckpoint(tmp_path / "best", save_best_only=True)

    def stop(epoch, logs):
        if epoch == 4:
            raise RuntimeError("on purpose")

    hooks = [best, saving, lm.LambdaCallback(on_epoch_end=stop)]
    with pytest.raises(RuntimeError, match="on purpose"):
        fitted(hooks)
    assert [name[:2] for name in names(tmp_path)] == ["04", "05", "be"]
    again = lm.load_checkpoint(saving.saved[-1])
    again.resume(
        *rows(),
        callbacks=[
            best2 := lm.ModelCheckpoint(tmp_path / "best", save_best_only=True),
            lm.ModelCheckpoint(saving.filepath, keep=2),
            lm.LambdaCallback(),
        ],
        **HOW,
    )
    assert [name[:2] for name in names(tmp_path)] == ["09", "10", "be"]
    assert best2.best == min(again.history["val_loss"])
    value = min(again.history["val_loss"])
    assert lm.load_checkpoint(tmp_path / "best").history["val_loss"][-1] == value
    assert f"10-{again.history['val_loss'][-1]:.3f}.ckpt" in names(tmp_path)


@pytest.mark.parametrize("way", ["exception", "ctrl-c", "stop"])
@pytest.mark.parametrize("place", range(4))
def test_it_saves_where_a_fit_is_interrupted(uninterrupted, tmp_path, place, way):
    class Interrupting(lm.Callback):
        seen = 0

        def on_train_batch_end(self, batch, logs=None):
            self.seen += 1
            if self.seen == 33 and way == "stop":
                self.trainer.stop()
            elif self.seen == 33:
                raise RuntimeError("on purpose") if way == "exception" else KeyboardInterrupt

    path = tmp_path / "run.ckpt"
    hooks = [lm.ReduceLROnPlateau(factor=0.5, patience=1), Interrupting()]
    hooks.append(lm.EarlyStopping(patience=6))
    hooks.insert(place, lm.ModelCheckpoint(path, every_epochs=100))
    try:
        fitted(hooks)
        assert way == "stop"
    except (RuntimeError, KeyboardInterrupt) as error:
        if sys.version_info >= (3, 11):
            notes = "\n".join(error.__notes__)
            assert f"lm.load_checkpoint({str(path)!r}).resume(X, y, ...)" in notes
            own = "trainer.resume(X, y, ...) goes on in epoch 6 at row 48" in notes
            assert own == (way == "ctrl-c")
    again = lm.load_checkpoint(path)
    assert (again.epoch, again._core.cursor) == (6, 48)
    hooks = [lm.ReduceLROnPlateau(factor=0.5, patience=1), Interrupting()]
    hooks[1].seen = 33
    hooks.append(lm.EarlyStopping(patience=6))
    hooks.insert(place, lm.ModelCheckpoint(path))
    again.resume(*rows(), callbacks=hooks, **HOW)
    assert everything(again) == uninterrupted


def test_the_best_is_not_overwritten_when_the_fit_is_interrupted(tmp_path):
    def stop(epoch, logs):
        if epoch == 4:
            raise KeyboardInterrupt

    hooks = [lm.ModelCheckpoint(tmp_path / "best", save_best_only=True, monitor="loss", mode="max")]
    hooks.append(lm.LambdaCallback(on_epoch_end=stop))
    with pytest.raises(KeyboardInterrupt):
        fitted(hooks)
    assert lm.load_checkpoint(tmp_path / "best").epoch < 5


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"what": "weights"}, "'checkpoint' or 'model', got 'weights'"),
        ({"every_epochs": 0}, "every_epochs must be a whole number of at least 1, got 0"),
        ({"every_steps": 1.5}, "every_steps must be a whole number"),
        ({"every_minutes": -1}, "every_minutes must be at least 0"),
        ({"keep": 0}, "keep must be a whole number of at least 1"),
        ({"mode": "up"}, "mode must be"),
        ({"every_steps": 5, "save_best_only": True}, "save_best_only goes by epochs"),
        ({"every_minutes": 5, "what": "model"}, "what='model' goes by epochs"),
        ({"filepath": "run-{epoch"}, "filepath 'run-{epoch'"),
    ],
)
def test_bad_arguments_are_refused(how, message):
    with pytest.raises(ValueError, match=message):
        lm.ModelCheckpoint(**{"filepath": "run.ckpt", **how})


def test_unknown_values_are_refused_at_the_start(tmp_path):
    trainer = trainer_of_plain()
    for hook, message in (
        (lm.ModelCheckpoint(tmp_path / "{val_loss}"), r"\{val_loss\} in filepath .*: epoch, step"),
        (lm.ModelCheckpoint(tmp_path / "x", save_best_only=True), "'val_loss' is not among"),
    ):
        with pytest.raises(ValueError, match=message):
            trainer.fit(*rows(), callbacks=[hook], verbose=0)
    assert trainer.epoch == 0


def test_folders_are_made_and_values_before_the_first_epoch_are_nan(tmp_path):
    saving = lm.ModelCheckpoint(tmp_path / "a" / "b" / "{step}-{loss:.1f}", every_steps=5)
    trainer_of_plain().fit(*rows(), epochs=2, batch_size=BATCH, callbacks=[saving], verbose=0)
    first, second = (Path(one).name for one in saving.saved)
    assert first == "5-nan"
    assert math.isfinite(float(second.split("-")[1]))


def test_the_core_reads_nothing_but_checkpoints(tmp_path):
    with pytest.raises(OSError, match="cannot read"):
        core.load_checkpoint(str(tmp_path / "none"), lambda metadata: None)
    (tmp_path / "some").write_bytes(trainer_of_plain()._core.state())
    with pytest.raises(ValueError, match="without a trainer"):
        lm.load_checkpoint(tmp_path / "some")


def test_a_validation_split_of_other_labels_is_drawn_from_them(tmp_path):
    """What is held out depends on what is in the file and on the data, not on fits before."""
    x, y = rows(n=200)
    other = (x[:, 2] > 0.8).astype(np.int64)
    how = {"batch_size": BATCH, "validation_split": 0.25, "verbose": 0}
    layers = [lm.Input(x.shape[1]), lm.Dense(2, activation="softmax")]
    whole = lm.Trainer(lm.Model(layers, seed=0), loss="cce")
    whole.fit(x, y, epochs=1, **how)
    rows_of_y = whole._split
    whole.fit(x, y.astype(np.float32), epochs=1, **how)
    assert whole._split is rows_of_y  # the same labels
    saving = lm.ModelCheckpoint(tmp_path / "{step}.ckpt", every_steps=1)
    whole.fit(x, other, epochs=2, callbacks=[saving], **how)
    for path in (saving.saved[3], saving.saved[12]):
        again = lm.load_checkpoint(path)
        again.resume(x, other, callbacks=[lm.ModelCheckpoint(tmp_path / "again")], verbose=0)
        assert again.model.fingerprint() == whole.model.fingerprint()
        assert again.history.history == whole.history.history


def test_a_copy_saves_its_own_best_and_leaves_others_files(tmp_path):
    x, y = rows()
    first = lm.ModelCheckpoint(tmp_path / "a-{step}", "loss", save_best_only=True, keep=1)
    trainer = trainer_of_plain()
    trainer.fit(x, y, epochs=30, callbacks=[first], verbose=0)
    (path,) = first.saved
    second = copy.deepcopy(first)
    assert (second.best, second.saved) == (None, [])
    other = trainer_of_plain()
    history = other.fit(x, 10 + y, epochs=2, callbacks=[second], verbose=0)
    assert second.best == min(history["loss"]) > first.best
    assert len(second.saved) == 1
    assert Path(path).exists()


def test_a_trainer_that_is_reset_begins_its_checkpoints_anew(tmp_path):
    x, y = rows()
    saving = lm.ModelCheckpoint(tmp_path / "{step}", "loss", save_best_only=True)
    trainer = trainer_of_plain()
    for _ in range(2):  # the best and the files of both fits count
        trainer.fit(x, y, epochs=10, callbacks=[saving], verbose=0)
    assert saving.best == min(trainer.history["loss"])
    assert len(saving.saved) == 20
    trainer.reset()
    trainer.fit(x, 10 + y, epochs=2, callbacks=[saving], verbose=0)
    assert saving.best == min(trainer.history["loss"])
    assert len(saving.saved) == 2


def test_folders_with_numbers_are_made_when_the_file_is(tmp_path):
    saving = lm.ModelCheckpoint(tmp_path / "runs" / "{epoch}" / "{{x}}.ckpt")
    trainer_of_plain().fit(*rows(), epochs=2, callbacks=[saving], verbose=0)
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["1", "2"]
    assert lm.load_checkpoint(tmp_path / "runs" / "2" / "{x}.ckpt").epoch == 2


def test_aliases_in_a_path(tmp_path):
    model = trainer_of_plain().model
    trainer = lm.Trainer(model, loss="mse", metrics=["mae"])
    saving = lm.ModelCheckpoint(tmp_path / "{val_mae:.2f}-{loss:.2f}")
    history = trainer.fit(*rows(), epochs=1, validation_data=rows(1), callbacks=[saving], verbose=0)
    (path,) = saving.saved
    error, loss = history["val_mean_absolute_error"][0], history["loss"][0]
    assert Path(path).name == f"{error:.2f}-{loss:.2f}"


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_a_link(tmp_path, there):
    (tmp_path / "disk").mkdir()
    (link := tmp_path / "run.ckpt").symlink_to(tmp_path / "disk" / "run.ckpt")
    if there:
        link.write_bytes(b"")
    trainer_of_plain().save_checkpoint(link)
    assert link.is_symlink()
    assert [path.name for path in (tmp_path / "disk").iterdir()] == ["run.ckpt"]
    assert lm.load_checkpoint(link).epoch == 0


@pytest.mark.parametrize("state", [{"seen": np.int64(3)}, {"seen": {1, 2}}])
def test_a_state_that_json_cannot_hold_names_its_callback(tmp_path, state):
    class Counting(lm.Callback):
        def get_state(self):
            return state

    hooks = [lm.EarlyStopping("loss"), Counting(), lm.ModelCheckpoint(tmp_path / "x.ckpt")]
    said = (
        rf"Counting.get_state\(\) returned what JSON cannot hold: .*{type(state['seen']).__name__}"
    )
    with pytest.raises(TypeError, match=said):
        trainer_of_plain().fit(*rows(), epochs=1, callbacks=hooks, verbose=0)
