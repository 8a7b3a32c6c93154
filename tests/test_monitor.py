"""fit(monitor=True): statistics of layers, the fair training loss, and that nothing else moves."""

import contextlib
import copy
import math
import tracemalloc

import numpy as np
import pytest

import lamina as lm
from lamina.history_facts import facts_of
from lamina.history_record import LAYER_STATISTICS
from lamina.watching import draw_rows, observe, sample_rows

ROWS, COLUMNS, BATCH = 700, 6, 64


def data(seed=0, rows=ROWS):
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, COLUMNS)).astype(np.float32)
    return x, (x[:, 0] * x[:, 1] + 0.1 * random.normal(size=rows)).astype(np.float32)


def network(dtype="float32", **output):
    layers = [
        lm.Input(COLUMNS),
        lm.Dense(16, activation="relu"),
        lm.Dropout(0.2),
        lm.BatchNormalization(),
        lm.Dense(12, activation="tanh"),
        lm.Residual([lm.Dense(12, activation="elu")]),
        lm.Dense(1, **output),
    ]
    return lm.Model(layers, seed=3, dtype=dtype)


def trained(monitor, *, dtype="float32", threads=1, epochs=3, optimizer=None, **fit):
    trainer = lm.Trainer(
        network(dtype),
        loss="mse",
        optimizer=optimizer or lm.Adam(0.01),
        num_threads=threads,
    )
    x, y = data()
    trainer.fit(x, y, epochs=epochs, batch_size=BATCH, verbose=0, monitor=monitor, **fit)
    return trainer


OPTIMIZERS = {
    "adam": lambda: lm.Adam(0.01),
    "clipped": lambda: lm.Adam(0.01, global_clipnorm=0.5),
    "accumulated": lambda: lm.SGD(0.05, gradient_accumulation_steps=3),
    "averaged": lambda: lm.Momentum(0.01, use_ema=True),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_weights_are_those_of_a_fit_that_nobody_watches(name):
    make = OPTIMIZERS[name]
    prints = {
        trained(monitor, optimizer=make(), threads=threads).model.fingerprint()
        for monitor, threads in ((False, 1), (True, 1), (True, 3))
    }
    assert len(prints) == 1


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_statistics_do_not_depend_on_threads_or_blocks(name, monkeypatch):
    alone = trained(True, optimizer=OPTIMIZERS[name]()).history
    monkeypatch.setattr(lm.Trainer, "_scheduling", (16, 48, True))
    assert trained(True, optimizer=OPTIMIZERS[name](), threads=3).history == alone


def test_outputs_are_summed_up_as_numpy_does():
    trainer = trained(True, dtype="float64")
    x, y = data()
    rows = draw_rows(ROWS, sample_rows(ROWS), trainer.seed)
    assert len(rows) == 512
    layers = trainer.history.layers
    assert list(layers) == ["dense", "batch_normalization", "dense_1", "dense_2", "dense_3"]
    for name, known in layers.items():
        out = trainer.model.predict(x[rows], layer=name)
        assert known["mean"][-1] == pytest.approx(out.mean(), rel=1e-12)
        assert known["spread"][-1] == pytest.approx(out.std(), rel=1e-12)
        assert set(known) == set(LAYER_STATISTICS)
    loss = trainer.evaluate(x[rows], y[rows])["loss"]
    assert trainer.history["train_loss_eval"][-1] == pytest.approx(loss, rel=1e-12)


@pytest.mark.parametrize(
    ("activation", "statistic"),
    [
        ("relu", "dead"),
        ("elu", "dead"),
        ("gelu", "dead"),
        ("softplus", "dead"),
        ("log_sigmoid", "dead"),
        ("sigmoid", "saturated"),
        ("tanh", "saturated"),
        ("hard_sigmoid", "saturated"),
        ("relu6", "saturated"),
        ("leaky_relu", None),
        ("prelu", None),
        ("softmax", None),
        (None, None),
    ],
)
def test_units_at_a_flat_end_are_counted(activation, statistic):
    """Of eight units three are pushed far to each side; two stay where the activation moves."""
    model = lm.Model([lm.Input(1), lm.Dense(8, activation=activation), lm.Dense(1)], seed=0)
    model["dense"].kernel[:] = 0.1
    model["dense"].bias[:] = [-500, -500, -500, 500, 500, 500, 0.1, 0.2]
    trainer = lm.Trainer(model, loss="mse")
    x = np.linspace(-1, 1, 50).reshape(-1, 1)
    shares = observe(trainer, x, x)[1]["dense"]
    flat_right = activation == "log_sigmoid"
    assert shares["dead"] == pytest.approx(3 / 8) if statistic == "dead" else True
    assert not flat_right or shares["dead"] == pytest.approx(3 / 8)
    for name, share in shares.items():
        if name in ("dead", "saturated"):
            expected = {"dead": 3 / 8, "saturated": 6 / 8}[name] if name == statistic else math.nan
            assert share == pytest.approx(expected, nan_ok=True), name


def test_a_unit_that_one_row_wakes_is_not_dead():
    model = lm.Model([lm.Input(1), lm.Dense(1, activation="relu"), lm.Dense(1)], seed=0)
    model["dense"].kernel[:] = 1
    model["dense"].bias[:] = -1
    trainer = lm.Trainer(model, loss="mse")
    x = np.zeros((200, 1))
    assert observe(trainer, x, x)[1]["dense"]["dead"] == 1
    x[77] = 1.0001
    assert observe(trainer, x, x)[1]["dense"]["dead"] == 0


@pytest.mark.parametrize("name", ["adam", "clipped", "accumulated"])
def test_norms_are_those_of_the_last_full_step(name):
    """The same steps by hand: the last batch of 700 rows by 64 has 60, so the tenth is full."""
    make = OPTIMIZERS[name]
    twins = []
    for _ in range(2):
        layers = [lm.Input(COLUMNS), lm.Dense(5, activation="tanh"), lm.Dense(1)]
        twins.append(lm.Model(layers, seed=1, dtype="float64"))
    x, y = data()
    trainer = lm.Trainer(twins[0], loss="mse", optimizer=make())
    fit = {"epochs": 1, "batch_size": BATCH, "shuffle": False, "verbose": 0}
    trainer.fit(x, y, monitor=True, **fit)
    by_hand = lm.Trainer(twins[1], loss="mse", optimizer=make())
    every = 3 if name == "accumulated" else 1
    last = ROWS // BATCH // every * every
    gradients = dict.fromkeys(("dense", "dense_1"), 0.0)
    for batch in range(last):
        rows = slice(batch * BATCH, (batch + 1) * BATCH)
        before = {one: _flat(twins[1][one]) for one in gradients}
        by_hand.compute_gradients(x[rows], y[rows])
        if batch % every == 0:
            gradients = dict.fromkeys(gradients, 0.0)
        for one in gradients:
            gradients[one] = gradients[one] + _flat(twins[1][one], "_gradient") / every
        by_hand.optimizer.step(twins[1])
    for one, gradient in gradients.items():
        known, after = trainer.history.layers[one], _flat(twins[1][one])
        step = np.linalg.norm(after - before[one])
        assert known["gradient_norm"][0] == pytest.approx(np.linalg.norm(gradient), rel=1e-10)
        assert known["update_norm"][0] == pytest.approx(step, rel=1e-8)
        assert known["weight_norm"][0] == pytest.approx(np.linalg.norm(after), rel=1e-10)
        assert known["update_ratio"][0] == pytest.approx(step / np.linalg.norm(after), rel=1e-8)


def _flat(layer, what=""):
    return np.concatenate([getattr(layer, f"{part}{what}").ravel() for part in ("kernel", "bias")])


@pytest.mark.parametrize("batch", [0, 5, 9, 10])
def test_a_fit_that_is_resumed_has_the_same_statistics(batch, tmp_path):
    """The tenth batch is watched: stopped before it, in it, and behind it."""
    x, y = data()
    whole = trained(True)

    def stop(number, logs):
        if trainer.epoch == 1 and number == batch:
            trainer.save_checkpoint(tmp_path / "run")
            trainer.stop(resumable=True)

    trainer = lm.Trainer(network(), loss="mse", optimizer=lm.Adam(0.01), num_threads=1)
    hooks = [lm.LambdaCallback(on_train_batch_end=stop)]
    fit = {"epochs": 3, "batch_size": BATCH, "verbose": 0, "monitor": True}
    trainer.fit(x, y, callbacks=hooks, **fit)
    assert trainer.epoch == (2 if batch == 10 else 1)
    again = lm.load_checkpoint(tmp_path / "run")
    for one in (again, trainer):
        one.resume(x, y, callbacks=[lm.LambdaCallback()], verbose=0)
        assert one.history == whole.history
        assert one.model.fingerprint() == whole.model.fingerprint()


def test_a_fit_that_nobody_watches_leaves_gaps():
    trainer = trained(True, epochs=1)
    x, y = data()
    trainer.fit(x, y, epochs=2, batch_size=BATCH, verbose=0)
    seen = [math.isfinite(one) for one in trainer.history.layers["dense"]["mean"]]
    assert seen == [True, False, False]
    assert trainer.history.since(1).layers["dense"]["mean"] == pytest.approx(
        [math.nan, math.nan], nan_ok=True
    )
    assert lm.History.from_json(trainer.history.to_json()) == trainer.history


def test_the_final_losses_are_those_of_the_weights_that_are_left():
    x, y = data()
    for stopping in ([], [lm.EarlyStopping(patience=2, restore_best_weights=True)]):
        trainer = lm.Trainer(network(), loss="mse", optimizer=lm.Adam(0.05))
        validation = data(1, rows=300)
        history = trainer.fit(
            *(x, y), epochs=40, validation_data=validation, callbacks=stopping, verbose=0
        )
        final = history.final
        assert final["val_loss"] == trainer.evaluate(*validation)["loss"]
        rows = draw_rows(ROWS, 300, trainer.seed)
        assert final["train_loss_eval"] == trainer.evaluate(x[rows], y[rows])["loss"]
        assert final["epoch"] == (history.best_epoch if stopping else 39)
        assert final["epoch"] == history.epoch[-1] or stopping
        assert history == lm.History.from_json(history.to_json())


@pytest.mark.parametrize("loss", ["mse", "cce", "bce", "mae"])
def test_the_best_constant_is_measured_on_the_validation_rows(loss):
    x, y = data()
    other_x, other_y = data(1, rows=300)
    if loss == "cce":
        y, other_y, output = np.digitize(y, [-0.2, 0.8]), np.digitize(other_y, [-0.2, 0.8]), 3
        share = np.bincount(y, minlength=3) / len(y)
        expected = -np.log(share[other_y]).mean()
    elif loss == "bce":
        y, other_y, output = (y > 0.5).astype(int), (other_y > 0.5).astype(int), 1
        share = y.mean()
        expected = -np.log(np.where(other_y == 1, share, 1 - share)).mean()
    else:
        output, expected = 1, np.mean((other_y - y.mean()) ** 2) if loss == "mse" else None
    activation = {"cce": "softmax", "bce": "sigmoid"}.get(loss)
    layers = [lm.Input(COLUMNS), lm.Dense(4), lm.Dense(output, activation=activation)]
    trainer = lm.Trainer(lm.Model(layers, seed=0), loss=loss)
    history = trainer.fit(x, y, epochs=1, validation_data=(other_x, other_y), verbose=0)
    facts = facts_of(history)
    assert (facts.least_loss, facts.baseline_loss) == (0, history.final.get("baseline_loss"))
    if expected is None:
        assert "baseline_loss" not in history.final
    else:  # the training rows are a sample of 300
        assert history.final["baseline_loss"] == pytest.approx(expected, rel=0.03)


def test_class_weights_do_not_count_where_validation_data_have_none():
    x, y = data()
    labels = (y > 0.8).astype(int)
    layers = [lm.Input(COLUMNS), lm.Dense(8, activation="relu"), lm.Dense(1, activation="sigmoid")]
    trainer = lm.Trainer(lm.Model(layers, seed=0), loss="bce")
    history = trainer.fit(
        *(x, labels),
        class_weight="balanced",
        validation_data=(x, labels),
        monitor=True,
        verbose=0,
    )
    assert history.final["train_loss_eval"] == pytest.approx(history.final["val_loss"], rel=1e-12)
    rows = draw_rows(ROWS, 512, trainer.seed)
    loss = trainer.evaluate(x[rows], labels[rows])["loss"]
    assert history["train_loss_eval"][-1] == loss


def test_a_stream_is_watched_by_its_first_rows():
    x, y = data()
    stream = lm.Stream(lambda: ((x[i : i + 100], y[i : i + 100]) for i in range(0, 700, 100)))
    trainer = lm.Trainer(network(), loss="mse")
    history = trainer.fit(stream, epochs=2, validation_data=(x, y), verbose=0, monitor=True)
    assert np.isfinite(history["train_loss_eval"]).all()
    assert np.isfinite(history.layers["dense"]["gradient_norm"]).all()
    assert history.final is None


def test_what_is_stopped_or_has_diverged_has_no_final_losses():
    x, y = data()
    trainer = lm.Trainer(network(), loss="mse")
    stop = lm.LambdaCallback(on_train_batch_end=lambda batch, logs: trainer.stop())
    assert trainer.fit(x, y, validation_data=(x, y), callbacks=[stop], verbose=0).final is None
    trainer = lm.Trainer(network(), loss="mse", optimizer=lm.SGD(1e9))
    with pytest.warns(RuntimeWarning, match="diverged"):
        history = trainer.fit(x, y, validation_data=(x, y), verbose=0, monitor=True)
    assert history.final is None


def test_rows_that_do_not_count_are_not_drawn():
    x, y = data(rows=5000)
    weights = np.zeros(5000)
    weights[::500] = 1
    for monitor in (False, True):
        trainer = lm.Trainer(network(), loss="mse")
        history = trainer.fit(
            *(x, y),
            sample_weight=weights,
            validation_data=(x[:4], y[:4]),
            epochs=2,
            monitor=monitor,
            verbose=0,
        )
        assert history.stop_reason == "all epochs done"
        rows = np.flatnonzero(weights)
        some = rows[draw_rows(10, 4, trainer.seed)]
        assert history.final["train_loss_eval"] == trainer.evaluate(x[some], y[some])["loss"]
    loss = trainer.evaluate(x[rows], y[rows])["loss"]
    assert history["train_loss_eval"][-1] == loss


def test_a_stream_is_measured_with_its_weights():
    x, y = data()
    weights = np.ones(ROWS)
    y[::2], weights[::2] = 1000, 0
    chunks = [(x[i : i + 100], y[i : i + 100], weights[i : i + 100]) for i in range(0, ROWS, 100)]
    trainer = lm.Trainer(network(), loss="mse")
    history = trainer.fit(lm.Stream(lambda: chunks), epochs=2, verbose=0, monitor=True)
    assert history["train_loss_eval"].max() < 10


def test_a_window_s_short_end_is_no_full_batch():
    """641 rows by 64 leave one; in windows of 128 it is a window by itself."""
    x, y = data(rows=641)
    norms = []
    for options in ({}, {"window_rows": 128}):
        trainer = lm.Trainer(network(), loss="mse", optimizer=lm.SGD(0.01))
        stream = lm.Stream(lambda: [(x, y)], **options)
        fit = {"epochs": 1, "batch_size": BATCH, "shuffle": False, "verbose": 0}
        norms.append(trainer.fit(stream, monitor=True, **fit).layers["dense"]["gradient_norm"])
    assert norms[0] == norms[1]
    few = lm.Trainer(network(), loss="mse")
    history = few.fit(x[:10], y[:10], epochs=1, batch_size=BATCH, verbose=0, monitor=True)
    assert history.layers["dense"]["gradient_norm"][0] > 0


@pytest.mark.parametrize(("activation", "bias"), [("silu", -20), ("mish", -30), ("gelu", -8)])
def test_smooth_relatives_of_relu_die_too(activation, bias):
    model = lm.Model([lm.Input(1), lm.Dense(4, activation=activation), lm.Dense(1)], seed=0)
    model["dense"].kernel[:] = 0.1
    model["dense"].bias[:] = [bias, bias, 0, 1]
    x = np.linspace(-1, 1, 50).reshape(-1, 1)
    assert observe(lm.Trainer(model, loss="mse"), x, x)[1]["dense"]["dead"] == 0.5


@pytest.mark.parametrize("mean", [0, 1e3, 1e8, 1.7e9])
def test_numbers_far_from_zero_keep_their_spread(mean):
    x = mean + np.random.default_rng(0).normal(size=(700, 3))
    model = lm.Model([lm.Input(3), lm.Impute(), lm.Dense(1)], seed=0, dtype="float64")
    model.adapt(x)
    found = observe(lm.Trainer(model, loss="mse"), x, x[:, :1])[1]["impute"]
    out = model.predict(x, layer="impute")
    assert found["mean"] == pytest.approx(out.mean(), rel=1e-14, abs=1e-14)
    assert found["spread"] == pytest.approx(out.std(), rel=1e-6)


def test_slices_of_time_end_with_the_same_history():
    x, y = data()
    how = {"epochs": 3, "batch_size": BATCH, "validation_data": data(1), "verbose": 0}
    whole = lm.Trainer(network(), loss="mse", num_threads=1)
    whole.fit(x, y, **how)
    trainer = lm.Trainer(network(), loss="mse", num_threads=1)
    trainer.fit(x, y, time_budget=1e-5, **how)
    while trainer.resumable:
        trainer.resume(x, y, validation_data=data(1), verbose=0, time_budget=1e-5)
    assert trainer.history.final is not None
    assert trainer.history == whole.history


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, MemoryError])
def test_a_complete_fit_stays_complete_whatever_happens_at_its_end(error, monkeypatch):
    def fails(*args, **kwargs):
        raise error

    monkeypatch.setattr("lamina.given_data.measure_sample", fails)
    heard = []
    hook = lm.LambdaCallback(
        on_train_end=lambda logs: heard.append("end"), on_exception=lambda e: heard.append(e)
    )
    trainer = lm.Trainer(network(), loss="mse")
    x, y = data()
    stops = pytest.raises(error) if error is KeyboardInterrupt else contextlib.nullcontext()
    with stops:
        trainer.fit(x, y, epochs=1, validation_data=(x, y), callbacks=hook, verbose=0)
    assert heard == ["end"]
    assert trainer.history.stop_reason == "all epochs done"
    assert trainer.history.final is None


def test_the_baseline_of_pictures_is_found_piece_by_piece():
    x = np.random.default_rng(0).random((20_000, 200), dtype=np.float32)
    layers = [lm.Input(200), lm.Dense(4), lm.Dense(200, activation="sigmoid")]
    for loss in ("mse", "bce"):
        trainer = lm.Trainer(lm.Model(copy.deepcopy(layers), seed=0), loss=loss)
        tracemalloc.start()
        history = trainer.fit(x, x, epochs=1, batch_size=1024, validation_data=(x, x), verbose=0)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 3 * x.nbytes
        mean = x.mean(axis=0, dtype=np.float64)
        found = np.mean((x - mean) ** 2 if loss == "mse" else _entropy(x, mean))
        assert history.final["baseline_loss"] == pytest.approx(found, rel=1e-6)


def _entropy(y, p):
    return -(y * np.log(p) + (1 - y) * np.log(1 - p))


@pytest.mark.parametrize(("classes", "rows"), [(1000, 20_000), (1, 200_000)])
def test_the_end_of_a_fit_takes_little_memory(classes, rows):
    x, y = data(rows=rows)
    labels = np.arange(rows) % classes
    output = {"activation": "softmax"} if classes > 1 else {}
    layers = [lm.Input(COLUMNS), lm.Dense(4), lm.Dense(classes, **output)]
    trainer = lm.Trainer(lm.Model(layers, seed=0), loss="cce" if classes > 1 else "mse")
    target = labels if classes > 1 else y
    tracemalloc.start()
    trainer.fit(x, target, epochs=1, batch_size=1024, validation_data=(x, target), verbose=0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200 * rows
    assert "baseline_loss" in trainer.history.final


def test_wrong_data_are_refused_as_by_any_fit():
    x, y = data()
    with pytest.raises(ValueError, match="rows"):
        lm.Trainer(network(), loss="mse").fit(x, y[:-1], verbose=0, monitor=True)


@pytest.mark.parametrize("count", [1, 10, 511, 512, 70000])
def test_rows_are_drawn_by_the_seed_alone(count):
    for rows in (count, count + 1, 20 * count):
        drawn = draw_rows(rows, count, 7)
        assert drawn == sorted(set(drawn)) == draw_rows(rows, count, 7)
        assert 0 <= drawn[0] <= drawn[-1] < rows
        assert len(drawn) == count
    assert draw_rows(10**6, 100, 1) != draw_rows(10**6, 100, 2)
