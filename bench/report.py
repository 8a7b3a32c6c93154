"""From seconds to tables: medians, shares of the peak, ratios to Lamina round by round."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crew import say
from peers import SUBJECT

ROOT = Path(__file__).resolve().parent.parent
BUSY = 0.5  # load average of the last minute


@dataclass
class Result:
    """One contestant at one thread count: seconds a round, in the order of the rounds."""

    contestant: str
    version: str
    threads: int
    seconds: list[float]
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


@dataclass(frozen=True)
class Ratio:
    """A peer's time divided by Lamina's in the same round; above 1, Lamina is faster."""

    peer: str
    threads: int
    lamina_threads: int
    ratio: float
    rounds: int
    lost_rounds: int


def best(results: Iterable[Result], contestant: str) -> Result | None:
    """The contestant at its best thread count, by the median."""
    own = [result for result in results if result.contestant == contestant]
    return min(own, key=lambda result: result.median, default=None)


def ratios(results: list[Result]) -> list[Ratio]:
    """Each peer's best thread count against Lamina's best."""
    subject = best(results, SUBJECT)
    if subject is None:
        return []
    found = []
    for name in dict.fromkeys(result.contestant for result in results):
        peer = best(results, name)
        if peer is None or name == SUBJECT:
            continue
        each = [p / s for p, s in zip(peer.seconds, subject.seconds, strict=True)]
        lost = sum(ratio < 1.0 for ratio in each)
        middle = statistics.median(each)
        found.append(Ratio(name, peer.threads, subject.threads, middle, len(each), lost))
    return found


def ratio_lines(found: list[Ratio]) -> list[str]:
    """A line a peer, the rounds that Lamina lost included."""
    return [
        f"  {one.peer} / {SUBJECT} = {one.ratio:.2f}"
        f"  (threads {one.threads} / {one.lamina_threads};"
        f" {SUBJECT} slower in {one.lost_rounds} of {one.rounds} rounds)"
        for one in found
    ]


def table(header: list[str], rows: list[list[str]]) -> str:
    """Columns padded to their widest cell: the first to the left, numbers to the right."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    return "\n".join(
        "  "
        + "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in [header, *rows]
    )


def markdown_table(header: list[str], rows: list[list[str]]) -> str:
    """The same as a table of Markdown."""
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join(f"| {' | '.join(one)} |" for one in lines)


def pyplot() -> Any:
    """matplotlib.pyplot drawing into files; None and a remark without it."""
    try:
        import matplotlib
    except ImportError:
        say("matplotlib is not installed: pages are written without plots")
        return None
    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "lamina"  # the same picture, the same file
    import matplotlib.pyplot as plt

    return plt


def save_figure(figure: Any, path: Path) -> None:
    """Write and close."""
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    pyplot().close(figure)


def digits(value: float | None, places: int = 3) -> str:
    """Three significant digits, never an exponent; a dash for what was not measured."""
    if value is None:
        return "-"
    before = len(str(int(abs(value)))) if abs(value) >= 1 else 0
    return f"{value:.{max(0, places - before)}f}"


def available_cpus() -> int:
    """The CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "cpu": _cpu_name(),
        "cpus": available_cpus(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "commit": commit(),
        "load_average": load_average(),
    }


def load_average() -> float | None:
    """Of the last minute, where the system tells."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def commit(*more: str) -> str:
    """The sources' commit, with a plus sign when they, or `more`, have been edited since."""

    def git(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["git", "-C", str(ROOT), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    try:
        head = git("rev-parse", "--short=10", "HEAD")
        edited = git("status", "--porcelain", "--", "cpp", "python", *more).stdout.strip()
    except FileNotFoundError:
        return "unknown"
    if head.returncode != 0:
        return "unknown"
    return head.stdout.strip() + ("+" if edited else "")


def machine_line(here: dict[str, Any]) -> str:
    """The same in one line."""
    return f"{here['cpu']}, {here['cpus']} CPUs, {here['system']}, Python {here['python']}"


def versions_line(records: dict[str, dict[str, Any]]) -> str:
    """`jax 0.10, torch 2.13`: the libraries of some records."""
    known: dict[str, str] = {}
    for one in records.values():
        known.update(one["versions"])
    return ", ".join(f"{name} {version}" for name, version in sorted(known.items()))


def busy_line(here: dict[str, Any]) -> str | None:
    """A warning when other programs are running: figures are worthless then."""
    load = here["load_average"]
    if load is None or load < BUSY:
        return None
    return f"the load average is {load}: other programs are running, the figures will be too high"


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if sys.platform == "linux" and info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown"
