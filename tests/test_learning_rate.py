"""lm.find_learning_rate: its suggestion is sound, and nothing of the trainer changes."""

import copy
import math
import random
import sys

import numpy as np
import pytest

import lamina as lm
from lamina._isa import core
from lamina.examination.range_test import Explosion

OPTIMIZERS = [
    name
    for name in dir(lm)
    if isinstance(getattr(lm, name), type)
    and issubclass(getattr(lm, name), lm.optimizers.Optimizer)
]


def rows(count=240, seed=0):
    x = np.random.default_rng(seed).normal(size=(count, 4))
    return x, np.sin(x[:, 0]) + x[:, 1] * x[:, 2]


def regressor(optimizer="adam", seed=0, loss="mse", **how):
    layers = [lm.Input(4), lm.Dense(24, activation="relu"), lm.Dense(1)]
    return lm.Trainer(lm.Model(layers, seed=seed), loss=loss, optimizer=optimizer, **how)


def of_everything():
    """A trainer with whatever has a state: statistics, dropout, an average, schedules."""
    layers = [
        lm.Input(4),
        lm.Normalization(),
        lm.Dense(16, activation="relu"),
        lm.Dropout(0.3),
        lm.BatchNormalization(),
        lm.Dense(8, activation="tanh"),
        lm.Dense(1),
    ]
    optimizer = lm.Adam(
        learning_rate=lm.schedules.Exponential(0.01, gamma=0.999), use_ema=True, weight_decay=0.01
    )
    return lm.Trainer(lm.Model(layers, seed=3), loss="mse", optimizer=optimizer, metrics=["mae"])


def test_there_are_all_optimizers():
    there = {one["name"] for one in core.catalogue()["optimizers"]}
    assert {name.lower() for name in OPTIMIZERS} == there


# ---- laws ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [200, 400, 1000])
@pytest.mark.parametrize("scale", [0.1, 1.0, 30.0])
def test_on_a_quadratic_it_lies_below_the_stability_bound(scale, steps):
    """Gradient descent on a quadratic diverges from 2 / L on, L being the largest curvature."""
    random = np.random.default_rng(1)
    x = scale * random.normal(size=(64, 5))
    y = x @ np.arange(1.0, 6.0) + scale * random.normal(size=64)  # else it ends at 0, for ever
    model = lm.Model([lm.Input(5), lm.Dense(1, use_bias=False)], dtype="float64", seed=0)
    trainer = lm.Trainer(model, loss="mse", optimizer=lm.SGD())
    bound = 2 / np.linalg.eigvalsh(2 / 64 * x.T @ x).max()
    test = lm.find_learning_rate(
        trainer, x, y, batch_size=64, steps=steps, max_learning_rate=1e6 * bound
    )
    assert test.exploded
    assert bound / 100 < test.suggestion < bound
    assert test.rates[-1] > bound


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_trains_well_at_its_suggestion(name):
    x, y = rows(400)
    make = getattr(lm, name)
    test = lm.find_learning_rate(regressor(make()), x, y, batch_size=32)
    assert 1e-6 < test.suggestion < 10
    trainer = regressor(make(learning_rate=test.suggestion))
    history = trainer.fit(x, y, epochs=30, batch_size=32, verbose=0)
    assert history["loss"][-1] < 0.4 * y.var()


def test_what_a_loss_is_measured_from_does_not_matter():
    """A loss may be negative: differences count, no ratios."""

    def shifted(by):
        def loss(y_true, y_pred):
            error = y_pred - y_true.reshape(y_pred.shape)
            return (error**2).mean(axis=1) + by, 2 * error

        return loss

    x, y = rows()
    first, second = (
        lm.find_learning_rate(regressor(loss=shifted(by)), x, y, batch_size=32)
        for by in (0.0, -64.0)
    )
    assert second.losses[:300].max() < 0
    assert np.allclose(first.losses[:250] - 64, second.losses[:250], atol=1e-3)
    assert len(first.rates) == len(second.rates)
    assert 0.8 < first.suggestion / second.suggestion < 1.25  # neighbours, to rounding


def test_a_loss_that_is_negative_by_nature():
    x, y = rows(400)
    layers = [lm.Input(4), lm.Dense(24, activation="relu"), lm.Dense(2)]
    trainer = lm.Trainer(lm.Model(layers, seed=0), loss=lm.losses.GaussianNLL())
    trainer.model.layers[1].bias[1] = -6.0  # the logarithm of a small variance
    trainer.model.layers[0].kernel[:] *= 0.01
    test = lm.find_learning_rate(trainer, x, 1e-2 * y, batch_size=32)
    assert test.losses[:20].max() < 0
    assert test.smoothed.min() < test.smoothed[0] - 0.2
    assert 1e-5 < test.suggestion < 0.3


def test_the_smoothed_losses():
    losses = np.random.default_rng(0).normal(size=50)
    test = lm.RangeTest(np.geomspace(1e-3, 1, 50), losses)
    share = 1 - 5 / 50
    for place in (0, 7, 49):
        weights = share ** np.arange(place, -1, -1)
        expected = (weights * losses[: place + 1]).sum() / weights.sum()
        assert test.smoothed[place] == pytest.approx(expected, abs=1e-12)


def test_accumulated_batches_make_a_step():
    x, y = rows(256)
    whole = lm.find_learning_rate(regressor(lm.SGD()), x, y, batch_size=64, shuffle=False)
    parts = lm.find_learning_rate(
        regressor(lm.SGD(gradient_accumulation_steps=4)), x, y, batch_size=16, shuffle=False
    )
    same = min(len(whole.losses), len(parts.losses)) - 20  # what explodes magnifies rounding
    assert same > 200
    assert np.allclose(whole.losses[:same], parts.losses[:same], rtol=1e-3)


def test_rows_of_weight_zero_do_not_count():
    x, y = rows(128)
    half = np.arange(128) % 2 == 0
    how = {"shuffle": False, "batch_size": 64}
    weighed = lm.find_learning_rate(
        regressor(lm.SGD()), x, np.where(half, y, 1e3), sample_weight=half * 2.0, **how
    )
    how["batch_size"] = 32
    alone = lm.find_learning_rate(regressor(lm.SGD()), x[half], y[half], **how)
    assert np.allclose(weighed.losses[:200], alone.losses[:200], rtol=1e-4)


def test_class_weights_count():
    x, y = rows()
    labels = (y > 1).astype(int)
    layers = [lm.Input(4), lm.Dense(16, activation="relu"), lm.Dense(1, activation="sigmoid")]
    trainer = lm.Trainer(lm.Model(layers, seed=0), loss="bce")
    balanced = lm.find_learning_rate(trainer, x, labels, class_weight="balanced")
    by_hand = len(labels) / (2 * np.bincount(labels))[labels]
    same = lm.find_learning_rate(trainer, x, labels, sample_weight=by_hand)
    assert np.allclose(balanced.losses, same.losses)
    assert not np.allclose(
        balanced.losses[:9], lm.find_learning_rate(trainer, x, labels).losses[:9]
    )


def test_several_outputs_and_inputs():
    x, y = rows()
    first, second = lm.Input(2, name="a"), lm.Input(2, name="b")
    hidden = lm.Dense(16, activation="tanh")(lm.Concatenate()([first, second]))
    outputs = [
        lm.Dense(1, name="size")(hidden),
        lm.Dense(1, activation="sigmoid", name="sign")(hidden),
    ]
    model = lm.Model(inputs=[first, second], outputs=outputs, seed=0)
    trainer = lm.Trainer(model, loss={"size": "mse", "sign": "bce"}, metrics={"sign": "accuracy"})
    data = {"a": x[:, :2], "b": x[:, 2:]}, {"size": y, "sign": y > 0}
    test = lm.find_learning_rate(trainer, *data, batch_size=32)
    assert 1e-4 < test.suggestion < 1
    assert trainer.evaluate(*data)["loss"] == pytest.approx(test.losses[:20].mean(), rel=0.5)


def test_few_rows_are_read_many_times():
    x, y = rows(12)
    test = lm.find_learning_rate(regressor(), x, y)
    assert len(test.losses) > 200
    assert 1e-4 < test.suggestion < 1


# ---- nothing changes ----------------------------------------------------------------------------


@pytest.mark.parametrize("fits", [0, 2])
def test_nothing_changes(fits):
    x, y = rows()
    tested, other = of_everything(), of_everything()
    for trainer in (tested, other):
        for _ in range(fits):
            trainer.fit(x, y, epochs=2, batch_size=32, validation_split=0.2, verbose=0)
    before = np.random.get_state()[1].tobytes(), random.getstate()  # noqa: NPY002
    state, history = tested._core.state(), copy.deepcopy(tested.history)
    xs, ys = x.copy(), y.copy()
    lm.find_learning_rate(tested, x, y, batch_size=32)
    after = np.random.get_state()[1].tobytes(), random.getstate()  # noqa: NPY002
    assert after == before
    assert tested._core.state() == state == other._core.state()
    assert tested.model.fingerprint() == other.model.fingerprint()
    assert tested.history == history
    assert tested.optimizer.iterations == other.optimizer.iterations
    assert tested.optimizer.current_learning_rate == other.optimizer.current_learning_rate
    assert np.array_equal(x, xs)
    assert np.array_equal(y, ys)
    for trainer in (tested, other):
        trainer.fit(x, y, epochs=2, batch_size=32, validation_split=0.2, verbose=0)
    assert tested._core.state() == other._core.state()
    assert tested.history == other.history


def test_the_same_seed_gives_the_same_bits():
    x, y = rows()

    def losses(**how):
        return lm.find_learning_rate(regressor(**how), x, y, batch_size=32).losses.tobytes()

    assert losses() == losses() == losses(num_threads=2)
    assert losses() != losses(seed=1)


def test_the_trainers_own_rate_does_not_matter():
    x, y = rows()
    tests = [
        lm.find_learning_rate(regressor(lm.Adam(learning_rate=rate)), x, y)
        for rate in (1e-7, 5.0, lm.OneCycle(0.1), lambda step: 0.1 / (1 + step))
    ]
    assert len({test.losses.tobytes() for test in tests}) == 1
    assert [bool(test.notes) for test in tests] == [False, False, True, True]
    assert "OneCycle" in tests[2].notes[0]
    assert "schedule's highest rate" in tests[2].notes[0]


def test_adadelta_says_what_its_rate_is():
    x, y = rows()
    (note, *_) = lm.find_learning_rate(regressor("adadelta"), x, y).notes
    assert note.startswith("Adadelta finds the size of its steps itself")


def test_ctrl_c_comes_out_and_nothing_has_changed():
    calls = []

    def loss(y_true, y_pred):
        calls.append(1)
        if len(calls) == 7:
            raise KeyboardInterrupt
        error = y_pred - y_true.reshape(y_pred.shape)
        return (error**2).mean(axis=1), 2 * error

    trainer, (x, y) = regressor(loss=loss), rows()
    before = trainer._core.state()
    with pytest.raises(KeyboardInterrupt):
        lm.find_learning_rate(trainer, x, y)
    assert trainer._core.state() == before
    assert lm.find_learning_rate(trainer, x, y, steps=50).suggestion > 0


def test_in_the_middle_of_a_fit():
    x, y = rows()
    found = []

    def test_it(batch, logs):
        if not found:
            found.append(lm.find_learning_rate(trainer, x, y, batch_size=32).suggestion)

    weights = []
    for hooks in ([], [lm.LambdaCallback(on_train_batch_end=test_it)]):
        trainer = regressor()
        trainer.fit(x, y, epochs=2, batch_size=32, callbacks=hooks, verbose=0)
        weights.append(trainer.model.fingerprint())
    assert found[0] > 0
    assert weights[0] == weights[1]


# ---- ends ---------------------------------------------------------------------------------------


def test_it_stops_when_the_loss_explodes():
    x, y = rows()
    test = lm.find_learning_rate(regressor(lm.SGD()), x, y, max_learning_rate=1e6)
    assert test.exploded
    assert len(test.rates) == len(test.losses) == len(test.smoothed) < 400
    assert np.isfinite(test.losses).all()
    assert test.suggestion < test.rates[-1] / 2


def test_an_explosion_is_a_rise_above_the_beginning():
    steps = 100
    rising = Explosion(steps)
    falling = [1 - 0.01 * step for step in range(50)]  # from 1 to 0.5
    assert all(rising.goes_on(loss) for loss in falling)
    assert all(rising.goes_on(1.2) for _ in range(50))  # less above than it had fallen
    ended = [rising.goes_on(2.0) for _ in range(50)]
    assert not ended[-1]


def test_noise_alone_is_no_explosion_and_no_fall():
    noise = np.random.default_rng(0).normal(size=400)
    explosion = Explosion(400)
    assert all(explosion.goes_on(loss) for loss in noise)
    test = lm.RangeTest(np.geomspace(1e-6, 10, 400), noise)
    assert test.suggestion is None
    assert "did not fall at any rate" in test.notes[0]
    assert "suggested learning rate none" in repr(test)


def test_rates_that_are_too_low():
    x, y = rows(1000)
    test = lm.find_learning_rate(
        regressor(lm.SGD()), x, y, min_learning_rate=1e-12, max_learning_rate=1e-9
    )
    assert test.suggestion is None
    assert not test.exploded


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_loss_that_only_rises_suggests_nothing(seed):
    """Inputs and targets so small that the lowest rate is too high for them."""
    x, y = rows()
    test = lm.find_learning_rate(regressor(seed=seed), 1e-8 * x, 1e-8 * y, batch_size=32)
    assert test.exploded
    assert test.suggestion is None
    assert "fell at no rate" in test.notes[0]
    assert "scale inputs and targets" in test.notes[0]
    assert len(test.notes) == 1
    rising = lm.RangeTest(np.geomspace(1e-6, 10, 400), np.linspace(1.0, 2.0, 400))  # without noise
    assert rising.suggestion is None
    assert "did not fall at any rate" in rising.notes[0]


def test_what_is_told_of_the_highest_rate():
    """A fall that is over needs no higher rates, and not every optimizer can have them."""
    rates, steps = np.geomspace(1e-6, 10, 400), np.arange(400)
    early = 1 / (1 + np.exp((steps - 200) / 10)) - 1e-4 * steps
    (note,) = lm.RangeTest(rates, early, usual=0.001).notes
    assert "higher rates need no test" in note
    late = -np.exp(steps / 20)
    (note,) = lm.RangeTest(rates, late, usual=0.001).notes
    assert "still fell at the highest rate, 10, far above the usual 0.001: scale inputs" in note
    for usual in (None, 1.0):
        (note,) = lm.RangeTest(rates, late, usual=usual).notes
        assert "still fell at the highest rate: test higher ones" in note


def test_adam_is_not_sent_above_10():
    x, y = rows()
    raw = 1e4 * (1 + x)
    test = lm.find_learning_rate(regressor(), raw, y, batch_size=32)
    assert not any("test higher ones" in note for note in test.notes)
    test = lm.find_learning_rate(regressor(), x, 1e6 * y, batch_size=32)
    assert not any("test higher ones" in note for note in test.notes)
    assert any("scale inputs and targets" in note for note in test.notes)


def test_a_fall_that_does_not_end_is_told():
    x, y = rows()
    test = lm.find_learning_rate(regressor(lm.SGD()), x, y, max_learning_rate=1e-2)
    assert any("still fell at the highest rate" in note for note in test.notes)
    test = lm.find_learning_rate(regressor(lm.SGD()), x, y, min_learning_rate=0.01)
    assert any("fell at the lowest rates" in note for note in test.notes)


def test_a_loss_that_is_not_finite_from_the_start():
    x, y = rows()
    model_with = regressor()
    model_with.model.layers[0].kernel[:] = 1e30
    test = lm.find_learning_rate(model_with, x, y)
    assert test.suggestion is None
    assert test.exploded
    assert "exploded at once" in test.notes[0]
    assert test.plot() is not None
    assert len(repr(test).splitlines()) >= 2


@pytest.mark.parametrize(
    ("how", "error", "words"),
    [
        ({"steps": 19}, ValueError, "steps must be at least 20, got 19"),
        ({"steps": 100.0}, TypeError, "steps must be a whole number"),
        ({"min_learning_rate": 0.0}, ValueError, "0 < min_learning_rate < max_learning_rate"),
        ({"min_learning_rate": 1, "max_learning_rate": 1}, ValueError, "got 1 and 1"),
        ({"max_learning_rate": math.inf}, ValueError, "got 1e-06 and inf"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1"),
        ({"verbose": 3}, ValueError, "verbose must be 0, 1 or 'auto'"),
        ({"class_weight": "even"}, ValueError, "expected weights by class or 'balanced'"),
        ({"sample_weight": np.ones(3)}, ValueError, "sample_weight"),
    ],
)
def test_errors(how, error, words):
    trainer, (x, y) = regressor(), rows()
    before = trainer._core.state()
    with pytest.raises(error, match=words):
        lm.find_learning_rate(trainer, x, y, **how)
    assert trainer._core.state() == before


def test_streams_and_bad_data_are_refused():
    x, y = rows()
    with pytest.raises(ValueError, match="give some thousand of its rows as arrays"):
        lm.find_learning_rate(regressor(), lm.ArrayStream(x, y))
    with pytest.raises(ValueError, match="row 3"):
        lm.find_learning_rate(regressor(), np.where(np.arange(240)[:, None] == 3, np.nan, x), y)


def test_a_bar_counts_the_steps(capsys):
    x, y = rows(64)
    lm.find_learning_rate(regressor(), x, y, steps=50, max_learning_rate=0.1, verbose=1)
    said = capsys.readouterr().err
    assert "find_learning_rate" in said
    assert "50.0/50.0 [" in said
    lm.find_learning_rate(regressor(), x, y, steps=50, verbose=0)
    assert capsys.readouterr().err == ""


# ---- pictures -----------------------------------------------------------------------------------


def test_the_plot():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    x, y = rows()
    test = lm.find_learning_rate(regressor(), x, y)
    ax = pyplot.subplots()[1]
    assert test.plot(ax) is ax
    assert ax.get_xscale() == "log"
    lines = {one.get_label(): one for one in ax.get_lines()}
    assert np.array_equal(lines["smoothed"].get_ydata(), test.smoothed)
    mark = lines[f"suggestion: {test.suggestion:.2g}"]
    assert mark.get_xdata()[0] == test.suggestion
    low, high = ax.get_ylim()
    assert low < test.losses.min() < test.losses[:12].max() < high
    ax.figure.draw_without_rendering()
    assert test.plot().figure is not ax.figure
    pyplot.close("all")


def test_a_notebook_shows_words_and_plot(monkeypatch):
    pytest.importorskip("matplotlib")
    x, y = rows()
    test = lm.find_learning_rate(regressor(lm.Adam(lm.OneCycle(0.1))), x, y)
    page = test._repr_html_()
    assert f"suggested learning rate {test.suggestion:.2g}" in page
    assert "<img" in page
    assert "<p>note: the trainer&#x27;s learning rate is a schedule" in page
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert "<img" not in test._repr_html_()


# ---- real data ----------------------------------------------------------------------------------


@pytest.mark.ci
@pytest.mark.parametrize("optimizer", [lm.SGD, lm.Momentum, lm.Adam, lm.RMSprop])
@pytest.mark.parametrize("name", ["digits", "breast_cancer", "wine"])
def test_the_suggestion_is_near_the_best_of_a_grid(name, optimizer):
    """At most a tenth of what the grid's best rate learns is left (bench/learning_rate.py)."""
    datasets = pytest.importorskip("sklearn.datasets")
    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    held_out, train = order[: len(x) // 4], order[len(x) // 4 :]

    def trainer(rate):
        layers = [lm.Input(x.shape[1]), lm.Normalization(), lm.Dense(64, activation="relu")]
        model = lm.Model([*layers, lm.Dense(y.max() + 1, activation="softmax")], seed=0)
        return lm.Trainer(model, loss="cce", optimizer=optimizer(learning_rate=rate))

    def loss(rate):
        data = {"validation_data": (x[held_out], y[held_out])}
        how = {"epochs": 20, "batch_size": 16, "verbose": 0}
        return trainer(rate).fit(x[train], y[train], **data, **how)["val_loss"].min()

    test = lm.find_learning_rate(trainer(0.01), x[train], y[train], batch_size=16)
    shares = np.bincount(y[train]) / len(train)
    constant = -np.log(shares)[y[held_out]].mean()
    best = min(loss(float(rate)) for rate in np.geomspace(1e-5, 1e-1, 7))
    assert (loss(test.suggestion) - best) / (constant - best) < 0.1
