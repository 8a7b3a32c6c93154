"""History, and the callbacks: when EarlyStopping stops, what it keeps, what it refuses."""

import copy
import csv
import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lamina as lm

# ---- EarlyStopping ------------------------------------------------------------------------------

NAN = float("nan")


class StandIn:
    """Of the Trainer, what a callback uses; the weights are the number of the epoch."""

    def __init__(self):
        self.weights = self.best = self.reason = None
        self.snapshots = []

    def stop(self, reason):
        self.reason = reason

    def snapshot_best(self, epoch, value):
        self.snapshots.append((epoch, value))
        self.best = self.weights

    def restore_best(self):
        if self.best is None:
            return False
        self.weights = self.best
        return True


def run(stopping, values, key="val_loss", start=0, trainer=None):
    """A fit whose epochs give these values."""
    trainer = trainer or StandIn()
    trainer.reason = None
    stopping.trainer = trainer
    stopping.check(["loss", key])
    stopping.on_train_begin()
    for epoch, value in enumerate(values, start):
        trainer.weights = epoch
        stopping.on_epoch_end(epoch, {"loss": 0.0, key: value})
        if trainer.reason:
            break
    stopping.on_train_end()
    return trainer


def last_epoch(values, **options):
    """The epoch after which the training stops, or None."""
    stopping = lm.EarlyStopping(**options)
    run(stopping, values)
    return stopping.stopped_epoch


def test_it_stops_after_patience_epochs_without_improvement():
    values = [5, 4, 3, 3, 4, 2, 3, 3, 3, 3]
    assert last_epoch(values, patience=2) == 4
    assert last_epoch(values, patience=3) == 8
    assert last_epoch(values, patience=4) == 9
    assert last_epoch(values, patience=5) is None
    assert last_epoch(values, patience=1) == last_epoch(values, patience=0) == 3


def test_it_restores_the_best_weights():
    stopping = lm.EarlyStopping(patience=2)
    trainer = run(stopping, [5, 3, 4, 4, 1])
    assert (trainer.weights, stopping.best, stopping.best_epoch, stopping.wait) == (1, 3, 1, 2)
    assert trainer.snapshots == [(0, 5), (1, 3)]
    assert trainer.reason == (
        "EarlyStopping: val_loss has not improved for 2 epochs; best 3 in epoch 1"
    )


def test_it_restores_the_best_weights_when_the_epochs_run_out():
    trainer = run(lm.EarlyStopping(patience=10), [5, 3, 4])
    assert trainer.reason is None
    assert trainer.weights == 1


def test_it_can_leave_the_weights_alone():
    trainer = run(lm.EarlyStopping(patience=1, restore_best_weights=False), [5, 3, 4])
    assert (trainer.weights, trainer.snapshots) == (2, [])


def test_min_delta_is_how_much_better_a_value_must_be():
    values = [4.0, 3.5, 3.0, 2.5]  # an improvement of exactly min_delta is none
    assert last_epoch(values, patience=1, min_delta=0.5) == 1
    assert last_epoch(values, patience=1, min_delta=0.25) is None
    assert last_epoch(values, patience=2, min_delta=0.5) is None  # 3.0 is better than 4.0 by 1
    assert last_epoch([1.0, 1.5, 2.0], patience=1, min_delta=0.5, mode="max") == 1
    assert last_epoch([1.0, 1.75, 2.5], patience=1, min_delta=0.5, mode="max") is None


def test_nan_never_is_an_improvement():
    stopping = lm.EarlyStopping(patience=3)
    trainer = run(stopping, [NAN, 5, NAN, NAN, 4, NAN, NAN, NAN, 1])
    assert (stopping.stopped_epoch, stopping.best_epoch, trainer.weights) == (7, 4, 4)
    assert trainer.snapshots == [(1, 5), (4, 4)]


def test_nothing_but_nan():
    stopping = lm.EarlyStopping(patience=2)
    trainer = run(stopping, [NAN] * 5)
    assert stopping.stopped_epoch == 1
    assert stopping.best is None
    assert trainer.weights == 1  # nothing to restore
    assert "never was a number" in trainer.reason


@pytest.mark.parametrize(
    ("monitor", "larger"),
    [
        ("loss", False),
        ("val_loss", False),
        ("val_mean_squared_error", False),
        ("val_mse", False),
        ("rmse", False),
        ("accuracy", True),
        ("val_acc", True),
        ("val_roc_auc", True),
        ("val_r2", True),
    ],
)
def test_the_direction_goes_by_the_name(monitor, larger):
    stopping = lm.EarlyStopping(monitor=monitor, patience=1)
    run(stopping, [1.0, 2.0], key=monitor)
    assert stopping.best == (2.0 if larger else 1.0)
    opposite = lm.EarlyStopping(monitor=monitor, patience=1, mode="min" if larger else "max")
    run(opposite, [1.0, 2.0], key=monitor)
    assert opposite.best == (1.0 if larger else 2.0)


def test_a_name_without_direction():
    stopping = lm.EarlyStopping(monitor="val_score")
    with pytest.raises(ValueError, match=r"'val_score'.*mode='min' or mode='max'"):
        stopping.check(["val_score"])
    lm.EarlyStopping(monitor="val_score", mode="max").check(["val_score"])


def test_an_alias_finds_the_full_name():
    stopping = lm.EarlyStopping(monitor="val_mse", patience=1)
    run(stopping, [3.0, 2.0, 2.5], key="val_mean_squared_error")
    assert (stopping.best, stopping.stopped_epoch) == (2.0, 2)


def test_a_missing_monitor_is_refused_with_the_keys():
    with pytest.raises(ValueError, match=r"'val_accuracy' is not among .*: loss, auc, val_loss"):
        lm.EarlyStopping(monitor="val_accuracy").check(["loss", "auc", "val_loss"])
    with pytest.raises(ValueError, match="validation_data or validation_split"):
        lm.EarlyStopping().check(["loss"])
    with pytest.raises(ValueError, match=r"'val_loss' is not among .*: loss, accuracy"):
        lm.EarlyStopping().on_epoch_end(0, {"loss": 1.0, "accuracy": 0.5})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"patience": -1}, "patience must be at least 0, got -1"),
        ({"min_delta": -0.5}, "min_delta must be at least 0, got -0.5"),
        ({"min_delta": NAN}, "min_delta must be at least 0, got nan"),
        ({"mode": "larger"}, "mode must be 'auto', 'min' or 'max', got 'larger'"),
    ],
)
def test_impossible_arguments(options, words):
    with pytest.raises(ValueError, match=words):
        lm.EarlyStopping(**options)


def test_each_fit_counts_anew():
    stopping = lm.EarlyStopping(patience=2)
    trainer = run(stopping, [1, 2, 3])
    assert stopping.stopped_epoch == 2
    run(stopping, [9, 8, 9, 9], start=3, trainer=trainer)
    assert (stopping.best, stopping.best_epoch, stopping.stopped_epoch) == (8, 4, 6)
    run(stopping, [9, 8], start=7, trainer=trainer)
    assert stopping.stopped_epoch is None


@given(
    st.lists(st.sampled_from([1.0, 2.0, 3.0, NAN]), min_size=2, max_size=12),
    st.integers(0, 4),
    st.data(),
)
def test_a_resumed_fit_stops_where_the_whole_one_does(values, patience, data):
    whole = lm.EarlyStopping(patience=patience)
    reason = run(whole, values).reason
    before = lm.EarlyStopping(patience=patience)
    cut = data.draw(st.integers(1, len(values)))
    if run(before, values[:cut]).reason:
        return
    after = lm.EarlyStopping(patience=patience)
    after.set_state(json.loads(json.dumps(before.get_state())))
    trainer = run(after, values[cut:], start=cut)
    assert after.get_state() == whole.get_state()
    assert trainer.reason == reason


def test_a_callback_with_state_has_one_owner():
    stopping, trainer = lm.EarlyStopping(), StandIn()
    stopping.trainer = trainer
    stopping.trainer = StandIn()  # nothing has begun
    trainer = run(stopping, [1.0])
    stopping.trainer = trainer
    with pytest.raises(ValueError, match=r"EarlyStopping: .*copy\.deepcopy"):
        stopping.trainer = StandIn()
    for twin in (copy.deepcopy(stopping), pickle.loads(pickle.dumps(stopping))):
        assert twin.trainer is None
        assert twin == stopping
        twin.trainer = StandIn()


# ---- other callbacks ----------------------------------------------------------------------------

HOOKS = ["on_train_begin", "on_epoch_begin", "on_train_batch_end", "on_epoch_end", "on_train_end"]


def call(callback, hook):
    numbered = () if ("train_b" in hook[3:] and "batch" not in hook) or "train_e" in hook else (7,)
    getattr(callback, hook)(*numbered, {"loss": 0.5})
    return (*numbered, {"loss": 0.5})


@pytest.mark.parametrize("hook", HOOKS)
def test_lambda_callback(hook):
    seen = []
    callback = lm.LambdaCallback(**{hook: lambda *given: seen.append(given)})
    expected = [call(callback, each) for each in HOOKS][HOOKS.index(hook)]
    assert seen == [expected]
    assert callback.batch_interval == (hook == "on_train_batch_end")


def test_the_base_does_nothing_and_wants_no_batches():
    class Quiet(lm.Callback):
        def __init__(self):
            self.count = 0  # without calling the base's

        def on_epoch_end(self, epoch, logs=None):
            self.count += 1

    class Busy(lm.Callback):
        def on_train_batch_end(self, batch, logs=None):
            pass

    quiet = Quiet()
    for hook in HOOKS:
        call(quiet, hook)
    quiet.check(["loss"])
    assert quiet.count == 1
    assert quiet.get_state() == {}
    assert quiet.batch_interval == 0
    assert Busy().batch_interval == 1
    for trainer in (StandIn(), StandIn(), None):  # no state, so any number of owners
        quiet.trainer = trainer
        assert quiet.trainer is trainer


# ---- History ------------------------------------------------------------------------------------


def history_of(epochs=3, start=0, **values):
    history = lm.History(seed=7)
    for i in range(epochs):
        history.append(start + i, {key: value[i] for key, value in values.items()})
    return history


def test_values_by_key_and_alias():
    history = history_of(loss=[3, 2, 1], val_mean_squared_error=[0.5, 0.25, 0.75])
    assert history["loss"].tolist() == [3, 2, 1]
    assert history["val_mse"].tolist() == [0.5, 0.25, 0.75]
    assert history["loss"].dtype == np.float64
    assert history.history["loss"] == [3.0, 2.0, 1.0]
    assert history.epoch == [0, 1, 2]
    assert len(history) == 3
    assert history.keys() == list(history) == ["loss", "val_mean_squared_error"]
    assert "val_mse" in history
    assert "val_loss" not in history
    with pytest.raises(KeyError, match=r"'val_loss' is not in .* loss, val_mean_squared_error"):
        history["val_loss"]


def test_what_an_epoch_does_not_have_is_nan():
    history = history_of(2, loss=[3, 2])
    history.append(2, {"loss": 1, "val_loss": 5})
    history.append(3, {"val_loss": 4})
    assert np.array_equal(history["val_loss"], [NAN, NAN, 5, 4], equal_nan=True)
    assert np.array_equal(history["loss"], [3, 2, 1, NAN], equal_nan=True)
    assert history.best_epoch == 3


def test_the_best_epoch():
    assert history_of(loss=[3, 2, 1]).best_epoch is None
    assert history_of(val_loss=[NAN] * 3).best_epoch is None
    assert lm.History().best_epoch is None
    history = history_of(val_loss=[NAN, 1, 2], start=10)
    assert history.best_epoch == 11
    history.best_epoch = 12
    assert history.best_epoch == 12


def test_csv_keeps_every_digit(tmp_path):
    history = history_of(loss=[0.1, 1 / 3, 1e-300], val_loss=[NAN, 2, 1], start=4)
    history.to_csv(tmp_path / "history.csv")
    with open(tmp_path / "history.csv", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["epoch", "loss", "val_loss"]
    assert [int(row[0]) for row in rows] == [4, 5, 6]
    for column, key in enumerate(header[1:], 1):
        read = np.array([float(row[column]) for row in rows])
        assert np.array_equal(read, history[key], equal_nan=True)


def test_repr():
    history = history_of(loss=[3, 2.5, 1 / 3])
    history.stop_reason = "<enough>"
    assert repr(history).splitlines() == [
        "History of 3 epochs, seed 7, stopped: <enough>",
        "epoch    loss",
        "    0       3",
        "    1     2.5",
        "    2  0.3333",
    ]
    assert repr(lm.History()) == "History of 0 epochs"
    assert "&lt;enough&gt;" in history._repr_html_()
    assert history._repr_html_().count("<tr>") == 4
    lines = repr(history_of(100, loss=range(100))).splitlines()
    assert [line.split()[0] for line in lines[1:]] == [
        *("epoch", "0", "1", "2", "…", "93", "94", "95", "96", "97", "98", "99")
    ]
    assert len(set(map(len, lines[1:]))) == 1


def test_copies():
    history = history_of(loss=[3, 2, 1])
    for twin in (copy.deepcopy(history), pickle.loads(pickle.dumps(history))):
        assert twin.history == history.history
        assert (twin.epoch, twin.seed) == (history.epoch, 7)


@pytest.fixture
def pyplot():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")


def full():
    return history_of(
        loss=[3, 2, 1],
        val_loss=[4, 2, 3],
        accuracy=[0.25, 0.5, 0.75],
        val_accuracy=[0.25, 0.5, 0.5],
        mean_squared_error=[1, 2, 3],
    )


def drawn(ax):
    """Label -> values of each line."""
    return {line.get_label(): list(line.get_ydata()) for line in ax.get_lines()}


def test_plot_of_the_losses(pyplot, tmp_path):
    ax = full().plot(metrics=())
    lines = drawn(ax)
    assert lines["training"] == [3, 2, 1]
    assert lines["validation"] == [4, 2, 3]
    assert len(lines) == 4  # and the best epoch, a line and a dot
    marked = next(line for line in ax.get_lines() if "best epoch (1)" in line.get_label())
    assert list(marked.get_xdata()) == [1, 1]
    assert len(ax.figure.axes) == 1
    ax.figure.savefig(tmp_path / "curve.png")
    assert (tmp_path / "curve.png").stat().st_size > 1000


def test_plot_with_metrics(pyplot):
    ax = full().plot(metrics="accuracy")
    below = ax.figure.axes[1]
    assert drawn(below)["validation"] == [0.25, 0.5, 0.5]
    assert below.get_ylabel() == "accuracy"
    both = full().plot(metrics=["accuracy", "mse"]).figure.axes[1]
    assert drawn(both)["training, mse"] == [1, 2, 3]
    assert drawn(both)["validation, accuracy"] == [0.25, 0.5, 0.5]
    assert "validation, mse" not in drawn(both)
    with pytest.raises(KeyError, match="roc_auc"):
        full().plot(metrics="roc_auc")


def test_plot_of_a_metric_of_validation_data_alone(pyplot):
    ax = history_of(loss=[3, 2, 1], val_loss=[3, 3, 2], val_f1=[0.1, 0.2, 0.3]).plot(metrics="f1")
    assert drawn(ax.figure.axes[1])["validation"] == [0.1, 0.2, 0.3]
    assert "training" not in drawn(ax.figure.axes[1])


def test_plot_into_given_axes(pyplot):
    figure, (left, right) = pyplot.subplots(1, 2)
    assert full().plot(left) is left
    assert not right.get_lines()
    assert full().plot((left, right), metrics="accuracy") is left
    assert right.get_lines()
    assert pyplot.get_fignums() == [figure.number]
    with pytest.raises(ValueError, match=r"expected 2 Axes .* got 1"):
        full().plot(left, metrics="accuracy")


def test_plot_without_validation(pyplot):
    assert drawn(history_of(loss=[3, 2, 1]).plot()) == {"training": [3, 2, 1]}
