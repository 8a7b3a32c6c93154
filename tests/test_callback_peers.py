"""Callbacks and the libraries they are for or take after: tensorboardX, Optuna, Keras."""

import copy
import os
import struct

import numpy as np
import pytest

import lamina as lm

pytestmark = pytest.mark.ci


def rows(seed=0, n=70):
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, 3))
    return x, x[:, :1] - x[:, 1:2] * x[:, 2:]


def trainer_of(rate=1e-3):
    model = lm.Model([lm.Input(3), lm.Dense(8, activation="tanh"), lm.Dense(1)], seed=0)
    return lm.Trainer(model, loss="mse", optimizer=lm.Adam(rate), metrics=["mae"])


def fit(trainer, *hooks, epochs=4, **options):
    return trainer.fit(
        *rows(),
        epochs=epochs,
        batch_size=16,
        callbacks=list(hooks),
        verbose=0,
        validation_data=rows(1),
        **options,
    )


def interrupting(epoch):
    def interrupt(number, logs):
        if number == epoch:
            raise KeyboardInterrupt

    return interrupt


# ---- TensorBoard --------------------------------------------------------------------------------


def events(folder):
    """All events of a folder's files, in the order of their names, as TensorBoard reads them."""
    from tensorboardX.proto.event_pb2 import Event

    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        while data:
            (size,) = struct.unpack_from("<Q", data)  # then 4 bytes of a checksum, also behind
            yield Event.FromString(data[12 : 12 + size])
            data = data[16 + size :]


def shown(folder):
    """tag -> {step: value} as TensorBoard shows it: a new start forgets the steps from there on."""
    from tensorboardX.proto.event_pb2 import SessionLog

    values = {}
    for event in events(folder):
        if event.session_log.status == SessionLog.START:
            for one in values.values():
                for step in [step for step in one if step >= event.step]:
                    del one[step]
        for value in event.summary.value:
            steps = values.setdefault(value.tag, {})
            assert event.step not in steps, f"{value.tag} has step {event.step} twice"
            steps[event.step] = value.simple_value or value.histo.num
    return values


def as_shown(values):
    return dict(enumerate(np.float32(values).tolist()))


@pytest.fixture
def board():
    pytest.importorskip("tensorboardX")
    return lm.TensorBoard


def test_tensorboard_shows_what_the_history_has(board, tmp_path):
    trainer = trainer_of()
    history = fit(trainer, board(tmp_path / "logs", histogram_freq=2))
    train, validation = (shown(tmp_path / "logs" / part) for part in ("train", "validation"))
    assert validation == {
        "epoch_loss": as_shown(history["val_loss"]),
        "epoch_mean_absolute_error": as_shown(history["val_mae"]),
    }
    assert train.pop("epoch_loss") == as_shown(history["loss"])
    assert train.pop("epoch_mean_absolute_error") == as_shown(history["mae"])
    assert train.pop("epoch_learning_rate") == as_shown([1e-3] * 4)
    sizes = {one["name"]: int(np.prod(one["shape"])) for one in trainer.model._core.tensors()}
    assert train == {f"{name}/histogram": {0: size, 2: size} for name, size in sizes.items()}


def test_without_validation_there_is_no_such_folder(board, tmp_path):
    trainer_of().fit(*rows(), epochs=1, callbacks=[board(tmp_path)], verbose=0)
    assert [path.name for path in tmp_path.iterdir()] == ["train"]


@pytest.mark.parametrize("killed", [False, True])
def test_a_resumed_fit_shows_each_step_once(board, tmp_path, killed):
    whole = fit(trainer_of(), board(tmp_path / "whole"), epochs=6)
    trainer, hooks = trainer_of(), [board(tmp_path / "logs")]
    hooks.append(lm.LambdaCallback(on_epoch_end=interrupting(2)))
    with pytest.raises(KeyboardInterrupt):
        fit(trainer, *hooks, epochs=6)
    if killed:  # the process went on behind its last checkpoint
        beyond = copy.deepcopy(hooks[0])
        beyond.trainer = trainer
        beyond.on_train_begin()
        for epoch in (3, 4):
            beyond.on_epoch_end(epoch, {"loss": 9.0, "val_loss": 9.0})
        beyond.on_train_end()
    hooks = [board(tmp_path / "logs"), lm.LambdaCallback()]
    trainer.resume(*rows(), validation_data=rows(1), callbacks=hooks, verbose=0)
    for part in ("train", "validation"):
        assert shown(tmp_path / "logs" / part) == shown(tmp_path / "whole" / part)
    assert trainer.history.history == whole.history


def test_a_tensorboard_can_be_copied_and_made_anew(board, tmp_path):
    one = board(tmp_path, histogram_freq=1)
    fit(trainer_of(), one, epochs=1)
    assert copy.deepcopy(one) == one
    assert board.from_config(one.get_config()) == one
    with pytest.raises(ValueError, match="histogram_freq must be at least 0, got -1"):
        board(histogram_freq=-1)


# ---- Optuna -------------------------------------------------------------------------------------


@pytest.fixture
def optuna():
    module = pytest.importorskip("optuna")
    module.logging.set_verbosity(module.logging.ERROR)
    return module


def test_each_epoch_is_reported(optuna):
    trial = optuna.create_study().ask()
    history = fit(trainer_of(), lm.OptunaPruningCallback(trial, monitor="val_mae"))
    known = trial.study.get_trials()[0].intermediate_values
    assert known == dict(enumerate(history["val_mae"].tolist()))


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_a_study_prunes_what_is_worse_than_the_median(optuna, direction):
    """The rates are good and bad in turn; whether small losses are good the study says."""
    models = []

    def objective(trial):
        trainer = trainer_of(rate=[1e-2, 1e-6][trial.number % 2])
        models.append(trainer)
        history = fit(trainer, lm.OptunaPruningCallback(trial), epochs=8)
        return history["val_loss"][-1]

    pruner = optuna.pruners.MedianPruner(n_startup_trials=2, n_warmup_steps=3)
    study = optuna.create_study(direction=direction, pruner=pruner)
    study.optimize(objective, n_trials=6)
    pruned = [trial.number for trial in study.trials if trial.state.name == "PRUNED"]
    assert pruned == ([3, 5] if direction == "minimize" else [2, 4])
    for number in pruned:
        trainer = models[number]
        assert len(study.trials[number].intermediate_values) == len(trainer.history) < 8
        assert "TrialPruned: val_loss " in trainer.history.stop_reason
        assert np.isfinite(trainer.model.predict(rows()[0])).all()


def test_the_exception_is_optunas_own(optuna):
    class Trial:
        number = 0

        def report(self, value, step):
            self.reported = value, step

        def should_prune(self):
            return self.reported[1] == 1

    trainer, pruning = trainer_of(), lm.OptunaPruningCallback(Trial())
    with pytest.raises(optuna.TrialPruned, match=r"val_loss \S+ in epoch 1: pruned"):
        fit(trainer, pruning)
    assert len(trainer.history) == 2
    trainer.resume(*rows(), validation_data=rows(1), verbose=0)
    assert len(trainer.history) == 4


@pytest.mark.parametrize("killed", [False, True])
def test_a_resumed_fit_reports_no_epoch_twice(optuna, killed, recwarn):
    trial, trainer = optuna.create_study().ask(), trainer_of()
    hooks = [lm.OptunaPruningCallback(trial)]
    hooks.append(lm.LambdaCallback(on_epoch_end=interrupting(1)))
    with pytest.raises(KeyboardInterrupt):
        fit(trainer, *hooks)
    if killed:  # it had reported epoch 2 behind its last checkpoint
        trial.report(7.0, 2)
    again = [lm.OptunaPruningCallback(trial), lm.LambdaCallback()]
    trainer.resume(*rows(), validation_data=rows(1), callbacks=again, verbose=0)
    expected = dict(enumerate(trainer.history["val_loss"].tolist()))
    if killed:
        expected[2] = 7.0
    assert trial.study.get_trials()[0].intermediate_values == expected
    assert not recwarn.list  # Optuna warns of a second report


def test_what_cannot_be_pruned_is_refused_at_the_start(optuna):
    trainer, trial = trainer_of(), optuna.create_study().ask()
    before = trainer.model.fingerprint()
    with pytest.raises(ValueError, match="'val_f1' is not among the values of this fit"):
        fit(trainer, lm.OptunaPruningCallback(trial, monitor="val_f1"))
    both = optuna.create_study(directions=["minimize", "minimize"]).ask()
    with pytest.raises(ValueError, match="studies with one direction, this one has 2"):
        fit(trainer, lm.OptunaPruningCallback(both))
    assert trainer.model.fingerprint() == before


# ---- Keras --------------------------------------------------------------------------------------

KERAS_ALONE = ("on_train_batch_begin", "on_test", "on_predict")  # hooks that we do not have


def kind(argument):
    if isinstance(argument, dict):
        return sorted(argument)
    return int(argument)


def recorder(base, stop):
    """A callback that writes down what it is called with, and stops at an event."""
    calls = []

    def noting(hook):
        def note(self, *given, **named):
            calls.append((hook, *map(kind, (*given, *named.values()))))
            if calls[-1][:2] == stop:
                if base is lm.Callback:
                    self.trainer.stop()
                else:
                    self.model.stop_training = True

        return note

    hooks = [hook for hook in dir(base) if hook.startswith("on_") and hook not in ("on_tick",)]
    return type("Recorder", (base,), {hook: noting(hook) for hook in hooks})(), calls


@pytest.fixture(scope="module")
def keras():
    pytest.importorskip("torch")
    os.environ.setdefault("KERAS_BACKEND", "torch")
    return pytest.importorskip("keras")


def keras_calls(keras, stop=None):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(loss="mse", metrics=["mae"])
    recording, calls = recorder(keras.callbacks.Callback, stop)
    options = {"validation_data": rows(1), "epochs": 2, "batch_size": 16, "verbose": 0}
    model.fit(*rows(), callbacks=[recording], **options)
    return [call for call in calls if not call[0].startswith(KERAS_ALONE)]


def our_calls(stop=None):
    recording, calls = recorder(lm.Callback, stop)
    fit(trainer_of(), recording, epochs=2)

    def renamed(given):  # metrics have one name here
        return [key.replace("mean_absolute_error", "mae") for key in given]

    return [tuple(renamed(x) if isinstance(x, list) else x for x in call) for call in calls]


def test_hooks_and_arguments_are_those_of_keras(keras):
    assert our_calls() == keras_calls(keras)
    assert len(our_calls()) == 1 + 2 * (1 + 5 + 1) + 1


@pytest.mark.parametrize("stop", [("on_epoch_end", 0), ("on_epoch_begin", 1)])
def test_a_stop_between_epochs_is_that_of_keras(keras, stop):
    if stop[0] == "on_epoch_end":
        assert our_calls(stop) == keras_calls(keras, stop)
    else:  # Keras does one batch of it
        assert [call[0] for call in our_calls(stop)[-2:]] == ["on_epoch_begin", "on_train_end"]
        ended = [call[0] for call in keras_calls(keras, stop)[-3:]]
        assert ended == ["on_train_batch_end", "on_epoch_end", "on_train_end"]


def test_a_stop_inside_an_epoch_leaves_it_open(keras):
    """Keras measures and ends it; here it can be resumed."""
    stop = ("on_train_batch_end", 2)
    ours, theirs = our_calls(stop), keras_calls(keras, stop)
    assert len(ours) == 1 + 1 + 3 + 1
    assert [call[0] for call in theirs[-2:]] == ["on_epoch_end", "on_train_end"]
    assert ours[:-1] == theirs[:-2]
    assert ours[-1][0] == "on_train_end"


def test_a_further_fit_leaves_what_a_resumed_one_has_shown(board, tmp_path):
    shows, trainer = board(tmp_path / "logs"), trainer_of()
    with pytest.raises(KeyboardInterrupt):
        fit(trainer, shows, lm.LambdaCallback(on_epoch_end=interrupting(2)), epochs=6)
    trainer.resume(*rows(), validation_data=rows(1), verbose=0)
    fit(trainer, shows, epochs=2)
    whole = trainer_of()
    hook = board(tmp_path / "whole")
    fit(whole, hook, epochs=6)
    fit(whole, hook, epochs=2)
    for part in ("train", "validation"):
        assert shown(tmp_path / "logs" / part) == shown(tmp_path / "whole" / part)
