"""A model cut behind a layer, gradients by its inputs, and the shapes of rows."""

import threading

import numpy as np
import pytest
from test_functional import assert_same

import lamina as lm
from lamina.summary import summary_text

RNG = np.random.default_rng(9)
X = RNG.normal(size=(70, 6))


def model_of(layers, **options):
    return lm.Model([lm.Input(6), *layers], seed=3, **options)


def stack():
    return [
        lm.Dense(5, activation="tanh"),
        lm.Residual([lm.Dense(5, activation="sigmoid"), lm.Dropout(0.5)]),
        lm.Model([lm.Input(5), lm.Dense(4, activation="softplus"), lm.Flatten()], seed=2),
        lm.Parallel([lm.Dense(3), [lm.Dense(2, activation="softmax"), lm.BatchNormalization()]]),
        lm.Dense(3, activation="softmax"),
    ]


# ---- a cut ---------------------------------------------------------------------------------------


def test_a_cut_is_the_model_that_ends_there():
    """Behind each layer of the list: as many layers in a model of their own."""
    whole = model_of(stack())
    for count, layer in enumerate(whole.layers, start=1):
        part = model_of(stack()[:count])
        for one in part._core.tensors():
            same = part._core.view(one["name"])
            same[...] = whole._core.view(one["name"])
        want = part.predict(X)
        assert_same(whole.predict(X, layer=layer.name), want)
        for options in ({"batch_size": 1}, {"batch_size": 17, "num_threads": 3}):
            assert_same(whole.predict(X, layer=layer.name, **options), want)
        assert_same(whole.predict(X[5:6], layer=layer.name), want[5:6])
    assert_same(whole.predict(X, layer=whole.layers[-1].name), whole.predict(X))
    assert_same(whole.predict(X, layer="input"), X.astype(np.float32))


def test_a_cut_inside_containers():
    model = model_of(stack())
    h = model.predict(X, layer="dense")
    z = model.predict(X, layer="dense_1")
    assert np.abs(z - 1 / (1 + np.exp(-(h @ model["dense_1"].kernel)))).max() < 1e-6
    assert_same(model.predict(X, layer="dropout"), z)
    assert np.abs(model.predict(X, layer="residual") - (h + z)).max() < 1e-6
    assert_same(model.predict(X, layer="input_1"), model.predict(X, layer="residual"))
    assert_same(model.predict(X, layer="flatten"), model.predict(X, layer="nested_model"))


def test_a_layer_that_is_not_there():
    model = model_of(stack())
    for call in (model.predict, model.input_gradient):
        with pytest.raises(ValueError, match=r"no layer 'densee'\. Did you mean 'dense"):
            call(X, layer="densee")
    codes = lm.Model([lm.Input(1, kind="codes", cardinalities=3), lm.Embedding(2)], seed=0)
    with pytest.raises(ValueError, match="input: it gives category codes"):
        codes.predict([0, 1], layer="input")


# ---- gradients by inputs -------------------------------------------------------------------------


def moved(model):
    """A model whose statistics are no longer those of the start."""
    lm.Trainer(model, loss="mse").fit(X, np.ones((70, 3)), epochs=2, batch_size=9, verbose=0)
    return model


@pytest.mark.parametrize("layer", [None, "dense", "residual", "nested_model", "parallel"])
def test_input_gradient_against_differences(layer):
    model, x, step = moved(model_of(stack(), dtype="float64")), X[:8].copy(), 1e-5
    columns = model.predict(x, layer=layer).shape[1]
    for column in range(columns):
        found = model.input_gradient(x, column, layer=layer)
        numeric = np.empty_like(found)
        for j in range(6):
            kept = x[:, j].copy()
            x[:, j] = kept + step
            above = model.predict(x, layer=layer)[:, column]
            x[:, j] = kept - step
            numeric[:, j] = (above - model.predict(x, layer=layer)[:, column]) / (2 * step)
            x[:, j] = kept
        assert np.abs(found - numeric).max() <= 1e-6 * np.abs(numeric).max()


def test_a_rows_gradient_does_not_depend_on_others_or_on_threads():
    model = moved(model_of(stack()))
    many = RNG.normal(size=(2100, 6))  # more than are worked on at a time
    whole = model.input_gradient(many, 1, num_threads=1)
    assert whole.shape == (2100, 6)
    for threads in (2, 3, 5):
        assert_same(model.input_gradient(many, 1, num_threads=threads), whole)
    for rows in (slice(0, 1), slice(1023, 1025), slice(700, 2100), slice(None, None, -1)):
        assert_same(model.input_gradient(many[rows], 1), whole[rows])
    assert model.input_gradient(many[:0], 1).shape == (0, 6)


def test_input_gradient_leaves_the_pass_by_hand_alone():
    model = moved(model_of(stack()))
    pull = RNG.normal(size=(70, 3))
    model.forward(X, training=True)
    want = model.backward(pull)
    kernel = model["dense"].kernel_gradient.copy()
    fingerprint = model.fingerprint()
    model.input_gradient(X[:11] + 1, 2)
    model.predict(X[:3], layer="dense")
    assert_same(model["dense"].kernel_gradient, kernel)
    assert_same(model.backward(pull), want)
    assert_same(model["dense"].kernel_gradient, kernel)
    assert model.fingerprint() == fingerprint


def test_inputs_that_an_output_does_not_depend_on_have_no_gradient():
    x, z, day = lm.Input(6), lm.Input(2), lm.Input(1, kind="codes", cardinalities=3)
    a = lm.Dense(2, name="a")(x)
    joined = lm.Concatenate()([a, z, lm.Embedding(2)(day)])
    model = lm.Model(inputs=[x, z, day], outputs=[a, lm.Dense(1, name="b")(joined)], seed=0)
    rows = (X, X[:, :2], np.arange(70) % 3)
    dx, dz, none = model.input_gradient(rows, 1, layer="a")
    assert_same(dx, np.tile(model["a"].kernel[:, 1], (70, 1)))
    assert_same(dz, np.zeros((70, 2), np.float32))
    assert none is None
    dx, dz, none = model.input_gradient(rows, 0, layer="embedding")
    assert not dx.any()
    assert not dz.any()
    dx, dz, none = model.input_gradient(rows, layer="b")
    assert dx.all()
    assert dz.all()
    with pytest.raises(ValueError, match=r"2 outputs \(a, b\): say which by layer="):
        model.input_gradient(rows)
    for column in (-1, 2):
        with pytest.raises(ValueError, match=rf"output must be in 0 ... 1, got {column}"):
            model.input_gradient(rows, column, layer="a")


def test_cuts_and_gradients_while_a_fit_runs():
    """They read the weights of the last completed epoch: finite, and of one moment."""
    model = model_of(stack())
    seen, failed, end = [], [], threading.Event()

    def look():
        try:
            while not (seen and end.is_set()):
                seen.append((model.input_gradient(X), model.predict(X, layer="dense")))
        except Exception as error:
            failed.append(error)

    watcher = threading.Thread(target=look)
    trainer = lm.Trainer(model, loss="categorical_crossentropy", num_threads=1)
    watcher.start()
    try:
        trainer.fit(np.tile(X, (60, 1)), np.tile(np.arange(70) % 3, 60), epochs=12, verbose=0)
    finally:
        end.set()
        watcher.join()
    assert not failed
    assert seen
    assert all(np.isfinite(part).all() for both in seen for part in both)


# ---- shapes --------------------------------------------------------------------------------------

IMAGE = RNG.normal(size=(9, 4, 6))
SHAPED = {
    "flatten": (lambda: [lm.Flatten()], (24,)),
    "reshape": (lambda: [lm.Reshape((2, 12))], (2, 12)),
    "reshape, one size open": (lambda: [lm.Reshape((-1, 3, 2))], (4, 3, 2)),
    "reshape to a number": (lambda: [lm.Reshape(24)], (24,)),
    "there and back": (lambda: [lm.Flatten(), lm.Reshape((4, 6))], (4, 6)),
    "activation": (lambda: [lm.Activation("tanh")], (4, 6)),
    "dropout": (lambda: [lm.Dropout(0.5)], (4, 6)),
    "batch normalisation": (lambda: [lm.BatchNormalization()], (4, 6)),
    "residual": (lambda: [lm.Residual([lm.Activation("tanh")])], (4, 6)),
    "dense": (lambda: [lm.Dense(24)], (24,)),
    "parallel": (lambda: [lm.Parallel([lm.Dropout(0.5), lm.Flatten()])], (48,)),
}


@pytest.mark.parametrize("case", SHAPED)
def test_the_shape_of_rows(case):
    layers, shape = SHAPED[case]
    model = lm.Model([lm.Input((4, 6)), lm.Dense(24), lm.Reshape((4, 6)), *layers()], seed=0)
    assert model.predict(IMAGE).shape == (9, *shape)
    assert model.forward(IMAGE).shape == (9, *shape)
    assert model.backward(np.ones((9, *shape))).shape == (9, 4, 6)
    assert model.input_gradient(IMAGE).shape == (9, 4, 6)
    assert_same(model.predict(IMAGE.reshape(9, 24)), model.predict(IMAGE))
    assert f"(n, {', '.join(map(str, shape))})" in summary_text(model)
    assert model.predict(IMAGE, layer="input").shape == (9, 4, 6)


def test_reshape_is_numpys():
    model = lm.Model([lm.Input((4, 6)), lm.Reshape((3, 8)), lm.Dense(1)], seed=0, dtype="float64")
    assert_same(model.predict(IMAGE, layer="reshape"), IMAGE.reshape(9, 3, 8))


def test_targets_of_the_outputs_shape():
    def fitted(y):
        model = lm.Model([lm.Input((4, 6)), lm.Dense(24), lm.Reshape((4, 6))], seed=0)
        trainer = lm.Trainer(model, loss="mse")
        trainer.fit(IMAGE, y, epochs=2, verbose=0)
        return model.fingerprint(), trainer.evaluate(IMAGE, y)

    assert fitted(IMAGE) == fitted(IMAGE.reshape(9, 24))


@pytest.mark.parametrize(
    ("shape", "error", "message"),
    [
        ((5,), ValueError, r"24 columns do not make rows of shape \[5\]"),
        ((5, -1), ValueError, "do not make rows"),
        ((-1, -1), ValueError, "one size can be -1"),
        ((0, 24), ValueError, "at least 1"),
        ((-2, 12), ValueError, "at least 1"),
        ((), ValueError, "must be a list of sizes"),
        ((2.5, 4), TypeError, "takes whole numbers"),
        ("ab", TypeError, "takes whole numbers"),
        (None, TypeError, "takes whole numbers"),
    ],
)
def test_reshape_refuses(shape, error, message):
    with pytest.raises(error, match=message):
        lm.Model([lm.Input((4, 6)), lm.Reshape(shape), lm.Dense(1)])
