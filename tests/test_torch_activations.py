"""Activations beside PyTorch's: values and derivatives, at the extremes, too.

In float64 they agree to 1e-11 of the scale of the row; in float32 to some units in the last place
of what PyTorch computes in float64, where a value that is a difference is measured by what is
subtracted (`SCALE`).
"""

import numpy as np
import pytest

import lamina as lm
from lamina._isa import core

torch = pytest.importorskip("torch")
functional = torch.nn.functional

pytestmark = pytest.mark.ci

A = lm.activations
CATALOGUE = core.catalogue()["activations"]


def softplus(x, beta=1.0):
    return torch.logaddexp(beta * x, torch.zeros_like(x)) / beta  # torch's own turns linear at 20


def hard_sigmoid(x):
    """As functional.hardsigmoid, whose derivative is 1/6 in float32 whatever the dtype."""
    return torch.where((x > -3) & (x < 3), (x + 3) / 6, (x >= 3).to(x.dtype))


def blended(function, initial):
    return lambda x: x + initial * (function(x) - x)


# Every class, with the arguments worth comparing.
CASES = [
    (A.Linear(), lambda x: x * 1.0),
    (A.ReLU(), torch.relu),
    (A.ReLU6(), functional.relu6),
    (A.LeakyReLU(), functional.leaky_relu),
    (A.LeakyReLU(0.3), lambda x: functional.leaky_relu(x, 0.3)),
    (A.PReLU(), lambda x: functional.prelu(x, torch.tensor([0.25], dtype=x.dtype))),
    (A.ELU(), functional.elu),
    (A.ELU(alpha=0.5), lambda x: functional.elu(x, alpha=0.5)),
    (A.SELU(), functional.selu),
    (A.CELU(), functional.celu),
    (A.CELU(alpha=2.0), lambda x: functional.celu(x, alpha=2.0)),
    (A.GELU(), functional.gelu),
    (A.GELU(approximate=True), lambda x: functional.gelu(x, approximate="tanh")),
    (A.SiLU(), functional.silu),
    (A.Mish(), functional.mish),
    (A.Softplus(), softplus),
    (A.Softplus(beta=3.0), lambda x: softplus(x, 3.0)),
    (A.Softsign(), functional.softsign),
    (A.Sigmoid(), torch.sigmoid),
    (A.HardSigmoid(), hard_sigmoid),
    (A.HardSwish(), functional.hardswish),
    (A.Tanh(), torch.tanh),
    (A.LogSigmoid(), functional.logsigmoid),
    (A.Exponential(), torch.exp),
    (A.Softmax(), lambda x: torch.softmax(x, dim=1)),
    (A.LogSoftmax(), lambda x: torch.log_softmax(x, dim=1)),
    (A.Parametric(), blended(torch.relu, 1.0)),
    (A.Parametric("mish", initial=0.3), blended(functional.mish, 0.3)),
    (A.Parametric("softmax", initial=0.3), blended(lambda x: torch.softmax(x, dim=1), 0.3)),
]


def each(cases=CASES):
    return [pytest.param(ours, theirs, id=repr(ours)) for ours, theirs in cases]


def inputs(name):
    """Small and large numbers, zeros, kinks and ties; rows of 7."""
    rng = np.random.default_rng(0)
    scales = (0.01, 1, 10, 100) if name == "Exponential" else (0.01, 1, 10, 100, 1e4)
    kinks = [-3.0, 3.0, 6.0, 0.0, -0.0, 1.0, 1.0]
    return np.concatenate([*(rng.normal(scale=s, size=(50, 7)) for s in scales), [kinks]])


def theirs_and_gradient(function, x, pull):
    x = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    y = function(x)
    y.backward(torch.tensor(pull, dtype=torch.float64))
    return y.detach().numpy(), x.grad.numpy()


def ours_and_gradient(function, x, pull):
    y = function(x)
    name = type(function).__name__
    row_wise = {entry["class"]: entry["row_wise"] for entry in CATALOGUE}[name]
    if row_wise:
        return y, function.backward(pull, y)
    if isinstance(function, A.Parametric) and function.activation == "softmax":
        return y, None
    return y, pull * function.derivative(x)


def test_every_activation_is_compared():
    assert {type(ours).__name__ for ours, _ in CASES} == {entry["class"] for entry in CATALOGUE}


@pytest.mark.parametrize(("ours", "theirs"), each())
def test_float64(ours, theirs):
    x = inputs(type(ours).__name__)
    pull = np.random.default_rng(1).normal(size=x.shape)
    y, gradient = ours_and_gradient(ours, x, pull)
    expected, expected_gradient = theirs_and_gradient(theirs, x, pull)
    for got, wanted in ((y, expected), (gradient, expected_gradient)):
        if got is not None:
            scale = np.maximum(np.abs(wanted).max(axis=1, keepdims=True), 1)
            assert (np.abs(got - wanted) <= 1e-11 * scale).all()


# What a value is a product or difference of, where that is larger than the value: its rounding
# cannot be undone. Derivatives are measured by 1: torch, too, takes some from y, where 1 - y is
# rounded.
VALUE_SCALE = {
    "GELU": np.abs,  # x Phi(x), and Phi is rounded at 1
    "Softmax": np.ones_like,  # exp of a rounded difference
    "Softplus": np.ones_like,  # exp of a rounded product
    "LogSoftmax": lambda x: np.abs(x).max(axis=1, keepdims=True),
    "Parametric": np.abs,
}


@pytest.mark.parametrize(("ours", "theirs"), each())
def test_float32(ours, theirs):
    """Within 4 units in the last place of what PyTorch computes in float64."""
    x = inputs(type(ours).__name__).astype(np.float32)
    pull = np.ones_like(x)
    pull[:, 1::2] = -0.5
    y, gradient = ours_and_gradient(ours, x, pull)
    expected, expected_gradient = theirs_and_gradient(theirs, x, pull)
    value_scale = VALUE_SCALE.get(type(ours).__name__, np.zeros_like)(x)
    underflow = np.finfo(np.float32).tiny * np.maximum(np.abs(x), 1)  # subnormals may be 0
    for got, wanted, scale in ((y, expected, value_scale), (gradient, expected_gradient, 1)):
        if got is None:
            continue
        assert got.dtype == np.float32
        finite = np.abs(wanted) <= np.finfo(np.float32).max
        assert np.array_equal(np.isfinite(got), finite)
        ulp = np.spacing(np.maximum(np.abs(wanted), scale)[finite].astype(np.float32))
        assert (np.abs(got[finite] - wanted[finite]) <= 4 * ulp + underflow[finite]).all()


def test_learned_slopes_train_as_in_torch():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(60, 4)), rng.normal(size=(60, 2))
    layers = [lm.Input(4), lm.Dense(5, activation="prelu"), lm.Dense(2)]
    model = lm.Model(layers, seed=0, dtype="float64")
    net = torch.nn.Sequential(
        torch.nn.Linear(4, 5), torch.nn.PReLU(5), torch.nn.Linear(5, 2)
    ).double()
    with torch.no_grad():
        for ours, theirs in ((model.layers[0], net[0]), (model.layers[1], net[2])):
            theirs.weight.copy_(torch.tensor(np.array(ours.kernel).T))
            theirs.bias.copy_(torch.tensor(np.array(ours.bias)))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(20):
        optimizer.zero_grad()
        ((net(torch.tensor(x)) - torch.tensor(y)) ** 2).mean().backward()
        optimizer.step()
    trainer = lm.Trainer(model, loss="mse", optimizer=lm.SGD(0.1))
    trainer.fit(x, y, epochs=20, batch_size=60, shuffle=False, verbose=0)
    assert not np.allclose(model.layers[0].alpha, 0.25)
    assert np.allclose(model.layers[0].alpha, net[1].weight.detach().numpy(), rtol=0, atol=1e-11)
    assert np.allclose(model.layers[0].kernel, net[0].weight.detach().numpy().T, rtol=0, atol=1e-11)
