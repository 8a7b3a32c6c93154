"""Schedules alone: laws over the registry, formulas, Keras' golden values, what is refused.

In a fit: test_schedules_in_fit.py. Beside PyTorch's: test_torch_schedules.py.
"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lamina as lm
from lamina import schedules
from lamina._isa import core

CATALOGUE = {entry["class"]: entry for entry in core.catalogue()["schedules"]}
# Of what is made of other schedules.
GIVEN = {
    "Warmup": {"schedule": schedules.Linear(0.5, 20, 0.25)},
    "Piecewise": {"boundaries": (4, 9), "values": (0.5, lm.Cosine(0.25), lm.Cosine(0.5, 8))},
    "Function": {"function": lambda t: 1 / (1 + t)},
}
# Where a function of steep curves can be told from one that jumps.
GENTLE = {
    "cycles": (0.5, 6),
    "decay_rate": (0, 5),
    "decay_steps": (0.5, 20),
    "div_factor": (0.5, 50),
    "final_div_factor": (0.5, 1000),
    "gamma": (0.05, 1),
    "pct_start": (0.1, 0.45),
    "power": (0.5, 4),
    "total_steps": (12, 50),
    "warmup_steps": (1, 20),
}
JUMPS = {"Step", "MultiStep", "CosineRestarts", "Piecewise"}


@st.composite
def made(draw, name, gentle=False):
    """Some legal schedule of a class, its arguments drawn from the catalogue's ranges."""
    arguments = dict(GIVEN.get(name, {}))
    for parameter in CATALOGUE[name]["parameters"]:
        key, low, high = (parameter[part] for part in ("name", "minimum", "maximum"))
        low, high = low or 0, 1 if key == "gamma" else 50 if high is None else high
        low, high = GENTLE.get(key, (low, high)) if gentle else (low, high)
        if key in arguments:
            continue
        if "options" in parameter:
            options = ["step"] if name in GIVEN else parameter["options"]
            arguments[key] = draw(st.sampled_from(options))
        elif isinstance(parameter["default"], bool):
            arguments[key] = not gentle and draw(st.booleans())
        elif key == "milestones":
            arguments[key] = tuple(draw(st.lists(st.floats(0, 50), min_size=1, max_size=4)))
        else:
            arguments[key] = draw(st.floats(low, high, allow_subnormal=False))
    return getattr(schedules, name)(**arguments)


def why_not(call):
    """The message of a ValueError, or nothing."""
    try:
        call()
    except ValueError as error:
        return str(error)
    return ""


def test_every_schedule_is_in_the_module():
    assert set(CATALOGUE) == set(schedules.__all__) - {"Schedule"}


@pytest.mark.parametrize("name", list(CATALOGUE))
def test_finite_and_never_negative(name):
    @given(made(name), st.lists(st.floats(0, 200), max_size=20))
    def holds(schedule, times):
        values = schedule(np.array([0, 1, 2, 1e6, *times]))
        assert np.isfinite(values).all()
        assert (values >= 0).all()

    holds()


@pytest.mark.parametrize("name", sorted(set(CATALOGUE) - {"Function"}))
def test_bounds_are_kept(name):
    """What an optimizer accepts when it is made stays in the parameter's range."""

    @given(made(name))
    def holds(schedule):
        refusal = why_not(lambda: lm.Momentum(momentum=schedule).handle)
        if refusal:
            assert f"and its schedule {name} reaches" in refusal
        else:
            assert schedule(np.linspace(0, 200, 401)).max() <= 1 + 1e-12
            assert lm.Momentum(momentum=schedule).current("momentum") == schedule(0)

    holds()


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_continuous_where_it_should_be(name):
    """Sixteen times finer, steps of the value are smaller, too; those of a jump are not."""

    def largest_step(schedule, points):
        return np.abs(np.diff(schedule(np.linspace(0, 60, points + 1)))).max()

    @given(made(name, gentle=True))
    def holds(schedule):
        assert largest_step(schedule, 6400) <= 0.5 * largest_step(schedule, 400) + 1e-12

    if name not in JUMPS:
        holds()
        return
    jumping = {
        "Step": schedules.Step(1, 7),
        "MultiStep": schedules.MultiStep(1, [7]),
        "CosineRestarts": schedules.CosineRestarts(1, 7),
        "Piecewise": schedules.Piecewise([7], [1, 2]),
    }[name]
    assert largest_step(jumping, 6400) >= 0.9


@pytest.mark.parametrize("entry", list(CATALOGUE.values()), ids=list(CATALOGUE))
def test_names_and_aliases(entry):
    """The core finds each by class, name and alias, and says what it lacks."""
    for name in (entry["class"], entry["name"], *entry["aliases"]):
        with pytest.raises(ValueError, match=rf"{entry['class']}: \w+ must be given"):
            core.schedule(f'{{"class": "{name}"}}', [], np.zeros(1))


# ---- formulas -----------------------------------------------------------------------------------


def test_coslog():
    t = np.arange(151)
    expected = 0.05 * 0.5 * (1 - np.cos(2 * np.pi * np.log2(1 + 15 * t / 150)))
    assert schedules.CosLog(0.05, total_steps=150)(t) == pytest.approx(expected, abs=1e-15)
    expected = 0.05 * 0.5 * (1 - np.cos(2 * np.pi * np.log2(1 + 3 * t / 150)))
    assert schedules.CosLog(0.05, 150, cycles=2)(t) == pytest.approx(expected, abs=1e-15)


def test_flat_cosine():
    t = np.arange(150)
    falling = np.clip((t - 60) / 40, 0, 1)
    expected = 0.1 + 0.9 * 0.5 * (1 + np.cos(np.pi * falling))
    ours = schedules.FlatCosine(1.0, 100, pct_start=0.6, final_learning_rate=0.1)
    assert ours(t) == pytest.approx(expected, abs=1e-15)


def test_one_cycle_begins_and_ends_where_it_says():
    schedule = lm.OneCycle(max_learning_rate=0.1, total_steps=120)
    rates = schedule(np.arange(120))
    assert rates[0] == pytest.approx(0.1 / 25)
    assert rates.max() == pytest.approx(0.1)
    assert rates[-1] == pytest.approx(0.1 / 25 / 1e4)
    assert schedule(500) == rates[-1]


def test_pieces_without_a_length_get_that_of_their_piece():
    pieces = [schedules.Linear(0.0, final_learning_rate=1.0), lm.Cosine(1.0), 0.5]
    ours = schedules.Piecewise([10, 30], pieces)
    expected = [
        *schedules.Linear(0.0, 10, 1.0)(np.arange(10)),
        *lm.Cosine(1.0, 20)(np.arange(20)),
        0.5,
    ]
    assert ours(np.arange(31)).tolist() == expected


def test_compounds_within_compounds():
    inner = schedules.Warmup(schedules.Exponential(0.5, 0.5), 2)
    ours = schedules.Piecewise([3], [1.0, inner])
    assert ours(np.arange(8)).tolist() == [1, 1, 1, 0, 0.25, 0.5, 0.25, 0.125]


def test_a_warm_up_of_no_length():
    assert schedules.Warmup(lm.Cosine(0.5, 10), 0)(0) == 0.5


def test_arrays_and_numbers():
    schedule = lm.Cosine(0.1, total_steps=10)
    assert type(schedule(3)) is float
    values = schedule(np.arange(6).reshape(2, 3))
    assert values.shape == (2, 3)
    assert values[1, 1] == schedule(4)
    assert schedule([0, 10]).tolist() == [0.1, 0.0]


def test_long_trainings():
    """Whole powers stay exact enough, and nothing takes a time that grows with t."""
    assert schedules.Exponential(1.0, 0.99999)(10**6) == pytest.approx(0.99999**10**6, rel=1e-9)
    assert schedules.CosineRestarts(0.5, 100)(10**12) == 0.5
    assert 0 <= schedules.CosineRestarts(0.5, 100, t_mul=1.5)(1e15) <= 0.5
    assert schedules.Step(0.1, 1, gamma=1.0)(1e300) == 0.1


# ---- Keras' golden values: keras/src/optimizers/schedules/learning_rate_schedule_test.py --------


def polynomial(**options):
    return schedules.Polynomial(0.05, 10, **options)


def staircase(t):
    return schedules.Exponential(0.1, 0.96, decay_steps=3, staircase=True)(t)


KERAS = [
    (schedules.Exponential(0.05, 0.96, decay_steps=10), 5, 0.05 * 0.96**0.5),
    (staircase, 1, 0.1),
    (staircase, 2, 0.1),
    (staircase, 100, 0.1 * 0.96 ** (100 // 3)),
    (polynomial(), 5, 0.025),
    (polynomial(final_learning_rate=0.001), 5, 0.0255),
    (polynomial(final_learning_rate=0.001), 10, 0.001),
    (polynomial(final_learning_rate=0.001), 15, 0.001),
    (polynomial(final_learning_rate=0.001, cycle=True), 15, 0.049 * 0.25 + 0.001),
    (polynomial(power=0.5), 5, 0.05 * 0.5**0.5),
    (polynomial(final_learning_rate=0.001, power=0.5), 5, 0.049 * 0.5**0.5 + 0.001),
    (polynomial(final_learning_rate=0.001, power=0.5), 15, 0.001),
    (polynomial(final_learning_rate=0.001, power=0.5, cycle=True), 15, 0.049 * 0.25**0.5 + 0.001),
    (schedules.Polynomial(0.001, 10, 1e-4, cycle=True), 0, 0.001),
]


@pytest.mark.parametrize(("schedule", "t", "expected"), KERAS)
def test_keras_values(schedule, t, expected):
    assert schedule(t) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("stairs", [False, True])
def test_keras_inverse_time(stairs):
    schedule = schedules.InverseTime(0.1, 0.96, decay_steps=10, staircase=stairs)
    for t in range(11):
        done = t // 10 if stairs else t / 10
        assert schedule(t) == pytest.approx(0.1 / (1 + 0.96 * done), rel=1e-14)


def test_keras_piecewise_constant_is_one_step_later():
    boundaries, values = [100, 110, 120], [1.0, 0.1, 0.01, 0.001]
    schedule = schedules.Piecewise([b + 1 for b in boundaries], values)
    keras = {0: 1.0, 100: 1.0, 105: 0.1, 110: 0.1, 120: 0.01, 999: 0.001}
    assert [schedule(t) for t in keras] == list(keras.values())


def test_keras_cosine():
    def cosine(step, alpha):
        decay = 0.5 * (1 + math.cos(math.pi * min(step, 1000) / 1000))
        return (1 - alpha) * decay + alpha

    for alpha in (0.0, 0.1):
        ours = lm.Cosine(1.0, total_steps=1000, final_learning_rate=alpha)
        for step in range(0, 1500, 250):
            assert ours(step) == pytest.approx(cosine(step, alpha), abs=1e-15)
    warm = schedules.Warmup(lm.Cosine(10.0, total_steps=1000), warmup_steps=2000)
    for step in range(0, 3000, 250):
        rising = step / 2000 * 10.0
        expected = rising if step <= 2000 else 10.0 * cosine(step - 2000, 0.0)
        assert warm(step) == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize("options", [{"t_mul": 2.0}, {"t_mul": 2.0, "m_mul": 0.9}, {"t_mul": 1.0}])
@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_keras_cosine_restarts(options, alpha):
    ours = schedules.CosineRestarts(1.0, 1000, **options, final_learning_rate=alpha)
    for start in range(0, 9000, 250):
        step, length, height = start, 1000, 1.0
        while step >= length:
            step, length = step - length, length * options["t_mul"]
            height *= options.get("m_mul", 1.0)
        decay = height * 0.5 * (1 + math.cos(math.pi * step / length))
        assert ours(start) == pytest.approx((1 - alpha) * decay + alpha, abs=1e-15)


# ---- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: lm.Cosine(-0.1, 10)(0), r"Cosine: learning_rate must be in \[0, inf\], got -0.1"),
        (lambda: lm.Cosine(0.1, 10)(-1), "Cosine: t must be at least 0, got -1"),
        (lambda: lm.Cosine(0.1, 10, unit="day")(0), "unit must be one of step, epoch"),
        (lambda: schedules.Step(0.1, 0)(0), "step_size must be in"),
        (lambda: schedules.MultiStep(0.1, [])(0), "milestones must hold at least one number"),
        (lambda: schedules.Cyclical(0.1, 0.2, mode="triangula")(0), "Did you mean 'triangular'"),
        (lambda: schedules.Piecewise([3, 2], [1, 2, 3])(0), "boundaries must rise, got 3 before 2"),
        (lambda: schedules.Piecewise([3, 4], [1, 2])(0), "one value more than the 2 boundaries"),
        (lambda: schedules.Piecewise([3], [])(0), "values must be a list"),
        (lambda: schedules.Warmup("cosine", 3)(0), "Cosine: learning_rate must be given"),
        (
            lambda: schedules.Warmup(lm.Cosine(0.1, 10, unit="epoch"), 3)(0),
            "Warmup: its unit is 'step' and that of the Cosine in it 'epoch'",
        ),
        (lambda: schedules.Warmup(lm.Cosine(0.1), 3)(0), "give total_steps"),
        (lambda: schedules.Piecewise([3], [0.1, lm.Cosine(0.1)])(4), "give total_steps"),
    ],
)
def test_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_every_length_that_fit_can_give_can_be_given():
    for name, entry in CATALOGUE.items():
        if "total_steps" not in [parameter["name"] for parameter in entry["parameters"]]:
            continue
        first = entry["parameters"][0]["name"]
        schedule = getattr(schedules, name)(**{first: 0.5})
        with pytest.raises(ValueError, match=rf"{name}: .* give total_steps"):
            schedule(0)


def test_schedules_too_deep():
    schedule = lm.Cosine(0.1, 10)
    for _ in range(30):
        schedule = schedules.Warmup(schedule, 1)
    with pytest.raises(ValueError, match="nested more than 16 deep"):
        schedule(0)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: lm.Momentum(momentum=schedules.Linear(0.5, 10, 1.5)),
            r"Momentum: momentum must be in \[0, 1\], and its schedule Linear reaches 1.5",
        ),
        (
            lambda: lm.Momentum(momentum=schedules.Piecewise([3], [0.5, 1.25])),
            "schedule Piecewise reaches 1.25",
        ),
        (lambda: lm.Adam(beta_1=schedules.Constant(1.0)), "beta_1 must be in"),
        (
            lambda: lm.Adagrad(initial_accumulator_value=lm.Cosine(0.1, 10)),
            "initial_accumulator_value cannot follow a schedule",
        ),
        (lambda: lm.Adam(clipnorm=lm.Cosine(0.1, 10)), "clipnorm must be a number"),
    ],
)
def test_optimizers_refuse(make, words):
    with pytest.raises(ValueError, match=words):
        _ = make().handle


def test_dropout_refuses():
    with pytest.raises(ValueError, match=r"Dropout: rate .* its schedule Linear reaches 1"):
        lm.Model([lm.Input(1), lm.Dense(1), lm.Dropout(schedules.Linear(0.5, 10, 1.0))])
    model = lm.Model([lm.Input(1), lm.Dense(1), lm.Dropout(lm.Cosine(0.5))])
    with pytest.raises(ValueError, match=r"give total_steps"):
        model.forward([[1.0]], training=True)


def test_an_argument_that_an_optimizer_does_not_have():
    with pytest.raises(ValueError, match="SGD has no parameter 'momentum'"):
        lm.SGD().current("momentum")


def test_a_factor_of_the_rate():
    for factor in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match="factor must be above 0"):
            lm.SGD().scale_learning_rate(factor)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"factor": 1.0}, "factor must be above 0 and below 1"),
        ({"factor": 0.0}, "factor must be above 0 and below 1"),
        ({"patience": -1}, "patience must be at least 0"),
        ({"threshold": -1}, "threshold must be at least 0"),
        ({"threshold_mode": "relative"}, "threshold_mode must be 'rel' or 'abs'"),
        ({"mode": "up"}, "mode must be 'auto', 'min' or 'max'"),
        ({"cooldown": -1}, "cooldown must be at least 0"),
        ({"min_lr": math.nan}, "min_lr must be at least 0"),
    ],
)
def test_plateau_refuses(options, words):
    with pytest.raises(ValueError, match=f"ReduceLROnPlateau: {words}"):
        lm.ReduceLROnPlateau(**options)
