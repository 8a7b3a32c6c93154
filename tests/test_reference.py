"""Lamina's trainer step by step beside reference.py, and reference.py beside finite differences."""

import math

import numpy as np
import pytest
import reference as ref

RNG_SEED = 7
FUSED = {"binary_crossentropy": "sigmoid", "categorical_crossentropy": "softmax"}


@pytest.fixture(scope="module")
def lm():
    import lamina

    return lamina


def make_data(loss, rows=50, columns=5, outputs=3, dtype=np.float64):
    """Inputs, Lamina's targets and the reference's (one-hot where Lamina takes labels)."""
    rng = np.random.default_rng(RNG_SEED)
    x = rng.normal(size=(rows, columns)).astype(dtype)
    if loss == "categorical_crossentropy":
        labels = rng.integers(0, outputs, size=rows)
        return x, labels, ref.one_hot(labels, outputs, dtype)
    if loss == "binary_crossentropy":
        y = rng.integers(0, 2, size=(rows, outputs)).astype(dtype)
    else:
        y = rng.normal(size=(rows, outputs)).astype(dtype)
    return x, y, y


def make_pair(lm, loss, hidden="tanh", outputs=3, dtype="float64", regularizer=None, **penalties):
    """The same network twice, from the same weights: Lamina's and the reference's."""
    last = FUSED.get(loss, "linear")
    model = lm.Model(
        [
            lm.Input(5),
            lm.Dense(7, activation=hidden, kernel_regularizer=regularizer),
            lm.Dense(6, activation=hidden, kernel_regularizer=regularizer),
            lm.Dense(outputs, activation=last, kernel_regularizer=regularizer),
        ],
        seed=3,
        dtype=dtype,
    )
    rng = np.random.default_rng(11)
    for layer in model.layers:
        layer.bias[:] = rng.normal(scale=0.1, size=layer.bias.shape)
    functions = [hidden, hidden, "linear"]
    layers = [
        ref.Dense(layer.kernel, layer.bias, f, **penalties)
        for layer, f in zip(model.layers, functions, strict=True)
    ]
    return model, ref.Network(layers, loss)


def weights_of(model):
    return [np.array(w) for layer in model.layers for w in (layer.kernel, layer.bias)]


def assert_same_weights(got, network, where, tolerance=1e-11):
    for g, p in zip(got, network.parameters, strict=True):
        scale = max(1e-3, np.abs(p.value).max())
        assert np.abs(g - p.value).max() <= tolerance * scale, where


def recorder(lm):
    """A callback that copies all weights after each step."""

    class Recorder(lm.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.steps = []

        def on_train_batch_end(self, batch, logs=None):
            self.steps.append(weights_of(self.model))

    return Recorder()


def compare_training(
    lm, loss, optimizer, reference_optimizer, *, epochs=3, batch_size=16, weight=None, **pair
):
    """Train both, compare the weights after each step, and return the model and its history."""
    model, network = make_pair(lm, loss, **pair)
    x, y, target = make_data(loss)
    record = recorder(lm)
    trainer = lm.Trainer(model, loss=loss, optimizer=optimizer)
    history = trainer.fit(
        x,
        y,
        epochs=epochs,
        batch_size=batch_size,
        shuffle=False,
        sample_weight=weight,
        callbacks=[record],
        verbose=0,
    )
    losses = []
    for loss_before in network.train(x, target, reference_optimizer, batch_size, epochs, weight):
        assert_same_weights(record.steps[len(losses)], network, f"step {len(losses)}")
        losses.append(loss_before)
    assert len(record.steps) == len(losses)
    return model, network, history, losses


PENALTIES = {
    "plain": (None, {}),
    "l2": (("L2", {"l2": 0.02}), {"l2": 0.02}),
    "l1_subgradient": (("L1", {"l1": 0.01, "proximal": False}), {"l1": 0.01, "proximal": False}),
    "l1_proximal": (("L1", {"l1": 0.01}), {"l1": 0.01, "proximal": True}),
    "l1l2": (("L1L2", {"l1": 0.01, "l2": 0.02}), {"l1": 0.01, "l2": 0.02, "proximal": True}),
}
RATES = {
    "SGD": 0.1,
    "Momentum": 0.05,
    "Nesterov": 0.05,
    "Adagrad": 0.05,
    "Adadelta": 1.0,
    "RMSprop": 0.01,
    "Lion": 0.001,
    "Adam": 0.01,
    "AdamW": 0.01,
    "AMSGrad": 0.01,
    "Adamax": 0.01,
    "NAdam": 0.01,
    "RAdam": 0.01,
}


# ---- the reference against finite differences and against arithmetic done by hand ---------------


@pytest.mark.parametrize("loss", ref.LOSSES)
@pytest.mark.parametrize("activation", ref.ACTIVATIONS)
def test_reference_gradients_agree_with_finite_differences(activation, loss):
    rng = np.random.default_rng(RNG_SEED)
    layers = [
        ref.Dense(rng.normal(size=(5, 4)), rng.normal(size=4), activation),
        ref.Dense(rng.normal(size=(4, 3)), rng.normal(size=3), "linear"),
    ]
    network = ref.Network(layers, loss)
    x, _, target = make_data(loss, rows=9)
    weight = rng.uniform(0.5, 2, size=9)
    dx = network.compute_gradients(x, target, weight)
    for analytic, array in [(dx, x)] + [(p.gradient.copy(), p.value) for p in network.parameters]:
        numeric = ref.numerical_gradient(lambda: network.loss(x, target, weight), array)
        assert np.abs(analytic - numeric).max() <= 1e-7 * max(1e-3, np.abs(numeric).max())


@pytest.mark.parametrize("kind", [ref.BatchNormalization, ref.LayerNormalization])
def test_reference_normalization_agrees_with_finite_differences(kind):
    rng = np.random.default_rng(RNG_SEED)
    layers = [
        ref.Dense(rng.normal(size=(5, 4)), rng.normal(size=4), "tanh"),
        kind(rng.uniform(0.5, 2, size=4), rng.normal(size=4)),
        ref.Dense(rng.normal(size=(4, 3)), rng.normal(size=3)),
    ]
    network = ref.Network(layers, "mean_squared_error")
    x, _, target = make_data("mean_squared_error", rows=9)
    dx = network.compute_gradients(x, target)
    for analytic, array in [(dx, x)] + [(p.gradient.copy(), p.value) for p in network.parameters]:
        numeric = ref.numerical_gradient(lambda: network.loss(x, target), array)
        assert np.abs(analytic - numeric).max() <= 1e-7 * max(1e-3, np.abs(numeric).max())


def test_reference_softmax_output_with_squared_error():
    rng = np.random.default_rng(RNG_SEED)
    network = ref.Network(
        [ref.Dense(rng.normal(size=(5, 3)), rng.normal(size=3), "softmax")], "mean_squared_error"
    )
    x, _, target = make_data("mean_squared_error", rows=6)
    network.compute_gradients(x, target)
    kernel = network.layers[0].kernel
    numeric = ref.numerical_gradient(lambda: network.loss(x, target), kernel.value)
    assert np.allclose(kernel.gradient, numeric, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("optimizer", "moved"),
    [
        # w = 1, g = 2 then g = -1, rate 0.1: the value after two steps, worked out by hand.
        (ref.SGD(0.1), 1 - 0.2 + 0.1),
        (ref.Momentum(0.1, 0.5), 1 - 0.2 - 0.1 * (0.5 * 2 - 1)),
        (ref.Nesterov(0.1, 0.5), 1 - 0.1 * (2 + 0.5 * 2) - 0.1 * (-1 + 0.5 * 0)),
        (ref.Adagrad(0.1, epsilon=0.0), 1 - 0.1 + 0.1 / math.sqrt(5)),
        (ref.RMSprop(0.1, rho=0.5, epsilon=0.0), 1 - 0.2 / math.sqrt(2) + 0.1 / math.sqrt(1.5)),
        # m = 1 then 0; v = 2 then 1.5; the second step has m_hat = 0.
        (ref.Adam(0.1, beta_1=0.5, beta_2=0.5, epsilon=0.0), 1 - 0.1 - 0.1 * 0),
        (ref.SGD(0.1, weight_decay=0.5), (1 * 0.95 - 0.2) * 0.95 + 0.1),
    ],
    ids=lambda v: type(v).__name__ if isinstance(v, ref.SGD) else "",
)
def test_reference_optimizers_take_the_steps_of_their_formulas(optimizer, moved):
    p = ref.Parameter(np.array([1.0]))
    for g in (2.0, -1.0):
        p.gradient = np.array([g])
        optimizer.step([p])
    assert p.value[0] == pytest.approx(moved, abs=1e-15)


def test_reference_penalties():
    def step(**penalty):
        p = ref.Parameter(np.array([1.0, -0.04, 0.0]), **penalty)
        p.gradient = np.zeros(3)
        ref.SGD(0.1).step([p])
        return p.value

    assert np.allclose(step(l2=0.5), [0.9, -0.036, 0])  # w - 0.1 * 2 * 0.5 * w
    assert np.allclose(step(l1=0.5, proximal=False), [0.95, 0.01, 0])  # may jump over zero
    assert np.array_equal(step(l1=0.5), [0.95, 0, 0])  # stops at zero, exactly


def test_reference_learns_xor():
    x = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    target = np.array([[0.0], [1], [1], [0]])
    rng = np.random.default_rng(1)
    layers = [
        ref.Dense(rng.normal(size=(2, 8)), np.zeros(8), "tanh"),
        ref.Dense(rng.normal(size=(8, 1)), np.zeros(1)),
    ]
    network = ref.Network(layers, "binary_crossentropy")
    losses = list(network.train(x, target, ref.Adam(0.05), batch_size=4, epochs=300))
    assert losses[-1] < 0.02 < losses[0]
    assert np.array_equal(network.forward(x) > 0, target > 0.5)


# ---- Lamina against the reference ---------------------------------------------------------------


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("name", RATES)
def test_each_step_equals_the_reference(lm, name, penalty):
    regularizer, options = PENALTIES[penalty]
    regularizer = getattr(lm, regularizer[0])(**regularizer[1]) if regularizer else None
    compare_training(
        lm,
        "categorical_crossentropy",
        getattr(lm, name)(learning_rate=RATES[name]),
        ref.OPTIMIZERS[name](RATES[name]),
        regularizer=regularizer,
        **options,
    )


def test_every_optimizer_of_the_catalogue_has_a_reference():
    from lamina._isa import core

    assert {entry["class"] for entry in core.catalogue()["optimizers"]} == set(ref.OPTIMIZERS)


def test_defaults_are_those_of_the_reference(lm):
    for name in ref.OPTIMIZERS:
        compare_training(
            lm, "mean_squared_error", getattr(lm, name)(), ref.OPTIMIZERS[name](), epochs=2
        )


@pytest.mark.parametrize("hidden", [name for name in ref.ACTIVATIONS if name != "softmax"])
@pytest.mark.parametrize("loss", ref.LOSSES)
def test_each_activation_and_loss(lm, hidden, loss):
    _, _, history, losses = compare_training(
        lm, loss, lm.Adam(learning_rate=0.01), ref.Adam(0.01), epochs=2, hidden=hidden
    )
    # An epoch's loss is the mean over its rows, each as it was when its batch came.
    rows = [16, 16, 16, 2]
    expected = [np.average(losses[i : i + 4], weights=rows) for i in (0, 4)]
    assert history["loss"] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", RATES)
def test_weight_decay_is_decoupled(lm, name):
    compare_training(
        lm,
        "mean_squared_error",
        getattr(lm, name)(learning_rate=RATES[name], weight_decay=0.1),
        ref.OPTIMIZERS[name](RATES[name], weight_decay=0.1),
    )


def test_bias_regularizer(lm):
    model, network = make_pair(lm, "mean_squared_error")
    model = lm.Model(
        [lm.Input(5), lm.Dense(3, bias_regularizer=lm.L2(0.05))], seed=1, dtype="float64"
    )
    model.layers[0].bias[:] = [0.5, -1.0, 2.0]
    network = ref.Network(
        [ref.Dense(model.layers[0].kernel, model.layers[0].bias)], "mean_squared_error"
    )
    network.layers[0].bias.l2 = 0.05
    x, y, target = make_data("mean_squared_error")
    lm.Trainer(model, loss="mse", optimizer=lm.SGD(learning_rate=0.1)).fit(
        x, y, epochs=3, batch_size=16, shuffle=False, verbose=0
    )
    list(network.train(x, target, ref.SGD(0.1), 16, 3))
    assert_same_weights(weights_of(model), network, "the last step")


def test_sample_weights(lm):
    weight = np.random.default_rng(5).uniform(0, 3, size=50)
    weight[16:32] = 0  # a batch that makes no step
    model, network = make_pair(lm, "mean_squared_error")
    x, y, target = make_data("mean_squared_error")
    lm.Trainer(model, loss="mse", optimizer=lm.Adam(learning_rate=0.01)).fit(
        x, y, epochs=3, batch_size=16, shuffle=False, sample_weight=weight, verbose=0
    )
    assert len(list(network.train(x, target, ref.Adam(0.01), 16, 3, weight))) == 9
    assert_same_weights(weights_of(model), network, "the last step")


def test_a_schedule_gives_each_step_its_rate(lm):
    def cosine(step):
        return 0.002 + (0.02 - 0.002) * 0.5 * (1 + math.cos(math.pi * min(step, 10) / 10))

    schedule = lm.Cosine(0.02, total_steps=10, final_learning_rate=0.002)
    assert [schedule(s) for s in range(13)] == pytest.approx(
        [cosine(s) for s in range(13)], rel=1e-13
    )
    compare_training(lm, "mean_squared_error", lm.Adam(learning_rate=schedule), ref.Adam(cosine))


def test_without_a_batch_callback_the_same_bits(lm):
    """The callback makes the engine go step by step; without it an epoch is one call."""
    loss = "categorical_crossentropy"
    watched = compare_training(lm, loss, lm.Adam(), ref.Adam())[0]
    model = make_pair(lm, loss)[0]
    x, y, _ = make_data(loss)
    lm.Trainer(model, loss=loss, optimizer="adam").fit(
        x, y, epochs=3, batch_size=16, shuffle=False, verbose=0
    )
    assert model.fingerprint() == watched.fingerprint()


def test_float32_stays_near(lm):
    loss = "categorical_crossentropy"
    model, network = make_pair(lm, loss, dtype="float32")
    x, y, target = make_data(loss, dtype=np.float32)
    lm.Trainer(model, loss=loss, optimizer=lm.SGD(learning_rate=0.1)).fit(
        x, y, epochs=3, batch_size=16, shuffle=False, verbose=0
    )
    list(network.train(x, target, ref.SGD(0.1), 16, 3))
    assert all(p.value.dtype == np.float32 for p in network.parameters)
    assert_same_weights(weights_of(model), network, "the last step", tolerance=1e-5)


@pytest.mark.parametrize("name", ["SGD", "Momentum", "Adam"])
def test_normalization_equals_the_reference(lm, name):
    """Three epochs of four batches, the last of two rows: weights and moving averages."""
    middle = [lm.BatchNormalization(momentum=0.8), lm.LayerNormalization(epsilon=0.01)]
    layers = [lm.Dense(7, "tanh"), middle[0], lm.Dense(6, "tanh"), middle[1], lm.Dense(3)]
    model = lm.Model([lm.Input(5), *layers], seed=3, dtype="float64")
    rng = np.random.default_rng(11)
    for layer in middle:
        layer.gamma = rng.uniform(0.5, 2, size=layer.gamma.shape)
        layer.beta = rng.normal(size=layer.beta.shape)
    batch = ref.BatchNormalization(middle[0].gamma, middle[0].beta, momentum=0.8)
    rows = ref.LayerNormalization(middle[1].gamma, middle[1].beta, epsilon=0.01)
    dense = [ref.Dense(one.kernel, one.bias, one.activation) for one in layers[::2]]
    network = ref.Network([dense[0], batch, dense[1], rows, dense[2]], "mean_squared_error")
    x, y, target = make_data("mean_squared_error")
    optimizer = getattr(lm, name)(learning_rate=0.02)
    trainer = lm.Trainer(model, loss="mse", optimizer=optimizer)
    trainer.fit(x, y, epochs=3, batch_size=16, shuffle=False, verbose=0)
    list(network.train(x, target, ref.OPTIMIZERS[name](0.02), 16, 3))
    both = [
        (one.kernel, one.bias) if hasattr(one, "kernel") else (one.gamma, one.beta)
        for one in layers
    ]
    assert_same_weights([w for pair in both for w in pair], network, "the last step")
    assert np.abs(middle[0].moving_mean - batch.moving_mean).max() <= 1e-12
    assert np.abs(middle[0].moving_variance - batch.moving_variance).max() <= 1e-12


def test_predict_and_evaluate(lm):
    for loss in ref.LOSSES:
        model, network = make_pair(lm, loss)
        x, y, target = make_data(loss)
        function = ref.ACTIVATIONS[FUSED.get(loss, "linear")][0]
        assert np.abs(model.predict(x) - function(network.forward(x))).max() <= 1e-13
        result = lm.Trainer(model, loss=loss, optimizer="sgd").evaluate(x, y)
        assert result["loss"] == pytest.approx(network.loss(x, target), rel=1e-12)


def test_forward_and_backward_by_hand(lm):
    """model.backward takes dL/d(output), the reference starts from the logits: same gradients."""
    for name in ("MeanSquaredError", "BinaryCrossentropy", "CategoricalCrossentropy"):
        loss = getattr(lm.losses, name)()
        alias = {
            "MeanSquaredError": "mean_squared_error",
            "BinaryCrossentropy": "binary_crossentropy",
        }.get(name, "categorical_crossentropy")
        model, network = make_pair(lm, alias)
        x, y, target = make_data(alias)
        dx = model.backward(loss.gradient(y, model.forward(x)))
        expected = network.compute_gradients(x, target)
        got = [g for layer in model.layers for g in (layer.kernel_gradient, layer.bias_gradient)]
        for g, p in zip(
            [dx, *got], [expected, *(p.gradient for p in network.parameters)], strict=True
        ):
            assert np.abs(g - p).max() <= 1e-11 * np.abs(p).max()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", RATES)
def test_an_optimizer_alone_on_arrays(lm, name, dtype):
    rng = np.random.default_rng(RNG_SEED)
    arrays = [rng.normal(size=shape).astype(dtype) for shape in ((4, 3), (3,), (1,))]
    parameters = [ref.Parameter(a.copy()) for a in arrays]
    optimizer = getattr(lm, name)(learning_rate=RATES[name], weight_decay=0.01)
    reference_optimizer = ref.OPTIMIZERS[name](RATES[name], weight_decay=0.01)
    for step in range(10):
        for p in parameters:
            p.gradient = rng.normal(size=p.value.shape).astype(dtype)
        optimizer.update(arrays, [p.gradient.copy() for p in parameters])
        reference_optimizer.step(parameters)
        assert optimizer.iterations == step + 1
    tolerance = 1e-12 if dtype == "float64" else 2e-5
    for a, p in zip(arrays, parameters, strict=True):
        assert a.dtype == dtype
        assert np.abs(a - p.value).max() <= tolerance


def total_norm(gradients):
    return math.sqrt(sum((g * g).sum() for g in gradients))


@pytest.mark.parametrize(
    ("clipping", "clip"),
    [
        ({"clipvalue": 0.5}, lambda gs: [np.clip(g, -0.5, 0.5) for g in gs]),
        ({"clipnorm": 0.7}, lambda gs: [g * min(1, 0.7 / np.linalg.norm(g)) for g in gs]),
        ({"global_clipnorm": 0.9}, lambda gs: [g * min(1, 0.9 / total_norm(gs)) for g in gs]),
    ],
    ids=["value", "norm", "global_norm"],
)
def test_clipping_comes_before_the_optimizer(lm, clipping, clip):
    rng = np.random.default_rng(RNG_SEED)
    for scale in (2.0, 0.01):  # clipped, and left alone
        arrays = [rng.normal(size=(4, 3)), rng.normal(size=3)]
        parameters = [ref.Parameter(a.copy()) for a in arrays]
        optimizer, reference_optimizer = (
            lm.Momentum(learning_rate=0.1, **clipping),
            ref.Momentum(0.1),
        )
        for _ in range(4):
            gradients = [scale * rng.normal(size=a.shape) for a in arrays]
            optimizer.update(arrays, [g.copy() for g in gradients])
            for p, g in zip(parameters, clip(gradients), strict=True):
                p.gradient = g
            reference_optimizer.step(parameters)
        for a, p in zip(arrays, parameters, strict=True):
            assert np.abs(a - p.value).max() <= 1e-12


@pytest.mark.parametrize("limit", ["clipnorm", "global_clipnorm"])
@pytest.mark.parametrize("penalty", ["l2", "l1", "l1_l2"])
def test_the_clip_by_norm_measures_the_penalized_gradient(lm, penalty, limit):
    l1 = 0.7 if "l1" in penalty else 0.0
    l2 = 0.9 if "l2" in penalty else 0.0
    regularizer = lm.L1L2(l1=l1, l2=l2, proximal=False)
    rng = np.random.default_rng(51)
    x, y = rng.normal(size=(32, 6)), rng.normal(size=(32, 3))
    model = lm.Model(
        [lm.Input(6), lm.Dense(3, kernel_regularizer=regularizer)], seed=9, dtype="float64"
    )
    layer = model.layers[-1]
    kernel, bias = layer.kernel.copy(), layer.bias.copy()

    error = 2 * (x @ kernel + bias - y) / y.size
    g_kernel = x.T @ error + 2 * l2 * kernel + l1 * np.sign(kernel)
    g_bias = error.sum(axis=0)
    norms = [np.linalg.norm(g_kernel), np.linalg.norm(g_bias)]
    if limit == "global_clipnorm":
        norms = [np.hypot(*norms)] * 2
    bound = 0.5 * min(norms)  # both are clipped

    optimizer = lm.SGD(learning_rate=0.1, **{limit: bound})
    trainer = lm.Trainer(model, loss="mse", optimizer=optimizer)
    trainer.fit(x, y, batch_size=32, epochs=1, shuffle=False, verbose=0)
    expected_kernel = kernel - 0.1 * bound / norms[0] * g_kernel
    expected_bias = bias - 0.1 * bound / norms[1] * g_bias
    assert np.allclose(layer.kernel, expected_kernel, rtol=0, atol=1e-12)
    assert np.allclose(layer.bias, expected_bias, rtol=0, atol=1e-12)
