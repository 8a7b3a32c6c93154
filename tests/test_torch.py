"""Optimizers beside PyTorch's, in float64, to 1e-11 of scale.

Activations, losses and schedules have files of their own.
"""

import numpy as np
import pytest

import lamina as lm
from lamina._isa import core

torch = pytest.importorskip("torch")
functional = torch.nn.functional

pytestmark = pytest.mark.ci

BAR = 1e-11
CATALOGUE = core.catalogue()


def names(room):
    return [entry["class"] for entry in CATALOGUE[room]]


def tensor(array):
    return torch.tensor(np.asarray(array), dtype=torch.float64, requires_grad=True)


def assert_near(got, expected, scale=None):
    expected = (
        expected.detach().numpy() if isinstance(expected, torch.Tensor) else np.asarray(expected)
    )
    got = np.asarray(got)
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() <= BAR * (scale or np.abs(expected).max())


# ---- optimizers ---------------------------------------------------------------------------------

OPTIMIZERS = {
    "SGD": (torch.optim.SGD, {}),
    "Momentum": (torch.optim.SGD, {"momentum": 0.9}),
    "Nesterov": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    "Adagrad": (torch.optim.Adagrad, {}),
    "RMSprop": (torch.optim.RMSprop, {}),
    "Adam": (torch.optim.Adam, {}),
}

SETTINGS = {
    "SGD": [],
    "Momentum": [({"momentum": 0.5}, {"momentum": 0.5})],
    "Nesterov": [({"momentum": 0.5}, {"momentum": 0.5, "nesterov": True})],
    "Adagrad": [
        (
            {"initial_accumulator_value": 0.1, "epsilon": 1e-3},
            {"initial_accumulator_value": 0.1, "eps": 1e-3},
        )
    ],
    "RMSprop": [({"rho": 0.9, "epsilon": 1e-3}, {"alpha": 0.9, "eps": 1e-3})],
    "Adam": [({"beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3}, {"betas": (0.8, 0.9), "eps": 1e-3})],
}


def optimizer_cases():
    for name in OPTIMIZERS:
        yield name, {}, OPTIMIZERS[name][1]
        for ours, theirs in SETTINGS[name]:
            yield name, ours, theirs


@pytest.mark.parametrize(("name", "ours", "theirs"), list(optimizer_cases()))
def test_optimizer(name, ours, theirs):
    rng = np.random.default_rng(3)
    arrays = [rng.normal(size=(6, 4)), rng.normal(size=4)]
    parameters = [tensor(a) for a in arrays]
    their_optimizer = OPTIMIZERS[name][0](parameters, lr=0.02, **theirs)
    our_optimizer = getattr(lm, name)(learning_rate=0.02, **ours)
    for _ in range(50):
        gradients = [rng.normal(size=a.shape) for a in arrays]
        for p, g in zip(parameters, gradients, strict=True):
            p.grad = torch.tensor(g)
        their_optimizer.step()
        our_optimizer.update(arrays, gradients)
        for a, p in zip(arrays, parameters, strict=True):
            assert_near(a, p, scale=1.0)


def test_decoupled_decay_is_adamw():
    rng = np.random.default_rng(4)
    array = rng.normal(size=(6, 4))
    parameter = tensor(array)
    theirs = torch.optim.AdamW([parameter], lr=0.02, weight_decay=0.1)
    ours = lm.Adam(learning_rate=0.02, weight_decay=0.1)
    for _ in range(50):
        gradient = rng.normal(size=array.shape)
        parameter.grad = torch.tensor(gradient)
        theirs.step()
        ours.update([array], [gradient])
        assert_near(array, parameter, scale=1.0)


@pytest.mark.parametrize("limit", [0.5, 100.0])
def test_clipping_by_the_global_norm(limit):
    """torch divides by norm + 1e-6, we by the norm: the two part by a millionth of the norm."""
    rng = np.random.default_rng(5)
    arrays = [rng.normal(size=(6, 4)), rng.normal(size=4)]
    parameters = [tensor(a) for a in arrays]
    gradients = [rng.normal(size=a.shape) for a in arrays]
    for p, g in zip(parameters, gradients, strict=True):
        p.grad = torch.tensor(g)
    torch.nn.utils.clip_grad_norm_(parameters, limit)
    torch.optim.SGD(parameters, lr=0.1).step()
    lm.SGD(learning_rate=0.1, global_clipnorm=limit).update(arrays, gradients)
    for a, p in zip(arrays, parameters, strict=True):
        assert np.abs(a - p.detach().numpy()).max() <= 1e-6


# ---- a whole training ---------------------------------------------------------------------------


def test_a_network_trains_as_in_torch():
    rng = np.random.default_rng(6)
    x, y = rng.normal(size=(60, 5)), rng.integers(0, 3, size=60)
    model = lm.Model(
        [
            lm.Input(5),
            lm.Dense(8, activation="tanh", kernel_regularizer=lm.L2(0.01)),
            lm.Dense(3, activation="softmax"),
        ],
        seed=0,
        dtype="float64",
    )
    net = torch.nn.Sequential(
        torch.nn.Linear(5, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3)
    ).double()
    with torch.no_grad():
        for ours, theirs in zip(model.layers, (net[0], net[2]), strict=True):
            theirs.weight.copy_(torch.tensor(np.array(ours.kernel).T))
            theirs.bias.copy_(torch.tensor(np.array(ours.bias)))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(3):
        for start in range(0, 60, 16):
            rows = slice(start, start + 16)
            loss = functional.cross_entropy(net(torch.tensor(x[rows])), torch.tensor(y[rows]))
            loss = loss + 0.01 * (net[0].weight ** 2).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    trainer = lm.Trainer(
        model, loss="categorical_crossentropy", optimizer=lm.Adam(learning_rate=0.01)
    )
    trainer.fit(x, y, epochs=3, batch_size=16, shuffle=False, verbose=0)
    for ours, theirs in zip(model.layers, (net[0], net[2]), strict=True):
        assert_near(ours.kernel, theirs.weight.T, scale=1.0)
        assert_near(ours.bias, theirs.bias, scale=1.0)
