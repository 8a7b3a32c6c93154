"""Optimizers beside PyTorch's: alone on arrays, and 20 steps of a network. To 1e-11 of scale."""

import numpy as np
import pytest

import lamina as lm
from lamina._isa import core

torch = pytest.importorskip("torch")
functional = torch.nn.functional
schedulers = torch.optim.lr_scheduler

pytestmark = pytest.mark.ci

BAR = 1e-11
STEPS = 50
NAMES = [entry["class"] for entry in core.catalogue()["optimizers"]]


@pytest.fixture(autouse=True)
def _in_double():
    """PyTorch's NAdam keeps a product of its own in this type, however long the weights are."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


class Lion(torch.optim.Optimizer):
    """arXiv 2302.06675, algorithm 2, which PyTorch has not."""

    def __init__(self, params, lr=1e-4, betas=(0.9, 0.99)):
        super().__init__(params, {"lr": lr, "betas": betas})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            first, second = group["betas"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                p -= group["lr"] * torch.sign(first * m + (1 - first) * p.grad)
                m.copy_(second * m + (1 - second) * p.grad)


# Their class, and what makes it ours by default.
THEIRS = {
    "SGD": (torch.optim.SGD, {"lr": 0.01}),
    "Momentum": (torch.optim.SGD, {"lr": 0.01, "momentum": 0.9}),
    "Nesterov": (torch.optim.SGD, {"lr": 0.01, "momentum": 0.9, "nesterov": True}),
    "Adagrad": (torch.optim.Adagrad, {}),
    "Adadelta": (torch.optim.Adadelta, {}),
    "RMSprop": (torch.optim.RMSprop, {}),
    "Adam": (torch.optim.Adam, {}),
    "AdamW": (torch.optim.AdamW, {}),
    "AMSGrad": (torch.optim.Adam, {"amsgrad": True}),
    "Adamax": (torch.optim.Adamax, {}),
    "NAdam": (torch.optim.NAdam, {}),
    "RAdam": (torch.optim.RAdam, {}),
    "Lion": (Lion, {}),
}
ADAM = (
    {"learning_rate": 0.02, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-3},
    {"lr": 0.02, "betas": (0.8, 0.95), "eps": 1e-3},
)
RMSPROP = (
    {"learning_rate": 0.02, "rho": 0.9, "epsilon": 1e-3},
    {"lr": 0.02, "alpha": 0.9, "eps": 1e-3},
)
SETTINGS = {
    "SGD": [({"learning_rate": 0.3}, {"lr": 0.3})],
    "Momentum": [({"learning_rate": 0.02, "momentum": 0.5}, {"lr": 0.02, "momentum": 0.5})],
    "Nesterov": [({"learning_rate": 0.02, "momentum": 0.5}, {"lr": 0.02, "momentum": 0.5})],
    "Adagrad": [
        (
            {"learning_rate": 0.1, "initial_accumulator_value": 0.1, "epsilon": 1e-3},
            {"lr": 0.1, "initial_accumulator_value": 0.1, "eps": 1e-3},
        )
    ],
    "Adadelta": [
        (
            {"learning_rate": 0.5, "rho": 0.7, "epsilon": 1e-3},
            {"lr": 0.5, "rho": 0.7, "eps": 1e-3},
        )
    ],
    "RMSprop": [
        RMSPROP,
        ({"centered": True}, {"centered": True}),
        ({"momentum": 0.8}, {"momentum": 0.8}),
        tuple({**one, "centered": True, "momentum": 0.9} for one in RMSPROP),
    ],
    "Adam": [ADAM],
    "AdamW": [ADAM, tuple({**one, "weight_decay": 0.3} for one in ADAM)],
    "AMSGrad": [ADAM],
    "Adamax": [ADAM],
    "NAdam": [ADAM, tuple({**one, "momentum_decay": 0.1} for one in ADAM)],
    "RAdam": [ADAM, ({"beta_2": 0.5}, {"betas": (0.9, 0.5)})],  # 0.5: never reliable
    "Lion": [
        ({"learning_rate": 0.02, "beta_1": 0.5, "beta_2": 0.8}, {"lr": 0.02, "betas": (0.5, 0.8)})
    ],
}
CASES = [(name, {}, {}) for name in NAMES]
CASES += [(name, *settings) for name in NAMES for settings in SETTINGS[name]]
EVERY_CASE = pytest.mark.parametrize(("name", "ours", "theirs"), CASES)
EVERY_NAME = pytest.mark.parametrize("name", NAMES)


def make(name, parameters, **options):
    kind, defaults = THEIRS[name]
    return kind(parameters, **{**defaults, **options})


def test_every_optimizer_is_compared():
    assert set(NAMES) == set(THEIRS) == set(SETTINGS)


# ---- alone on arrays ----------------------------------------------------------------------------


def both(ours, theirs, arrays, gradients, dtype):
    """Yield, after each step, pairs of our array and torch's."""
    arrays = [a.astype(dtype) for a in arrays]
    parameters = [torch.tensor(a, requires_grad=True) for a in arrays]
    optimizer = theirs(parameters)
    for step in gradients:
        step = [g.astype(dtype) for g in step]
        for p, g in zip(parameters, step, strict=True):
            p.grad = torch.tensor(g)
        optimizer.step()
        ours.update(arrays, step)
        yield [(a, p.detach().numpy()) for a, p in zip(arrays, parameters, strict=True)]


def plain(rng):
    """Arrays, and gradients of each step."""
    arrays = [rng.normal(size=(6, 7)), rng.normal(size=5)]
    return arrays, [[rng.normal(size=a.shape) for a in arrays] for _ in range(STEPS)]


def extremes(rng):
    """By column: zeros, 1e-30, 1e4, ties (the same each step, and signs in turn), seldom some."""
    arrays = [rng.normal(size=(6, 6))]
    gradients = []
    for t in range(STEPS):
        g = rng.normal(size=(6, 6))
        g[:, 0] = 0
        g[:, 1] *= 1e-30
        g[:, 2] *= 1e4
        g[:, 3] = 0.7
        g[:, 4] = (-1) ** t
        g[:, 5] *= t % 10 == 3
        gradients.append([g])
    return arrays, gradients


@pytest.mark.parametrize("data", [plain, extremes])
@EVERY_CASE
def test_float64(name, ours, theirs, data):
    arrays, gradients = data(np.random.default_rng(3))
    moved = 0.0
    for pairs in both(
        getattr(lm, name)(**ours), lambda p: make(name, p, **theirs), arrays, gradients, "float64"
    ):
        for got, expected in pairs:
            assert (np.abs(got - expected) <= BAR * np.maximum(1, np.abs(expected))).all()
            moved = max(moved, np.abs(got[0] - arrays[0][0]).max() if got.ndim > 1 else 0)
    assert moved > 1e-3


@pytest.mark.parametrize("data", [plain, extremes])
@EVERY_CASE
def test_float32(name, ours, theirs, data):
    """What parts the two in a step: a rounding of the weight, and a few of the step itself.

    So after t steps t ulp of the largest weight, and two ulp of the way walked; 0.5 is measured.
    """
    arrays, gradients = data(np.random.default_rng(3))
    ulp = np.finfo(np.float32).eps
    last = [a.astype("float32") for a in arrays]
    way = [np.zeros_like(a) for a in last]
    largest = [np.abs(a) for a in last]
    for t, pairs in enumerate(
        both(
            getattr(lm, name)(**ours),
            lambda p: make(name, p, **theirs),
            arrays,
            gradients,
            "float32",
        )
    ):
        for i, (got, expected) in enumerate(pairs):
            way[i] += np.abs(expected - last[i])
            largest[i] = np.maximum(largest[i], np.abs(expected))
            last[i] = expected.copy()
            bar = (t + 1) * ulp * largest[i] + 2 * ulp * way[i]
            assert (np.abs(got - expected) <= bar).all(), t


@EVERY_NAME
def test_decoupled_decay(name):
    """PyTorch has it for three; for all it is a factor before the step."""
    rng = np.random.default_rng(4)
    ours = getattr(lm, name)(learning_rate=0.02, weight_decay=0.1)

    class Decayed:
        def __init__(self, parameters):
            self.parameters = parameters
            off = {"weight_decay": 0.0} if name == "AdamW" else {}
            self.optimizer = make(name, parameters, lr=0.02, **off)

        @torch.no_grad()
        def step(self):
            for p in self.parameters:
                p *= 1 - 0.02 * 0.1
            self.optimizer.step()

    kinds = [Decayed]
    if name in ("Adam", "AMSGrad"):
        amsgrad = name == "AMSGrad"
        kinds.append(lambda p: torch.optim.AdamW(p, lr=0.02, weight_decay=0.1, amsgrad=amsgrad))
    if name == "AdamW":
        kinds.append(lambda p: make(name, p, lr=0.02, weight_decay=0.1))
    if name in ("NAdam", "RAdam"):
        kinds.append(
            lambda p: make(name, p, lr=0.02, weight_decay=0.1, decoupled_weight_decay=True)
        )
    for kind in kinds:
        ours.reset()
        for pairs in both(ours, kind, *plain(rng), "float64"):
            for got, expected in pairs:
                assert np.abs(got - expected).max() <= BAR


@pytest.mark.parametrize("limit", [0.5, 100.0])
def test_clipping_by_the_global_norm(limit):
    """torch divides by norm + 1e-6, we by the norm: the two part by a millionth of the norm."""
    rng = np.random.default_rng(5)
    arrays = [rng.normal(size=(6, 4)), rng.normal(size=4)]
    parameters = [torch.tensor(a, requires_grad=True) for a in arrays]
    gradients = [rng.normal(size=a.shape) for a in arrays]
    for p, g in zip(parameters, gradients, strict=True):
        p.grad = torch.tensor(g)
    torch.nn.utils.clip_grad_norm_(parameters, limit)
    torch.optim.SGD(parameters, lr=0.1).step()
    lm.SGD(learning_rate=0.1, global_clipnorm=limit).update(arrays, gradients)
    for a, p in zip(arrays, parameters, strict=True):
        assert np.abs(a - p.detach().numpy()).max() <= 1e-6


# ---- 20 steps of a network ----------------------------------------------------------------------

X = np.random.default_rng(6).normal(size=(80, 5))
Y = np.random.default_rng(7).integers(0, 3, size=80)
BATCH = 16
RATES = {"SGD": 0.3, "Momentum": 0.1, "Nesterov": 0.1, "Adadelta": 1.0}


def rate_of(name):
    return RATES.get(name, 0.02)


def pair(**options):
    """The same network twice; options are those of its first layer."""
    model = lm.Model(
        [
            lm.Input(5),
            lm.Dense(8, activation="tanh", **options),
            lm.Dense(3, activation="softmax"),
        ],
        seed=0,
        dtype="float64",
    )
    model.layers[0].bias = np.linspace(-0.2, 0.3, 8)
    net = torch.nn.Sequential(
        torch.nn.Linear(5, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3)
    ).double()
    with torch.no_grad():
        for ours, theirs in zip(model.layers, (net[0], net[2]), strict=True):
            theirs.weight.copy_(torch.tensor(np.array(ours.kernel).T))
            theirs.bias.copy_(torch.tensor(np.array(ours.bias)))
    return model, net


def weights(model):
    return [np.array(a) for layer in model.layers for a in (layer.kernel, layer.bias)]


def their_weights(net):
    return [
        a.detach().numpy().T.copy()
        for a in (net[0].weight, net[0].bias, net[2].weight, net[2].bias)
    ]


def train(net, optimizer, *, penalty=None, before=None, after=None, accumulate=1):
    """Their 20 batches; the weights after each."""
    found = []
    for batch in range(20):
        rows = slice(batch % 5 * BATCH, batch % 5 * BATCH + BATCH)
        loss = functional.cross_entropy(net(torch.tensor(X[rows])), torch.tensor(Y[rows]))
        if penalty is not None:
            loss = loss + penalty(net[0].weight)
        (loss / accumulate).backward()
        if (batch + 1) % accumulate == 0:
            with torch.no_grad():
                if before is not None:
                    before(list(net.parameters()))
                optimizer.step()
                if after is not None:
                    after(net)
            optimizer.zero_grad()
        found.append(their_weights(net))
    return found


def check(model, optimizer, expected, callbacks=()):
    """Our 20 batches beside theirs."""
    start, found = weights(model), []
    watch = lm.LambdaCallback(on_train_batch_end=lambda *_: found.append(weights(model)))
    trainer = lm.Trainer(model, loss="categorical_crossentropy", optimizer=optimizer)
    hooks = [watch, *callbacks]
    trainer.fit(X, Y, epochs=4, batch_size=BATCH, shuffle=False, verbose=0, callbacks=hooks)
    assert len(found) == len(expected) == 20
    for ours, theirs in zip(found, expected, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            assert np.abs(a - b).max() <= BAR
    assert np.abs(found[-1][0] - start[0]).max() > 1e-3
    return trainer


@EVERY_CASE
def test_20_steps(name, ours, theirs):
    model, net = pair()
    settings = {"learning_rate": rate_of(name), **ours}
    options = {**theirs, "lr": settings["learning_rate"]}
    check(model, getattr(lm, name)(**settings), train(net, make(name, net.parameters(), **options)))


PENALTIES = {
    "L2": (lm.L2(0.02), lambda w: 0.02 * (w**2).sum()),
    "L1": (lm.L1(0.01, proximal=False), lambda w: 0.01 * w.abs().sum()),
    "L1L2": (
        lm.L1L2(0.01, 0.02, proximal=False),
        lambda w: 0.01 * w.abs().sum() + 0.02 * (w**2).sum(),
    ),
}


@pytest.mark.parametrize("penalty", list(PENALTIES))
@EVERY_NAME
def test_20_steps_with_a_penalty(name, penalty):
    ours, theirs = PENALTIES[penalty]
    model, net = pair(kernel_regularizer=ours)
    expected = train(net, make(name, net.parameters(), lr=rate_of(name)), penalty=theirs)
    check(model, getattr(lm, name)(learning_rate=rate_of(name)), expected)


@EVERY_NAME
def test_20_steps_with_proximal_l1(name):
    rate = rate_of(name)
    strength = 0.1 if name == "Adadelta" else 0.01 / rate

    def shrink(net):
        net[0].weight.copy_(functional.softshrink(net[0].weight, rate * strength))

    model, net = pair(kernel_regularizer=lm.L1(strength))
    expected = train(net, make(name, net.parameters(), lr=rate), after=shrink)
    check(model, getattr(lm, name)(learning_rate=rate), expected)
    assert (expected[-1][0] == 0).any()
    assert np.array_equal(model.layers[0].kernel == 0, expected[-1][0] == 0)


def clip_value(parameters):
    torch.nn.utils.clip_grad_value_(parameters, 0.02)


def clip_each(parameters):
    for p in parameters:
        p.grad *= min(1.0, 0.1 / float(torch.linalg.vector_norm(p.grad)))


def clip_all(parameters):
    norm = torch.linalg.vector_norm(torch.stack([p.grad.norm() for p in parameters]))
    for p in parameters:
        p.grad *= min(1.0, 0.1 / float(norm))


CLIPS = {
    "clipvalue": ({"clipvalue": 0.02}, clip_value),
    "clipnorm": ({"clipnorm": 0.1}, clip_each),
    "global_clipnorm": ({"global_clipnorm": 0.1}, clip_all),
    "clipnorm, then clipvalue": (
        {"clipnorm": 0.1, "clipvalue": 0.02},
        lambda p: (clip_each(p), clip_value(p)),
    ),
}


@pytest.mark.parametrize("clip", list(CLIPS))
@EVERY_NAME
def test_20_steps_clipped(name, clip):
    """The gradient of the penalty is clipped with the rest."""
    options, by_hand = CLIPS[clip]
    model, net = pair(kernel_regularizer=lm.L2(0.02))
    expected = train(
        net,
        make(name, net.parameters(), lr=rate_of(name)),
        penalty=PENALTIES["L2"][1],
        before=by_hand,
    )
    check(model, getattr(lm, name)(learning_rate=rate_of(name), **options), expected)


SCHEDULES = {
    "cosine": (
        lm.Cosine(0.05, total_steps=20),
        lambda o: schedulers.CosineAnnealingLR(o, T_max=20),
    ),
    "warm-up, then exponential": (
        lm.schedules.Warmup(lm.schedules.Exponential(0.05, 0.8), 5, start_factor=0.2),
        lambda o: schedulers.SequentialLR(
            o,
            [
                schedulers.LinearLR(o, start_factor=0.2, total_iters=5),
                schedulers.ExponentialLR(o, gamma=0.8),
            ],
            milestones=[5],
        ),
    ),
    "restarts": (
        lm.schedules.CosineRestarts(0.05, first_decay_steps=6),
        lambda o: schedulers.CosineAnnealingWarmRestarts(o, T_0=6),
    ),
    "steps": (
        lm.schedules.Step(0.05, step_size=7, gamma=0.3),
        lambda o: schedulers.StepLR(o, step_size=7, gamma=0.3),
    ),
}


@pytest.mark.parametrize("schedule", list(SCHEDULES))
@EVERY_NAME
def test_20_steps_with_a_schedule(name, schedule):
    ours, theirs = SCHEDULES[schedule]
    model, net = pair()
    optimizer = make(name, net.parameters(), lr=0.05)
    scheduler = theirs(optimizer)
    expected = train(net, optimizer, after=lambda _: scheduler.step())
    check(model, getattr(lm, name)(learning_rate=ours), expected)


@pytest.mark.parametrize("clip", [None, "clipvalue", "global_clipnorm"])
@EVERY_NAME
def test_20_batches_with_a_step_every_third(name, clip):
    """The penalty is added once; over three thirds of a loss it adds up to the same."""
    options, before = CLIPS[clip] if clip else ({}, None)
    model, net = pair(kernel_regularizer=lm.L2(0.02))
    expected = train(
        net,
        make(name, net.parameters(), lr=rate_of(name)),
        penalty=PENALTIES["L2"][1],
        accumulate=3,
        before=before,
    )
    optimizer = getattr(lm, name)(
        learning_rate=rate_of(name), gradient_accumulation_steps=3, **options
    )
    check(model, optimizer, expected)
    assert optimizer.iterations == 6


@EVERY_NAME
def test_20_steps_with_an_average(name):
    """Theirs begins with the weights of its first update, ours with those before the first step."""
    model, net = pair()
    average = torch.optim.swa_utils.AveragedModel(
        net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.8)
    )
    average.update_parameters(net)
    expected = train(
        net, make(name, net.parameters(), lr=rate_of(name)), after=average.update_parameters
    )
    ours = getattr(lm, name)(learning_rate=rate_of(name), use_ema=True, ema_momentum=0.8)
    check(model, ours, expected)
    for a, b in zip(weights(model), their_weights(average.module), strict=True):
        assert np.abs(a - b).max() <= BAR
    assert np.abs(weights(model)[0] - expected[-1][0]).max() > 1e-4  # it is another


@EVERY_NAME
def test_20_steps_with_multipliers(name):
    """Groups of torch's with rates and decays of their own."""
    model, net = pair(learning_rate_multiplier=0.1, weight_decay_multiplier=3.0)
    rate, decay = rate_of(name), 0.05
    off = {"weight_decay": 0.0} if name == "AdamW" else {}
    groups = [
        {"params": net[0].parameters(), "lr": 0.1 * rate},
        {"params": net[2].parameters()},
    ]
    optimizer = make(name, groups, lr=rate, **off)

    def shrink(_):
        for layer, factor in ((net[0], 0.1 * 3), (net[2], 1.0)):
            for p in layer.parameters():
                p *= 1 - rate * decay * factor

    expected = train(net, optimizer, before=shrink)
    check(model, getattr(lm, name)(learning_rate=rate, weight_decay=decay), expected)


@EVERY_NAME
def test_20_steps_with_constraints(name):
    def constrain(net):
        w, b = net[0].weight, net[0].bias  # a unit's incoming weights are a row of torch's
        w *= (0.7 / w.norm(dim=1, keepdim=True)).clamp(max=1)
        b.clamp_(min=0)

    model, net = pair(
        kernel_constraint=lm.constraints.MaxNorm(0.7), bias_constraint=lm.constraints.NonNeg()
    )
    expected = train(net, make(name, net.parameters(), lr=rate_of(name)), after=constrain)
    check(model, getattr(lm, name)(learning_rate=rate_of(name)), expected)


@EVERY_NAME
def test_20_steps_with_a_frozen_layer(name):
    model, net = pair()
    model.layers[1].trainable = False
    net[2].requires_grad_(False)
    optimizer = make(name, net[0].parameters(), lr=rate_of(name))
    check(model, getattr(lm, name)(learning_rate=rate_of(name)), train(net, optimizer))


@EVERY_NAME
def test_20_steps_with_a_layer_freed_after_ten(name):
    """What it remembers begins then, and so does the correction of its bias."""
    model, net = pair()
    optimizer = make(name, net.parameters(), lr=rate_of(name))
    seen = []

    def free(_):
        seen.append(1)
        net[0].requires_grad_(len(seen) >= 10)

    net[0].requires_grad_(False)
    model.layers[0].trainable = False
    expected = train(net, optimizer, after=free)
    count = []

    def free_ours(*_):
        count.append(1)
        if len(count) == 10:
            model.layers[0].trainable = True

    ours = getattr(lm, name)(learning_rate=rate_of(name))
    check(model, ours, expected, [lm.LambdaCallback(on_train_batch_end=free_ours)])
