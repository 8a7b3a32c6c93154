"""Faults that were found once, each with what showed it."""

import copy
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import lamina as lm
from lamina._isa import core

X = np.sin(0.7 * np.arange(120 * 4).reshape(120, 4))
Y = X[:, :1] * X[:, 1:2]


def small(*inner, seed=0, **options):
    return lm.Model([lm.Input(4), *inner, lm.Dense(1)], seed=seed, **options)


def test_codes_of_more_rows_than_a_block():
    """The code buffer of a prediction was as long as a block and indexed by the row."""
    layers = [lm.Input(1, kind="codes", cardinalities=7), lm.Embedding(3), lm.Dense(2)]
    model = lm.Model(layers, seed=0)
    codes = np.arange(20_000) % 7
    np.testing.assert_array_equal(model.predict(codes), model.predict(np.arange(7))[codes])
    trainer = lm.Trainer(model, loss="mse")
    assert np.isfinite(trainer.evaluate(codes, np.zeros((20_000, 2)))["loss"])


def test_codes_without_an_embedding_are_refused():
    with pytest.raises(ValueError, match="Embedding"):
        lm.Model([lm.Input(1, kind="codes", cardinalities=3), lm.Dense(1)])


def test_the_average_follows_statistics_and_frozen_layers():
    """Running statistics stayed at their start in the averaged weights."""
    frozen = lm.Dense(4, activation="tanh")
    model = small(frozen, lm.BatchNormalization(momentum=0.5))
    trainer = lm.Trainer(model, loss="mse", optimizer=lm.Adam(0.01, use_ema=True))
    trainer.fit(X, Y, epochs=2, batch_size=32, verbose=0)
    assert np.abs(model._core.view("batch_normalization/moving_mean")).max() > 0
    frozen.kernel[:] = 7
    frozen.trainable = False
    trainer.fit(X, Y, epochs=1, batch_size=32, verbose=0)
    assert (frozen.kernel == 7).all()


def test_a_python_loss_with_everything_frozen():
    model = small(lm.Dense(3, trainable=False))
    model["dense_1"].trainable = False
    before = model.fingerprint()
    trainer = lm.Trainer(model, loss=lambda y, p: (((p - y) ** 2)[:, 0], 2 * (p - y)))
    trainer.fit(X, Y, epochs=1, verbose=0)
    assert model.fingerprint() == before


def test_enormous_batch_sizes():
    model = small()
    np.testing.assert_array_equal(model.predict(X, batch_size=sys.maxsize), model.predict(X))
    schedule = lm.OneCycle(0.01)
    trainer = lm.Trainer(model, loss="mse", optimizer=lm.Adam(schedule))
    trainer.fit(X, Y, epochs=2, batch_size=sys.maxsize, verbose=0)
    assert trainer.optimizer.iterations == 2


@pytest.mark.parametrize("call", ["reset", "step", "update"])
def test_the_optimizer_is_not_to_be_touched_during_a_fit(call):
    model = small()
    trainer = lm.Trainer(model, loss="mse")
    calls = {
        "reset": lambda: trainer.optimizer.reset(),
        "step": lambda: trainer.optimizer.step(model),
        "update": lambda: trainer.optimizer.update(np.zeros(3), np.zeros(3)),
    }

    def meddle(epoch, logs):
        with pytest.raises(RuntimeError, match=r"fit|trained"):
            calls[call]()

    trainer.fit(X, Y, epochs=2, callbacks=[lm.LambdaCallback(on_epoch_end=meddle)], verbose=0)
    trainer.optimizer.reset()


def test_one_optimizer_does_not_serve_two_owners():
    optimizer = lm.Momentum()
    optimizer.update([np.zeros(3), np.zeros(20)], [np.ones(3), np.ones(20)])
    with pytest.raises(ValueError, match="other arrays"):
        optimizer.update([np.zeros(20), np.zeros(3)], [np.ones(20), np.ones(3)])


@pytest.mark.parametrize(
    "build",
    [
        lambda: lm.Model([lm.Input(4), lm.Dense(2**62)]),
        lambda: lm.Model([lm.Input((2**32, 2**32)), lm.Dense(1)]),
        lambda: lm.Model([lm.Input(2**40), lm.Dense(2**40)]),
    ],
)
def test_impossible_sizes_are_refused(build):
    with pytest.raises(ValueError, match="too large"):
        build()


@pytest.mark.parametrize("seed", [-1, 2**63, 2**70])
def test_seeds_out_of_range(seed):
    with pytest.raises(ValueError, match="seed"):
        small(seed=seed)


def test_soft_labels_that_do_not_sum_to_one():
    """The value used the labels' mass, the gradient did not."""
    loss = lm.losses.CategoricalCrossentropy(from_logits=True)
    y, z = np.array([[0.5, 0.2, 0.1]]), np.array([[0.3, -0.2, 0.9]])
    gradient = loss.gradient(y, z)
    for j in range(3):
        step = np.zeros_like(z)
        step[0, j] = 1e-6
        numerical = (loss(y, z + step) - loss(y, z - step)) / 2e-6
        assert gradient[0, j] == pytest.approx(numerical, abs=1e-8)


def test_metrics_of_logits():
    """With from_logits=True accuracy compared logits with 0.5."""
    model = lm.Model([lm.Input(1), lm.Dense(1)], seed=0)
    model.layers[0].kernel[:] = 0.1
    x = np.linspace(-1, 1, 100)[:, None]
    y = (x > 0).astype(float)
    loss = lm.losses.BinaryCrossentropy(from_logits=True)
    trainer = lm.Trainer(model, loss=loss, metrics=["accuracy", "mse"])
    measured = trainer.evaluate(x, y)
    assert measured["accuracy"] == 1
    p = 1 / (1 + np.exp(-0.1 * x))
    assert measured["mean_squared_error"] == pytest.approx(((p - y) ** 2).mean(), rel=1e-5)


def test_batch_normalization_far_from_zero():
    """Mean 1e6 and deviation 0.01: a difference of squares has no digits left."""
    x = 1e6 + 0.01 * X[:, :1]
    layers = [lm.Input(1), lm.BatchNormalization(epsilon=0.0), lm.Dense(1)]
    model = lm.Model(layers, seed=0, dtype="float64")
    model["dense"].kernel[:] = 1
    out = model.forward(x, training=True)
    np.testing.assert_allclose(out, (x - x.mean()) / x.std(), rtol=0, atol=1e-6)


def test_saving_during_a_fit_gives_whole_files(tmp_path):
    model = small(lm.Dense(64, activation="relu"))
    trainer = lm.Trainer(model, loss="mse")
    done, loaded = threading.Event(), []

    def save():
        while not done.is_set():
            model.save(tmp_path / "m.lamina")
            loaded.append(lm.load(tmp_path / "m.lamina").fingerprint())

    thread = threading.Thread(target=save)
    thread.start()
    try:
        trainer.fit(X, Y, epochs=60, batch_size=8, verbose=0)
    finally:
        done.set()
        thread.join()
    assert loaded


def test_numbers_that_float32_cannot_hold():
    x = X.copy()
    x[17, 3] = 1e39
    model = small()
    with pytest.raises(
        ValueError, match=r"column 3 holds 1e\+39, too large for float32, in row 17"
    ):
        lm.Trainer(model, loss="mse").fit(x, Y, verbose=0)
    lm.Trainer(small(dtype="float64"), loss="mse").evaluate(x, Y)


def test_rows_that_count_must_weigh_something():
    trainer = lm.Trainer(small(), loss="mse")
    weights = np.ones(120)
    weights[-24:] = 0
    with pytest.raises(ValueError, match="weights are 0"):
        trainer.fit(X, Y, validation_split=0.2, shuffle=False, sample_weight=weights, verbose=0)


def test_class_weight_with_too_few_sample_weights():
    layers = [lm.Input(4), lm.Dense(2, activation="softmax")]
    trainer = lm.Trainer(lm.Model(layers, seed=0), loss="cce")
    labels = (Y[:, 0] > 0).astype(int)
    with pytest.raises(ValueError, match="sample_weight"):
        trainer.fit(X, labels, class_weight={0: 1, 1: 2}, sample_weight=[2.0], verbose=0)


def test_restoring_the_best_average_stays_restored():
    """The next fit took back the weights beneath an average that was no longer there."""
    model = small(lm.Dense(8, activation="relu"))
    trainer = lm.Trainer(model, loss="mse", optimizer=lm.Adam(0.05, use_ema=True))
    best = []

    def keep(epoch, logs):
        if epoch == 0:
            trainer.snapshot_best(epoch, logs["loss"])
            best.append(model.predict(X))

    trainer.fit(X, Y, epochs=3, callbacks=[lm.LambdaCallback(on_epoch_end=keep)], verbose=0)
    trainer.restore_best()
    np.testing.assert_array_equal(model.predict(X), best[0])
    seen = []
    watch = lm.LambdaCallback(
        on_train_begin=lambda logs: seen.append(model.layers[0].kernel.copy())
    )
    before = model.layers[0].kernel.copy()
    trainer.fit(X, Y, epochs=1, callbacks=[watch], verbose=0)
    np.testing.assert_array_equal(seen[0], before)


def test_states_that_lie():
    trainer = lm.Trainer(small(), loss="mse")
    with pytest.raises(ValueError, match="expected a lamina-checkpoint"):
        trainer._core.load_state(bytes(trainer.model._core.to_bytes()))


def test_nesting_has_an_end():
    spec = '{"class": "Dense", "units": 4}'
    for _ in range(200):
        spec = '{"class": "Residual", "layers": [' + spec + "]}"
    with pytest.raises(ValueError, match="nested"):
        core.Model('{"seed": 0, "layers": [{"class": "Input", "shape": [4]}, ' + spec + "]}")


@pytest.mark.parametrize(
    "spec", ['{"seed": 0, "layers": [{"class": 3}]}', '{"seed": "a", "layers": []}']
)
def test_specs_of_wrong_types(spec):
    with pytest.raises(ValueError, match=r"must be|unexpected form"):
        core.Model(spec)


def test_fewer_threads_than_asked_for():
    """OMP_THREAD_LIMIT=1 made every large prediction fail."""
    code = (
        "import numpy as np, lamina as lm\n"
        "lm.Model._exact_threads = True\n"
        "m = lm.Model([lm.Input(100), lm.Dense(500, activation='relu'), lm.Dense(1)], seed=0)\n"
        "print(m.predict(np.ones((4000, 100)), num_threads=2).shape)"
    )
    environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert run.stdout.strip() == "(4000, 1)", run.stderr


def test_a_branch_may_be_one_layer_that_is_frozen_or_holds_layers():
    branches = [
        lm.Residual([lm.Dense(2, name="inner")]),
        lm.Dense(2, trainable=False, name="frozen"),
    ]
    model = lm.Model([lm.Input(2), lm.Parallel(branches, merge="add")], seed=0)
    frozen = {t["name"] for t in model._core.tensors() if not t["trainable"]}
    assert frozen == {"frozen/kernel", "frozen/bias"}


def test_predictions_at_the_end_of_a_fit_are_those_of_the_restored_weights():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(200, 5)), rng.normal(size=200)
    model = lm.Model([lm.Input(5), lm.Dense(32, activation="relu"), lm.Dense(1)], seed=0)
    trainer = lm.Trainer(model, loss="mse", optimizer=lm.Adam(learning_rate=0.05))
    seen = []
    trainer.fit(
        x[:100],
        y[:100],
        epochs=40,
        validation_data=(x[100:], y[100:]),
        callbacks=[
            lm.EarlyStopping(patience=3),
            lm.LambdaCallback(on_train_end=lambda *_: seen.append(model.predict(x))),
        ],
        verbose=0,
    )
    assert (
        trainer.history.best_epoch < len(trainer.history.epoch) - 1
    )  # there was something to restore
    assert np.array_equal(seen[0], model.predict(x))


def test_a_fit_on_more_rows_may_follow_one_that_was_stopped():
    """What the stopped step had planned to read ahead is gone then (with its order of rows)."""
    x = np.random.default_rng(0).normal(size=(4000, 112)).astype(np.float32)
    model = lm.Model([lm.Input(112), lm.Dense(64, activation="relu"), lm.Dense(1)], seed=0)
    trainer = lm.Trainer(model, loss="mse")
    stop = lm.LambdaCallback(on_train_batch_end=lambda *_: trainer.stop("enough"))
    for rows in (1000, 4000):
        trainer.fit(x[:rows], x[:rows, 0], epochs=1, batch_size=256, callbacks=[stop], verbose=0)
        trainer.fit(x[:rows], x[:rows, 0], epochs=1, batch_size=256, shuffle=False, verbose=0)
    assert np.isfinite(model.predict(x)).all()


@pytest.mark.parametrize("rate", [0.3, 0.9999, 1e-7])
def test_dropout_keeps_the_mean_at_any_rate(rate):
    """The rate is rounded to 16 bits: the scale has to be that of the rounded one."""
    layers = [lm.Input(1), lm.Dense(1024, kernel_initializer="ones"), lm.Dropout(rate)]
    model = lm.Model(layers, seed=3)
    kept = max(1, 65536 - round(rate * 65536))
    y = model.forward(np.ones((1024, 1)), training=True)
    assert set(np.unique(y)) <= {np.float32(0), np.float32(65536 / kept)}
    deviation = np.sqrt((65536 / kept - 1) / y.size)
    assert abs(y.mean() - 1) <= 5 * deviation


@pytest.mark.parametrize(
    ("optimizer", "options"),
    [
        (lambda: lm.Lion(0.01), {}),
        (lambda: lm.SGD(0.01), {"kernel_regularizer": lm.L1(0.1)}),
        (lambda: lm.SGD(0.01), {"kernel_constraint": "non_neg"}),
    ],
    ids=["a sign", "a threshold", "a constraint"],
)
def test_a_gradient_that_is_not_finite_is_noticed(optimizer, options):
    """Where the update itself would make numbers of it."""

    def loss(y_true, y_pred):
        gradient = y_pred - y_true
        gradient[0] = np.nan
        return (gradient**2).sum(axis=1) * 0, gradient

    layers = [lm.Input(2), lm.Dense(3, activation="relu", **options), lm.Dense(1)]
    model = lm.Model(layers, seed=0)
    before = model.fingerprint()
    trainer = lm.Trainer(model, loss=loss, optimizer=optimizer())
    x = np.random.default_rng(0).normal(size=(40, 2))
    with pytest.warns(RuntimeWarning, match="non-finite"):
        history = trainer.fit(x, x[:, :1], epochs=3, verbose=0)
    assert "diverged" in history.stop_reason
    assert model.fingerprint() == before


def test_dropout_of_a_fits_length_beside_an_initialiser_that_sees_data():
    start = lm.initializers.UnitVariance()
    layers = [
        lm.Input(3),
        lm.Dense(8, kernel_initializer=start),
        lm.Dropout(lm.schedules.Linear(0.3)),
        lm.Dense(1),
    ]
    trainer = lm.Trainer(lm.Model(layers, seed=0), loss="mse")
    x = np.random.default_rng(0).normal(size=(64, 3))
    history = trainer.fit(x, x[:, :1], epochs=2, batch_size=16, verbose=0)
    assert np.isfinite(history["loss"]).all()


def test_weights_that_the_user_sets_between_fits_are_where_the_average_begins():
    model = lm.Model([lm.Input(1), lm.Dense(1)], seed=0)
    optimizer = lm.SGD(1e-9, use_ema=True, ema_momentum=0.99)
    trainer = lm.Trainer(model, loss="mse", optimizer=optimizer)
    x = np.ones((16, 1))
    trainer.fit(x, x, epochs=1, batch_size=8, verbose=0)
    model.layers[0].kernel[:] = 5
    trainer.fit(x, x, epochs=1, batch_size=8, verbose=0)
    assert model.layers[0].kernel[0, 0] == pytest.approx(5, rel=1e-5)


@pytest.mark.parametrize("between", [lm.Flatten(), lm.Dropout(0.5), lm.GaussianNoise(0.5)])
@pytest.mark.parametrize("maker", [lm.Normalization, lm.RobustScale, lm.Impute])
def test_preprocessing_behind_what_is_left_out(between, maker):
    """It looked for its input where nothing is kept: the process ended."""
    images = 1.6e9 + X.reshape(-1, 2, 2)
    models = []
    for layers in ([copy.deepcopy(between), maker(), lm.Flatten()], [maker(), lm.Flatten()]):
        model = lm.Model([lm.Input((2, 2)), *layers], seed=0)
        model.adapt(images)
        models.append(model)
    expected = models[1].predict(images)
    np.testing.assert_array_equal(models[0].predict(images), expected)
    frozen = models[0].freeze_for_inference()
    np.testing.assert_array_equal(frozen.predict(images), expected)
    np.testing.assert_array_equal(*(m.input_gradient(images) for m in models))


@pytest.mark.parametrize("mapped", [False, True])
def test_missing_values_in_rows_of_another_shape(mapped, tmp_path):
    """NaN was refused where a Flatten stood between the input and the Impute."""
    images = X.reshape(-1, 2, 2).copy()
    images[3, 1, 0] = np.nan
    if mapped:
        np.save(tmp_path / "x.npy", images)
        images = np.load(tmp_path / "x.npy", mmap_mode="r")
    layers = [lm.Input((2, 2)), lm.Flatten(), lm.Impute(), lm.Dense(1)]
    model = lm.Model(layers, seed=0)
    lm.Trainer(model, loss="mse").fit(images, Y, epochs=1, verbose=0)
    filled = np.array(images)
    filled[3, 1, 0] = np.median(np.delete(images[:, 1, 0], 3))
    np.testing.assert_allclose(model.predict(images), model.predict(filled), rtol=1e-6)


def test_a_shape_read_besides_impute_still_refuses_missing_values():
    images = X.reshape(-1, 2, 2).copy()
    images[3, 1, 0] = np.nan
    for joined in (True, False):
        start = lm.Input((2, 2))
        flat = lm.Flatten()(start)
        filled = lm.Impute()(flat)
        if joined:
            outputs = [lm.Dense(1, name="y")(lm.Concatenate()([filled, flat]))]
        else:
            outputs = [lm.Dense(1, name="y")(filled), flat]
        trainer = lm.Trainer(lm.Model(inputs=start, outputs=outputs, seed=0), loss={"y": "mse"})
        with pytest.raises(ValueError, match="NaN in row 3"):
            trainer.fit(images, Y if joined else {"y": Y}, epochs=1, verbose=0)


def test_what_no_output_depends_on_is_left_alone():
    """The statistics of a branch that did not run moved towards 0."""
    start = lm.Input(4)
    used = lm.Dense(2, name="used")(start)
    unused = lm.BatchNormalization(momentum=0.5, name="unused")(start)
    inner = lm.Model(inputs=start, outputs=[used, unused], seed=0)
    x = lm.Input(4)
    model = lm.Model(inputs=x, outputs=[lm.Dense(1)(inner(x)[0])], seed=0)
    lm.Trainer(model, loss="mse").fit(X, Y, epochs=1, verbose=0)
    assert (model["unused"].moving_variance == 1).all()
    assert not np.array_equal(model["used"].kernel, inner["used"].kernel)


def test_a_model_that_has_seen_no_data_is_not_frozen():
    """A Predictor of it answered with zeros."""
    model = small(lm.Normalization())
    with pytest.raises(RuntimeError, match=r"call model\.adapt"):
        model.freeze_for_inference()
    model.adapt(X)
    expected = model.predict(X)
    np.testing.assert_allclose(model.freeze_for_inference().predict(X), expected, atol=1e-6)


@pytest.mark.parametrize("shape", [(2**32, 2**32, -1), (2**63 - 1, 2, -1), (2**40, 2**40)])
def test_shapes_of_more_numbers_than_there_can_be(shape):
    """Their product was 0, by which the number of columns was divided: the process ended."""
    with pytest.raises(ValueError, match=r"Reshape is too large"):
        small(lm.Reshape(shape))


def test_a_loop_by_hand_moves_the_statistics_as_fit_does():
    """compute_gradients left them at their start, which predictions then went by."""
    fitted, by_hand = (small(lm.Dense(3), lm.BatchNormalization(momentum=0.5)) for _ in range(2))
    trainers = [lm.Trainer(m, loss="mse", optimizer=lm.SGD(0.1)) for m in (fitted, by_hand)]
    trainers[0].fit(X, Y, epochs=2, batch_size=40, shuffle=False, verbose=0)
    for rows in [*np.split(np.arange(120), 3)] * 2:
        trainers[1].compute_gradients(X[rows], Y[rows])
        trainers[1].optimizer.step(by_hand)
    assert np.abs(fitted["batch_normalization"].moving_mean).max() > 0
    assert by_hand.fingerprint() == fitted.fingerprint()


def test_predictions_while_a_model_adapts():
    """A prediction saw some columns of the old statistics and some of the new ones."""
    columns = 20_000
    model = lm.Model([lm.Input(columns), lm.Normalization()], seed=0)
    row = np.full((1, columns), 5.0)
    data, expected = [], []
    for width in (2.0, 20.0):
        data.append(np.stack([np.zeros(columns), np.full(columns, width)]))
        model.adapt(data[-1])
        expected.append(model.predict(row))
    seen = []
    done = threading.Event()

    def predict():
        while not done.is_set():
            y = model.predict(row)
            seen.append(any(np.array_equal(y, one) for one in expected))

    thread = threading.Thread(target=predict)
    thread.start()
    for i in range(100):
        model.adapt(data[i % 2])
    done.set()
    thread.join()
    assert seen
    assert all(seen)
