"""Learning on real data: handwritten digits, and the price of diamonds."""

import numpy as np
import pytest

import lamina as lm


@pytest.mark.ci
def test_digits_above_97_per_cent():
    datasets = pytest.importorskip("sklearn.datasets")
    x, y = datasets.load_digits(return_X_y=True)
    x = (x / 16).astype(np.float32)
    order = np.random.default_rng(0).permutation(len(x))
    test, train = order[:360], order[360:]
    for seed in range(3):
        model = lm.Model(
            [
                lm.Input(64),
                lm.Dense(256, activation="relu"),
                lm.Dropout(0.2),
                lm.Dense(128, activation="relu"),
                lm.Dropout(0.2),
                lm.Dense(10, activation="softmax"),
            ],
            seed=seed,
        )
        trainer = lm.Trainer(
            model,
            loss="categorical_crossentropy",
            optimizer=lm.Adam(learning_rate=lm.OneCycle(max_learning_rate=3e-3)),
            metrics=["accuracy"],
        )
        history = trainer.fit(x[train], y[train], epochs=30, batch_size=32, verbose=0)
        assert history["accuracy"][-1] > history["accuracy"][0]
        assert trainer.evaluate(x[test], y[test])["accuracy"] > 0.97, f"seed {seed}"
        assert (model.predict_classes(x[test]) == y[test]).mean() > 0.97


def diamonds():
    """Six measures and the three grades as numbers, standardised; the logarithm of the price."""
    table = lm.datasets.load_diamonds()
    grades = {
        "cut": ["Fair", "Good", "Very Good", "Premium", "Ideal"],
        "color": list("JIHGFED"),
        "clarity": ["I1", "SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1", "IF"],
    }
    columns = [np.log(table["carat"])]
    columns += [table[name] for name in ("depth", "table", "x", "y", "z")]
    for name, levels in grades.items():
        rank = {level: i for i, level in enumerate(levels)}
        columns.append(np.array([rank[level] for level in table[name]], dtype=float))
    x = np.stack(columns, axis=1)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    return x.astype(np.float32), np.log(table["price"])


@pytest.fixture(scope="module")
def split_diamonds():
    x, y = diamonds()
    order = np.random.default_rng(0).permutation(len(x))
    train, validation, test = order[:20_000], order[20_000:25_000], order[25_000:35_000]
    return (x[train], y[train]), (x[validation], y[validation]), (x[test], y[test])


def test_diamonds_regression(split_diamonds):
    (x, y), validation, (x_test, y_test) = split_diamonds
    mean = y.mean()
    model = lm.Model(
        [
            lm.Input(x.shape[1]),
            lm.Dense(64, activation="relu"),
            lm.Dense(64, activation="relu"),
            lm.Dense(1),
        ],
        seed=0,
    )
    schedule = lm.OneCycle(max_learning_rate=5e-3)
    trainer = lm.Trainer(
        model, loss="mse", optimizer=lm.Adam(learning_rate=schedule), metrics=["rmse", "mae"]
    )
    history = trainer.fit(
        x,
        y - mean,
        epochs=15,
        batch_size=128,
        validation_data=(validation[0], validation[1] - mean),
        verbose=0,
    )
    result = trainer.evaluate(x_test, y_test - mean)
    assert (
        result["root_mean_squared_error"] < 0.125
    )  # the log price spreads by 1.01; tests/reference.py gets 0.117
    assert result["root_mean_squared_error"] == pytest.approx(result["loss"] ** 0.5, rel=1e-6)
    residual = model.predict(x_test)[:, 0] - (y_test - mean)
    assert np.abs(residual).mean() == pytest.approx(result["mean_absolute_error"], rel=1e-4)
    assert history["val_loss"][-1] < 0.05 * np.var(y)


def test_diamonds_classification(split_diamonds):
    """Is it dearer than most? Binary cross-entropy, early stopping and the best weights."""
    (x, y), (x_validation, y_validation), (x_test, y_test) = split_diamonds
    middle = np.median(y)
    model = lm.Model(
        [
            lm.Input(x.shape[1]),
            lm.Dense(32, activation="leaky_relu"),
            lm.Dense(1, activation="sigmoid"),
        ],
        seed=0,
    )
    trainer = lm.Trainer(
        model,
        loss="binary_crossentropy",
        optimizer=lm.Adam(learning_rate=0.02),
        metrics=["accuracy"],
    )
    history = trainer.fit(
        x,
        y > middle,
        epochs=30,
        batch_size=256,
        validation_data=(x_validation, y_validation > middle),
        callbacks=[lm.EarlyStopping(patience=3)],
        verbose=0,
    )
    assert trainer.evaluate(x_test, y_test > middle)["accuracy"] > 0.96
    restored = trainer.evaluate(x_validation, y_validation > middle)["loss"]
    assert restored == pytest.approx(min(history["val_loss"]), rel=1e-6)
    assert history.best_epoch == int(np.argmin(history["val_loss"]))


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: lm.SGD(learning_rate=0.5),
        lambda: lm.Momentum(learning_rate=0.1),
        lambda: lm.Nesterov(learning_rate=0.1),
        lambda: lm.Adagrad(learning_rate=0.1),
        lambda: lm.RMSprop(learning_rate=0.01),
        lambda: lm.Adam(learning_rate=0.01),
    ],
    ids=["sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam"],
)
def test_every_optimizer_learns_two_spirals(optimizer):
    """Two arms around each other: no line parts them, so the hidden layers have to bend."""
    rng = np.random.default_rng(0)
    t = np.sqrt(rng.uniform(0.05, 1, size=1000)) * 1.25 * np.pi
    label = rng.integers(0, 2, size=1000)
    angle = t + np.pi * label
    x = np.stack([t * np.cos(angle), t * np.sin(angle)], axis=1) / 4 + 0.01 * rng.normal(
        size=(1000, 2)
    )
    model = lm.Model(
        [
            lm.Input(2),
            lm.Dense(64, activation="tanh"),
            lm.Dense(64, activation="relu"),
            lm.Dense(2, activation="softmax"),
        ],
        seed=0,
    )
    trainer = lm.Trainer(
        model, loss="categorical_crossentropy", optimizer=optimizer(), metrics=["accuracy"]
    )
    trainer.fit(x[:800], label[:800], epochs=60, batch_size=32, verbose=0)
    assert trainer.evaluate(x[800:], label[800:])["accuracy"] > 0.95


def test_proximal_l1_switches_columns_off():
    """Of twenty columns two matter; L1 keeps those and sets the weights of the others to zero."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 20))
    y = 2 * x[:, 3] - x[:, 11] + 0.1 * rng.normal(size=2000)
    model = lm.Model(
        [lm.Input(20), lm.Dense(1, kernel_regularizer=lm.L1(0.05))], seed=0, dtype="float64"
    )
    lm.Trainer(model, loss="mse", optimizer=lm.SGD(learning_rate=0.05)).fit(
        x, y, epochs=20, batch_size=256, verbose=0
    )
    weight = model.layers[0].kernel[:, 0]
    assert abs(weight[3] - 2) < 0.1
    assert abs(weight[11] + 1) < 0.1
    assert np.count_nonzero(weight) == 2
