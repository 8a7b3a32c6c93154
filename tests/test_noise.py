"""AlphaDropout and GaussianNoise: what they do to mean and variance, and when they draw anew."""

import math

import numpy as np
import pytest

import lamina as lm

ROWS, COLUMNS = 500, 101
LEAST = -1.0507009873554804934193349852946 * 1.6732632423543772848170429916717  # SELU's
MAKE = {
    "AlphaDropout": lambda: lm.AlphaDropout(0.3),
    "GaussianNoise": lambda: lm.GaussianNoise(0.5),
}
EACH = pytest.mark.parametrize("kind", MAKE)
BOTH = pytest.mark.parametrize("dtype", ["float32", "float64"])


def identity(*layers, columns=COLUMNS, dtype="float64", seed=1):
    """A model that passes its input to the layers as it is."""
    first = lm.Dense(columns, kernel_initializer="identity")
    return lm.Model([lm.Input(columns), first, *layers], seed=seed, dtype=dtype)


def drawn(seed=0, columns=COLUMNS):
    return np.random.default_rng(seed).normal(size=(ROWS, columns))


def selu_of_normal():
    z = drawn()
    return 1.0507009873554805 * np.where(z > 0, z, 1.6732632423543772 * np.expm1(z))


def distance_from_normal(z):
    """Kolmogorov and Smirnov's statistic times the root of n."""
    z = np.sort(z.ravel())
    below = np.array([0.5 * math.erfc(-v / math.sqrt(2)) for v in z])
    places = np.arange(z.size + 1) / z.size
    return math.sqrt(z.size) * max((below - places[:-1]).max(), (places[1:] - below).max())


@BOTH
@pytest.mark.parametrize("columns", [1, 3, 4, 101])
def test_noise_is_normal(columns, dtype):
    """The statistic is above 1.95 once in a thousand; moments within 4 of their deviations."""
    model = identity(lm.GaussianNoise(2.0), columns=columns, dtype=dtype)
    z = np.concatenate(
        [model.forward(np.zeros((ROWS, columns)), training=True) / 2 for _ in range(40)]
    ).astype(np.float64)
    n = z.size
    assert distance_from_normal(z[: 20_000 // columns + 1]) < 1.95
    assert abs(z.mean()) < 4 / math.sqrt(n)
    assert abs((z**2).mean() - 1) < 4 * math.sqrt(2 / n)
    assert abs((z**4).mean() - 3) < 4 * math.sqrt(96 / n)
    assert abs(z).max() < 6.7
    neighbours = (z.ravel()[1:] * z.ravel()[:-1]).mean()
    assert abs(neighbours) < 4 / math.sqrt(n)
    assert len(np.unique(z)) > 0.97 * n  # of 24 bits


def test_noise_has_no_pattern_between_the_halves_of_a_pair():
    """Box and Muller's transform gives two numbers at once: uncorrelated, also in their squares."""
    model = identity(lm.GaussianNoise(1.0), columns=4)  # 16 rows are one draw
    z = model.forward(np.zeros((16 * 4000, 4)), training=True).reshape(-1, 2, 2, 16)
    cosine, sine = z[:, :, 0].ravel(), z[:, :, 1].ravel()
    for f in (lambda v: v, np.square, np.abs):
        assert abs(np.corrcoef(f(cosine), f(sine))[0, 1]) < 4 / math.sqrt(cosine.size)
    quadrant = np.bincount(2 * (cosine > 0) + (sine > 0), minlength=4) / cosine.size
    assert np.abs(quadrant - 0.25).max() < 4 * math.sqrt(0.1875 / cosine.size)
    octant = (np.abs(cosine) > np.abs(sine)).mean()
    assert abs(octant - 0.5) < 2 / math.sqrt(cosine.size)


@pytest.mark.parametrize("rate", [0.05, 0.3, 0.9])
@BOTH
def test_alpha_dropout_keeps_mean_and_variance(rate, dtype):
    x = selu_of_normal()
    y = identity(lm.AlphaDropout(rate), dtype=dtype).forward(x, training=True)
    # x has mean 0 and variance 1 but for its own sample: compare with what that gives.
    kept = 1 - round(rate * 2**16) / 2**16
    scale = 1 / math.sqrt(kept + LEAST**2 * kept * (1 - kept))
    shift = -scale * (1 - kept) * LEAST
    dropped = np.abs(y - (scale * LEAST + shift)) < 1e-6
    assert dropped.mean() == pytest.approx(rate, abs=4 * math.sqrt(0.25 / x.size))
    assert np.allclose(y[~dropped], scale * x[~dropped] + shift, rtol=0, atol=2e-6)
    assert abs(y.mean()) < 0.03
    assert abs(y.var() - 1) < 0.05


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_alpha_dropout_passes_back_what_it_let_through(rate):
    model = identity(lm.AlphaDropout(rate))
    x, pull = drawn(3), drawn(4)
    y = model.forward(x, training=True)
    kept = 1 - round(rate * 2**16) / 2**16
    scale = 1 / math.sqrt(kept + LEAST**2 * kept * (1 - kept))
    shift = -scale * (1 - kept) * LEAST
    mask = np.abs(y - (scale * LEAST + shift)) > 1e-9
    assert np.allclose(model.backward(pull), pull * mask * scale, rtol=0, atol=1e-12)


def test_noise_passes_the_gradient_as_it_is():
    for layers in ([lm.GaussianNoise(0.3)], [lm.Residual([lm.GaussianNoise(0.3)])]):
        model = identity(*layers)
        pull = drawn(5)
        model.forward(drawn(6), training=True)
        factor = 2 if isinstance(layers[0], lm.Residual) else 1
        assert np.array_equal(model.backward(pull), factor * pull)


@EACH
def test_only_in_training(kind):
    x = drawn()
    model = identity(MAKE[kind]())
    assert np.array_equal(model.predict(x), x)
    assert np.array_equal(model.forward(x), x)
    assert not np.array_equal(model.forward(x, training=True), x)
    nothing = {"AlphaDropout": lm.AlphaDropout, "GaussianNoise": lm.GaussianNoise}[kind](0.0)
    assert np.array_equal(identity(nothing).forward(x, training=True), x)


@EACH
def test_each_step_layer_and_seed_draws_its_own(kind):
    x = np.zeros((ROWS, COLUMNS))
    model = identity(MAKE[kind]())
    first, second = (model.forward(x, training=True) for _ in range(2))
    assert np.mean(first == second) < 0.7
    again = identity(MAKE[kind]())
    assert np.array_equal(again.forward(x, training=True), first)
    assert np.mean(identity(MAKE[kind](), seed=2).forward(x, training=True) == first) < 0.7
    two = lm.Parallel([MAKE[kind](), MAKE[kind]()])
    y = identity(two).forward(x, training=True)
    assert np.mean(y[:, :COLUMNS] == y[:, COLUMNS:]) < 0.7
    rows = y.reshape(ROWS, -1)
    assert len(np.unique(rows, axis=0)) == ROWS


@EACH
def test_the_same_noise_for_any_schedule(kind, monkeypatch):
    x, y = drawn(7), drawn(8)[:, :2]

    def fitted(threads):
        layers = [lm.Dense(33, "selu"), MAKE[kind](), lm.Dense(2)]
        model = lm.Model([lm.Input(COLUMNS), *layers], seed=0)
        trainer = lm.Trainer(model, loss="mse", num_threads=threads)
        trainer.fit(x, y, epochs=2, batch_size=70, verbose=0)
        return model.fingerprint()

    expected = fitted(1)
    for threads, block in ((1, 16), (2, 48), (3, 16)):
        monkeypatch.setattr(lm.Trainer, "_scheduling", (block, 0, True))
        assert fitted(threads) == expected


def test_noise_may_follow_a_schedule():
    x = np.zeros((64, COLUMNS))
    fade = lm.schedules.Linear(1.0, total_steps=2, final_learning_rate=0.0)
    model = identity(lm.GaussianNoise(fade))
    deviations = [model.forward(x, training=True).std() for _ in range(3)]
    assert deviations == pytest.approx([1.0, 0.5, 0.0], abs=0.03)
    rates = identity(lm.AlphaDropout(lambda step: 0.25 * (step > 0)))
    assert np.array_equal(rates.forward(x, training=True), x)
    assert np.mean(rates.forward(x, training=True) < -0.5) == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: lm.AlphaDropout(1.0), "AlphaDropout: rate must be below 1"),
        (lambda: lm.AlphaDropout(-0.1), "AlphaDropout: rate must be in"),
        (lambda: lm.GaussianNoise(-1.0), "GaussianNoise: stddev must be in"),
        (lambda: lm.AlphaDropout(lm.schedules.Constant(1.5)), "AlphaDropout: rate"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        identity(make())
