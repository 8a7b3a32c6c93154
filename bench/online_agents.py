"""One contestant of online.py in a process of its own: `python online_agents.py NAME THREADS`.

An agent acts on one row and learns from a batch; the loop around it is the same for all. crew.py
starts it and speaks to it, as to worker.py.
"""

from __future__ import annotations

import gc
import importlib
import json
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt
from worker import take_stdout

Array = npt.NDArray[Any]

WIDTHS = (4, 64, 64, 2)
BATCH, BUFFER, RATE, SEED = 32, 10_000, 1e-3, 20240607


class Agent(Protocol):
    """A network in one library, and Adam for the mean squared error."""

    version: str

    def act(self, x: Array) -> Array:
        """Outputs (2,) for one row (4,)."""

    def act_frozen(self, x: Array) -> Array:
        """The same by what the library has for weights that do not change."""

    def learn(self, rows: Array) -> None:
        """One step on these rows of the replay buffer."""

    def loss(self) -> float:
        """On the whole buffer."""


def buffer() -> tuple[Array, Array]:
    """A replay buffer: rows, and what the network is to say about them."""
    draw = np.random.default_rng(SEED)
    x = draw.standard_normal((BUFFER, WIDTHS[0]), dtype=np.float32)
    return x, np.stack([x[:, 0] * x[:, 1], np.sin(x[:, 2])], axis=1).astype(np.float32)


def start() -> list[tuple[Array, Array]]:
    """Kernels and biases to begin with, the same for all: PyTorch's distribution."""
    draw = np.random.default_rng(SEED + 1)

    def some(inputs: int, *shape: int) -> Array:
        return draw.uniform(-1, 1, shape).astype(np.float32) / np.float32(np.sqrt(inputs))

    return [(some(k, k, n), some(k, n)) for k, n in pairwise(WIDTHS)]


class Lamina:
    """Model.predict_one and Trainer.train_on_batch."""

    def __init__(self, threads: int) -> None:
        import lamina as lm

        self.version = lm.__version__
        hidden = [lm.Dense(units, activation="relu") for units in WIDTHS[1:-1]]
        self.model = lm.Model([lm.Input(WIDTHS[0]), *hidden, lm.Dense(WIDTHS[-1])], seed=0)
        for layer, (kernel, bias) in zip(self.model.layers, start(), strict=True):
            layer.kernel, layer.bias = kernel, bias
        self.trainer = lm.Trainer(
            self.model, loss="mse", optimizer=lm.Adam(RATE), num_threads=threads
        )
        self.x, self.y = buffer()
        self.act = self.model.predict_one
        self.act_frozen = self.model.freeze_for_inference().predict_one

    def learn(self, rows: Array) -> None:
        self.trainer.train_on_batch(self.x.take(rows, axis=0), self.y.take(rows, axis=0))

    def loss(self) -> float:
        return self.trainer.evaluate(self.x, self.y)["loss"]


class Torch:
    """PyTorch eager: the module called on torch.from_numpy(x), fused Adam."""

    optimizer: ClassVar[dict[str, bool]] = {"fused": True}

    def __init__(self, threads: int) -> None:
        torch = importlib.import_module("torch")
        self.torch, self.version = torch, torch.__version__
        torch.set_num_threads(threads)
        layers: list[Any] = []
        for kernel, bias in start():
            linear = torch.nn.Linear(*kernel.shape)
            with torch.no_grad():
                linear.weight.copy_(torch.from_numpy(kernel.T))
                linear.bias.copy_(torch.from_numpy(bias))
            layers += [linear, torch.nn.ReLU()]
        self.network = torch.nn.Sequential(*layers[:-1])
        self.measure = torch.nn.MSELoss()
        self.adam = torch.optim.Adam(self.network.parameters(), lr=RATE, **self.optimizer)
        self.x, self.y = map(torch.from_numpy, buffer())
        with torch.inference_mode():
            traced = torch.jit.trace(self.network.eval(), self.x[0])
            self.frozen = torch.jit.freeze(traced)

    def act(self, x: Array) -> Array:
        with self.torch.no_grad():
            return np.asarray(self.network(self.torch.from_numpy(x)).numpy())

    def act_frozen(self, x: Array) -> Array:
        with self.torch.inference_mode():
            return np.asarray(self.frozen(self.torch.from_numpy(x)).numpy())

    def learn(self, rows: Array) -> None:
        chosen = self.torch.from_numpy(rows)
        self.adam.zero_grad()
        x, y = self.x.index_select(0, chosen), self.y.index_select(0, chosen)
        self.measure(self.network(x), y).backward()
        self.adam.step()

    def loss(self) -> float:
        with self.torch.no_grad():
            return float(self.measure(self.network(self.x), self.y))


class TorchForeach(Torch):
    """The same with Adam's other fast form."""

    optimizer: ClassVar[dict[str, bool]] = {"foreach": True}


AGENTS: dict[str, Callable[[int], Agent]] = {
    "lamina": Lamina,
    "torch": Torch,
    "torch-foreach": TorchForeach,
}


def loop(agent: Agent, predictions: int, every: int) -> float:
    """Seconds for so many decisions, with a step of learning after every few."""
    draw = np.random.default_rng(SEED)
    states = draw.standard_normal((predictions, WIDTHS[0]), dtype=np.float32)
    batches = draw.integers(BUFFER, size=(predictions // every + 1, BATCH))
    act, learn, actions = agent.act, agent.learn, 0
    start = time.perf_counter()
    for i in range(predictions):
        q = act(states[i])
        actions += q[1] > q[0]
        if i % every == 0:
            learn(batches[i // every])
    seconds = time.perf_counter() - start
    if not 0 < actions < predictions:
        raise ValueError("the agent always decides alike")
    return seconds


def latencies(call: Callable[[Array], object], arguments: Array) -> dict[str, float]:
    """Microseconds a call, each on the clock by itself."""
    clock, times = time.perf_counter_ns, np.empty(len(arguments))
    for i, argument in enumerate(arguments):
        start = clock()
        call(argument)
        times[i] = clock() - start
    p50, p99, p999 = np.percentile(times, [50, 99, 99.9]) / 1e3
    return {"p50": p50, "p99": p99, "p99.9": p999}


def answer(agent: Agent, request: dict[str, Any]) -> dict[str, Any]:
    """Do what the parent asks."""
    what = request["do"]
    if what == "loop":
        return {"seconds": loop(agent, request["predictions"], request["every"])}
    if what == "loss":
        return {"loss": agent.loss()}
    draw = np.random.default_rng(SEED)
    rows = draw.standard_normal((request["calls"], WIDTHS[0]), dtype=np.float32)
    batches = draw.integers(BUFFER, size=(request["calls"], BATCH))
    gc.collect()
    return latencies(getattr(agent, what), batches if what == "learn" else rows)


def main() -> None:
    """Say who is there, then answer until the pipe is closed."""
    pipe = take_stdout()

    def reply(found: dict[str, Any]) -> None:
        print(json.dumps(found), file=pipe)

    try:
        agent = AGENTS[sys.argv[1]](int(sys.argv[2]))
    except ImportError as error:
        reply({"missing": str(error)})
        return
    reply({"version": agent.version})
    for line in sys.stdin:
        try:
            reply(answer(agent, json.loads(line)))
        except Exception as error:  # the parent says it and goes on without this contestant
            reply({"error": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    main()
