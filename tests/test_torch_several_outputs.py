"""A model with two outputs trains as in PyTorch: twenty steps on the weighted sum of two losses."""

import numpy as np
import pytest

import lamina as lm

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.ci

STEPS, BATCH = 20, 16


def theirs_of(net, dtype):
    """The same layers in PyTorch, with the same weights."""
    layers = {}
    for name in ("hidden", "price", "kind"):
        kernel, bias = net[name].kernel, net[name].bias
        layer = torch.nn.Linear(*kernel.shape, dtype=dtype)
        with torch.no_grad():
            layer.weight.copy_(torch.tensor(kernel.T.copy()))
            layer.bias.copy_(torch.tensor(bias.copy()))
        layers[name] = layer
    return layers


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_twenty_steps(optimizer, activation, weighted):
    draw = np.random.default_rng(5)
    rows = STEPS * BATCH
    x, price, kind = (
        draw.normal(size=(rows, 7)),
        draw.normal(size=(rows, 2)),
        draw.integers(4, size=rows),
    )
    w = draw.uniform(0.1, 3, rows) if weighted else np.ones(rows)

    start = lm.Input(7)
    hidden = lm.Dense(19, activation=activation, name="hidden")(start)
    outputs = [
        lm.Dense(2, name="price")(hidden),
        lm.Dense(4, activation="softmax", name="kind")(hidden),
    ]
    net = lm.Model(inputs=start, outputs=outputs, seed=2, dtype="float64")
    layers = theirs_of(net, torch.float64)
    parameters = [p for layer in layers.values() for p in layer.parameters()]
    if optimizer == "sgd":
        ours, steps = lm.SGD(learning_rate=0.1), torch.optim.SGD(parameters, lr=0.1)
    else:
        ours = lm.Adam(learning_rate=0.01, epsilon=1e-8)
        steps = torch.optim.Adam(parameters, lr=0.01, eps=1e-8)
    trainer = lm.Trainer(
        net,
        loss={"price": "mse", "kind": "categorical_crossentropy"},
        loss_weights={"price": 0.7, "kind": 0.25},
        optimizer=ours,
    )
    history = trainer.fit(
        x,
        {"price": price, "kind": kind},
        sample_weight=w if weighted else None,
        epochs=1,
        batch_size=BATCH,
        shuffle=False,
        verbose=0,
    )

    sums = np.zeros(3)
    for i in range(0, rows, BATCH):
        part = slice(i, i + BATCH)
        h = getattr(torch, activation)(layers["hidden"](torch.tensor(x[part])))
        weights = torch.tensor(w[part])
        each = [
            ((layers["price"](h) - torch.tensor(price[part])) ** 2).mean(dim=1),
            torch.nn.functional.cross_entropy(
                layers["kind"](h), torch.tensor(kind[part]), reduction="none"
            ),
        ]
        means = [(weights * loss).sum() / weights.sum() for loss in each]
        loss = 0.7 * means[0] + 0.25 * means[1]
        steps.zero_grad()
        loss.backward()
        steps.step()
        sums += [float(one.detach()) * w[part].sum() for one in (loss, *means)]

    found = [history[key][0] for key in ("loss", "price_loss", "kind_loss")]
    np.testing.assert_allclose(found, sums / w.sum(), rtol=1e-12)
    for name, layer in layers.items():
        for mine, yours in ((net[name].kernel, layer.weight.T), (net[name].bias, layer.bias)):
            expected = yours.detach().numpy()
            scale = np.abs(expected).max()
            np.testing.assert_allclose(mine, expected, rtol=0, atol=1e-11 * scale)
