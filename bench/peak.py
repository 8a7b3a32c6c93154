"""The machine's limits, measured by the C++ program peak.cpp (built, or compiled on the spot)."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from crew import say

HERE = Path(__file__).resolve().parent
BUILT = HERE.parent / "build" / "release"


class Peak:
    """Asks the program for figures; without a program every figure is None."""

    def __init__(self, program: Path | None) -> None:
        self.program = program
        self.limits: dict[str, Any] = {}

    def _run(self, *arguments: str) -> dict[str, Any]:
        if self.program is None:
            return {}
        command = [str(self.program), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def all(self) -> dict[str, Any]:
        """Arithmetic, bandwidth, a cache line's round trip, once; empty without a program."""
        return self._run()

    def measure(self) -> None:
        """Measure the FMA peak; the highest figure of all calls stands, for it is a limit."""
        new = self._run("--only", "fma")
        known = self.limits.get("fma_gflops", {})
        for threads, gflops in new.get("fma_gflops", {}).items():
            known[threads] = max(gflops, known.get(threads, 0.0))
        self.limits = {**new, "fma_gflops": known}

    def cache_line_ns(self) -> float | None:
        """Round trip of a cache line between two threads now."""
        found = self._run("--only", "cache-line").get("cache_line_round_trip_ns")
        return None if found is None else float(found["median"])


def built(name: str) -> Path | None:
    """A C++ program of this folder in $LAMINA_BENCH_DIR or build/release."""
    folder = Path(os.environ.get("LAMINA_BENCH_DIR", BUILT))
    places = [folder / name, folder / f"{name}.exe"]
    return next((place for place in places if place.is_file()), None)


def _compile(folder: Path) -> Path | None:
    compiler = shlex.split(os.environ.get("CXX", "c++"))
    if shutil.which(compiler[0]) is None:
        say("peak: no built program and no C++ compiler; shares of the peak are left out")
        return None
    source, program = HERE / "peak.cpp", folder / "peak"
    command = [*compiler, "-O3", "-std=c++20", "-pthread", str(source), "-o", str(program)]
    say(f"peak: not built, so compiled for this run: {shlex.join(command)}")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        say(f"peak: does not compile; shares of the peak are left out\n{done.stderr}")
        return None
    return program


@contextmanager
def peak() -> Iterator[Peak]:
    """The program in $LAMINA_BENCH_DIR or build/release, or else compiled for this run."""
    with tempfile.TemporaryDirectory() as folder:
        yield Peak(built("bench_peak") or _compile(Path(folder)))


def spread(values: list[float]) -> str:
    """`210 (180 to 240)`: the median and both ends."""
    return f"{statistics.median(values):.0f} ({min(values):.0f} to {max(values):.0f})"
