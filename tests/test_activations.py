"""Activation functions: look-up, starts that suit them, extremes, and those that learn."""

import numpy as np
import pytest

import lamina as lm
from lamina._isa import core

A = lm.activations
CATALOGUE = core.catalogue()["activations"]
NAMES = [entry["name"] for entry in CATALOGUE]


@pytest.mark.parametrize("entry", CATALOGUE, ids=NAMES)
def test_every_name_finds_it(entry):
    for name in (entry["name"], entry["class"], entry["name"].upper(), *entry["aliases"]):
        assert type(A.get(name)).__name__ == entry["class"]
        model = lm.Model([lm.Input(2), lm.Dense(2, activation=name)], seed=0)
        assert model.predict(np.zeros((1, 2))).shape == (1, 2)
    assert A.get(A.GELU(approximate=True)) == A.GELU(approximate=True)


def test_an_unknown_name_names_the_nearest():
    with pytest.raises(ValueError, match=r"unknown activation 'sillu'. Did you mean 'silu'\?"):
        A.get("sillu")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extremes_and_nan(name, dtype):
    x = np.array([[-1e4, -100, -1, -0.0, 0, 1, 100, 1e4]], dtype=dtype)
    y = A.get(name)(x)
    assert y.dtype == dtype
    assert np.isfinite(y[0, :6]).all()
    assert (np.isfinite(y) | (name == "exponential")).all()
    with_nan = A.get(name)(np.array([[np.nan, 1.0]], dtype=dtype))
    assert np.isnan(with_nan[0, 0])
    if hasattr(A.get(name), "derivative"):
        slope = A.get(name).derivative(x)
        assert (np.isfinite(slope) | (name == "exponential")).all()


STARTS = {"relu": "HeNormal", "gelu": "HeNormal", "prelu": "HeNormal", "selu": "LeCunNormal"}


@pytest.mark.parametrize("name", NAMES)
def test_the_kernel_starts_as_suits_the_activation(name):
    model = lm.Model([lm.Input(50), lm.Dense(40, activation=name)], seed=3)
    bounded = ("linear", "softsign", "softplus", "sigmoid", "hard_sigmoid", "tanh", "log_sigmoid")
    others = (*bounded, "exponential", "softmax", "log_softmax")
    expected = STARTS.get(name, "GlorotUniform" if name in others else "HeNormal")
    start = getattr(lm.initializers, expected)()
    assert np.array_equal(model.layers[0].kernel, start((50, 40), seed=3))


@pytest.mark.parametrize("activation", ["prelu", A.Parametric("mish", initial=0.5)])
def test_learned_activations_learn_save_freeze_and_keep_their_bits(activation, tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 6)).astype(np.float32)
    y = np.abs(x[:, :1]) - x[:, 1:2]

    def fitted(threads, trainable=True):
        hidden = lm.Dense(16, activation=activation, name="hidden")
        layers = [lm.Input(6), hidden, lm.Activation(activation, name="more"), lm.Dense(1)]
        model = lm.Model(layers, seed=1)
        model["more"].trainable = trainable
        trainer = lm.Trainer(model, loss="mse", optimizer=lm.Adam(0.02), num_threads=threads)
        trainer._scheduling = (16, 48, True)
        trainer.fit(x, y, epochs=3, batch_size=100, verbose=0)
        return model

    model = fitted(1)
    start = A.get(activation).initial
    assert np.unique(model["hidden"].alpha).size == 16
    model.backward(np.ones_like(model.forward(x[:9])))
    assert model["hidden"].alpha_gradient.shape == (16,)
    other = fitted(2)
    for name in ("hidden", "more"):
        assert np.array_equal(model[name].alpha, other[name].alpha)
    assert np.array_equal(model.predict(x), other.predict(x))
    assert np.array_equal(model.predict(x)[7], model.predict(x[7:8])[0])
    assert (fitted(1, trainable=False)["more"].alpha == np.float32(start)).all()
    model.save(tmp_path / "m.lamina")
    again = lm.load(tmp_path / "m.lamina")
    assert np.array_equal(again["more"].alpha, model["more"].alpha)
    assert np.array_equal(again.predict(x), model.predict(x))


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "tanh"])
def test_gradients_of_a_blend_whose_units_have_learned_different_shares(name):
    layers = [lm.Input(4), lm.Dense(5, activation=A.Parametric(name)), lm.Dense(2)]
    model = lm.Model(layers, seed=2, dtype="float64")
    model.layers[0].alpha = [0.1, 0.5, 0.9, -0.4, 2.0]
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(6, 4)), rng.normal(size=(6, 2))
    assert lm.check_gradients(model, x, y, lm.losses.MeanSquaredError()).max_error < 1e-6


def test_a_learned_activation_layer_can_be_frozen_where_it_is_made():
    layer = lm.Activation("prelu", trainable=False, learning_rate_multiplier=2.0)
    model = lm.Model([lm.Input(2), layer, lm.Dense(1)], seed=0)
    x = np.random.default_rng(0).normal(size=(30, 2))
    lm.Trainer(model, loss="mse", optimizer="sgd").fit(x, x[:, :1], epochs=2, verbose=0)
    assert (layer.alpha == 0.25).all()


def test_a_learned_activation_of_a_whole_row():
    model = lm.Model([lm.Input(3), lm.Activation(A.Parametric("softmax", initial=0.25))], seed=0)
    x = np.array([[1.0, 2.0, 4.0]], dtype=np.float32)
    expected = x + 0.25 * (A.softmax(x) - x)
    assert np.allclose(model.predict(x), expected, rtol=1e-6)
    with pytest.raises(ValueError, match="row-wise"):
        A.Parametric("softmax").derivative(x)


def test_learned_within_learned_is_refused():
    with pytest.raises(ValueError, match="Parametric: activation cannot itself be a learned"):
        A.Parametric("prelu")([1.0])
    with pytest.raises(ValueError, match="unknown activation 'reluu'"):
        lm.Model([lm.Input(1), lm.Dense(1, activation=A.Parametric("reluu"))])


def test_layers_without_a_learned_activation_have_no_alpha():
    model = lm.Model([lm.Input(1), lm.Dense(1, activation="relu")], seed=0)
    with pytest.raises(ValueError, match="no tensor 'dense/alpha'"):
        _ = model.layers[0].alpha
