"""Embedding beside torch.nn.Embedding: 20 steps of a network, in float64 to 1e-11 of scale."""

import numpy as np
import pytest

import lamina as lm

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.ci

BAR = 1e-11
STEPS, BATCH = 20, 8
SIZES = ((50, 3), (9, 4))  # codes and width; most of the 50 are in no batch of 8
NUMBERS = 3
OPTIMIZERS = {
    "momentum": (
        lambda: lm.Momentum(0.05, momentum=0.9),
        lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
    ),
    "adam": (lambda: lm.Adam(0.02), lambda p: torch.optim.Adam(p, lr=0.02)),
    "adamw": (
        lambda: lm.AdamW(0.02, weight_decay=0.1),
        lambda p: torch.optim.AdamW(p, lr=0.02, weight_decay=0.1),
    ),
}


class Network(torch.nn.Module):
    """Numbers beside two embeddings, behind them Dense(6, tanh), Dense(1)."""

    def __init__(self):
        super().__init__()
        self.tables = torch.nn.ModuleList(torch.nn.Embedding(*size) for size in SIZES)
        self.hidden = torch.nn.Linear(NUMBERS + sum(d for _, d in SIZES), 6)
        self.last = torch.nn.Linear(6, 1)

    def forward(self, numbers, codes):
        vectors = [table(codes[:, j]) for j, table in enumerate(self.tables)]
        return self.last(torch.tanh(self.hidden(torch.cat([numbers, *vectors], dim=1))))


def ours():
    codes = lm.Input(2, kind="codes", cardinalities=[c for c, _ in SIZES], name="codes")
    tables = lm.Embedding([d for _, d in SIZES], name="tables")
    layers = [
        lm.Parallel([[lm.Input(NUMBERS, name="numbers")], [codes, tables]]),
        lm.Dense(6, activation="tanh", name="hidden"),
        lm.Dense(1, name="last"),
    ]
    return lm.Model(layers, seed=1, dtype="float64")


def twin_of(model):
    network = Network().double()
    with torch.no_grad():
        for theirs, table in zip(network.tables, model["tables"].embeddings, strict=True):
            theirs.weight.copy_(torch.tensor(table))
        for name in ("hidden", "last"):
            layer = getattr(network, name)
            layer.weight.copy_(torch.tensor(model[name].kernel.T))
            layer.bias.copy_(torch.tensor(model[name].bias))
    return network


def data():
    rng = np.random.default_rng(3)
    rows = STEPS * BATCH
    codes = np.column_stack([rng.integers(0, c, rows) for c, _ in SIZES])
    codes[:, 0] = np.where(np.arange(rows) < rows // 2, codes[:, 0] % 25, 25 + codes[:, 0] % 25)
    codes[::7] = 0
    return rng.normal(size=(rows, NUMBERS)), codes, rng.normal(size=(rows, 1))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_twenty_steps(name):
    """Rows whose codes are in no batch move, too, by momentum and decay, as torch's do."""
    numbers, codes, y = data()
    model = ours()
    network = twin_of(model)
    start = [table.copy() for table in model["tables"].embeddings]
    make, make_theirs = OPTIMIZERS[name]
    trainer = lm.Trainer(model, loss="mse", optimizer=make())
    theirs = make_theirs(network.parameters())
    x = {"numbers": numbers, "codes": codes.astype(np.int32)}
    seen = []

    def step(batch, logs):
        rows = slice(batch * BATCH, (batch + 1) * BATCH)
        theirs.zero_grad()
        output = network(torch.tensor(numbers[rows]), torch.tensor(codes[rows]))
        torch.nn.functional.mse_loss(output, torch.tensor(y[rows])).backward()
        theirs.step()
        for table, other in zip(model["tables"].embeddings, network.tables, strict=True):
            assert np.abs(table - other.weight.detach().numpy()).max() <= BAR, batch
        assert (
            np.abs(model["hidden"].kernel.T - network.hidden.weight.detach().numpy()).max() <= BAR
        )
        seen.append(model["tables"].embeddings[0].copy())

    watch = lm.LambdaCallback(on_train_batch_end=step)
    settings = {"epochs": 1, "batch_size": BATCH, "shuffle": False, "verbose": 0}
    trainer.fit(x, y, callbacks=[watch], **settings)
    assert len(seen) == STEPS
    # Codes 1 ... 24 are in the first half of the batches alone and go on moving in the second.
    early = [k for k in np.unique(codes[: STEPS * BATCH // 2, 0]) if 0 < k < 25]
    assert (np.abs(seen[-1] - seen[STEPS // 2])[early] > 1e-6).all()
    never = np.setdiff1d(np.arange(SIZES[0][0]), codes[:, 0])
    moved = (seen[-1][never] != start[0][never]).any()
    assert len(never) > 0
    assert moved == (name == "adamw")


def test_gradients_of_one_batch():
    numbers, codes, y = data()
    model = ours()
    network = twin_of(model)
    output = network(torch.tensor(numbers), torch.tensor(codes))
    torch.nn.functional.mse_loss(output, torch.tensor(y)).backward()
    lm.Trainer(model, loss="mse").compute_gradients({"numbers": numbers, "codes": codes}, y)
    for gradient, table in zip(model["tables"].embeddings_gradient, network.tables, strict=True):
        assert np.abs(gradient - table.weight.grad.numpy()).max() <= BAR


@pytest.mark.parametrize("missing", ["zeros", "column"])
def test_one_hot(missing):
    codes = data()[1]
    first = 0 if missing == "column" else 1
    parts = [
        torch.nn.functional.one_hot(torch.tensor(codes[:, j]), c)[:, first:]
        for j, (c, _) in enumerate(SIZES)
    ]
    want = torch.cat(parts, dim=1).double().numpy()
    port = lm.Input(2, kind="codes", cardinalities=[c for c, _ in SIZES])
    dense = lm.Dense(want.shape[1], use_bias=False)
    model = lm.Model([port, lm.OneHot(missing), dense], seed=0, dtype="float64")
    dense.kernel = np.eye(want.shape[1])
    np.testing.assert_array_equal(model.predict(codes), want)
