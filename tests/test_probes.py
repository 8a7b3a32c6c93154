"""Architecture probes: five tiny models that would break an engine with a hole in its design.

Each runs through the one engine with the same bits on 1, 2, 3 and 5 threads.
"""

import copy
import json

import numpy as np
import pytest

import lamina as lm
from lamina._isa import core

THREADS = (1, 2, 3, 5)
ROWS = 150


def numbers(columns=6, rows=ROWS):
    grid = np.arange(rows * columns, dtype=np.float64).reshape(rows, columns)
    return np.sin(0.7 * grid) + 0.1 * np.cos(grid)


def answers(x):
    return (x[:, :1] * x[:, 1:2] + 0.5 * x[:, 2:3]).astype(np.float32)


def same_bits(run):
    """Run with each number of threads; return the model of the last run."""
    models = [run(threads) for threads in THREADS]
    assert len({model.fingerprint() for model in models}) == 1
    start = lm.Model(copy.deepcopy(models[-1]._network.layers), seed=models[-1].seed)
    assert start.fingerprint() != models[-1].fingerprint(), "nothing was learned"
    return models[-1]


@pytest.fixture(autouse=True)
def on_all_threads(monkeypatch):
    """Such small steps would run on one thread."""
    monkeypatch.setattr(lm.Trainer, "_scheduling", (0, 0, True))


def wide(layers):
    """The layers behind one whose kernel makes several tiles."""
    return [lm.Input(6), lm.Dense(256, activation="relu"), *layers]


def test_batch_normalization_inside_residual_inside_parallel():
    x = numbers()
    y = answers(x)

    def run(threads):
        branch = [
            lm.Residual(
                [lm.Dense(64), lm.BatchNormalization(), lm.Activation("relu"), lm.Dense(64)]
            ),
            lm.Activation("tanh"),
        ]
        model = lm.Model(
            wide(
                [
                    lm.Dense(64, activation="tanh"),
                    lm.Parallel([branch, [lm.Dense(32, activation="sigmoid")]]),
                    lm.Dense(1),
                ]
            ),
            seed=3,
        )
        trainer = lm.Trainer(model, loss="mse", optimizer=lm.Adam(0.003), num_threads=threads)
        history = trainer.fit(x, y, epochs=8, batch_size=64, verbose=0)
        assert history["loss"][-1] < 0.7 * history["loss"][0]
        return model

    model = same_bits(run)
    statistics = [t["name"] for t in model._core.tensors() if t["role"] == "statistic"]
    assert len(statistics) == 2
    assert np.abs(model._core.view(statistics[0])).max() > 0, "running statistics never moved"
    # Inference uses the running statistics: a row does not depend on its neighbours.
    np.testing.assert_array_equal(model.predict(x)[:16], model.predict(x[:16]))


def test_codes_beside_numbers():
    x = numbers(4)
    codes = (np.arange(ROWS) * 7 % 5).astype(np.int32)
    y = x[:, :1] + np.array([-1.0, 0.0, 1.0, 2.0, -2.0])[codes][:, None]

    def run(threads):
        model = lm.Model(
            [
                lm.Parallel(
                    [
                        [lm.Input(4, name="numbers"), lm.Dense(256, activation="relu")],
                        [
                            lm.Input(1, kind="codes", cardinalities=5, name="codes"),
                            lm.Embedding(3),
                        ],
                    ]
                ),
                lm.Dense(64, activation="relu"),
                lm.Dense(1),
            ],
            seed=1,
        )
        trainer = lm.Trainer(model, loss="mse", optimizer=lm.Adam(0.003), num_threads=threads)
        data = {"numbers": x, "codes": codes}
        history = trainer.fit(data, y, epochs=60, batch_size=64, verbose=0)
        assert history["loss"][-1] < 0.1 * history["loss"][0]
        return model

    model = same_bits(run)
    assert model.predict((x, codes)).shape == (ROWS, 1)
    with pytest.raises(ValueError, match="code 5"):
        model.predict((x, codes + 1))


def test_an_unseen_code_keeps_its_vector():
    """Only rows of the table whose code occurs get a gradient."""
    layers = [lm.Input(1, kind="codes", cardinalities=4), lm.Embedding(2), lm.Dense(1)]
    model = lm.Model(layers, seed=0)
    table = model["embedding"]
    before = model._core.view("embedding/embeddings").copy()
    trainer = lm.Trainer(model, loss="mse", optimizer=lm.SGD(0.1))
    trainer.fit(np.array([0, 2, 2, 0]), np.ones(4), epochs=3, batch_size=2, verbose=0)
    moved = (model._core.view("embedding/embeddings") != before).any(axis=1)
    assert moved.tolist() == [True, False, True, False]
    assert table.name == "embedding"


def test_global_norm_with_an_average_and_a_frozen_layer():
    x = numbers()
    y = answers(x)
    kept = {}

    def run(threads):
        frozen = lm.Dense(96, activation="tanh", trainable=False)
        model = lm.Model(wide([frozen, lm.Dense(64, activation="relu"), lm.Dense(1)]), seed=2)
        kept["before"] = frozen.kernel.copy()
        optimizer = lm.Adam(0.003, global_clipnorm=0.05, use_ema=True, ema_momentum=0.9)
        trainer = lm.Trainer(model, loss="mse", optimizer=optimizer, num_threads=threads)
        trainer.fit(x, y, epochs=5, batch_size=64, verbose=0)
        kept["after"] = frozen.kernel.copy()
        return model

    same_bits(run)
    np.testing.assert_array_equal(kept["before"], kept["after"])


def test_clipping_keeps_the_direction():
    """One SGD step: the whole step's length is rate * norm, along the gradient."""
    x = numbers()
    y = answers(x)
    steps = []
    for clip in (None, 1e-3):
        model = lm.Model(
            [lm.Input(6), lm.Dense(8, activation="tanh"), lm.Dense(1)], seed=0, dtype="float64"
        )
        before = np.concatenate([layer.kernel.ravel().copy() for layer in model.layers])
        biases = [layer.bias.copy() for layer in model.layers]
        trainer = lm.Trainer(model, loss="mse", optimizer=lm.SGD(0.1, global_clipnorm=clip))
        trainer.fit(x, y, epochs=1, batch_size=ROWS, shuffle=False, verbose=0)
        after = np.concatenate([layer.kernel.ravel() for layer in model.layers])
        parts = [
            after - before,
            *[layer.bias - b for layer, b in zip(model.layers, biases, strict=True)],
        ]
        steps.append(np.concatenate(parts))
    assert np.linalg.norm(steps[1]) == pytest.approx(0.1 * 1e-3, rel=1e-9)
    cosine = steps[0] @ steps[1] / np.linalg.norm(steps[0]) / np.linalg.norm(steps[1])
    assert cosine == pytest.approx(1, abs=1e-12)


def test_the_average_is_what_predicts_and_training_goes_on_beneath():
    x = numbers()
    y = answers(x)

    def trained(*epochs):
        model = lm.Model([lm.Input(6), lm.Dense(8, activation="relu"), lm.Dense(1)], seed=0)
        trainer = lm.Trainer(
            model, loss="mse", optimizer=lm.Adam(0.01, use_ema=True, ema_momentum=0.8)
        )
        for count in epochs:
            trainer.fit(x, y, epochs=count, batch_size=32, verbose=0)
        return model

    assert trained(2, 2).fingerprint() == trained(4).fingerprint()


def test_python_loss_with_a_batch_callback():
    x = numbers()
    y = answers(x)
    batches = []

    def squared(y_true, y_pred):
        difference = y_pred - y_true
        return (difference**2).mean(axis=1), 2 * difference / difference.shape[1]

    def run(threads, loss=squared):
        model = lm.Model(
            wide([lm.Dropout(0.2), lm.Dense(64, activation="relu"), lm.Dense(1)]), seed=5
        )
        trainer = lm.Trainer(model, loss=loss, metrics=["mae"], num_threads=threads)
        watch = lm.LambdaCallback(
            on_train_batch_end=lambda batch, logs: batches.append(logs["loss"])
        )
        trainer.fit(x, y, epochs=3, batch_size=64, callbacks=[watch], verbose=0)
        return model

    model = same_bits(run)
    assert len(batches) == len(THREADS) * 9
    # The same loss in the core differs by rounding alone.
    core_model = run(2, "mse")
    np.testing.assert_allclose(model.predict(x), core_model.predict(x), rtol=1e-4, atol=1e-5)


def everything_on(threads=None):
    model = lm.Model(
        [
            lm.Input(6),
            lm.Dense(32, activation="relu", kernel_regularizer=lm.L1L2(1e-4, 1e-4)),
            lm.BatchNormalization(),
            lm.Dropout(0.3),
            lm.Dense(1),
        ],
        seed=4,
    )
    optimizer = lm.Adam(
        lm.OneCycle(0.01, total_steps=60),
        clipnorm=0.5,
        use_ema=True,
        ema_momentum=0.9,
        weight_decay=1e-3,
    )
    return lm.Trainer(model, loss="mse", optimizer=optimizer, num_threads=threads)


@pytest.mark.parametrize("step", [1, 4, 5, 7, 13, 19])
def test_stop_at_a_step_and_resume(step):
    """Stopped after a step, dumped, loaded into fresh objects: the bits of a run without a stop."""
    x = numbers()
    y = answers(x)
    settings = {"batch_size": 32, "verbose": 0}  # 5 steps an epoch
    whole = everything_on()
    whole.fit(x, y, epochs=4, **settings)

    first = everything_on(threads=2)
    seen = []

    def stop(batch, logs):
        seen.append(logs)
        if len(seen) == step:
            first.stop("test")

    first.fit(x, y, epochs=4, callbacks=[lm.LambdaCallback(on_train_batch_end=stop)], **settings)
    assert first.optimizer.iterations == step
    second = everything_on(threads=3)
    second._core.load_state(first._core.state())
    second.fit(x, y, epochs=4 - second.epoch, **settings)
    assert second.model.fingerprint() == whole.model.fingerprint()
    assert second._core.state() == whole._core.state()


def test_a_state_of_something_else_is_refused():
    trainer = everything_on()
    state = trainer._core.state()
    other = lm.Trainer(lm.Model([lm.Input(6), lm.Dense(1)], seed=0), loss="mse")
    with pytest.raises(ValueError, match="another model"):
        other._core.load_state(state)
    with pytest.raises(ValueError, match="cut short"):
        trainer._core.load_state(state[:-1])
    damaged = bytearray(state)
    damaged[-1] ^= 1
    with pytest.raises(ValueError, match="checksum"):
        trainer._core.load_state(bytes(damaged))


def test_gradients_of_nested_containers():
    """Finite differences through residuals, branches, shared values and batch normalisation."""
    layers = [
        lm.Input(3),
        lm.Parallel(
            [
                [lm.Residual([lm.Dense(3, activation="tanh"), lm.Dense(5)])],
                [lm.Dense(5, activation="sigmoid"), lm.BatchNormalization()],
            ],
            merge="add",
        ),
        lm.Parallel([[lm.Activation("tanh")], [lm.Activation("sigmoid")], [lm.Dense(2)]]),
        lm.Dense(2),
    ]
    model = lm.Model(layers, seed=0, dtype="float64")
    x = numbers(3, 7)
    y = np.cos(numbers(2, 7))
    check = lm.check_gradients(model, x, y, lm.losses.MeanSquaredError())
    assert check.max_error < 1e-6, check.errors


def test_training_mode_gradient_of_batch_normalization():
    """In training the statistics are the batch's, and the gradient goes through them."""
    model = lm.Model(
        [
            lm.Input(3),
            lm.Dense(4),
            lm.BatchNormalization(epsilon=1e-2),
            lm.Activation("tanh"),
            lm.Dense(1),
        ],
        seed=1,
        dtype="float64",
    )
    x, y = numbers(3, 9), numbers(1, 9)
    loss = lm.losses.MeanSquaredError()
    dx = model.backward(loss.gradient(y, model.forward(x, training=True)))
    numerical = np.zeros_like(x)
    for i in np.ndindex(*x.shape):
        for sign in (1, -1):
            moved = x.copy()
            moved[i] += sign * 1e-6
            numerical[i] += sign * loss(y, model.forward(moved, training=True)) / 2e-6
    assert np.abs(dx - numerical).max() < 1e-6 * np.abs(numerical).max()


def test_specs_of_private_layers_round_trip():
    model = lm.Model([lm.Input(3), lm.Residual([lm.Dense(3), lm.BatchNormalization()])], seed=0)
    again = core.Model(model._core.spec)
    assert json.loads(again.spec) == json.loads(model._core.spec)
    twin = copy.deepcopy(model)
    np.testing.assert_array_equal(twin.predict(numbers(3)), model.predict(numbers(3)))
