"""Sequences of learning rates and momenta beside PyTorch's schedulers, to 1e-11 of scale."""

import copy

import numpy as np
import pytest

import lamina as lm

torch = pytest.importorskip("torch")
schedulers = torch.optim.lr_scheduler

pytestmark = pytest.mark.ci

BAR = 1e-11
LONG = 240  # steps


def sequences(make, steps, rate=0.1, momentum=0.9):
    """Learning rate and momentum that torch's scheduler has set before each step."""
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=rate, momentum=momentum)
    scheduler = make(optimizer)
    rates, momenta = [], []
    for step in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        momenta.append(optimizer.param_groups[0]["momentum"])
        optimizer.step()
        if step + 1 < steps:
            scheduler.step()
    return np.array(rates), np.array(momenta)


def assert_near(got, expected):
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() <= BAR * np.abs(expected).max()


def check(ours, theirs, steps=LONG, rate=0.1):
    rates, _ = sequences(theirs, steps, rate)
    assert_near(ours(np.arange(steps)), rates)
    assert np.ptp(rates) > 0.1 * rate


SIMPLE = {
    "StepLR": (
        lambda o: schedulers.StepLR(o, step_size=30, gamma=0.5),
        lm.schedules.Step(0.1, step_size=30, gamma=0.5),
    ),
    "StepLR by default": (
        lambda o: schedulers.StepLR(o, step_size=50),
        lm.schedules.Step(0.1, step_size=50),
    ),
    "MultiStepLR": (
        lambda o: schedulers.MultiStepLR(o, milestones=[10, 90, 91, 200], gamma=0.3),
        lm.schedules.MultiStep(0.1, milestones=[10, 90, 91, 200], gamma=0.3),
    ),
    "MultiStepLR twice at once": (
        lambda o: schedulers.MultiStepLR(o, milestones=[10, 10]),
        lm.schedules.MultiStep(0.1, milestones=[10, 10]),
    ),
    "ExponentialLR": (
        lambda o: schedulers.ExponentialLR(o, gamma=0.97),
        lm.schedules.Exponential(0.1, gamma=0.97),
    ),
    "CosineAnnealingLR": (
        lambda o: schedulers.CosineAnnealingLR(o, T_max=LONG - 1, eta_min=0.01),
        lm.Cosine(0.1, total_steps=LONG - 1, final_learning_rate=0.01),
    ),
    "CosineAnnealingWarmRestarts": (
        lambda o: schedulers.CosineAnnealingWarmRestarts(o, T_0=37, eta_min=0.01),
        lm.schedules.CosineRestarts(0.1, first_decay_steps=37, final_learning_rate=0.01),
    ),
    "CosineAnnealingWarmRestarts, longer each time": (
        lambda o: schedulers.CosineAnnealingWarmRestarts(o, T_0=10, T_mult=2),
        lm.schedules.CosineRestarts(0.1, first_decay_steps=10, t_mul=2),
    ),
    "PolynomialLR": (
        lambda o: schedulers.PolynomialLR(o, total_iters=200, power=2.5),
        lm.schedules.Polynomial(0.1, total_steps=200, power=2.5),
    ),
    "PolynomialLR by default": (
        lambda o: schedulers.PolynomialLR(o, total_iters=100),
        lm.schedules.Polynomial(0.1, total_steps=100),
    ),
    "LinearLR": (
        lambda o: schedulers.LinearLR(o, start_factor=0.25, end_factor=0.75, total_iters=100),
        lm.schedules.Linear(0.025, total_steps=100, final_learning_rate=0.075),
    ),
    "LinearLR as a warm-up": (
        lambda o: schedulers.LinearLR(o, start_factor=0.25, total_iters=100),
        lm.schedules.Warmup(0.1, warmup_steps=100, start_factor=0.25),
    ),
    "a warm-up before a cosine": (
        lambda o: schedulers.SequentialLR(
            o,
            [
                schedulers.LinearLR(o, start_factor=0.2, total_iters=20),
                schedulers.CosineAnnealingLR(o, T_max=LONG - 21),
            ],
            milestones=[20],
        ),
        lm.schedules.Warmup(lm.Cosine(0.1, total_steps=LONG - 21), 20, start_factor=0.2),
    ),
    "SequentialLR": (
        lambda o: schedulers.SequentialLR(
            o,
            [
                schedulers.ConstantLR(o, factor=0.5, total_iters=1000),
                schedulers.ExponentialLR(o, gamma=0.9),
                schedulers.StepLR(o, step_size=10, gamma=0.5),
            ],
            milestones=[30, 100],
        ),
        lm.schedules.Piecewise(
            [30, 100],
            [
                0.05,
                lm.schedules.Exponential(0.1, gamma=0.9),
                lm.schedules.Step(0.1, step_size=10, gamma=0.5),
            ],
        ),
    ),
    "LambdaLR": (
        lambda o: schedulers.LambdaLR(o, lambda step: 1 / (1 + step)),
        lm.schedules.Function(lambda step: 0.1 / (1 + step)),
    ),
}


@pytest.mark.parametrize("name", list(SIMPLE))
def test_rates(name):
    theirs, ours = SIMPLE[name]
    check(ours, theirs)


@pytest.mark.parametrize("mode", ["triangular", "triangular2", "exp_range"])
@pytest.mark.parametrize("down", [None, 23])
def test_cyclical(mode, down):
    options = {"step_size_up": 17, "step_size_down": down, "mode": mode, "gamma": 0.99}
    rates, momenta = sequences(
        lambda o: schedulers.CyclicLR(
            o, base_lr=0.01, max_lr=0.1, base_momentum=0.8, max_momentum=0.9, **options
        ),
        LONG,
    )
    ours = lm.schedules.Cyclical(0.01, 0.1, **options)
    assert_near(ours(np.arange(LONG)), rates)
    assert_near(ours.momentum()(np.arange(LONG)), momenta)
    assert np.ptp(momenta) > 0.05


@pytest.mark.parametrize("three_phase", [False, True])
@pytest.mark.parametrize("strategy", ["cos", "linear"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"pct_start": 0.1, "div_factor": 10.0, "final_div_factor": 100.0},
        {"pct_start": 0.45},
    ],
)
def test_one_cycle(three_phase, strategy, options):
    options = {**options, "three_phase": three_phase, "anneal_strategy": strategy}
    rates, momenta = sequences(
        lambda o: schedulers.OneCycleLR(o, max_lr=0.1, total_steps=LONG, **options), LONG
    )
    ours = lm.OneCycle(max_learning_rate=0.1, total_steps=LONG, **options)
    assert_near(ours(np.arange(LONG)), rates)
    assert_near(ours.momentum()(np.arange(LONG)), momenta)
    assert np.ptp(momenta) > 0.05


def test_one_cycle_with_another_momentum():
    limits = {"base_momentum": 0.6, "max_momentum": 0.99}
    _, momenta = sequences(
        lambda o: schedulers.OneCycleLR(o, max_lr=0.1, total_steps=LONG, **limits), LONG
    )
    ours = lm.OneCycle(max_learning_rate=0.1, total_steps=LONG).momentum(**limits)
    assert_near(ours(np.arange(LONG)), momenta)


# ---- on a plateau -------------------------------------------------------------------------------

VALUES = [5, 4, 4, 4, 3.9997, 3.9995, 4, 4, 3, 3, 3, 3, 3, 3, 2.5, 2.6, 2.6, 2.6, 2.6, 2.6, 2.6]
NAN = float("nan")


class Owner:
    """Of a Trainer, what the callback uses."""

    def __init__(self, optimizer):
        self.optimizer = optimizer


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"patience": 0},
        {"patience": 1, "factor": 0.5},
        {"patience": 1, "factor": 0.5, "cooldown": 2},
        {"patience": 1, "factor": 0.3, "min_lr": 0.005},
        {"patience": 1, "threshold": 0.1},
        {"patience": 1, "threshold": 0.6, "threshold_mode": "abs"},
        {"patience": 1, "threshold": 0.0},
        {"patience": 1, "mode": "max"},
        {"patience": 1, "mode": "max", "threshold": 0.2},
        {"patience": 1, "mode": "max", "threshold": 0.2, "threshold_mode": "abs"},
        {"patience": 0, "factor": 0.01},  # soon below eps
        {"patience": 0, "eps": 0.02, "factor": 0.5},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "values", [VALUES, VALUES[::-1], [-v for v in VALUES], [NAN, *VALUES, NAN, NAN, 1.0]]
)
def test_plateau(options, values):
    parameter = torch.nn.Parameter(torch.zeros(1))
    theirs = torch.optim.SGD([parameter], lr=0.1)
    scheduler = schedulers.ReduceLROnPlateau(theirs, **options)
    ours = lm.SGD(learning_rate=0.1)
    plateau = lm.ReduceLROnPlateau("loss", **options)
    plateau.trainer = Owner(ours)
    plateau.on_train_begin()
    for epoch, value in enumerate(values):
        scheduler.step(value)
        plateau.on_epoch_end(epoch, {"loss": value})
        assert_near(ours.current_learning_rate, theirs.param_groups[0]["lr"])


def test_plateau_sees_reductions():
    """The comparison above is one of rates that move."""
    ours = lm.SGD(learning_rate=0.1)
    plateau = lm.ReduceLROnPlateau("loss", patience=1, factor=0.5)
    plateau.trainer = Owner(ours)
    for epoch, value in enumerate(VALUES):
        plateau.on_epoch_end(epoch, {"loss": value})
    assert ours.current_learning_rate < 0.1 / 8


# ---- a network ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "theirs"),
    [
        (
            lm.OneCycle(0.1, total_steps=20, three_phase=True),
            lambda o: schedulers.OneCycleLR(o, 0.1, total_steps=20, three_phase=True),
        ),
        (
            lm.schedules.Cyclical(0.01, 0.1, step_size_up=4, mode="triangular2"),
            lambda o: schedulers.CyclicLR(o, 0.01, 0.1, step_size_up=4, mode="triangular2"),
        ),
    ],
    ids=["one-cycle", "cyclical"],
)
def test_20_steps_with_rate_and_momentum(schedule, theirs):
    train_both(lm.Momentum(learning_rate=schedule, momentum=schedule.momentum()), theirs)


@pytest.mark.parametrize("name", list(SIMPLE))
def test_20_steps_with_each_schedule(name):
    theirs, ours = SIMPLE[name]
    train_both(lm.Momentum(learning_rate=copy.deepcopy(ours), momentum=0.9), theirs)


def train_both(ours, theirs):
    """20 steps of a small network, a step of the schedule each, end at the same weights."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(80, 5)), rng.normal(size=(80, 2))
    layers = [lm.Input(5), lm.Dense(6, activation="tanh"), lm.Dense(2)]
    model = lm.Model(layers, seed=0, dtype="float64")
    net = torch.nn.Sequential(torch.nn.Linear(5, 6), torch.nn.Tanh(), torch.nn.Linear(6, 2))
    net = net.double()
    with torch.no_grad():
        for mine, other in zip(model.layers, (net[0], net[2]), strict=True):
            other.weight.copy_(torch.tensor(np.array(mine.kernel).T))
            other.bias.copy_(torch.tensor(np.array(mine.bias)))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    scheduler = theirs(optimizer)
    for step in range(20):
        rows = slice(step % 5 * 16, step % 5 * 16 + 16)
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(net(torch.tensor(x[rows])), torch.tensor(y[rows])).backward()
        optimizer.step()
        if step < 19:
            scheduler.step()
    trainer = lm.Trainer(model, loss="mse", optimizer=ours)
    trainer.fit(x, y, epochs=4, batch_size=16, shuffle=False, verbose=0)
    for mine, other in zip(model.layers, (net[0], net[2]), strict=True):
        assert np.abs(mine.kernel - other.weight.detach().numpy().T).max() <= BAR
        assert np.abs(mine.bias - other.bias.detach().numpy()).max() <= BAR
