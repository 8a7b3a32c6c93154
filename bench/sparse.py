"""Time one epoch on sparse rows: 100,000 x 20,000 with 0.1 % that is not 0, 64 hidden units, Adam.

    python bench/sparse.py --rounds 5 --threads 1,2
    python bench/sparse.py --rows 20000 --peers none

README.md in this folder says how to read it. Needs SciPy.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

BATCH_SIZE, UNITS, RATE = 256, 64, 1e-3
OURS = ["lamina", "lamina-dense-input", "lamina-sgd"]
PEERS = ["scikit-learn", "torch-bag", "torch-csr", "torch-dense"]
Epoch = Callable[[], float]  # returns the mean loss of the epoch, NaN if nobody knows


def make_data(rows: int, columns: int, density: float) -> tuple[Any, np.ndarray]:
    """Words by a power law, as in texts, and a noisy linear teacher."""
    from scipy import sparse

    draw = np.random.default_rng(0)
    each = draw.poisson(columns * density, rows)
    words = np.minimum((columns ** draw.random(each.sum())).astype(np.int64), columns - 1)
    x = sparse.csr_matrix(
        (np.ones(len(words), np.float32), words.astype(np.int32), np.append(0, np.cumsum(each))),
        shape=(rows, columns),
    )
    x.sum_duplicates()
    scores = x @ draw.normal(size=columns).astype(np.float32)
    return x, (scores + draw.normal(size=rows) > 0).astype(np.float32)


def lamina_epoch(name: str, x: Any, y: np.ndarray, threads: int) -> Epoch:
    import lamina as lm

    kind = "numeric" if name == "lamina-dense-input" else "sparse"
    layers = [lm.Dense(UNITS, activation="relu"), lm.Dense(1, activation="sigmoid")]
    model = lm.Model([lm.Input(x.shape[1], kind=kind), *layers], seed=0)
    optimizer = lm.SGD(RATE) if name == "lamina-sgd" else lm.Adam(RATE)
    trainer = lm.Trainer(model, loss="bce", optimizer=optimizer, num_threads=threads)
    fit = {"epochs": 1, "batch_size": BATCH_SIZE, "verbose": 0}
    return lambda: trainer.fit(x, y, **fit)["loss"][-1]


def sklearn_epoch(name: str, x: Any, y: np.ndarray, threads: int) -> Epoch:
    from sklearn.neural_network import MLPClassifier
    from threadpoolctl import threadpool_limits

    peer = MLPClassifier((UNITS,), batch_size=BATCH_SIZE, alpha=0, random_state=0)

    def epoch() -> float:
        with threadpool_limits(threads):
            peer.partial_fit(x, y, classes=[0, 1])
        return float(peer.loss_)

    return epoch


def torch_epoch(name: str, x: Any, y: np.ndarray, threads: int) -> Epoch:
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    columns = x.shape[1]
    if name == "torch-bag":
        first: Any = torch.nn.EmbeddingBag(columns, UNITS, mode="sum")
        weight = first.weight
    else:
        first = torch.nn.Linear(columns, UNITS, bias=False)
        weight = first.weight
    torch.nn.init.normal_(weight, std=(2 / columns) ** 0.5)
    bias = torch.nn.Parameter(torch.zeros(UNITS))
    last = torch.nn.Linear(UNITS, 1)
    optimizer = torch.optim.Adam([weight, bias, *last.parameters()], lr=RATE, fused=True)
    targets = torch.from_numpy(y)

    def hidden(rows: np.ndarray) -> Any:
        part = x[rows]
        if name == "torch-dense":
            return first(torch.from_numpy(part.toarray()))
        starts, words = torch.from_numpy(part.indptr), torch.from_numpy(part.indices)
        values = torch.from_numpy(part.data)
        if name == "torch-bag":
            return first(words, starts[:-1], per_sample_weights=values)
        batch = torch.sparse_csr_tensor(starts, words, values, size=part.shape)
        return torch.sparse.mm(batch, weight.t())

    def epoch() -> float:
        total = 0.0
        order = torch.randperm(x.shape[0])
        for rows in order.split(BATCH_SIZE):
            optimizer.zero_grad()
            logits = last(torch.relu(hidden(rows.numpy()) + bias)).squeeze(1)
            loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets[rows])
            loss.backward()
            optimizer.step()
            total += float(loss.detach()) * len(rows)
        return total / x.shape[0]

    return epoch


def serve(name: str, threads: int, options: argparse.Namespace) -> None:
    """In a process of its own: an epoch for each line of stdin."""
    warnings.simplefilter("ignore")
    make = lamina_epoch if name in OURS else sklearn_epoch if name in PEERS[:1] else torch_epoch
    try:
        epoch = make(name, *make_data(options.rows, options.columns, options.density), threads)
        epoch()
    except Exception as error:  # the parent goes on without this one
        return print("missing", f"{type(error).__name__}: {error}".splitlines()[0], flush=True)
    print("ready", flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        loss = epoch()
        print(time.perf_counter() - start, loss, flush=True)
    return None


def start(name: str, threads: int, options: argparse.Namespace) -> subprocess.Popen[str] | None:
    """Return the contestant's process once it has run an epoch, or None."""
    command = [sys.executable, __file__, "--contestant", name, "--threads", str(threads)]
    for key in ("rows", "columns", "density"):
        command += [f"--{key}", str(getattr(options, key))]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment)
    assert process.stdout is not None
    word, _, why = process.stdout.readline().partition(" ")
    if word.strip() == "ready":
        return process
    print(f"{name}: skipped ({why.strip()})", file=sys.stderr)
    process.kill()
    process.communicate()
    return None


def ask(process: subprocess.Popen[str]) -> tuple[float, float]:
    """Return the seconds of one more epoch, and its loss."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("epoch\n")
    process.stdin.flush()
    seconds, loss = map(float, process.stdout.readline().split())
    return seconds, loss


def report(figures: dict[str, list[tuple[float, float]]], threads: int) -> None:
    """Print the medians over the rounds, and what we come to beside each."""
    times = {name: [seconds for seconds, _ in runs] for name, runs in figures.items()}
    print(f"\n{threads} thread{'s' if threads > 1 else ''}, one epoch")
    print(f"{'':20}{'ms':>10}{'least':>10}{'most':>10}{'/ lamina':>10}{'loss':>9}")
    for name, runs in times.items():
        ratio = median(a / b for a, b in zip(runs, times["lamina"], strict=True))
        cells = [f"{1e3 * seconds:10.1f}" for seconds in (median(runs), min(runs), max(runs))]
        print(f"{name:20}{''.join(cells)}{ratio:10.2f}{figures[name][-1][1]:9.4f}")
    adam, sgd = median(times["lamina"]), median(times["lamina-sgd"])
    print(f"Adam's part of lamina's epoch (the rest is lamina-sgd): {1 - sgd / adam:.0%}")


def main() -> None:
    """Run rounds in which everybody has a turn, in an order that rotates."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--columns", type=int, default=20_000)
    parser.add_argument("--density", type=float, default=0.001)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--peers", default=",".join(PEERS), help='a list, or "none"')
    parser.add_argument("--contestant", help=argparse.SUPPRESS)
    options = parser.parse_args()
    counts = [int(count) for count in options.threads.split(",")]
    if options.contestant:
        return serve(options.contestant, counts[0], options)
    names = OURS + [name for name in options.peers.split(",") if name in PEERS]
    size = f"{options.rows:,} x {options.columns:,}, {options.density:.2%} not 0"
    print(f"{size}, {UNITS} units, batches of {BATCH_SIZE}; load {os.getloadavg()[0]:.1f}")
    for threads in counts:
        started = {name: start(name, threads, options) for name in names}
        crew = {name: process for name, process in started.items() if process}
        figures: dict[str, list[tuple[float, float]]] = {name: [] for name in crew}
        for number in range(options.rounds):
            turn = list(crew)
            first = number % len(turn)
            for name in turn[first:] + turn[:first]:
                figures[name].append(ask(crew[name]))
        for process in crew.values():
            process.kill()
            process.communicate()
        report(figures, threads)
    return None


if __name__ == "__main__":
    main()
