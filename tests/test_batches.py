"""Batches of every size: one row, all rows, more than there are; and what a row's weight means."""

import numpy as np
import pytest
import reference as ref

import lamina as lm

ROWS = 50


def make_data(rows=ROWS):
    rng = np.random.default_rng(4)
    x = rng.normal(size=(rows, 5))
    return x, np.sin(x[:, :2]) + 0.1 * rng.normal(size=(rows, 2))


def make_model():
    layers = [lm.Input(5), lm.Dense(8, activation="tanh"), lm.Dense(2)]
    return lm.Model(layers, seed=9, dtype="float64")


def reference_of(model):
    first, second = model.layers
    layers = [ref.Dense(first.kernel, first.bias, "tanh"), ref.Dense(second.kernel, second.bias)]
    return ref.Network(layers, "mean_squared_error")


def fit(model, x, y, optimizer=None, epochs=3, batch_size=16, **options):
    trainer = lm.Trainer(model, loss="mse", optimizer=optimizer or lm.SGD(learning_rate=0.1))
    options.setdefault("shuffle", False)
    return trainer.fit(x, y, epochs=epochs, batch_size=batch_size, verbose=0, **options)


def weights(model):
    return np.concatenate([w.ravel() for layer in model.layers for w in (layer.kernel, layer.bias)])


def close(model, network_or_weights, tolerance=1e-12):
    expected = network_or_weights
    if isinstance(expected, ref.Network):
        expected = np.concatenate([p.value.ravel() for p in expected.parameters])
    return np.abs(weights(model) - expected).max() <= tolerance


@pytest.mark.parametrize("batch_size", [1, 7, 16, 49, 50, 51, 1000])
def test_any_batch_size_is_the_reference(batch_size):
    x, y = make_data()
    model = make_model()
    network = reference_of(model)
    history = fit(model, x, y, batch_size=batch_size)
    steps = list(network.train(x, y, ref.SGD(0.1), batch_size, epochs=3))
    assert len(steps) == 3 * -(-ROWS // batch_size)  # the last short batch is trained on, too
    assert close(model, network)
    assert len(history["loss"]) == 3


def test_a_full_batch_is_textbook_gradient_descent():
    x, y = make_data()
    model = make_model()
    network = reference_of(model)
    losses = [network.loss(x, y)]
    for _ in range(20):  # w <- w - rate * dL/dw, the gradient over all rows, nothing else
        network.compute_gradients(x, y)
        for p in network.parameters:
            p.value -= 0.1 * p.gradient
        losses.append(network.loss(x, y))
    history = fit(model, x, y, epochs=20, batch_size=ROWS)
    assert close(model, network)
    assert history["loss"] == pytest.approx(losses[:-1], rel=1e-12)
    assert np.all(np.diff(losses) < 0)


def test_a_batch_larger_than_the_data_is_the_whole_data():
    x, y = make_data()
    larger, exact = make_model(), make_model()
    fit(larger, x, y, batch_size=10 * ROWS)
    fit(exact, x, y, batch_size=ROWS)
    assert larger.fingerprint() == exact.fingerprint()


@pytest.mark.parametrize("rows", [1, 2, 15, 17])
def test_few_rows(rows):
    x, y = make_data(rows)
    model = make_model()
    network = reference_of(model)
    fit(model, x, y, batch_size=16)
    list(network.train(x, y, ref.SGD(0.1), 16, epochs=3))
    assert close(model, network)
    assert model.predict(x).shape == (rows, 2)


def test_shuffling_visits_each_row_once_an_epoch():
    """At a rate of zero nothing moves: an epoch's loss is the mean over all rows, in any order."""
    x, y = make_data()
    model = make_model()
    expected = reference_of(model).loss(x, y)
    history = fit(model, x, y, lm.SGD(learning_rate=0.0), epochs=4, batch_size=7, shuffle=True)
    assert history["loss"] == pytest.approx([expected] * 4, rel=1e-13)


def test_shuffling_gives_each_epoch_its_own_order():
    x, y = make_data()
    ordered, shuffled = make_model(), make_model()
    fit(ordered, x, y)
    fit(shuffled, x, y, shuffle=True)
    assert not close(shuffled, weights(ordered), 1e-6)
    once, twice = make_model(), make_model()
    fit(once, x, y, epochs=1, shuffle=True)
    trainer = lm.Trainer(twice, loss="mse", optimizer=lm.SGD(learning_rate=0.1))
    start = weights(twice).copy()
    trainer.fit(x, y, epochs=1, batch_size=16, shuffle=True, verbose=0)
    assert close(twice, weights(once), 0)
    twice.layers[0].kernel[:] = start[:40].reshape(5, 8)  # the same start, the second epoch's order
    twice.layers[0].bias[:] = start[40:48]
    twice.layers[1].kernel[:] = start[48:64].reshape(8, 2)
    twice.layers[1].bias[:] = start[64:]
    trainer.fit(x, y, epochs=1, batch_size=16, shuffle=True, verbose=0)
    assert not close(twice, weights(once), 1e-9)


def test_weight_two_is_the_row_twice():
    x, y = make_data()
    weight = np.random.default_rng(8).integers(0, 4, size=ROWS)
    weighted, repeated = make_model(), make_model()
    rows = np.repeat(np.arange(ROWS), weight)
    fit(weighted, x, y, batch_size=ROWS, sample_weight=weight)
    fit(repeated, x[rows], y[rows], batch_size=len(rows))
    assert close(weighted, weights(repeated))
    trainer = lm.Trainer(weighted, loss="mse", metrics=["mae"])
    a, b = trainer.evaluate(x, y, sample_weight=weight), trainer.evaluate(x[rows], y[rows])
    assert a == pytest.approx(b, rel=1e-12)


def test_the_scale_of_the_weights_does_not_matter():
    x, y = make_data()
    weight = np.random.default_rng(8).uniform(0.1, 2, size=ROWS)
    one, ten, none, ones = make_model(), make_model(), make_model(), make_model()
    fit(one, x, y, sample_weight=weight)
    fit(ten, x, y, sample_weight=10 * weight)
    assert close(one, weights(ten))
    fit(none, x, y)
    fit(ones, x, y, sample_weight=np.ones(ROWS))
    assert close(none, weights(ones))


@pytest.mark.parametrize(
    "optimizer", [lambda: lm.SGD(learning_rate=0.1), lambda: lm.Adam(weight_decay=0.1)]
)
def test_a_batch_of_zero_weights_makes_no_step(optimizer):
    """No step at all: no momentum, no decay, no count."""
    x, y = make_data(48)
    weight = np.ones(48)
    weight[16:32] = 0
    with_hole, without = make_model(), make_model()
    fit(with_hole, x, y, optimizer(), sample_weight=weight)
    kept = np.r_[0:16, 32:48]
    fit(without, x[kept], y[kept], optimizer())
    assert close(with_hole, weights(without), 1e-13)


def test_class_weights_are_sample_weights():
    rng = np.random.default_rng(6)
    x, y = rng.normal(size=(60, 5)), rng.integers(0, 3, size=60)
    by_class = {0: 1.0, 1: 2.0, 2: 0.5}
    each = np.array([by_class[label] for label in y])

    def trained(**options):
        model = lm.Model([lm.Input(5), lm.Dense(3, activation="softmax")], seed=1, dtype="float64")
        trainer = lm.Trainer(
            model, loss="categorical_crossentropy", optimizer=lm.SGD(learning_rate=0.5)
        )
        trainer.fit(x, y, epochs=3, batch_size=16, shuffle=False, verbose=0, **options)
        return weights(model)

    assert np.abs(trained(class_weight=by_class) - trained(sample_weight=each)).max() <= 1e-13
    assert np.abs(trained(class_weight=by_class) - trained()).max() > 1e-3
    weight = rng.uniform(0.5, 1, size=60)
    both = trained(class_weight=by_class, sample_weight=weight)
    assert (
        np.abs(both - trained(sample_weight=weight * each)).max() <= 1e-13
    )  # class weights multiply into them


def test_a_target_column_and_a_flat_target_mean_the_same():
    x, y = make_data()
    flat, column = [lm.Model([lm.Input(5), lm.Dense(1)], seed=2) for _ in range(2)]
    fit(flat, x, y[:, 0])
    fit(column, x, y[:, :1])
    assert flat.fingerprint() == column.fingerprint()
    assert flat.predict(x).shape == (ROWS, 1)


def test_validation_split_without_shuffling_takes_the_last_rows():
    x, y = make_data()
    split, explicit = make_model(), make_model()
    a = fit(split, x, y, validation_split=0.2)
    b = fit(explicit, x[:40], y[:40], validation_data=(x[40:], y[40:]))
    assert split.fingerprint() == explicit.fingerprint()
    assert np.array_equal(a["val_loss"], b["val_loss"])
