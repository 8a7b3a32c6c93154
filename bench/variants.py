"""Time what differs from dense float32 networks: float64, and layers and options around them.

    python bench/variants.py --cases A,B --rounds 5

README.md in this folder says how to read it.
"""

from __future__ import annotations

import copy
import sys
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import options
import report
import session
from cases import CASES, LEARNING_RATE, Array, Case, Data, make_data
from crew import say

import lamina as lm

Epoch = Callable[[], object]
CODES = 1000  # categories of the embedding


def _epoch(
    layers: list[object], x: object, case: Case, y: Array, threads: int, **settings: object
) -> tuple[lm.Model, Epoch]:
    """The model, and one epoch of its training a call (or so many)."""
    fit = {name: settings.pop(name) for name in ("epochs", "monitor") if name in settings}
    fit = {"epochs": 1, **fit}
    model = lm.Model(layers, seed=0, dtype=settings.pop("dtype", "float32"))
    loss = settings.pop("loss", "cce" if case.classes else "mse")
    metrics, held_out = settings.pop("metrics", ()), settings.pop("validation_data", None)
    optimizer = settings.pop("optimizer", None) or lm.Adam(LEARNING_RATE, **settings)
    trainer = lm.Trainer(
        model, loss=loss, optimizer=optimizer, metrics=metrics, num_threads=threads
    )
    return model, lambda: trainer.fit(
        x, y, batch_size=case.batch_size, validation_data=held_out, verbose=0, **fit
    )


def _dense(case: Case, activation: str = "relu", dropout: float = 0.0) -> list[object]:
    *hidden, outputs = case.widths[1:]
    last = "softmax" if case.classes else "linear"
    middle: list[object] = []
    for units in hidden:
        middle += [lm.Dense(units, activation=activation), lm.Dropout(dropout)]
    return [lm.Input(case.widths[0]), *middle, lm.Dense(outputs, activation=last)]


def _normalized(case: Case) -> list[object]:
    """The case with batch normalization between each hidden product and its activation."""
    *hidden, outputs = case.widths[1:]
    last = "softmax" if case.classes else "linear"
    middle: list[object] = []
    for units in hidden:
        product = lm.Dense(units, use_bias=False)
        middle += [product, lm.BatchNormalization(), lm.Activation("relu")]
    return [lm.Input(case.widths[0]), *middle, lm.Dense(outputs, activation=last)]


def breadth(case: Case, data: Data, threads: int) -> dict[str, tuple[lm.Model, Epoch]]:
    """The bare case, and what people add to it: each alone, then all at once."""
    rows = len(data.x) // 10  # validated on in each epoch
    metrics = ["accuracy", "log_loss"] if case.classes else ["mae", "rmse"]

    def make(layers: list[object], **settings: object) -> tuple[lm.Model, Epoch]:
        return _epoch(layers, data.x, case, data.y, threads, **settings)

    def adamw() -> lm.AdamW:
        return lm.AdamW(LEARNING_RATE, global_clipnorm=1.0)

    measured = {"metrics": metrics, "validation_data": (data.x[:rows], data.y[:rows])}
    return {
        "bare": make(_dense(case)),
        "gelu": make(_dense(case, "gelu")),
        "dropout 0.2": make(_dense(case, dropout=0.2)),
        "batch normalization": make(_normalized(case)),
        "AdamW, global norm clipped": make(_dense(case), optimizer=adamw()),
        "two metrics, a tenth validated": make(_dense(case), **measured),
        "all of these": make(_dense(case, "gelu", 0.2), optimizer=adamw(), **measured),
    }


def watching(case: Case, data: Data, threads: int) -> dict[str, tuple[lm.Model, Epoch]]:
    """The bare case, and the same with `monitor=True`: fits of about a third of a second."""

    def make(**fit: object) -> tuple[lm.Model, Epoch]:
        return _epoch(_dense(case), data.x, case, data.y, threads, **fit)

    _, epoch = make()
    epoch()
    start = time.perf_counter()
    epoch()
    epochs = max(2, round(0.3 / (time.perf_counter() - start)))
    return {"bare": make(epochs=epochs), "monitored": make(epochs=epochs, monitor=True)}


def precisions(case: Case, data: Data, threads: int) -> dict[str, tuple[lm.Model, Epoch]]:
    """The case in both precisions; float64 reads the same float32 array."""
    return {
        dtype: _epoch(_dense(case), data.x, case, data.y, threads, dtype=dtype)
        for dtype in ("float32", "float64")
    }


def inputs(case: Case, data: Data, threads: int) -> dict[str, tuple[lm.Model, Epoch]]:
    """The case on the same whole numbers in other arrays: what reading them costs."""
    whole = np.clip(np.round(2 * data.x) + 4, 0, 8)
    arrays = {"float32": whole.astype(np.float32)}
    arrays |= {name: whole.astype(name) for name in ("uint8", "float16", "int64", "float64")}
    arrays["float32, big-endian"] = whole.astype(">f4")
    arrays["float32, Fortran order"] = np.asfortranarray(whole, np.float32)
    return {name: _epoch(_dense(case), x, case, data.y, threads) for name, x in arrays.items()}


def _squared(y_true: Array, y_pred: Array) -> tuple[Array, Array]:
    difference = y_pred - y_true
    return (difference**2).mean(axis=1), 2 * difference


def compositions(case: Case, data: Data, threads: int) -> dict[str, tuple[lm.Model, Epoch]]:
    """Networks like case B with one thing more each."""
    width, units = case.widths[0], case.widths[1]

    def first() -> list[object]:
        return [lm.Input(width), lm.Dense(units, activation="relu")]

    half = units // 2
    block = [lm.Dense(half), lm.BatchNormalization(), lm.Activation("relu"), lm.Dense(units)]
    branches = [[lm.Dense(half, activation="relu")], [lm.Dense(half, activation="tanh")]]
    numbers = [lm.Input(width, name="x"), lm.Dense(units, activation="relu")]
    codes = [lm.Input(1, kind="codes", cardinalities=CODES, name="codes"), lm.Embedding(16)]
    both = {"x": data.x, "codes": np.arange(len(data.x), dtype=np.int32) * 7 % CODES}

    def middle(*layers: object) -> list[object]:
        return [*first(), *layers, lm.Dense(1)]

    def make(layers: list[object], x: object = data.x, **settings: object) -> object:
        return _epoch(layers, x, case, data.y, threads, **settings)

    plain = lm.Dense(units, activation="relu")
    return {
        "plain": make(middle(plain)),
        "residual block with batch normalization": make(middle(lm.Residual(block))),
        "normalization in the model": _epoch(
            [lm.Input(width), lm.Normalization(), *middle(copy.deepcopy(plain))[1:]],
            data.x,
            case,
            data.y,
            threads,
        ),
        "two branches": make(middle(lm.Parallel(branches))),
        "embedding beside numbers": make(
            [lm.Parallel([numbers, codes]), lm.Dense(units, activation="relu"), lm.Dense(1)],
            both,
        ),
        "dropout 0.2": make(middle(lm.Dropout(0.2), lm.Dense(units, activation="relu"))),
        "L2 penalty": make(middle(lm.Dense(units, "relu", kernel_regularizer=lm.L2(1e-4)))),
        "global norm clipped, averaged weights": make(
            middle(lm.Dense(units, activation="relu")), global_clipnorm=1.0, use_ema=True
        ),
        "loss in Python": make(middle(lm.Dense(units, activation="relu")), loss=_squared),
    }


def _flops(model: lm.Model) -> int:
    return sum(one["flops"] for one in model._core.operations())


def _time(variants: dict[str, tuple[lm.Model, Epoch]], rounds: int) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for number in range(rounds + 1):  # the first one warms up
        for name, (_, epoch) in variants.items():
            start = time.perf_counter()
            epoch()
            if number > 0:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def _print(title: str, variants: dict[str, tuple[lm.Model, Epoch]], rounds: int) -> None:
    """Each line beside the first one: its time, its arithmetic, and the rate that follows."""
    say(title)
    seconds = _time(variants, rounds)
    flops = {name: _flops(model) for name, (model, _) in variants.items()}
    base = next(iter(variants))
    lines = []
    for name in variants:
        pairs = zip(seconds[name], seconds[base], strict=True)
        ratio = median(own / other for own, other in pairs)
        work = flops[name] / flops[base]
        cells = [report.digits(median(seconds[name]) * 1e3), report.digits(ratio)]
        lines.append([name, *cells, report.digits(work), f"{100 * work / ratio:.0f}%"])
    print(f"\n{title}")
    print(report.table(["", "ms", f"time / {base}", "arithmetic", "rate"], lines))
    sys.stdout.flush()


def main(argv: list[str] | None = None) -> int:
    """Run from the command line."""
    args = options.parser((__doc__ or "").splitlines()[0], "none", ()).parse_args(argv)
    print(report.machine_line(report.machine()))
    for threads in options.possible_threads(args.threads):
        suffix = f", {threads} thread{'s' if threads > 1 else ''}"
        for key in args.cases:
            case = CASES[key].scaled(args.rows_scale)
            data = make_data(case)
            _print(case.title + suffix, precisions(case, data, threads), args.rounds)
            _print(
                f"monitor=True: {case.title}{suffix}", watching(case, data, threads), args.rounds
            )
            _print(f"breadth: {case.title}{suffix}", breadth(case, data, threads), args.rounds)
            if key == "C":
                _print(f"inputs: {case.title}{suffix}", inputs(case, data, threads), args.rounds)
        case = CASES["B"].scaled(args.rows_scale)
        around = compositions(case, make_data(case), threads)
        _print(f"around {case.title}{suffix}", around, args.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(session.run(main))
