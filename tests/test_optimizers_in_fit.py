"""Every optimizer in a fit, bit for bit: by hand, resumed, on threads, in parts, frozen."""

import json
from itertools import pairwise

import numpy as np
import pytest
from reference import Adam as ReferenceAdam
from reference import Parameter

import lamina as lm
from lamina._isa import core

ROWS, BATCH, EPOCHS = 70, 16, 3
BATCHES = 5  # an epoch
X = np.random.default_rng(0).normal(size=(ROWS, 3)).astype(np.float32)
Y = np.stack([np.sin(X).sum(axis=1), X[:, 0] * X[:, 1]], axis=1)

ENTRIES = core.catalogue()["optimizers"]
NAMES = [entry["class"] for entry in ENTRIES]
# Each by default and in Keras' form, and RMSprop with all its slots.
KINDS = {name: (name, {}) for name in NAMES}
for entry in ENTRIES:
    if any(p["name"] == "form" for p in entry["parameters"]):
        KINDS[f"{entry['class']}, keras"] = (entry["class"], {"form": "keras"})
KINDS["RMSprop, all slots"] = ("RMSprop", {"centered": True, "momentum": 0.9})
EVERY_KIND = pytest.mark.parametrize("kind", list(KINDS))
RATES = {"Adadelta": 1.0}


def make(kind, **options):
    name, own = KINDS[kind]
    return getattr(lm, name)(**{"learning_rate": RATES.get(name, 0.02), **own, **options})


# What a step can do besides: options of the optimizer, and of the layers.
EXTRAS = {
    "plain": ({}, {}),
    "decay and clipvalue": ({"weight_decay": 0.1, "clipvalue": 0.01}, {}),
    "clipnorm": ({"clipnorm": 0.05}, {"kernel_regularizer": lm.L2(0.1)}),
    "global_clipnorm": ({"global_clipnorm": 0.05}, {}),
    "proximal L1": ({}, {"kernel_regularizer": lm.L1(0.05)}),
    "subgradient L1": ({}, {"kernel_regularizer": lm.L1(0.05, proximal=False)}),
    "average": ({"use_ema": True, "ema_momentum": 0.8}, {}),
    "constraint": ({}, {"kernel_constraint": "unit_norm", "bias_constraint": "non_neg"}),
    "accumulation": ({"gradient_accumulation_steps": 3}, {}),
    "all": (
        {
            "gradient_accumulation_steps": 3,
            "global_clipnorm": 0.05,
            "use_ema": True,
            "weight_decay": 0.01,
        },
        {
            "kernel_constraint": lm.constraints.MaxNorm(0.7),
            "kernel_regularizer": lm.L1(0.01),
            "learning_rate_multiplier": 0.3,
        },
    ),
}
EVERY_EXTRA = pytest.mark.parametrize("extra", list(EXTRAS))


def make_trainer(optimizer, layer=None, *, dtype="float32", threads=None, dropout=0.2, wide=19):
    model = lm.Model(
        [
            lm.Input(3),
            lm.Dense(wide, activation="tanh", **(layer or {})),
            lm.Dropout(dropout),
            lm.Dense(2, **(layer or {})),
        ],
        seed=3,
        dtype=dtype,
    )
    return lm.Trainer(model, loss="mse", optimizer=optimizer, num_threads=threads)


def trainer_of(kind, extra, **options):
    own, layer = EXTRAS[extra]
    return make_trainer(make(kind, **own), layer, **options)


def fit(trainer, epochs=EPOCHS, **options):
    return trainer.fit(X, Y, epochs=epochs, batch_size=BATCH, verbose=0, **options)


def batches():
    for start in range(0, ROWS, BATCH):
        yield slice(start, start + BATCH)


def weights(model):
    return [np.array(a) for i in (0, 2) for a in (model.layers[i].kernel, model.layers[i].bias)]


def tensors(state):
    """Names and lengths of what a state holds: safetensors' header."""
    length = int.from_bytes(state[:8], "little")
    header = json.loads(state[8 : 8 + length])
    return {name: row["shape"][0] for name, row in header.items() if name != "__metadata__"}


def stopped_at(batch):
    """A callback that ends a fit after so many of its batches."""
    left = [batch]

    class Stop(lm.Callback):
        def on_train_batch_end(self, batch, logs=None):
            left[0] -= 1
            if left[0] == 0:
                self.trainer.stop()

    return Stop()


# ---- the same bits ------------------------------------------------------------------------------


@EVERY_EXTRA
@EVERY_KIND
def test_a_loop_by_hand_is_a_fit(kind, extra):
    """Gradients stored first and updates from them, or each tile at once."""
    whole, trainer = trainer_of(kind, extra), trainer_of(kind, extra)
    raw = []
    watch = lm.LambdaCallback(on_train_batch_end=lambda *_: raw.append(weights(whole.model)))
    start = weights(whole.model)
    fit(whole, shuffle=False, callbacks=[watch])
    for epoch in range(EPOCHS):
        for rows in batches():
            trainer.compute_gradients(X[rows], Y[rows])
            trainer.optimizer.step(trainer.model)
            expected = raw.pop(0)  # beneath the average
            for a, b in zip(weights(trainer.model), expected, strict=True):
                assert a.tobytes() == b.tobytes(), epoch
    assert trainer.optimizer.iterations == whole.optimizer.iterations > 0
    assert np.abs(expected[0] - start[0]).max() > 1e-5


@pytest.mark.parametrize("batch", [1, 4, BATCHES, 2 * BATCHES + 1])
@pytest.mark.parametrize("extra", ["plain", "average", "accumulation", "all"])
@EVERY_KIND
def test_resumed_equals_uninterrupted(kind, extra, batch):
    """Also in the middle of a sum of gradients."""
    whole, first, second = (trainer_of(kind, extra) for _ in range(3))
    fit(whole)
    fit(first, callbacks=[stopped_at(batch)])
    assert first.optimizer.iterations == (batch // 3 if extra in ("accumulation", "all") else batch)
    state = first._core.state()
    second._core.load_state(state)
    assert second._core.state() == state
    fit(second, EPOCHS - first.epoch)
    assert second.model.fingerprint() == whole.model.fingerprint()
    assert second._core.state() == whole._core.state()
    fit(first, EPOCHS - first.epoch)
    assert first._core.state() == whole._core.state()


@pytest.mark.parametrize("extra", ["plain", "clipnorm", "constraint", "all"])
@EVERY_KIND
def test_any_number_of_threads_and_any_tiles(kind, extra, monkeypatch):
    states = set()
    for threads, block, tile in ((1, 0, 0), (2, 0, 0), (1, 16, 33), (2, 48, 100), (3, 0, 7)):
        monkeypatch.setattr(lm.Trainer, "_scheduling", (block, tile, True))
        trainer = trainer_of(kind, extra, threads=threads, wide=150)  # three blocks of columns
        fit(trainer, 1)
        states.add(trainer._core.state())
    assert len(states) == 1


# ---- accumulated gradients ----------------------------------------------------------------------


@EVERY_KIND
def test_three_batches_are_one_three_times_as_large(kind):
    """To rounding: the mean of three means, each of ten rows, is that of thirty."""
    rates = {"dtype": "float64", "dropout": 0.0}
    parts = make_trainer(make(kind, gradient_accumulation_steps=3), **rates)
    whole = make_trainer(make(kind), **rates)
    x, y = X[:60], Y[:60]
    parts.fit(x, y, epochs=4, batch_size=10, verbose=0)
    whole.fit(x, y, epochs=4, batch_size=30, verbose=0)
    assert parts.optimizer.iterations == whole.optimizer.iterations == 8
    for a, b in zip(weights(parts.model), weights(whole.model), strict=True):
        assert np.abs(a - b).max() <= 1e-11


def test_batches_left_over_wait_for_the_next_epoch():
    """Five batches an epoch, a step every third: the sums are those of all batches in a row."""
    rates = {"dtype": "float64", "dropout": 0.0}
    trainer = make_trainer(lm.Momentum(0.1, gradient_accumulation_steps=3), **rates)
    other = make_trainer(lm.SGD(), **rates)  # gives gradients
    seen = []
    watch = lm.LambdaCallback(on_train_batch_end=lambda *_: seen.append(weights(trainer.model)))
    for _ in range(2):  # and of the next fit
        fit(trainer, 2, shuffle=False, callbacks=[watch])
    mine, alone = weights(other.model), lm.Momentum(0.1)
    sums, count = [np.zeros_like(a) for a in mine], 0
    for _ in range(4):
        for rows in batches():
            other.compute_gradients(X[rows], Y[rows])
            dense = [other.model.layers[0], other.model.layers[2]]
            gradients = [a for d in dense for a in (d.kernel_gradient, d.bias_gradient)]
            sums = [s + g for s, g in zip(sums, gradients, strict=True)]
            count += 1
            if count % 3 == 0:
                alone.update(mine, [s / 3 for s in sums])
                sums = [0 * s for s in sums]
                for d, kernel, bias in zip(dense, mine[::2], mine[1::2], strict=True):
                    d.kernel, d.bias = kernel, bias
            for a, b in zip(seen.pop(0), mine, strict=True):
                assert np.abs(a - b).max() <= 1e-13
    assert (count, trainer.optimizer.iterations) == (20, 6)


def test_a_batch_without_weight_is_not_counted():
    weight = np.ones(ROWS)
    weight[BATCH : 2 * BATCH] = 0
    trainer = make_trainer(lm.SGD(gradient_accumulation_steps=2))
    fit(trainer, 1, shuffle=False, sample_weight=weight)
    assert trainer.optimizer.iterations == 2


def test_schedules_count_steps():
    rates = []
    optimizer = lm.SGD(lm.schedules.Linear(1.0, 4, 0.0), gradient_accumulation_steps=2)
    trainer = make_trainer(optimizer)
    note = lm.LambdaCallback(
        on_train_batch_end=lambda *_: rates.append(optimizer.current("learning_rate"))
    )
    fit(trainer, 1, callbacks=[note])
    assert rates == [1.0, 0.75, 0.75, 0.5, 0.5]


def test_a_length_that_comes_from_fit_is_counted_in_steps():
    optimizer = lm.SGD(
        lm.schedules.Linear(1.0, final_learning_rate=0.0), gradient_accumulation_steps=5
    )
    fit(make_trainer(optimizer), 4)
    assert optimizer.iterations == 4
    assert optimizer.current("learning_rate") == 0.0


def test_a_schedule_that_fails_adds_no_gradient_twice():
    """A fit that goes on after the error is the one without it."""
    broken = [True]

    def rate(step):
        if step == 1 and broken:
            broken.clear()
            raise ZeroDivisionError
        return 0.1

    trainer = make_trainer(lm.SGD(rate, gradient_accumulation_steps=2))
    with pytest.raises(ZeroDivisionError):
        fit(trainer)
    fit(trainer)
    whole = make_trainer(lm.SGD(lambda _: 0.1, gradient_accumulation_steps=2))
    fit(whole)
    assert trainer.model.fingerprint() == whole.model.fingerprint()


def test_memory_counts_the_sum():
    one, other = (make_trainer(lm.SGD(gradient_accumulation_steps=k)) for k in (1, 2))
    for trainer in (one, other):
        fit(trainer, 1)
    assert other._core.nbytes - one._core.nbytes == 4 * tensors(other._core.state())["accumulated"]


# ---- multipliers --------------------------------------------------------------------------------


@EVERY_KIND
def test_a_multiplied_rate_is_another_rate(kind):
    """An eighth is exact: a rate and a multiplier give the bits of their product."""
    name = KINDS[kind][0]
    rate = RATES.get(name, 0.02)
    trainer = make_trainer(make(kind, weight_decay=0.1), {"learning_rate_multiplier": 0.125})
    other = make_trainer(make(kind, weight_decay=0.1, learning_rate=rate / 8))
    fit(trainer), fit(other)
    for a, b in zip(weights(trainer.model), weights(other.model), strict=True):
        assert np.array_equal(a, b)
    tenth = make_trainer(make(kind), {"learning_rate_multiplier": 0.1}, dtype="float64")
    other = make_trainer(make(kind, learning_rate=rate / 10), dtype="float64")
    fit(tenth), fit(other)
    for a, b in zip(weights(tenth.model), weights(other.model), strict=True):
        assert np.abs(a - b).max() <= 1e-12


@EVERY_KIND
def test_a_rate_times_zero_moves_nothing(kind):
    trainer = make_trainer(
        make(kind, weight_decay=0.1),
        {"learning_rate_multiplier": 0.0, "kernel_regularizer": lm.L1(0.1)},
    )
    before = weights(trainer.model)
    fit(trainer)
    for a, b in zip(weights(trainer.model), before, strict=True):
        assert np.array_equal(a, b)


@EVERY_KIND
def test_a_multiplied_decay_is_another_decay(kind):
    results = []
    for multiplier, decay in ((0.0, 0.5), (0.25, 0.4), (1.0, 0.0), (1.0, 0.1)):
        trainer = make_trainer(
            make(kind, weight_decay=decay), {"weight_decay_multiplier": multiplier}
        )
        fit(trainer)
        results.append(weights(trainer.model)[0])
    assert np.array_equal(results[0], results[2])
    assert results[1] == pytest.approx(results[3], rel=1e-5, abs=1e-7)
    assert not np.array_equal(results[2], results[3])


def test_multipliers_are_those_of_their_layer(tmp_path):
    layers = [
        lm.Input(3),
        lm.Dense(4, learning_rate_multiplier=0.0, name="still"),
        lm.Dense(2, weight_decay_multiplier=0.5, kernel_constraint="max_norm", name="moves"),
    ]
    model = lm.Model(layers, seed=0)
    model.save(tmp_path / "m.lamina")
    loaded = lm.load(tmp_path / "m.lamina")
    assert loaded["still"].learning_rate_multiplier == 0.0
    assert loaded["moves"].weight_decay_multiplier == 0.5
    assert loaded["moves"].kernel_constraint == lm.constraints.MaxNorm()
    before = loaded["still"].kernel.copy(), loaded["moves"].kernel.copy()
    lm.Trainer(loaded, loss="mse").fit(X, Y, epochs=1, verbose=0)
    assert np.array_equal(loaded["still"].kernel, before[0])
    assert not np.array_equal(loaded["moves"].kernel, before[1])


# ---- frozen layers ------------------------------------------------------------------------------


@pytest.mark.parametrize("extra", ["plain", "constraint", "all"])
@EVERY_KIND
def test_a_frozen_layer_stays_as_it_is_and_has_no_state(kind, extra):
    trainer = trainer_of(kind, extra)
    trainer.model.layers[0].trainable = False
    before = weights(trainer.model)
    fit(trainer)
    after = weights(trainer.model)
    for a, b in zip(after[:2], before[:2], strict=True):
        assert a.tobytes() == b.tobytes()
    assert not np.array_equal(after[2], before[2])
    state, all_of_it = tensors(trainer._core.state()), trainer_of(kind, extra)
    fit(all_of_it)
    expected = tensors(all_of_it._core.state())
    assert set(state) == set(expected)
    for name, size in state.items():
        if name.startswith("slot") or name == "accumulated":
            assert size == 48 + 16  # 19 x 2 and 2, in whole vectors
            assert expected[name] == 64 + 32 + size
        else:
            assert size == expected[name]


def test_no_work_below_the_lowest_trainable_tensor():
    """Their gradients are not computed, and the memory for them is not taken."""

    def prepared(frozen):
        layers = [lm.Dense(64, activation="tanh", trainable=i >= frozen) for i in range(6)]
        model = lm.Model([lm.Input(3), *layers, lm.Dense(2)], seed=0)
        trainer = lm.Trainer(model, loss="mse", optimizer=lm.SGD())
        trainer.compute_gradients(X, Y)
        for layer in layers:
            layer.kernel_gradient[:] = 7
        trainer.compute_gradients(X, Y)
        untouched = [bool((layer.kernel_gradient == 7).all()) for layer in layers]
        assert untouched == [i < frozen for i in range(6)]
        trainer.fit(X, Y, epochs=1, verbose=0)
        return trainer._core.nbytes

    sizes = [prepared(frozen) for frozen in range(7)]
    assert sizes[0] >= sizes[1]
    assert all(more > less for more, less in pairwise(sizes[1:]))


def test_frozen_and_freed_between_fits():
    """Others keep their state; what is freed begins anew, its bias corrected from there."""
    trainer = make_trainer(lm.Adam(0.02), dtype="float64", dropout=0.0)
    other = make_trainer(lm.SGD(), dtype="float64", dropout=0.0)  # gives gradients
    mine = [Parameter(a) for a in weights(other.model)]
    dense = [other.model.layers[0], other.model.layers[2]]
    steppers = [ReferenceAdam(0.02) for _ in mine]
    for trainable in (True, False, True, False):
        trainer.model.layers[0].trainable = trainable
        if not trainable:  # what they remember is dropped
            for i in range(2):
                steppers[i], mine[i].slots = ReferenceAdam(0.02), {}
        fit(trainer, 2, shuffle=False)
        for _ in range(2):
            for rows in batches():
                other.compute_gradients(X[rows], Y[rows])
                for i, p in enumerate(mine):
                    d = dense[i // 2]
                    p.gradient = np.array(d.bias_gradient if i % 2 else d.kernel_gradient)
                for i, (stepper, p) in enumerate(zip(steppers, mine, strict=True)):
                    if trainable or i >= 2:
                        stepper.step([p])
                for i, p in enumerate(mine):
                    setattr(dense[i // 2], "bias" if i % 2 else "kernel", p.value)
        for a, p in zip(weights(trainer.model), mine, strict=True):
            assert np.abs(a - p.value).max() <= 1e-11


@pytest.mark.parametrize("extra", ["plain", "accumulation", "all"])
@EVERY_KIND
def test_resumed_with_frozen_layers(kind, extra):
    def start():
        trainer = trainer_of(kind, extra)
        fit(trainer, 1)
        trainer.model.layers[0].trainable = False
        return trainer

    whole, first = start(), start()
    fit(whole, 2)
    fit(first, 2, callbacks=[stopped_at(4)])
    second = trainer_of(kind, extra)
    with pytest.raises(ValueError, match="belongs to another model"):
        second._core.load_state(first._core.state())
    second.model.layers[0].trainable = False
    second._core.load_state(first._core.state())
    fit(second, 2)
    assert second._core.state() == whole._core.state()
    whole.model.layers[0].trainable = second.model.layers[0].trainable = True
    fit(whole, 1), fit(second, 1)
    assert second._core.state() == whole._core.state()


def test_whoever_saves_changes_nothing():
    """Saving between freezing and freeing dropped the frozen layer's state."""
    states = []
    for saves in (False, True):
        trainer = make_trainer(lm.Adam())
        fit(trainer, 1)
        trainer.model.layers[0].trainable = False
        if saves:
            assert tensors(trainer._core.state())["slot0"] == 64
        trainer.model.layers[0].trainable = True
        fit(trainer, 1)
        states.append(trainer._core.state())
    assert states[0] == states[1]


@EVERY_KIND
def test_everything_frozen(kind):
    trainer, again = (trainer_of(kind, "all") for _ in range(2))
    for one in (trainer, again):
        for layer in one.model.layers:
            layer.trainable = False
    before = trainer.model.fingerprint()
    fit(trainer, 2)
    assert trainer.model.fingerprint() == before
    again._core.load_state(trainer._core.state())
    fit(trainer, 1), fit(again, 1)
    assert trainer._core.state() == again._core.state()


def test_a_state_before_the_first_step():
    """It was loaded without the places of its slots."""

    class Fail(lm.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            raise KeyError

    first, second, whole = (make_trainer(lm.Adam(use_ema=True)) for _ in range(3))
    with pytest.raises(KeyError):
        fit(first, callbacks=[Fail()])
    second._core.load_state(first._core.state())
    fit(second), fit(whole)
    assert second._core.state() == whole._core.state()


def test_an_average_keeps_what_is_frozen_as_it_is_seen():
    """The fit went on from the weights beneath the average, in frozen layers, too."""
    trainer = make_trainer(lm.SGD(0.1, use_ema=True))
    fit(trainer)
    layer = trainer.model.layers[0]
    before = layer.kernel.copy()
    layer.trainable = False
    fit(trainer, 1)
    assert np.array_equal(layer.kernel, before)
    assert not np.array_equal(trainer.model.layers[2].kernel, before)


@pytest.mark.parametrize("optimizer", [lm.Adam, lm.SGD])
@pytest.mark.parametrize(
    "options", [{}, {"global_clipnorm": 0.1}, {"gradient_accumulation_steps": 2}]
)
def test_a_callback_freezes_and_frees(optimizer, options):
    """From the next batch on, as between two fits."""

    def start(dtype="float32"):
        trainer = make_trainer(optimizer(0.02, **options))
        trainer.model.layers[2].trainable = False
        return trainer

    def swap(trainer):
        trainer.model.layers[0].trainable = not trainer.model.layers[0].trainable
        trainer.model.layers[2].trainable = not trainer.model.layers[2].trainable

    inside, between = start(), start()
    kept = []

    def change(epoch, _):
        swap(inside)
        kept.append(inside._core.state())

    fit(inside, 3, callbacks=[lm.LambdaCallback(on_epoch_end=change)])
    for _ in range(3):
        fit(between, 1)
        swap(between)
    assert inside._core.state() == between._core.state() == kept[-1]
    again = start()
    swap(again)
    again._core.load_state(kept[0])  # of the callback in the first epoch
    fit(again, 1)
    swap(again)
    assert again._core.state() == kept[1]


def test_a_callback_frees_in_the_middle_of_an_epoch():
    trainer = make_trainer(lm.Adam(global_clipnorm=0.1))
    layer = trainer.model.layers[0]
    layer.trainable = False
    moved = []

    def note(batch, _):
        moved.append(layer.kernel.copy())
        if batch == 2:
            layer.trainable = True

    fit(trainer, 1, callbacks=[lm.LambdaCallback(on_train_batch_end=note)])
    changed = [not np.array_equal(a, b) for a, b in pairwise(moved)]
    assert changed == [False, False, True, True]


# ---- a divergence -------------------------------------------------------------------------------


@pytest.mark.parametrize("accumulation", [1, 2])
def test_after_a_divergence_the_state_begins_anew(accumulation):
    """The bias of the new state was corrected as if it were old: steps many times the rate."""
    trainer = make_trainer(lm.Adam(0.01, gradient_accumulation_steps=accumulation), dropout=0.0)
    fit(trainer, 20)
    good = weights(trainer.model)
    y = Y.copy()
    y[-1] = 1e30  # its square is no number in float32
    with pytest.warns(RuntimeWarning, match="diverged"):
        trainer.fit(X, y, epochs=1, batch_size=BATCH, shuffle=False, verbose=0)
    for a, b in zip(weights(trainer.model), good, strict=True):
        assert np.array_equal(a, b)
    seen = [good]
    watch = lm.LambdaCallback(on_train_batch_end=lambda *_: seen.append(weights(trainer.model)))
    fit(trainer, 2, callbacks=[watch])
    moved = [np.abs(b[0] - a[0]).max() for a, b in pairwise(seen)]
    assert moved.count(0) == (10 - 5 if accumulation == 2 else 0)
    assert 0.009 < max(moved) <= 0.0105


def test_a_constraint_hides_no_nan():
    """max(NaN, 0) is 0: the step was taken for good, and every later one gave 0."""
    model = lm.Model(
        [lm.Input(1), lm.Dense(1, kernel_constraint="non_neg", bias_constraint="non_neg")], seed=0
    )
    model.layers[0].kernel[:] = 1
    trainer = lm.Trainer(model, loss="mse", optimizer=lm.Momentum(1e20))
    with pytest.warns(RuntimeWarning, match="a weight of dense/kernel became non-finite"):
        trainer.fit(np.full((4, 1), 1e15), np.zeros(4), epochs=2, verbose=0)
    assert model.layers[0].kernel == 1


# ---- learning -----------------------------------------------------------------------------------


@EVERY_KIND
def test_each_learns_a_table(kind):
    """Six columns, an interaction and noise; the loss falls to less than a half in a few epochs."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 6)).astype(np.float32)
    y = np.tanh(x[:, 0]) + 0.5 * x[:, 1] * x[:, 2] - 0.3 * x[:, 3] + 0.05 * rng.normal(size=400)
    name = KINDS[kind][0]
    rates = {"SGD": 0.1, "Momentum": 0.03, "Nesterov": 0.03, "Adadelta": 3.0, "Lion": 0.003}
    optimizer = make(kind, learning_rate=rates.get(name, 0.01))
    model = lm.Model([lm.Input(6), lm.Dense(24, activation="tanh"), lm.Dense(1)], seed=0)
    trainer = lm.Trainer(model, loss="mse", optimizer=optimizer)
    before = trainer.evaluate(x, y)["loss"]
    trainer.fit(x, y, epochs=30, batch_size=20, verbose=0)
    assert trainer.evaluate(x, y)["loss"] < 0.5 * min(before, np.var(y))
