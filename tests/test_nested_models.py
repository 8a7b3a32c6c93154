"""Models within models: whose weights they are, what freezes, what a cut and a gradient see."""

import copy
import pickle

import numpy as np
import pytest
from test_functional import assert_same, same_again

import lamina as lm
from lamina.summary import summary_text

SUMMARY = """\
layer         kind         output          parameters  flops a row  reads
------------------------------------------------------------------------------------
input         Input        (n, 6)                   0            0
dense         Dense        (n, 4)                  28           48  input
dense_1       Dense        (n, 2)                  14           24  input
two           NestedModel  (n, 3), (n, 2)          25           40  dense, dense_1
  input_1     Input        (n, 4)                   0            0
  input_2     Input        (n, 2)                   0            0
  dense_2     Dense        (n, 3)                  15           24  input_1
  dense_3     Dense        (n, 2)                  10           16  input_1
  add         Add          (n, 2)                   0            0  input_2, dense_3
concatenate   Concatenate  (n, 5)                   0            0  two, two
nested_model  NestedModel  (n, 5)                  30           50  concatenate
  input_3     Input        (n, 5)                   0            0
  residual    Residual     (n, 5)                  30           50  input_3
    dense_4   Dense        (n, 5)                  30           50  input_3
97 parameters (388 B, float32), 97 trainable; seed 0"""

RNG = np.random.default_rng(5)
X = RNG.normal(size=(41, 6))


def encoder(**options):
    """A model that has been trained, with statistics that have moved."""
    layers = [lm.Input(6), lm.Dense(5, activation="tanh"), lm.BatchNormalization(momentum=0.5)]
    model = lm.Model([*layers, lm.Dense(4, activation="sigmoid")], seed=1, **options)
    lm.Trainer(model, loss="mse").fit(X, X[:, :4], epochs=1, batch_size=8, verbose=0)
    return model


def two_and_two():
    """Two inputs, two outputs."""
    p, q = lm.Input(4), lm.Input(2)
    added = lm.Add()([q, lm.Dense(2)(p)])
    return lm.Model(inputs=[p, q], outputs=[lm.Dense(3)(p), added], seed=1, name="two")


def functional_with(inner):
    x = lm.Input(6)
    return lm.Model(inputs=x, outputs=lm.Concatenate()([inner(x), lm.Dense(2)(x)]), seed=0)


PLACES = {
    "list": lambda inner: lm.Model([lm.Input(6), inner], seed=0),
    "residual": lambda inner: lm.Model([lm.Input(6), lm.Residual([inner])], seed=0),
    "branch": lambda inner: lm.Model([lm.Input(6), lm.Parallel([inner, lm.Dense(2)])], seed=0),
    "deep branch": lambda inner: lm.Model(
        [lm.Input(6), lm.Parallel([[lm.Activation("linear"), inner], lm.Dense(2)])], seed=0
    ),
    "functional": functional_with,
    "nested again": lambda inner: lm.Model(
        [lm.Input(6), lm.Model([lm.Input(6), lm.Model([lm.Input(6), inner], seed=2)], seed=3)],
        seed=0,
    ),
}


@pytest.mark.parametrize("place", PLACES)
def test_the_weights_are_taken_over_and_the_inner_model_stays(place):
    inner = encoder()
    before, want = inner.fingerprint(), inner.predict(X)
    outer = PLACES[place](inner)
    last = [name for name in (one.name for one in outer._walk()) if name.startswith("nested")][-1]
    assert_same(outer.predict(X, layer=last), want)
    same_again(outer, X)
    inside = outer[last]
    for copied, own in zip(inside._walk(), [None, *inner._walk()], strict=True):
        if getattr(own, "kernel", None) is not None:
            assert_same(copied.kernel, own.kernel)
            assert not np.shares_memory(copied.kernel, own.kernel)
    kernel = inside.layers[1].kernel.copy()
    y = np.ones(outer.predict(X).shape)
    lm.Trainer(outer, loss="mse").fit(X, y, epochs=1, verbose=0)
    assert not np.array_equal(inside.layers[1].kernel, kernel)
    assert inner.fingerprint() == before
    assert_same(inner.predict(X), want)


def test_a_model_of_another_dtype_is_taken_over():
    inner = encoder(dtype="float64")
    outer = lm.Model([lm.Input(6), inner], seed=0)
    assert_same(outer.layers[0].layers[1].kernel, inner.layers[0].kernel.astype(np.float32))
    wide = lm.Model([lm.Input(6), encoder()], seed=0, dtype="float64")
    assert wide.layers[0].layers[1].kernel.dtype == np.float64
    assert np.abs(wide.predict(X) - encoder().predict(X)).max() < 1e-6


def test_a_model_out_of_a_file_stands_in_another(tmp_path):
    """The names that models give are given anew there, those of the user stay."""
    model = lm.Model([lm.Input(6), lm.Dense(5), lm.Dense(4, name="codes")], seed=0)
    model.save(tmp_path / "encoder.lamina")
    for again in (lm.load(tmp_path / "encoder.lamina"), copy.deepcopy(model)):
        outer = lm.Model([lm.Input(6), lm.Dense(6), again, lm.Dense(1)], seed=0)
        names = [one.name for one in outer._walk()]
        assert names == ["input", "dense", "nested_model", "input_1", "dense_1", "codes", "dense_2"]
        assert_same(outer["codes"].kernel, model["codes"].kernel)


def test_a_copy_of_a_layer_that_holds_a_model_keeps_its_weights():
    inner = encoder()
    layer = lm.Residual([inner, lm.Dense(6, kernel_initializer="zeros")])
    want = inner.predict(X)
    for one in (layer, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        outer = lm.Model([lm.Input(6), one], seed=0)
        assert_same(outer.predict(X, layer="nested_model"), want)


def test_several_inputs_and_outputs():
    inner = two_and_two()
    p, q = X[:, :4], X[:, 4:]
    x = lm.Input(6)
    picked = [lm.Dense(4, use_bias=False)(x), lm.Dense(2, use_bias=False)(x)]
    a, b = inner(picked)
    outer = lm.Model(inputs=x, outputs=[b, a, lm.Concatenate()([a, b])], seed=0)
    outer["dense"].kernel = np.eye(6)[:, :4]
    outer["dense_1"].kernel = np.eye(6)[:, 4:]
    first, second = inner.predict((p, q))
    found = outer.predict(X)
    assert_same(found, [second, first, np.hstack([first, second])])
    assert_same(outer.predict(X, layer="two"), [first, second])
    assert outer.output_names == ["two", "two_1", "concatenate"]
    with pytest.raises(ValueError, match="the layer 'two' has 2 outputs; name one within it"):
        outer.input_gradient(X, layer="two")
    assert outer.input_gradient(X, layer="dense_2").shape == X.shape
    same_again(outer, X)
    # One of its outputs alone; the other is not computed.
    x = lm.Input(6)
    y, _ = inner([lm.Dense(4)(x), lm.Dense(2)(x)])
    part = lm.Model(inputs=x, outputs=y, seed=0)
    assert part.predict(X).shape == (41, 3)
    same_again(part, X)
    assert part._core.outputs()[0]["name"] == "two"


def test_what_does_not_fit_is_refused():
    inner = two_and_two()
    x = lm.Input(6)
    narrow, wide = lm.Dense(2)(x), lm.Dense(4)(x)
    with pytest.raises(ValueError, match="it has more inputs than the 1 that it is given"):
        lm.Model(inputs=x, outputs=inner(wide)[0])
    with pytest.raises(ValueError, match="it has 2 inputs, got 3"):
        lm.Model(inputs=x, outputs=inner([wide, narrow, x])[0])
    with pytest.raises(ValueError, match="input_1: expected 4 columns, got 2"):
        lm.Model(inputs=(y := lm.Input(6)), outputs=inner([lm.Dense(2)(y), lm.Dense(4)(y)])[0])
    with pytest.raises(ValueError, match="which only the functional form can take up"):
        lm.Model([lm.Input(4), lm.Residual([functional_pair()])])
    named = lm.Model([lm.Input(6), lm.Dense(6, name="encode")], seed=0)
    with pytest.raises(ValueError, match="two layers are named 'encode'; a name stands once"):
        lm.Model([lm.Input(6), named, named])
    with pytest.raises(ValueError, match="two layers are named 'encode'"):
        lm.Model([lm.Input(6), lm.Dense(6, name="encode"), named])
    with pytest.raises(ValueError, match="the first element must be"):
        lm.Model([named, lm.Dense(3)])
    codes = lm.Model([lm.Input(1, kind="codes", cardinalities=3), lm.Embedding(2)], seed=0)
    with pytest.raises(ValueError, match="expected category codes, got numbers"):
        lm.Model([lm.Input(1), codes])


def functional_pair():
    x = lm.Input(4)
    return lm.Model(inputs=x, outputs=[lm.Dense(1)(x), lm.Dense(2)(x)], seed=0)


def test_a_model_of_codes_stands_in_another():
    day = lm.Input(1, kind="codes", cardinalities=5)
    inner = lm.Model([lm.Input(1, kind="codes", cardinalities=5), lm.Embedding(3)], seed=0)
    x = lm.Input(6)
    joined = lm.Concatenate()([x, inner(day)])
    outer = lm.Model(inputs=[x, day], outputs=lm.Dense(1)(joined), seed=0)
    codes = np.arange(41) % 5
    assert_same(outer.predict((X, codes), layer="nested_model"), inner.predict(codes))
    dx, nothing = outer.input_gradient((X, codes))
    assert dx.shape == (41, 6)
    assert nothing is None
    assert outer.backward(np.ones_like(outer.forward((X, codes))))[1] is None
    same_again(outer, (X, codes))


def frozen_tensors(model):
    return [one["trainable"] for one in model._core.tensors()]


def test_freezing():
    inner = encoder()
    inner.layers[0].trainable = False
    outer = lm.Model([lm.Input(6), inner, lm.Dense(1)], seed=0)
    nested = outer.layers[0]
    states = frozen_tensors(inner)
    assert frozen_tensors(outer)[: len(states)] == states, "as it was in the inner model"
    assert not nested.layers[1].trainable
    assert nested.layers[3].trainable
    nested.trainable = False
    assert not any(frozen_tensors(outer)[:-2])
    assert all(frozen_tensors(outer)[-2:])
    parts = [nested.layers[i] for i in (1, 3)]
    before = [part.kernel.copy() for part in parts]
    lm.Trainer(outer, loss="mse").fit(X, np.ones((41, 1)), epochs=1, verbose=0)
    assert_same([part.kernel for part in parts], before)
    parts[1].trainable = True
    lm.Trainer(outer, loss="mse").fit(X, np.ones((41, 1)), epochs=1, verbose=0)
    assert_same(parts[0].kernel, before[0])
    assert not np.array_equal(parts[1].kernel, before[1])
    for other in (copy.deepcopy(outer), pickle.loads(pickle.dumps(outer))):
        assert frozen_tensors(other) == frozen_tensors(outer)
        assert other.fingerprint() == outer.fingerprint()
        inside = other.layers[0].layers
        assert not inside[1].trainable
        assert inside[3].trainable


def test_a_model_frozen_before_it_is_built_in():
    layer = lm.Residual([encoder(), lm.Dense(6)])
    layer.trainable = False
    outer = lm.Model([lm.Input(6), layer, lm.Dense(1)], seed=0)
    assert frozen_tensors(outer).count(True) == 2


def test_one_thawed_within_a_frozen_container_stays_so():
    layer = lm.Residual([lm.Dense(5), lm.Dense(4)])  # with a projection of its own
    layer.trainable = False
    layer.layers[1].trainable = True
    want = [False, False, True, True, False]
    model = lm.Model([lm.Input(6), layer], seed=0)
    assert frozen_tensors(model) == want
    for _ in range(2):
        model = pickle.loads(pickle.dumps(model))
        assert frozen_tensors(model) == want
    assert frozen_tensors(lm.Model([lm.Input(6), model], seed=0)) == want


def test_summary_of_a_nested_model():
    x = lm.Input(6)
    a, b = two_and_two()([lm.Dense(4, activation="relu")(x), lm.Dense(2)(x)])
    body = lm.Model([lm.Input(5), lm.Residual([lm.Dense(5)])], seed=1)
    model = lm.Model(inputs=x, outputs=[body(lm.Concatenate()([a, b])), b], seed=0)
    assert summary_text(model) == SUMMARY
    assert model.output_names == ["nested_model", "two"]


def test_names_of_nested_models():
    inner = encoder(name="encoder")
    outer = lm.Model([lm.Input(6), inner, lm.Dense(4, name="head")], seed=0)
    assert outer.layers[0].name == "encoder"
    assert outer["encoder"] is outer.layers[0]
    assert [one.name for one in outer["encoder"].layers] == [
        "input_1",
        "dense",
        "batch_normalization",
        "dense_1",
    ]
    with pytest.raises(ValueError, match="Did you mean 'encoder'"):
        outer.predict(X, layer="encodr")


def test_what_has_seen_data_is_not_scaled_again():
    """The inner kernels were scaled by the inner model's first fit; they are weights now."""
    inner = lm.Model([lm.Input(6), lm.Dense(4, kernel_initializer="unit_variance")], seed=0)
    inner.initialize(X)
    outer = lm.Model([lm.Input(6), inner, lm.Dense(1)], seed=0)
    nested = outer.layers[0].layers[1]
    before = nested.kernel.copy()
    lm.Trainer(outer, loss="mse", optimizer=lm.SGD(learning_rate=0.0)).fit(
        9 * X, np.ones((41, 1)), epochs=1, verbose=0
    )
    assert_same(nested.kernel, before)


def test_an_adapted_model_stands_in_another():
    """The outer model predicts at once, and its first fit leaves the inner statistics alone."""
    inner = lm.Model([lm.Input(6), lm.Normalization(), lm.Dense(4)], seed=0)
    inner.adapt(X)
    outer = lm.Model([lm.Input(6), inner, lm.Normalization(), lm.Dense(1)], seed=0)
    with pytest.raises(RuntimeError, match="normalization_1"):
        outer.predict(X)
    before = outer.layers[0].layers[1].center.copy()
    lm.Trainer(outer, loss="mse", optimizer=lm.SGD(0.0)).fit(
        9 * X, np.ones((41, 1)), epochs=1, verbose=0
    )
    assert_same(outer.layers[0].layers[1].center, before)
    assert_same(outer.predict(X, layer="dense"), inner.predict(X))
    fresh = lm.Model([lm.Input(6), lm.Normalization(), lm.Dense(4)], seed=0)
    with pytest.raises(RuntimeError, match="normalization"):
        lm.Model([lm.Input(6), fresh, lm.Dense(1)], seed=0).predict(X)


def test_a_kernel_that_was_frozen_waits_until_it_is_free():
    layer = lm.Dense(4, kernel_initializer="unit_variance", trainable=False)
    model = lm.Model([lm.Input(6), layer, lm.Dense(1)], seed=0)
    trainer = lm.Trainer(model, loss="mse", optimizer=lm.SGD(learning_rate=0.0))
    before = layer.kernel.copy()
    trainer.fit(9 * X, np.ones((41, 1)), epochs=1, verbose=0)
    assert_same(layer.kernel, before)
    layer.trainable = True
    trainer.fit(9 * X, np.ones((41, 1)), epochs=1, verbose=0)
    np.testing.assert_allclose(model.predict(9 * X, layer="dense").std(axis=0), 1, rtol=1e-5)
