"""Normalization, RobustScale and Impute: what they learn, compute, refuse and keep."""

import copy
import itertools
import pickle

import numpy as np
import pytest

import lamina as lm

MAKERS = {
    "normalization": lm.Normalization,
    "robust_scale": lm.RobustScale,
    "robust_scale_unbounded": lambda: lm.RobustScale(limit=None),
    "impute": lm.Impute,
    "impute_indicator": lambda: lm.Impute(indicator=True),
}
EVERY_LAYER = pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS)
# float32: the statistics' scale and the result are rounded once each, half an ulp and half an ulp.
TOLERANCE = {"float32": 2.5e-7, "float64": 1e-11}
BOTH = pytest.mark.parametrize("dtype", TOLERANCE)


def table(rows=701, seed=3):
    """Columns of every scale: timestamps, tiny, huge, skewed, constant, mostly one value."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(rows, 6))
    x = z * [100.0, 1e-6, 1e4, 1.0, 0.0, 1.0] + [1.7e9, 0.0, -1e4, 0.0, 0.1, 0.0]
    x[:, 3] = np.exp(3 * z[:, 3])
    x[:, 5] = np.where(np.arange(rows) % 10 == 0, x[:, 5], 2.0)
    return x


def gappy(rows=701, seed=3):
    x = table(rows, seed)
    x[np.random.default_rng(seed).uniform(size=x.shape) < 0.2] = np.nan
    x[:, 2] = table(rows, seed)[:, 2]  # complete
    x[:, 4] = np.nan
    return x


def alone(layer, columns=6, dtype="float32"):
    """A model of nothing but the layer."""
    return lm.Model([lm.Input(columns), layer], seed=0, dtype=dtype)


def expected(layer, x, seen):
    """What the layer makes of x after a look at `seen`, in NumPy."""
    if isinstance(layer, lm.Normalization):
        away = seen - seen[0]  # numpy.mean of timestamps is off by microseconds
        center, scale = seen[0] + away.mean(axis=0), away.std(axis=0)
        scale[np.ptp(seen, axis=0) == 0] = np.inf
        return (x - center) / scale
    if isinstance(layer, lm.RobustScale):
        low, center, high = np.quantile(seen, [0.25, 0.5, 0.75], axis=0)
        scale = np.where(high > low, high - low, np.ptp(seen, axis=0) / 2)
        z = (x - center) / np.where(scale > 0, scale, np.inf)
        return z if layer.limit is None else z / np.sqrt(1 + (z / layer.limit) ** 2)
    gone = np.isnan(seen)
    median = np.zeros(x.shape[1])
    some = ~gone.all(axis=0)
    median[some] = np.nanmedian(seen[:, some], axis=0)
    filled = np.where(np.isnan(x), median, x)
    if not layer.indicator:
        return filled
    return np.hstack([filled, np.isnan(x) & gone.any(axis=0)])


def data_for(layer, rows=701, seed=3):
    return gappy(rows, seed) if isinstance(layer, lm.Impute) else table(rows, seed)


def assert_near(found, wanted, dtype, rounded=TOLERANCE, of=None):
    """Near to the largest of each column; `of`: the input, whose mean is known to some ulp."""
    allowed = rounded[dtype] * np.maximum(np.abs(wanted).max(axis=0), 1e-30)
    if of is not None:
        spread = np.maximum(np.nanstd(of, axis=0), 1e-12)
        allowed = allowed + 4 * np.finfo(float).eps * np.nanmax(np.abs(of), axis=0) / spread
    assert np.all(np.abs(found - wanted) <= allowed)


def network(*layers, columns=6, dtype="float32", seed=1):
    rest = [lm.Dense(9, activation="tanh"), lm.Dense(1)]
    return lm.Model([lm.Input(columns), *layers, *rest], seed=seed, dtype=dtype)


# ---- values --------------------------------------------------------------------------------------


@EVERY_LAYER
@BOTH
def test_values_are_numpys(maker, dtype):
    layer = maker()
    seen, new = data_for(layer), data_for(layer, 50, seed=8)
    model = alone(layer, dtype=dtype)
    model.adapt(seen)
    for x in (seen, new):
        found, wanted = model.predict(x), expected(layer, x, seen)
        if isinstance(layer, lm.Impute):
            assert_near(found, wanted, dtype)
        else:
            assert_near(found, wanted, dtype, of=seen)
    assert model.predict(seen).dtype == dtype


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 15, 16, 17, 255, 256, 257, 1000])
@EVERY_LAYER
def test_any_number_of_rows(maker, rows):
    layer = maker()
    seen = data_for(layer, rows)
    model = alone(layer, dtype="float64")
    model.adapt(seen)
    assert_near(model.predict(seen), expected(layer, seen, seen), "float64", {"float64": 1e-8})


@pytest.mark.ci
def test_values_are_scikit_learns():
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    impute = pytest.importorskip("sklearn.impute")
    x = table()[:, [0, 1, 2, 3]]
    ours = alone(lm.Normalization(), 4, "float64")
    ours.adapt(x)
    assert_near(ours.predict(x), preprocessing.StandardScaler().fit_transform(x), "float64", of=x)
    ours = alone(lm.RobustScale(limit=None), 4, "float64")
    ours.adapt(x)
    assert_near(ours.predict(x), preprocessing.RobustScaler().fit_transform(x), "float64", of=x)
    x = gappy()[:, [0, 1, 2, 3]]
    ours = alone(lm.Impute(indicator=True), 4, "float64")
    ours.adapt(x)
    theirs = impute.SimpleImputer(strategy="median", add_indicator=True).fit_transform(x)
    assert_near(ours.predict(x)[:, [0, 1, 2, 3, 4, 5, 7]], theirs, "float64")  # 2 is complete


@pytest.mark.parametrize("maker", [lm.Normalization, lm.RobustScale])
def test_a_float32_model_sees_seconds_of_a_timestamp(maker):
    x = 1.7e9 + np.arange(2000.0)[:, None] / 4
    layer = maker()
    model = alone(layer, 1)
    model.adapt(x)
    assert_near(model.predict(x), expected(layer, x, x), "float32")
    assert len(np.unique(model.predict(x))) == 2000
    assert layer.center[0] == pytest.approx(np.median(x), rel=1e-13)
    whole = (4 * x).astype(np.int64)
    other = alone(maker(), 1)
    other.adapt(whole)
    assert_near(other.predict(whole), expected(layer, x, x), "float32")


def test_a_chain_stays_in_float64():
    x = 1.7e9 + np.arange(2000.0)[:, None] / 4
    x[::7] = np.nan
    chain = lm.Impute(), lm.Normalization(), lm.RobustScale()
    model = lm.Model([lm.Input(1), *chain], seed=0)
    model.adapt(x)
    wanted = x
    for layer in chain:
        wanted = expected(layer, wanted, wanted)
    assert_near(model.predict(x), wanted, "float32")


def test_beside_other_readers_of_the_input():
    """A branch that reads the input as it is changes nothing for the one that normalises it."""
    x = 1.7e9 + np.arange(500.0)[:, None]
    both = lm.Model([lm.Input(1), lm.Parallel([lm.Dense(2), lm.Normalization()])], seed=0)
    single = alone(lm.Normalization(), 1)
    both.adapt(x)
    single.adapt(x)
    assert np.array_equal(both.predict(x)[:, 2:], single.predict(x))
    assert np.array_equal(both.predict(x)[:, :2], x.astype(np.float32) @ both["dense"].kernel)


def test_behind_a_batch_coupled_branch():
    """The rows are gathered before that branch waits for the whole batch."""
    x, y = table(90), np.arange(90.0)
    branches = [[lm.Dense(3), lm.BatchNormalization()], [lm.Normalization(), lm.Dense(2)]]
    model = lm.Model([lm.Input(6), lm.Normalization(), lm.Parallel(branches), lm.Dense(1)], seed=0)
    raw = lm.Model(
        [lm.Input(6), lm.Parallel([copy.deepcopy(branches[0]), [lm.Normalization()]]), lm.Dense(1)],
        seed=0,
    )
    for one in (model, raw):
        trainer = lm.Trainer(one, loss="mse")
        trainer.fit(x / 1e4, y, epochs=2, batch_size=30, verbose=0)
        want = one.forward(x / 1e4)
        assert np.allclose(one.predict(x / 1e4), want, rtol=1e-5, atol=1e-5)


def test_constant_columns_become_zero():
    for maker in (lm.Normalization, lm.RobustScale):
        model = alone(maker(), 2)
        model.adapt(np.column_stack([np.full(1000, 0.1), np.arange(1000)]))
        assert np.array_equal(model.predict([[5.0, 1.0], [-1e9, 2.0]])[:, 0], [0, 0])
        assert model.layers[0].scale[0] == 0


def test_missing_values_that_training_never_saw():
    model = alone(lm.Impute(indicator=True), 2)
    model.adapt([[1.0, np.nan], [5.0, np.nan]])
    assert np.array_equal(model.predict([[np.nan, np.nan]]), [[3, 0, 0, 1]])
    assert np.array_equal(model.layers[0].missing, [0, 1])
    with pytest.raises(ValueError, match="missing"):
        _ = alone(lm.Impute(), 2).layers[0].missing


def test_more_rows_than_are_looked_at():
    """Quantiles of every third row or so, missing values of all."""
    n = 2_500_000
    x = np.random.default_rng(1).normal(size=(n, 1)).astype(np.float32)
    model = alone(lm.RobustScale(), 1, "float64")
    model.adapt(x)
    seen = x[np.arange(1_000_000) * n // 1_000_000].astype(float)
    assert model.layers[0].center[0] == pytest.approx(np.median(seen), rel=1e-12, abs=1e-15)
    x[1] = np.nan  # not looked at
    model = alone(lm.Impute(indicator=True), 1)
    model.adapt(x)
    assert model.layers[0].missing[0] == np.float32(1 / n)


def test_rows_that_fill_up_a_block_do_not_count():
    """Rows of zeros, shifted by a timestamp's mean, would overflow behind an exponential."""
    x, y = 1.7e9 + np.arange(21.0)[:, None] / 1e3, np.zeros(21)
    grow = lm.Dense(3, activation="exponential")
    model = lm.Model([lm.Input(1), lm.Normalization(), grow, lm.Dense(1)], seed=0)
    trainer = lm.Trainer(model, loss="mse")
    trainer.fit(x, y, epochs=2, batch_size=5, verbose=0)
    trainer.compute_gradients(x, y)
    assert np.isfinite(grow.kernel_gradient).all()
    model.backward(np.ones_like(model.forward(x)))
    assert np.isfinite(grow.kernel_gradient).all()


def test_beside_codes():
    x, codes = table(60), np.arange(60, dtype=np.int32) % 3
    model = lm.Model(
        [
            lm.Parallel(
                [
                    [lm.Input(6, name="x"), lm.Normalization()],
                    [lm.Input(1, kind="codes", cardinalities=[3], name="codes"), lm.Embedding(2)],
                ]
            ),
            lm.Normalization(),
        ],
        seed=0,
        dtype="float64",
    )
    both = {"x": x, "codes": codes}
    model.adapt(both)
    assert model.predict(both)[:, 5:].std(axis=0) == pytest.approx(np.ones(3))
    layers = [lm.Input(1, kind="codes", cardinalities=3), lm.Normalization()]
    with pytest.raises(ValueError, match="category codes"):
        lm.Model(layers)


# ---- given statistics ----------------------------------------------------------------------------


@BOTH
def test_given_statistics_need_no_data(dtype):
    x = table()
    mean, variance = x[0] + (x - x[0]).mean(axis=0), x.var(axis=0)
    variance[4] = 0
    given = alone(lm.Normalization(mean=mean, variance=list(variance)), dtype=dtype)
    assert_near(given.predict(x), expected(lm.Normalization(), x, x), dtype, of=x)
    one = alone(lm.Normalization(mean=1.0, variance=4.0), dtype=dtype)
    assert np.array_equal(one.predict(np.full((1, 6), 5.0)), np.full((1, 6), 2.0))
    with pytest.raises(ValueError, match="no layer of this model adapts"):
        one.adapt(x)
    again = pickle.loads(pickle.dumps(given))
    assert np.array_equal(again.predict(x), given.predict(x))
    assert again.layers[0].mean == tuple(mean)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"mean": 1.0}, "together, or neither"),
        ({"mean": [1.0, 2.0], "variance": 1.0}, "mean has 2 numbers, its input has 6 columns"),
        ({"mean": 0.0, "variance": -1.0}, "of at least 0"),
        ({"mean": 0.0, "variance": []}, "empty"),
        ({"mean": 0.0, "variance": "one"}, "must be a number"),
    ],
)
def test_bad_statistics_are_refused(arguments, text):
    with pytest.raises(ValueError, match=text):
        alone(lm.Normalization(**arguments))


@pytest.mark.parametrize("limit", [0.0, -1.0])
def test_a_bad_limit_is_refused(limit):
    with pytest.raises(ValueError, match="limit must be"):
        alone(lm.RobustScale(limit=limit))


# ---- adapting ------------------------------------------------------------------------------------


@EVERY_LAYER
def test_nothing_is_computed_before_the_layer_has_seen_data(maker):
    x, y = table(40), np.zeros(40)
    model = network(maker())
    trainer = lm.Trainer(model, loss="mse")
    for call in (
        lambda: model.predict(x),
        lambda: model.predict(x[:1]),
        lambda: model.forward(x),
        lambda: trainer.evaluate(x, y),
        lambda: trainer.compute_gradients(x, y),
    ):
        with pytest.raises(RuntimeError, match=r"has not seen data yet: call model.adapt\(X\)"):
            call()
    trainer.fit(x, y, epochs=1, verbose=0)
    assert np.isfinite(model.predict(x)).all()


@EVERY_LAYER
def test_the_first_fit_adapts_as_by_hand(maker):
    layer = maker()
    x, y = data_for(layer, 300), np.arange(300.0) / 300
    by_fit, by_hand = network(layer), network(maker())
    by_hand.adapt(x)
    for model in (by_fit, by_hand):
        lm.Trainer(model, loss="mse").fit(x, y, epochs=2, batch_size=32, verbose=0)
    assert by_fit.fingerprint() == by_hand.fingerprint()
    name = f"{layer.name}/{'median' if isinstance(layer, lm.Impute) else 'center'}"
    kept = np.array(by_fit._core.view(name))
    lm.Trainer(by_fit, loss="mse").fit(x + 1, y, epochs=1, verbose=0)  # a later one changes nothing
    assert np.array_equal(by_fit._core.view(name), kept)


def test_adapting_again_forgets():
    model = alone(lm.Normalization(), 1)
    model.adapt([[0.0], [2.0]])
    model.adapt([[10.0], [30.0]])
    assert model.layers[0].center == 20
    assert model.layers[0].scale == 10


def test_only_training_rows_count():
    x, y = table(400), np.arange(400.0)
    model = network(lm.Normalization())
    trainer = lm.Trainer(model, loss="mse")
    trainer.fit(x, y, epochs=1, validation_split=0.25, shuffle=False, verbose=0)
    assert model.layers[0].center == pytest.approx(x[:300].mean(axis=0), rel=1e-12, abs=1e-12)


def test_each_layer_sees_what_comes_before():
    x = gappy() - [1.7e9, 0, 0, 0, 0, 0]
    layers = lm.Impute(indicator=True), lm.Normalization(), lm.Dense(3), lm.Normalization()
    model = lm.Model([lm.Input(6), *layers], seed=0, dtype="float64")
    model.adapt(x)
    hidden = expected(layers[0], x, x)
    hidden = expected(layers[1], hidden, hidden) @ layers[2].kernel
    assert np.allclose(layers[3].center, hidden.mean(axis=0), rtol=1e-10, atol=1e-12)
    assert np.allclose(model.predict(x).std(axis=0), 1, rtol=1e-10)


def test_kernels_that_wait_for_data_go_along():
    """One look: statistics and UnitVariance, in the network's order, by fit or by either method."""
    x, y = table(300), np.zeros(300)

    def make():
        first = lm.Dense(7, kernel_initializer="unit_variance")
        second = lm.Dense(5, kernel_initializer="unit_variance", use_bias=False)
        return network(lm.Normalization(), first, lm.Normalization(), second)

    adapted, initialized, fitted = make(), make(), make()
    adapted.adapt(x)
    initialized.initialize(x)
    lm.Trainer(fitted, loss="mse", optimizer=lm.SGD(learning_rate=0.0)).fit(
        x, y, epochs=1, shuffle=False, verbose=0
    )
    assert adapted.fingerprint() == initialized.fingerprint() == fitted.fingerprint()
    adapted.adapt(2 * x)  # statistics anew, kernels stay
    assert np.array_equal(adapted["dense"].kernel, initialized["dense"].kernel)
    assert not np.array_equal(adapted.layers[0].scale, initialized.layers[0].scale)


def test_a_refused_fit_changes_nothing():
    x, y = table(60), np.zeros(60)
    model = network(lm.Normalization())
    before = model.fingerprint()
    x[17, 3] = np.inf
    trainer = lm.Trainer(model, loss="mse")
    with pytest.raises(ValueError, match="column 3 holds infinity in row 17"):
        trainer.fit(x, y, epochs=1, verbose=0)
    with pytest.raises(ValueError, match=r"normalization: column 3 .* in row 17"):
        model.adapt(x)
    assert model.fingerprint() == before
    with pytest.raises(RuntimeError, match="has not seen data"):
        model.predict(x)


# ---- missing values ------------------------------------------------------------------------------


def test_nan_needs_an_impute_layer_first():
    x, y = gappy(60), np.zeros(60)
    row, column = np.argwhere(np.isnan(x))[0]
    text = rf"X: column {column} holds NaN in row {row}: .* put a lm.Impute\(\) layer first"
    for layers in ([], [lm.Normalization()], [lm.Normalization(), lm.Impute()], [lm.Dense(2)]):
        with pytest.raises(ValueError, match=text):
            lm.Trainer(network(*layers), loss="mse").fit(x, y, epochs=1, verbose=0)
    beside = lm.Parallel([[lm.Impute()], [lm.Dense(2)]])
    with pytest.raises(ValueError, match=text):
        lm.Trainer(network(beside), loss="mse").fit(x, y, epochs=1, verbose=0)
    with pytest.raises(ValueError, match=r"put a lm.Impute\(\)"):
        network(lm.Normalization()).adapt(x)
    both = lm.Parallel([[lm.Impute()], [lm.Impute(indicator=True), lm.Normalization()]])
    trainer = lm.Trainer(network(both), loss="mse")
    trainer.fit(x, y, epochs=1, validation_data=(x, y), verbose=0)
    assert np.isfinite(trainer.history["val_loss"][-1])


def test_infinity_is_no_missing_value():
    x, y = gappy(60), np.zeros(60)
    x[5, 1] = -np.inf
    model = network(lm.Impute())
    with pytest.raises(ValueError, match="column 1 holds infinity in row 5"):
        lm.Trainer(model, loss="mse").fit(x, y, epochs=1, verbose=0)
    with pytest.raises(ValueError, match=r"impute: column 1 .* in row 5"):
        model.adapt(x)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_memory_maps_are_checked_on_the_way(tmp_path, value):
    x, y = gappy(300), np.zeros(300)
    x[:, 4] = 1
    x[200, 1] = value
    mapped = np.memmap(tmp_path / "x", dtype=np.float64, mode="w+", shape=x.shape)
    mapped[:] = x
    in_memory, streamed = network(lm.Impute()), network(lm.Impute())
    fits = [(lm.Trainer(in_memory, loss="mse"), x), (lm.Trainer(streamed, loss="mse"), mapped)]
    for trainer, rows in fits:
        if np.isinf(value):
            with pytest.raises(ValueError, match="row 200"):
                trainer.fit(rows, y, epochs=1, verbose=0)
        else:
            trainer.fit(rows, y, epochs=2, verbose=0)
            trainer.evaluate(rows, y)
    assert in_memory.fingerprint() == streamed.fingerprint()
    if np.isnan(value):
        x[7, 0] = np.inf
        mapped[:] = x
        with pytest.raises(ValueError, match="row 7"):
            fits[1][0].fit(mapped, y, epochs=1, verbose=0)
        bare = network()
        with pytest.raises(ValueError, match="holds NaN"):
            lm.Trainer(bare, loss="mse").fit(mapped, y, epochs=1, verbose=0)


# ---- bits ----------------------------------------------------------------------------------------


def layered(seed=1, dtype="float32"):
    return network(
        lm.Impute(indicator=True),
        lm.RobustScale(),
        lm.Dense(5),
        lm.Normalization(),
        seed=seed,
        dtype=dtype,
    )


@BOTH
def test_bits_do_not_depend_on_threads_blocks_or_layout(dtype, monkeypatch):
    monkeypatch.setattr(lm.Model, "_exact_threads", True)
    x = gappy(1500).astype(np.float32).astype(np.float64)
    y = np.arange(1500.0) / 1500
    found = set()
    layouts = [
        x,
        x.astype(np.float32),
        np.asfortranarray(x),
        x.astype(">f8"),
        np.repeat(x, 2, axis=1)[:, ::2],
    ]
    for (i, rows), threads in itertools.product(enumerate(layouts), (1, 2, 3, 5)):
        monkeypatch.setattr(lm.Trainer, "_scheduling", ([0, 1, 16, 48, 400][i], 0, True))
        model = layered(dtype=dtype)
        if threads == 3:
            model.adapt(rows, num_threads=threads)
        trainer = lm.Trainer(model, loss="mse", num_threads=threads)
        trainer.fit(rows, y, epochs=1, batch_size=67, verbose=0)
        predicted = model.predict(rows, batch_size=[None, 7, 16, 100, 1][i], num_threads=threads)
        found.add((model.fingerprint(), predicted.tobytes(), trainer.evaluate(rows, y)["loss"]))
    assert len(found) == 1
    few = model.predict(x)
    for r in (0, 1, 17, 1499):
        assert np.array_equal(model.predict(x[r : r + 1])[0], few[r])
    assert np.array_equal(model.forward(x), few)


def test_the_engines_gradients_are_those_by_hand():
    x, y = gappy(70), np.arange(70.0)[:, None] / 70
    model = layered(dtype="float64")
    model.adapt(x)
    trainer = lm.Trainer(model, loss="mse")
    trainer.compute_gradients(x, y)
    engine = np.array(model["dense"].kernel_gradient)
    loss = lm.losses.MeanSquaredError()
    model.backward(loss.gradient(y, model.forward(x, training=True)))
    assert np.allclose(model["dense"].kernel_gradient, engine, rtol=1e-9, atol=1e-14)


# ---- gradients by the input ----------------------------------------------------------------------


@EVERY_LAYER
@BOTH
def test_gradients_reach_the_input(maker, dtype):
    """In float32 they come through what is computed in float64."""
    layer = maker()
    rng = np.random.default_rng(4)
    x = rng.normal(size=(40, 6))
    if isinstance(layer, lm.Impute):
        x[3, 2] = np.nan
    model = alone(layer, dtype=dtype)
    model.adapt(x)
    pull = rng.normal(size=model.forward(x).shape)
    dx = model.backward(pull)
    step = 1e-6
    exact = alone(maker(), dtype="float64")
    exact.adapt(x)
    numeric = np.zeros(x.shape)
    for j in range(6):
        move = np.zeros(6)
        move[j] = step
        rise = exact.predict(x + move) - exact.predict(x - move)
        numeric[:, j] = (pull * rise).sum(axis=1) / (2 * step)
    assert np.abs(dx - numeric).max() <= (1e-8 if dtype == "float64" else 1e-5) * np.abs(dx).max()
    if isinstance(layer, lm.Impute):
        assert dx[3, 2] == 0


@EVERY_LAYER
def test_gradients_add_where_several_read(maker):
    """The layer behind a Dense, and beside it another reader."""
    model = lm.Model(
        [lm.Input(4), lm.Dense(3), lm.Parallel([[maker()], [lm.Dense(2)]]), lm.Dense(1)],
        seed=2,
        dtype="float64",
    )
    x = np.random.default_rng(5).normal(size=(9, 4))
    model.adapt(x)
    y = np.zeros((9, 1))
    assert lm.check_gradients(model, x, y, lm.losses.MeanSquaredError()).max_error <= 1e-6


# ---- files, copies, resuming ---------------------------------------------------------------------


def test_an_adapted_model_comes_back_adapted(tmp_path):
    x = gappy()
    model = layered()
    with pytest.raises(RuntimeError, match="'impute', 'robust_scale', 'normalization' have not"):
        pickle.loads(pickle.dumps(model)).predict(x)
    model.adapt(x)
    model.save(tmp_path / "m.lamina")
    for again in (lm.load(tmp_path / "m.lamina"), pickle.loads(pickle.dumps(model))):
        assert np.array_equal(again.predict(x), model.predict(x))
        assert np.array_equal(again.layers[0].median, model.layers[0].median)
        assert again.fingerprint() == model.fingerprint()
    with pytest.raises(RuntimeError, match="has not seen data"):
        alone(copy.deepcopy(model["robust_scale"])).predict(x)


def test_a_resumed_run_is_the_same(tmp_path):
    x, y = gappy(200), np.arange(200.0) / 200
    through, model = layered(), layered()
    lm.Trainer(through, loss="mse").fit(x, y, epochs=4, verbose=0)
    trainer = lm.Trainer(model, loss="mse")
    trainer.fit(x, y, epochs=2, verbose=0)
    state = trainer._core.state()
    other = layered()
    resumed = lm.Trainer(other, loss="mse")
    resumed._core.load_state(state)
    resumed.fit(x, y, epochs=2, verbose=0)
    assert other.fingerprint() == through.fingerprint()


@pytest.mark.parametrize(
    "optimizer", [lambda: lm.Adam(use_ema=True), lambda: lm.AdamW(weight_decay=0.1)]
)
def test_no_step_moves_the_statistics(optimizer):
    x, y = gappy(200), np.arange(200.0) / 200
    model = network(lm.Impute(), lm.Normalization())
    model.adapt(x)
    names = [t["name"] for t in model._core.tensors() if t["role"] == "statistic"]
    before = {name: np.array(model._core.view(name)) for name in names}
    stop = lm.EarlyStopping(monitor="val_loss", patience=1)
    trainer = lm.Trainer(model, loss="mse", optimizer=optimizer())
    trainer.fit(x, y, epochs=3, validation_data=(x, y), callbacks=[stop], verbose=0)
    assert len(names) == 5
    for name in names:
        assert np.array_equal(model._core.view(name), before[name])
