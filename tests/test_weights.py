"""What weights mean: 2 is the row twice, 0 the row left out; 'balanced' is scikit-learn's."""

import copy

import numpy as np
import pytest

import lamina as lm

N, COLUMNS = 40, 5


def rows(seed=0, n=N):
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(n, COLUMNS))
    return x, (x[:, 0] + 0.3 * draw.normal(size=n) > 0.4).astype(np.int64)


TASKS = {  # the layers behind the first, the loss, what makes targets of class numbers
    "mse": ([lm.Dense(1)], "mse", lambda y: y - 0.3),
    "huber": ([lm.Dense(1)], lm.losses.Huber(delta=0.5), lambda y: y - 0.3),
    "bce": ([lm.Dense(1, activation="sigmoid")], "bce", lambda y: y),
    "cce": ([lm.Dense(2, activation="softmax")], "cce", lambda y: y),
    "one-hot": ([lm.Dense(2, activation="softmax")], "cce", lambda y: np.eye(2)[y]),
    "penalty": (
        [lm.Dense(2, activation="softmax", kernel_regularizer=lm.L2(0.1))],
        "cce",
        lambda y: y,
    ),
}


def trainer_of(task, *inside, optimizer="adam"):
    inside = copy.deepcopy(inside)
    layers, loss, _ = TASKS[task]
    layers = copy.deepcopy(layers)
    hidden = lm.Dense(7, activation="tanh")
    model = lm.Model([lm.Input(COLUMNS), hidden, *inside, *layers], seed=0, dtype="float64")
    return lm.Trainer(model, loss=loss, optimizer=optimizer)


def one_step(task, x, y, *inside, **weights):
    """Loss, gradients, and the weights after a step on all rows; of SGD, whose step is linear."""
    trainer = trainer_of(task, *inside, optimizer=lm.SGD(learning_rate=0.1))
    core = trainer.model._core
    sample_weight = weights.get("sample_weight")
    found = []
    if "class_weight" not in weights:
        found.append(np.atleast_1d(trainer.compute_gradients(x, y, sample_weight=sample_weight)))
        found += [core.gradient_view(t["name"]).copy() for t in core.tensors() if t["trainable"]]
        trainer = trainer_of(task, *inside, optimizer=lm.SGD(learning_rate=0.1))
        core = trainer.model._core
    history = trainer.fit(x, y, epochs=1, batch_size=1000, shuffle=False, verbose=0, **weights)
    found.append(np.asarray(history["loss"]))
    found += [core.view(t["name"]).copy() for t in core.tensors() if t["trainable"]]
    return found


def assert_alike(ones, others, tolerance=1e-12):
    """Sums of other lengths are added in another order: some 1e-16 of their size."""
    assert len(ones) == len(others)
    for one, other in zip(ones, others, strict=True):
        assert np.abs(one - other).max() <= tolerance * max(1.0, np.abs(other).max())


def twice(x, y, which):
    return np.concatenate([x, x[which]]), np.concatenate([y, y[which]])


@pytest.mark.parametrize("task", TASKS)
def test_weight_2_is_the_row_twice(task):
    x, y = rows()
    target = TASKS[task][2](y)
    which = np.arange(N) % 3 == 0
    weighted = one_step(task, x, target, sample_weight=1.0 + which)
    assert_alike(weighted, one_step(task, *twice(x, target, which)))
    plain = one_step(task, x, target)
    assert max(np.abs(a - b).max() for a, b in zip(weighted, plain, strict=True)) > 1e-4


@pytest.mark.parametrize("task", ["bce", "cce", "one-hot", "penalty"])
def test_weight_2_of_a_class_is_its_rows_twice(task):
    x, y = rows()
    target = TASKS[task][2](y)
    assert 5 < y.sum() < N - 5
    weighted = one_step(task, x, target, class_weight={0: 1, 1: 2})
    assert_alike(weighted, one_step(task, *twice(x, target, y == 1))[-len(weighted) :])


@pytest.mark.parametrize("task", TASKS)
def test_weight_0_is_the_row_left_out(task):
    x, y = rows()
    target = TASKS[task][2](y)
    kept = np.arange(N) % 4 > 0
    weighted = one_step(task, x, target, sample_weight=kept.astype(float))
    assert_alike(weighted, one_step(task, x[kept], target[kept]))


def test_batch_normalisation_counts_each_row_once():
    """Its statistics know no weights (as in Keras and PyTorch): there 2 is not the row twice."""
    x, y = rows()
    which = np.arange(N) % 3 == 0
    weighted = one_step("cce", x, y, lm.BatchNormalization(), sample_weight=1.0 + which)
    doubled = one_step("cce", *twice(x, y, which), lm.BatchNormalization())
    assert max(np.abs(a - b).max() for a, b in zip(weighted, doubled, strict=True)) > 1e-4
    # But it is where they come from somewhere else, and where all rows weigh alike.
    frozen = lm.BatchNormalization(trainable=False)
    assert_alike(
        one_step("cce", x, y, frozen, sample_weight=1.0 + which),
        one_step("cce", *twice(x, y, which), frozen),
    )
    assert_alike(
        one_step("cce", x, y, lm.BatchNormalization(), sample_weight=np.full(N, 2.0)),
        one_step("cce", *twice(x, y, np.full(N, True)), lm.BatchNormalization()),
    )


# ---- balanced -----------------------------------------------------------------------------------


def by_hand(y):
    counts = np.bincount(y)
    return {int(c): len(y) / (np.count_nonzero(counts) * counts[c]) for c in np.unique(y)}


@pytest.mark.parametrize("task", ["bce", "cce", "one-hot"])
def test_balanced_in_fit(task):
    x, y = rows()
    target = TASKS[task][2](y)
    balanced = one_step(task, x, target, class_weight="balanced")
    assert_alike(balanced, one_step(task, x, target, class_weight=by_hand(y)), tolerance=0)
    plain = one_step(task, x, target)[-len(balanced) :]
    assert max(np.abs(a - b).max() for a, b in zip(balanced, plain, strict=True)) > 1e-4


def test_balanced_classes_weigh_alike():
    """The loss is then the mean of the classes' mean losses."""
    x, y = rows()
    balanced = one_step("cce", x, y, class_weight="balanced")[0]
    each = [trainer_of("cce").evaluate(x[y == c], y[y == c])["loss"] for c in (0, 1)]
    assert balanced[0] == pytest.approx(np.mean(each), rel=1e-12)


def test_balanced_multiplies_sample_weights_and_counts_rows():
    x, y = rows()
    weight = np.random.default_rng(1).uniform(0.5, 2, N)
    both = one_step("cce", x, y, class_weight="balanced", sample_weight=weight)
    product = weight * np.array([by_hand(y)[c] for c in y])
    assert_alike(both, one_step("cce", x, y, sample_weight=product)[-len(both) :], tolerance=0)


def test_train_on_batch_balances_its_batch():
    x, y = rows()
    ones, others = trainer_of("cce"), trainer_of("cce")
    logs = ones.train_on_batch(x, y, class_weight="balanced")
    assert logs == others.train_on_batch(x, y, class_weight=by_hand(y))
    assert ones.model.fingerprint() == others.model.fingerprint()


def test_rows_that_are_held_out_are_neither_counted_nor_weighed():
    x, y = rows(n=60)
    y[:3] = 2
    trainer = lm.Trainer(
        lm.Model([lm.Input(COLUMNS), lm.Dense(3, activation="softmax")], seed=0, dtype="float64"),
        loss="cce",
    )
    history = trainer.fit(
        x, y, epochs=1, validation_split=0.3, shuffle=False, class_weight="balanced", verbose=0
    )
    assert history["val_loss"][0] == trainer.evaluate(x[42:], y[42:])["loss"]
    same = lm.Trainer(
        lm.Model([lm.Input(COLUMNS), lm.Dense(3, activation="softmax")], seed=0, dtype="float64"),
        loss="cce",
    )
    same.fit(x[:42], y[:42], epochs=1, shuffle=False, class_weight="balanced", verbose=0)
    assert same.model.fingerprint() == trainer.model.fingerprint()


def test_a_resumed_fit_is_balanced_again():
    x, y = rows()

    def run(step):
        trainer = trainer_of("cce")

        def stop(batch, logs):
            if trainer.optimizer.iterations == step:
                trainer.stop()

        hooks = [lm.LambdaCallback(on_train_batch_end=stop)]
        trainer.fit(
            x, y, epochs=3, batch_size=16, class_weight="balanced", callbacks=hooks, verbose=0
        )
        if step:
            trainer.resume(x, y, verbose=0)
        return trainer.model.fingerprint(), trainer.epoch

    assert run(4) == run(0)


def test_what_is_refused():
    x, y = rows()
    for call in (trainer_of("cce").fit, trainer_of("cce").train_on_batch):
        with pytest.raises(ValueError, match="weights by class or 'balanced', got 'even'"):
            call(x, y, class_weight="even")
    with pytest.raises(ValueError, match=r"'balanced' needs the number of rows .* \{class: weight"):
        trainer_of("cce").fit(lm.ArrayStream(x, y), class_weight="balanced", verbose=0)
    with pytest.raises(ValueError, match="'balanced' needs a loss over classes"):
        trainer_of("mse").fit(x, y, class_weight="balanced", verbose=0)
    model = lm.Model([lm.Input(COLUMNS), lm.Dense(2, activation="sigmoid")], seed=0)
    with pytest.raises(ValueError, match="one class a row"):
        lm.Trainer(model, loss="bce").fit(x, np.eye(2)[y], class_weight="balanced", verbose=0)


@pytest.mark.ci
@pytest.mark.parametrize("classes", [2, 3, 10])
def test_balanced_is_scikit_learns(classes):
    compute = pytest.importorskip("sklearn.utils.class_weight").compute_class_weight
    from lamina.data import class_weights

    draw = np.random.default_rng(classes)
    y = np.minimum(draw.geometric(0.3, 500) - 1, classes - 1)
    expected = compute("balanced", classes=np.unique(y), y=y)
    found = class_weights(y, "balanced", None)
    assert np.array_equal(found, expected[np.searchsorted(np.unique(y), y)])


def test_class_weights_by_numpys_numbers_are_kept_in_checkpoints(tmp_path):
    x, y = np.random.default_rng(0).normal(size=(40, 2)), np.arange(40) % 2

    def trainer():
        model = lm.Model([lm.Input(2), lm.Dense(1, activation="sigmoid")], seed=0)
        return lm.Trainer(model, loss="bce")

    given = dict(zip(np.unique(y), np.array([1, 3], np.float32), strict=True))
    assert {type(key) for key in given} == {np.dtype(y.dtype).type}
    whole = trainer()
    saving = lm.ModelCheckpoint(tmp_path / "{epoch}.ckpt")
    how = {"epochs": 3, "batch_size": 16, "verbose": 0}
    whole.fit(x, y, class_weight=given, callbacks=[saving], **how)
    again = lm.load_checkpoint(tmp_path / "1.ckpt")
    again.resume(x, y, verbose=0)
    same = trainer()
    same.fit(x, y, class_weight={0: 1.0, 1: 3.0}, **how)
    assert again.model.fingerprint() == whole.model.fingerprint() == same.model.fingerprint()


@pytest.mark.parametrize("given", [[1.0, 2.0], (1, 2), 3.0, np.ones(2)])
def test_class_weights_that_are_no_mapping_are_refused(given):
    x, y = np.zeros((4, 1)), [0, 1, 0, 1]
    trainer = lm.Trainer(lm.Model([lm.Input(1), lm.Dense(1, activation="sigmoid")]), loss="bce")
    said = rf"class_weight: expected a mapping .* got {type(given).__name__}"
    for call in (trainer.fit, trainer.estimate, trainer.train_on_batch):
        with pytest.raises(TypeError, match=said):
            call(x, y, class_weight=given)
