"""Losses: what Keras publishes, the edges, what is refused, and that each one trains a model."""

import re

import numpy as np
import pytest
from loss_cases import (
    FROM_INPUT,
    LOSSES,
    MEANS,
    NATURAL_OUTPUT,
    PROBABILITIES,
    natural,
    outputs_per_target,
    targets,
)

import lamina as lm
from lamina._isa import core

# ---- Keras' published numbers (keras/src/losses/losses_test.py, Keras 3) ------------------------

Y3 = np.array([[1.0, 9, 2], [-5, -2, 6]])
P3 = np.array([[4.0, 8, 12], [8, 1, 3]])
DISTRIBUTIONS = np.array([[0.9, 0.05, 0.05], [0.5, 0.89, 0.6], [0.05, 0.01, 0.94]])
DISTRIBUTIONS /= DISTRIBUTIONS.sum(axis=1, keepdims=True)  # Keras does that itself
LOGITS = np.array([[8.0, 1, 1], [0, 9, 1], [2, 3, 5]])
SIGNS, SCORES = np.array([[0.0, 1], [0, 0]]), np.array([[0.6, 0.4], [0.4, 0.6]])
YES_NO, TENS = np.array([[1.0, 0, 1], [0, 1, 1]]), np.array([[10.0, -10, 10], [10, 10, -10]])
FOCAL_Y, FOCAL_P = np.array([[1.0, 0], [1, 0]]), np.array([[0.9, 0.8], [0.7, 0.2]])
FOCAL_Z = np.array([[1.5, -2.7, 2.9], [-3.8, 1.2, -4.5]])

GOLDEN = [
    ("MeanSquaredError", {}, Y3, P3, 49.5),
    ("MeanAbsoluteError", {}, Y3, P3, 5.5),
    ("Hinge", {}, SIGNS, SCORES, [1.1, 1.5]),
    ("SquaredHinge", {}, SIGNS, SCORES, [1.46, 2.26]),
    ("BinaryCrossentropy", {"from_logits": True}, YES_NO, TENS, 3.3333),
    (
        "BinaryCrossentropy",
        {"from_logits": True, "label_smoothing": 0.1},
        [[1.0, 0, 1]],
        [[10.0, -10, -10]],
        (10 + 5 * 0.1) / 3,
    ),
    ("CategoricalCrossentropy", {"from_logits": True}, [0, 1, 2], LOGITS, 0.0573),
    (
        "CategoricalCrossentropy",
        {"from_logits": True, "label_smoothing": 0.1},
        [0],
        [[100.0, -100, -100]],
        400 * 0.1 / 3,
    ),
    ("BinaryFocalCrossentropy", {}, FOCAL_Y, FOCAL_P, [0.515547, 0.020513]),
    (
        "BinaryFocalCrossentropy",
        {"gamma": 3.0, "from_logits": True},
        [[1.0, 1, 0], [0, 1, 0]],
        FOCAL_Z,
        0.799,
    ),
    (
        "CategoricalFocalCrossentropy",
        {"from_logits": True},
        [0, 1, 2],
        LOGITS,
        [1.5096224e-09, 2.4136547e-11, 1.0360638e-03],
    ),
    ("CategoricalFocalCrossentropy", {}, [0, 1, 2], DISTRIBUTIONS, 0.02059),
]


@pytest.mark.parametrize(("name", "options", "y", "p", "expected"), GOLDEN)
def test_numbers_that_keras_publishes(name, options, y, p, expected):
    loss = getattr(lm.losses, name)(**options)
    if np.ndim(expected):
        assert loss.values(y, p) == pytest.approx(expected, rel=1e-4)
    else:
        assert loss(y, p) == pytest.approx(expected, abs=6e-4)


def test_formulas_that_keras_compares_with():
    """The same file's expectations where it computes them: NumPy on its small arrays."""
    losses = lm.losses
    d = P3 - Y3
    assert losses.LogCosh()(Y3, P3) == pytest.approx(np.log(np.cosh(d)).mean(), rel=1e-12)
    unit_y, unit_p = (a / np.linalg.norm(a, axis=1, keepdims=True) for a in (Y3, P3))
    expected = -(unit_y * unit_p).sum(axis=1).mean()
    assert losses.CosineSimilarity("keras")(Y3, P3) == pytest.approx(expected, rel=1e-12)
    assert losses.CosineSimilarity()(Y3, P3) == pytest.approx(1 + expected, rel=1e-9)
    y = np.array([[0.5, 0.8, 0.12], [0.7, 0.43, 0.8]])
    p = np.array([[0.4, 0.9, 0.12], [0.36, 0.3, 0.4]])
    expected = (y * np.log(y / p)).sum() / 2
    assert losses.KLDivergence()(y, p) == pytest.approx(expected, rel=1e-12)
    p, y = np.array([[1.0, 9, 2], [5, 2, 6]]), np.array([[4.0, 8, 12], [8, 1, 3]])
    for epsilon, bar in ((1e-8, 1e-7), (1e-7, 1e-6), (0.0, 1e-14)):
        loss = losses.Poisson(epsilon=epsilon)
        assert loss(y, p) == pytest.approx((p - y * np.log(p)).mean(), rel=bar)
    y, p = np.array([[1.0, 0, 1], [1, 0, 0]]), np.array([[0.9, 0.2, 0.2], [0.8, 0.4, 0.6]])
    near = np.minimum(abs(p - y), 0.8)
    expected = (0.5 * near**2 + 0.8 * (abs(p - y) - near)).mean()
    assert losses.Huber(0.8)(y, p) == pytest.approx(expected, rel=1e-14)


# ---- edges --------------------------------------------------------------------------------------

INF = np.inf
FAR = [
    # loss, target, output(s), value, gradient; from logits and logarithms of any size
    (lm.losses.BinaryCrossentropy(from_logits=True), 1.0, [1e4], 0.0, [0.0]),
    (lm.losses.BinaryCrossentropy(from_logits=True), 1.0, [-1e4], 1e4, [-1.0]),
    (
        lm.losses.BinaryCrossentropy(from_logits=True, positive_weight=3),
        1.0,
        [-1e4],
        3e4,
        [-3.0],
    ),
    (lm.losses.BinaryFocalCrossentropy(from_logits=True), 1.0, [1e4], 0.0, [0.0]),
    (lm.losses.BinaryFocalCrossentropy(from_logits=True), 0.0, [1e4], 1e4, [1.0]),
    (lm.losses.CategoricalCrossentropy(from_logits=True), 1, [1e4, -1e4], 2e4, [1.0, -1.0]),
    (
        lm.losses.CategoricalFocalCrossentropy(1.0, from_logits=True),
        1,
        [1e4, -1e4],
        2e4,
        [1.0, -1.0],
    ),
    (
        lm.losses.CategoricalFocalCrossentropy(1.0, 0.5, from_logits=True),
        0,
        [1e4, -1e4],
        0.0,
        [0.0, 0.0],
    ),
    (lm.losses.KLDivergence(from_logits=True), [0.0, 1.0], [1e4, -1e4], 2e4, [1.0, -1.0]),
    (lm.losses.Poisson(from_log=True), 3.0, [-1e4], 3e4, [-3.0]),
    (lm.losses.Poisson(from_log=True), 0.0, [-1e4], 0.0, [0.0]),
    (lm.losses.Poisson(from_log=True), 3.0, [1e4], INF, [INF]),
    (lm.losses.Poisson(), 0.0, [0.0], 0.0, [1.0]),
    (lm.losses.Gamma(from_log=True), 3.0, [1e4], 1e4, [1.0]),
    (lm.losses.Gamma(from_log=True), 3.0, [-1e4], INF, [-INF]),
    (lm.losses.Tweedie(1.5, from_log=True), 0.0, [-1e4], 0.0, [0.0]),
    (lm.losses.Tweedie(1.0, from_log=True), 3.0, [-1e4], 3e4, [-3.0]),
    (lm.losses.Tweedie(2.0, from_log=True), 3.0, [1e4], 1e4, [1.0]),
    (lm.losses.GaussianNLL(), 1.0, [1.0, 1e4], 5e3, [0.0, 0.5]),
    (lm.losses.GaussianNLL(epsilon=1.0), 3.0, [1.0, -1e4], 2.0, [-2.0, 0.0]),
    (lm.losses.GaussianNLL("softplus", 1.0), 3.0, [1.0, -1e4], 2.0, [-2.0, 0.0]),
    (lm.losses.GaussianNLL("direct", 1.0), 3.0, [1.0, 0.0], 2.0, [-2.0, -1.5]),
    (lm.losses.LogCosh(), 0.0, [1e4], 1e4 - np.log(2), [1.0]),
    (lm.losses.LogCosh(), 0.0, [1e-8], 5e-17, [1e-8]),
    (lm.losses.Huber(1e4), 0.0, [1e4], 5e7, [1e4]),
    (lm.losses.CosineSimilarity(), [1.0, 0.0], [0.0, 1e4], 1.0, [-1e-4, 0.0]),
    (lm.losses.CosineSimilarity("keras"), [0.0, 0.0], [1.0, 2.0], 0.0, [0.0, 0.0]),
]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("loss", "target", "outputs", "value", "gradient"), FAR)
def test_far_out(loss, target, outputs, value, gradient, dtype):
    y, p = np.array([target]), np.array([outputs], dtype)
    bar = 1e-7 if dtype is np.float32 else 1e-11
    assert loss.values(y, p)[0] == pytest.approx(value, rel=bar, abs=1e-100)
    assert loss.gradient(y, p)[0] == pytest.approx(gradient, rel=bar, abs=1e-100)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", [*PROBABILITIES, "Gamma", "Tweedie"])
def test_where_a_probability_or_mean_is_clipped_there_is_no_gradient(name, dtype):
    epsilon = 1e-7 if dtype is np.float32 else 1e-15
    p = np.array([[0.0, 1.0], [0.5, 0.5]], dtype)
    y = np.array([[1.0, 0.0 if name in PROBABILITIES else 1e-3], [0.8, 0.2]])
    loss = getattr(lm.losses, name)()
    gradient, values = loss.gradient(y, p), loss.values(y, p)
    assert np.isfinite(values).all()
    assert gradient[0, 0] == 0
    assert gradient[1].all()
    if name == "CategoricalCrossentropy":
        assert values[0] == pytest.approx(-np.log(epsilon), rel=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_weights_count_as_repeated_rows(name):
    activation, options = natural(name)
    rng = np.random.default_rng(4)
    p = rng.normal(size=(6, 4 * outputs_per_target(name)))
    if activation != "linear":
        options = {FROM_INPUT[name]: True}
    y = targets(name, p)
    loss = getattr(lm.losses, name)(**options)
    counts = np.array([1, 2, 0, 3, 1, 1])
    again = np.repeat(np.arange(6), counts)
    assert loss(y, p, sample_weight=counts) == pytest.approx(loss(y[again], p[again]), rel=1e-14)
    by_row = loss.gradient(y[again], p[again])
    summed = np.array([by_row[again == row].sum(axis=0) for row in range(6)])
    assert loss.gradient(y, p, sample_weight=counts) == pytest.approx(summed, rel=1e-13, abs=1e-16)


# ---- training -----------------------------------------------------------------------------------


def problem(name, options):
    """A model and data on which the loss can fall."""
    rng = np.random.default_rng(6)
    x = rng.normal(size=(256, 6)).astype(np.float32)
    per = outputs_per_target(name, options)
    signal = x[:, :3]
    if name in ("CategoricalCrossentropy", "CategoricalFocalCrossentropy"):
        y = signal.argmax(axis=1)
    elif name == "KLDivergence":
        y = np.exp(signal) / np.exp(signal).sum(axis=1, keepdims=True)
    elif name.startswith("Binary"):
        y = (signal > 0).astype(int)
    elif name.endswith("Hinge"):
        y = np.sign(signal)
    elif name == "Poisson":
        y = rng.poisson(np.exp(signal))
    elif name in MEANS:
        y = np.exp(signal) * rng.gamma(4, 0.25, size=signal.shape)
    else:
        y = signal + 0.1 * rng.normal(size=signal.shape)
    activation, natural_options = natural(name)
    layers = [
        lm.Input(6),
        lm.Dense(16, activation="tanh"),
        lm.Dense(3 * per, activation=activation),
    ]
    loss = getattr(lm.losses, name)(**natural_options, **options)
    return x, y, lm.Model(layers, seed=1), loss


MORE = [
    ("Quantile", {"levels": [0.1, 0.5, 0.9]}),
    ("GaussianNLL", {"variance": "softplus"}),
    ("BinaryCrossentropy", {"positive_weight": 2.0, "label_smoothing": 0.05}),
    ("CosineSimilarity", {"form": "keras"}),
]


@pytest.mark.parametrize(("name", "options"), [*((name, {}) for name in LOSSES), *MORE], ids=str)
def test_each_loss_trains_with_the_same_bits_on_two_threads(name, options):
    prints, weight = [], np.random.default_rng(7).uniform(0.5, 2, size=256)
    for threads in (1, 2):
        x, y, model, loss = problem(name, options)
        trainer = lm.Trainer(model, loss=loss, optimizer=lm.Adam(0.03), num_threads=threads)
        trainer._scheduling = (16, 0, True)
        before = trainer.evaluate(x, y, sample_weight=weight)["loss"]
        trainer.fit(x, y, epochs=8, batch_size=128, sample_weight=weight, verbose=0)
        after = trainer.evaluate(x, y, sample_weight=weight)["loss"]
        prints.append((model.fingerprint(), after))
        least = loss(y, y) if name == "CosineSimilarity" else -np.inf
        assert after < before - 0.2 * min(abs(before), before - least)
    assert prints[0] == prints[1]
    alone = model.predict(x)
    if name in NATURAL_OUTPUT:
        loss = getattr(lm.losses, name)(**options)
    assert loss(y, alone, sample_weight=weight) == pytest.approx(after, rel=1e-4)


def test_the_exponential_is_fused_with_a_mean():
    """The output activation goes into the loss: large outputs are exact, predictions are means."""
    x = np.array([[-1e4], [1.0]], np.float32)
    for name in MEANS:
        model = lm.Model([lm.Input(1), lm.Dense(1, activation="exponential")], seed=0)
        model.layers[0].kernel[:] = 1
        trainer = lm.Trainer(model, loss=getattr(lm.losses, name)(), optimizer="sgd")
        loss = getattr(lm.losses, name)(from_log=True)
        rows = slice(0 if name == "Poisson" else 1, None)
        y = np.array([3.0, 2.0])[rows]
        assert trainer.compute_gradients(x[rows], y) == pytest.approx(loss(y, x[rows]), rel=1e-6)


def test_hinge_takes_both_ways_to_write_two_classes():
    x, y, model, loss = problem("Hinge", {})
    one, other = (
        lm.Trainer(model, loss=loss, metrics=["accuracy"]).evaluate(x, labels)
        for labels in (y, (y > 0).astype(int))
    )
    assert one["loss"] == other["loss"]
    assert other["accuracy"] == pytest.approx(np.mean((model.predict(x) > 0) == (y > 0)))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_function_of_the_user_is_a_loss(dtype):
    """It gives each row's own loss and gradient; weights and means are the engine's part."""
    shapes = set()

    def squared(y_true, y_pred):
        shapes.add((y_true.shape, y_pred.shape, str(y_pred.dtype)))
        error = y_pred - y_true
        return (error**2).mean(axis=1), 2 * error / error.shape[1]

    rng = np.random.default_rng(8)
    x, y = rng.normal(size=(50, 4)), rng.normal(size=(50, 3))
    weight = rng.uniform(0, 2, size=50)
    results = []
    for loss in (squared, "mse"):
        model = lm.Model([lm.Input(4), lm.Dense(3)], seed=2, dtype=dtype)
        trainer = lm.Trainer(model, loss=loss, optimizer=lm.SGD(0.1), metrics=["mae"])
        history = trainer.fit(
            x, y, epochs=3, batch_size=16, sample_weight=weight, shuffle=False, verbose=0
        )
        results.append(
            [*history["loss"], *history["mean_absolute_error"], *model.predict(x).ravel()]
        )
        results[-1] += trainer.evaluate(x, y, sample_weight=weight).values()
    assert results[0] == pytest.approx(results[1], rel=1e-12 if dtype == "float64" else 1e-4)
    assert {(16, 3), (2, 3)} <= {y_true for y_true, _, _ in shapes}
    assert all(y_true == y_pred and kind == dtype for y_true, y_pred, kind in shapes)


# ---- what is refused, and what to do ------------------------------------------------------------


def refused(words, call):
    with pytest.raises(ValueError, match=re.escape(words[0])) as caught:
        call()
    for word in words[1:]:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("loss", "activation", "outputs", "words"),
    [
        ("binary_focal", "linear", 2, ["probabilities", "'sigmoid'", "from_logits=True"]),
        ("binary_focal", "softmax", 2, ["'sigmoid'", "categorical_crossentropy"]),
        ("focal", "sigmoid", 2, ["distribution", "'softmax'"]),
        ("focal", "sigmoid", 1, ["one output a class"]),
        ("kl_divergence", "tanh", 2, ["'softmax'"]),
        ("poisson", "linear", 1, ["at least 0", "Poisson(from_log=True)"]),
        ("gamma", "tanh", 1, ["at least 0"]),
        ("tweedie", "linear", 1, ["Tweedie(from_log=True)"]),
        (lm.losses.Tweedie(from_log=True), "relu", 1, ["linear output", "'relu'"]),
        ("hinge", "sigmoid", 1, ["scores of either sign", "linear"]),
        ("squared_hinge", "relu", 1, ["scores of either sign"]),
        ("cosine_similarity", "linear", 1, ["at least 2 outputs"]),
        ("gaussian_nll", "linear", 3, ["2 outputs a target", "got 3"]),
        (lm.losses.Quantile([0.1, 0.5, 0.9]), "linear", 2, ["3 outputs a target", "got 2"]),
        (
            lm.losses.CategoricalFocalCrossentropy([0.5, 1.0]),
            "softmax",
            3,
            ["2 alpha", "got 3 outputs"],
        ),
    ],
)
def test_outputs_that_a_loss_cannot_mean(loss, activation, outputs, words):
    model = lm.Model([lm.Input(2), lm.Dense(outputs, activation=activation)], seed=0)
    refused(words, lambda: lm.Trainer(model, loss=loss))


@pytest.mark.parametrize(
    ("loss", "activation", "bad", "words"),
    [
        ("binary_focal", "sigmoid", 1.5, ["between 0 and 1", "got 1.5 in row 3"]),
        ("hinge", "linear", 2.0, ["whole numbers between -1 and 1", "row 3"]),
        ("hinge", "linear", 0.5, ["whole numbers between -1 and 1"]),
        ("poisson", "relu", -1.0, ["of at least 0", "row 3"]),
        ("gamma", "relu", 0.0, ["above 0", "got 0 in row 3"]),
        (lm.losses.Tweedie(2.0), "relu", 0.0, ["above 0"]),
        ("tweedie", "relu", -0.5, ["of at least 0"]),
        ("kl_divergence", "softmax", 0.5, ["row 3", "sum to 1"]),
    ],
)
def test_targets_that_a_loss_cannot_mean(loss, activation, bad, words):
    model = lm.Model([lm.Input(2), lm.Dense(2, activation=activation)], seed=0)
    before = model.fingerprint()
    x, y = np.zeros((8, 2)), np.ones((8, 2))
    y[:, 0] = 0 if loss == "kl_divergence" else 1
    y[3, 0] = bad
    trainer = lm.Trainer(model, loss=loss)
    refused(words, lambda: trainer.fit(x, y, verbose=0))
    assert model.fingerprint() == before
    if loss != "kl_divergence" and not isinstance(loss, str):
        refused(words, lambda: loss(y, np.full((8, 2), 0.5)))


def test_shapes_where_a_target_has_several_outputs():
    loss = lm.losses.GaussianNLL()
    p = np.zeros((5, 4))
    assert loss.values(np.zeros((5, 2)), p).shape == (5,)
    assert loss.values(np.zeros(5), p[:, :2]).shape == (5,)
    refused(["(5, 4)", "expected 2 targets a row"], lambda: loss(p, p))
    refused(["2 outputs a target"], lambda: loss(np.zeros(5), np.zeros(5)))
    model = lm.Model([lm.Input(2), lm.Dense(4)], seed=0)
    trainer = lm.Trainer(model, loss="gaussian_nll")
    refused(["(5, 2)", "(5, 4)"], lambda: trainer.fit(p[:, :2], p, verbose=0))
    refused(
        ["mean_absolute_error", "4 outputs for 2 targets"],
        lambda: lm.Trainer(model, loss=loss, metrics=["mae"]),
    )


@pytest.mark.parametrize("name", LOSSES)
def test_names_and_aliases(name):
    entry = next(entry for entry in core.catalogue()["losses"] if entry["class"] == name)
    activation, _ = natural(name)
    outputs = 2 * outputs_per_target(name)
    for alias in [entry["name"], *entry["aliases"]]:
        # a mean needs an activation of at least 0 when no parameter can be given
        output = "relu" if name in MEANS else activation
        model = lm.Model([lm.Input(2), lm.Dense(outputs, activation=output)], seed=0)
        assert lm.Trainer(model, loss=alias)._core.names == ["loss"]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: lm.losses.Huber(0.0), ["delta"]),
        (lambda: lm.losses.Quantile([0.5, 1.5]), ["levels", "1.5"]),
        (lambda: lm.losses.Quantile([]), ["levels"]),
        (lambda: lm.losses.Tweedie(2.5), ["power"]),
        (lambda: lm.losses.CosineSimilarity("numpy"), ["form", "torch", "keras"]),
        (lambda: lm.losses.GaussianNLL("exp"), ["variance", "softplus"]),
        (lambda: lm.losses.BinaryFocalCrossentropy(alpha=2.0), ["alpha"]),
    ],
)
def test_parameters_out_of_range(make, words):
    refused(words, lambda: make()(np.ones((3, 2)), np.ones((3, 2))))
