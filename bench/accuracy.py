"""Time to equal accuracy: seconds until a validation score is reached, as ordinary users write it.

    python -m bench accuracy                       # diamonds; Fashion-MNIST where its files are
    python -m bench accuracy --tasks diamonds --seeds 1

All train the same architecture with the same batch size, learning rate and Adam, three seeds each.
README.md in this folder says what the clock counts, and where Fashion-MNIST comes from.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import accuracy_page
import numpy as np
import options
import report
import session
from accuracy_ways import WAYS, Task
from composed_data import Part, Problem, diamonds, fashion_mnist
from crew import say

RESULTS = Path(__file__).resolve().parent / "results" / "accuracy.json"
MOST = 5.0  # standard deviations: some diamonds are measured wrongly, 40 away from the mean
IMAGES = "train-images-idx3-ubyte.gz"


def _numbers(part: Part) -> Any:
    """Columns of numbers and of codes side by side: the codes of diamonds are in their order."""
    columns = [part.x["numbers"], *([part.x["codes"]] if "codes" in part.x else [])]
    return np.concatenate([np.asarray(one, np.float64) for one in columns], axis=1)


def _task(problem: Problem, standardised: bool, **settings: Any) -> Task:
    x, held_out = _numbers(problem.train), _numbers(problem.validation)
    y, validation_y = problem.train.y, problem.validation.y
    if standardised:
        means = np.nanmean(x, axis=0)
        x, held_out = (np.where(np.isnan(one), means, one) for one in (x, held_out))
        scale = x.std(axis=0)
        x, held_out = (np.clip((one - means) / scale, -MOST, MOST) for one in (x, held_out))
        y, validation_y = y - y.mean(), validation_y - y.mean()
    kind = np.int64 if problem.classes else np.float32
    inputs = [one.astype(np.float32) for one in (x, held_out)]
    targets = [one.astype(kind) for one in (y, validation_y)]
    return Task(
        name=problem.name,
        x=inputs[0],
        y=targets[0],
        validation_x=inputs[1],
        validation_y=targets[1],
        classes=problem.classes,
        **settings,
    )


def _diamonds() -> Task:
    return _task(
        diamonds(),
        standardised=True,
        hidden=(64, 64),
        batch_size=128,
        learning_rate=1e-3,
        most_epochs=60,
        target=0.11,
    )


def _fashion_mnist() -> Task:
    folder = find_images()
    assert folder is not None
    return _task(
        fashion_mnist(folder),
        standardised=False,
        hidden=(256, 128),
        batch_size=128,
        learning_rate=1e-3,
        most_epochs=20,
        target=0.885,
    )


TASKS: dict[str, Callable[[], Task]] = {"diamonds": _diamonds, "fashion-mnist": _fashion_mnist}


def find_images() -> Path | None:
    """$LAMINA_FASHION_MNIST, or where Debian's package dataset-fashion-mnist puts the files."""
    named = os.environ.get("LAMINA_FASHION_MNIST")
    places = [Path(named)] if named else [Path("/usr/share/datasets/fashion-mnist")]
    return next((place for place in places if (place / IMAGES).is_file()), None)


def _run(file: Path, way: str, seed: int, threads: int) -> dict[str, Any]:
    """One training in a process of its own; importing and preparing data do not count."""
    program = Path(__file__).with_name("accuracy_ways.py")
    command = [sys.executable, str(program), str(file), way, str(seed), str(threads)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        return {"seed": seed, "error": f"exit code {done.returncode}"}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def train(task: Task, ways: list[str], seeds: int, threads: int) -> dict[str, Any]:
    """All libraries with all seeds, in turn."""
    runs: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "task.npz"
        task.save(file)
        for seed in range(seeds):
            for way in ways:
                run = _run(file, way, seed, threads)
                say(f"{task.name}, {way}, seed {seed}: {accuracy_page.said(run)}")
                runs[way].append(run)
    score = "accuracy at least" if task.classes else "RMSE of the log price at most"
    return {
        "network": task.network,
        "target": task.target,
        "goal": f"validation {score} {task.target}",
        "batch_size": task.batch_size,
        "learning_rate": task.learning_rate,
        "ways": {way: summary(each) for way, each in runs.items()},
    }


def compile_seconds(run: dict[str, Any]) -> float:
    """What the first epoch took beyond the second: compiling, where a library does."""
    seconds = run["seconds"]
    return max(0.0, 2 * seconds[0] - seconds[1]) if len(seconds) > 1 else 0.0


def _median_time(times: list[float | None]) -> float | None:
    """Of seconds, where None is never; None if the middle one is."""
    never = float("inf")
    middle = statistics.median([never if one is None else one for one in times] or [never])
    return None if middle == never else middle


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians over the seeds; None if fewer than half of them came to the target."""
    whole = [run for run in runs if "error" not in run]
    times = [run["reached_seconds"] for run in whole]
    warm = [
        None if time is None else time - compile_seconds(run)
        for time, run in zip(times, whole, strict=True)
    ]
    return {
        "median_seconds": _median_time(times),
        "warm_seconds": _median_time(warm),
        "compile_seconds": statistics.median(map(compile_seconds, whole)) if whole else None,
        "epochs": statistics.median([len(run["scores"]) for run in whole]) if whole else None,
        "reached": sum(one is not None for one in times),
        "runs": runs,
    }


def _missing(way: str) -> str | None:
    """Why a library is left out; looked up without importing it here."""
    environment = {"KERAS_BACKEND": "jax", **os.environ}
    command = [sys.executable, "-c", f"import {way}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done.stderr.strip().splitlines()[-1] if done.returncode else None


def _stands(known: dict[str, Any], args: argparse.Namespace, ways: list[str]) -> bool:
    """Whether all have been trained with all seeds."""
    there = known.get("ways", {})
    return all(way in there and len(there[way]["runs"]) >= args.seeds for way in ways)


def _known(args: argparse.Namespace, found: dict[str, Any]) -> dict[str, Any]:
    """Tasks of an interrupted run of the same commit on as many threads."""
    if args.fresh or not args.json.exists():
        return {}
    known = json.loads(args.json.read_text())
    same = known["machine"]["commit"] == found["machine"]["commit"]
    tasks: dict[str, Any] = known["tasks"] if same and known["threads"] == args.threads else {}
    return tasks


def main(argv: list[str] | None = None) -> int:
    """Run from the command line."""
    args = _parser().parse_args(argv)
    found: dict[str, Any] = {"machine": report.machine(), "threads": args.threads}
    found["tasks"] = _known(args, found)
    missing = {way: why for way in args.ways if (why := _missing(way)) is not None}
    for way, why in missing.items():
        say(f"{way}: skipped ({why})")
    ways = [way for way in args.ways if way not in missing]
    for name in args.tasks:
        if name == "fashion-mnist" and find_images() is None:
            say("fashion-mnist: skipped (set LAMINA_FASHION_MNIST; README.md says how to get it)")
        elif _stands(found["tasks"].get(name, {}), args, ways):
            say(f"{name}: stands in {args.json}; --fresh trains again")
        else:
            found["tasks"][name] = train(TASKS[name](), ways, args.seeds, args.threads)
            args.json.parent.mkdir(parents=True, exist_ok=True)
            args.json.write_text(json.dumps(found, indent=1) + "\n")
    print(accuracy_page.text(found))
    accuracy_page.publish(found, args.json)
    return 0


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="bench accuracy", description=(__doc__ or "").split("\n")[0]
    )

    def tasks(text: str) -> list[str]:
        return options.choose(text, tuple(TASKS), "task")

    def ways(text: str) -> list[str]:
        return options.choose(text, tuple(WAYS), "library")

    add = made.add_argument
    add("--tasks", type=tasks, default=",".join(TASKS), help="default: %(default)s")
    add("--ways", type=ways, default=",".join(WAYS), help="libraries; default: %(default)s")
    add("--seeds", type=options.positive, default=3, help="default: %(default)s")
    add("--threads", type=options.positive, default=report.available_cpus(), help="default: all")
    add("--fresh", action="store_true", help="train again what stands in the file")
    add("--json", type=Path, default=RESULTS, metavar="FILE", help="default: %(default)s")
    return made


if __name__ == "__main__":
    sys.exit(session.run(main))
