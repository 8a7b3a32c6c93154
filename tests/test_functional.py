"""The functional form: who may read whom, several inputs and outputs, what a model then shows."""

import copy
import gc
import pickle

import numpy as np
import pytest

import lamina as lm
from lamina.summary import summary_text

SUMMARY = """\
layer        kind         output     parameters  flops a row  reads
--------------------------------------------------------------------------------
input        Input        (n, 2, 2)           0            0
day          Input        (n, 1)              0            0
flatten      Flatten      (n, 4)              0            0  input
embedding    Embedding    (n, 3)             15            0  day
concatenate  Concatenate  (n, 7)              0            0  flatten, embedding
residual     Residual     (n, 8)            120          224  concatenate
  dense      Dense        (n, 8)             64          112  concatenate
price        Dense        (n, 1)              9           16  residual
dense_1      Dense        (n, 2)             16           28  concatenate
160 parameters (640 B, float32), 160 trainable; seed 0"""

RNG = np.random.default_rng(3)
X = RNG.normal(size=(37, 4))
Z = RNG.normal(size=(37, 3))


def same_again(model, x=X):
    """A model through every door that makes another of it: all have the same bits."""
    built = eval(repr(model), {"lm": lm, "__builtins__": {}})
    assert built.num_parameters == model.num_parameters
    assert built._core.spec == model._core.spec
    want = model.predict(x)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert other.fingerprint() == model.fingerprint()
        rebuilt = eval(repr(other), {"lm": lm, "__builtins__": {}})
        assert rebuilt._core.spec == model._core.spec
        assert summary_text(other) == summary_text(model)
        assert_same(other.predict(x), want)
    return built


def assert_same(found, want):
    """Compare arrays, or lists of them, bit for bit."""
    if isinstance(want, list):
        assert isinstance(found, list)
        assert len(found) == len(want)
        for one, other in zip(found, want, strict=True):
            assert_same(one, other)
    elif want is None:
        assert found is None
    else:
        assert found.shape == want.shape
        assert found.dtype == want.dtype
        assert np.array_equal(found, want)


def gradients(model):
    """Copies of all gradients, in the order of the tensors."""
    return [model._core.gradient_view(one["name"]).copy() for one in model._core.tensors()]


# ---- the list form is the functional form --------------------------------------------------------


def stack():
    return [
        lm.Dense(9, activation="tanh"),
        lm.BatchNormalization(),
        lm.Residual([lm.Dense(9, activation="relu"), lm.Dropout(0.3)]),
        lm.Parallel([lm.Dense(5, activation="sigmoid"), [lm.Activation("tanh"), lm.Dense(2)]]),
        lm.Dense(3, activation="softmax"),
    ]


def test_list_and_functional_form_have_the_same_bits():
    listed = lm.Model([lm.Input(4), *stack()], seed=11)
    x = y = lm.Input(4)
    for layer in stack():
        y = layer(y)
    called = lm.Model(inputs=x, outputs=y, seed=11)
    assert [one.name for one in called.layers] == [one.name for one in listed.layers]
    pull, labels = RNG.normal(size=(37, 3)), np.arange(37) % 3
    for _ in range(2):
        assert_same(called.predict(X), listed.predict(X))
        for training in (False, True):
            assert_same(called.forward(X, training), listed.forward(X, training))
            assert_same(called.backward(pull), listed.backward(pull))
            assert_same(gradients(called), gradients(listed))
        for model in (called, listed):
            trainer = lm.Trainer(model, loss="categorical_crossentropy", optimizer="adam")
            trainer.fit(X, labels, epochs=2, batch_size=10, verbose=0)
    same_again(listed)
    same_again(called)


# ---- errors --------------------------------------------------------------------------------------


def test_what_inputs_and_outputs_must_be():
    x, z = lm.Input(4), lm.Input(3)
    y = lm.Dense(2)(x)
    both = lm.Concatenate()([x, z])
    with pytest.raises(ValueError, match=r"depends on lm.Input\(3\), which is not in inputs"):
        lm.Model(inputs=x, outputs=both)
    with pytest.raises(ValueError, match=r"no output depends on lm.Input\(3\); leave it out"):
        lm.Model(inputs=[x, z], outputs=y)
    with pytest.raises(ValueError, match="an Input stands twice in inputs"):
        lm.Model(inputs=[x, x], outputs=y)
    with pytest.raises(ValueError, match="at least one input and one output"):
        lm.Model(inputs=[], outputs=y)
    with pytest.raises(ValueError, match="at least one input and one output"):
        lm.Model(inputs=x, outputs=[])
    with pytest.raises(TypeError, match=r"inputs are what lm.Input\(…\) made, got Node"):
        lm.Model(inputs=y, outputs=lm.Dense(1)(y))
    with pytest.raises(TypeError, match=r"inputs are what .* got int"):
        lm.Model(inputs=4, outputs=y)
    with pytest.raises(TypeError, match=r"outputs are what layers return .* got Dense"):
        lm.Model(inputs=x, outputs=lm.Dense(1))
    with pytest.raises(TypeError, match=r"outputs are what layers return .* got NoneType"):
        lm.Model(inputs=x)
    for wrong in ({}, {"layers": [x, lm.Dense(1)], "inputs": x, "outputs": y}):
        with pytest.raises(TypeError, match="give either layers, or inputs and outputs"):
            lm.Model(**wrong)
    with pytest.raises(ValueError, match="no layer has parameters"):
        lm.Model(inputs=x, outputs=lm.Activation("tanh")(x))


def test_what_a_layer_can_be_called_on():
    x, z = lm.Input(4), lm.Input(4)
    with pytest.raises(TypeError, match=r"Dense: expected .* got ndarray; numbers go through"):
        lm.Dense(2)(X)
    with pytest.raises(TypeError, match="got Dense"):
        lm.Dense(2)(lm.Dense(3))
    with pytest.raises(ValueError, match="at least one input"):
        lm.Add()([])
    with pytest.raises(ValueError, match="'dense': expected one input, got 2; join them with"):
        lm.Model(inputs=[x, z], outputs=lm.Dense(2)([x, z]))
    with pytest.raises(ValueError, match="Add: its inputs have 4 and 2 columns"):
        lm.Model(inputs=x, outputs=lm.Add()([x, lm.Dense(2)(x)]))
    codes = lm.Input(1, kind="codes", cardinalities=3)
    with pytest.raises(ValueError, match="Concatenate: its input is category codes"):
        lm.Model(inputs=[x, codes], outputs=lm.Concatenate()([lm.Dense(2)(x), codes]))
    with pytest.raises(ValueError, match="the output 'input' is category codes"):
        lm.Model(inputs=codes, outputs=[lm.Embedding(2)(codes), codes])
    with pytest.raises(TypeError, match=r"lm.Input\(4\) begins a model"):
        lm.Input(4)(lm.Dense(4)(x))


def test_a_layer_computes_once_and_belongs_to_one_model():
    x = lm.Input(4)
    dense = lm.Dense(4)
    with pytest.raises(ValueError, match="is called twice, and its parameters cannot be shared"):
        lm.Model(inputs=x, outputs=dense(dense(x)))
    with pytest.raises(ValueError, match="is called twice"):
        lm.Model(inputs=x, outputs=lm.Add()([dense(x), dense(lm.Activation("tanh")(x))]))
    lm.Model(inputs=x, outputs=lm.Add()([dense(x), copy.deepcopy(dense)(x)]))
    with pytest.raises(ValueError, match="already belongs to a Model"):
        lm.Model(inputs=(y := lm.Input(4)), outputs=dense(y))
    with pytest.raises(ValueError, match="already belongs to a Model"):
        lm.Model([lm.Input(4), dense])


def test_wiring_that_no_python_writes_is_refused():
    """A description may come from elsewhere: layers read only those before them."""

    def build(wiring, outputs):
        layers = [lm.Input(4), lm.Dense(4), lm.Dense(4)]
        return lm.Model([lm.Input(4), lm.layers.NestedModel(layers, wiring, outputs)], seed=0)

    good = [[], [[0, 0]], [[1, 0]]]
    assert build(good, [[2, 0]]).predict(X).shape == (37, 4)
    for wiring in (
        [[], [[2, 0]], [[1, 0]]],  # a cycle
        [[], [[1, 0]], [[1, 0]]],  # of itself
        [[], [[0, 1]], [[1, 0]]],  # no such output
        [[], [[0, -1]], [[1, 0]]],
        [[], [[0]], [[1, 0]]],
        [[], [0, 0], [[1, 0]]],
        [[], [], [[1, 0]]],  # a layer that reads nothing
        [[], [[0, 0]]],
        3,
    ):
        with pytest.raises((ValueError, TypeError)):
            build(wiring, [[2, 0]])
    for outputs in ([], None, [[3, 0]], [[2, 1]], [2], 3):
        with pytest.raises((ValueError, TypeError)):
            build(good, outputs)


# ---- several inputs ------------------------------------------------------------------------------


def two_inputs(dtype="float32"):
    x, z = lm.Input(4), lm.Input(3, name="weather")
    joined = lm.Concatenate()([lm.Dense(5, activation="tanh")(z), x])
    return lm.Model(inputs=[x, z], outputs=lm.Dense(2)(joined), seed=2, dtype=dtype)


def test_several_inputs_come_in_order_or_by_name():
    model = two_inputs()
    assert model.input_names == ["input", "weather"]
    want = model.predict((X, Z))
    for given in ([X, Z], {"weather": Z, "input": X}):
        assert_same(model.predict(given), want)
    z, x = Z @ model["dense"].kernel + model["dense"].bias, X
    by_hand = np.hstack([np.tanh(z), x]) @ model["dense_1"].kernel + model["dense_1"].bias
    assert np.abs(want - by_hand).max() < 1e-5
    for wrong in (X, {"input": X}, {"input": X, "wetter": Z}, (X, Z, Z), (X, Z[:5])):
        with pytest.raises(ValueError, match=r"input"):
            model.predict(wrong)
    with pytest.raises(ValueError, match="expected 4 columns, got 3"):
        model.predict((Z, X))
    same_again(model, (X, Z))


def test_the_order_of_inputs_is_the_one_given():
    x, z = lm.Input(4), lm.Input(3)
    y = lm.Dense(2)(lm.Concatenate()([x, z]))
    model = lm.Model(inputs=[z, x], outputs=y, seed=2)
    assert model.predict((Z, X)).shape == (37, 2)
    dz, dx = model.input_gradient((Z, X))
    assert (dz.shape, dx.shape) == ((37, 3), (37, 4))


# ---- several outputs -----------------------------------------------------------------------------


def branching():
    """A shared body, and outputs of many kinds."""
    x = lm.Input(4)
    early = lm.Dense(4, activation="tanh")(x)
    body = lm.Dense(4, activation="tanh")(early)
    soft = lm.Dense(4, activation="softmax")(body)
    behind = lm.Dense(4)(soft)
    return x, {
        "early": early,
        "soft": soft,  # and another layer reads it
        "behind": behind,
        "dropped": lm.Dropout(0.5)(body),
        "body": body,
        "image": lm.Reshape((2, 2))(body),
        "input": x,
        "again": early,
        "sum": lm.Add()([early, early, behind]),
    }


NAMES = list(branching()[1])


def test_each_of_several_outputs_is_what_it_is_alone():
    x, outputs = branching()
    model = lm.Model(inputs=x, outputs=list(outputs.values()), seed=4)
    assert len(model.output_names) == len(NAMES)
    found = dict(zip(NAMES, model.predict(X), strict=True))
    by_layer = dict(zip(NAMES, model.output_names, strict=True))
    layers = {layer["name"] for layer in model._core.layers()}
    own = [name for name in NAMES if by_layer[name] in layers]
    assert set(NAMES) - set(own) == {"again"}  # another output of a layer has a name of its own
    for name in own:
        assert_same(found[name], model.predict(X, layer=by_layer[name]))
    one = dict(zip(NAMES, model.forward(X), strict=True))
    for name in NAMES:
        assert_same(one[name], found[name])
    w, b = model["dense"].kernel, model["dense"].bias
    early = np.tanh(X @ w + b)
    assert np.abs(found["early"] - early).max() < 1e-6
    assert found["image"].shape == (37, 2, 2)
    assert_same(found["image"].reshape(37, 4), found["body"])
    assert_same(found["dropped"], found["body"])
    assert_same(found["again"], found["early"])
    assert_same(found["input"], X.astype(np.float32))
    assert np.abs(found["soft"].sum(axis=1) - 1).max() < 1e-6
    total = 2 * found["early"] + found["behind"]
    assert np.abs(found["sum"] - total).max() < 1e-6
    for size in (1, 5, 16, 100):
        assert_same(model.predict(X, batch_size=size), list(found.values()))
    same_again(model)


@pytest.mark.parametrize("training", [False, True])
def test_the_gradient_of_several_outputs_is_the_sum_of_each_ones(training):
    x, outputs = branching()
    model = lm.Model(inputs=x, outputs=list(outputs.values()), seed=4, dtype="float64")
    pulls = [RNG.normal(size=(37, *np.shape(p)[1:])) for p in model.predict(X)]

    def pulled(which):
        rests = [pull if i in which else 0 * pull for i, pull in enumerate(pulls)]
        model.forward(X, training=False)
        dx = model.backward(rests)
        return [dx.copy(), *gradients(model)]

    if training:  # dropout draws anew: the mask shows in what comes out
        y = dict(zip(NAMES, model.forward(X, training=True), strict=True))
        kept = y["dropped"] != 0
        assert 0.3 < kept.mean() < 0.7
        assert np.abs(y["dropped"][kept] - 2 * y["body"][kept]).max() < 1e-12
        only = [np.zeros_like(pull) for pull in pulls]
        only[NAMES.index("dropped")] = pulls[NAMES.index("dropped")]
        dx = model.backward(only)
        model.forward(X)
        only[NAMES.index("body")] = 2 * kept * only[NAMES.index("dropped")]
        only[NAMES.index("dropped")] = np.zeros_like(pulls[0])
        assert np.abs(model.backward(only) - dx).max() < 1e-12
        return
    whole = pulled(range(len(NAMES)))
    parts = [pulled([i]) for i in range(len(NAMES))]
    for k, total in enumerate(whole):
        added = sum(part[k] for part in parts)
        assert np.abs(added - total).max() <= 1e-13 * max(1, np.abs(total).max())
    # Each alone, numerically.
    step = 1e-5
    for i, part in enumerate(parts):

        def value(x, i=i):
            return float((pulls[i] * model.predict(x)[i]).sum())

        for r, j in ((0, 0), (9, 3), (36, 2)):
            above, below = X.copy(), X.copy()
            above[r, j] += step
            below[r, j] -= step
            numeric = (value(above) - value(below)) / (2 * step)
            assert part[0][r, j] == pytest.approx(numeric, rel=1e-7, abs=1e-8), NAMES[i]


def test_one_output_alone_has_the_bits_of_one_among_several():
    """What no output needs is left out, and what stays does not notice."""

    def build(all_of_them):
        x = lm.Input(4)
        a = lm.Dense(6, activation="tanh")(x)
        first, second = lm.Dense(3, activation="softmax")(a), lm.Dense(2)(a)
        return lm.Model(inputs=x, outputs=[first, second] if all_of_them else first, seed=8)

    both, one = build(True), build(False)
    assert_same(both.predict(X)[0], one.predict(X))
    pull = RNG.normal(size=(37, 3))
    both.forward(X)
    one.forward(X)
    assert_same(both.backward([pull, np.zeros((37, 2))]), one.backward(pull))


def test_backward_refuses_what_is_no_gradient_of_the_outputs():
    x = lm.Input(4)
    h = lm.Dense(6)(x)
    model = lm.Model(inputs=x, outputs=[lm.Reshape((2, 3))(h), lm.Dense(1)(h)], seed=8)
    model.forward(X)
    right = [np.ones((37, 2, 3)), np.ones((37, 1))]
    want = model.backward(right)
    assert_same(model.backward((np.ones((37, 6)), np.ones(37))), want)
    for wrong in (
        right[:1],
        [*right, right[0]],
        right[::-1],
        [np.ones((6, 37)), right[1]],
        [np.ones(37 * 6), right[1]],
        [np.float64(3), right[1]],
    ):
        with pytest.raises(ValueError, match="backward: expected"):
            model.backward(wrong)
    with pytest.raises(ValueError, match=r"several outputs, \['reshape', 'dense_1'\]"):
        model.predict_classes(X)


def test_softmax_that_another_layer_reads_is_trained_right():
    """The loss must not take its logits: whoever reads it adds to its gradient."""
    x = lm.Input(4)
    soft = lm.Dense(3, activation="softmax")(x)
    gate = lm.Dense(3)(soft)
    model = lm.Model(inputs=x, outputs=[soft, gate], seed=8, dtype="float64")
    cce, mse = lm.losses.CategoricalCrossentropy(), lm.losses.MeanSquaredError()
    labels, y = np.arange(37) % 3, RNG.normal(size=(37, 3))
    p, q = model.forward(X)
    model.backward([cce.gradient(labels, p), mse.gradient(y, q)])
    kernel = model["dense"].kernel
    analytic = model["dense"].kernel_gradient.copy()

    def value():
        p, q = model.predict(X)
        return cce(labels, p) + mse(y, q)

    for i in np.ndindex(kernel.shape):
        kept = kernel[i]
        kernel[i] = kept + 1e-6
        above = value()
        kernel[i] = kept - 1e-6
        below = value()
        kernel[i] = kept
        assert analytic[i] == pytest.approx((above - below) / 2e-6, rel=1e-6, abs=1e-8)


def test_a_softmax_whose_other_reader_does_not_count_is_fused():
    """Of a nested model only one output is taken up: what makes the other does not run."""
    x = lm.Input(4)
    soft = lm.Dense(3, activation="softmax")(x)
    inner = lm.Model(inputs=x, outputs=[soft, lm.Dense(2)(soft)], seed=0)
    outer = lm.Input(4)
    model = lm.Model(inputs=outer, outputs=inner(outer)[0], seed=0)
    trainer = lm.Trainer(model, loss="categorical_crossentropy")
    before = model["dense_1"].kernel.copy()
    trainer.fit(X, np.arange(37) % 3, epochs=1, verbose=0)
    assert_same(model["dense_1"].kernel, before)
    assert not np.array_equal(model["dense"].kernel, inner.layers[0].kernel)


# ---- what it shows -------------------------------------------------------------------------------


def test_summary_of_a_functional_model():
    x, z = lm.Input((2, 2)), lm.Input(1, kind="codes", cardinalities=5, name="day")
    flat = lm.Flatten()(x)
    joined = lm.Concatenate()([flat, lm.Embedding(3)(z)])
    hidden = lm.Residual([lm.Dense(8, activation="relu")])(joined)
    outputs = [lm.Dense(1, name="price")(hidden), lm.Dense(2, activation="softmax")(joined)]
    model = lm.Model(inputs=[x, z], outputs=outputs, seed=0)
    assert summary_text(model) == SUMMARY


def test_names_follow_the_order_of_computation():
    x = lm.Input(4)
    second = lm.Dense(3)
    first = lm.Dense(2)
    model = lm.Model(inputs=x, outputs=second(first(x)), seed=0)
    assert (first.name, second.name) == ("dense", "dense_1")
    assert model["dense_1"] is second
    assert [one.name for one in model.layers] == ["dense", "dense_1"]
    with pytest.raises(KeyError, match=r"'dens'.*dense, dense_1"):
        model["dens"]
    with pytest.raises(ValueError, match="two layers are named 'same'"):
        lm.Model([lm.Input(4), lm.Dense(2, name="same"), lm.Dense(2, name="same")])
    both = lm.Model(inputs=(y := lm.Input(4)), outputs=[lm.Dense(1, name="a")(y)], seed=0)
    assert both.output_names == ["a"]


def test_layers_of_the_functional_form_freeze():
    x = lm.Input(4)
    frozen = lm.Dense(4, activation="tanh", trainable=False)
    free = lm.Dense(4, activation="tanh")
    outputs = lm.Add()([frozen(x), free(x)])
    model = lm.Model(inputs=x, outputs=outputs, seed=0)
    before = frozen.kernel.copy(), free.kernel.copy()
    for _ in range(2):
        lm.Trainer(model, loss="mse").fit(X, np.ones((37, 4)), epochs=1, verbose=0)
        assert_same(frozen.kernel, before[0])
        assert not np.array_equal(free.kernel, before[1])
        model.forward(X)
        model.backward(np.ones((37, 4)))
        assert not frozen.kernel_gradient.any()
        assert free.kernel_gradient.any()
        again = same_again(model)
        assert not again.layers[0].trainable
        free.trainable = True


def test_thousands_of_layers_do_not_recurse():
    x = y = lm.Input(4)
    for _ in range(2000):
        y = lm.Activation("linear")(y)
    model = lm.Model(inputs=x, outputs=lm.Dense(2)(y), seed=0)
    assert model.predict(X).shape == (37, 2)
    assert model.input_gradient(X).shape == (37, 4)
    again = same_again(model)
    assert again.fingerprint() == model.fingerprint()
    del x, y, again
    gc.collect()


def test_a_long_body_that_is_read_often_is_written_on_one_line():
    x = y = lm.Input(2)
    total = []
    for i in range(60):
        y = lm.Dense(2, name=f"d{i}")(y)
        if i % 7 == 0:
            total.append(y)
    model = lm.Model(inputs=x, outputs=[lm.Add()(total), y, total[0]], seed=0)
    same_again(model, X[:, :2])


def test_saved_and_loaded(tmp_path):
    x, outputs = branching()
    model = lm.Model(inputs=x, outputs=list(outputs.values()), seed=4, name="many")
    model.save(tmp_path / "m.lamina")
    loaded = lm.load(tmp_path / "m.lamina")
    assert loaded.fingerprint() == model.fingerprint()
    assert loaded.output_names == model.output_names
    assert_same(loaded.predict(X), model.predict(X))


def test_gradients_of_several_inputs_and_outputs_are_checked():
    x, day = lm.Input(3, name="x"), lm.Input(1, kind="codes", cardinalities=[4], name="day")
    h = lm.Dense(5, activation="tanh")(lm.Concatenate()([x, lm.Embedding(2)(day)]))
    outputs = [lm.Dense(1)(h), lm.Dense(3, activation="softmax")(h)]
    model = lm.Model(inputs=[x, day], outputs=outputs, seed=0)
    data = {"x": RNG.normal(size=(8, 3)), "day": np.arange(8) % 4}
    targets = [RNG.normal(size=(8, 1)), np.arange(8) % 3]
    losses = [lm.losses.MeanSquaredError(), lm.losses.CategoricalCrossentropy()]
    found = lm.check_gradients(model, data, targets, losses)
    assert {"x", "dense/kernel", "dense_2/bias", "embedding/embeddings"} <= set(found.errors)
    assert found.max_error < 1e-7
    with pytest.raises(ValueError, match="y must be a list of 2"):
        lm.check_gradients(model, data, targets[0], losses)
