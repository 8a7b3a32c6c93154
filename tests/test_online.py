"""One row and one batch at a time: predict_one and train_on_batch, and what stands between fits."""

import threading

import numpy as np
import pytest

import lamina as lm

ROWS, COLUMNS, BATCH = 200, 7, 48  # the last batch is short


def make_data(classes=3):
    draw = np.random.default_rng(0)
    x = draw.normal(size=(ROWS, COLUMNS)).astype(np.float32)
    return x, (x[:, :classes] + 0.3 * draw.normal(size=(ROWS, classes))).argmax(axis=1)


def noisy_layers():
    """Layers whose random numbers and statistics count batches."""
    return [
        lm.Input(COLUMNS),
        lm.GaussianNoise(0.1),
        lm.Dense(33, activation="relu", kernel_regularizer=lm.L1(1e-4)),
        lm.BatchNormalization(),
        lm.Dropout(lm.schedules.Cosine(0.3, total_steps=10)),
        lm.Dense(3, activation="softmax"),
    ]


OPTIMIZERS = {
    "adam": lambda: lm.Adam(weight_decay=1e-3),
    "clipped": lambda: lm.Momentum(learning_rate=0.05, global_clipnorm=0.5),
    "averaged, cosine": lambda: lm.Nesterov(lm.Cosine(0.05, total_steps=12), use_ema=True),
    "accumulated": lambda: lm.SGD(learning_rate=0.1, gradient_accumulation_steps=3),
}


def make(optimizer="adam", dtype="float32", num_threads=1, **settings):
    model = lm.Model(noisy_layers(), seed=3, dtype=dtype)
    settings = {"loss": "cce", "metrics": ["accuracy"], **settings}
    return lm.Trainer(model, optimizer=OPTIMIZERS[optimizer](), num_threads=num_threads, **settings)


def train_on_batches(trainer, x, y, weight=None, epochs=1):
    return [
        trainer.train_on_batch(
            x[at : at + BATCH], y[at : at + BATCH], None if weight is None else weight[at:][:BATCH]
        )
        for _ in range(epochs)
        for at in range(0, len(x), BATCH)
    ]


def fit(trainer, x, y, epochs=1, **options):
    return trainer.fit(x, y, epochs=epochs, batch_size=BATCH, shuffle=False, verbose=0, **options)


def everything(trainer):
    """The weights, and what the optimizer keeps."""
    return trainer.model.fingerprint(), trainer.optimizer.iterations


# ---- the bits of a fit ---------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_loop_over_batches_is_an_unshuffled_fit(dtype, optimizer, monkeypatch):
    x, y = make_data()
    monkeypatch.setattr(lm.Trainer, "_scheduling", (0, 0, True))
    fitted = make(optimizer, dtype)
    fit(fitted, x, y, epochs=2)
    for threads in (1, 2, 3):
        trainer = make(optimizer, dtype, threads)
        train_on_batches(trainer, x, y, epochs=2)
        assert everything(trainer) == everything(fitted)


def test_it_goes_on_from_a_fit_and_a_fit_from_it():
    x, y = make_data()
    weight = np.linspace(0.1, 2, ROWS)
    expected, trainer = make("averaged, cosine"), make("averaged, cosine")
    fit(expected, x, y, epochs=3, sample_weight=weight)
    fit(trainer, x, y, sample_weight=weight)
    train_on_batches(trainer, x, y, weight)
    fit(trainer, x, y, sample_weight=weight)
    assert everything(trainer) == everything(expected)
    assert trainer.epoch == 2
    assert len(trainer.history) == 2


def test_layers_may_be_frozen_in_between():
    x, y = make_data()
    fitted, trainer = make("averaged, cosine"), make("averaged, cosine")
    for one, step in ((fitted, fit), (trainer, train_on_batches)):
        step(one, x, y)
        one.model.layers[1].trainable = False
        step(one, x, y)
        kernel = one.model.layers[1].kernel.copy()
        one.model.layers[1].trainable = True
        one.model.layers[-1].trainable = False
        step(one, x, y)
        assert not np.array_equal(one.model.layers[1].kernel, kernel)
    assert everything(trainer) == everything(fitted)


def test_a_checkpoint_between_batches(tmp_path):
    x, y = make_data()
    whole, begun = make("averaged, cosine"), make("averaged, cosine")
    train_on_batches(whole, x, y, epochs=2)
    train_on_batches(begun, x, y)
    begun.model.save(tmp_path / "model.lamina")
    again = lm.Trainer(
        lm.load(tmp_path / "model.lamina"),
        loss="cce",
        optimizer=OPTIMIZERS["averaged, cosine"](),
        seed=begun.seed,
    )
    again.optimizer.handle  # noqa: B018
    again._core.load_state(begun._core.state())
    train_on_batches(again, x, y)
    assert everything(again) == everything(whole)


def test_batches_of_any_size_after_another():
    """A larger one than before, a smaller one: the bits of trainers that saw no other."""
    x, y = make_data()
    trainer, sizes = make(), (8, 100, 3, 200, 48, 1)
    by_hand = make()
    for size in sizes:
        trainer.train_on_batch(x[:size], y[:size])
        by_hand.compute_gradients(x[:size], y[:size])
        by_hand.optimizer.step(by_hand.model)
    assert trainer.model.fingerprint() == by_hand.model.fingerprint()


# ---- what comes back -----------------------------------------------------------------------------


def test_the_logs_are_those_of_the_batch_before_the_step():
    x, y = make_data()
    layers = [lm.Input(COLUMNS), lm.Dense(3, activation="softmax")]
    trainer = lm.Trainer(
        lm.Model(layers, seed=0), loss="cce", metrics=["accuracy", lm.metrics.F1(average="macro")]
    )
    weight = np.linspace(0.1, 2, ROWS)
    expected = trainer.evaluate(x, y, sample_weight=weight)
    logs = trainer.train_on_batch(x, y, weight)
    assert list(logs) == ["loss", "accuracy"]
    assert logs["loss"] == pytest.approx(expected["loss"], rel=1e-6)
    assert logs["accuracy"] == expected["accuracy"]
    assert trainer.evaluate(x, y, sample_weight=weight)["loss"] < logs["loss"]


def test_class_weights_multiply_sample_weights():
    x, y = make_data()
    of_class, weight = {0: 1.0, 1: 5.0, 2: 0.5}, np.linspace(0.1, 2, ROWS)
    both, product = make(), make()
    one = both.train_on_batch(x, y, weight, of_class)
    other = product.train_on_batch(x, y, weight * np.array([1.0, 5.0, 0.5])[y])
    assert one == other
    assert everything(both) == everything(product)


def test_several_inputs_and_outputs():
    x, y = make_data()

    def trainer():
        a, b = lm.Input(4, name="a"), lm.Input(3, name="b")
        hidden = lm.Dense(8, activation="relu")(lm.Concatenate()([a, b]))
        outputs = [lm.Dense(1, name="number")(hidden), lm.Dense(3, "softmax", name="kind")(hidden)]
        model = lm.Model(inputs=[a, b], outputs=outputs, seed=0)
        return lm.Trainer(model, loss={"number": "mse", "kind": "cce"})

    inputs, targets = {"a": x[:, :4], "b": x[:, 4:]}, {"number": x[:, 0] ** 2, "kind": y}
    online, fitted = trainer(), trainer()
    logs = online.train_on_batch(inputs, targets)
    fitted.fit(inputs, targets, epochs=1, batch_size=ROWS, shuffle=False, verbose=0)
    assert list(logs) == ["loss", "number_loss", "kind_loss"]
    assert logs == {key: fitted.history[key][0] for key in logs}
    assert everything(online) == everything(fitted)


def test_predictions_see_each_step_at_once():
    x, y = make_data()
    trainer = make()
    model = trainer.model
    predictor, before = model.freeze_for_inference(), model.predict_one(x[0])
    trainer.train_on_batch(x, y)
    after = model.predict_one(x[0])
    assert not np.array_equal(before, after)
    assert np.array_equal(after, model.predict(x)[0])
    assert np.allclose(predictor.predict_one(x[0]), before, atol=1e-6)


# ---- one row -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "row",
    [
        lambda x: x,
        lambda x: x.astype(np.float64),
        lambda x: x.tolist(),
        lambda x: np.repeat(x, 2)[::2],
        lambda x: x.astype(">f4"),
        lambda x: {"input": x},
    ],
    ids=["float32", "float64", "list", "strided", "big-endian", "dict"],
)
def test_one_row_is_a_row_of_many(row):
    x, _ = make_data()
    model = make().model
    y = model.predict_one(row(x[5]))
    assert y.shape == (3,)
    assert np.array_equal(y, model.predict(x)[5])


def test_what_is_not_one_row():
    model = make().model
    for x in (np.zeros(3), np.zeros((1, COLUMNS)), np.zeros((2, COLUMNS))):
        with pytest.raises(ValueError, match="expected one row of shape"):
            model.predict_one(x)
    with pytest.raises(TypeError, match="numbers are needed"):
        model.predict_one(["a"] * COLUMNS)


# ---- what is refused -----------------------------------------------------------------------------


def spoiled(array, value, at=(7, 2)):
    array = array.astype(np.float64)
    array[at[: array.ndim]] = value
    return array


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda x, y: (spoiled(x, np.nan), y), "column 2 holds NaN in row 7"),
        (lambda x, y: (spoiled(x, np.inf), y), "column 2 holds infinity in row 7"),
        (lambda x, y: (spoiled(x, 1e300), y), "too large for float32"),
        (lambda x, y: (x, spoiled(y, 3)), "label 3 in row 7"),
        (lambda x, y: (x, spoiled(y, np.nan)), "NaN in row 7"),
        (lambda x, y: (x[:, :3], y), "expected 7 columns, got 3"),
        (lambda x, y: (x[:5], y), "X has 5 rows, y has 200"),
        (lambda x, y: (x[:0], y[:0]), "X has no rows"),
        (lambda x, y: (x, y, np.zeros(ROWS)), "all weights are 0"),
        (lambda x, y: (x, y, np.full(ROWS, -1.0)), "at least 0"),
        (lambda x, y: (x, y, np.ones(3)), "sample_weight: expected shape"),
    ],
)
def test_bad_batches_change_nothing(change, said):
    x, y = make_data()
    trainer, untouched = make("averaged, cosine"), make("averaged, cosine")
    for one in (trainer, untouched):
        one.train_on_batch(x, y)
    with pytest.raises(ValueError, match=said):
        trainer.train_on_batch(*change(x, y))
    for one in (trainer, untouched):
        one.train_on_batch(x, y)
    assert everything(trainer) == everything(untouched)


def test_text_is_refused():
    x, y = make_data()
    with pytest.raises(TypeError, match="labels are text"):
        make().train_on_batch(x, y.astype(str))


def test_a_loss_that_is_not_finite_changes_nothing():
    model = lm.Model([lm.Input(1), lm.Dense(1)], seed=0)
    trainer = lm.Trainer(model, loss="mse", optimizer="sgd")
    trainer.train_on_batch([[1.0]], [1.0])
    before = model.fingerprint()
    with pytest.raises(RuntimeError, match=r"finite in step 2, though .*; nothing was changed"):
        trainer.train_on_batch([[1e30]], [-1e30])
    assert model.fingerprint() == before
    trainer.train_on_batch([[1.0]], [1.0])


def test_a_weight_that_becomes_infinite_is_named():
    model = lm.Model([lm.Input(1), lm.Dense(1)], seed=0)
    trainer = lm.Trainer(model, loss="mse", optimizer=lm.SGD(learning_rate=1e30))
    with pytest.raises(RuntimeError, match=r"a weight of dense\S* became non-finite in step 1"):
        trainer.train_on_batch([[1e4]], [1e10])


def test_what_waits_for_data_must_have_seen_it():
    x, y = make_data()
    adapting = [lm.Input(COLUMNS), lm.Normalization(), lm.Dense(3, "softmax")]
    waiting = [lm.Input(COLUMNS), lm.Dense(3, "softmax", kernel_initializer="unit_variance")]
    for layers, call in ((adapting, lm.Model.adapt), (waiting, lm.Model.initialize)):
        model = lm.Model(layers, seed=0)
        trainer = lm.Trainer(model, loss="cce")
        with pytest.raises(RuntimeError, match=rf"model\.{call.__name__}\(X\)"):
            trainer.train_on_batch(x, y)
        call(model, x)
        trainer.train_on_batch(x, y)


def test_a_schedule_whose_length_comes_from_fit():
    x, y = make_data()
    model = lm.Model([lm.Input(COLUMNS), lm.Dense(3, "softmax")], seed=0)
    schedule = lm.OneCycle(max_learning_rate=0.1)
    trainer = lm.Trainer(model, loss="cce", optimizer=lm.Adam(learning_rate=schedule))
    with pytest.raises(RuntimeError, match="give total_steps"):
        trainer.train_on_batch(x, y)
    trainer.fit(x, y, epochs=1, batch_size=BATCH, verbose=0)
    with pytest.raises(RuntimeError, match="give total_steps"):
        trainer.train_on_batch(x, y)


def test_not_within_a_fit():
    x, y = make_data()
    trainer = make()
    refused = []

    def meddle(epoch, logs):
        with pytest.raises(RuntimeError, match="being trained"):
            trainer.train_on_batch(x, y)
        refused.append(epoch)

    fit(trainer, x, y, callbacks=[lm.LambdaCallback(on_epoch_end=meddle)])
    assert refused == [0]


# ---- functions and threads -----------------------------------------------------------------------


def test_functions_of_a_step_may_predict():
    """A loss in Python reads the weights before the step, and its exception changes nothing."""
    x, y = make_data()
    seen = []

    def squared(y_true, y_pred):
        if len(seen) == 2:
            raise KeyError("mine")
        seen.append(model.predict_one(x[0]))
        difference = y_pred - y_true
        return (difference**2).mean(axis=1), 2 * difference

    model = lm.Model([lm.Input(COLUMNS), lm.Dense(1)], seed=0)
    trainer = lm.Trainer(model, loss=squared, optimizer=lm.Adam(use_ema=True))
    expected = []
    for _ in range(2):
        expected.append(model.predict_one(x[0]))
        trainer.train_on_batch(x, y)
    before = model.fingerprint()
    with pytest.raises(KeyError, match="mine"):
        trainer.train_on_batch(x, y)
    assert model.fingerprint() == before
    assert np.array_equal(seen, expected)


@pytest.mark.parametrize("rows", [1, 4000], ids=["short", "long"])
def test_predictions_of_other_threads_are_of_whole_steps(rows):
    x, y = make_data()
    trainer = make()
    model, many = trainer.model, np.repeat(x[:1], rows, axis=0)
    done, errors, answers = threading.Event(), [], []

    def ask():
        try:
            while not done.is_set():
                answer = model.predict(many)
                assert (answer == answer[0]).all()
                answers.append(answer[0].tobytes())
        except Exception as error:  # reported by the assertion below
            errors.append(error)

    readers = [threading.Thread(target=ask) for _ in range(3)]
    between = {model.predict_one(x[0]).tobytes()}
    for reader in readers:
        reader.start()
    try:
        for _ in range(150):
            trainer.train_on_batch(x, y)
            between.add(model.predict_one(x[0]).tobytes())
    finally:
        done.set()
        for reader in readers:
            reader.join()
    assert not errors
    assert answers
    assert set(answers) <= between


@pytest.mark.parametrize("kind", ["f2", "f4", "f8", "i4", ">f4"])
def test_broadcast_arrays_are_read_as_they_are(kind):
    column = np.arange(1, 5).astype(kind)[:, None]
    x, y = np.broadcast_to(column, (4, 3)), np.broadcast_to(column, (4, 2))
    logs = []
    for inputs, targets in ((x, y), (x.copy(), y.copy())):
        model = lm.Model([lm.Input(3), lm.Dense(2)], seed=0)
        logs.append(lm.Trainer(model, loss="mse").train_on_batch(inputs, targets))
    assert logs[0] == logs[1]
