"""Every dtype, byte order and layout: the bits of the converted, C-contiguous array."""

import functools

import numpy as np
import pytest
from layouts import LAYOUTS

import lamina as lm

WHOLES = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
DTYPES = ["bool", *WHOLES, "float16", "float32", "float64"]
ROWS, COLUMNS = 131, 19  # no multiples of a register or of a part of the gather
MODELS = ("float32", "float64")


def numbers(dtype, seed=0):
    """Any numbers of a dtype, its extremes among them; of floats small ones, too."""
    draw, shape = np.random.default_rng(seed), (ROWS, COLUMNS)
    kind = np.dtype(dtype)
    if kind.kind in "iu":
        info = np.iinfo(kind)
        x = draw.integers(info.min, info.max, shape, kind, endpoint=True)
        x[0, :2] = info.min, info.max
        return x
    if kind.kind == "b":
        return draw.integers(2, size=shape).astype(bool)
    x = draw.normal(size=shape) * 10.0 ** draw.integers(-8, 4, shape)
    x[:3, :3] = 0.0, -0.0, 1e-7
    return x.astype(kind)


def make(dtype, width=COLUMNS):
    layers = [lm.Input(width), lm.Dense(7, activation="tanh"), lm.Dense(2)]
    model = lm.Model(layers, seed=0, dtype=dtype)
    model.layers[0].kernel *= 1e-3
    return model


def of_order(x, order):
    return x if order == "=" else x.astype(x.dtype.newbyteorder())


@functools.cache
def expected(of_model, dtype):
    """The fingerprint after a fit, and predictions, of the array that a user would convert."""
    return outcome(of_model, numbers(dtype).astype(of_model))


def outcome(of_model, x):
    model = make(of_model)
    predictions = model.predict(x)
    for i in (0, 64, ROWS - 1):
        assert np.array_equal(model.predict_one(x[i]), predictions[i])
    trainer = lm.Trainer(model, loss="huber", optimizer=lm.SGD(1e-9), num_threads=1)
    trainer.fit(x, np.zeros((ROWS, 2)), epochs=1, batch_size=50, verbose=0)
    trainer.train_on_batch(x, np.zeros((ROWS, 2)))
    return model.fingerprint(), predictions.tobytes()


@pytest.mark.parametrize("order", ["=", "swapped"])
@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "list"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_any_dtype_in_any_memory(dtype, layout, order):
    x = LAYOUTS[layout](of_order(numbers(dtype), order))
    for of_model in MODELS:
        assert outcome(of_model, x) == expected(of_model, dtype)


@pytest.mark.parametrize("of_model", MODELS)
def test_every_half(of_model):
    """All 65536 but infinities and NaN, at each place of a register, are their values."""
    halves = np.arange(65536, dtype=np.uint16).view(np.float16)
    halves = halves[np.isfinite(halves)][: 63488 // 31 * 31]
    model = lm.Model([lm.Input(31), lm.Dense(31, use_bias=False)], seed=0, dtype=of_model)
    model.layers[0].kernel[:] = np.eye(31)
    for turned in (0, 1, 5):
        x = np.roll(halves, turned).reshape(-1, 31)
        assert np.array_equal(model.predict(x), x.astype(of_model))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_found_in_any_memory(value, dtype, order):
    x = np.asarray(np.ones((300, COLUMNS)), dtype, order)
    x[217, 11] = value
    kind = "NaN" if np.isnan(value) else "infinity"
    with pytest.raises(ValueError, match=f"X: column 11 holds {kind} in row 217"):
        lm.Trainer(make("float32"), loss="mse").fit(x, np.zeros((300, 2)), epochs=1, verbose=0)
