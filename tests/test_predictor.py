"""Predictor: a frozen model folds, forgets what only training does, and answers as the model does.

The bars: folding rounds each weight once more and moves one shift of at most four times the sum's
own size, so a sum of K numbers may move by some K halves of an epsilon of what is summed. With at
most 40 numbers a sum and four layers that is 1e-13 of the largest answer in float64 and 128 epsilon
(1.5e-5) in float32.
"""

import copy
import pickle
import threading

import numpy as np
import pytest
from random_models import as_list, random_model

import lamina as lm

EPSILON = float(np.finfo(np.float32).eps)
BARS = {"float64": 1e-13, "float32": 128 * EPSILON}
FEW_ROWS = 3  # kFewRows of cpp/lamina/nn/product.hpp: kernels as they lie; above it, packed


def settled(model, seed=0):
    """The model with gammas, betas, scales and running statistics of which none is special."""
    draw = np.random.default_rng(seed)
    for one in model._core.tensors():
        view = model._core.view(one["name"])
        if one["role"] == "scale" or one["name"].endswith("moving_variance"):
            view[...] = draw.uniform(0.3, 1.5, size=view.shape)
        elif one["role"] == "bias" or one["name"].endswith(("moving_mean", "beta")):
            view[...] = draw.normal(size=view.shape)
    return model


def made(layers, dtype="float64"):
    return settled(lm.Model(layers, seed=1, dtype=dtype))


def rows_for(model, n=40, seed=3):
    draw = np.random.default_rng(seed)
    parts = []
    for port in model._core.ports():
        shape = (n, *port["shape"])
        if port.get("codes") or port.get("cardinalities"):
            high = np.array(port["cardinalities"])
            parts.append(draw.integers(0, high, size=shape).astype(np.int32))
        else:
            parts.append(draw.normal(size=shape))
    return tuple(parts) if len(parts) > 1 else parts[0]


def row(x, i):
    """Row i alone, for predict_one."""
    return tuple(part[i] for part in x) if isinstance(x, tuple) else x[i]


def rows(x, which):
    return tuple(part[which] for part in x) if isinstance(x, tuple) else x[which]


def operations(predictor):
    return " ".join(predictor._core.operations())


def check_close(model, x, bar=None, scale=None):
    """The Predictor's answers are the model's, to the bar; its own bits hang together."""
    predictor = model.freeze_for_inference()
    for found, want in zip(as_list(predictor.predict(x)), as_list(model.predict(x)), strict=True):
        assert found.shape == want.shape
        assert found.dtype == want.dtype == model.dtype
        assert np.isfinite(want).all()
        largest = np.abs(want).max() if scale is None else scale
        error = np.abs(found - want).max(initial=0) / largest
        assert error <= (BARS[model.dtype.name] if bar is None else bar), error
    return predictor


def check_same(model, x):
    """Where nothing folds: the model's bits for any number of rows, batch size and threads."""
    predictor = model.freeze_for_inference()
    want = as_list(model.predict(x))
    n = len(want[0])
    predictor._exact_threads = True
    for count in range(1, n + 1):
        how = {"batch_size": (None, 1, 3, 5, 17)[count % 5], "num_threads": 1 + count % 3}
        found = as_list(predictor.predict(rows(x, slice(0, count)), **how))
        for one, same in zip(found, want, strict=True):
            assert np.array_equal(one, same[:count]), (count, how)
    return predictor


def check_rows_alone(predictor, x):
    """predict(X)[i], predict(X[i : i + 1])[0] and predict_one(X[i]) are the same bits."""
    whole = as_list(predictor.predict(x))
    n = len(whole[0])
    for i in range(n):
        alone = as_list(predictor.predict(rows(x, slice(i, i + 1))))
        one = as_list(predictor.predict_one(row(x, i)))
        for y, a, b in zip(whole, alone, one, strict=True):
            assert b.shape == y.shape[1:]
            assert np.array_equal(y[i], a[0])
            assert np.array_equal(y[i], b)
    for count in (2, FEW_ROWS, FEW_ROWS + 1, 16, 17):
        some = as_list(predictor.predict(rows(x, slice(0, count))))
        for y, s in zip(whole, some, strict=True):
            assert np.array_equal(y[:count], s)


BN, SCALE = lm.BatchNormalization, lm.Scale


def two_products_behind():
    x = lm.Input(5)
    scaled = BN()(x)
    return lm.Concatenate()([lm.Dense(3)(scaled), lm.Dense(4, use_bias=False)(scaled)]), x


def nested():
    inner = lm.Model([lm.Input(6), BN(), lm.Dense(4), BN(), lm.Activation("tanh")], seed=4)
    return [lm.Input(5), lm.Dense(6, activation="tanh"), inner, SCALE(), lm.Dense(2)]


# What the layers are, and the operations that stay.
FOLDED = {
    "behind Dense": (
        lambda: [lm.Input(5), lm.Dense(7), BN(), lm.Activation("tanh"), lm.Dense(3)],
        "product tanh product",
    ),
    "behind Dense without bias": (
        lambda: [lm.Input(5), lm.Dense(7, use_bias=False), BN()],
        "product",
    ),
    "before Dense": (lambda: [lm.Input(5), BN(), lm.Dense(3)], "product"),
    "before Dense without bias": (
        lambda: [lm.Input(5), BN(), lm.Dense(3, use_bias=False)],
        "product",
    ),
    "between an activation and Dense": (
        lambda: [lm.Input(5), lm.Dense(7, activation="relu"), BN(), lm.Dense(3)],
        "product relu product",
    ),
    "several behind": (
        lambda: [lm.Input(5), lm.Dense(7), BN(), SCALE(use_bias=True), BN(center=False)],
        "product",
    ),
    "several before": (
        lambda: [lm.Input(5), SCALE(), BN(scale=False), SCALE(use_bias=True), lm.Dense(3)],
        "product",
    ),
    "both sides": (
        lambda: [lm.Input(5), BN(), lm.Dense(7), BN(), lm.Activation("gelu"), SCALE(), lm.Dense(2)],
        "product gelu product",
    ),
    "gain": (
        lambda: [
            lm.Input(5),
            lm.Dense(7, gain="ntk", activation="tanh"),
            lm.Dense(3, gain=0.3, use_bias=False),
        ],
        "product tanh product",
    ),
    "Normalization": (
        lambda: [lm.Input(3), lm.Normalization([1.0, -2.0, 0.1], [4.0, 1.0, 0.5]), lm.Dense(2)],
        "product",
    ),
    "what only training does": (
        lambda: [
            lm.Input(5),
            lm.GaussianNoise(0.1),
            lm.Dense(7, activity_regularizer=lm.L2(0.1)),
            lm.Dropout(0.5),
            BN(),
            lm.Activation("selu"),
            lm.AlphaDropout(0.2),
            SCALE(),
            lm.Dropout(0.2),
            lm.Dense(3),
            lm.Dropout(0.3),
        ],
        "product selu product",
    ),
    "images": (
        lambda: [
            lm.Input((3, 4)),
            lm.Normalization(0.5, 2.0),
            lm.Flatten(),
            lm.Dense(6),
            lm.Reshape((2, 3)),
            BN(),
        ],
        "product",
    ),
    "an output in another shape": (
        lambda: [lm.Input((3, 4)), BN(), lm.Dense(6), BN(), lm.Reshape((3, 2))],
        "product reshape",
    ),
    "Residual": (
        lambda: [lm.Input(5), lm.Residual([BN(), lm.Dense(5), BN()]), BN(), lm.Dense(2)],
        "product add product",
    ),
    "Residual with projection": (
        lambda: [lm.Input(5), lm.Residual([lm.Dense(7), BN(), lm.Activation("tanh")])],
        "product tanh product add",
    ),
    "Parallel": (
        lambda: [
            lm.Input(5),
            lm.Parallel([[BN(), lm.Dense(3), SCALE()], [SCALE(use_bias=True), lm.Dense(4)]]),
            BN(),
            lm.Dense(2),
        ],
        "product product concat product",
    ),
    "nested": (nested, "product tanh product tanh product"),
    "two products behind": (two_products_behind, "product product concat"),
}


def build(layers, dtype):
    found = layers()
    if isinstance(found, tuple):
        out, x = found
        return settled(lm.Model(inputs=x, outputs=out, seed=1, dtype=dtype))
    return made(found, dtype)


@pytest.mark.parametrize("dtype", BARS)
@pytest.mark.parametrize("name", FOLDED)
def test_what_scales_columns_moves_into_products(name, dtype):
    layers, stay = FOLDED[name]
    model = build(layers, dtype)
    x = rows_for(model)
    predictor = check_close(model, x)
    assert operations(predictor) == stay
    check_rows_alone(predictor, x)


def outputs_of(*picked):
    def build():
        x = lm.Input(5)
        dense = lm.Dense(4)(x)
        scaled = BN()(dense)
        after = lm.Dense(3)(scaled)
        last = lm.Activation("tanh")(scaled)
        values = {"x": x, "dense": dense, "scaled": scaled, "after": after, "last": last}
        return [values[one] for one in picked], x

    return build


def read_twice():
    x = lm.Input(5)
    dense = lm.Dense(5)(x)
    return lm.Add()([lm.Activation("tanh")(BN()(dense)), dense]), x


def scaled_by_two():
    """Two that scale the same product's output: neither may change it."""
    x = lm.Input(5)
    dense = lm.Dense(4)(x)
    return lm.Concatenate()([BN()(dense), SCALE()(dense)]), x


def one_reader_is_no_product():
    x = lm.Input(5)
    scaled = BN()(x)
    return lm.Add()([lm.Dense(5)(scaled), scaled]), x


KEPT = {
    "nothing to fold": lambda: [lm.Input(5), lm.Dense(37, activation="relu"), lm.Dense(3)],
    "before an activation": lambda: [
        lm.Input(5), BN(), lm.Activation("tanh"), SCALE(), lm.Activation("gelu"), lm.Dense(2),
    ],
    "at the end": lambda: [lm.Input(5), lm.Dense(4, activation="tanh"), BN()],
    "read by an add, too": read_twice,
    "two scale one product": scaled_by_two,
    "not only products read it": one_reader_is_no_product,
    "the product is an output": outputs_of("dense", "last"),
    "what is scaled is an output, too": lambda: _scaled_input_is_output(),
    "other normalisations": lambda: [
        lm.Input(5), lm.LayerNormalization(), lm.Dense(4), lm.RMSNormalization(), lm.Dense(2),
    ],
    "other shapes": lambda: [lm.Input((3, 4)), lm.Dense(6), lm.Reshape((2, 3))],
}  # fmt: skip


def _scaled_input_is_output():
    x = lm.Input(5)
    scaled = BN()(x)
    return [scaled, lm.Dense(3)(scaled)], x


@pytest.mark.parametrize("dtype", BARS)
@pytest.mark.parametrize("name", KEPT)
def test_where_nothing_folds_the_bits_are_the_models(name, dtype):
    model = build(KEPT[name], dtype)
    x = rows_for(model)
    predictor = check_same(model, x)
    kinds = predictor._core.operations()
    scalings = sum(isinstance(one, (BN, SCALE)) for one in model._walk())
    assert kinds.count("batch_normalization") + kinds.count("scale") == scalings
    check_rows_alone(predictor, x)


@pytest.mark.parametrize("dtype", BARS)
@pytest.mark.parametrize(
    ("picked", "stay"),
    [
        (("scaled",), "product"),
        (("scaled", "after"), "product product"),
        (("after", "last"), "product product tanh"),
        (("scaled", "scaled"), "product add"),
        (("x", "scaled"), "product"),
    ],
)
def test_outputs_that_others_read(picked, stay, dtype):
    model = build(outputs_of(*picked), dtype)
    predictor = check_close(model, rows_for(model))
    assert sorted(operations(predictor).split()) == sorted(stay.split())
    check_rows_alone(predictor, rows_for(model))


# ---- the scaling of inputs ----------------------------------------------------------------------


def normalized(x, dtype="float32", layer=lm.Normalization):
    layers = [lm.Input(x.shape[1]), layer(), lm.Dense(8, activation="tanh"), lm.Dense(2)]
    model = made(layers, dtype)
    model.adapt(x)
    return model


@pytest.mark.parametrize("dtype", BARS)
def test_the_scaling_of_inputs_folds_if_the_shift_is_small(dtype):
    draw = np.random.default_rng(0)
    x = draw.normal([0, 3, -30, 1e-6], [1, 2, 10, 1e-6], size=(300, 4))
    x = np.column_stack([x, np.full(300, 7.0)])  # a constant column says nothing
    model = normalized(x, dtype)
    predictor = check_close(model, x)
    assert operations(predictor) == "product tanh product"
    other = x.copy()
    other[:, 4] = draw.normal(size=300)
    assert np.array_equal(predictor.predict(x), predictor.predict(other))


@pytest.mark.parametrize(
    "column",
    [
        1.7e9 + np.arange(300.0),  # seconds: float32 holds minutes
        20000 + np.arange(300) / 300,
        np.arange(300) * 1e-30,  # scales that take weights to the ends of float32
        np.arange(300) * 1e30,
    ],
)
def test_the_scaling_of_inputs_far_from_zero_stays(column):
    x = np.column_stack([np.random.default_rng(0).normal(size=300), column])
    model = normalized(x)
    predictor = check_same(model, x[:40])
    assert operations(predictor) == "normalization product tanh product"
    assert len(np.unique(predictor.predict(x)[:, 0])) == 300


def test_given_statistics_may_be_in_double():
    """A shift is folded with the rest that float32 rounds off."""
    mean, deviation = 1 / 3, 0.1
    layers = [lm.Input(1), lm.Normalization(mean, deviation**2), lm.Dense(1, use_bias=False)]
    model = made(layers, "float32")
    predictor = model.freeze_for_inference()
    assert operations(predictor) == "product"
    kernel = model.layers[1].kernel[0, 0]
    want = kernel * (np.float32(0.35) - np.float64(mean)) / np.float32(deviation)
    # x / deviation is 3.5, so half an epsilon of it each: of the kernel, of the bias, of the sum
    assert abs(predictor.predict_one([0.35])[0] - want) <= 2 * 3.5 * EPSILON * abs(kernel)


@pytest.mark.parametrize("layer", [lm.RobustScale, lm.Impute])
def test_what_is_no_line_stays(layer):
    x = np.random.default_rng(0).normal(size=(40, 5))
    if layer is lm.Impute:
        x[3, 1] = x[7, 0] = np.nan
    model = normalized(x, layer=layer)
    predictor = check_same(model, x)
    assert operations(predictor).split()[0] in ("robust_scale", "impute")
    check_rows_alone(predictor, x)


def test_normalization_behind_impute():
    x = np.random.default_rng(0).normal(2, 1, size=(60, 5))
    x[3, 1] = x[7, 0] = np.nan
    layers = [lm.Input(5), lm.Impute(), lm.Normalization(), lm.Dense(8)]
    model = made(layers, "float32")
    model.adapt(x)
    predictor = check_close(model, x)
    # the indicators' means lie few deviations from 0; that of a column without any says nothing
    assert operations(predictor) in ("impute product", "impute normalization product")
    assert np.isfinite(predictor.predict(np.full((1, 5), np.nan))).all()


def test_an_unadapted_model_is_refused():
    model = lm.Model([lm.Input(3), lm.Normalization(), lm.Dense(1)])
    with pytest.raises(RuntimeError) as predicting:
        model.predict(np.zeros((1, 3)))
    with pytest.raises(RuntimeError) as freezing:
        model.freeze_for_inference()
    assert str(freezing.value) == str(predicting.value)
    assert "call model.adapt(X)" in str(freezing.value)


# ---- special numbers ----------------------------------------------------------------------------


def exact(model, x):
    """(x W + b - mean) gamma / sqrt(variance + epsilon) + beta, and what its parts add up to."""
    view = {one["name"]: model._core.view(one["name"]) for one in model._core.tensors()}
    v = {name.split("/")[1]: np.asarray(array, np.longdouble) for name, array in view.items()}
    scale = v["gamma"] / np.sqrt(v["moving_variance"] + model.layers[1].epsilon)
    x = np.asarray(x, np.longdouble)
    y = (x @ v["kernel"] + v["bias"] - v["moving_mean"]) * scale + v["beta"]
    parts = abs(x) @ abs(v["kernel"]) + abs(v["bias"]) + abs(v["moving_mean"])
    return y, parts * abs(scale) + abs(v["beta"])


@pytest.mark.parametrize("dtype", BARS)
@pytest.mark.parametrize("epsilon", [1e-3, 0.0])
def test_extreme_statistics_behind_dense(dtype, epsilon):
    """Of 12 numbers a sum: at most 15 roundings, half an epsilon each, of what is added up."""
    layers = [lm.Input(12), lm.Dense(8), lm.BatchNormalization(epsilon=epsilon)]
    model = made(layers, dtype)
    bn, kernel = model.layers[1], model.layers[0].kernel
    bn.moving_variance[:] = [1, 1e-6, 1e-12, 0, 1e4, 1e12, 0.5, 1e-20]
    bn.moving_mean[:] = [0, 100, 1e4, 3, -1e4, 1e7, 1, 0]
    bn.gamma[:] = [1, 0.5, 2, 1, 3, 1, 0, -1]
    assert kernel.shape == (12, 8)
    x = rows_for(model)
    predictor = model.freeze_for_inference()
    want, parts = exact(model, x.astype(model.dtype)) if epsilon else (None, None)
    found = predictor.predict(x)
    assert np.isfinite(found).all()
    assert operations(predictor) == "product"
    if epsilon:
        assert (abs(found - want) <= 8 * np.finfo(dtype).eps * parts).all()
        assert np.array_equal(found[:, 6], np.full(40, bn.beta[6]))
    else:  # variance 0: both say beta
        assert np.array_equal(found[:, 3], np.full(40, bn.beta[3]))
        assert np.array_equal(found[:, 3], model.predict(x)[:, 3])


def test_scales_beyond_weights_stay():
    layers = [lm.Input(3), lm.Dense(4), lm.BatchNormalization(epsilon=0)]
    model = made(layers, "float32")
    model.layers[1].moving_variance[:] = [1, 1, 1e-34, 1]
    predictor = check_same(model, rows_for(model))
    assert operations(predictor) == "product batch_normalization"


def test_a_shift_too_far_before_dense_stays():
    model = made([lm.Input(3), lm.BatchNormalization(), lm.Dense(2)], "float32")
    model.layers[0].moving_mean[:] = [0, 10, 0]
    predictor = check_same(model, rows_for(model))
    assert operations(predictor) == "batch_normalization product"


# ---- random models, inputs, files ---------------------------------------------------------------

SEEDS = [*range(12), *(pytest.param(seed, marks=pytest.mark.ci) for seed in range(12, 120))]


@pytest.mark.parametrize("seed", SEEDS)
def test_random_models(seed):
    model, x = random_model(seed, rows=20)
    predictor = check_close(model, x)
    kinds = predictor._core.operations()
    assert "dropout" not in kinds
    check_rows_alone(predictor, x)


def several_inputs(dtype="float32"):
    numbers, day = lm.Input(6, name="numbers"), lm.Input(2, kind="codes", cardinalities=[7, 4])
    parts = [lm.Normalization(0.5, 2.0)(numbers), lm.Embedding(3)(day), lm.OneHot()(day)]
    body = lm.Dense(16)(lm.Concatenate()(parts))
    body = lm.Activation("relu")(BN()(body))
    price = lm.Dense(1, name="price")(body)
    kind = lm.Dense(3, activation="softmax", name="kind")(body)
    return settled(lm.Model(inputs=[numbers, day], outputs=[price, kind], seed=0, dtype=dtype))


@pytest.mark.parametrize("dtype", BARS)
def test_several_inputs_and_outputs(dtype):
    model = several_inputs(dtype)
    draw = np.random.default_rng(0)
    codes = np.column_stack([draw.integers(0, 7, 40), draw.integers(0, 4, 40)])
    x = (draw.normal(size=(40, 6)), codes)
    predictor = check_close(model, x)
    assert "batch_normalization" not in predictor._core.operations()
    check_rows_alone(predictor, x)
    first, second = model.input_names
    named = {second: codes[0], first: x[0][0]}
    for one, same in zip(predictor.predict_one(named), predictor.predict(x), strict=True):
        assert np.array_equal(one, same[0])
    assert predictor.input_names == model.input_names
    assert predictor.output_names == ["price", "kind"]
    with pytest.raises(ValueError, match=r"is not a whole number in 0 \.\.\. 3"):
        predictor.predict_one((x[0][0], [1, 4]))
    with pytest.raises(ValueError, match="expected 2 rows, as a dict or in this order"):
        predictor.predict_one({first: x[0][0]})


def test_rows_in_any_form():
    model = made([lm.Input((2, 3)), lm.Dense(4), BN()], "float32")
    predictor = model.freeze_for_inference()
    x = np.random.default_rng(0).integers(-3, 4, size=(5, 2, 3))
    want = predictor.predict(x)[2]
    flat = x[2].ravel().astype(np.float32)
    wide = np.zeros((6, 2), np.float32)
    wide[:, 1] = flat
    backward = np.ascontiguousarray(flat[::-1])[::-1]
    forms = [flat, wide[:, 1], backward, flat.astype(">f4"), flat.astype(np.float16), x[2]]
    forms += [list(flat), x[2].tolist(), flat.astype(np.int8), {"input": flat}, tuple(flat)]
    for form in forms:
        assert np.array_equal(predictor.predict_one(form), want)
    single = made([lm.Input(1), lm.Dense(1)], "float32").freeze_for_inference()
    assert np.array_equal(single.predict_one([2.0]), single.predict([[2.0]])[0])


@pytest.mark.parametrize(
    ("x", "error", "said"),
    [
        (np.zeros(4), ValueError, r"expected one row of shape \(3,\), got \(4,\)"),
        (np.zeros((1, 3)), ValueError, r"got \(1, 3\); predict\(X\) takes several"),
        ([], ValueError, r"got \(0,\)"),
        (3.0, ValueError, "a single number"),
        (["a", "b", "c"], TypeError, "cannot use an array of dtype"),
        (np.zeros(3, complex), TypeError, "cannot use an array of dtype complex128"),
        (None, TypeError, "cannot use an array of dtype object"),
    ],
)
def test_what_is_not_one_row(x, error, said):
    predictor = made([lm.Input(3), lm.Dense(1)]).freeze_for_inference()
    with pytest.raises(error, match=said):
        predictor.predict_one(x)


def test_what_are_not_rows():
    predictor = made([lm.Input(3), lm.Dense(1)]).freeze_for_inference()
    with pytest.raises(ValueError, match="expected 3 columns, got 4"):
        predictor.predict(np.zeros((2, 4)))
    with pytest.raises(TypeError, match="cannot use an array of dtype"):
        predictor.predict([["a", "b", "c"]])
    assert predictor.predict(np.zeros((0, 3))).shape == (0, 1)


# ---- the model and its Predictor ----------------------------------------------------------------


def trained():
    draw = np.random.default_rng(0)
    x = draw.normal(size=(300, 6)).astype(np.float32)
    y = x[:, :1] * x[:, 1:2]
    layers = [lm.Input(6), lm.Normalization(), lm.Dense(16), BN(), lm.Activation("relu")]
    model = lm.Model([*layers, lm.Dropout(0.2), lm.Dense(1)], seed=0)
    return model, lm.Trainer(model, loss="mse"), x, y


def test_the_model_goes_on_and_the_predictor_stays():
    model, trainer, x, y = trained()
    trainer.fit(x, y, epochs=2, verbose=0)
    before, want = model.fingerprint(), model.predict(x)
    predictor = model.freeze_for_inference()
    assert model.fingerprint() == before
    assert np.array_equal(model.predict(x), want)
    kept = predictor.predict(x)
    assert np.abs(kept - want).max() <= BARS["float32"] * np.abs(want).max()
    trainer.fit(x, y, epochs=2, verbose=0)
    assert not np.array_equal(model.predict(x), want)
    assert np.array_equal(predictor.predict(x), kept)
    other, second, _, _ = trained()  # freezing has not changed how training goes on
    second.fit(x, y, epochs=4, verbose=0)
    assert other.fingerprint() == model.fingerprint()
    del model, trainer
    assert np.array_equal(predictor.predict(x), kept)


def test_freezing_during_a_fit_takes_the_last_epochs_weights():
    model, trainer, x, y = trained()
    found = []

    def freeze(epoch, logs):
        found.append((model.freeze_for_inference().predict(x), model.predict(x)))

    batches = lm.LambdaCallback(on_train_batch_end=freeze, on_epoch_end=freeze)
    trainer.fit(x, y, epochs=3, batch_size=100, callbacks=[batches], verbose=0)
    assert len(found) == 12
    for frozen, want in found:
        assert np.abs(frozen - want).max() <= BARS["float32"] * np.abs(want).max()
    assert np.array_equal(found[4][0], found[5][0])  # within an epoch nothing moves
    assert not np.array_equal(found[3][0], found[0][0])


def test_two_threads_predict_at_once():
    model = made([lm.Input(20), lm.Dense(300, activation="relu"), BN(), lm.Dense(9)], "float32")
    predictor = model.freeze_for_inference()
    x = rows_for(model, 200).astype(np.float32)
    want = predictor.predict(x)
    wrong, start = [], threading.Barrier(3)

    def ask(first):
        start.wait()
        for i in range(first, 200):
            if not np.array_equal(predictor.predict_one(x[i]), want[i]):
                wrong.append(i)
            if not np.array_equal(predictor.predict(x, batch_size=16 + i % 90), want):
                wrong.append(i)

    threads = [threading.Thread(target=ask, args=(first,)) for first in (100, 120, 140)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_kernels_of_many_columns_are_shared():
    """Few rows of a large network are shared by columns of packed kernels, too."""
    layers = [lm.Input(700), lm.Dense(1500, activation="relu"), BN(), lm.Dense(50)]
    model = made(layers, "float32")
    predictor = model.freeze_for_inference()
    x = rows_for(model, 20).astype(np.float32)
    predictor._exact_threads = True
    want = predictor.predict(x, num_threads=1)
    for threads in (1, 2, 3):
        for count in (1, 2, 3, 4, 5, 16, 20):
            found = predictor.predict(x[:count], num_threads=threads)
            assert np.array_equal(found, want[:count]), (threads, count)
    assert np.array_equal(predictor.predict_one(x[7]), want[7])


def test_only_models_are_frozen():
    predictor = made([lm.Input(3), lm.Dense(1)]).freeze_for_inference()
    for other in (predictor, 3, lm.Dense(1)):
        with pytest.raises(TypeError, match=r"Predictor: expected a lm\.Model, got"):
            lm.Predictor(other)


def test_copies_and_text():
    predictor = made([lm.Input(3), lm.Dense(1)]).freeze_for_inference()
    assert copy.copy(predictor) is predictor
    assert copy.deepcopy([predictor])[0] is predictor
    with pytest.raises(TypeError, match="pickle or save the model"):
        pickle.dumps(predictor)
    assert repr(predictor).startswith("<Predictor of ['input'] -> ['dense'], ")
