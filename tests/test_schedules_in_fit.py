"""What follows a schedule in a fit: rate, momentum, decay, dropout; resumed, threads, by hand."""

import copy
import pickle

import numpy as np
import pytest

import lamina as lm
from lamina import schedules
from lamina._isa import core

ROWS, BATCH, EPOCHS = 70, 16, 4
STEPS = 5  # an epoch
X = np.random.default_rng(0).normal(size=(ROWS, 3)).astype(np.float32)
Y = np.stack([np.sin(X).sum(axis=1), X[:, 0] * X[:, 1]], axis=1)

# One of each class, all lengths in their unit, so that every part of it is passed in a fit.
MAKE = {
    "Constant": lambda _: schedules.Constant(0.04),
    "Step": lambda unit: schedules.Step(0.05, 3, gamma=0.5, unit=unit),
    "MultiStep": lambda unit: schedules.MultiStep(0.05, [1, 3], unit=unit),
    "Exponential": lambda unit: schedules.Exponential(0.05, 0.8, decay_steps=1.5, unit=unit),
    "InverseTime": lambda unit: schedules.InverseTime(0.05, 0.5, unit=unit),
    "Polynomial": lambda unit: schedules.Polynomial(0.05, power=1.5, unit=unit),
    "Linear": lambda unit: schedules.Linear(0.05, unit=unit),
    "Cosine": lambda unit: schedules.Cosine(0.05, unit=unit),
    "CosineRestarts": lambda unit: schedules.CosineRestarts(0.05, 2, t_mul=1.5, unit=unit),
    "FlatCosine": lambda unit: schedules.FlatCosine(0.05, pct_start=0.5, unit=unit),
    "CosLog": lambda unit: schedules.CosLog(0.05, unit=unit),
    "Cyclical": lambda unit: schedules.Cyclical(
        0.01, 0.05, step_size_up=2, mode="exp_range", gamma=0.9, unit=unit
    ),
    "OneCycle": lambda unit: schedules.OneCycle(0.05, unit=unit),
    "Warmup": lambda unit: schedules.Warmup(lm.Cosine(0.05, unit=unit), 2, unit=unit),
    "Piecewise": lambda unit: schedules.Piecewise(
        [1, 3], [0.05, schedules.Linear(0.04, unit=unit), lm.Cosine(0.05, unit=unit)], unit=unit
    ),
    "Function": lambda unit: schedules.Function(lambda t: 0.05 / (1 + t), unit=unit),
}
# With a length of its own, to be called alone.
LENGTH = {"step": STEPS * EPOCHS, "epoch": EPOCHS}


def alone(schedule, unit):
    """The same schedule with the length that a fit of EPOCHS gives it."""
    length, config = LENGTH[unit], dict(vars(schedule))
    if "total_steps" in config:
        config["total_steps"] = length
    if isinstance(schedule, schedules.Warmup):
        config["schedule"] = schedules.Cosine(0.05, length - 2, unit=unit)
    if isinstance(schedule, schedules.Piecewise):
        config["values"] = [*schedule.values[:2], schedules.Cosine(0.05, length - 3, unit=unit)]
    return type(schedule)(**config)


def make_trainer(optimizer, *, dropout=0.2, threads=None, dtype="float32", loss="mse"):
    model = lm.Model(
        [
            lm.Input(3),
            lm.Dense(19, activation="tanh"),
            lm.Dropout(dropout),
            lm.Dense(2),
        ],
        seed=3,
        dtype=dtype,
    )
    return lm.Trainer(model, loss=loss, optimizer=optimizer, num_threads=threads)


def fit(trainer, epochs=EPOCHS, **options):
    return trainer.fit(X, Y, epochs=epochs, batch_size=BATCH, verbose=0, **options)


def recorded(trainer, *names, epochs=EPOCHS):
    """The arguments that each step of a fit has used."""
    optimizer = trainer.optimizer
    rows = []

    def note(*_):
        rows.append([optimizer.current(name) for name in names])

    watch = lm.LambdaCallback(
        on_epoch_begin=note, on_train_batch_end=lambda batch, _: batch < STEPS - 1 and note()
    )
    fit(trainer, epochs, callbacks=[watch])
    return np.array(rows).T


def times(unit):
    return np.arange(STEPS * EPOCHS) // (STEPS if unit == "epoch" else 1)


def test_there_is_one_of_each():
    assert set(MAKE) == {entry["class"] for entry in core.catalogue()["schedules"]}


@pytest.mark.parametrize("unit", ["step", "epoch"])
@pytest.mark.parametrize("name", list(MAKE))
def test_the_rates_of_a_fit(name, unit):
    schedule = MAKE[name](unit)
    trainer = make_trainer(lm.SGD(learning_rate=schedule))
    (rates,) = recorded(trainer, "learning_rate")
    assert rates.tolist() == alone(schedule, unit)(times(unit)).tolist()
    assert len(set(rates)) > 1 or name == "Constant"


def test_momentum_and_weight_decay():
    momentum = schedules.Linear(0.5, final_learning_rate=0.9)
    decay = schedules.Step(0.1, step_size=2, unit="epoch")
    optimizer = lm.Momentum(learning_rate=0.01, momentum=momentum, weight_decay=decay)
    got = recorded(make_trainer(optimizer), "momentum", "weight_decay", "learning_rate")
    assert got[0].tolist() == alone(momentum, "step")(times("step")).tolist()
    assert got[1].tolist() == decay(times("epoch")).tolist()
    assert set(got[2]) == {0.01}


def by_hand(update, steps=12):
    """Weights that follow some gradients."""
    rng = np.random.default_rng(1)
    weights = rng.normal(size=7)
    for step in range(steps):
        weights = update(step, weights, rng.normal(size=7))
    return weights


def updated(optimizer):
    def update(_, weights, gradient):
        optimizer.update(weights, gradient)
        return weights

    return by_hand(update)


def test_what_a_scheduled_number_does():
    """Against the formulas, written out."""
    rate = schedules.Exponential(0.1, 0.9)
    momentum = schedules.Linear(0.5, 10, 0.9)
    decay = schedules.Piecewise([4], [0.1, 0.3])
    velocity = np.zeros(7)

    def expected(step, weights, gradient):
        nonlocal velocity
        weights = weights * (1 - rate(step) * decay(step))
        velocity = momentum(step) * velocity + gradient
        return weights - rate(step) * velocity

    ours = updated(lm.Momentum(learning_rate=rate, momentum=momentum, weight_decay=decay))
    assert ours == pytest.approx(by_hand(expected), rel=1e-13)


def test_beta_and_epsilon():
    beta, epsilon = schedules.Linear(0.5, 10, 0.9), schedules.Step(0.1, 3)
    mean, square = np.zeros(7), np.zeros(7)

    def expected(step, weights, gradient):
        nonlocal mean, square
        b, t = beta(step), step + 1
        mean = b * mean + (1 - b) * gradient
        square = 0.99 * square + 0.01 * gradient**2
        scale = np.sqrt(square / (1 - 0.99**t)) + epsilon(step)
        return weights - 0.1 * mean / (1 - b**t) / scale

    ours = updated(lm.Adam(learning_rate=0.1, beta_1=beta, beta_2=0.99, epsilon=epsilon))
    assert ours == pytest.approx(by_hand(expected), rel=1e-12)


def test_rho():
    rho, square = schedules.Linear(0.5, 10, 0.9), np.zeros(7)

    def expected(step, weights, gradient):
        nonlocal square
        square = rho(step) * square + (1 - rho(step)) * gradient**2
        return weights - 0.1 * gradient / (np.sqrt(square) + 1e-8)

    assert updated(lm.RMSprop(0.1, rho=rho)) == pytest.approx(by_hand(expected), rel=1e-12)


@pytest.mark.parametrize("unit", ["step", "epoch"])
@pytest.mark.parametrize("name", list(MAKE))
def test_the_rates_of_dropout(name, unit):
    """What is kept is divided by 1 - rate, the rate rounded to 16 bits; nothing else moves."""
    seen = []

    def loss(y, p):
        seen.append(float(np.abs(p).max()))
        return np.zeros(len(p)), np.zeros_like(p)

    schedule = MAKE[name](unit)
    layers = [lm.Input(3), lm.Dense(400, "linear", bias_initializer="ones"), lm.Dropout(schedule)]
    model = lm.Model(layers, seed=0, dtype="float64")
    model.layers[0].kernel[:] = 0
    y = np.zeros((ROWS, 400))
    trainer = lm.Trainer(model, loss=loss, optimizer=lm.SGD(learning_rate=0.0))
    trainer.fit(X, y, epochs=EPOCHS, batch_size=BATCH, verbose=0)
    rounded = np.round(alone(schedule, unit)(times(unit)) * 2**16) / 2**16
    assert 1 - 1 / np.array(seen) == pytest.approx(rounded, abs=1e-14)


def test_the_share_that_dropout_silences():
    schedule = schedules.Piecewise([1, 2], [0.0, 0.25, 0.75])
    model = lm.Model([lm.Input(1), lm.Dense(2000, bias_initializer="ones"), lm.Dropout(schedule)])
    model.layers[0].kernel[:] = 0
    silent = [(model.forward(np.ones((20, 1)), training=True) == 0).mean() for _ in range(3)]
    assert silent == pytest.approx([0.0, 0.25, 0.75], abs=0.01)
    assert (model.predict(np.ones((20, 1))) == 1).all()


def test_a_dropout_that_stands_still_is_a_plain_one():
    weights = []
    for rate in (0.25, schedules.Constant(0.25), lambda step: 0.25):
        trainer = make_trainer(lm.Adam(), dropout=rate)
        fit(trainer)
        weights.append(trainer.model.layers[0].kernel)
    assert np.array_equal(weights[0], weights[1])
    assert np.array_equal(weights[0], weights[2])


# ---- resumed, and on threads --------------------------------------------------------------------


def scheduled(name, unit, **options):
    """Everything that can follows a schedule: the rate, the momentum, the decay and dropout."""
    schedule = MAKE[name](unit)
    optimizer = lm.Momentum(learning_rate=schedule, momentum=schedule, weight_decay=schedule)
    return make_trainer(optimizer, dropout=schedule, **options)


def stopped_at(step):
    """A callback that ends a fit after so many of its steps."""
    left = [step]

    class Stop(lm.Callback):
        def on_train_batch_end(self, batch, logs=None):
            left[0] -= 1
            if left[0] == 0:
                self.trainer.stop()

    return Stop()


@pytest.mark.parametrize("unit", ["step", "epoch"])
@pytest.mark.parametrize("name", list(MAKE))
@pytest.mark.parametrize("step", [2, STEPS, STEPS + 4, 3 * STEPS])
def test_resumed_equals_uninterrupted(name, unit, step):
    whole = scheduled(name, unit)
    fit(whole)
    first = scheduled(name, unit)
    fit(first, callbacks=[stopped_at(step)])
    assert first.optimizer.iterations == step
    second = scheduled(name, unit)
    second._core.load_state(first._core.state())
    assert second.optimizer.epoch == first.epoch
    fit(second, EPOCHS - first.epoch)
    assert second.model.fingerprint() == whole.model.fingerprint()
    assert second._core.state() == whole._core.state()


@pytest.mark.parametrize("unit", ["step", "epoch"])
@pytest.mark.parametrize("name", list(MAKE))
def test_any_number_of_threads(name, unit, monkeypatch):
    monkeypatch.setattr(lm.Trainer, "_scheduling", (0, 0, True))
    states = []
    for threads in (1, 2):
        trainer = scheduled(name, unit, threads=threads)
        fit(trainer)
        states.append(trainer._core.state())
    assert states[0] == states[1]


@pytest.mark.parametrize("unit", ["step", "epoch"])
def test_a_loop_by_hand_is_a_fit(unit):
    schedule = schedules.Cosine(0.05, LENGTH[unit], unit=unit)
    whole = make_trainer(lm.Momentum(schedule, momentum=schedule), dropout=schedule)
    fit(whole, shuffle=False)
    trainer = make_trainer(lm.Momentum(schedule, momentum=schedule), dropout=schedule)
    for epoch in range(EPOCHS):
        trainer.optimizer.epoch = epoch
        for start in range(0, ROWS, BATCH):
            rows = slice(start, start + BATCH)
            trainer.compute_gradients(X[rows], Y[rows])
            trainer.optimizer.step(trainer.model)
    assert trainer.model.fingerprint() == whole.model.fingerprint()


@pytest.mark.parametrize("where", ["optimizer", "dropout"])
def test_a_length_that_came_from_fit(where):
    """A second fit may do what the first has left, and no more."""
    cosine = lm.Cosine(0.1)
    options = {"optimizer": lm.SGD(0.1)} if where == "dropout" else {"optimizer": lm.SGD(cosine)}
    trainer = make_trainer(**options, dropout=cosine if where == "dropout" else 0.1)
    fit(trainer, callbacks=[lm.LambdaCallback(on_epoch_end=lambda *_: trainer.stop())])
    before = trainer.model.fingerprint()
    with pytest.raises(ValueError, match=r"from the first fit, 20 steps, .* give total_steps"):
        fit(trainer)
    assert trainer.model.fingerprint() == before
    fit(trainer, EPOCHS - 1)
    with pytest.raises(ValueError, match="give total_steps"):
        fit(trainer, 1)
    trainer.reset()
    fit(trainer)


# ---- functions ----------------------------------------------------------------------------------


def test_a_function_is_called_once_a_step():
    called = {"rate": [], "dropout": []}

    def rate(step):
        assert type(step) is int
        called["rate"].append(step)
        return 0.01

    def drop(step):
        called["dropout"].append(step)
        return 0.5

    fit(make_trainer(lm.SGD(learning_rate=rate), dropout=drop, threads=2))
    assert called == {name: list(range(STEPS * EPOCHS)) for name in called}


def test_functions_wherever_a_schedule_goes():
    optimizer = lm.Adam(
        learning_rate=lambda step: 0.1 / (step + 1),
        beta_1=schedules.Warmup(lambda step: 0.5, 4, start_factor=0.5),
        weight_decay=schedules.Piecewise([2], [lambda step: 0.5, lambda step: 0.25]),
    )
    assert isinstance(optimizer.learning_rate, schedules.Function)
    rows = []
    for _ in range(3):
        rows.append([optimizer.current(n) for n in ("learning_rate", "beta_1", "weight_decay")])
        optimizer.update(np.ones(2), np.ones(2))
    assert rows == [[0.1, 0.25, 0.5], [0.05, 0.3125, 0.5], [0.1 / 3, 0.375, 0.25]]


def test_a_subclass_with_a_call_of_its_own():
    class Mine(schedules.Schedule):
        def __call__(self, t):
            return 0.5**t

    optimizer = lm.SGD(learning_rate=Mine())
    optimizer.update(np.ones(1), np.ones(1))
    assert optimizer.current_learning_rate == 0.5


def test_a_function_cannot_be_written(tmp_path):
    optimizer = lm.SGD(learning_rate=lambda step: 0.1)
    trainer = make_trainer(optimizer, dropout=lambda step: 0.1)
    fit(trainer, 1)
    for write in (
        optimizer.get_config,
        optimizer.to_spec,
        schedules.Function(abs).get_config,
        trainer.model.layers[1].to_spec,
        lambda: trainer.model.save(tmp_path / "model.lamina"),
        lambda: pickle.dumps(trainer.model),
    ):
        with pytest.raises(TypeError, match="a Python function cannot be written"):
            write()
    assert not list(tmp_path.iterdir())
    assert copy.deepcopy(optimizer) == optimizer


def test_gradients_of_a_model_with_a_function():
    model = lm.Model([lm.Input(3), lm.Dense(4, "tanh"), lm.Dropout(lambda t: 0.5), lm.Dense(2)])
    assert lm.check_gradients(model, X[:5], Y[:5], lm.losses.MeanSquaredError()).max_error < 1e-6


@pytest.mark.parametrize(
    ("third", "error", "words"),
    [
        (lambda: 1 / 0, ZeroDivisionError, "division"),
        (lambda: -0.1, ValueError, r"and its schedule gives -0\.1 at step 3"),
        (lambda: np.inf, ValueError, "gives inf at step 3"),
        (lambda: np.nan, ValueError, "gives nan at step 3"),
        (lambda: None, TypeError, "must return a number, got None"),
        (lambda: "much", TypeError, "must return a number, got 'much'"),
    ],
)
@pytest.mark.parametrize("where", ["optimizer", "dropout"])
def test_a_function_that_fails_in_a_step(third, error, words, where):
    """Its error comes out of fit, and the weights are those of the step before."""

    def make():
        rate = {"optimizer": 0.1, "dropout": 0.1}
        rate[where] = lambda step: third() if step == 3 else 0.2
        return make_trainer(lm.SGD(learning_rate=rate["optimizer"]), dropout=rate["dropout"])

    failing, stopped = make(), make()
    with pytest.raises(error, match=words):
        fit(failing)
    fit(stopped, callbacks=[stopped_at(3)])
    assert failing.model.fingerprint() == stopped.model.fingerprint()
    assert failing._core.state() == stopped._core.state()


def test_not_callable():
    with pytest.raises(TypeError, match=r"function must be callable, got 0\.5"):
        schedules.Function(0.5)


def test_growth_beyond_all_bounds_is_refused_in_its_step():
    optimizer = lm.SGD(learning_rate=schedules.Exponential(1.0, 1e200))
    weights = np.zeros(1)
    optimizer.update(weights, np.zeros(1))
    optimizer.update(weights, np.zeros(1))
    with pytest.raises(ValueError, match="gives inf at step 2"):
        optimizer.update(weights, np.ones(1))
    assert weights == 0


# ---- on a plateau -------------------------------------------------------------------------------


def flat(optimizer):
    """A trainer whose loss cannot fall."""
    trainer = make_trainer(optimizer, dropout=0.0)
    for layer in trainer.model.layers:
        layer.trainable = False
    return trainer


def test_plateau_in_a_fit():
    trainer = flat(lm.SGD(learning_rate=lm.schedules.Step(0.5, 3, gamma=0.5, unit="epoch")))
    rates = []
    watch = lm.LambdaCallback(
        on_epoch_begin=lambda *_: rates.append(trainer.optimizer.current_learning_rate)
    )
    plateau = lm.ReduceLROnPlateau("loss", factor=0.5, patience=1, cooldown=1)
    fit(trainer, 8, callbacks=[watch, plateau])
    assert rates == [0.5, 0.5, 0.5, 0.125, 0.125, 0.125, 0.03125, 0.03125]
    assert trainer.optimizer.current("learning_rate") == 0.125
    fit(trainer, 1, callbacks=[watch])
    assert rates[-1] == 0.03125  # the scale stays
    trainer.reset()
    assert trainer.optimizer.current_learning_rate == 0.5


def test_plateau_is_resumed():
    make = lambda: lm.ReduceLROnPlateau("loss", factor=0.5, patience=1, threshold=0.5)  # noqa: E731
    whole, plateau = make_trainer(lm.SGD(0.1)), make()
    fit(whole, 6, callbacks=[plateau])
    assert whole.optimizer.current_learning_rate < 0.1
    first, before = make_trainer(lm.SGD(0.1)), make()
    fit(first, 3, callbacks=[before])
    second, after = make_trainer(lm.SGD(0.1)), make()
    second._core.load_state(first._core.state())
    after.set_state(before.get_state())
    fit(second, 3, callbacks=[after])
    assert second.model.fingerprint() == whole.model.fingerprint()
    assert after.get_state() == plateau.get_state()


def test_plateau_needs_its_value():
    trainer = make_trainer(lm.SGD(0.1))
    with pytest.raises(ValueError, match=r"ReduceLROnPlateau: monitor 'val_loss' is not among"):
        fit(trainer, callbacks=[lm.ReduceLROnPlateau()])


# ---- files --------------------------------------------------------------------------------------


def test_a_model_whose_dropout_is_scheduled_goes_into_a_file(tmp_path):
    rate = schedules.Warmup(schedules.Piecewise([3], [0.1, lm.Cosine(0.5, 20)]), 4)
    trainer = make_trainer(lm.SGD(), dropout=rate)
    trainer.model.save(tmp_path / "model.lamina")
    loaded = lm.load(tmp_path / "model.lamina")
    assert loaded["dropout"].rate == rate
    assert loaded.fingerprint() == trainer.model.fingerprint()
    assert pickle.loads(pickle.dumps(loaded))["dropout"].rate == rate


def test_a_state_belongs_to_its_schedules():
    state = make_trainer(lm.SGD(lm.Cosine(0.1, 20)))._core.state()
    for other in (lm.Cosine(0.1, 21), lm.Cosine(0.1, 20, unit="epoch"), 0.1):
        with pytest.raises(ValueError, match="belongs to another optimizer"):
            make_trainer(lm.SGD(other))._core.load_state(state)
