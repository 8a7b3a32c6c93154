"""What the doctor reads from the data, beside plain NumPy."""

import numpy as np
import pytest

import lamina as lm
from lamina.baseline import as_loss, best_constant, constant_loss
from lamina.examination import examine
from lamina.examination.columns import ks_distance, scaled_ports

COUNTS = 300, 200


def fitted(model, X, y, *, loss="mse", validation=None, **fit):
    trainer = lm.Trainer(model, loss=loss, num_threads=1)
    settings = {"epochs": 3, "batch_size": 32, "verbose": 0, "validation_data": validation, **fit}
    trainer.fit(X, y, **settings)
    return trainer


def regression(seed=0, columns=3):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(sum(COUNTS), columns)) * [1.0, 50.0, 0.1][:columns] + 2
    y = X[:, :1] + 0.1 * rng.normal(size=(len(X), 1))
    return (X[: COUNTS[0]], y[: COUNTS[0]]), (X[COUNTS[0] :], y[COUNTS[0] :])


def facts_of(trainer, train, held_out=None, **settings):
    return examine(trainer.model, trainer, *train, held_out, **{"time_budget": 0, **settings})


def dense(columns=3, *more):
    return lm.Model([lm.Input(columns), *more, lm.Dense(8, "relu"), lm.Dense(1)], seed=0)


# ---- columns


def test_columns_are_numpys():
    train, held_out = regression()
    data = facts_of(fitted(dense(), *train), train, held_out).data
    for column, here, there in zip(data.columns, train[0].T, held_out[0].T, strict=True):
        here, there = (one.astype(np.float32).astype(float) for one in (here, there))
        found = column.mean, column.spread, column.low, column.high
        np.testing.assert_allclose(found, (here.mean(), here.std(), here.min(), here.max()))
        np.testing.assert_allclose(column.validation_mean, there.mean())
        np.testing.assert_allclose(column.validation_spread, there.std())
        values = np.sort(np.concatenate([here, there]))
        shares = [(one[:, None] <= values).mean(axis=0) for one in (here, there)]
        assert column.shift == pytest.approx(np.abs(shares[0] - shares[1]).max(), abs=1e-12)
        assert not column.scaled
    assert (data.rows, data.validation_rows) == COUNTS
    assert (data.column_rows, data.validation_column_rows) == COUNTS


@pytest.mark.ci
def test_distances_are_scipys():
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    for _ in range(20):
        one = rng.integers(0, rng.integers(2, 50), 70)
        other = rng.integers(0, 30, 41)
        expected = stats.ks_2samp(one, other).statistic
        assert ks_distance(one, other) == pytest.approx(expected, abs=1e-12)


def test_the_mean_of_the_distances_and_what_chance_gives():
    (X, y), (there, y_there) = regression()
    trainer = fitted(dense(), X, y)
    data = facts_of(trainer, (X, y), (there, y_there)).data
    expected = np.mean([column.shift for column in data.columns])
    assert data.mean_shift == pytest.approx(expected, abs=1e-9)
    assert data.mean_shift < data.chance_of_mean_shift < 0.2
    shifted = facts_of(trainer, (X, y), (there + X.std(axis=0), y_there)).data
    assert shifted.mean_shift > 1.5 * shifted.chance_of_mean_shift


def test_columns_are_compared_among_rows_of_the_same_classes():
    """More rows of a class are another thing than other rows of it."""
    rng = np.random.default_rng(0)
    labels = (rng.random(800) < 0.15).astype(int), (rng.random(500) < 0.5).astype(int)
    sets = [(rng.normal(size=(len(y), 2)) + 3 * y[:, None], y) for y in labels]
    model = lm.Model([lm.Input(2), lm.Dense(2, "softmax")], seed=0)
    data = facts_of(fitted(model, *sets[0], loss="cce"), *sets).data
    assert data.target_shift == pytest.approx(abs(labels[0].mean() - labels[1].mean()))
    assert data.target_shift > 0.3
    assert data.mean_shift < data.chance_of_mean_shift
    assert 100 < data.validation_column_rows < 500


def test_the_commonest_value():
    X = np.repeat([0.0, 0.0, 0.0, 1.5], 25)[:, None]
    data = facts_of(fitted(dense(1), X, X), (X, X)).data
    assert (data.columns[0].common, data.columns[0].common_share) == (0.0, 0.75)


def test_a_column_is_constant_as_the_model_reads_it():
    """A float32 rounds seconds since 1970 to steps of 128; Normalization reads them in float64."""
    rng = np.random.default_rng(0)
    X = 1.6e9 + rng.uniform(0, 50, (100, 1))
    y = rng.normal(size=100)
    spreads = []
    for layers in ([], [lm.Normalization()]):
        data = facts_of(fitted(dense(1, *layers), X, y), (X, y)).data
        spreads.append(data.columns[0].spread)
    assert spreads[0] == 0.0
    assert 10 < spreads[1] < 20


def test_constant_columns_are_looked_up_in_all_rows():
    X = np.zeros((20_000, 1))
    X[17] = 5.0
    y = np.zeros(20_000)
    data = facts_of(fitted(dense(1), X, y, epochs=1, batch_size=1000), (X, y), seed=3).data
    assert data.columns[0].high == 5.0
    assert data.columns[0].spread > 0


def test_many_columns_are_one_finding_of_bounded_work():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 5000)) * 1000
    y = rng.normal(size=300)
    model = lm.Model([lm.Input(5000), lm.Dense(1)], seed=0)
    trainer = fitted(model, X, y, epochs=1)
    found = lm.doctor(model, trainer, X, y, time_budget=0)
    assert len([one for one in found if one.code == "UNSCALED_INPUT"]) == 1
    facts = facts_of(trainer, (X, y))
    assert len(facts.data.columns) <= 2000
    assert any("columns" in one for one in facts.about["left_out"])


@pytest.mark.parametrize(
    ("layers", "scaled"),
    [
        ([], False),
        ([lm.Normalization()], True),
        ([lm.RobustScale()], True),
        ([lm.BatchNormalization()], True),
        ([lm.Impute(), lm.Normalization()], True),
        ([lm.Impute()], False),
        ([lm.Dropout(0.1), lm.Normalization()], True),
        ([lm.LayerNormalization()], False),
        ([lm.Residual([lm.Normalization(), lm.Dense(3)])], True),
    ],
)
def test_which_inputs_a_layer_scales(layers, scaled):
    model = lm.Model([lm.Input(3), *layers, lm.Dense(1)], seed=0)
    assert scaled_ports(model) == [scaled]


def test_each_input_is_scaled_or_not():
    a, b = lm.Input(2, name="a"), lm.Input(3, name="b")
    joined = lm.Concatenate()([lm.Normalization()(a), b])
    model = lm.Model(inputs=[a, b], outputs=lm.Dense(1)(joined), seed=0)
    assert scaled_ports(model) == [True, False]
    model = lm.Model(inputs=[a := lm.Input(2)], outputs=lm.Add()([lm.Normalization()(a), a]))
    assert scaled_ports(model) == [False]


def test_missing_values_are_left_out():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 1))
    X[::3] = np.nan
    model = dense(1, lm.Impute())
    data = facts_of(fitted(model, X, np.zeros(100)), (X, np.zeros(100))).data
    np.testing.assert_allclose(data.columns[0].mean, np.nanmean(X.astype(np.float32)), rtol=1e-6)


def test_columns_have_the_names_of_a_table():
    class Table(np.ndarray):
        columns = ("age", "height")

    X = np.random.default_rng(0).normal(size=(60, 2)).view(Table)
    data = facts_of(fitted(dense(2), X, np.zeros(60)), (X, np.zeros(60))).data
    assert [column.name for column in data.columns] == ["age", "height"]


# ---- classes and targets


def test_classes_and_their_recall():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(200, 2)), rng.integers(0, 3, 200)
    there, y_there = rng.normal(size=(90, 2)), rng.integers(0, 3, 90)
    model = lm.Model([lm.Input(2), lm.Dense(4, "softmax")], seed=0)
    data = facts_of(fitted(model, X, y, loss="cce"), (X, y), (there, y_there)).data
    assert data.classes == np.bincount(y, minlength=4).tolist()
    assert data.validation_classes == np.bincount(y_there, minlength=4).tolist()
    found = model.predict_classes(there)
    np.testing.assert_allclose(
        data.recall[:3], [(found[y_there == c] == c).mean() for c in range(3)]
    )
    assert np.isnan(data.recall[3])
    assert data.target_mean is None
    spread = model.predict(there).std(axis=0).max()
    assert data.prediction_spread == pytest.approx(spread, rel=1e-6)


@pytest.mark.parametrize(
    ("loss", "activation", "labels"),
    [("bce", "sigmoid", (0, 1)), ("hinge", "linear", (-1, 1))],
)
def test_two_classes_of_one_unit(loss, activation, labels):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    y = np.where(X[:, 0] > 0.5, labels[1], labels[0])
    model = lm.Model([lm.Input(2), lm.Dense(1, activation)], seed=0)
    data = facts_of(fitted(model, X, y, loss=loss, epochs=30), (X, y)).data
    assert data.classes == [int((y == label).sum()) for label in labels]
    found = model.predict(X).ravel() > (0.5 if loss == "bce" else 0)
    upper = y == labels[1]
    np.testing.assert_allclose(data.recall, [(~found[~upper]).mean(), found[upper].mean()])


def test_targets_of_a_regression():
    train, held_out = regression()
    y = train[1] * 100 + 7
    data = facts_of(fitted(dense(), train[0], y), (train[0], y), held_out).data
    assert data.target_mean == pytest.approx(y.mean())
    assert data.target_spread == pytest.approx(y.std())
    assert data.classes == []
    assert data.target_shift > 0.5


def test_class_weights_count_in_the_models_loss_and_the_constants():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 2)), (rng.random(300) < 0.1).astype(int)
    model = lm.Model([lm.Input(2), lm.Dense(2, "softmax")], seed=0)
    trainer = fitted(model, X, y, loss="cce", class_weight="balanced")
    facts = facts_of(trainer, (X, y))
    weights = np.where(y == 1, 150 / y.sum(), 150 / (300 - y.sum()))
    p = model.predict(X)[np.arange(300), y]
    assert facts.data.model_loss == pytest.approx(np.average(-np.log(p), weights=weights), rel=1e-5)
    assert facts.data.constant_loss == pytest.approx(np.log(2), rel=1e-6)
    assert facts.baseline_loss == pytest.approx(-np.mean(np.log([y.mean(), 1 - y.mean()])[1 - y]))


# ---- the best constant

TARGETS = np.random.default_rng(1).gamma(2.0, 1.5, size=500)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("mse", TARGETS.mean()),
        ("mae", np.median(TARGETS)),
        ("poisson", TARGETS.mean()),
        (lm.losses.Huber(1e6), TARGETS.mean()),
        (lm.losses.Quantile((0.9,)), np.quantile(TARGETS, 0.9)),
    ],
)
def test_best_constants_that_have_a_formula(loss, expected):
    loss = as_loss(loss)
    found = best_constant(loss, TARGETS, None, 1, "linear")
    least = constant_loss(loss, np.array([expected]), TARGETS)
    assert constant_loss(loss, found, TARGETS) <= least + 1e-4 * abs(least)


@pytest.mark.parametrize(
    "loss", ["huber", "log_cosh", "gamma", "tweedie", lm.losses.Huber(0.3), "mae"], ids=str
)
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_other_best_constants_are_as_good_as_any_of_a_grid(loss, scale):
    loss = as_loss(loss)
    y = TARGETS * scale
    found = constant_loss(loss, best_constant(loss, y, None, 1, "linear"), y)
    grid = [constant_loss(loss, np.array([c]), y) for c in np.quantile(y, np.linspace(0, 1, 201))]
    assert found <= min(grid) + 1e-3 * (np.median(grid) - min(grid))


def test_constants_of_classes_are_their_shares():
    rng = np.random.default_rng(0)
    y, weight = rng.integers(0, 3, 400), rng.uniform(0.5, 2, 400)
    shares = np.bincount(y, weight) / weight.sum()
    loss = as_loss("cce")
    np.testing.assert_allclose(best_constant(loss, y, weight, 3, "softmax"), shares)
    one_hot = best_constant(loss, np.eye(3)[y], weight, 3, "softmax")
    np.testing.assert_allclose(one_hot, shares)
    entropy = -(shares * np.log(shares)).sum()
    logits = lm.losses.CategoricalCrossentropy(from_logits=True)
    found = best_constant(logits, y, weight, 3, "linear")
    assert constant_loss(logits, found, y, weight) == pytest.approx(entropy, rel=1e-6)
    focal = as_loss("categorical_focal_crossentropy")
    found = constant_loss(focal, best_constant(focal, y, None, 3, "softmax"), y)
    assert found <= constant_loss(focal, np.bincount(y) / 400, y)


def test_the_best_constant_of_a_mean_and_a_variance():
    loss = as_loss("gaussian_nll")
    found = best_constant(loss, TARGETS, None, 2, "linear")
    np.testing.assert_allclose(found, [TARGETS.mean(), np.log(TARGETS.var())], rtol=1e-3)


def test_the_best_constant_of_a_function():
    def relative(y_true, y_pred):
        error = y_pred / y_true - 1
        return (error**2).mean(axis=1), 2 * error / y_true / y_pred.shape[1]

    inverse = 1 / TARGETS
    expected = inverse.sum() / (inverse**2).sum()
    found = best_constant(relative, TARGETS, None, 1, "linear")
    assert found[0] == pytest.approx(expected, rel=1e-3)


def test_several_outputs_add_up():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    y = {"a": X[:, :1] * 2, "b": (X[:, 1] > 0).astype(int)}
    start = lm.Input(2)
    ends = [lm.Dense(1, name="a")(start), lm.Dense(1, "sigmoid", name="b")(start)]
    model = lm.Model(inputs=start, outputs=ends, seed=0)
    trainer = lm.Trainer(model, loss={"a": "mse", "b": "bce"}, loss_weights={"a": 3.0})
    trainer.fit(X, y, epochs=2, verbose=0)
    facts = facts_of(trainer, (X, y))
    share = y["b"].mean()
    entropy = -(share * np.log(share) + (1 - share) * np.log(1 - share))
    assert facts.baseline_loss == pytest.approx(3 * y["a"].var() + entropy, rel=1e-6)
    assert facts.data.classes == np.bincount(y["b"]).tolist()
