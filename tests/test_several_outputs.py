"""Models with several outputs in a Trainer: each with its own loss, weight, targets and metrics."""

import json

import numpy as np
import pytest

import lamina as lm

RNG = np.random.default_rng(7)
ROWS = 90
X = RNG.normal(size=(ROWS, 6))
PRICE = np.stack([X[:, 0] * X[:, 1], np.tanh(X[:, 2])], axis=1)
KIND = (X[:, 3] > 0.5).astype(int) + 2 * (X[:, 4] > 1)
KIND[KIND == 3] = 1
SOLD = (X[:, 5] > 0).astype(float)
Y = {"price": PRICE, "kind": KIND, "sold": SOLD}
LOSS = {"price": "mse", "kind": "categorical_crossentropy", "sold": "binary_crossentropy"}
WEIGHTS = {"price": 0.75, "kind": 1.0, "sold": 0.3}
SAMPLE = RNG.uniform(0.1, 2, ROWS)


def trunk(dtype: str, *layers):
    x = lm.Input(6)
    hidden = lm.Dense(12, activation="tanh", name="hidden")(x)
    return lm.Model(inputs=x, outputs=[layer(hidden) for layer in layers], seed=3, dtype=dtype)


def heads():
    return [
        lm.Dense(2, name="price"),
        lm.Dense(3, activation="softmax", name="kind"),
        lm.Dense(1, activation="sigmoid", name="sold"),
    ]


def model(dtype="float64"):
    return trunk(dtype, *heads())


def alone(place):
    """The model with one output, with the same weights."""
    one = trunk("float64", heads()[place])
    whole = model()
    for name in tensors(one):
        one._core.view(name)[...] = whole._core.view(name)
    return one


def trainer(net=None, **changes):
    settings = {"loss": LOSS, "loss_weights": WEIGHTS, "optimizer": "adam", **changes}
    return lm.Trainer(net or model(), **settings)


def tensors(net):
    return [one["name"] for one in net._core.tensors()]


def gradients(net):
    return {name: net._core.gradient_view(name).copy() for name in tensors(net)}


# ---- values and gradients ------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [None, SAMPLE])
def test_losses_and_gradients_are_the_weighted_sum_of_those_alone(weights):
    whole = trainer()
    loss = whole.compute_gradients(X, Y, sample_weight=weights)
    found = gradients(whole.model)
    expected = {name: np.zeros_like(g) for name, g in found.items()}
    total = 0.0
    for place, name in enumerate(LOSS):
        single = lm.Trainer(alone(place), loss=LOSS[name])
        total += WEIGHTS[name] * single.compute_gradients(X, Y[name], sample_weight=weights)
        for tensor, g in gradients(single.model).items():
            expected[tensor] += WEIGHTS[name] * g
    assert loss == pytest.approx(total, rel=1e-13)
    for name, g in expected.items():
        np.testing.assert_allclose(found[name], g, rtol=0, atol=1e-13 * np.abs(g).max())


def test_evaluate_gives_each_outputs_values():
    metrics = {"price": ["mae", "r2"], "kind": "accuracy", "sold": ["accuracy", "roc_auc"]}
    values = trainer(metrics=metrics).evaluate(X, Y, sample_weight=SAMPLE)
    assert list(values) == [
        "loss",
        "price_loss",
        "kind_loss",
        "sold_loss",
        "price_mean_absolute_error",
        "price_r2",
        "kind_accuracy",
        "sold_accuracy",
        "sold_roc_auc",
    ]
    total = 0.0
    for place, name in enumerate(LOSS):
        single = lm.Trainer(alone(place), loss=LOSS[name], metrics=metrics[name])
        for key, value in single.evaluate(X, Y[name], sample_weight=SAMPLE).items():
            assert values[f"{name}_{key}"] == pytest.approx(value, rel=1e-13), key
        total += WEIGHTS[name] * values[f"{name}_loss"]
    assert values["loss"] == pytest.approx(total, rel=1e-14)


def test_one_loss_is_that_of_every_output():
    net = trunk("float64", lm.Dense(1, name="a"), lm.Dense(2, name="b"))
    values = lm.Trainer(net, loss="mae", metrics="mse").evaluate(X, (SOLD, PRICE))
    assert list(values) == [
        "loss",
        "a_loss",
        "b_loss",
        "a_mean_squared_error",
        "b_mean_squared_error",
    ]
    assert values["loss"] == values["a_loss"] + values["b_loss"]


def test_a_weight_of_a_single_output():
    net = alone(0)
    half = lm.Trainer(net, loss="mse", loss_weights=[0.5])
    assert half._core.names == ["loss"]
    value = half.compute_gradients(X, PRICE)
    found = gradients(net)
    full = lm.Trainer(net, loss=["mse"])
    assert full.compute_gradients(X, {"price": PRICE}) == 2 * value
    for name, g in gradients(net).items():
        np.testing.assert_array_equal(g, 2 * found[name])


# ---- outputs that are not trained ----------------------------------------------------------------


@pytest.mark.parametrize("loss", [{"price": "mse"}, ["mse", None, None]])
def test_an_output_without_a_loss_is_left_alone(loss):
    net = model()
    before = {name: net._core.view(name).copy() for name in tensors(net)}
    decay = lm.AdamW(0.01, weight_decay=0.1)
    fit = lm.Trainer(net, loss=loss, optimizer=decay)
    history = fit.fit(X, {"price": PRICE}, epochs=2, verbose=0)
    assert history.keys() == ["loss", "price_loss"]
    assert history["loss"][0] == history["price_loss"][0]
    for name, old in before.items():
        moved = not np.array_equal(net._core.view(name), old)
        assert moved == (name.split("/")[0].split(".")[0] in ("price", "hidden")), name


def test_stored_gradients_of_an_output_without_a_loss_are_zero():
    """Also where something else has stood there: they count in the global norm."""
    net = model()
    fit = lm.Trainer(net, loss={"price": "mse"}, optimizer=lm.SGD(0.1, global_clipnorm=1e-3))
    net.forward(X)
    net.backward([np.ones_like(p) for p in net.predict(X)])
    assert np.abs(net._core.gradient_view("kind/kernel")).max() > 0
    fit.compute_gradients(X, {"price": PRICE})
    assert np.abs(net._core.gradient_view("kind/kernel")).max() == 0


def test_metrics_of_an_output_without_a_loss():
    fit = trainer(loss={"price": "mse"}, metrics={"kind": "accuracy", "sold": "f1"})
    values = fit.evaluate(X, Y)
    assert list(values) == ["loss", "price_loss", "kind_accuracy", "sold_f1"]
    predicted = fit.model.predict(X)[1].argmax(axis=1)
    assert values["kind_accuracy"] == pytest.approx((predicted == KIND).mean())
    with pytest.raises(ValueError, match="no target for the output 'kind'"):
        fit.evaluate(X, {"price": PRICE, "sold": SOLD})


# ---- the same bits -------------------------------------------------------------------------------


def outcome(threads, scheduling=(0, 0, True), epochs=2, metrics=None):
    net = model("float32")
    fit = trainer(net, num_threads=threads, metrics=metrics or {"sold": ["accuracy", "f1"]})
    fit._scheduling = scheduling
    history = fit.fit(X, Y, epochs=epochs, batch_size=32, validation_data=(X, Y), verbose=0)
    return net.fingerprint(), history.history


@pytest.mark.parametrize("threads", [2, 3, 4])
def test_threads_and_blocks_do_not_change_bits(threads):
    assert outcome(threads) == outcome(1)
    assert outcome(threads, (16, 100, True)) == outcome(1)


def test_a_loop_by_hand_gives_the_bits_of_fit():
    fit, by_hand = trainer(), trainer()
    fit.fit(X, Y, epochs=1, batch_size=30, shuffle=False, verbose=0)
    for rows in np.split(np.arange(ROWS), 3):
        by_hand.compute_gradients(X[rows], [y[rows] for y in Y.values()])
        by_hand.optimizer.step(by_hand.model)
    assert by_hand.model.fingerprint() == fit.model.fingerprint()


def test_resumed_inside_an_epoch():
    class StopAt(lm.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 1:
                self.trainer.stop()

    metrics = {"sold": "accuracy"}
    whole, begun, other = (trainer(metrics=metrics) for _ in range(3))
    how = {"batch_size": 20, "verbose": 0}
    expected = whole.fit(X, Y, epochs=2, **how)
    begun.fit(X, Y, epochs=2, callbacks=[StopAt()], **how)
    other._core.load_state(begun._core.state())
    resumed = other.fit(X, Y, epochs=2, **how)
    assert resumed.history == expected.history
    assert other.model.fingerprint() == whole.model.fingerprint()


# ---- forms ---------------------------------------------------------------------------------------


def test_dicts_tuples_and_lists_mean_the_same():
    prints = set()
    for form in (lambda d: d, lambda d: tuple(d.values()), lambda d: list(d.values())):
        fit = trainer(loss=form(LOSS), loss_weights=form(WEIGHTS))
        fit.fit(X, form(Y), epochs=1, validation_data=(X, form(Y), SAMPLE), verbose=0)
        prints.add(fit.model.fingerprint())
    reverse = {name: Y[name] for name in reversed(Y)}
    fit = trainer(loss={name: LOSS[name] for name in reversed(LOSS)})
    fit.fit(X, reverse, epochs=1, verbose=0)
    prints.add(fit.model.fingerprint())
    assert len(prints) == 1


def test_early_stopping_and_aliases():
    fit = trainer(metrics={"price": "mse", "sold": "accuracy"})
    stopping = [
        lm.EarlyStopping(monitor="val_sold_loss", patience=1, restore_best_weights=False),
        lm.EarlyStopping(monitor="val_sold_accuracy"),
    ]
    history = fit.fit(
        X, Y, epochs=3, validation_split=0.3, callbacks=stopping, verbose=0, batch_size=30
    )
    assert [one._larger_is_better() for one in stopping] == [False, True]
    np.testing.assert_array_equal(history["price_mse"], history["price_mean_squared_error"])
    assert "val_price_mse" in history
    assert "mse" not in history
    with pytest.raises(ValueError, match=r"'val_sale_loss' is not among .*val_sold_loss"):
        fit.fit(
            X, Y, validation_data=(X, Y), callbacks=[lm.EarlyStopping("val_sale_loss")], verbose=0
        )


def test_validation_split_is_stratified_by_the_first_output_with_classes():
    fit = trainer()
    fit.fit(X, Y, epochs=1, validation_split=0.5, verbose=0)
    train, held_out = fit._split[1]
    assert sorted(train + held_out) == list(range(ROWS))
    counts = np.bincount(KIND[held_out], minlength=3), np.bincount(KIND, minlength=3)
    assert np.abs(counts[0] - counts[1] / 2).max() <= 1


def test_repr_says_the_weights():
    text = repr(trainer())
    assert f"loss={LOSS!r}, loss_weights={WEIGHTS!r}" in text
    assert "loss_weights" not in repr(trainer(loss_weights=None))


def test_progress_shows_every_output(capsys):
    trainer(metrics={"sold": "accuracy"}).fit(X, Y, epochs=1, verbose=2)
    shown = capsys.readouterr().out.split()
    assert {"loss", "price_loss", "kind_loss", "sold_loss", "sold_accuracy"} <= set(shown)


# ---- losses outside the core ---------------------------------------------------------------------


def squared(y, p):
    return ((p - y) ** 2).mean(axis=1), 2 * (p - y) / p.shape[1]


@pytest.mark.parametrize("threads", [1, 3])
def test_a_function_is_the_loss_of_one_output(threads):
    own = trainer(loss={**LOSS, "price": squared}, num_threads=threads)
    theirs = trainer()
    assert own.compute_gradients(X, Y) == pytest.approx(theirs.compute_gradients(X, Y), rel=1e-13)
    for name, g in gradients(theirs.model).items():
        atol = 1e-13 * np.abs(g).max()
        np.testing.assert_allclose(gradients(own.model)[name], g, rtol=0, atol=atol)
    found, expected = own.evaluate(X, Y), theirs.evaluate(X, Y)
    assert found == pytest.approx(expected, rel=1e-13)
    history = own.fit(X, Y, epochs=3, batch_size=40, verbose=0)
    expected = theirs.fit(X, Y, epochs=3, batch_size=40, verbose=0)
    for key in expected:
        np.testing.assert_allclose(history[key], expected[key], rtol=1e-11)


# ---- two outputs that are one value --------------------------------------------------------------


def test_an_output_below_another_and_a_second_view_of_one():
    """The gradients of what is read twice add."""
    x = lm.Input(6)
    hidden = lm.Dense(4, activation="tanh", name="hidden")(x)
    flat = lm.Reshape((2, 2), name="square")(hidden)
    last = lm.Dense(1, name="last")(hidden)
    net = lm.Model(inputs=x, outputs=[hidden, flat, last], seed=1, dtype="float64")
    fit = lm.Trainer(net, loss="mse", loss_weights=[1, 2, 0.5])
    y = np.abs(X[:, :4])
    fit.compute_gradients(X, (y, -y.reshape(-1, 2, 2), SOLD))
    found = gradients(net)
    g = {name: net._core.view(name).copy() for name in found}
    h = np.tanh(X @ net["hidden"].kernel + net["hidden"].bias)
    p = h @ net["last"].kernel + net["last"].bias
    dp = 0.5 * 2 * (p - SOLD[:, None]) / ROWS
    dh = (2 * (h - y) + 2 * 2 * (h + y)) / (4 * ROWS) + dp @ net["last"].kernel.T
    kernel = X.T @ (dh * (1 - h * h))
    name = next(name for name in g if "hidden" in name and "kernel" in name)
    np.testing.assert_allclose(found[name], kernel, rtol=0, atol=1e-13 * np.abs(kernel).max())


def test_a_nested_model_with_two_outputs():
    x = lm.Input(6)
    inner = lm.Model(inputs=x, outputs=[lm.Dense(1)(x), lm.Dense(2)(x)], seed=0, name="inner")
    start = lm.Input(6)
    net = lm.Model(inputs=start, outputs=inner(start), seed=1)
    assert net.output_names == ["inner", "inner_1"]
    values = lm.Trainer(net, loss="mse").evaluate(X, {"inner_1": PRICE, "inner": SOLD})
    assert list(values) == ["loss", "inner_loss", "inner_1_loss"]


# ---- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"loss": {"cost": "mse"}}, r"loss: expected a dict with the outputs \['price', 'kind'"),
        ({"loss": ["mse", "mse"]}, "the model has 3 outputs; .* got 2"),
        ({"loss": [None, None, None]}, "no loss to train for"),
        ({"loss": "bce"}, "output 'price': binary_crossentropy expects probabilities"),
        ({"loss_weights": {"cost": 1.0}}, "loss_weights: expected a dict with the outputs"),
        ({"loss_weights": [1.0, -1.0, 1.0]}, "finite and at least 0, got -1"),
        ({"metrics": ["accuracy"]}, "metrics: the model has 3 outputs; give a dict"),
        ({"metrics": {"cost": "mse"}}, "metrics: expected a dict with the outputs"),
        ({"metrics": {"price": "accuracy_of_kings"}}, "metric"),
        ({"metrics": {"price": "log_loss"}}, "output 'price': log_loss"),
    ],
)
def test_what_a_trainer_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        trainer(**arguments)


@pytest.mark.parametrize("arguments", [{"loss": 3}, {"loss_weights": 0.5}, {"loss": [3, 4, 5]}])
def test_what_is_of_another_type(arguments):
    with pytest.raises(TypeError, match="Trainer: loss"):
        trainer(**arguments)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (PRICE, "y: the model has 3 outputs; expected a dict by name or as many in this order"),
        ({**Y, "cost": PRICE}, "y: expected a dict with the outputs"),
        ({"price": PRICE, "kind": KIND}, "no target for the output 'sold'"),
        ({**Y, "kind": KIND + 5}, r"y\['kind'\]: label 5"),
        ({**Y, "price": SOLD}, r"y\['price'\]: expected shape \(90, 2\), got \(90, 1\)"),
        ({**Y, "sold": SOLD[:-1]}, r"X has 90 rows, y\['sold'\] has 89"),
        ({**Y, "price": PRICE + np.array([0.0, np.inf])}, r"y\['price'\]: column 1 holds"),
        ({**Y, "sold": SOLD + 1}, r"y\['sold'\]"),
    ],
)
def test_what_targets_are_refused(y, message):
    fit = trainer()
    before = fit.model.fingerprint()
    with pytest.raises(ValueError, match=message):
        fit.fit(X, y, verbose=0)
    with pytest.raises(ValueError, match=message):
        fit.fit(X, Y, validation_data=(X, y), verbose=0)
    assert fit.model.fingerprint() == before
    assert fit.epoch == 0


def test_weights_of_classes_and_of_single_outputs_are_refused():
    fit = trainer()
    with pytest.raises(ValueError, match="class_weight: the model has several outputs"):
        fit.fit(X, Y, class_weight={0: 1.0, 1: 2.0}, verbose=0)
    with pytest.raises(TypeError, match="one array"):
        fit.fit(X, Y, sample_weight={"price": SAMPLE}, verbose=0)


def test_labels_that_are_text_name_their_output():
    with pytest.raises(TypeError, match=r"y\['kind'\]: the labels are text"):
        trainer().fit(X, {**Y, "kind": np.array(["a", "b"] * 45)}, verbose=0)


def test_a_divergence_names_the_loss():
    fit = trainer(optimizer=lm.SGD(learning_rate=1e200))
    with pytest.warns(RuntimeWarning, match="became non-finite"):
        history = fit.fit(X, Y, epochs=3, batch_size=30, verbose=0)
    assert history.stop_reason.startswith("diverged: ")
    assert np.isfinite(fit.model.predict(X)[0]).all()


def test_the_core_lists_its_outputs():
    fit = trainer(metrics={"sold": "accuracy"})
    rows = {one.pop("name"): one for one in fit._core.heads()}
    assert rows == {
        "price": {"classes": False, "multilabel": False},
        "kind": {"classes": True, "multilabel": False},
        "sold": {"classes": True, "multilabel": False},
    }
    assert json.loads(fit.model._core.spec)["outputs"]
