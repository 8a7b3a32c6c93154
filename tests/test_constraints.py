"""Constraints: Keras' numbers, NumPy's after every step, on kernels and biases, and the average."""

import pickle

import numpy as np
import pytest

import lamina as lm
from lamina._isa import core

RNG = np.random.default_rng(0)
ROWS, BATCH, COLUMNS = 60, 16, 150  # columns: three blocks, the last not full
X = RNG.normal(size=(ROWS, 4))
Y = RNG.normal(size=(ROWS, 2))


def capped(w, least, most):
    norm = np.sqrt((w.astype(float) ** 2).sum(axis=0))
    factor = np.clip(norm, least, most) / np.where(norm > 0, norm, 1)
    return np.where(norm > 0, w * factor, w)


# Each as NumPy would write it, for a matrix by columns and for a vector as one column.
NUMPY = {
    "MaxNorm": (lm.constraints.MaxNorm(0.2), lambda w: capped(w, 0, 0.2)),
    "UnitNorm": (lm.constraints.UnitNorm(), lambda w: capped(w, 1, 1)),
    "NonNeg": (lm.constraints.NonNeg(), lambda w: np.maximum(w, 0)),
}
EVERY = pytest.mark.parametrize("name", list(NUMPY))
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])


def test_every_constraint_is_here():
    assert set(NUMPY) == {entry["class"] for entry in core.catalogue()["constraints"]}


def brought_back(constraint, kernel, dtype="float64"):
    """What a step with a gradient of 0 makes of a kernel."""
    kernel = np.asarray(kernel, dtype)
    layer = lm.Dense(kernel.shape[1], use_bias=False, kernel_constraint=constraint)
    model = lm.Model([lm.Input(kernel.shape[0]), layer], seed=0, dtype=dtype)
    layer.kernel = kernel
    model.forward(np.ones((1, kernel.shape[0])), training=True)
    model.backward(np.zeros((1, kernel.shape[1])))
    lm.SGD().step(model)
    return layer.kernel


# keras-team/keras, keras/src/constraints/constraints_test.py (Apache 2.0): test_max_norm,
# test_unit_norm, test_non_neg.


@DTYPES
def test_numbers_of_keras(dtype):
    x = np.array([[0, 0, 0], [1.0, 0, 0], [3, 0, 0], [3, 3, 3]]).T
    third = 2 / np.sqrt(3)
    target = np.array([[0, 0, 0], [1.0, 0, 0], [2.0, 0, 0], [third, third, third]]).T
    np.testing.assert_allclose(brought_back("max_norm", x, dtype), target, rtol=1e-6)
    example = np.random.RandomState(3537).random_sample((100, 100)) * 100 - 50
    example[0, 0] = 0
    norms = np.linalg.norm(brought_back("unit_norm", example, dtype), axis=0)
    np.testing.assert_allclose(norms, 1, rtol=1e-6)
    assert brought_back("non_neg", example, dtype).min() == 0
    assert (brought_back("non_neg", np.full((5, 5), -3.0), dtype) == 0).all()
    assert (brought_back("non_neg", np.full((5, 5), 3.0), dtype) == 3).all()


@DTYPES
def test_at_the_edges(dtype):
    zeros = np.zeros((3, 2))
    for name in NUMPY:
        assert (brought_back(NUMPY[name][0], zeros, dtype) == 0).all()
    assert (brought_back(lm.constraints.MaxNorm(0.0), zeros + 3, dtype) == 0).all()
    assert not np.signbit(brought_back("non_neg", zeros - 1e-30, dtype)).any()
    for size in (1e-15, 1e15):  # squares that float32 has not
        column = np.array([[3.0], [-4.0]]) * size
        got = brought_back("unit_norm", column, dtype)
        np.testing.assert_allclose(got, [[0.6], [-0.8]], rtol=1e-6)
    held = np.array([[0.3, 1.0], [0.4, 0.0]], dtype)  # already as they must be: not a bit moves
    assert brought_back(lm.constraints.MaxNorm(1.0), held, dtype).tobytes() == held.tobytes()


def make(optimizer, dtype="float64", **options):
    layer = lm.Dense(COLUMNS, activation="tanh", **options)
    model = lm.Model([lm.Input(4), layer, lm.Dense(2)], seed=1, dtype=dtype)
    layer.bias = np.linspace(-1, 1, COLUMNS)
    return lm.Trainer(model, loss="mse", optimizer=optimizer), layer


def values(model):
    return [np.array(a) for layer in model.layers for a in (layer.kernel, layer.bias)]


@DTYPES
@pytest.mark.parametrize("accumulation", [1, 2])
@EVERY
def test_each_step_is_one_without_and_numpy(name, dtype, accumulation):
    """Of a fit, on the kernel and the bias; a step without a constraint begins at each weights."""
    constraint, by_numpy = NUMPY[name]
    options = {"learning_rate": 0.3, "gradient_accumulation_steps": accumulation}
    trainer, layer = make(
        lm.SGD(**options), dtype, kernel_constraint=constraint, bias_constraint=constraint
    )
    other, free = make(lm.SGD(**options), dtype)
    steps, acted = [], []

    def compare(batch, _):
        rows = slice(batch % 4 * BATCH, batch % 4 * BATCH + BATCH)
        other.compute_gradients(X[rows], Y[rows])
        other.optimizer.step(other.model)
        if other.optimizer.iterations > len(steps):
            steps.append(batch)
            ulp = 4 * np.finfo(dtype).eps
            np.testing.assert_allclose(layer.kernel, by_numpy(free.kernel), rtol=ulp, atol=ulp)
            np.testing.assert_allclose(layer.bias, by_numpy(free.bias), rtol=ulp, atol=ulp)
            acted.append(not np.array_equal(layer.kernel, free.kernel))
        for mine, theirs in zip(other.model.layers, trainer.model.layers, strict=True):
            mine.kernel, mine.bias = theirs.kernel, theirs.bias

    watch = lm.LambdaCallback(on_train_batch_end=compare)
    trainer.fit(X, Y, epochs=3, batch_size=BATCH, shuffle=False, verbose=0, callbacks=[watch])
    assert len(steps) == 12 // accumulation
    assert any(acted)


@DTYPES
@pytest.mark.parametrize("optimizer", [e["class"] for e in core.catalogue()["optimizers"]])
@EVERY
def test_it_holds_after_every_step(name, optimizer, dtype):
    constraint, by_numpy = NUMPY[name]
    trainer, layer = make(
        getattr(lm, optimizer)(learning_rate=0.1),
        dtype,
        kernel_constraint=constraint,
        bias_constraint=constraint,
    )
    bar = 4 * np.finfo(dtype).eps

    def holds(batch, _):
        for w in (layer.kernel, layer.bias):
            np.testing.assert_allclose(w, by_numpy(w), rtol=bar, atol=0)

    watch = lm.LambdaCallback(on_train_batch_end=holds)
    trainer.fit(X, Y, epochs=2, batch_size=BATCH, verbose=0, callbacks=[watch])
    holds(0, {})
    assert trainer.optimizer.iterations == 8


@EVERY
def test_the_average_follows_the_constrained_weights(name):
    constraint, _ = NUMPY[name]
    trainer, _ = make(
        lm.Adam(0.05, use_ema=True, ema_momentum=0.7),
        kernel_constraint=constraint,
        bias_constraint=constraint,
    )
    average = values(trainer.model)

    def follow(batch, _):
        for a, w in zip(average, values(trainer.model), strict=True):
            a += 0.3 * (w - a)

    watch = lm.LambdaCallback(on_train_batch_end=follow)
    trainer.fit(X, Y, epochs=2, batch_size=BATCH, verbose=0, callbacks=[watch])
    for a, w in zip(average, values(trainer.model), strict=True):
        assert np.abs(a - w).max() <= 1e-13


def test_it_comes_after_the_proximal_step():
    """Unit norm is not undone by what L1 takes away."""
    trainer, layer = make(lm.SGD(0.1), kernel_constraint="unit_norm", kernel_regularizer=lm.L1(0.5))
    trainer.fit(X, Y, epochs=1, batch_size=BATCH, verbose=0)
    assert (layer.kernel == 0).any()
    norms = np.linalg.norm(layer.kernel, axis=0)
    assert norms[norms > 0] == pytest.approx(1, abs=1e-14)


def test_a_frozen_layer_is_left_alone():
    trainer, layer = make(lm.SGD(0.1), kernel_constraint="unit_norm", trainable=False)
    before = layer.kernel.copy()
    trainer.fit(X, Y, epochs=1, batch_size=BATCH, verbose=0)
    assert np.array_equal(layer.kernel, before)


# ---- as arguments -------------------------------------------------------------------------------


@EVERY
def test_round_trips(name, tmp_path):
    constraint, _ = NUMPY[name]
    layer = lm.Dense(2, kernel_constraint=constraint, bias_constraint=constraint)
    assert lm.Dense.from_config(layer.get_config()) == layer
    assert eval(repr(layer), {"lm": lm}) == layer
    model = lm.Model([lm.Input(3), layer], seed=0)
    model.save(tmp_path / "m.lamina")
    loaded = lm.load(tmp_path / "m.lamina").layers[0]
    assert loaded.kernel_constraint == loaded.bias_constraint == constraint


def test_by_name():
    for name, expected in (
        ("max_norm", lm.constraints.MaxNorm(2.0)),
        ("unit_norm", lm.constraints.UnitNorm()),
        ("non_neg", lm.constraints.NonNeg()),
        ("non_negative", lm.constraints.NonNeg()),
    ):
        model = lm.Model([lm.Input(3), lm.Dense(2, kernel_constraint=name)], seed=0)
        copied = pickle.loads(pickle.dumps(model))
        assert copied.layers[0].kernel_constraint == expected


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"kernel_constraint": "max_nrom"},
            "unknown constraint 'max_nrom'. Did you mean 'max_norm'",
        ),
        ({"bias_constraint": lm.L2(0.1)}, "unknown constraint 'L2'. .*Known: max_norm"),
        ({"kernel_constraint": 3}, "a constraint is a name or an object of lamina, got 3"),
        ({"kernel_constraint": lm.constraints.MaxNorm(-1.0)}, "MaxNorm: max_value must be in"),
        ({"kernel_constraint": lm.constraints.MaxNorm(float("nan"))}, "max_value must be"),
        ({"learning_rate_multiplier": -1.0}, "Dense: learning_rate_multiplier must be in"),
        ({"weight_decay_multiplier": -0.5}, "Dense: weight_decay_multiplier must be in"),
        ({"learning_rate_multiplier": float("inf")}, "must be a finite number, got inf"),
    ],
    ids=str,
)
def test_refused(options, words):
    with pytest.raises(ValueError, match=words):
        lm.Model([lm.Input(2), lm.Dense(2, **options)])
