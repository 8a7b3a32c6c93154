"""Where a training step's time goes, beside the least that the machine could do it in.

Samples the C++ benchmark `bench_step` with `perf` (Linux), groups the functions, and prints for
each case the milliseconds an epoch that each group takes. Beside it stands the limit: arithmetic at
the measured FMA peak, and weights and slots moved once a step at the measured bandwidth.

    python bench/roofline.py --cases B,C --threads 1
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from cases import CASES, Case

GROUPS = {
    "products": r"run_block",
    "packing": r"Run<|product<|pack_|transpose|ProductOp",
    "optimizer": r"update<|Update<|Adam|power",
    "elementwise": r"forward<|backward<|ActivationOp",
    "loss": r"run_rows<|row<|OneRow|NarrowRows|for_packets|ObjectiveRunner|log|exp",
    "gather": r"gather|draw_order|memmove|memcpy|Workspace<.*act",
    "waiting": r"libgomp|gomp|sched|futex",
    "step": r"StepRunner|TrainerOf|run_region|clock_gettime|parallel<",
}
# Not of an epoch: the data are made, memory is cleared, the input is checked.
SETUP = r"epoch_seconds|kernel|memset|first_bad_row|all_finite|truncated_normal|initialize|ld-linux"


def group_of(symbol: str) -> str | None:
    for name, pattern in GROUPS.items():
        counts = name == "waiting" or not re.search(SETUP, symbol)
        if counts and re.search(pattern, symbol):
            return name
    return None if re.search(SETUP, symbol) else "rest"


def sample(program: Path, case: str, threads: int) -> tuple[float, dict[str, float]]:
    """Milliseconds an epoch, and the share of each group of functions in it."""
    with tempfile.TemporaryDirectory() as folder:
        data = str(Path(folder) / "perf.data")
        run = subprocess.run(
            ["perf", "record", "-q", "-F", "2000", "-o", data, program, "0", case, str(threads)],
            capture_output=True,
            text=True,
            check=True,
        )
        report = subprocess.run(
            ["perf", "report", "-i", data, "--stdio", "-F", "overhead,dso,sym", "-w", "0,0,0"],
            capture_output=True,
            text=True,
            check=True,
        )
    shares: dict[str, float] = {}
    for line in report.stdout.splitlines():
        match = re.match(r"\s*([0-9.]+)%\s+(.*)", line)
        group = group_of(match.group(2)) if match else None
        if match and group:
            shares[group] = shares.get(group, 0) + float(match.group(1))
    total = sum(shares.values())
    milliseconds = float(re.search(r"([0-9.]+) ms", run.stdout).group(1))
    return milliseconds, {name: share / total for name, share in shares.items()}


def limits(case: Case, peak: dict[str, Any]) -> tuple[float, float]:
    """Milliseconds an epoch of arithmetic at the peak, and of weights and slots moving."""
    pairs = zip(case.widths, case.widths[1:], strict=False)
    weights = sum((k + 1) * n for k, n in pairs)
    size = 12 * weights  # weights and Adam's two slots, read and written
    bandwidth = peak["triad_gb_per_s"]
    level = next((name for name in bandwidth if bytes_of(name) >= size), "96 MiB")
    steps = -(-case.rows // case.batch_size)
    moved = steps * 2 * size / bandwidth[level]["1"] * 1e-6
    return case.flops_per_epoch / peak["fma_gflops"]["1"] * 1e-6, moved


def bytes_of(text: str) -> int:
    number, unit = text.split()
    return int(number) * {"KiB": 1 << 10, "MiB": 1 << 20}[unit]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", default="A,B,C,D")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--build", type=Path, default=Path("build/release"))
    arguments = parser.parse_args()
    if not shutil.which("perf"):
        sys.exit("bench/roofline.py needs perf (Debian, Ubuntu: apt install linux-perf)")
    for program in ("bench_step", "bench_peak"):
        if not (arguments.build / program).exists():
            sys.exit(f"{arguments.build / program} is missing: cmake --preset release, and build")
    peak = json.loads(subprocess.check_output([arguments.build / "bench_peak"], text=True))
    names = [*GROUPS, "rest"]
    print(f"one thread's FMA peak: {peak['fma_gflops']['1']} GFLOP/s; ms an epoch")
    print(
        "case    epoch  arithmetic  of peak  weights moved |" + "".join(f"{n:>12}" for n in names)
    )
    for case in arguments.cases.split(","):
        epoch, shares = sample(arguments.build / "bench_step", case, arguments.threads)
        arithmetic, moved = limits(CASES[case], peak)
        cells = "".join(f"{epoch * shares.get(n, 0):12.2f}" for n in names)
        share = 100 * arithmetic / epoch
        print(f"{case:4} {epoch:8.2f} {arithmetic:11.2f} {share:7.1f}% {moved:14.2f} |{cells}")


if __name__ == "__main__":
    main()
