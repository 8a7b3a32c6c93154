"""Normalisation beside PyTorch's: 20 steps of a network; and ONNX's node tests."""

import warnings

import numpy as np
import pytest

import lamina as lm

pytestmark = pytest.mark.ci

MOMENTUM = 0.9  # ours; PyTorch's is the rest
ROWS, BATCH, EPOCHS = 50, 16, 5  # four steps an epoch, the last of two rows
KINDS = ("BatchNormalization", "LayerNormalization", "RMSNormalization")
# float32: 20 steps with some 10 roundings each of 6e-8 add up to about 1e-5; Adam divides by small
# roots on top of that.
BARS = {("float64", "SGD"): 1e-11, ("float64", "Adam"): 1e-11}
BARS |= {("float32", "SGD"): 1e-5, ("float32", "Adam"): 5e-5}


def ours(kind, dtype):
    options = {"epsilon": 1e-5}
    if kind == "BatchNormalization":
        options["momentum"] = MOMENTUM
    middle = getattr(lm, kind)(**options)
    layers = [lm.Dense(9, use_bias=False), middle, lm.Activation("tanh"), lm.Dense(3)]
    model = lm.Model([lm.Input(5), *layers], seed=4, dtype=dtype)
    rng = np.random.default_rng(8)
    middle.gamma = rng.uniform(0.5, 1.5, size=9)
    if kind != "RMSNormalization":
        middle.beta = rng.normal(scale=0.2, size=9)
    return model, middle


def theirs(torch, kind, model, middle):
    dtype = getattr(torch, str(model.dtype))
    first, last = model.layers[0], model.layers[-1]
    made = {
        "BatchNormalization": lambda: torch.nn.BatchNorm1d(9, momentum=1 - MOMENTUM),
        "LayerNormalization": lambda: torch.nn.LayerNorm(9),
        "RMSNormalization": lambda: torch.nn.RMSNorm(9, eps=1e-5),
    }[kind]().to(dtype)
    dense = [torch.nn.Linear(5, 9, bias=False, dtype=dtype), torch.nn.Linear(9, 3, dtype=dtype)]
    with torch.no_grad():
        for linear, layer in zip(dense, (first, last), strict=True):
            linear.weight.copy_(torch.tensor(layer.kernel.T.copy()))
        dense[1].bias.copy_(torch.tensor(last.bias.copy()))
        made.weight.copy_(torch.tensor(middle.gamma.copy()))
        if kind != "RMSNormalization":
            made.bias.copy_(torch.tensor(middle.beta.copy()))
    return torch.nn.Sequential(dense[0], made, torch.nn.Tanh(), dense[1])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
@pytest.mark.parametrize("kind", KINDS)
def test_twenty_steps(kind, optimizer, dtype):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(3)
    x = rng.normal(loc=0.5, size=(ROWS, 5)).astype(dtype)
    y = rng.normal(size=(ROWS, 3)).astype(dtype)
    model, middle = ours(kind, dtype)
    network = theirs(torch, kind, model, middle)
    rate = {"SGD": 0.1, "Adam": 0.01}[optimizer]
    trainer = lm.Trainer(model, loss="mse", optimizer=getattr(lm, optimizer)(learning_rate=rate))
    trainer.fit(x, y, epochs=EPOCHS, batch_size=BATCH, shuffle=False, verbose=0)

    steps = getattr(torch.optim, optimizer)(network.parameters(), lr=rate)
    biased = np.ones(9)  # what the running variance is without their n / (n - 1)
    inputs, targets = torch.tensor(x), torch.tensor(y)
    for _ in range(EPOCHS):
        for first in range(0, ROWS, BATCH):
            rows = slice(first, first + BATCH)
            n = len(inputs[rows])
            if kind == "BatchNormalization":
                before = network[1].running_var.double().numpy().copy()
            steps.zero_grad()
            torch.nn.functional.mse_loss(network(inputs[rows]), targets[rows]).backward()
            steps.step()
            if kind == "BatchNormalization":
                added = network[1].running_var.double().numpy() - MOMENTUM * before
                biased = MOMENTUM * biased + added * (n - 1) / n

    def check(value, expected):
        expected = np.asarray(expected)
        scale = max(np.abs(expected).max(), 1e-3)
        assert np.abs(value - expected).max() <= BARS[dtype, optimizer] * scale

    first, norm, _, last = network
    check(model.layers[0].kernel, first.weight.detach().numpy().T)
    check(model.layers[-1].kernel, last.weight.detach().numpy().T)
    check(model.layers[-1].bias, last.bias.detach().numpy())
    check(middle.gamma, norm.weight.detach().numpy())
    if kind != "RMSNormalization":
        check(middle.beta, norm.bias.detach().numpy())
    if kind == "BatchNormalization":
        check(middle.moving_mean, norm.running_mean.numpy())
        check(middle.moving_variance, biased)
        norm.running_var.copy_(torch.tensor(biased))
    network.eval()
    check(model.predict(x), network(inputs).detach().numpy())


@pytest.mark.parametrize("mean", [0.0, 1.0, -1e4])
@pytest.mark.parametrize("deviation", [1e-3, 1.0, 1e4])
@pytest.mark.parametrize("kind", KINDS)
def test_float32_beside_float64(kind, mean, deviation):
    """Our float32 is PyTorch's float64 of the same numbers to 4 roundings (of xhat, at most 11)."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(6)
    x = (mean + deviation * rng.normal(size=(128, 37))).astype(np.float32)
    model = lm.Model([lm.Input(37), getattr(lm, kind)(epsilon=1e-5)], seed=0)
    wide = torch.tensor(x.astype(np.float64))
    expected = {
        "BatchNormalization": lambda: torch.nn.functional.batch_norm(
            wide, None, None, training=True, eps=1e-5
        ),
        "LayerNormalization": lambda: torch.nn.functional.layer_norm(wide, (37,), eps=1e-5),
        "RMSNormalization": lambda: torch.nn.functional.rms_norm(wide, (37,), eps=1e-5),
    }[kind]()
    error = np.abs(model.forward(x, training=True) - expected.numpy())
    assert (error <= 4 * 2.0**-24 * np.maximum(np.abs(expected.numpy()), 1)).all()


# ---- ONNX's node tests ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def node_tests():
    """Their published cases by operator: (name, attributes, inputs, outputs)."""
    onnx = pytest.importorskip("onnx")
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of other operators' cases
        collected = collect_testcases()
    cases = {kind: [] for kind in KINDS}
    for case in collected:
        nodes = case.model.graph.node
        kind = nodes[0].op_type
        if len(nodes) != 1 or kind not in KINDS:
            continue  # another operator, or one written out as a function
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in nodes[0].attribute}
        cases[kind].append((case.name, attributes, *case.data_sets[0]))
    return cases


def close(got, expected):
    assert np.abs(got - expected).max() <= 8 * 2.0**-23 * max(1, np.abs(expected).max())


def test_onnx_batch_normalization(node_tests):
    """Their channels are our columns, everything else is rows."""
    cases = node_tests["BatchNormalization"]
    assert len(cases) >= 4
    for _, attributes, (x, gamma, beta, mean, variance), outputs in cases:
        momentum = attributes.get("momentum", 0.9)
        layer = lm.BatchNormalization(momentum, attributes.get("epsilon", 1e-5))
        model = lm.Model([lm.Input(x.shape[1]), layer], seed=0)
        layer.gamma, layer.beta = gamma, beta
        rows = np.ascontiguousarray(np.moveaxis(x, 1, -1)).reshape(-1, x.shape[1])
        expected = np.moveaxis(outputs[0], 1, -1).reshape(rows.shape)
        training = bool(attributes.get("training_mode", 0))
        layer.moving_mean, layer.moving_variance = mean, variance
        close(model.forward(rows, training=training), expected)
        if not training:
            close(model.predict(rows), expected)
            continue
        close(layer.moving_mean, outputs[1])
        close(layer.moving_variance, outputs[2])
        layer.moving_mean, layer.moving_variance = mean, variance
        trainer = lm.Trainer(model, loss="mse", optimizer=lm.SGD(learning_rate=0.0))
        trainer.fit(rows, rows, epochs=1, batch_size=len(rows), verbose=0)
        close(layer.moving_mean, outputs[1])
        close(layer.moving_variance, outputs[2])


@pytest.mark.parametrize("kind", ["LayerNormalization", "RMSNormalization"])
def test_onnx_row_normalization(node_tests, kind):
    """From their axis on is a row of ours."""
    cases = node_tests[kind]
    assert len(cases) >= 10
    for _, attributes, inputs, outputs in cases:
        x = inputs[0]
        axis = attributes.get("axis", -1) % x.ndim
        rows = x.reshape(int(np.prod(x.shape[:axis])), -1)
        layer = getattr(lm, kind)(epsilon=attributes.get("epsilon", 1e-5))
        model = lm.Model([lm.Input(rows.shape[1]), layer], seed=0)
        layer.gamma = inputs[1].reshape(-1)
        if kind == "LayerNormalization":
            layer.beta = inputs[2].reshape(-1)
        close(model.predict(rows), outputs[0].reshape(rows.shape))
