"""trainer.estimate: what it leaves alone, what it takes, what it refuses. No time is asserted."""

import numpy as np
import pytest

import lamina as lm

N = 300


def data(seed=0, n=N):
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(n, 6)).astype(np.float32)
    return x, (x[:, 0] > 0).astype(np.int64)


def everything(**options):
    model = lm.Model(
        [
            lm.Input(6),
            lm.Normalization(),
            lm.Dense(8, activation="relu", kernel_initializer=lm.initializers.UnitVariance()),
            lm.BatchNormalization(),
            lm.Dropout(0.2),
            lm.Dense(2, activation="softmax"),
        ],
        seed=0,
    )
    optimizer = lm.Adam(learning_rate=lm.OneCycle(max_learning_rate=0.02), use_ema=True)
    return lm.Trainer(model, loss="cce", optimizer=optimizer, metrics=["accuracy"], **options)


def state(trainer):
    """All that an estimate might change."""
    return (
        trainer.model.fingerprint(),
        trainer.optimizer.iterations,
        trainer.epoch,
        trainer.history.history,
        trainer.resumable,
        trainer._split,
        trainer._plan,
        trainer.optimizer.current_learning_rate if trainer.optimizer.iterations else None,
        [layer["waits"] for layer in trainer.model._core.layers()],
    )


HOW = {
    "plain": {},
    "validation data": {"validation_data": data(1)},
    "split": {"validation_split": 0.2},
    "weights": {"sample_weight": np.ones(N), "class_weight": "balanced"},
    "in order": {"shuffle": False, "check_input": False, "epochs": 1},
    "many epochs": {"epochs": 100_000},
}


@pytest.mark.parametrize("how", HOW)
def test_nothing_changes(how, monkeypatch):
    monkeypatch.setattr("lamina.estimating._TRAINING", 0.02)
    trainer, untouched = everything(), everything()
    before = state(trainer)
    np.random.seed(7)  # noqa: NPY002
    cost = trainer.estimate(*data(), batch_size=16, **HOW[how])
    assert state(trainer) == before
    assert np.random.randint(10**6) == 585903  # noqa: NPY002
    assert cost.seconds > 0
    assert cost.megabytes > 0
    assert cost.epochs == HOW[how].get("epochs", 20)
    # And a fit gives the bits that it gives without.
    fit = {**HOW[how], "epochs": 2, "batch_size": 16, "verbose": 0}
    trainer.fit(*data(), **fit)
    untouched.fit(*data(), **fit)
    assert trainer.model.fingerprint() == untouched.model.fingerprint()
    assert trainer._core.state() == untouched._core.state()
    assert trainer.history.history == untouched.history.history


def test_between_two_fits():
    model = lm.Model([lm.Input(6), lm.Dense(4, activation="tanh"), lm.Dense(1)], seed=0)
    trainer, (x, y) = lm.Trainer(model, loss="mse"), data()
    trainer.fit(x, y, epochs=1, verbose=0)
    core = trainer._core.state()
    trainer.estimate(x, y, epochs=3)
    assert trainer._core.state() == core


def test_callbacks_are_not_called_but_count_in_the_memory():
    def never(epoch, logs):
        raise AssertionError

    trainer = everything()
    without = trainer.estimate(*data(), epochs=2)
    hooks = [
        lm.LambdaCallback(on_epoch_end=never),
        lm.EarlyStopping("loss", restore_best_weights=True),
    ]
    cost = trainer.estimate(*data(), epochs=2, callbacks=hooks)
    assert cost.megabytes > without.megabytes


def test_the_memory_is_that_of_trainer_memory():
    model = lm.Model([lm.Input(64), lm.Dense(512), lm.Dense(1)], seed=0)
    trainer = lm.Trainer(model, loss="mse")
    x = np.zeros((100, 64), np.float32)
    parts = trainer.memory(batch_size=10, rows=100)
    cost = trainer.estimate(x, x[:, 0], epochs=2, batch_size=10)
    least = sum(parts.values()) / 1e6
    assert least <= cost.megabytes <= least + 5  # what products pack is known only now


def test_the_part_of_large_data(monkeypatch):
    """The probe reads some rows of data that are large, and measures some of the others."""
    monkeypatch.setattr("lamina.estimating._MUCH", 1000)
    monkeypatch.setattr("lamina.estimating._MUCH_TO_LEARN", 1000)
    monkeypatch.setattr("lamina.estimating._TRAINING", 0.01)
    trainer = everything(set_metrics_on_training=True)
    for how in HOW.values():
        assert trainer.estimate(*data(), batch_size=16, **how).seconds > 0


def test_several_inputs_and_outputs():
    numbers, codes = lm.Input(3, name="numbers"), lm.Input(1, kind="codes", cardinalities=5)
    hidden = lm.Dense(8, activation="relu")(lm.Concatenate()([numbers, lm.Embedding(2)(codes)]))
    outputs = [
        lm.Dense(1, name="price")(hidden),
        lm.Dense(1, activation="sigmoid", name="sold")(hidden),
    ]
    model = lm.Model(inputs=[numbers, codes], outputs=outputs, seed=0)
    trainer = lm.Trainer(model, loss={"price": "mse", "sold": "bce"}, metrics={"sold": ["roc_auc"]})
    x, y = data()
    given = (x[:, :3], np.arange(N) % 5), {"price": x[:, 0], "sold": y}
    before = model.fingerprint()
    assert trainer.estimate(*given, epochs=2, validation_split=0.3).seconds > 0
    assert model.fingerprint() == before


def test_a_loss_in_python():
    calls = []

    def loss(y_true, y_pred):
        calls.append(len(y_true))
        return ((y_pred - y_true) ** 2)[:, 0], 2 * (y_pred - y_true)

    model = lm.Model([lm.Input(6), lm.Dense(1)], seed=0)
    assert lm.Trainer(model, loss=loss).estimate(*data(), epochs=2).seconds > 0
    assert set(calls) == {128, N - 256}


def test_sparse_rows():
    sparse = pytest.importorskip("scipy.sparse")
    x = sparse.random(N, 1000, 0.01, format="csr", random_state=0, dtype=np.float32)
    model = lm.Model([lm.Input(1000, kind="sparse"), lm.Dense(8), lm.Dense(1)], seed=0)
    assert lm.Trainer(model, loss="mse").estimate(x, np.ones(N), epochs=2).seconds > 0


def test_a_schedule_in_python():
    """Such a model cannot be copied by its file."""
    model = lm.Model([lm.Input(6), lm.Dropout(lambda step: 0.1), lm.Dense(1)], seed=0)
    trainer = lm.Trainer(model, loss="mse", optimizer=lm.SGD(learning_rate=lambda step: 0.01))
    assert trainer.estimate(*data(), epochs=2).seconds > 0


def test_a_fit_that_diverges_at_once():
    model = lm.Model([lm.Input(6), lm.Dense(1)], seed=0)
    trainer = lm.Trainer(model, loss="mse", optimizer=lm.SGD(learning_rate=1e30))
    before = model.fingerprint()
    with pytest.raises(ValueError, match="the training diverges at once"):
        trainer.estimate(*data())
    assert model.fingerprint() == before


def test_what_is_refused():
    trainer, (x, y) = everything(), data()
    for given in (
        {"X": lm.ArrayStream(x, y)},
        {"X": x, "y": y, "validation_data": lm.ArrayStream(x, y)},
    ):
        with pytest.raises(ValueError, match=r"estimate: a stream says nothing .* as arrays"):
            trainer.estimate(**given)
    with pytest.raises(ValueError, match="epochs must be at least 1"):
        trainer.estimate(x, y, epochs=0)
    with pytest.raises(ValueError, match="expected 6 columns, got 4"):
        trainer.estimate(x[:, :4], y)
    x[17, 2] = np.nan
    with pytest.raises(ValueError, match="17"):
        trainer.estimate(x, y)


def test_its_text():
    say = lm.estimating.Estimate(7265.0, 3.05, 2000, 12.5)
    assert str(say) == "about 2.0 h (2000 epochs of 3 s) and 12.5 MB beside the data"
    say = lm.estimating.Estimate(0.0042, 0.0021, 2, 0.5)
    assert str(say) == "about 4.2 ms (2 epochs of 2.1 ms) and 500 kB beside the data"
