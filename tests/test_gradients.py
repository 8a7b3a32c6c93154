"""Analytic gradients against numerical ones, in float64, for everything the catalogue lists.

Each case goes through central differences of our own (four points, so that the truncation error is
far below the bar) and through lm.check_gradients. The bar is 1e-6 of the largest entry of the
gradient. Points lie away from kinks.
"""

import numpy as np
import pytest
from loss_cases import (
    FROM_INPUT,
    LOSSES,
    NATURAL_OUTPUT,
    PROBABILITIES,
    natural,
    outputs_per_target,
    predictions,
    targets,
    variants,
)

import lamina as lm
from lamina._isa import core

BAR = 1e-6
STEP = 1e-4
KINK_DISTANCE = (
    5e-3  # wide enough for a step in a layer before, times its weights; never below 1e-3
)

CATALOGUE = core.catalogue()
ACTIVATIONS = {entry["name"]: entry for entry in CATALOGUE["activations"]}
LEARNED = {"prelu", "parametric"}
LAYERS = [entry["class"] for entry in CATALOGUE["layers"]]

# What stands between Dense(4) and the output, for each layer that maps numbers to numbers.
WITH_ACTIVATION = {
    "Dense": lambda activation: lm.Dense(4, activation=activation),
    "Activation": lambda activation: lm.Activation(activation),
}
WITHOUT_ACTIVATION = {
    "Dropout": lambda: lm.Dropout(0.4),
    "ActivityRegularization": lambda: lm.ActivityRegularization(),  # others: test_activity.py
    "AlphaDropout": lambda: lm.AlphaDropout(0.4),
    "GaussianNoise": lambda: lm.GaussianNoise(0.3),
    "BatchNormalization": lambda: lm.BatchNormalization(),
    "Normalization": lambda: lm.Normalization(),
    "RobustScale": lambda: lm.RobustScale(limit=2.0),
    "Impute": lambda: lm.Impute(indicator=True),  # with gaps: test_preprocessing.py
    "LayerNormalization": lambda: lm.LayerNormalization(),
    "RMSNormalization": lambda: lm.RMSNormalization(),
    "Scale": lambda: lm.Scale(use_bias=True),
    "Residual": lambda: lm.Residual([lm.Dense(4, activation="tanh")]),
    "Parallel": lambda: lm.Parallel(
        [lm.Dense(3, activation="tanh"), lm.Dense(2, activation="sigmoid")]
    ),
    "Flatten": lambda: lm.Flatten(),
    "Reshape": lambda: lm.Reshape((2, 2)),
    "Concatenate": lambda: lm.Concatenate(),  # of one; of several: test_functional.py
    "Add": lambda: lm.Add(),
    "NestedModel": lambda: lm.Model([lm.Input(4), lm.Dense(3, activation="tanh")], seed=5),
}
NOISE = {"Dropout", "AlphaDropout", "GaussianNoise"}  # another one at each forward
NOT_NUMBERS_TO_NUMBERS = {"Input", "Embedding", "OneHot"}
ADAPTING = {"Normalization", "RobustScale", "Impute"}

MIDDLES = [
    pytest.param(name, activation, id=f"{name}-{activation}" if activation else name)
    for name in LAYERS
    if name not in NOT_NUMBERS_TO_NUMBERS
    for activation in (ACTIVATIONS if name in WITH_ACTIVATION else [None])
]


def tensors(layer):
    """Names of the tensors that a layer may have."""
    learned = ["alpha"] if getattr(layer, "activation", None) in LEARNED else []
    scale = ["scale"] if isinstance(layer, lm.Scale) else []  # of others a flag
    return ("kernel", "bias", "gamma", "beta", *learned, *scale)


def parameters(layers):
    """(name, value) of every kernel and bias, those of nested layers, too."""
    for layer in layers:
        for name in tensors(layer):
            if getattr(layer, name, None) is not None:
                yield f"{layer.name}.{name}", getattr(layer, name)
        yield from parameters(getattr(layer, "layers", ()))


def gradients(layers):
    """Copies of their gradients, by the same names."""
    found = {}
    for layer in layers:
        for name in tensors(layer):
            if getattr(layer, name, None) is not None:
                found[f"{layer.name}.{name}"] = np.array(getattr(layer, f"{name}_gradient"))
        found |= gradients(getattr(layer, "layers", ()))
    return found


def numerical(function, array):
    """Four-point central differences of `function()` by each entry of `array`, moved in place."""
    gradient = np.zeros(array.shape)
    for i in np.ndindex(array.shape):
        kept = array[i]
        value = {}
        for k in (-2, -1, 1, 2):
            array[i] = kept + k * STEP
            value[k] = function()
        array[i] = kept
        gradient[i] = (8 * (value[1] - value[-1]) - (value[2] - value[-2])) / (12 * STEP)
    return gradient


def assert_close(analytic, numeric, what):
    largest = np.abs(numeric).max()
    assert np.abs(analytic - numeric).max() <= BAR * max(largest, 1e-5), what


def linear_part(layers, x):
    """What the given layers' kernels and biases make of x: the pre-activation of the last one."""
    for layer in layers:
        if getattr(layer, "kernel", None) is not None:
            x = x @ layer.kernel + layer.bias
    return x


def inputs_away_from_kinks(model, before, activation, rows=6):
    """Draw inputs until the pre-activation behind `before` layers is away from every kink."""
    kinks = ACTIVATIONS[activation]["kinks"] if activation else []
    rng = np.random.default_rng(17)
    for _ in range(200):
        x = rng.normal(size=(rows, 5))
        z = linear_part(model.layers[:before], x)
        if all(np.abs(z - kink).min() > KINK_DISTANCE for kink in kinks):
            return x
    raise AssertionError("no inputs away from the kinks")


def randomize_biases(model):
    rng = np.random.default_rng(29)
    for name, value in parameters(model.layers):
        if name.endswith(("bias", "beta")):
            value[...] = rng.normal(scale=0.3, size=value.shape)
        if name.endswith(("alpha", "gamma", "scale")):  # each unit its own
            value[...] = rng.uniform(0.1, 1.4, size=value.shape)


def check_by_hand(model, x, y, loss, training):
    """forward, loss.gradient and backward against differences of loss(y, model.forward(x))."""
    dx = np.array(model.backward(loss.gradient(y, model.forward(x, training=training))))
    analytic = gradients(model.layers)

    def value():
        return loss(y, model.forward(x, training=training))

    assert any(np.abs(g).max() > 1e-6 for g in analytic.values()), (
        "all gradients are zero: the case tests nothing"
    )
    assert_close(dx, numerical(value, x), "dL/dx")
    for name, array in parameters(model.layers):
        assert_close(analytic[name], numerical(value, array), name)


def check_the_engine(model, x, y, loss):
    """The engine's gradients, loss and last activation in one, agree with those by hand."""
    model.backward(loss.gradient(y, model.forward(x, training=True)))
    by_hand = gradients(model.layers)
    lm.Trainer(model, loss=loss, optimizer="sgd").compute_gradients(x, y)
    for name, gradient in gradients(model.layers).items():
        assert np.abs(gradient - by_hand[name]).max() <= 1e-10 * max(
            1e-5, np.abs(by_hand[name]).max()
        ), name


def test_every_layer_of_the_catalogue_has_a_case():
    known = {*WITH_ACTIVATION, *WITHOUT_ACTIVATION, *NOT_NUMBERS_TO_NUMBERS}
    assert set(LAYERS) <= known, "give the new layer a line at the top of this file"
    assert {"Input", "Dense", "Dropout", "Activation"} <= set(LAYERS)


@pytest.mark.parametrize(("layer", "activation"), MIDDLES)
def test_layer_and_activation(layer, activation):
    """With one loss: what a layer passes back does not depend on where the gradient came from."""
    middle = WITH_ACTIVATION[layer](activation) if activation else WITHOUT_ACTIVATION[layer]()
    layers = [lm.Input(5), lm.Dense(4), middle, lm.Dense(3)]
    model = lm.Model(layers, seed=5, dtype="float64")
    randomize_biases(model)
    x = inputs_away_from_kinks(model, 2, activation)
    if layer in ADAPTING:
        model.adapt(x)
    y = targets("MeanSquaredError", model.predict(x))
    loss = lm.losses.MeanSquaredError()
    check_by_hand(model, x, y, loss, training=layer not in NOISE)
    if layer not in NOISE:
        check_the_engine(model, x, y, loss)
    assert lm.check_gradients(model, x, y, loss).max_error <= BAR


def refusal(model, loss):
    """What a Trainer says against the model's output with this loss; "" if it takes it."""
    try:
        lm.Trainer(model, loss=loss)
    except ValueError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("loss_class", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_output_activation_and_loss(activation, loss_class):
    output, options = natural(loss_class)
    if loss_class in NATURAL_OUTPUT and activation != output:
        if loss_class in PROBABILITIES and activation in ("sigmoid", "softmax"):
            pytest.skip("probabilities of the other cross-entropy")
        options = {FROM_INPUT[loss_class]: True}
    last = lm.Dense(3 * outputs_per_target(loss_class), activation=activation)
    model = lm.Model([lm.Input(5), last], seed=6, dtype="float64")
    randomize_biases(model)
    if loss_class == "CosineSimilarity":  # a row of zeros has no direction
        model.layers[0].bias += 4
    x = inputs_away_from_kinks(model, 1, activation)
    y = targets(loss_class, model.predict(x))
    if loss_class == "Poisson" and activation == output:  # fused it needs no epsilon
        options = {"epsilon": 0.0}
    loss = getattr(lm.losses, loss_class)(**options)
    check_by_hand(model, x, y, loss, training=True)
    refused = refusal(model, loss)
    if refused:
        assert activation not in (output, "linear")
        assert any(remedy in refused for remedy in ("activation='", "=True)", "linear"))
        return
    check_the_engine(model, x, y, loss)
    assert lm.check_gradients(model, x, y, loss).max_error <= BAR


@pytest.mark.parametrize(
    ("loss_class", "options"),
    [(name, options) for name in LOSSES for options in variants(name)],
    ids=str,
)
def test_each_loss_alone(loss_class, options):
    rng = np.random.default_rng(31)
    p = predictions(loss_class, options, rng, (7, 4 * outputs_per_target(loss_class, options)))
    y = targets(loss_class, p, options)
    loss = getattr(lm.losses, loss_class)(**options)
    for weight in (None, rng.uniform(0.5, 2, size=7)):
        analytic = np.array(loss.gradient(y, p, sample_weight=weight))
        assert analytic.shape == p.shape
        numeric = numerical(lambda weight=weight: loss(y, p, sample_weight=weight), p)
        assert_close(analytic, numeric, loss_class)
    assert loss.values(y, p).shape == (7,)
    assert loss(y, p) == pytest.approx(loss.values(y, p).mean(), rel=1e-14)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_each_activation_alone(name):
    activation = lm.activations.get(name)
    rng = np.random.default_rng(37)
    x = rng.normal(scale=3, size=(6, 5))
    for kink in ACTIVATIONS[name]["kinks"]:
        x = np.where(np.abs(x - kink) < KINK_DISTANCE, kink + 0.1, x)
    pull = rng.normal(size=x.shape)  # L = sum(pull * f(x)), so dL/dx = f'(x) pulled back
    numeric = numerical(lambda: float((pull * activation(x)).sum()), x)
    if ACTIVATIONS[name]["row_wise"]:
        analytic = activation.backward(pull, activation(x))
        jacobian = activation.jacobian(x)
        assert jacobian.shape == (6, 5, 5)
        assert_close(np.einsum("bij,bi->bj", jacobian, pull), numeric, "jacobian")
    else:
        analytic = pull * activation.derivative(x)
    assert_close(analytic, numeric, name)


SELU_AT_0 = 1.0507009873554804934193349852946 * 1.6732632423543772848170429916717
SUBGRADIENTS = {
    "relu": {0.0: 0.0},
    "relu6": {0.0: 0.0, 6.0: 0.0},
    "leaky_relu": {0.0: 0.01},
    "prelu": {0.0: 0.25},
    "parametric": {0.0: 0.0},
    "elu": {0.0: 1.0},
    "selu": {0.0: SELU_AT_0},
    "celu": {0.0: 1.0},
    "softsign": {0.0: 1.0},
    "hard_sigmoid": {-3.0: 0.0, 3.0: 0.0},
    "hard_swish": {-3.0: 0.0, 3.0: 1.0},
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_subgradient_at_each_kink(name):
    kinks = ACTIVATIONS[name]["kinks"]
    assert list(SUBGRADIENTS.get(name, {})) == list(kinks), (
        "say at the top of this test what the kink gives"
    )
    for kink in kinks:
        derivative = lm.activations.get(name).derivative(np.array([kink]))
        assert derivative[0] == SUBGRADIENTS[name][kink]


@pytest.mark.parametrize(
    "loss", [lm.losses.MeanAbsoluteError(), lm.losses.Quantile(0.9), lm.losses.Hinge()]
)
def test_the_subgradient_of_a_loss_is_zero_at_its_kink(loss):
    y = np.array([[1.0, -1.0]])
    assert np.array_equal(loss.gradient(y, y), [[0.0, 0.0]])


@pytest.mark.parametrize("rate", [0.1, 0.4, 0.8])
def test_dropout_passes_back_what_it_let_through(rate):
    """Dropout is linear with a mask of 0 and 1 / (1 - rate): its output shows its Jacobian."""
    model = lm.Model(
        [lm.Input(40), lm.Dense(40, use_bias=False), lm.Dropout(rate)], seed=1, dtype="float64"
    )
    model.layers[0].kernel[:] = np.eye(40)
    rng = np.random.default_rng(41)
    x, pull = rng.normal(size=(500, 40)), rng.normal(size=(500, 40))
    mask = model.forward(x, training=True) / x
    dropped = np.abs(mask) < 1e-12
    kept = 1 - round(rate * 2**16) / 2**16
    assert np.allclose(mask[~dropped], 1 / kept, rtol=1e-12)
    assert dropped.mean() == pytest.approx(rate, abs=0.015)
    assert np.allclose(model.backward(pull), pull * mask, rtol=0, atol=1e-12)
    assert np.array_equal(model.forward(x, training=False), x)
    assert np.array_equal(model.predict(x), x)


def test_both_checks_notice_a_small_error():
    """A gradient off by a tenth of a per cent does not pass."""

    right = lm.losses.MeanSquaredError()

    class Wrong:
        def __call__(self, y_true, y_pred):
            return right(y_true, y_pred)

        def gradient(self, y_true, y_pred):
            return 1.001 * right.gradient(y_true, y_pred)

    model = lm.Model([lm.Input(5), lm.Dense(3)], seed=6, dtype="float64")
    x = np.random.default_rng(43).normal(size=(6, 5))
    y = targets("MeanSquaredError", model.predict(x))
    with pytest.raises(AssertionError):
        check_by_hand(model, x, y, Wrong(), training=True)
    assert lm.check_gradients(model, x, y, Wrong()).max_error > 100 * BAR
    assert lm.check_gradients(model, x, y, right).max_error <= BAR
