"""Normalisation layers, Scale and Dense's gain: values at the edges, freezing, neighbours.

Gradients are in test_gradients.py, other libraries' values in test_torch_normalization.py.
"""

import copy
import pickle

import numpy as np
import pytest

import lamina as lm

ROW_WISE = {
    "LayerNormalization": lambda: lm.LayerNormalization(),
    "RMSNormalization": lambda: lm.RMSNormalization(),
    "Scale": lambda: lm.Scale(use_bias=True),
}
KINDS = {"BatchNormalization": lambda: lm.BatchNormalization(), **ROW_WISE}
BOTH = pytest.mark.parametrize("dtype", ["float32", "float64"])


def alone(layer, columns, dtype="float32"):
    """A model of one layer, whose vectors are drawn."""
    model = lm.Model([lm.Input(columns), layer], seed=0, dtype=dtype)
    rng = np.random.default_rng(columns)
    for name in ("gamma", "beta", "scale", "bias", "moving_mean", "moving_variance"):
        if isinstance(getattr(layer, name, None), np.ndarray):
            setattr(layer, name, rng.uniform(0.5, 2, size=columns).astype(dtype))
    return model


def trained_once(layer, x, rate=0.0, **options):
    model = lm.Model([lm.Input(x.shape[1]), layer], seed=0, **options)
    trainer = lm.Trainer(model, loss="mse", optimizer=lm.SGD(learning_rate=rate))
    trainer.fit(x, np.zeros_like(x), epochs=1, batch_size=len(x), verbose=0)
    return model


# ---- values --------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 2, 15, 16, 17, 128, 401])
@pytest.mark.parametrize("mean", [0.0, 1e4])
def test_statistics_of_a_batch_are_exact_to_their_rounding(rows, mean):
    """float32: the mean is the nearest number, the variance off by no more than two of them."""
    x = (mean + np.random.default_rng(rows).normal(size=(rows, 21))).astype(np.float32)
    layer = lm.BatchNormalization(momentum=0.0)
    trained_once(layer, x)
    wide = x.astype(np.float64)
    assert np.array_equal(layer.moving_mean, wide.mean(axis=0).astype(np.float32))
    expected = wide.var(axis=0).astype(np.float32)
    assert np.abs(layer.moving_variance - expected).max() <= 2 * np.spacing(expected.max())


@BOTH
@pytest.mark.parametrize("columns", [1, 3, 16, 17, 40])
def test_values_are_those_of_the_formula(columns, dtype):
    rng = np.random.default_rng(columns)
    x = (5 + rng.normal(size=(37, columns))).astype(dtype)
    wide = x.astype(np.float64)
    bar = {"float32": 1e-6, "float64": 1e-14}[dtype] * 10

    def standardized(mean, variance, epsilon):
        return (wide - mean) / np.sqrt(variance + epsilon)

    layer = lm.BatchNormalization()
    model = alone(layer, columns, dtype)
    expected = standardized(wide.mean(axis=0), wide.var(axis=0), 1e-3) * layer.gamma + layer.beta
    assert np.abs(model.forward(x, training=True) - expected).max() <= bar
    expected = standardized(layer.moving_mean, layer.moving_variance, 1e-3)
    expected = expected * layer.gamma + layer.beta
    for got in (model.forward(x), model.predict(x)):
        assert np.abs(got - expected).max() <= bar

    layer = lm.LayerNormalization()
    model = alone(layer, columns, dtype)
    mean, variance = wide.mean(axis=1, keepdims=True), wide.var(axis=1, keepdims=True)
    expected = standardized(mean, variance, 1e-3) * layer.gamma + layer.beta
    assert np.abs(model.predict(x) - expected).max() <= 3 * bar  # of a mean that x shares

    layer = lm.RMSNormalization()
    model = alone(layer, columns, dtype)
    expected = wide / np.sqrt((wide**2).mean(axis=1, keepdims=True) + 1e-6) * layer.gamma
    assert np.abs(model.predict(x) - expected).max() <= bar

    layer = lm.Scale(use_bias=True)
    model = alone(layer, columns, dtype)
    assert np.abs(model.predict(x) - (wide * layer.scale + layer.bias)).max() <= bar


@pytest.mark.parametrize("kind", ROW_WISE)
@BOTH
def test_a_row_does_not_depend_on_its_neighbours(kind, dtype):
    """Up to 16 columns many rows share registers, and one row does not: the same bits."""
    for columns in (*range(1, 20), 31, 33, 64, 100):
        model = alone(ROW_WISE[kind](), columns, dtype)
        x = 100 * np.random.default_rng(columns).normal(size=(35, columns)).astype(dtype)
        whole = model.predict(x)
        one_by_one = np.concatenate([model.predict(x[i : i + 1]) for i in range(len(x))])
        assert np.array_equal(whole, one_by_one), columns
        assert np.array_equal(whole, model.forward(x, training=True)), columns


@pytest.mark.parametrize("epsilon", [0.0, 1e-3])
@BOTH
def test_what_does_not_vary_is_beta(epsilon, dtype):
    x = np.tile(np.array([[1e4, -3.0, 0.1]], dtype), (5, 1))
    layer = lm.BatchNormalization(epsilon=epsilon)
    model = alone(layer, 3, dtype)
    expected = np.tile(layer.beta, (5, 1))
    assert np.array_equal(model.forward(x, training=True), expected)
    dx = model.backward(np.ones_like(x))
    assert np.isfinite(dx).all()
    layer = lm.LayerNormalization(epsilon=epsilon)
    model = alone(layer, 3, dtype)
    assert np.array_equal(model.predict(np.full_like(x, 0.3)), np.tile(layer.beta, (5, 1)))
    model = alone(lm.RMSNormalization(epsilon=epsilon), 3, dtype)
    assert not model.predict(np.zeros_like(x)).any()
    model.forward(np.zeros_like(x))
    assert np.isfinite(model.backward(np.ones_like(x))).all()


def test_one_row_has_variance_zero():
    layer = lm.BatchNormalization(momentum=0.75)
    model = alone(layer, 3)
    layer.moving_mean, layer.moving_variance = [0, 0, 0], [1, 1, 4]
    x = np.array([[4.0, -8.0, 100.0]], np.float32)
    assert np.array_equal(model.forward(x, training=True)[0], layer.beta)
    layer.moving_mean, layer.moving_variance = [0, 0, 0], [1, 1, 4]
    trainer = lm.Trainer(model, loss="mse", optimizer=lm.SGD(learning_rate=0.0))
    trainer.fit(x, x, epochs=1, verbose=0)
    assert layer.moving_mean.tolist() == [1, -2, 25]
    assert layer.moving_variance.tolist() == [0.75, 0.75, 3]


def test_sample_weights_do_not_count_in_statistics():
    x = np.random.default_rng(2).normal(size=(30, 4))
    plain, weighted = lm.BatchNormalization(0.5), lm.BatchNormalization(0.5)
    trained_once(plain, x)
    model = lm.Model([lm.Input(4), weighted], seed=0)
    trainer = lm.Trainer(model, loss="mse", optimizer=lm.SGD(learning_rate=0.0))
    trainer.fit(x, x, epochs=1, batch_size=30, sample_weight=np.arange(30.0), verbose=0)
    assert np.allclose(plain.moving_variance, weighted.moving_variance, rtol=1e-6)


def test_columns_far_from_zero_keep_their_digits():
    rng = np.random.default_rng(1)
    x = (1e4 + rng.normal(size=(64, 10))).astype(np.float32)
    for layer in (lm.BatchNormalization(epsilon=0.0), lm.LayerNormalization(epsilon=0.0)):
        axis = 0 if isinstance(layer, lm.BatchNormalization) else 1
        model = lm.Model([lm.Input(10), layer], seed=0)
        wide = x.astype(np.float64)
        expected = (wide - wide.mean(axis=axis, keepdims=True)) / wide.std(axis=axis, keepdims=True)
        assert np.abs(model.forward(x, training=True) - expected).max() <= 4e-7


# ---- a frozen BatchNormalization -----------------------------------------------------------------


def test_frozen_it_is_in_inference_mode():
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(60, 4)), rng.normal(size=(60, 2))
    layer = lm.BatchNormalization(momentum=0.5)
    model = lm.Model([lm.Input(4), lm.Dense(6), layer, lm.Dense(2)], seed=1, dtype="float64")
    trainer = lm.Trainer(model, loss="mse", optimizer=lm.SGD(learning_rate=0.1))
    options = {"batch_size": 16, "verbose": 0}
    trainer.fit(x, y, epochs=1, **options)
    mean, variance = layer.moving_mean.copy(), layer.moving_variance.copy()
    assert np.abs(mean).max() > 0
    layer.trainable = False
    assert np.array_equal(model.forward(x, training=True), model.predict(x))
    kept = [layer.gamma.copy(), layer.beta.copy()]
    first = model.layers[0].kernel.copy()
    trainer.fit(x, y, epochs=1, **options)
    assert np.array_equal(layer.moving_mean, mean)
    assert np.array_equal(layer.moving_variance, variance)
    assert np.array_equal([layer.gamma, layer.beta], kept)
    assert not np.array_equal(model.layers[0].kernel, first)
    # The engine's gradients are those of the network as it predicts.
    trainer.compute_gradients(x, y)
    engine = np.array(model.layers[0].kernel_gradient)
    model.backward(lm.losses.MeanSquaredError().gradient(y, model.forward(x)))
    assert np.allclose(engine, model.layers[0].kernel_gradient, rtol=0, atol=1e-13)
    layer.trainable = True
    trainer.fit(x, y, epochs=1, **options)
    assert not np.array_equal(layer.moving_mean, mean)


def test_the_averages_move_by_hand_as_in_fit():
    x = np.random.default_rng(4).normal(size=(40, 3)).astype(np.float32)
    y = x.sum(axis=1, keepdims=True)
    loss, layers = lm.losses.MeanSquaredError(), {}
    for how in ("fit", "hand"):
        layer = layers[how] = lm.BatchNormalization()
        frozen = lm.BatchNormalization(trainable=False)
        model = lm.Model([lm.Input(3), layer, frozen, lm.Dense(1)], seed=0)
        optimizer = lm.SGD(learning_rate=0.1)
        if how == "fit":
            trainer = lm.Trainer(model, loss="mse", optimizer=optimizer)
            trainer.fit(x, y, epochs=1, batch_size=16, shuffle=False, verbose=0)
            continue
        for i in range(0, 40, 16):
            model.forward(x[i : i + 16])  # in inference nothing moves
            p = model.forward(x[i : i + 16], training=True)
            model.backward(loss.gradient(y[i : i + 16], p))
            optimizer.step(model)
        assert not frozen.moving_mean.any()
        assert (frozen.moving_variance == 1).all()
    assert np.array_equal(layers["fit"].moving_mean, layers["hand"].moving_mean)
    assert np.array_equal(layers["fit"].moving_variance, layers["hand"].moving_variance)


def test_averages_do_not_move_by_hand_while_fit_moves_them():
    x = np.ones((8, 3), np.float32)
    model = lm.Model([lm.Input(3), lm.BatchNormalization(), lm.Dense(1)], seed=0)

    class ByHand(lm.Callback):
        def on_epoch_end(self, epoch, logs):
            model.forward(x)
            with pytest.raises(RuntimeError, match="trained"):
                model.forward(x, training=True)

    lm.Trainer(model, loss="mse").fit(x, x[:, 0], epochs=1, callbacks=[ByHand()], verbose=0)


@pytest.mark.parametrize("vectors", [True, False])
def test_a_frozen_layer_stays_frozen_in_files(tmp_path, vectors):
    """Also one that has nothing to learn."""
    layer = lm.BatchNormalization(center=vectors, scale=vectors, trainable=False)
    model = lm.Model([lm.Input(3), layer, lm.Dense(1)], seed=0)
    model.save(tmp_path / "m.lamina")
    x = np.random.default_rng(0).normal(size=(20, 3))
    for twin in (lm.load(tmp_path / "m.lamina"), pickle.loads(pickle.dumps(model))):
        assert not twin.layers[0].trainable
        trainer = lm.Trainer(twin, loss="mse")
        trainer.fit(x, x[:, :1], epochs=1, verbose=0)
        assert not twin.layers[0].moving_mean.any()
        twin.layers[0].trainable = True
        trainer.fit(x, x[:, :1], epochs=1, verbose=0)
        assert twin.layers[0].moving_mean.all()


def test_by_hand_inference_is_differentiated_as_such():
    rng = np.random.default_rng(9)
    layer = lm.BatchNormalization()
    model = alone(layer, 5, "float64")
    x, pull = rng.normal(size=(7, 5)), rng.normal(size=(7, 5))
    model.forward(x)
    dx = model.backward(pull)
    inverse = 1 / np.sqrt(layer.moving_variance + 1e-3)
    assert np.allclose(dx, pull * layer.gamma * inverse, rtol=1e-13)
    xhat = (x - layer.moving_mean) * inverse
    assert np.allclose(layer.gamma_gradient, (pull * xhat).sum(axis=0), rtol=1e-12)
    assert np.allclose(layer.beta_gradient, pull.sum(axis=0), rtol=1e-12)


# ---- arguments -----------------------------------------------------------------------------------


def test_vectors_can_be_left_out():
    x = np.random.default_rng(0).normal(size=(9, 4))
    for make in (lm.BatchNormalization, lm.LayerNormalization):
        bare = make(center=False, scale=False)
        assert bare.gamma is bare.beta is bare.gamma_gradient is bare.beta_gradient is None
        with pytest.raises(AttributeError, match="has no gamma, for scale is False"):
            bare.gamma = [1]
        with pytest.raises(AttributeError, match="has no beta, for center is False"):
            bare.beta = [1]
        full = make()
        models = [lm.Model([lm.Input(4), layer, lm.Dense(2)], seed=0) for layer in (bare, full)]
        models[1].layers[1].kernel = models[0].layers[1].kernel  # drawn by the tensor's place
        assert np.array_equal(*(model.predict(x) for model in models))
        assert np.array_equal(*(model.forward(x, training=True) for model in models))
    assert lm.RMSNormalization(scale=False).gamma is None
    assert lm.Scale().bias is None
    with pytest.raises(AttributeError, match="use_bias is False"):
        lm.Scale().bias = [1]


@pytest.mark.parametrize("kind", ["BatchNormalization", "LayerNormalization", "RMSNormalization"])
def test_starts_and_penalties(kind):
    options = {"gamma_initializer": lm.initializers.Constant(0.5), "gamma_regularizer": lm.L2(0.25)}
    if kind != "RMSNormalization":
        options |= {"beta_initializer": "ones", "beta_regularizer": lm.L2(0.5)}
    layer = getattr(lm, kind)(**options, weight_decay_multiplier=0.0, learning_rate_multiplier=2.0)
    model = lm.Model([lm.Input(3), layer], seed=0, dtype="float64")
    assert layer.gamma.tolist() == [0.5] * 3
    x = np.random.default_rng(0).normal(size=(10, 3))
    trainer = lm.Trainer(model, loss="mse", optimizer=lm.SGD(learning_rate=0.1, weight_decay=0.5))
    trainer.compute_gradients(x, x)
    gradient = layer.gamma_gradient.copy()
    trainer.fit(x, x, epochs=1, batch_size=10, verbose=0)
    assert np.allclose(layer.gamma, 0.5 - 0.2 * (gradient + 2 * 0.25 * 0.5), rtol=1e-12)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: lm.BatchNormalization(momentum=1.5), r"momentum must be in \[0, 1\]"),
        (lambda: lm.BatchNormalization(epsilon=-1.0), "epsilon must be in"),
        (lambda: lm.LayerNormalization(epsilon=-1e-9), "epsilon must be in"),
        (lambda: lm.RMSNormalization(gamma_initializer="onse"), "ones"),
        (lambda: lm.Scale(initializer="orthogonal"), "expected a matrix"),
        (lambda: lm.Dense(2, gain=0.0), "gain must be above 0"),
        (lambda: lm.Dense(2, gain=-1.0), "gain must be in"),
        (lambda: lm.Dense(2, gain="nkt"), "a number above 0 or 'ntk'"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        lm.Model([lm.Input(3), make(), lm.Dense(1)], seed=0)


def test_names_and_summary(capsys):
    layers = [make() for make in KINDS.values()]
    model = lm.Model([lm.Input(3), *layers, lm.Dense(1, gain=0.5)], seed=0)
    assert [layer.name for layer in model.layers] == [
        "batch_normalization",
        "layer_normalization",
        "rms_normalization",
        "scale",
        "dense",
    ]
    assert model.num_parameters == 4 * 3 + 2 * 3 + 3 + 2 * 3 + 4
    model.summary()
    text = capsys.readouterr().out
    assert all(layer.name in text for layer in model.layers)
    flops = [
        sum(o["flops"] for o in model._core.operations() if o["layer"] == layer.name)
        for layer in model.layers
    ]
    assert flops == [4 * 3, 10 * 3, 9 * 3, 2 * 3, 2 * 3 + 2]


# ---- the gain ------------------------------------------------------------------------------------


@BOTH
def test_a_gain_multiplies_the_product(dtype):
    x = np.random.default_rng(3).normal(size=(20, 16)).astype(dtype)
    for gain, factor in ((0.25, 0.25), ("ntk", 0.25)):
        layer = lm.Dense(5, "tanh", gain=gain)
        model = lm.Model([lm.Input(16), layer], seed=0, dtype=dtype)
        layer.bias = np.linspace(-1, 1, 5)
        plain = copy.deepcopy(layer)
        object.__setattr__(plain, "gain", 1.0)
        other = lm.Model([lm.Input(16), plain], seed=0, dtype=dtype)
        plain.kernel, plain.bias = factor * layer.kernel, layer.bias  # exact: a power of two
        assert np.allclose(model.predict(x), other.predict(x), rtol=0, atol=1e-6)
        y = np.ones((20, 5))
        for one in (model, other):
            trainer = lm.Trainer(one, loss="mse", optimizer="sgd")
            trainer.compute_gradients(x, y)
        bar = 1e-6 if dtype == "float32" else 1e-14
        assert np.abs(layer.kernel_gradient - factor * plain.kernel_gradient).max() <= bar
        assert np.abs(layer.bias_gradient - plain.bias_gradient).max() <= bar


def test_a_gain_of_one_costs_nothing():
    kinds = [
        [op["kind"] for op in lm.Model([lm.Input(4), lm.Dense(3, gain=gain)])._core.operations()]
        for gain in (1.0, 1, 0.5)
    ]
    assert kinds == [["product"], ["product"], ["product", "scale"]]
    one_input = lm.Model([lm.Input(1), lm.Dense(3, gain="ntk")])
    assert [op["kind"] for op in one_input._core.operations()] == ["product"]


# ---- gradients within containers -----------------------------------------------------------------

CONTAINERS = {
    "behind a skip": lambda: [
        lm.Dense(6),
        lm.Residual([lm.LayerNormalization(), lm.Dense(6, "tanh", gain="ntk")]),
        lm.Residual([lm.RMSNormalization(), lm.Dense(6, "tanh")]),
        lm.Residual([lm.BatchNormalization(center=False), lm.Dense(6, "tanh")]),
        lm.Residual([lm.Scale(use_bias=True), lm.Dense(6, "tanh")]),
    ],
    "in branches": lambda: [
        lm.Parallel(
            [
                [lm.BatchNormalization(scale=False), lm.Dense(3, "tanh")],
                [lm.LayerNormalization(center=False), lm.Dense(2, gain=0.3)],
                [lm.RMSNormalization(scale=False), lm.Scale()],
                lm.LayerNormalization(scale=False),
            ]
        ),
        lm.BatchNormalization(center=False, scale=False),
    ],
    "wide": lambda: [lm.Dense(37), lm.LayerNormalization(), lm.RMSNormalization(), lm.Scale()],
    "at the input": lambda: [lm.Scale(), lm.BatchNormalization(), lm.LayerNormalization()],
}


@pytest.mark.parametrize("name", CONTAINERS)
@pytest.mark.parametrize("training", [True, False])
def test_gradients_in_containers(name, training):
    model = lm.Model([lm.Input(5), *CONTAINERS[name](), lm.Dense(2)], seed=2, dtype="float64")
    rng = np.random.default_rng(12)
    for tensor in model._core.tensors():
        if tensor["trainable"]:
            view = model._core.view(tensor["name"])
            view += rng.normal(scale=0.2, size=view.shape)
    x, pull = rng.normal(size=(19, 5)), rng.normal(size=(19, 2))

    def value():
        return float((pull * model.forward(x, training=training)).sum())

    model.forward(x, training=training)
    dx = np.array(model.backward(pull))
    names = [tensor["name"] for tensor in model._core.tensors() if tensor["trainable"]]
    pairs = [(x, dx)]
    pairs += [(model._core.view(n), np.array(model._core.gradient_view(n))) for n in names]
    for array, analytic in pairs:
        for i in list(np.ndindex(array.shape))[:: max(1, array.size // 12)]:
            kept, difference = array[i], 0.0
            for step, factor in ((1, 8), (-1, -8), (2, -1), (-2, 1)):
                array[i] = kept + step * 1e-4
                difference += factor * value()
            array[i] = kept
            scale = max(np.abs(analytic).max(), 1e-3)
            assert abs(difference / 12e-4 - analytic[i]) <= 1e-6 * scale
