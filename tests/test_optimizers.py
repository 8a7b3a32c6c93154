"""Optimizers alone on arrays: Keras' forms and numbers, what docstrings promise, what is refused.

PyTorch's numbers are in test_torch_optimizers.py, fits in test_optimizers_in_fit.py.
"""

import copy
import json
import pickle

import numpy as np
import pytest

import lamina as lm
from lamina import schedules
from lamina._isa import core

ENTRIES = {entry["class"]: entry for entry in core.catalogue()["optimizers"]}
EVERY_NAME = pytest.mark.parametrize("name", list(ENTRIES))
WITH_FORM = [
    name for name, e in ENTRIES.items() if any(p["name"] == "form" for p in e["parameters"])
]


def after(optimizer, weights, *gradients):
    """The weights after steps with these gradients."""
    weights = np.array(weights)
    for gradient in gradients:
        optimizer.update(weights, np.asarray(gradient, weights.dtype))
    return weights


# ---- Keras' published numbers -------------------------------------------------------------------
# From keras-team/keras, keras/src/optimizers/*_test.py (Apache 2.0): test_single_step,
# test_weight_decay and test_correctness_with_golden, with the tolerances there. Keras' defaults are
# written out where they are not ours.


def numbers(text):
    return [float(word) for word in text.split()]


KERAS = {"epsilon": 1e-7, "form": "keras"}
SINGLE_STEPS = {
    "SGD": ({}, [0.5, -1.0, -0.5, 3.0]),
    "Adagrad": (
        {"initial_accumulator_value": 0.1, **KERAS},
        [0.5233, 1.5007, 2.5005, 3.5061],
    ),
    "Adadelta": ({"rho": 0.95, "epsilon": 1e-7}, [0.9993, 1.9993, 2.9993, 3.9993]),
    "RMSprop": ({"rho": 0.9, **KERAS}, [-0.5811, 0.4189, 1.4189, 2.4189]),
    "Adam": (KERAS, [0.5, 1.5, 2.5, 3.5]),
    "AdamW": ({"weight_decay": 0.004, **KERAS}, [0.4980, 1.4960, 2.494, 3.492]),
    "Adamax": (KERAS, [0.5, 1.5, 2.5, 3.5]),
    "NAdam": ({"momentum_decay": 1.0, "epsilon": 1e-7}, [0.4686, 1.4686, 2.4686, 3.4686]),
    "Lion": ({}, [0.5, 1.5, 2.5, 3.5]),
}
# The weights, all 1 at first, after a gradient of 0.01 and then 0.1, 0.2 ... 1.0 each time.
GOLDEN = {
    "Nesterov": (  # theirs is SGD(nesterov=True) with a momentum of 0
        {"momentum": 0.0, "form": "keras"},
        [
            [0.9999] * 10,
            [0.9989, 0.9979, 0.9969, 0.9959, 0.9949, 0.9939, 0.9929, 0.9919, 0.9909, 0.9899],
            [0.9979, 0.9959, 0.9939, 0.9919, 0.9899, 0.9879, 0.9859, 0.9839, 0.9819, 0.9799],
            [0.9969, 0.9939, 0.9909, 0.9879, 0.9849, 0.9819, 0.9789, 0.9759, 0.9729, 0.9699],
            [0.9959, 0.9919, 0.9879, 0.9839, 0.9799, 0.9759, 0.9719, 0.9679, 0.9639, 0.9599],
        ],
    ),
    "Adagrad": (
        {
            "learning_rate": 0.2,
            "initial_accumulator_value": 0.3,
            "epsilon": 1e-6,
            "form": "keras",
        },
        [
            [0.9963] * 10,
            [0.9604, 0.9278, 0.9003, 0.8784, 0.8615, 0.8487, 0.8388, 0.8313, 0.8255, 0.8209],
            [0.9251, 0.8629, 0.8137, 0.7768, 0.7497, 0.7298, 0.7151, 0.704, 0.6956, 0.6891],
            [0.8903, 0.8012, 0.7342, 0.6862, 0.6521, 0.6277, 0.6099, 0.5967, 0.5867, 0.579],
            [0.856, 0.7422, 0.6604, 0.6037, 0.5644, 0.5367, 0.5168, 0.5021, 0.491, 0.4825],
        ],
    ),
    "Adadelta": (
        {"learning_rate": 1.0, "rho": 0.8, "epsilon": 1e-6},
        [[x] * 10 for x in (0.9978, 0.9947, 0.9915, 0.9882, 0.9849)],
    ),
    "RMSprop": (
        {"learning_rate": 0.001, "rho": 0.9, "centered": True, **KERAS},
        [[x] * 10 for x in (0.9967, 0.9933, 0.9908, 0.9885, 0.9864)],
    ),
    "AMSGrad": (KERAS, [[x] * 10 for x in (0.999, 0.9982, 0.9974, 0.9965, 0.9955)]),
    "AdamW": (
        {"learning_rate": 1.0, "weight_decay": 0.5, "epsilon": 2.0, "form": "keras"},
        [
            [0.4998] * 10,
            [0.2486, 0.2475, 0.2463, 0.2451, 0.244, 0.2428, 0.2417, 0.2405, 0.2394, 0.2382],
            [0.1223, 0.1198, 0.1174, 0.1149, 0.1124, 0.11, 0.1075, 0.1051, 0.1027, 0.1003],
            [0.0586, 0.0549, 0.0512, 0.0475, 0.0439, 0.0402, 0.0366, 0.033, 0.0294, 0.0258],
            [0.0263, 0.0215, 0.0167, 0.012, 0.0073, 0.0026, -0.0021, -0.0067, -0.0113, -0.0159],
        ],
    ),
    "Adamax": (
        {"learning_rate": 0.2, "beta_1": 0.85, "beta_2": 0.95, "epsilon": 1e-6, "form": "keras"},
        [
            [0.8] * 10,
            [0.6827, 0.6873, 0.6888, 0.6896, 0.6901, 0.6904, 0.6906, 0.6908, 0.6909, 0.691],
            [0.5333, 0.5407, 0.5431, 0.5444, 0.5451, 0.5456, 0.546, 0.5462, 0.5464, 0.5466],
            [0.368, 0.3773, 0.3804, 0.382, 0.3829, 0.3835, 0.384, 0.3843, 0.3846, 0.3848],
            [0.1933, 0.204, 0.2076, 0.2094, 0.2105, 0.2112, 0.2117, 0.2121, 0.2124, 0.2126],
        ],
    ),
    "NAdam": (
        {
            "learning_rate": 0.5,
            "beta_1": 0.5,
            "beta_2": 0.67,
            "epsilon": 1e-5,
            "momentum_decay": 1.0,
        },
        [
            [0.4281] * 10,
            numbers(
                "-0.1738 -0.1731 -0.1726 -0.1723 -0.1721 -0.172 -0.1719 -0.1718 -0.1718 -0.1717"
            ),
            numbers(
                "-0.7115 -0.7103 -0.7096 -0.7092 -0.709 -0.7088 -0.7086 -0.7085 -0.7085 -0.7084"
            ),
            numbers(
                "-1.2335 -1.2322 -1.2313 -1.2309 -1.2306 -1.2304 -1.2302 -1.2301 -1.23 -1.2299"
            ),
            numbers(
                "-1.7492 -1.7478 -1.7469 -1.7464 -1.7461 -1.7459 -1.7457 -1.7456 -1.7455 -1.7454"
            ),
        ],
    ),
    "Lion": (
        {"learning_rate": 0.001},
        [[x] * 10 for x in (0.999, 0.998, 0.997, 0.996, 0.995)],
    ),
}
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])


@DTYPES
@pytest.mark.parametrize("name", list(SINGLE_STEPS))
def test_a_step_of_keras(name, dtype):
    options, expected = SINGLE_STEPS[name]
    optimizer = getattr(lm, name)(learning_rate=0.5, **options)
    got = after(optimizer, np.array([1.0, 2.0, 3.0, 4.0], dtype), [1.0, 6.0, 7.0, 2.0])
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


@DTYPES
@pytest.mark.parametrize("name", list(GOLDEN))
def test_golden_numbers_of_keras(name, dtype):
    options, golden = GOLDEN[name]
    optimizer, weights = getattr(lm, name)(**options), np.ones(10, dtype)
    gradient = np.full(10, 0.01, dtype)
    for expected in golden:
        optimizer.update(weights, gradient)
        np.testing.assert_allclose(weights, expected, rtol=5e-4, atol=5e-4)
        gradient = np.arange(0.1, 1.1, 0.1)[:10].astype(dtype)


@DTYPES
@EVERY_NAME
def test_weight_decay_of_keras(name, dtype):
    """Three steps with a gradient of 0 at a rate of 1 and a decay of 0.004."""
    optimizer = getattr(lm, name)(learning_rate=1.0, weight_decay=0.004)
    got = after(optimizer, np.array([2.0], dtype), *np.zeros((3, 1)))
    assert got[0] == pytest.approx(1.9760959, abs=1e-6)


def test_clips_of_keras():
    gradient = [100.0, 100.0]
    for clip, expected in (("clipnorm", 2**0.5 / 2), ("clipvalue", 1.0)):
        got = after(lm.SGD(learning_rate=1.0, **{clip: 1.0}), [0.0, 0.0], gradient)
        np.testing.assert_allclose(got, [-expected, -expected], rtol=1e-6)
    got = after(lm.SGD(learning_rate=1.0, global_clipnorm=1.0), [0.0, 0.0], [50.0, 100.0])
    np.testing.assert_allclose(got, -np.array([50.0, 100.0]) / np.hypot(50, 100), rtol=1e-6)


def test_accumulated_gradients_of_keras():
    optimizer = lm.SGD(learning_rate=1.0, gradient_accumulation_steps=3)
    weights = np.array([[1.0, 2.0], [3.0, 4.0]])
    start = weights.copy()
    for batch in range(1, 5):
        optimizer.update(weights, np.ones((2, 2)))
        assert np.array_equal(weights, start - (batch >= 3))
        assert optimizer.iterations == batch // 3  # theirs counts batches, ours steps
    optimizer = lm.SGD(learning_rate=1.0, gradient_accumulation_steps=2)
    assert np.array_equal(after(optimizer, start, np.ones((2, 2)), np.full((2, 2), 2)), start - 1.5)


# ---- Keras' forms -------------------------------------------------------------------------------
# As keras/src/optimizers have them: a step of each, from state s (arrays of 0), rate r and step t.


def keras_momentum(g, s, r, t):
    s["v"] = 0.8 * s["v"] - r * g
    return s["v"]


def keras_nesterov(g, s, r, t):
    return 0.8 * keras_momentum(g, s, r, t) - r * g


def keras_adagrad(g, s, r, t):
    s["v"] = s["v"] + g * g
    return -r * g / np.sqrt(s["v"] + 0.1 + 0.05)


def keras_rmsprop(g, s, r, t):
    s["v"] = 0.9 * s["v"] + 0.1 * g * g
    s["m"] = 0.9 * s["m"] + 0.1 * g
    s["u"] = 0.8 * s["u"] + r * g / np.sqrt(s["v"] - s["m"] ** 2 + 0.05)
    return -s["u"]


def keras_adam(g, s, r, t):
    s["m"] = 0.8 * s["m"] + 0.2 * g
    s["v"] = 0.9 * s["v"] + 0.1 * g * g
    s["u"] = np.maximum(s["u"], s["v"])
    return -r * np.sqrt(1 - 0.9**t) / (1 - 0.8**t) * s["m"] / (np.sqrt(s["v"]) + 0.05)


def keras_amsgrad(g, s, r, t):
    keras_adam(g, s, r, t)
    return -r * np.sqrt(1 - 0.9**t) / (1 - 0.8**t) * s["m"] / (np.sqrt(s["u"]) + 0.05)


def keras_adamax(g, s, r, t):
    s["m"] = 0.8 * s["m"] + 0.2 * g
    s["u"] = np.maximum(0.9 * s["u"], np.abs(g))
    return -r / (1 - 0.8**t) * s["m"] / (s["u"] + 0.05)


ADAM = {"beta_1": 0.8, "beta_2": 0.9, "epsilon": 0.05}
FORMS = {
    "Momentum": (keras_momentum, {"momentum": 0.8}),
    "Nesterov": (keras_nesterov, {"momentum": 0.8}),
    "Adagrad": (keras_adagrad, {"initial_accumulator_value": 0.1, "epsilon": 0.05}),
    "RMSprop": (
        keras_rmsprop,
        {"rho": 0.9, "momentum": 0.8, "epsilon": 0.05, "centered": True},
    ),
    "Adam": (keras_adam, ADAM),
    "AdamW": (keras_adam, {**ADAM, "weight_decay": 0.0}),
    "AMSGrad": (keras_amsgrad, ADAM),
    "Adamax": (keras_adamax, ADAM),
}


@pytest.mark.parametrize("name", WITH_FORM)
def test_the_form_of_keras(name):
    """With a rate that moves and a large epsilon, so that the two forms are two."""
    step, options = FORMS[name]
    rate = schedules.InverseTime(0.1, 0.3)
    rng = np.random.default_rng(0)
    weights, state = rng.normal(size=20), dict.fromkeys("muv", np.zeros(20))
    keras = getattr(lm, name)(learning_rate=rate, form="keras", **options)
    ours, other = weights.copy(), weights.copy()
    torch = getattr(lm, name)(learning_rate=rate, **options)
    for t in range(1, 31):
        gradient = rng.normal(size=20)
        weights += step(gradient, state, rate(t - 1), t)
        keras.update(ours, gradient)
        torch.update(other, gradient)
        assert ours == pytest.approx(weights, abs=1e-13)
    assert np.abs(ours - other).max() > 1e-3


@pytest.mark.parametrize("name", ["Momentum", "Nesterov"])
def test_at_a_constant_rate_the_forms_are_equal(name):
    gradients = np.random.default_rng(0).normal(size=(30, 5))
    one = after(getattr(lm, name)(0.1), np.zeros(5), *gradients)
    other = after(getattr(lm, name)(0.1, form="keras"), np.zeros(5), *gradients)
    assert one == pytest.approx(other, rel=1e-12)


# ---- what is promised ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Adam", "AMSGrad", "RAdam"])
def test_no_weight_moves_much_more_than_the_rate(name):
    rng = np.random.default_rng(0)
    optimizer = getattr(lm, name)(learning_rate=0.01)
    weights = np.zeros(50)
    for _ in range(300):
        before = weights.copy()
        optimizer.update(weights, rng.normal(size=50) * np.logspace(-6, 4, 50))
        if name != "RAdam" or optimizer.iterations > 5:  # its first steps are m alone
            assert np.abs(weights - before).max() <= 0.015


def test_lion_moves_every_weight_by_the_rate():
    optimizer, weights = lm.Lion(learning_rate=0.5), np.zeros(4)
    for gradient in ([1.0, -1e-30, 1e30, 0.0], [1.0, 1e-10, 1.0, 0.0]):
        before = weights.copy()
        optimizer.update(weights, np.array(gradient))
        assert np.abs(weights - before).tolist() == [0.5, 0.5, 0.5, 0.0]


@EVERY_NAME
def test_a_gradient_of_zero_moves_nothing_at_first(name):
    weights = np.array([1.0, -2.0, 0.0])
    optimizer = getattr(lm, name)(learning_rate=0.1, weight_decay=0.0)
    assert np.array_equal(after(optimizer, weights, *np.zeros((3, 3))), weights)


@EVERY_NAME
def test_the_state_of_a_scheduled_setting_is_kept(name):
    """A momentum that a schedule sets was none: its default of 0 had no slot."""
    gradients = np.random.default_rng(0).normal(size=(10, 6))
    for parameter in ENTRIES[name]["parameters"]:
        key = parameter["name"]
        if key not in ("momentum", "beta_1", "rho"):
            continue
        fixed = after(getattr(lm, name)(**{key: 0.7}), np.zeros(6), *gradients)
        for schedule in (schedules.Step(0.7, 1000), lambda _: 0.7):
            moving = after(getattr(lm, name)(**{key: schedule}), np.zeros(6), *gradients)
            assert np.array_equal(moving, fixed)
        assert not np.array_equal(fixed, after(getattr(lm, name)(), np.zeros(6), *gradients))


@EVERY_NAME
def test_copies_begin_anew_and_reset_does(name):
    gradients = np.random.default_rng(0).normal(size=(5, 6))
    optimizer = getattr(lm, name)(gradient_accumulation_steps=2, clipvalue=0.5)
    first = after(optimizer, np.ones(6), *gradients)
    assert optimizer.iterations == 2
    for again in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        assert again == optimizer
        assert again.iterations == 0
        assert np.array_equal(after(again, np.ones(6), *gradients), first)
    optimizer.reset()
    assert optimizer.iterations == 0
    assert np.array_equal(after(optimizer, np.ones(6), *gradients), first)


@pytest.mark.parametrize("name", WITH_FORM)
def test_the_form_is_written(name):
    optimizer = getattr(lm, name)(form="keras", gradient_accumulation_steps=3)
    assert type(optimizer)(**optimizer.get_config()) == optimizer
    assert eval(repr(optimizer), {"lm": lm}) == optimizer
    spec = json.loads(optimizer.handle.spec)
    assert (spec["form"], spec["gradient_accumulation_steps"]) == ("keras", 3)


@DTYPES
def test_on_arrays_and_on_a_model_the_same_bits(dtype):
    """Numbers too small to be normal are flushed in both."""
    tiny = float(np.finfo(dtype).tiny)
    for name in ENTRIES:
        model = lm.Model([lm.Input(3), lm.Dense(4, use_bias=False)], seed=0, dtype=dtype)
        layer = model.layers[0]
        layer.kernel *= tiny * 10
        array = layer.kernel.copy()
        by_hand, alone = (getattr(lm, name)(learning_rate=0.1) for _ in range(2))
        for scale in (4 * tiny, 1.5 * tiny, 5 * tiny, 1e3 * tiny, 0.5, tiny):
            x = np.eye(3, dtype=dtype)
            model.forward(x, training=True)
            model.backward((scale * np.arange(1, 13).reshape(3, 4)).astype(dtype))
            gradient = layer.kernel_gradient.copy()
            by_hand.step(model)
            alone.update(array, gradient)
            assert array.tobytes() == layer.kernel.tobytes(), name


def test_a_schedule_that_fails_adds_no_gradient_twice():
    """The batch that a step was due with is given again: its gradient had been added already."""
    fails = [True]

    def rate(step):
        if fails.pop() if fails else False:
            raise ZeroDivisionError
        return 0.5

    optimizer = lm.SGD(rate, gradient_accumulation_steps=2)
    weights = np.zeros(2)
    optimizer.update(weights, np.array([1.0, 2.0]))
    with pytest.raises(ZeroDivisionError):
        optimizer.update(weights, np.array([3.0, 4.0]))
    assert np.array_equal(weights, [0, 0])
    optimizer.update(weights, np.array([3.0, 4.0]))
    assert np.array_equal(weights, [-1.0, -1.5])


# ---- what is refused ----------------------------------------------------------------------------


@EVERY_NAME
def test_ranges(name):
    for parameter in ENTRIES[name]["parameters"]:
        key, low, high = parameter["name"], parameter["minimum"], parameter["maximum"]
        if key in ("form", "centered"):
            continue
        for bad in (low - 0.5, float("nan"), None if high is None else high + 0.5):
            if bad is not None:
                with pytest.raises(ValueError, match=f"{name}: {key} must be"):
                    _ = getattr(lm, name)(**{key: bad}).handle
        for good in (low, high):
            if good is not None:
                assert getattr(lm, name)(**{key: good}).handle.iterations == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"form": "kears"},
            r"form must be one of torch, keras, got \"kears\". Did you mean 'keras'",
        ),
        ({"form": 1}, "form must be one of torch, keras, got 1"),
        ({"form": schedules.Step(0.1, 2)}, "form cannot follow a schedule"),
        ({"beta_1": 1.0}, r"beta_1 must be in \[0, 0.999999\], got 1"),
        ({"clipnorm": 1.0, "global_clipnorm": 1.0}, "clipnorm or global_clipnorm, not both"),
        ({"clipvalue": 0.0}, "clipvalue must be above 0, got 0"),
        ({"clipnorm": -1.0}, "clipnorm must be"),
        ({"global_clipnorm": float("nan")}, "global_clipnorm must be"),
        ({"weight_decay": -0.1}, "weight_decay must be in"),
        ({"use_ema": 3}, "use_ema must be True or False, got 3"),
        ({"ema_momentum": 1.5}, r"ema_momentum must be in \[0, 1\], got 1.5"),
        ({"gradient_accumulation_steps": 0}, "whole number of at least 1, got 0"),
        ({"gradient_accumulation_steps": -2}, "whole number of at least 1, got -2"),
        ({"gradient_accumulation_steps": 1.5}, "whole number of at least 1, got 1.5"),
        ({"gradient_accumulation_steps": True}, "whole number of at least 1, got true"),
    ],
    ids=str,
)
def test_refused(options, words):
    with pytest.raises(ValueError, match=f"Adam: .*{words}"):
        _ = lm.Adam(**options).handle


@pytest.mark.parametrize("value", [0.5, 1, "yes", None])
def test_a_flag_is_true_or_false(value):
    if value is None:
        assert lm.RMSprop(centered=None).handle.iterations == 0  # as if it had not been given
        return
    with pytest.raises(ValueError, match="RMSprop: centered must be True or False, got"):
        _ = lm.RMSprop(centered=value).handle


def test_where_an_accumulator_begins_is_no_schedule():
    with pytest.raises(ValueError, match="initial_accumulator_value cannot follow a schedule"):
        _ = lm.Adagrad(initial_accumulator_value=schedules.Step(0.1, 2)).handle


def test_other_arrays_are_refused_in_the_middle_of_a_sum():
    optimizer = lm.Adam(gradient_accumulation_steps=2)
    optimizer.update(np.zeros(3), np.ones(3))
    with pytest.raises(ValueError, match="belongs to other arrays"):
        optimizer.update(np.zeros(4), np.ones(4))
    weights = np.zeros(3)
    optimizer.update(weights, np.ones(3))
    assert weights == pytest.approx(-0.001, rel=1e-6)
