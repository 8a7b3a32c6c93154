"""The same bits for any number of threads, type of input, interruption, and whoever looks on.

test_same_bits.py forces the schedule, and varies models, layouts and the company in a batch.
"""

import numpy as np
import pytest

import lamina as lm

THREADS = (1, 2, 3, 5)
ROWS, COLUMNS, CLASSES = 700, 37, 5
BATCH = 96  # neither a divisor of the rows nor a power of two


def make_data(dtype=np.float32):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, COLUMNS)).astype(np.float32)
    y = (x[:, :CLASSES] + 0.3 * rng.normal(size=(ROWS, CLASSES))).argmax(axis=1)
    return x.astype(dtype), y


def make_model(dtype="float32", dropout=0.2):
    """Odd widths, a dropout, penalties of both kinds: many paths in one small network."""
    return lm.Model(
        [
            lm.Input(COLUMNS),
            lm.Dense(129, activation="relu", kernel_regularizer=lm.L2(1e-4)),
            lm.Dropout(dropout),
            lm.Dense(67, activation="tanh", kernel_regularizer=lm.L1(1e-4)),
            lm.Dense(CLASSES, activation="softmax"),
        ],
        seed=12,
        dtype=dtype,
    )


def make_trainer(model, optimizer="adam", num_threads=None):
    return lm.Trainer(
        model,
        loss="categorical_crossentropy",
        optimizer=optimizer,
        metrics=["accuracy"],
        num_threads=num_threads,
    )


def fitted(x, y, *, dtype="float32", optimizer="adam", num_threads=None, epochs=2, **fit):
    model = make_model(dtype)
    history = make_trainer(model, optimizer, num_threads).fit(
        x, y, epochs=epochs, batch_size=BATCH, verbose=0, **fit
    )
    return model, history


def curves(history):
    """Everything the history says about the model, nothing about the clock."""
    return {
        k: list(v)
        for k, v in history.history.items()
        if k.endswith(("loss", "accuracy", "penalty"))
    }


def test_the_same_bits_twice_and_others_from_another_seed():
    x, y = make_data()
    first, second = fitted(x, y)[0], fitted(x, y)[0]
    assert first.fingerprint() == second.fingerprint()
    for a, b in zip(first.layers, second.layers, strict=True):
        if hasattr(a, "kernel"):
            assert np.array_equal(a.kernel, b.kernel)
    other = make_model()
    lm.Trainer(other, loss="categorical_crossentropy", seed=13).fit(
        x, y, epochs=2, batch_size=BATCH, verbose=0
    )
    assert other.fingerprint() != first.fingerprint()


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: lm.Adam(),
        lambda: lm.Momentum(learning_rate=0.05, weight_decay=1e-3),
        lambda: lm.Adam(global_clipnorm=0.1),  # needs all gradients first: the two-sweep path
        lambda: lm.SGD(learning_rate=0.1, use_ema=True),
    ],
    ids=["adam", "momentum", "global_clipnorm", "ema"],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_any_number_of_threads(dtype, optimizer, monkeypatch):
    x, y = make_data()
    validation = (x[:100], y[:100])
    results = [
        fitted(x, y, dtype=dtype, optimizer=optimizer(), num_threads=n, validation_data=validation)
        for n in THREADS
    ]
    assert len({model.fingerprint() for model, _ in results}) == 1
    for _, history in results[1:]:
        assert curves(history) == curves(results[0][1])  # losses and metrics, too
    monkeypatch.setattr(lm.Model, "_exact_threads", True)
    predictions = [results[0][0].predict(x, num_threads=n) for n in THREADS]
    assert all(np.array_equal(p, predictions[0]) for p in predictions)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32", "int64", "bool", "float16"])
def test_any_numeric_dtype(dtype):
    x, y = make_data()
    x = (x > 0).astype(np.float32) if dtype in ("bool", "uint8") else np.round(4 * x)
    expected, _ = fitted(x, y, epochs=1)
    assert fitted(x.astype(dtype), y, epochs=1)[0].fingerprint() == expected.fingerprint()


@pytest.mark.parametrize(
    "same",
    [
        lambda y: y.astype(np.uint8),
        lambda y: y.astype(np.float64),
        lambda y: y.astype(">i4"),
        lambda y: y[:, None],
        lambda y: np.repeat(y, 2)[::2],
        lambda y: y.tolist(),
        lambda y: np.eye(CLASSES)[y],
        lambda y: np.asfortranarray(np.eye(CLASSES, dtype=np.float32)[y]),
    ],
    ids=[
        "uint8",
        "float64",
        "big-endian",
        "column",
        "strided",
        "list",
        "one-hot",
        "fortran one-hot",
    ],
)
def test_any_form_of_the_labels(same):
    x, y = make_data()
    assert fitted(x, same(y), epochs=1)[0].fingerprint() == fitted(x, y, epochs=1)[0].fingerprint()


def test_float64_input_is_not_rounded_on_its_way_into_a_float64_model():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(ROWS, COLUMNS)), make_data()[1]
    expected = fitted(x, y, dtype="float64", epochs=1)[0]
    assert (
        fitted(np.asfortranarray(x), y, dtype="float64", epochs=1)[0].fingerprint()
        == expected.fingerprint()
    )
    rounded = fitted(x.astype(np.float32), y, dtype="float64", epochs=1)[0]
    assert rounded.fingerprint() != expected.fingerprint()


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: lm.Adam(weight_decay=1e-3),
        lambda: lm.Nesterov(learning_rate=lm.Cosine(0.05, total_steps=40), use_ema=True),
        lambda: lm.Adagrad(),
    ],
    ids=["adam", "nesterov, cosine, ema", "adagrad"],
)
def test_two_and_two_epochs_are_four(optimizer, shuffle):
    x, y = make_data()
    whole, history = fitted(
        x, y, optimizer=optimizer(), epochs=4, shuffle=shuffle, validation_split=0.2
    )
    model = make_model()
    trainer = make_trainer(model, optimizer())
    parts = [
        trainer.fit(
            x, y, epochs=2, batch_size=BATCH, shuffle=shuffle, validation_split=0.2, verbose=0
        )
        for _ in range(2)
    ]
    assert model.fingerprint() == whole.fingerprint()
    assert np.array_equal(np.concatenate([p["val_loss"] for p in parts]), history["val_loss"])
    assert list(parts[1].epoch) == [2, 3]
    assert curves(trainer.history) == curves(history)


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: lm.Adam(weight_decay=1e-3),
        lambda: lm.Momentum(learning_rate=0.05, global_clipnorm=0.5),
    ],
    ids=["adam", "momentum, clipped"],
)
def test_a_loop_of_gradients_and_steps_is_a_fit(optimizer):
    x, y = make_data()
    expected, _ = fitted(x, y, optimizer=optimizer(), epochs=2, shuffle=False)
    model, by_hand = make_model(), optimizer()
    trainer = make_trainer(model, by_hand)
    for _ in range(2):
        for start in range(0, ROWS, BATCH):
            trainer.compute_gradients(x[start : start + BATCH], y[start : start + BATCH])
            by_hand.step(model)
    assert model.fingerprint() == expected.fingerprint()


def test_looking_on_changes_nothing():
    """Validation, metrics, a bar and an evaluation between two fits read; they do not touch."""
    x, y = make_data()
    expected, _ = fitted(x, y, epochs=2)
    model = make_model()
    trainer = make_trainer(model)
    for _ in range(2):
        trainer.fit(x, y, epochs=1, batch_size=BATCH, validation_data=(x[:50], y[:50]), verbose=0)
        trainer.evaluate(x, y)
        model.predict(x)
    assert model.fingerprint() == expected.fingerprint()


def test_the_input_is_left_as_it_was():
    x, y = make_data()
    kept_x, kept_y = x.copy(), y.copy()
    fitted(x, y, sample_weight=np.ones(ROWS, np.float32))
    assert np.array_equal(x, kept_x)
    assert np.array_equal(y, kept_y)


def test_reset_begins_anew():
    """From the same weights, the optimizer, the streams and the numbering start again."""
    x, y = make_data()
    model = make_model()
    layers = [layer for layer in model.layers if hasattr(layer, "kernel")]
    start = [(np.array(layer.kernel), np.array(layer.bias)) for layer in layers]
    trainer = make_trainer(model)
    trainer.fit(x, y, epochs=2, batch_size=BATCH, verbose=0)
    first = model.fingerprint()
    trainer.reset()
    assert len(trainer.history) == 0
    for layer, (kernel, bias) in zip(layers, start, strict=True):
        layer.kernel[:], layer.bias[:] = kernel, bias
    history = trainer.fit(x, y, epochs=2, batch_size=BATCH, verbose=0)
    assert list(history.epoch) == [0, 1]
    assert model.fingerprint() == first
