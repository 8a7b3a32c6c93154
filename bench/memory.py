"""Measure the memory of training: what the process grows by, beside what trainer.summary() says.

    python -m bench memory                    # cases B, C, D, some callbacks; under a minute
    python -m bench memory --cases D --json memory.json

Linux only: /proc tells a process's memory and its peak.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import options
import report
import session
from cases import CASES, LEARNING_RATE, Case, make_data
from crew import say

import lamina as lm

# Each allocation of some pages is mapped by itself and given back at once: then the process's size
# is that of what lives, not that of what malloc has kept.
MALLOC = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0"}
VARIANTS: dict[str, Callable[[], tuple[dict[str, Any], bool]]] = {  # of Adam; with EarlyStopping?
    "plain": lambda: ({}, False),
    "EarlyStopping": lambda: ({}, True),
    "moving average": lambda: ({"use_ema": True}, False),
    "clipped by norm": lambda: ({"global_clipnorm": 1.0}, False),
    "all of these": lambda: ({"use_ema": True, "global_clipnorm": 1.0}, True),
}
STEPS = 6  # of an epoch: memory does not grow with the rows, but for their order
EPOCHS = 2


def _status(name: str) -> int:
    """A line of /proc/self/status in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return 1024 * int(line.split()[1])
    raise KeyError(name)


def _fit(case: Case, variant: str, threads: int, x: Any, y: Any) -> lm.Trainer:
    settings, stops = VARIANTS[variant]()
    *hidden, outputs = case.widths[1:]
    layers = [lm.Dense(units, activation="relu") for units in hidden]
    last = lm.Dense(outputs, activation="softmax" if case.classes else "linear")
    trainer = lm.Trainer(
        lm.Model([lm.Input(case.widths[0]), *layers, last], seed=0),
        loss="cce" if case.classes else "mse",
        optimizer=lm.Adam(LEARNING_RATE, **settings),
        num_threads=threads,
    )
    how: dict[str, Any] = {"epochs": EPOCHS, "batch_size": case.batch_size, "verbose": 0}
    if stops:
        rows = case.batch_size
        how |= {"validation_data": (x[:rows], y[:rows]), "callbacks": [lm.EarlyStopping()]}
    trainer.fit(x, y, **how)
    return trainer


def look(case: Case, variant: str, threads: int) -> dict[str, Any]:
    """In a process of its own: the growth of its peak in a fit, and what the trainer says."""
    data = make_data(case)
    few = Case("", "", (case.widths[0], 8, 8, case.widths[-1]), 32, 64, case.classes)
    _fit(few, variant, threads, data.x[:64], data.y[:64] % 8 if case.classes else data.y[:64])
    gc.collect()
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    trainer = _fit(case, variant, threads, data.x, data.y)
    peak = _status("VmHWM") - before
    stops = VARIANTS[variant]()[1]
    parts = trainer.memory(
        batch_size=case.batch_size, rows=case.rows, validation_rows=case.batch_size * stops
    )
    return {"measured": peak, "said": sum(parts.values()), "parts": parts}


def measure(key: str, variant: str, threads: int) -> dict[str, Any]:
    """The same from outside."""
    command = [sys.executable, __file__, "--look", key, variant, str(threads)]
    done = subprocess.run(
        command, env={**os.environ, **MALLOC}, capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return {"case": key, "variant": variant, "threads": threads, **found}


def small(key: str) -> Case:
    """The case with few rows."""
    case = CASES[key]
    return case.scaled(STEPS * case.batch_size / case.rows)


def _row(one: dict[str, Any]) -> list[str]:
    sizes = [f"{one[what] / 1e6:.2f}" for what in ("said", "measured")]
    return [f"{one['case']}, {one['variant']}", *sizes, f"{one['said'] / one['measured'] - 1:+.1%}"]


def main(argv: list[str] | None = None) -> int:
    """Run from the command line."""
    made = argparse.ArgumentParser(prog="bench memory", description=(__doc__ or "").split("\n")[0])
    made.add_argument("--cases", type=options.cases, default="B,C,D", help="default: %(default)s")
    made.add_argument("--threads", type=options.positive, default=1, help="default: %(default)s")
    made.add_argument("--json", type=options.writable, metavar="FILE")
    args = made.parse_args(argv)
    if not Path("/proc/self/clear_refs").exists():
        say("bench memory: this system does not tell a process's peak (Linux does)")
        return 2
    records = []
    for key in args.cases:
        for variant in VARIANTS:
            say(f"{key}, {variant}")
            records.append(measure(key, variant, args.threads))
    here = report.machine()
    print(report.machine_line(here))
    header = ["MB beside the data", "summary", "measured peak", "difference"]
    print(report.table(header, [_row(one) for one in records]))
    if args.json is not None:
        args.json.write_text(json.dumps({"machine": here, "memory": records}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--look"]:
        print(json.dumps(look(small(sys.argv[2]), sys.argv[3], int(sys.argv[4]))))
        sys.exit(0)
    sys.exit(session.run(main))
