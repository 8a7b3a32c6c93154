"""How well fits keep their time budget, and estimates foretell fits: python bench/fit_budget.py.

Nobody else should use the machine: an estimate foretells what a fit takes if nothing changes.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from typing import Any

from cases import CASES, Case, make_data

import lamina as lm

BUDGETS = (0.2, 1.0, 3.0)  # seconds
ENDLESS = 100_000  # epochs


def trainer_of(case: Case, threads: int | None) -> lm.Trainer:
    """The network of a case, as the tables have it."""
    layers: list[Any] = [lm.Input(case.widths[0])]
    layers += [lm.Dense(width, activation="relu") for width in case.widths[1:-1]]
    last = "softmax" if case.classes else "linear"
    model = lm.Model([*layers, lm.Dense(case.widths[-1], activation=last)], seed=0)
    loss = "categorical_crossentropy" if case.classes else "mse"
    return lm.Trainer(model, loss=loss, num_threads=threads)


def budgets(case: Case, options: argparse.Namespace) -> None:
    """Print what was wanted and what it took; validation and best weights are in it."""
    data = make_data(case)
    how = {"epochs": ENDLESS, "batch_size": case.batch_size, "verbose": 0}
    for share in (0.0, 0.2):
        for budget in BUDGETS:
            over: list[float] = []
            steps: list[float] = []
            for _ in range(options.rounds):
                trainer = trainer_of(case, options.threads)
                monitor = "val_loss" if share else "loss"
                best = lm.EarlyStopping(monitor, patience=ENDLESS)
                begin = time.perf_counter()
                trainer.fit(
                    data.x,
                    data.y,
                    validation_split=share,
                    callbacks=[best],
                    time_budget=budget,
                    **how,
                )
                got = time.perf_counter() - begin
                over.append(got - budget)
                steps.append(got / max(1, trainer.optimizer.iterations))
            worst = max(over, key=abs)
            step = statistics.median(steps)
            kept = sum(abs(o) <= max(0.05 * budget, s) for o, s in zip(over, steps, strict=True))
            print(
                f"{case.key}  validation {share:3.1f}  wanted {budget:4.1f} s  "
                f"got {budget + statistics.median(over):6.3f} s  "
                f"over {100 * statistics.median(over) / budget:+6.2f} %, "
                f"{statistics.median(over) / step:+7.1f} steps  "
                f"(worst {100 * worst / budget:+6.2f} %, {worst / step:+7.1f} steps of "
                f"{1000 * step:.3g} ms)  kept {kept}/{len(over)}",
                flush=True,
            )


def estimates(case: Case, options: argparse.Namespace) -> None:
    """Print estimate / measured, each estimate right before the fit."""
    data = make_data(case)
    for share in (0.0, 0.2):
        for epochs in (1, 3, 20):
            ratios: list[float] = []
            took: list[float] = []
            fits: list[float] = []
            for _ in range(options.rounds):
                trainer = trainer_of(case, options.threads)
                how = {
                    "epochs": epochs,
                    "batch_size": case.batch_size,
                    "validation_split": share,
                }
                begin = time.perf_counter()
                cost = trainer.estimate(data.x, data.y, **how)
                took.append(time.perf_counter() - begin)
                if cost.seconds > options.longest:
                    break
                begin = time.perf_counter()
                trainer.fit(data.x, data.y, verbose=0, **how)
                fits.append(time.perf_counter() - begin)
                ratios.append(cost.seconds / fits[-1])
            if ratios:
                print(
                    f"{case.key}  validation {share:3.1f}  epochs {epochs:2d}  "
                    f"fit {statistics.median(fits):6.3f} s  estimate / fit "
                    f"{statistics.median(ratios):5.2f} ({min(ratios):.2f} to {max(ratios):.2f})  "
                    f"probe {statistics.median(took):5.2f} s",
                    flush=True,
                )


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", default="A,B,C")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows-scale", type=float, default=1.0)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--longest", type=float, default=15.0, help="seconds of a fit")
    parser.add_argument("--only", choices=["budgets", "estimates"], default=None)
    options = parser.parse_args()
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    for key in options.cases.split(","):
        case = CASES[key].scaled(options.rows_scale)
        if options.only != "estimates":
            budgets(case, options)
        if options.only != "budgets":
            estimates(case, options)


if __name__ == "__main__":
    main()
