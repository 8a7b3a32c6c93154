"""What Lamina refuses, in which words; and that a refusal leaves the model as it was."""

import threading

import numpy as np
import pytest

import lamina as lm

ROWS, COLUMNS = 40, 4


def make_data(classes=3):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(ROWS, COLUMNS)).astype(np.float32)
    return x, rng.integers(0, classes, size=ROWS)


def classifier(units=3, activation="softmax"):
    layers = [
        lm.Input(COLUMNS),
        lm.Dense(8, activation="relu"),
        lm.Dense(units, activation=activation),
    ]
    return lm.Model(layers, seed=0)


def trainer_of(model, loss="categorical_crossentropy", **options):
    return lm.Trainer(model, loss=loss, **options)


def refused(call, kind, *words, unchanged=None):
    """The call raises `kind`, the message holds all the words, and the model keeps its bits."""
    before = unchanged.fingerprint() if unchanged else None
    with pytest.raises(kind) as caught:
        call()
    message = str(caught.value)
    for word in words:
        assert word in message, message
    assert type(caught.value) is kind, type(caught.value)
    if unchanged:
        assert unchanged.fingerprint() == before
    return message


# ---- building a model ---------------------------------------------------------------------------


def test_a_model_begins_with_its_input():
    for layers in ([], [lm.Dense(3)]):
        refused(
            lambda layers=layers: lm.Model(layers),
            ValueError,
            "Model: the first element must be lm.Input(columns), e.g. lm.Input(64)",
        )


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: lm.Dense(3, activation="rellu"), ["rellu", "relu"]),
        (lambda: lm.Dense(3, kernel_initializer="he_unifrom"), ["he_unifrom", "he_uniform"]),
        (lambda: lm.Dense(0), ["units", "0"]),
        (lambda: lm.Dense(-5), ["units", "-5"]),
        (lambda: lm.Dropout(1.5), ["rate", "1.5"]),
        (lambda: lm.Dropout(-0.1), ["rate", "-0.1"]),
        (lambda: lm.Dense(3, kernel_regularizer=lm.L2(-1.0)), ["l2", "-1"]),
    ],
    ids=[
        "activation",
        "initializer",
        "no units",
        "negative units",
        "rate",
        "negative rate",
        "penalty",
    ],
)
def test_a_layer_with_an_impossible_argument(build, words):
    refused(lambda: lm.Model([lm.Input(4), build(), lm.Dense(1)]), ValueError, *words)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda m: trainer_of(m, loss="mean_squared_eror"),
            ["mean_squared_eror", "mean_squared_error"],
        ),
        (lambda m: trainer_of(m, optimizer="adamm"), ["adamm", "adam"]),
        (lambda m: trainer_of(m, metrics=["acuracy"]), ["acuracy", "accuracy"]),
        (lambda m: trainer_of(m, optimizer=lm.Adam(learning_rate=-1.0)), ["learning_rate", "-1"]),
        (lambda m: trainer_of(m, optimizer=lm.Adam(beta_1=1.5)), ["beta_1", "1.5"]),
    ],
    ids=["loss", "optimizer", "metric", "rate", "beta_1"],
)
def test_a_trainer_with_an_impossible_argument(make, words):
    refused(lambda: make(classifier()), ValueError, *words)


def test_a_layer_belongs_to_one_model():
    layer = lm.Dense(3)
    lm.Model([lm.Input(4), layer])
    refused(lambda: lm.Model([lm.Input(4), layer]), ValueError, "copy.deepcopy")


def test_an_optimizer_belongs_to_one_trainer():
    optimizer = lm.Adam()
    trainer_of(classifier(), optimizer=optimizer)
    refused(lambda: trainer_of(classifier(), optimizer=optimizer), ValueError, "copy.deepcopy")


# ---- loss and output ----------------------------------------------------------------------------


def test_a_linear_output_with_a_crossentropy():
    refused(
        lambda: trainer_of(classifier(3, "linear")),
        ValueError,
        "categorical_crossentropy expects probabilities: end the model with activation='softmax' "
        "or use CategoricalCrossentropy(from_logits=True)",
    )
    trainer_of(classifier(3, "linear"), loss=lm.losses.CategoricalCrossentropy(from_logits=True))
    refused(
        lambda: trainer_of(classifier(1, "linear"), "binary_crossentropy"),
        ValueError,
        "binary_crossentropy",
        "activation='sigmoid'",
        "BinaryCrossentropy(from_logits=True)",
    )


def test_outputs_that_cannot_work_name_the_remedy():
    refused(lambda: trainer_of(classifier(1, "sigmoid")), ValueError, "binary_crossentropy")
    refused(lambda: trainer_of(classifier(1, "softmax")), ValueError, "sigmoid")


# ---- the input ----------------------------------------------------------------------------------


def test_columns_of_another_number():
    model = classifier()
    x, y = make_data()
    narrow = x[:, :2]
    for call in (
        lambda: trainer_of(model).fit(narrow, y, verbose=0),
        lambda: trainer_of(model).evaluate(narrow, y),
        lambda: model.predict(narrow),
        lambda: model.forward(narrow),
    ):
        refused(call, ValueError, "expected 4", "columns, got 2", unchanged=model)


def test_shapes_that_do_not_belong_together():
    model = classifier()
    x, y = make_data()
    fit = trainer_of(model).fit
    refused(lambda: fit(x, y[:-1], verbose=0), ValueError, "40", "39", unchanged=model)
    refused(lambda: fit(x[0], y, verbose=0), ValueError, "(4,)", unchanged=model)
    refused(lambda: fit(x[:0], y[:0], verbose=0), ValueError, "no rows", unchanged=model)
    refused(
        lambda: fit(x, y, sample_weight=np.ones(3), verbose=0),
        ValueError,
        "40",
        "3",
        unchanged=model,
    )
    refused(
        lambda: fit(x, y, validation_data=(x[:, :2], y), verbose=0),
        ValueError,
        "got 2",
        unchanged=model,
    )
    regression = trainer_of(classifier(2, "linear"), "mse")
    refused(lambda: regression.fit(x, y, verbose=0), ValueError, "(40, 2)", "got (40,")
    refused(
        lambda: regression.fit(x, np.ones((40, 3)), verbose=0), ValueError, "(40, 2)", "(40, 3)"
    )


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_bad_cell_is_named(bad):
    model = classifier()
    x, y = make_data()
    x[17, 3] = bad
    words = ["column 3", "NaN" if np.isnan(bad) else "inf", "row 17"]
    for layout in (x, np.asfortranarray(x), x.astype(np.float64)):
        refused(
            lambda layout=layout: trainer_of(model).fit(layout, y, verbose=0),
            ValueError,
            *words,
            unchanged=model,
        )
    good = make_data()[0]
    refused(
        lambda: trainer_of(model).fit(good, y, validation_data=(x, y), verbose=0),
        ValueError,
        *words,
        unchanged=model,
    )


def test_a_bad_target_or_weight_is_named():
    x, labels = make_data()
    model = lm.Model([lm.Input(COLUMNS), lm.Dense(1)], seed=0)
    y = labels.astype(float)
    y[5] = np.nan
    refused(
        lambda: trainer_of(model, "mse").fit(x, y, verbose=0),
        ValueError,
        "NaN",
        "row 5",
        unchanged=model,
    )
    for value in (-1.0, np.nan, np.inf):
        weight = np.ones(ROWS)
        weight[9] = value
        fit = trainer_of(model, "mse").fit
        refused(
            lambda weight=weight, fit=fit: fit(x, labels, sample_weight=weight, verbose=0),
            ValueError,
            "weight",
            "row 9",
            unchanged=model,
        )


def test_the_check_can_be_skipped_but_not_the_flag():
    """check_input=False skips the pass over the data; a loss that is not finite makes no step."""
    model = classifier()
    before = model.fingerprint()
    x, y = make_data()
    x[17, 3] = np.nan
    with pytest.warns(RuntimeWarning, match="finite"):
        trainer_of(model).fit(x, y, epochs=1, batch_size=ROWS, check_input=False, verbose=0)
    assert model.fingerprint() == before


def test_what_is_no_number():
    model = classifier()
    x, y = make_data()
    names = np.array(["a", "b", "c"])[y]
    fit = trainer_of(model).fit
    refused(lambda: fit(x, names, verbose=0), TypeError, "lamina.sklearn", unchanged=model)
    with pytest.raises((TypeError, ValueError), match="complex"):
        fit(x.astype(complex), y, verbose=0)
    with pytest.raises((TypeError, ValueError)):
        fit(np.full((ROWS, COLUMNS), "1.0"), y, verbose=0)
    with pytest.raises((TypeError, ValueError)):
        fit([[1, 2, 3, 4], [5, 6]], [0, 1], verbose=0)


# ---- labels -------------------------------------------------------------------------------------


@pytest.mark.parametrize("label", [3, -1, 1.5])
def test_a_label_outside_the_range_is_named_with_its_row(label):
    model = classifier()
    x, y = make_data()
    y = y.astype(float)
    y[23] = label
    refused(
        lambda: trainer_of(model).fit(x, y, verbose=0),
        ValueError,
        str(label),
        "row 23",
        unchanged=model,
    )


def test_one_hot_rows_sum_to_one():
    model = classifier()
    x, y = make_data()
    rows = np.eye(3)[y]
    rows[11] = [0.5, 0.2, 0.1]
    refused(
        lambda: trainer_of(model).fit(x, rows, verbose=0), ValueError, "row 11", unchanged=model
    )
    wide = np.eye(4)[y]
    refused(
        lambda: trainer_of(model).fit(x, wide, verbose=0),
        ValueError,
        "(40, 3)",
        "(40, 4)",
        unchanged=model,
    )


def test_binary_targets_lie_between_zero_and_one():
    model = classifier(1, "sigmoid")
    x, y = make_data()  # classes 0, 1, 2
    message = refused(
        lambda: trainer_of(model, "binary_crossentropy").fit(x, y, verbose=0),
        ValueError,
        "2",
        unchanged=model,
    )
    assert f"row {np.argmax(y == 2)}" in message


# ---- arguments of fit ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"epochs": -1}, ["epochs", "-1"]),
        ({"batch_size": 0}, ["batch_size", "0"]),
        ({"validation_split": 1.0}, ["validation_split", "1"]),
        ({"validation_split": -0.2}, ["validation_split", "-0.2"]),
    ],
    ids=["epochs", "batch_size", "whole split", "negative split"],
)
def test_fit_with_an_impossible_argument(options, words):
    model = classifier()
    x, y = make_data()
    refused(
        lambda: trainer_of(model).fit(x, y, verbose=0, **options),
        ValueError,
        *words,
        unchanged=model,
    )


def test_a_schedule_whose_length_came_from_fit_refuses_a_second_fit():
    model = classifier()
    x, y = make_data()
    trainer = trainer_of(
        model, optimizer=lm.Adam(learning_rate=lm.OneCycle(max_learning_rate=0.01))
    )
    trainer.fit(x, y, epochs=1, verbose=0)
    refused(
        lambda: trainer.fit(x, y, epochs=1, verbose=0),
        ValueError,
        "give total_steps",
        unchanged=model,
    )


def test_a_schedule_alone_needs_its_length():
    for schedule in (lm.Cosine(0.1), lm.OneCycle(0.1)):
        refused(lambda schedule=schedule: schedule(0), ValueError, "give total_steps")


def test_early_stopping_on_something_that_is_not_measured():
    model = classifier()
    x, y = make_data()
    stopping = lm.EarlyStopping(monitor="val_accurracy")
    trainer = trainer_of(model, metrics=["accuracy"])
    refused(
        lambda: trainer.fit(x, y, validation_data=(x, y), callbacks=[stopping], verbose=0),
        ValueError,
        "val_accurracy",
        "val_accuracy",
        "val_loss",
        unchanged=model,
    )
    refused(
        lambda: trainer.fit(x, y, callbacks=[lm.EarlyStopping()], verbose=0),
        ValueError,
        "val_loss",
        "loss",
    )


# ---- failures on the way ------------------------------------------------------------------------


def test_a_diverging_fit_leaves_the_last_good_weights():
    model = lm.Model([lm.Input(COLUMNS), lm.Dense(8, activation="relu"), lm.Dense(1)], seed=0)
    x, _ = make_data()
    y = 1e3 * x[:, 0]
    trainer = trainer_of(model, "mse", optimizer=lm.SGD(learning_rate=1e6))
    with pytest.warns(RuntimeWarning, match="finite"):
        history = trainer.fit(x, y, epochs=50, batch_size=8, verbose=0)
    assert "finite" in history.stop_reason
    assert np.isfinite(model.predict(x)).all()
    assert all(np.isfinite(layer.kernel).all() for layer in model.layers)


class MyError(Exception):
    pass


@pytest.mark.parametrize("hook", ["on_train_begin", "on_epoch_end", "on_train_batch_end"])
def test_a_callbacks_exception_comes_out_as_it_went_in(hook):
    class Raises(lm.callbacks.Callback):
        pass

    error = MyError("as it went in")

    def raise_it(self, *arguments, **keywords):
        raise error

    setattr(Raises, hook, raise_it)
    model = classifier()
    x, y = make_data()
    trainer = trainer_of(model)
    with pytest.raises(MyError) as caught:
        trainer.fit(x, y, epochs=2, batch_size=8, callbacks=[Raises()], verbose=0)
    assert caught.value is error
    assert np.isfinite(model.predict(x)).all()
    trainer.fit(x, y, epochs=1, batch_size=8, verbose=0)  # and the model is free again


def test_one_fit_at_a_time_while_others_predict():
    model = classifier()
    x, y = make_data()
    seen = []

    class FromAnotherThread(lm.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            def work():
                seen.append(model.predict(x).shape)
                try:
                    trainer_of(model).fit(x, y, epochs=1, verbose=0)
                except RuntimeError as error:
                    seen.append(str(error))

            thread = threading.Thread(target=work)
            thread.start()
            thread.join()

    trainer_of(model).fit(x, y, epochs=1, callbacks=[FromAnotherThread()], verbose=0)
    assert seen[0] == (ROWS, 3)
    assert len(seen) == 2
    assert seen[1]


def test_a_stop_from_a_callback_has_a_reason():
    class Stop(lm.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                self.trainer.stop("enough is enough")

    x, y = make_data()
    history = trainer_of(classifier()).fit(x, y, epochs=10, callbacks=[Stop()], verbose=0)
    assert len(history["loss"]) == 2
    assert "enough is enough" in history.stop_reason
