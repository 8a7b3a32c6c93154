"""Metrics in a Trainer: its numbers are those of the metric alone, under the keys that are said."""

import functools
import json

import numpy as np
import pytest

import lamina as lm
from lamina import metrics

READY = [
    thing
    for thing in (getattr(metrics, name) for name in metrics.__all__)
    if isinstance(thing, metrics.Metric)
]
VARIED = [
    metrics.TopKAccuracy(k=2),
    *(metrics.F1(average=average) for average in ("macro", "micro", "weighted")),
    metrics.Precision(average="weighted"),
    metrics.Recall(average="micro"),
    metrics.QuantileLoss(levels=0.9),
]
ROWS = 300
RNG = np.random.default_rng(7)
X = RNG.normal(size=(ROWS, 4))
W = np.round(RNG.uniform(0, 3, ROWS) * (RNG.uniform(size=ROWS) > 0.2), 3)
LABELS = RNG.integers(0, 3, ROWS)
QUESTIONS = RNG.integers(0, 2, (ROWS, 3))
QUANTITIES = np.float32(RNG.normal(3, 1, (ROWS, 2))).astype(np.float64)


def own_loss(y_true, y_pred):
    return ((y_pred - y_true) ** 2).sum(axis=1), 2 * (y_pred - y_true)


BCE, CCE = lm.losses.BinaryCrossentropy, lm.losses.CategoricalCrossentropy
TASKS = {
    "binary": (1, "sigmoid", "bce", QUESTIONS[:, 0]),
    "binary from logits": (1, "linear", BCE(from_logits=True), QUESTIONS[:, :1]),
    "labels": (3, "softmax", "cce", LABELS),
    "one-hot": (3, "softmax", "cce", np.eye(3)[LABELS]),
    "labels from logits": (3, "linear", CCE(from_logits=True), LABELS),
    "two classes": (2, "softmax", CCE(label_smoothing=0.1), QUESTIONS[:, 0]),
    "questions": (3, "sigmoid", "bce", QUESTIONS),
    "quantity": (1, "linear", "mse", QUANTITIES[:, 0]),
    "quantities": (2, "linear", "mae", QUANTITIES),
    "own loss": (2, "linear", own_loss, QUANTITIES),
    "own loss of classes": (3, "softmax", own_loss, np.eye(3)[LABELS]),
}


def about_classes(metric):
    return not type(metric).__module__.endswith(("deviations", "quantiles"))


def fits(metric, task):
    """Whether a metric can be meant for a task."""
    width, _, _, y = TASKS[task]
    if not about_classes(metric):
        return y.size == ROWS * width  # these compare numbers
    if task.startswith("quantit") or task == "own loss":
        return False
    if metric.name == "top_k_accuracy":
        return width > 1 and task != "questions"
    return not (metric.name == "balanced_accuracy" and task == "questions")


def trainer_for(task, measured, dtype="float64", **arguments):
    width, activation, loss, _ = TASKS[task]
    layers = [lm.Input(4), lm.Dense(5, activation="tanh"), lm.Dense(width, activation=activation)]
    model = lm.Model(layers, seed=3, dtype=dtype)
    return lm.Trainer(model, loss=loss, metrics=measured, **arguments)


def probabilities(trainer, x):
    p = trainer.model.predict(x)
    if isinstance(trainer.loss, lm.losses.Loss) and trainer.loss.from_logits:
        return (lm.activations.sigmoid if p.shape[1] == 1 else lm.activations.softmax)(p)
    return p


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("weight", [None, W], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("task", TASKS)
def test_evaluate_gives_what_the_metric_alone_gives(task, weight, dtype):
    measured = [m for m in [*READY, *VARIED] if fits(m, task)]
    trainer = trainer_for(task, measured, dtype)
    y = TASKS[task][3]
    values = trainer.evaluate(X, y, sample_weight=weight)
    assert list(values) == ["loss", *(m.key for m in measured)]
    p = probabilities(trainer, X)
    for metric in measured:
        # Row metrics are sums in float64 of float32 predictions; log loss alone has logarithms in
        # float32, some 10 ulp on average at worst.
        rough = dtype == "float32" and metric.name == "log_loss"
        expected = metric(y, p, weight)
        assert values[metric.key] == pytest.approx(expected, rel=1e-6 if rough else 1e-11), metric


def test_each_metric_was_compared():
    for metric in READY:
        assert sum(fits(metric, task) for task in TASKS) >= 4, metric


@pytest.mark.parametrize("task", ["binary", "labels", "one-hot", "questions"])
def test_predictions_are_those_of_the_model(task):
    """The same bits, by blocks, threads and chosen rows, where the loss reads logits, too."""
    trainer = trainer_for(task, [], "float32")
    y = TASKS[task][3]
    for rows in (None, [5, 3, 299, 3]):
        for threads in (1, 2):
            data = ([X], [y], None, rows, 16, threads)
            (p,) = trainer._core.evaluate(*data, predictions=[True])[1]
            np.testing.assert_array_equal(p, trainer.model.predict(X if rows is None else X[rows]))
    assert trainer._core.evaluate(*data)[1] == [None]


@pytest.mark.parametrize("task", ["labels", "quantities", "questions"])
def test_training_measures_the_row_metrics(task):
    """Nothing moves at a rate of 0, so the mean over the batches is that over all rows."""
    measured = [m for m in READY if fits(m, task)]
    still = lm.SGD(learning_rate=0.0)
    trainer = trainer_for(task, measured, optimizer=still, set_metrics_on_training=True)
    y = TASKS[task][3]
    history = trainer.fit(X, y, sample_weight=W, epochs=1, batch_size=64, verbose=0)
    values = trainer.evaluate(X, y, sample_weight=W)
    assert history.keys() == list(values)
    for key, value in values.items():
        if key != "root_mean_squared_error":
            assert history[key][0] == pytest.approx(value, rel=1e-12), key
    assert trainer.evaluate(X, y, batch_size=7) == pytest.approx(trainer.evaluate(X, y), rel=1e-12)


@pytest.mark.parametrize("targets", [1, 2])
def test_several_predictions_of_a_target(targets):
    levels = [0.1, 0.5, 0.9]
    y = QUANTITIES[:, :targets]
    model = lm.Model([lm.Input(4), lm.Dense(3 * targets)], seed=3, dtype="float64")
    model.layers[0].bias[:] = np.repeat([2.0, 3.0, 4.0], targets)
    measured = [metrics.QuantileLoss(levels=levels), metrics.coverage]
    trainer = lm.Trainer(model, loss=lm.losses.Quantile(levels), metrics=measured)
    values = trainer.evaluate(X, y, sample_weight=W)
    for metric in measured:
        assert values[metric.key] == pytest.approx(metric(y, model.predict(X), W), rel=1e-11)
    assert 0 < values["coverage"] < 1
    assert values["loss"] == pytest.approx(values[measured[0].key], rel=1e-11)
    with pytest.raises(ValueError, match="compares a target with one prediction"):
        lm.Trainer(model, loss=lm.losses.Quantile(levels), metrics=["mse"])


# ---- keys ---------------------------------------------------------------------------------------


def median_error(y_true, y_pred):
    return np.median(np.abs(y_true - y_pred))


def test_history_has_set_metrics_of_validation_data_only():
    measured = ["acc", "f1", metrics.F1(average="macro"), "AUC", median_error]
    trainer = trainer_for("binary", measured)
    y = TASKS["binary"][3]
    history = trainer.fit(X, y, epochs=2, validation_data=(X[:99], y[:99]), verbose=0)
    keys = ["loss", "accuracy", "f1", "f1_macro", "roc_auc", "median_error"]
    assert history.keys() == ["loss", "accuracy", *(f"val_{key}" for key in keys)]
    assert history["val_acc"] is not None
    np.testing.assert_array_equal(history["val_auc"], history["val_roc_auc"])
    assert history["val_f1"][-1] == trainer.evaluate(X[:99], y[:99])["f1"]
    assert [metric.key for metric in trainer.metrics] == keys[1:]


def test_set_metrics_on_training_are_those_of_the_epochs_end():
    trainer = trainer_for("labels", ["f1", "accuracy"], set_metrics_on_training=True)
    keys = []
    look = lm.LambdaCallback(on_epoch_end=lambda epoch, logs: keys.append(list(logs)))
    history = trainer.fit(X, LABELS, epochs=3, validation_split=0.3, callbacks=[look], verbose=0)
    assert keys[0] == ["loss", "f1", "accuracy", "val_loss", "val_f1", "val_accuracy"]
    train = trainer._split[1][0]
    assert history["f1"][-1] == trainer.evaluate(X[train], LABELS[train])["f1"]


def test_one_metric_needs_no_list():
    for given in ("f1", metrics.f1, lm.metrics.F1()):
        assert list(trainer_for("binary", given).evaluate(X, QUESTIONS[:, 0])) == ["loss", "f1"]
    assert list(trainer_for("quantity", median_error).evaluate(X, QUANTITIES[:, 0])) == [
        "loss",
        "median_error",
    ]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["acuracy"], "unknown metric 'acuracy'. Did you mean 'accuracy'? Known: accuracy, bal"),
        (["roc_acu"], "Did you mean 'roc_auc'?"),
        (["acc", "accuracy"], "two values would have the key 'accuracy'"),
        ([lambda y, p: 0.0], "a metric's function needs a name"),
        ([functools.partial(median_error)], "a metric's function needs a name"),
    ],
)
def test_metrics_that_are_none(given, words):
    with pytest.raises(ValueError, match=words.replace("?", r"\?").replace(".", r"\.")):
        trainer_for("binary", given)


def test_things_that_are_no_metrics():
    for given in ([3], [lm.metrics.F1], [None], 3):
        with pytest.raises(TypeError, match=r"a name, an object of lm\.metrics or a function"):
            trainer_for("binary", given)


# ---- functions and classes of one's own ---------------------------------------------------------


@pytest.mark.parametrize("task", TASKS)
def test_a_function_gets_all_rows_once(task):
    calls = []

    def watch(y_true, y_pred, sample_weight=None):
        calls.append((y_true, y_pred, sample_weight))
        return 0.25

    trainer = trainer_for(task, [watch])
    width, _, _, y = TASKS[task]
    assert trainer.evaluate(X, y, sample_weight=W)["watch"] == 0.25
    ((truth, predicted, weight),) = calls
    assert predicted.shape == (ROWS, width)
    assert truth.shape == ((ROWS,) if y.ndim == 1 and width > 1 else (ROWS, width))
    np.testing.assert_array_equal(truth.ravel(), y.ravel())
    np.testing.assert_allclose(predicted, probabilities(trainer, X), rtol=1e-14)
    np.testing.assert_array_equal(weight, W)
    trainer.fit(X, y, epochs=2, validation_data=(X[:9], y[:9]), verbose=0)
    assert [len(call[0]) for call in calls] == [ROWS, 9, 9]
    assert calls[-1][2] is None


def test_what_a_function_may_return():
    for value in (1, np.float32(0.5), np.array(2.0), True, float("nan")):

        def result(y_true, y_pred, value=value):
            return value

        got = trainer_for("binary", [result]).evaluate(X, QUESTIONS[:, 0])["result"]
        assert type(got) is float
        assert np.array_equal(got, float(value), equal_nan=True)

    def rows(y_true, y_pred):
        return y_pred - y_true

    with pytest.raises(TypeError):
        trainer_for("binary", [rows]).evaluate(X, QUESTIONS[:, 0])


class Within(metrics.Metric):
    """Share of predictions close to the target."""

    larger_is_better = True

    def __init__(self, distance=1.0):
        self.distance = distance

    def __call__(self, y_true, y_pred, sample_weight=None):
        return np.average(np.abs(y_true - y_pred)[:, 0] <= self.distance, weights=sample_weight)


class Accuracy(metrics.Accuracy):
    """Of the name of one of the core's, which must not compute it."""

    def __call__(self, y_true, y_pred, sample_weight=None):
        return 1 - super().__call__(y_true, y_pred, sample_weight)


def test_a_class_of_ones_own():
    trainer = trainer_for("quantity", [Within(), Within(distance=2.0)])
    y = QUANTITIES[:, 0]
    values = trainer.evaluate(X, y, sample_weight=W)
    error = np.abs(trainer.model.predict(X)[:, 0] - y)
    assert values["within"] == pytest.approx(W[error <= 1].sum() / W.sum())
    assert values["within_2.0"] == pytest.approx(W[error <= 2].sum() / W.sum())
    stopping = lm.EarlyStopping(monitor="val_within", patience=3)
    trainer.fit(X, y, epochs=2, validation_split=0.2, callbacks=[stopping], verbose=0)
    assert stopping.best == max(trainer.history["val_within"])


def test_a_subclass_of_a_row_metric():
    y = QUESTIONS[:, 0]
    wrong = trainer_for("binary", [Accuracy()]).evaluate(X, y)["accuracy"]
    assert wrong == pytest.approx(
        1 - trainer_for("binary", ["accuracy"]).evaluate(X, y)["accuracy"]
    )


# ---- EarlyStopping ------------------------------------------------------------------------------


def test_the_direction_of_every_metric():
    for metric in [*READY, *VARIED]:
        for key in (metric.key, *metric.names()):
            stopping = lm.EarlyStopping(monitor=f"val_{key}")
            if metric.larger_is_better is None:  # coverage: neither
                with pytest.raises(ValueError, match="give mode='min' or mode='max'"):
                    stopping._larger_is_better()
            else:
                assert stopping._larger_is_better() is metric.larger_is_better
    assert [m.name for m in READY if m.larger_is_better is None] == ["coverage"]
    perfect = {"r2": 1, "roc_auc": 1, "f1": 1, "accuracy": 1, "explained_variance": 1}
    for name, best in perfect.items():
        assert metrics.find_metric(name).larger_is_better
        assert metrics.find_metric(name)([0, 1], [0.0, 1.0]) == best


def test_early_stopping_by_a_set_metric():
    trainer = trainer_for("labels", ["f1"], optimizer=lm.Adam(learning_rate=0.5))
    stopping = lm.EarlyStopping(monitor="val_f1_score", patience=2)
    history = trainer.fit(
        X, LABELS, epochs=40, validation_split=0.3, callbacks=[stopping], verbose=0
    )
    assert len(history) < 40
    assert stopping.best == history["val_f1"].max()
    held_out = trainer._split[1][1]
    assert trainer.evaluate(X[held_out], LABELS[held_out])["f1"] == stopping.best


def test_a_function_has_no_direction():
    def agreement(y_true, y_pred):
        return 0.0

    trainer = trainer_for("quantity", [agreement, median_error])
    arguments = {"validation_split": 0.2, "epochs": 1, "verbose": 0}
    with pytest.raises(ValueError, match="give mode='min' or mode='max'"):
        trainer.fit(
            X,
            QUANTITIES[:, 0],
            callbacks=[lm.EarlyStopping(monitor="val_agreement")],
            **arguments,
        )
    assert trainer.epoch == 0
    for name, mode in (("val_agreement", "max"), ("val_median_error", "auto")):
        stopping = lm.EarlyStopping(monitor=name, mode=mode, restore_best_weights=False)
        trainer.fit(X, QUANTITIES[:, 0], callbacks=[stopping], **arguments)
    assert trainer.epoch == 2


# ---- edges --------------------------------------------------------------------------------------


def test_a_metric_that_does_not_exist_for_the_data_is_nan():
    trainer = trainer_for("binary", ["auc", "f1"])
    y = QUESTIONS[:, 0]
    values = trainer.evaluate(X[y == 1], y[y == 1])
    assert np.isnan(values["roc_auc"])
    assert values["f1"] == metrics.f1(y[y == 1], trainer.model.predict(X[y == 1]))
    history = trainer.fit(X, y, epochs=1, validation_data=(X[y == 1], y[y == 1]), verbose=0)
    assert np.isnan(history["val_auc"][0])


@pytest.mark.parametrize(
    ("task", "given", "words"),
    [
        ("quantity", "log_loss", "log_loss expects probabilities: end the model"),
        ("quantities", "brier", "brier_score expects probabilities"),
        ("binary", "top_k_accuracy", "one output a class, of which one is right; the model has 1"),
        ("questions", "top_k_accuracy", "the model has 3 that answer yes or no"),
        ("labels", metrics.TopKAccuracy(k=0), "k must be in"),
        ("quantity", metrics.QuantileLoss(levels=1.5), "levels must be in"),
        (
            "quantities",
            metrics.QuantileLoss(levels=[0.1, 0.5, 0.9]),
            "3 levels of 2 targets make 6 pred",
        ),
    ],
)
def test_metrics_that_do_not_go_with_the_model(task, given, words):
    with pytest.raises(ValueError, match=words):
        trainer_for(task, [given])


@pytest.mark.parametrize(
    ("task", "given", "y", "words"),
    [
        ("quantity", "f1", QUANTITIES[:, 0], "f1: "),
        ("quantities", "balanced_accuracy", QUANTITIES, "balanced_accuracy: row"),
        ("labels", "r2", LABELS, "r2: y_true and y_pred must have the same shape"),
        ("questions", "balanced_accuracy", QUESTIONS, "is for classes"),
        ("binary", "roc_auc", QUESTIONS[:, 0] * 0.5, "labels must be 0 or 1"),
    ],
)
def test_targets_are_refused_before_anything_is_trained(task, given, y, words):
    trainer = trainer_for(task, [given])
    before = trainer.model.fingerprint()
    with pytest.raises(ValueError, match=words):
        trainer.fit(X, y, epochs=1, validation_split=0.2, verbose=0)
    assert trainer.model.fingerprint() == before
    assert trainer.epoch == 0
    trainer = trainer_for(task, [given], set_metrics_on_training=True)
    with pytest.raises(ValueError, match=words):
        trainer.fit(X, y, epochs=1, verbose=0)
    assert trainer.model.fingerprint() == before


def test_log_loss_of_targets_that_are_no_shares():
    model = lm.Model([lm.Input(4), lm.Dense(1, activation="sigmoid")], seed=0)
    trainer = lm.Trainer(model, loss="mse", metrics=["log_loss"])
    with pytest.raises(ValueError, match="log_loss expects targets between 0 and 1"):
        trainer.evaluate(X, QUANTITIES[:, 0])
    y = QUESTIONS[:, 0]
    expected = metrics.log_loss(y, model.predict(X))
    assert trainer.evaluate(X, y)["log_loss"] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("given", [["log_loss", "mse"], ["mse", "log_loss"]])
@pytest.mark.parametrize(("width", "activation"), [(1, "sigmoid"), (3, "softmax")])
def test_log_loss_is_exact_from_logits(width, activation, given):
    """Whatever was measured before it."""
    model = lm.Model([lm.Input(width), lm.Dense(width, activation=activation)], seed=0)
    model.layers[0].kernel[:] = np.eye(width)
    loss = "bce" if width == 1 else "cce"
    trainer = lm.Trainer(model, loss=loss, metrics=given)
    x = np.zeros((2, width))
    x[:, 0] = -5000.0, 5000.0
    values = trainer.evaluate(x, [1, 0] if width == 1 else [0, 1])
    of_rows = [5000.0, 5000.0] if width == 1 else [5000.0 + np.log(2), 5000.0]
    assert values["log_loss"] == pytest.approx(np.mean(of_rows), rel=1e-7)
    squares = [1.0, 1.0] if width == 1 else [1.5 / 3, 2 / 3]
    assert values["mean_squared_error"] == pytest.approx(np.mean(squares), rel=1e-6)


def test_questions_stay_questions_where_each_row_has_one_yes():
    """Data whose rows sum to 1 by chance are not taken for classes."""
    y = np.eye(3)[LABELS]
    trainer = trainer_for("questions", ["accuracy", "recall", "f1", "log_loss", "brier"])
    p = trainer.model.predict(X)
    values = trainer.evaluate(X, y)
    for key in ("accuracy", "recall", "f1", "log_loss", "brier_score"):
        expected = metrics.find_metric(key)(y, p, multilabel=True)
        assert values[key] == pytest.approx(expected, rel=1e-12)


def test_metrics_do_not_touch_training():
    weights = []
    for measured in ([], ["acc", "top_k_accuracy", "log_loss", "brier", "f1", "auc"]):
        trainer = trainer_for("labels", measured, "float32", set_metrics_on_training=True)
        trainer.fit(X, LABELS, epochs=2, validation_split=0.2, verbose=0)
        weights.append(trainer.model.fingerprint())
    assert weights[0] == weights[1]


def test_the_core_reads_names_and_objects():
    model = lm.Model([lm.Input(4), lm.Dense(3, activation="softmax")], seed=0)
    given = ["mse", {"class": "TopKAccuracy", "k": 2}, {"class": "Accuracy", "key": "mine"}]
    handle = lm.SGD().handle
    made = lm._isa.core.Trainer(model._core, handle, ['"cce"'], [json.dumps(given)], [1], 0)
    assert made.names == ["loss", "mean_squared_error", "top_k_accuracy", "mine"]
