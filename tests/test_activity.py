"""Penalties on activities: their gradient, their rows' shares, their value, and that predictions
know nothing of them."""

import numpy as np
import pytest

import lamina as lm

L1, L2 = 0.3, 0.7
ROWS = 7
F = {"tanh": np.tanh, "linear": lambda z: z, "relu": lambda z: np.maximum(z, 0)}


def numerical(function, array, step=1e-4):
    """Four-point central differences of function() by each entry of array, moved in place."""
    gradient = np.zeros(array.shape)
    for i in np.ndindex(array.shape):
        kept, value = array[i], {}
        for k in (-2, -1, 1, 2):
            array[i] = kept + k * step
            value[k] = function()
        array[i] = kept
        gradient[i] = (8 * (value[1] - value[-1]) - (value[2] - value[-2])) / (12 * step)
    return gradient


def penalty_of(rows, l1=L1, l2=L2):
    """Of each row."""
    return l1 * np.abs(rows).sum(axis=1) + l2 * (rows**2).sum(axis=1)


def row_losses(model, x, y, watched):
    """A row's mean squared error and its penalty, from predictions of networks cut short."""
    return ((model.predict(x) - y) ** 2).mean(axis=1) + sum(penalty_of(part(x)) for part in watched)


def arrays(model):
    return {t["name"]: model._core.view(t["name"]) for t in model._core.tensors()}


def gradients(model):
    return {name: np.array(model._core.gradient_view(name)) for name in arrays(model)}


def hidden(layer, f):
    return lambda x: F[f](x @ layer.kernel + layer.bias)


def regularizer():
    return lm.L1L2(l1=L1, l2=L2)


def by_argument(f):
    first = lm.Dense(4, activation=f, activity_regularizer=regularizer())
    return [lm.Input(5), first, lm.Dense(2)], [hidden(first, f)]


def by_layer(f):
    first = lm.Dense(4, activation=f)
    layers = [lm.Input(5), first, lm.ActivityRegularization(L1, L2), lm.Dense(2)]
    return layers, [hidden(first, f)]


def of_the_output(f):
    first, last = lm.Dense(4, activation="tanh"), lm.Dense(2, activation=f)
    layers = [lm.Input(5), first, last, lm.ActivityRegularization(L1, L2)]
    return layers, [lambda x: hidden(last, f)(hidden(first, "tanh")(x))]


def of_the_input(f):
    layers = [lm.Input(5), lm.ActivityRegularization(L1, L2), lm.Dense(4, activation=f)]
    return [*layers, lm.Dense(2)], [lambda x: x]


def twice(f):
    first = lm.Dense(4, activation=f, activity_regularizer=regularizer())
    layers = [lm.Input(5), first, lm.ActivityRegularization(L1, L2), lm.Dropout(0.0), lm.Dense(2)]
    return layers, 2 * [hidden(first, f)]


def before_branches(f):
    """Its value has two readers, and so has the value it reads."""
    first = lm.Dense(4, activation=f)
    inner = lm.Residual([lm.ActivityRegularization(L1, L2), lm.Dense(4, activation="tanh")])
    again = lm.Residual([lm.Dense(4, activation="tanh")])
    layers = [lm.Input(5), first, inner, lm.ActivityRegularization(L1, L2), again, lm.Dense(2)]
    dense = inner.layers[1]

    def second(x):
        return hidden(first, f)(x) + hidden(dense, "tanh")(hidden(first, f)(x))

    return layers, [hidden(first, f), second]


PLACES = [by_argument, by_layer, of_the_output, of_the_input, twice, before_branches]


def case(place, f, seed=3):
    """A model away from kinks: no watched activity but a ReLU's is near zero, nor any z of one."""
    layers, watched = place(f)
    model = lm.Model(layers, seed=seed, dtype="float64")
    for attempt in range(500):
        rng = np.random.default_rng(attempt)
        for name, array in arrays(model).items():
            if name.endswith("bias"):
                array[...] = rng.normal(scale=0.3, size=array.shape)
        x, y = rng.normal(size=(ROWS, 5)), rng.normal(size=(ROWS, 2))
        parts = np.concatenate([part(x).ravel() for part in watched])
        first = next(layer for layer in layers if isinstance(layer, lm.Dense))
        z = x @ first.kernel + first.bias
        if np.abs(parts[parts != 0]).min() > 2e-3 and np.abs(z).min() > 2e-3:
            return model, watched, x, y
    raise AssertionError("no point away from the kinks")


def assert_near(got, expected, what):
    assert np.abs(got - expected).max() <= 1e-7 * max(np.abs(expected).max(), 1e-3), what


@pytest.mark.parametrize("f", F)
@pytest.mark.parametrize("place", PLACES)
def test_by_hand(place, f):
    model, watched, x, y = case(place, f)
    out = model.forward(x, training=True)
    np.testing.assert_allclose(out, model.predict(x), rtol=1e-14)
    dx = model.backward(2 * (out - y) / y.size)
    found = gradients(model)

    def value():
        return row_losses(model, x, y, watched).mean()

    assert_near(dx, numerical(value, x), "dx")
    for name, array in arrays(model).items():
        assert_near(found[name], numerical(value, array), name)
    without = model.forward(x)  # of inference: without the penalty
    dx = model.backward(2 * (without - y) / y.size)
    plain = numerical(lambda: ((model.predict(x) - y) ** 2).mean(), x)
    assert_near(dx, plain, "dx without")


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("place", PLACES)
def test_in_the_engine(place, weighted):
    """A row's penalty counts as its loss does: by its weight's share."""
    model, watched, x, y = case(place, "tanh")
    w = np.array([0.0, 1, 2, 0.5, 3, 1, 0.25]) if weighted else None
    trainer = lm.Trainer(model, loss="mse", optimizer="sgd")
    loss = trainer.compute_gradients(x, y, sample_weight=w)
    found = gradients(model)
    share = np.full(ROWS, 1 / ROWS) if w is None else w / w.sum()
    assert loss == pytest.approx(share @ ((model.predict(x) - y) ** 2).mean(axis=1), rel=1e-12)
    for name, array in arrays(model).items():
        expected = numerical(lambda: share @ row_losses(model, x, y, watched), array)
        assert_near(found[name], expected, name)


@pytest.mark.parametrize(
    ("f", "loss"), [("softmax", "categorical_crossentropy"), ("sigmoid", "binary_crossentropy")]
)
def test_of_probabilities(f, loss):
    """The loss can then not take the logits instead; nothing but rounding shows it."""

    def model(**last):
        layers = [lm.Input(5), lm.Dense(3, activation=f, **last)]
        return lm.Model(layers, seed=1, dtype="float64")

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 5)), np.eye(3)[rng.integers(0, 3, 20)]
    plain, tiny, real = model(), model(activity_regularizer=lm.L2(1e-12)), None
    for one in (plain, tiny):
        lm.Trainer(one, loss=loss).compute_gradients(x, y)
    for name, gradient in gradients(plain).items():
        np.testing.assert_allclose(gradients(tiny)[name], gradient, rtol=0, atol=1e-10)
    real = model(activity_regularizer=regularizer())
    trainer = lm.Trainer(real, loss=loss, metrics=["accuracy"])
    before = trainer.compute_gradients(x, y)
    found = gradients(real)
    function = trainer_loss(loss)

    def value():
        p = real.predict(x)
        return function(y, p) + penalty_of(p).mean()

    for name, array in arrays(real).items():
        assert_near(found[name], numerical(value, array), name)
    assert trainer.evaluate(x, y)["loss"] == pytest.approx(before, rel=1e-12)
    assert trainer.evaluate(x, y) == pytest.approx(
        lm.Trainer(plain, loss=loss, metrics=["accuracy"]).evaluate(x, y), rel=1e-12
    )


def trainer_loss(name):
    return {
        "categorical_crossentropy": lm.losses.CategoricalCrossentropy(),
        "binary_crossentropy": lm.losses.BinaryCrossentropy(),
    }[name]


def test_subgradient_at_zero():
    model = lm.Model([lm.Input(3), lm.Dense(3), lm.ActivityRegularization(l1=0.5)], seed=0)
    model.layers[0].kernel = np.eye(3)
    model.forward([[0.0, 2.0, -2.0]], training=True)
    assert model.backward(np.zeros((1, 3))).tolist() == [[0.0, 0.5, -0.5]]


def test_proximal_means_nothing_here():
    found = []
    for proximal in (True, False):
        given = lm.L1(L1, proximal=proximal)
        layers = [lm.Input(4), lm.Dense(3, activation="tanh", activity_regularizer=given)]
        model = lm.Model(layers, seed=1)
        x = np.linspace(-1, 1, 40).reshape(10, 4)
        lm.Trainer(model, loss="mse").fit(x, x[:, :3], epochs=2, batch_size=4, verbose=0)
        found.append([array.tobytes() for array in arrays(model).values()])
    assert found[0] == found[1]


def test_predictions_do_not_meet_it():
    """The plan leaves the op out: the same bits, and a penalty of nothing is no op at all."""
    plain = [lm.Input(9), lm.Dense(33, activation="relu"), lm.Dense(4, activation="softmax")]
    watched = [
        lm.Input(9),
        lm.Dense(33, activation="relu", activity_regularizer="l1"),
        lm.Dense(4, activation="softmax"),
        lm.ActivityRegularization(l2=0.1),
    ]
    one, other = lm.Model(plain, seed=2), lm.Model(watched, seed=2)
    x = np.random.default_rng(0).normal(size=(50, 9))
    assert np.array_equal(one.predict(x), other.predict(x))
    assert np.array_equal(one.predict_classes(x), other.predict_classes(x))
    kinds = [op["kind"] for op in other._core.operations()]
    assert kinds.count("activity_regularization") == 2
    none = lm.Model([lm.Input(2), lm.Dense(2), lm.ActivityRegularization()])
    assert [op["kind"] for op in none._core.operations()] == ["product"]


def test_classes_of_several_labels_behind_it():
    layers = [lm.Input(4), lm.Dense(3, activation="sigmoid"), lm.ActivityRegularization(0.1)]
    model = lm.Model(layers, seed=1)
    x = np.random.default_rng(0).normal(size=(20, 4))
    assert np.array_equal(model.predict_classes(x), (model.predict(x) > 0.5).astype(int))


@pytest.mark.parametrize("weighted", [False, True])
def test_the_penalty_in_the_history(weighted):
    """The running mean of an epoch, as the loss is; the weights' penalty at its end beside it."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(90, 5)), rng.normal(size=(90, 2))
    w = rng.integers(0, 4, 90) / 2 if weighted else None
    layers = [
        lm.Input(5),
        lm.Dense(4, activation="tanh", activity_regularizer=regularizer()),
        lm.Dense(2, kernel_regularizer=lm.L2(0.1)),
    ]
    model = lm.Model(layers, seed=0, dtype="float64")
    trainer = lm.Trainer(model, loss="mse", optimizer=lm.SGD(0.05))
    sums = np.zeros(2)

    class Watch(lm.Callback):
        """Before a step the penalty is that of the weights after the one before."""

        def on_train_begin(self, logs=None):
            self.before = np.array(layers[1].kernel), np.array(layers[1].bias)

        def on_train_batch_end(self, batch, logs=None):
            rows = slice(batch * 20, batch * 20 + 20)
            shares = np.ones(len(x[rows])) if w is None else w[rows]
            kernel, bias = self.before
            penalties = penalty_of(np.tanh(x[rows] @ kernel + bias))
            sums[:] += [shares @ penalties, shares.sum()]
            self.on_train_begin()

    history = trainer.fit(
        x,
        y,
        sample_weight=w,
        epochs=1,
        batch_size=20,
        shuffle=False,
        callbacks=[Watch()],
        verbose=0,
    )
    expected = sums[0] / sums[1] + 0.1 * (layers[2].kernel ** 2).sum()
    assert history["penalty"][0] == pytest.approx(expected, rel=1e-12)
    assert history["loss"][0] < history["penalty"][0] + history["loss"][0]


def test_resumed_in_the_middle_of_an_epoch():
    x = np.random.default_rng(1).normal(size=(96, 5))

    def begin():
        layers = [lm.Input(5), lm.Dense(4, activation="relu", activity_regularizer=regularizer())]
        return lm.Trainer(lm.Model(layers, seed=0), loss="mse")

    class Stop(lm.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 1:
                self.trainer.stop()

    options = {"epochs": 1, "batch_size": 16, "verbose": 0}
    whole, cut, resumed = begin(), begin(), begin()
    expected = whole.fit(x, x[:, :4], **options)["penalty"]
    cut.fit(x, x[:, :4], callbacks=[Stop()], **options)
    resumed._core.load_state(cut._core.state())
    assert np.array_equal(resumed.fit(x, x[:, :4], **options)["penalty"], expected)


def test_a_loss_of_ones_own_and_frozen_layers_below():
    x = np.random.default_rng(1).normal(size=(40, 5))

    def squares(y_true, y_pred):
        d = y_pred - y_true
        return (d**2).mean(axis=1), 2 * d / d.shape[1]

    found = []
    for loss in ("mse", squares):
        layers = [
            lm.Input(5),
            lm.Dense(6, activation="tanh", trainable=False, activity_regularizer=regularizer()),
            lm.Dense(4, activation="tanh", activity_regularizer=regularizer()),
        ]
        model = lm.Model(layers, seed=0, dtype="float64")
        trainer = lm.Trainer(model, loss=loss, optimizer=lm.SGD(0.1))
        trainer.fit(x, x[:, :4], epochs=3, batch_size=16, verbose=0)
        found.append(np.array(layers[2].kernel))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-10)


def test_it_makes_activities_sparse():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(256, 8))
    y = np.tanh(x[:, :2])
    active = {}
    for l1 in (0.0, 0.1):
        layers = [
            lm.Input(8),
            lm.Dense(64, activation="relu", activity_regularizer=lm.L1(l1)),
            lm.Dense(2),
        ]
        model = lm.Model(layers, seed=0)
        trainer = lm.Trainer(model, loss="mse", optimizer=lm.Adam(0.01))
        trainer.fit(x, y, epochs=60, batch_size=32, verbose=0)
        first = layers[1]
        active[l1] = (x @ first.kernel + first.bias > 0).mean()
    assert active[0.1] < 0.5 * active[0.0], active


@pytest.mark.parametrize("value", [-0.1, "much"])
def test_errors(value):
    with pytest.raises(ValueError, match="ActivityRegularization: l1 must be"):
        lm.Model([lm.Input(2), lm.Dense(2), lm.ActivityRegularization(l1=value)])
    with pytest.raises(ValueError, match="unknown regularizer 'l3'"):
        lm.Model([lm.Input(2), lm.Dense(2, activity_regularizer="l3")])


@pytest.mark.ci
@pytest.mark.parametrize("weighted", [False, True])
def test_a_trajectory_of_torchs(weighted):
    """20 steps of SGD on loss and penalty; a ReLU, so that zeros meet sign(0) = 0, too."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(80, 6)), rng.normal(size=(80, 3))
    w = rng.integers(1, 5, 80) / 2 if weighted else np.ones(80)
    layers = [
        lm.Input(6),
        lm.Dense(16, activation="relu", activity_regularizer=lm.L1L2(0.02, 0.01)),
        lm.Dense(3, activation="tanh"),
        lm.ActivityRegularization(l1=0.05, l2=0.03),
    ]
    model = lm.Model(layers, seed=4, dtype="float64")
    theirs = [torch.tensor(np.array(a), requires_grad=True) for a in arrays(model).values()]
    optimizer = torch.optim.SGD(theirs, lr=0.1)
    for start in [*range(0, 80, 16)] * 4:
        xb, yb, wb = (torch.tensor(part[start : start + 16]) for part in (x, y, w))
        hidden = torch.relu(xb @ theirs[0] + theirs[1])
        out = torch.tanh(hidden @ theirs[2] + theirs[3])
        rows = ((out - yb) ** 2).mean(dim=1)
        rows = rows + 0.02 * hidden.abs().sum(dim=1) + 0.01 * (hidden**2).sum(dim=1)
        rows = rows + 0.05 * out.abs().sum(dim=1) + 0.03 * (out**2).sum(dim=1)
        optimizer.zero_grad()
        ((wb * rows).sum() / wb.sum()).backward()
        optimizer.step()
    trainer = lm.Trainer(model, loss="mse", optimizer=lm.SGD(0.1))
    trainer.fit(
        x,
        y,
        sample_weight=w if weighted else None,
        epochs=4,
        batch_size=16,
        shuffle=False,
        verbose=0,
    )
    for ours, other in zip(arrays(model).values(), theirs, strict=True):
        other = other.detach().numpy()
        assert np.abs(ours - other).max() <= 1e-11 * np.abs(other).max()
