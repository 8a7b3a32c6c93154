"""History: the learning rate of each epoch, and what is written is read back, digit by digit."""

import copy
import errno
import json
import math
import os
import pickle
import stat
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lamina as lm

NAN = float("nan")
BATCH, STEPS = 16, 5  # 80 rows
X = np.linspace(-1, 1, BATCH * STEPS).reshape(-1, 1)
Y = X**2


def trainer_with(optimizer, **options):
    model = lm.Model([lm.Input(1), lm.Dense(4, activation="tanh"), lm.Dense(1)], seed=0)
    return lm.Trainer(model, loss="mse", optimizer=optimizer, **options)


def fit(trainer, epochs=4, **options):
    return trainer.fit(X, Y, epochs=epochs, batch_size=BATCH, verbose=0, **options)


# ---- the learning rate ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "accumulated"),
    [
        (lm.OneCycle(0.1, total_steps=4 * STEPS), 1),
        (lm.schedules.Exponential(0.1, gamma=0.9, decay_steps=1), 1),
        (lm.schedules.Function(lambda step: 0.1 / (1 + step)), 1),
        (lm.schedules.Linear(0.1, 10, 0.01), STEPS),
    ],
    ids=["one-cycle", "exponential", "function", "accumulated"],
)
def test_it_is_that_of_the_last_step(schedule, accumulated):
    optimizer = lm.SGD(learning_rate=schedule, gradient_accumulation_steps=accumulated)
    trainer = trainer_with(optimizer)
    history = fit(trainer)
    last_steps = np.arange(1, 5) * STEPS // accumulated - 1
    expected = schedule(last_steps)
    assert len(set(expected)) == 4
    assert history.learning_rate.tolist() == expected.tolist()
    assert history["learning_rate"].tolist() == expected.tolist()


def test_a_schedule_by_epochs():
    schedule = lm.schedules.Step(0.1, 2, gamma=0.5, unit="epoch")
    assert fit(trainer_with(lm.SGD(learning_rate=schedule))).learning_rate.tolist() == [
        *(0.1, 0.1, 0.05, 0.05)
    ]


def test_what_plateau_makes_of_it():
    plateau = lm.ReduceLROnPlateau(monitor="loss", mode="max", patience=0, factor=0.5)
    trainer = trainer_with(lm.SGD(learning_rate=0.5))
    history = fit(trainer, callbacks=[plateau])
    # The first epoch is the best; after the second, third and fourth the rate is halved.
    assert history.learning_rate.tolist() == [0.5, 0.5, 0.25, 0.125]
    assert trainer.optimizer.current_learning_rate == 0.0625


def test_it_is_no_key_of_the_logs():
    history = fit(trainer_with("adam"), validation_split=0.2)
    assert history.keys() == list(history) == list(history.history) == ["loss", "val_loss"]
    assert "learning_rate" in history
    assert "learning_rate" not in lm.History()
    assert np.isnan(lm.History().learning_rate).size == 0


def test_a_metric_of_that_name_comes_first():
    history = lm.History()
    history.append(0, {"loss": 1.0, "learning_rate": 7.0}, learning_rate=0.5)
    assert history["learning_rate"].tolist() == [7.0]
    assert history.learning_rate.tolist() == [0.5]
    assert lm.History.from_json(history.to_json()) == history


def test_all_fits_and_each():
    trainer = trainer_with(lm.SGD(learning_rate=lm.schedules.Linear(0.1, 30, 0.01)))
    first, second = fit(trainer, 2), fit(trainer, 2)
    whole = trainer.history.learning_rate
    assert whole.tolist() == [*first.learning_rate, *second.learning_rate]
    assert trainer.history.since(3).learning_rate.tolist() == [whole[3]]


@pytest.mark.parametrize("step", range(0, 3 * STEPS + 1, 2))
def test_a_resumed_fit_has_the_same(step):
    schedule = lm.OneCycle(0.1)
    whole = fit(trainer_with(lm.Adam(learning_rate=schedule)), 3)

    trainer = trainer_with(lm.Adam(learning_rate=schedule))

    def interrupt(batch, logs):
        if trainer.optimizer.iterations == step:
            raise KeyboardInterrupt

    if step:
        interrupting = lm.LambdaCallback(on_train_batch_end=interrupt)
        with pytest.raises(KeyboardInterrupt):
            fit(trainer, 3, callbacks=[interrupting])
        history = trainer.resume(X, Y, verbose=0)
    else:
        history = fit(trainer, 3)
    assert history == whole
    assert trainer.history.learning_rate.tolist() == whole.learning_rate.tolist()


def test_an_epoch_measured_after_an_interruption_has_its_own():
    """The epoch is trained to its end, its measuring fails: the rate of its last step is kept."""
    failing = [False, True]

    def metric(y_true, y_pred):
        if failing.pop(0):
            raise OSError("no more")
        return 0.0

    schedule = lm.schedules.Exponential(0.1, gamma=0.9, decay_steps=1)
    trainer = trainer_with(lm.SGD(learning_rate=schedule), metrics=[metric])
    given = {"validation_data": (X, Y)}
    with pytest.raises(OSError, match="no more"):
        fit(trainer, 3, **given)
    assert len(trainer.history) == 1
    failing[:] = [False] * 5
    history = trainer.resume(X, Y, verbose=0, **given)
    assert history.learning_rate.tolist() == schedule(np.arange(1, 4) * STEPS - 1).tolist()


def test_a_state_that_was_loaded_knows_it():
    """As after a kill between the last step of an epoch and its end."""
    schedule = lm.schedules.Exponential(0.1, gamma=0.9, decay_steps=1)
    trainer, other = (trainer_with(lm.SGD(learning_rate=schedule)) for _ in range(2))
    history = fit(trainer)
    other._core.load_state(trainer._core.state())
    assert other.optimizer.handle.last_learning_rate == history.learning_rate[-1]
    trainer.reset()
    assert trainer.optimizer.handle.last_learning_rate == 0.1


# ---- what is written is read --------------------------------------------------------------------


def some_history():
    history = lm.History(seed=2**63 + 1)
    history.append(3, {"loss": 0.1, "val_loss": NAN}, 1e-3)
    history.append(4, {"loss": 1 / 3, "val_loss": 2.0}, 5e-4)
    history.append(5, {"loss": math.inf, "val_loss": 5e-324, "späte_f1": 1.0})
    history.stop_reason = 'EarlyStopping: "enough"\n'
    return history


def test_json_is_what_every_reader_knows(tmp_path):
    history = some_history()

    def refuse(constant):
        raise AssertionError(f"JSON does not know {constant}")

    read = json.loads(history.to_json(tmp_path / "history.json"), parse_constant=refuse)
    assert read["epoch"] == [3, 4, 5]
    assert read["history"]["loss"] == [0.1, 1 / 3, "inf"]
    assert read["history"]["val_loss"] == [None, 2.0, 5e-324]
    assert read["learning_rate"] == [1e-3, 5e-4, None]
    assert (read["best_epoch"], read["best_epoch_by"]) == (5, "val_loss")
    assert (tmp_path / "history.json").read_text(encoding="utf-8") == history.to_json()


@given(
    st.lists(
        st.tuples(
            st.dictionaries(st.text(max_size=3), st.floats(width=64), max_size=3),
            st.floats(width=64),
        ),
        max_size=4,
    ),
    st.none() | st.integers(0, 2**64),
    st.none() | st.text(max_size=5),
    st.none() | st.integers(0, 3),
)
def test_json_round_trip(epochs, seed, reason, best):
    history = lm.History(seed=seed)
    for epoch, (logs, rate) in enumerate(epochs):
        history.append(epoch, logs, rate)
    history.best_epoch, history.stop_reason = best, reason
    again = lm.History.from_json(history.to_json())
    assert again == history
    assert again.best_epoch == history.best_epoch
    assert again.keys() == history.keys()
    for key in history:
        assert list(map(repr, again.history[key])) == list(map(repr, history.history[key]))
    for one in (history, again):  # and they go on alike
        one.append(9, {"val_loss": -math.inf}, 0.5)
    assert again == history
    assert again.best_epoch == history.best_epoch


def test_json_of_a_path(tmp_path):
    history = fit(trainer_with("adam"), callbacks=[lm.EarlyStopping("loss", patience=1)])
    history.to_json(tmp_path / "history.json")
    for path in (tmp_path / "history.json", str(tmp_path / "history.json")):
        again = lm.History.from_json(path)
        assert again == history
        assert repr(again) == repr(history)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.update(format_version=2), "format_version is 2.*install a later"),
        (lambda s: s.pop("format_version"), "no format_version"),
        (lambda s: s.pop("seed"), "there is no 'seed'"),
        (lambda s: s["epoch"].append(6), "4 epochs, but 3 values of learning_rate"),
        (lambda s: s["history"]["loss"].pop(), "3 epochs, but 2 values of loss"),
        (lambda s: s["history"].update(loss=["x", 1, 2]), "could not convert"),
        (lambda s: s.update(history=[]), "not a history"),
    ],
)
def test_what_is_no_history_is_refused(change, words):
    state = json.loads(some_history().to_json())
    change(state)
    with pytest.raises(ValueError, match=words):
        lm.History.from_json(json.dumps(state))


def test_what_is_no_json_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"History\.from_json"):
        lm.History.from_json("{nonsense")
    with pytest.raises(FileNotFoundError):
        lm.History.from_json(tmp_path / "nowhere.json")


def test_csv_round_trip(tmp_path):
    history = some_history()
    history.to_csv(path := tmp_path / "history.csv")
    assert path.read_text(encoding="utf-8").splitlines()[0] == (
        "epoch,loss,val_loss,späte_f1,learning_rate"
    )
    again = lm.History.from_csv(path)
    again.seed, again.stop_reason = history.seed, history.stop_reason
    assert again == history


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "expected a column 'epoch'"),
        ("loss\n1\n", "expected a column 'epoch'"),
        ("epoch,loss\n0,1\n1\n", "line 3 of .* has 1 cells, the first one 2"),
        ("epoch,loss\n0,much\n", "line 2 of .*: loss is no number: 'much'"),
        ("epoch,loss\n0.5,1\n", "epoch is no number: '0.5'"),
    ],
)
def test_what_is_no_csv_of_a_history(tmp_path, text, words):
    (tmp_path / "other.csv").write_text(text)
    with pytest.raises(ValueError, match=words):
        lm.History.from_csv(tmp_path / "other.csv")


def test_an_empty_cell_is_nan(tmp_path):
    (tmp_path / "some.csv").write_text("epoch,loss\n0,\n1,2\n")
    history = lm.History.from_csv(tmp_path / "some.csv")
    assert np.array_equal(history["loss"], [NAN, 2], equal_nan=True)
    assert np.isnan(history.learning_rate).all()


# ---- files are whole ----------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_failed_write_costs_nothing(tmp_path, monkeypatch, call):
    path = tmp_path / "history.json"
    some_history().to_json(path)
    before = path.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, full)
    with pytest.raises(OSError, match="No space left"):
        lm.History().to_json(path)
    with pytest.raises(OSError, match="No space left"):
        lm.History().to_csv(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["history.json"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_links_and_permissions_stay(tmp_path):
    path = tmp_path / "history.csv"
    some_history().to_csv(path)
    (tmp_path / "plain").touch()
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode
    path.chmod(0o640)
    (tmp_path / "link.csv").symlink_to(path)
    lm.History().to_csv(tmp_path / "link.csv")
    assert (tmp_path / "link.csv").is_symlink()
    assert path.read_text() == "epoch\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    with pytest.raises(IsADirectoryError):
        lm.History().to_csv(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    lm.History().to_csv(tmp_path / "pipe")
    assert os.read(reader, 100) == b"epoch\n"
    os.close(reader)


# ---- frames -------------------------------------------------------------------------------------


def test_pandas():
    pandas = pytest.importorskip("pandas")
    history = some_history()
    for frame in (history.to_frame(), history.to_frame("pandas")):
        assert isinstance(frame, pandas.DataFrame)
        assert frame.index.name == "epoch"
        assert frame.index.tolist() == [3, 4, 5]
        assert list(frame.columns) == ["loss", "val_loss", "späte_f1", "learning_rate"]
        for key in frame.columns:
            assert np.array_equal(frame[key].to_numpy(), history[key], equal_nan=True)
    assert lm.History().to_frame().shape == (0, 0)


def test_polars():
    polars = pytest.importorskip("polars")
    history = some_history()
    frame = history.to_frame("polars")
    assert isinstance(frame, polars.DataFrame)
    assert frame.columns == ["epoch", "loss", "val_loss", "späte_f1", "learning_rate"]
    assert frame["epoch"].to_list() == [3, 4, 5]
    for key in frame.columns[1:]:
        assert np.array_equal(frame[key].to_numpy(), history[key], equal_nan=True)


def layered_history():
    history = lm.History(seed=1)
    for epoch in (3, 4, 5):
        layers = {"dense": {"dead": 0.1 * epoch, "mean": NAN}, "out": {"mean": 1.0 * epoch}}
        history.append(epoch, {"loss": 1.0}, layers=layers)
    history.final = {"epoch": 5, "train_loss_eval": 0.5, "val_loss": 0.75}
    return history


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_layers_as_a_frame(library):
    pytest.importorskip(library)
    frame = layered_history().to_frame(library, layers=True)
    if library == "pandas":
        assert frame.loc[(4, "out"), "mean"] == 4.0
        frame = frame.reset_index()
    assert list(frame.columns) == ["epoch", "layer", "dead", "mean"]
    assert list(frame["epoch"]) == [3, 3, 4, 4, 5, 5]
    assert list(frame["layer"]) == ["dense", "out"] * 3
    assert np.array_equal(
        np.array(frame["dead"], float), [0.1 * 3, NAN, 0.4, NAN, 0.5, NAN], equal_nan=True
    )
    nothing = lm.History().to_frame(library, layers=True)
    assert len(nothing) == 0


def test_layers_and_the_end_are_kept():
    history = layered_history()
    twins = [
        lm.History.from_json(history.to_json()),
        copy.deepcopy(history),
        pickle.loads(pickle.dumps(history)),
        history.since(0),
    ]
    for twin in twins:
        assert twin == history
        assert twin.final == history.final
        assert np.array_equal(twin.layers["dense"]["mean"], [NAN] * 3, equal_nan=True)
    assert history.since(5).layers["out"] == {"mean": [5.0]}
    assert history.since(5).final == history.final
    assert history.since(6).final is None
    twin = layered_history()
    twin.layers["out"]["mean"][1] = 7.0
    assert twin != history


def test_which_library(monkeypatch):
    history = some_history()
    with pytest.raises(ValueError, match="'pandas' or 'polars', got 'excel'"):
        history.to_frame("excel")
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="needs pandas: python -m pip install pandas"):
        history.to_frame("pandas")
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(ImportError, match="needs pandas or polars: python -m pip install"):
        history.to_frame()


# ---- copies -------------------------------------------------------------------------------------


def test_equality():
    history = some_history()
    for twin in (
        copy.copy(history),
        copy.deepcopy(history),
        pickle.loads(pickle.dumps(history)),
    ):
        assert twin == history
        assert repr(twin) == repr(history)
    assert history != "something else"
    for name, value in (("seed", 1), ("stop_reason", None), ("best_epoch", 3)):
        other = copy.deepcopy(history)
        setattr(other, name, value)
        assert other != history
    other = copy.deepcopy(history)
    other.history = dict(reversed(other.history.items()))
    assert other == history
    other = copy.deepcopy(history)
    other.history["loss"][0] = np.nextafter(0.1, 1)
    assert other != history
    other = some_history()
    other._learning_rate[0] = 2e-3
    assert other != history
    with pytest.raises(TypeError, match="unhashable"):
        hash(history)


def test_the_table_has_a_rate_that_changes():
    changing, constant = lm.History(), lm.History()
    for epoch, rate in enumerate((0.5, 0.25)):
        changing.append(epoch, {"loss": 1.0}, rate)
        constant.append(epoch, {"loss": 1.0}, 0.5)
    assert repr(changing).splitlines()[1].split() == ["epoch", "loss", "learning_rate"]
    assert repr(constant).splitlines()[1].split() == ["epoch", "loss"]
