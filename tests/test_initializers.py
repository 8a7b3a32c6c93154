"""Initialisers: moments, extents and distributions, orthogonality, names; the one that sees data.

Seeds are fixed, so nothing here is left to chance.
"""

import json
import math
import pickle

import numpy as np
import pytest

import lamina as lm
from lamina import initializers
from lamina._isa import core

CATALOGUE = {entry["class"]: entry for entry in core.catalogue()["initializers"]}
CUT = 0.87962566103423978  # deviation of a standard normal cut at two deviations


def phi(z):
    return 0.5 * (1 + np.vectorize(math.erf)(np.asarray(z) / math.sqrt(2)))


def uniform(low, high):
    """Mean, deviation, extents and distribution function."""
    return (
        (low + high) / 2,
        (high - low) / math.sqrt(12),
        (low, high),
        lambda x: (x - low) / (high - low),
    )


def normal(mean, stddev):
    return mean, stddev, (-np.inf, np.inf), lambda x: phi((x - mean) / stddev)


def truncated(mean, stddev):
    inside = phi(2.0) - phi(-2.0)
    ends = (mean - 2 * stddev, mean + 2 * stddev)
    return mean, CUT * stddev, ends, lambda x: (phi((x - mean) / stddev) - phi(-2.0)) / inside


def symmetric(limit):
    return uniform(-limit, limit)


K, N = 150, 90  # fan_in, fan_out
RANDOM = {
    "RandomUniform": ({"minval": -1.0, "maxval": 3.0}, uniform(-1, 3)),
    "RandomNormal": ({"mean": 2.0, "stddev": 0.5}, normal(2, 0.5)),
    "TruncatedNormal": ({"mean": 2.0, "stddev": 0.5}, truncated(2, 0.5)),
    "GlorotUniform": ({}, symmetric(math.sqrt(6 / (K + N)))),
    "GlorotNormal": ({}, truncated(0, math.sqrt(2 / (K + N)) / CUT)),
    "HeUniform": ({}, symmetric(math.sqrt(6 / K))),
    "HeNormal": ({}, truncated(0, math.sqrt(2 / K) / CUT)),
    "LeCunUniform": ({}, symmetric(math.sqrt(3 / K))),
    "LeCunNormal": ({}, truncated(0, math.sqrt(1 / K) / CUT)),
}
EXACT = {"Zeros", "Ones", "Constant", "Identity", "Orthogonal", "UnitVariance"}


def make(name, **arguments):
    return getattr(initializers, name)(**arguments)


def test_every_initializer_has_its_case():
    assert {*RANDOM, *EXACT} == set(CATALOGUE), "give the new one a case in this file"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", RANDOM)
def test_moments_extents_and_distribution(name, dtype):
    arguments, (mean, deviation, (low, high), distribution) = RANDOM[name]
    x = make(name, **arguments)((K, N), seed=7, dtype=dtype)
    assert x.dtype == dtype
    n, rounding = x.size, 1 + 1e-6
    assert x.min() >= low - 1e-6 * abs(low)
    assert x.max() <= high * rounding
    x = np.sort(x.ravel().astype(np.float64))
    if np.isfinite(low):  # and they are nearly reached
        assert x[0] < low + 0.02 * (high - low)
        assert x[-1] > high - 0.02 * (high - low)
    assert abs(x.mean() - mean) < 4 * deviation / math.sqrt(n)
    assert x.std() == pytest.approx(deviation, rel=4 / math.sqrt(n))
    # Kolmogorov's and Smirnov's distance; 1.95 / sqrt(n) is passed once in a thousand samples.
    expected = distribution(x)
    steps = np.arange(n + 1) / n
    distance = max(np.abs(expected - steps[:-1]).max(), np.abs(expected - steps[1:]).max())
    assert distance < 1.95 / math.sqrt(n)


@pytest.mark.parametrize("name", RANDOM)
def test_neighbours_seeds_and_tensors_are_uncorrelated(name):
    arguments, (mean, deviation, *_) = RANDOM[name]
    one, other = (
        (make(name, **arguments)((K, N), seed=seed, dtype="float64").ravel() - mean) / deviation
        for seed in (1, 2)
    )
    model = lm.Model(
        [lm.Input(K), lm.Dense(N, kernel_initializer=make(name, **arguments)), lm.Dense(K)],
        seed=1,
        dtype="float64",
    )
    in_model = lm.Model(
        [
            lm.Input(K),
            lm.Dense(K, kernel_initializer="zeros"),
            lm.Dense(N, kernel_initializer=make(name, **arguments)),
        ],
        seed=1,
        dtype="float64",
    )
    second = (in_model.layers[1].kernel.ravel() - mean) / deviation
    assert np.array_equal(model.layers[0].kernel.ravel(), one * deviation + mean) or np.allclose(
        model.layers[0].kernel.ravel(), one * deviation + mean, rtol=1e-12
    )
    for a, b in [(one[:-1], one[1:]), (one[:-N], one[N:]), (one, other), (one, second)]:
        assert abs((a * b).mean()) < 4 / math.sqrt(len(a))


@pytest.mark.parametrize("name", RANDOM)
def test_a_number_depends_on_seed_and_place_alone(name):
    """Other elements, the shape (but for the fans) and dtype do not matter."""
    arguments, _ = RANDOM[name]
    one = make(name, **arguments)
    whole = one((40, 30), seed=11, dtype="float64").ravel()
    if name.startswith("Glorot"):
        assert np.array_equal(one((30, 40), seed=11, dtype="float64").ravel(), whole)
    else:
        assert np.array_equal(one((40, 7), seed=11, dtype="float64").ravel(), whole[:280])
    assert np.array_equal(one((40, 30), seed=11), whole.astype(np.float32).reshape(40, 30))
    assert not np.isclose(one((40, 30), seed=12, dtype="float64").ravel(), whole).any()


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_tensor_does_not_depend_on_those_before_it(name):
    start = make(name, **RANDOM.get(name, ({},))[0])

    def second(first):
        layers = [lm.Input(5), lm.Dense(9, kernel_initializer=first)]
        model = lm.Model([*layers, lm.Dense(9, kernel_initializer=start)], seed=4)
        return np.array(model.layers[1].kernel)

    assert np.array_equal(second("zeros"), second("orthogonal"))


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=lambda entry: entry["class"])
def test_by_name_alias_and_class(entry):
    def start(given):
        model = lm.Model([lm.Input(6), lm.Dense(4, kernel_initializer=given)], seed=3)
        return model.layers[0].kernel.tobytes()

    known = {start(name) for name in (entry["name"], entry["class"], *entry["aliases"])}
    assert known == {start(make(entry["class"]))}
    assert len(make(entry["class"])((6, 4), seed=3)) == 6


def test_aliases_that_users_of_others_know():
    wanted = {"uniform", "normal", "xavier_uniform", "xavier_normal", "kaiming_uniform", "eye"}
    assert wanted <= {alias for entry in CATALOGUE.values() for alias in entry["aliases"]}
    assert {"random_uniform", "random_normal", "truncated_normal", "orthogonal"} <= {
        entry["name"] for entry in CATALOGUE.values()
    }


def test_keras_truncated_normal_is_not_rescaled_and_its_he_normal_is():
    alone = make("TruncatedNormal", stddev=math.sqrt(2 / K))((K, N), seed=7, dtype="float64")
    he = make("HeNormal")((K, N), seed=7, dtype="float64")
    np.testing.assert_allclose(alone, CUT * he, rtol=1e-14)


def test_constants_and_identity():
    assert (make("Constant", value=-2.5)((3, 4)) == -2.5).all()
    assert (make("Zeros")((3,)) == 0).all()
    assert (make("Ones")(()) == 1).all()
    for shape in [(4, 4), (3, 5), (5, 3), (1, 1)]:
        assert np.array_equal(make("Identity", gain=0.5)(shape), 0.5 * np.eye(*shape))
    layer = lm.Dense(4, kernel_initializer="identity")
    x = np.arange(8.0).reshape(2, 4)
    assert np.array_equal(lm.Model([lm.Input(4), layer], seed=0).predict(x), x)


def test_a_narrow_interval_is_not_left():
    x = make("RandomUniform", minval=0.1, maxval=0.1 + 1e-16)((1000,), dtype="float64")
    assert (x >= 0.1).all()
    assert (x <= 0.1 + 1e-16).all()
    assert (make("RandomUniform", minval=0.3, maxval=0.3)((5,), dtype="float64") == 0.3).all()


# ---- orthogonal ---------------------------------------------------------------------------------


@pytest.mark.parametrize("gain", [1.0, math.sqrt(2), -0.5])
@pytest.mark.parametrize(
    "shape", [(1, 1), (5, 3), (3, 5), (1, 7), (7, 1), (32, 32), (33, 65), (130, 97), (300, 300)]
)
def test_orthogonal(shape, gain):
    """Q'Q = gain² I, and Q is that of numpy's factorisation of the same normal matrix."""
    q = make("Orthogonal", gain=gain)(shape, seed=5, dtype="float64")
    tall = q if shape[0] >= shape[1] else q.T
    gram = tall.T @ tall
    assert np.abs(gram - gain**2 * np.eye(len(gram))).max() < 1e-12
    drawn = make("RandomNormal", stddev=1.0)(tall.shape, seed=5, dtype="float64")
    theirs, r = np.linalg.qr(drawn)
    theirs = gain * theirs * np.sign(np.diag(r))
    assert np.abs(tall - theirs).max() < 1e-11
    single = make("Orthogonal", gain=gain)(shape, seed=5)
    assert np.array_equal(single, q.astype(np.float32))


def test_orthogonal_bits_are_frozen():
    """As all machines and levels give them; 40 columns fill more than one block."""
    q = make("Orthogonal")((50, 40), seed=9, dtype="float64")
    assert [q[0, 0].hex(), q[49, 0].hex(), q[17, 35].hex(), q[49, 39].hex()] == [
        "0x1.20e3ff5aec4f0p-4",
        "0x1.433cf7640b922p-3",
        "0x1.5c2584c1eb95dp-3",
        "0x1.46e2b53ade0c2p-5",
    ]


# ---- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Orthogonal", "Identity", "UnitVariance"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3, 4)])
def test_a_matrix_is_wanted(name, shape):
    with pytest.raises(ValueError, match=rf"{name}: expected a matrix \(inputs, outputs\), got"):
        make(name)(shape)


@pytest.mark.parametrize("name", ["orthogonal", "identity", "unit_variance"])
def test_a_bias_is_no_matrix(name):
    with pytest.raises(ValueError, match=r"expected a matrix .* got shape \(2,\)"):
        lm.Model([lm.Input(2), lm.Dense(2, bias_initializer=name)])


def test_ranges():
    with pytest.raises(ValueError, match=r"minval must be at most maxval, got 1 and 0\.5"):
        make("RandomUniform", minval=1.0, maxval=0.5)(3)
    for name in ("RandomNormal", "TruncatedNormal"):
        with pytest.raises(ValueError, match=rf"{name}: stddev must be in \[0, inf\], got -1"):
            make(name, stddev=-1.0)(3)
    with pytest.raises(ValueError, match=r"UnitVariance: rows must be in \[1,"):
        make("UnitVariance", rows=0)((2, 2))
    with pytest.raises(ValueError, match="start must be one of orthogonal, lecun_normal"):
        make("UnitVariance", start="he_normal")((2, 2))


# ---- the one that sees data ---------------------------------------------------------------------

UNIT = initializers.UnitVariance


def table(rows=400, seed=0):
    """Columns of very different scales and places; one constant."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 6)) * [1, 300, 0.01, 5, 0, 1] + [0, 1000, 0, -3, 2, 0]
    return x, np.tanh(x[:, :1]) + 0.1 * rng.normal(size=(rows, 1))


def network(first=None, dtype="float64", seed=2, **common):
    given = first or UNIT(**common)
    return lm.Model(
        [
            lm.Input(6),
            lm.Dense(33, activation="relu", kernel_initializer=given),
            lm.Dropout(0.3),
            lm.Dense(17, activation="tanh", kernel_initializer=UNIT(**common)),
            lm.Dense(1, kernel_initializer=UNIT(**common)),
        ],
        seed=seed,
        dtype=dtype,
    )


def dense(model):
    return [layer for layer in model.layers if isinstance(layer, lm.Dense)]


def pre_activations(model, x):
    for layer, f in zip(dense(model), (lm.activations.relu, np.tanh, np.asarray), strict=True):
        z = x @ layer.kernel + layer.bias
        yield z
        x = f(z)


class AtStart(lm.Callback):
    """Keeps the weights with which the first step begins."""

    def on_train_begin(self, logs=None):
        self.print = self.model.fingerprint()
        self.kernels = [np.array(layer.kernel) for layer in dense(self.model)]


def fit(model, x, y, **options):
    trainer = lm.Trainer(
        model, loss="mse", optimizer=lm.SGD(1e-3), num_threads=options.pop("num_threads", None)
    )
    start = AtStart()
    trainer.fit(x, y, epochs=1, verbose=0, callbacks=[start], **options)
    return start


@pytest.mark.parametrize("start", ["orthogonal", "lecun_normal"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_pre_activations_vary_by_one(start, dtype):
    x, _ = table()
    model = network(start=start, dtype=dtype)
    before = [np.array(layer.kernel) for layer in dense(model)]
    rng = np.random.default_rng(1)
    for layer in dense(model):
        layer.bias[:] = rng.normal(size=layer.bias.shape)
    biases = [np.array(layer.bias) for layer in dense(model)]
    model.initialize(x)
    accuracy = 1e-10 if dtype == "float64" else 2e-4  # the 1000s in a column take three digits
    for z in pre_activations(model, x.astype(dtype)):
        np.testing.assert_allclose(z.std(axis=0, dtype=np.float64), 1, rtol=accuracy)
    for layer, bias, kernel in zip(dense(model), biases, before, strict=True):
        assert np.array_equal(layer.bias, bias)
        ratio = layer.kernel / kernel  # a positive number a unit
        assert (ratio > 0).all()
        np.testing.assert_allclose(ratio, ratio[:1].repeat(len(ratio), axis=0), rtol=1e-5)


def test_a_constant_unit_is_left_alone():
    x, _ = table()
    model = lm.Model([lm.Input(6), lm.Dense(3, kernel_initializer="unit_variance")], seed=1)
    kernel = model.layers[0].kernel
    kernel[:, 0] = [0, 0, 0, 0, 7, 0]  # sees the constant column alone
    kernel[:, 1] = 0
    before = np.array(kernel)
    model.initialize(x)
    assert np.array_equal(kernel[:, :2], before[:, :2])
    assert not np.array_equal(kernel[:, 2], before[:, 2])
    for few in (x[:1], x[:1].repeat(50, axis=0)):  # nothing varies
        model = network()
        before = model.fingerprint()
        model.initialize(few)
        assert [model._core.view(t["name"]).tobytes() for t in model._core.tensors()] == [
            network()._core.view(t["name"]).tobytes() for t in model._core.tensors()
        ]
        assert model.fingerprint() != before  # it has seen data, though


def test_a_constant_column_of_large_numbers_counts_as_constant():
    """0.1 in float64 is no sum of powers of two: its mean over 100 rows is off by rounding."""
    x = np.full((100, 1), 0.1) * 1e8
    layer = lm.Dense(2, kernel_initializer="unit_variance", use_bias=False)
    model = lm.Model([lm.Input(1), layer], seed=1, dtype="float64")
    before = np.array(layer.kernel)
    model.initialize(x)
    assert np.array_equal(layer.kernel, before)


def test_the_first_fit_does_it_once_on_its_first_rows():
    x, y = table(600)
    by_hand = network(rows=64)
    by_hand.initialize(x[:64])
    model = network(rows=64)
    trainer = lm.Trainer(model, loss="mse", optimizer=lm.SGD(1e-4))
    start = AtStart()
    trainer.fit(x, y, epochs=1, callbacks=[start], verbose=0)
    for ours, theirs in zip(start.kernels, dense(by_hand), strict=True):
        assert np.array_equal(ours, theirs.kernel)
    trained = [layer.kernel.tobytes() for layer in dense(model)]
    again = AtStart()
    trainer.fit(100 * x, y, epochs=1, callbacks=[again], verbose=0)
    assert [kernel.tobytes() for kernel in again.kernels] == trained
    other = AtStart()  # nor by another trainer
    trained = [layer.kernel.tobytes() for layer in dense(model)]
    lm.Trainer(model, loss="mse").fit(x, y, epochs=1, callbacks=[other], verbose=0)
    assert [kernel.tobytes() for kernel in other.kernels] == trained


def test_by_hand_and_then_fit_equals_fit():
    x, y = table(300)
    one, other = network(dtype="float32"), network(dtype="float32")
    one.initialize(x)
    fit(one, x, y), fit(other, x, y)
    assert one.fingerprint() == other.fingerprint()


def test_rows_held_out_are_not_looked_at():
    x, y = table(500)
    model = network()
    start = fit(model, x, y, validation_split=0.4, shuffle=False)
    expected = network()
    expected.initialize(x[:300])
    assert np.array_equal(start.kernels[0], dense(expected)[0].kernel)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_threads_do_not_change_bits(dtype, monkeypatch):
    monkeypatch.setattr(lm.Trainer, "_scheduling", (0, 0, True))
    rng = np.random.default_rng(3)
    x = rng.normal(size=(1500, 200)) * rng.uniform(0.1, 10, 200)
    y = rng.normal(size=(1500, 1))
    prints = set()
    for threads in (1, 2, 3):
        layers = [lm.Dense(n, activation="relu", kernel_initializer="lsuv") for n in (700, 300)]
        model = lm.Model([lm.Input(200), *layers, lm.Dense(1)], seed=1, dtype=dtype)
        prints.add(fit(model, x, y, num_threads=threads).print)
        by_hand = lm.Model(
            [
                lm.Input(200),
                *(lm.Dense(n, activation="relu", kernel_initializer="lsuv") for n in (700, 300)),
                lm.Dense(1),
            ],
            seed=1,
            dtype=dtype,
        )
        by_hand.initialize(x, num_threads=threads)
        prints.add(by_hand.fingerprint())
    assert len(prints) == 1


def test_frozen_layers_are_left_alone():
    x, y = table()
    model = network()
    dense(model)[1].trainable = False
    before = np.array(dense(model)[1].kernel)
    start = fit(model, x, y)
    assert np.array_equal(start.kernels[1], before)
    z = list(pre_activations(model, x))
    assert not np.allclose(z[1].std(axis=0), 1, rtol=0.01)


def test_through_containers_and_batch_normalization():
    x, _ = table()
    inner = [lm.Dense(8, activation="tanh", kernel_initializer="lsuv")]
    branch = [lm.BatchNormalization(), lm.Dense(5, kernel_initializer="lsuv", name="behind")]
    layers = [
        lm.Input(6),
        lm.Dense(8, kernel_initializer="lsuv"),
        lm.Residual(inner),
        lm.Parallel([branch, lm.Dense(4, kernel_initializer="lsuv", name="beside")]),
    ]
    model = lm.Model(layers, seed=1, dtype="float64")
    statistics = model._core.view("batch_normalization/moving_mean")
    model.initialize(x)
    assert (statistics == 0).all()
    out = model.forward(x, training=True)
    np.testing.assert_allclose(out.std(axis=0), 1, rtol=1e-10)


def test_the_optimizers_average_begins_from_it():
    x, y = table()
    x -= x.mean(axis=0)
    model = network()
    trainer = lm.Trainer(
        model, loss="mse", optimizer=lm.SGD(1e-12, use_ema=True, ema_momentum=0.999)
    )
    start = AtStart()
    trainer.fit(x, y, epochs=1, callbacks=[start], verbose=0)
    np.testing.assert_allclose(dense(model)[0].kernel, start.kernels[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("seen", [False, True])
def test_files_and_copies_remember(tmp_path, seen):
    x, y = table()
    model = network()
    if seen:
        model.initialize(x)
        dense(model)[0].kernel[:] *= 3
    model.save(str(tmp_path / "m.lamina"))
    for twin in (lm.load(str(tmp_path / "m.lamina")), pickle.loads(pickle.dumps(model))):
        kernels = fit(twin, x, y).kernels
        assert np.array_equal(kernels[0], dense(model)[0].kernel) == seen
    assert json.loads(model._core.spec)["initialized"] == seen
    assert "initialized" not in json.loads(lm.Model([lm.Input(2), lm.Dense(1)])._core.spec)


def test_a_resumed_fit_does_not_do_it_again():
    x, y = table(256)

    def begin():
        return lm.Trainer(network(dtype="float32"), loss="mse", optimizer=lm.Adam())

    class Stop(lm.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 2:
                self.trainer.stop()

    whole = begin()
    whole.fit(x, y, epochs=1, batch_size=32, verbose=0)
    cut = begin()
    cut.fit(x, y, epochs=1, batch_size=32, verbose=0, callbacks=[Stop()])
    resumed = begin()
    resumed._core.load_state(cut._core.state())
    resumed.fit(x, y, epochs=1, batch_size=32, verbose=0)
    assert resumed.model.fingerprint() == whole.model.fingerprint()
    fresh = begin()  # a state from before the first fit still waits
    fresh._core.load_state(begin()._core.state())
    fresh.fit(x, y, epochs=1, batch_size=32, verbose=0)
    assert fresh.model.fingerprint() == whole.model.fingerprint()


def test_what_fails_changes_nothing():
    x, y = table()
    model = network()
    before = model.fingerprint()
    bad = x.copy()
    bad[3, 2] = np.nan
    trainer = lm.Trainer(model, loss="mse")
    with pytest.raises(ValueError, match="column 2 holds NaN in row 3"):
        trainer.fit(bad, y, verbose=0)
    with pytest.raises(ValueError, match="dense/kernel: its pre-activations are not finite"):
        trainer.fit(bad, y, verbose=0, check_input=False)
    with pytest.raises(ValueError, match="dense/kernel: its pre-activations are not finite"):
        model.initialize(bad)
    with pytest.raises(ValueError, match="expected 6 columns, got 5"):
        model.initialize(x[:, :5])
    with pytest.raises(ValueError, match="expected at least one row"):
        model.initialize(x[:0])
    other = lm.Model([lm.Input(6), lm.Dense(1)])
    shared = lm.Adam()
    trainer = lm.Trainer(model, loss="mse", optimizer=shared)
    shared.update([np.zeros(3)], [np.ones(3)])
    with pytest.raises(ValueError, match="optimizer's state belongs to other arrays"):
        trainer.fit(x, y, verbose=0)
    assert model.fingerprint() == before
    with pytest.raises(ValueError, match="no trainable kernel has an initializer that wants data"):
        other.initialize(x)


def test_a_row_of_a_memmap_that_is_no_number(tmp_path):
    x, y = table()
    x[7, 1] = np.inf
    mapped = np.memmap(tmp_path / "x", dtype=np.float64, mode="w+", shape=x.shape)
    mapped[:] = x
    model = network()
    before = model.fingerprint()
    with pytest.raises(ValueError, match="X: row 7 holds NaN or infinity"):
        lm.Trainer(model, loss="mse").fit(mapped, y, verbose=0)
    assert model.fingerprint() == before


def test_a_fit_that_diverges_goes_back_to_the_scaled_start():
    x, y = table()
    model = network()
    trainer = lm.Trainer(model, loss="mse", optimizer=lm.SGD(1e300))
    start = AtStart()
    with pytest.warns(RuntimeWarning, match="non-finite"):
        trainer.fit(x, y, epochs=1, callbacks=[start], verbose=0)
    assert np.array_equal(dense(model)[0].kernel, start.kernels[0])
    np.testing.assert_allclose(next(pre_activations(model, x)).std(axis=0), 1, rtol=1e-10)


def test_it_helps_where_inputs_are_small():
    """With plain SGD, whose step does not adapt; the same seed and rate."""
    x = np.random.default_rng(0).normal(scale=0.01, size=(600, 6))
    y = np.sin(200 * x[:, :1])
    final = {}
    for start in ("he_normal", "unit_variance"):
        layers = [lm.Dense(32, activation="tanh", kernel_initializer=start) for _ in range(4)]
        model = lm.Model([lm.Input(6), *layers, lm.Dense(1)], seed=0)
        trainer = lm.Trainer(model, loss="mse", optimizer=lm.SGD(0.05))
        final[start] = trainer.fit(x, y, epochs=10, batch_size=32, verbose=0)["loss"][-1]
    assert final["unit_variance"] < 0.5 * final["he_normal"], final
