"""Measure some points of the sweep again: has Lamina become slower than it was recorded?

    python -m bench check              # about two minutes; exit code 1 if a point got worse

Ratios to peers are compared, not seconds, so another machine of the same kind will do. The points
are those of sweep.toml with `check = true`; README.md says how the noise band is found.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import options
import report
import session
import sweep
from crew import crew, say
from peers import SUBJECT
from points import Point, read_points
from report import digits

LEAST_BAND = {1: 0.10, 2: 0.30}  # by threads: what one binary moves between two runs
SPREADS = 3.0
NOISY = 0.5  # a wider band than this says nothing: other programs ran


@dataclass(frozen=True)
class Verdict:
    """One point then and now, against one peer."""

    name: str
    peer: str
    recorded: float
    now: float
    band: float  # 0.1: up to a tenth more is noise

    @property
    def change(self) -> float:
        return self.now / self.recorded - 1

    @property
    def worse(self) -> bool:
        return self.change > self.band


def against(record: dict[str, Any], peer: str) -> list[float]:
    """Lamina's seconds over the peer's, round by round."""
    seconds = record["epoch_seconds"]
    return [own / other for own, other in zip(seconds[SUBJECT], seconds[peer], strict=True)]


def spread(ratios: list[float]) -> float:
    """Of the logarithm of one round's ratio: the median deviation as a standard deviation."""
    logs = [math.log(ratio) for ratio in ratios]
    middle = statistics.median(logs)
    return 1.4826 * statistics.median(abs(one - middle) for one in logs)


def band(recorded: list[float], now: list[float], threads: int) -> float:
    """Three times the spread of the difference of two medians, and not below LEAST_BAND."""
    variance = sum(spread(each) ** 2 / len(each) for each in (recorded, now))
    return max(LEAST_BAND[min(threads, 2)], math.expm1(SPREADS * math.sqrt(variance)))


def judge(name: str, recorded: dict[str, Any], now: dict[str, Any]) -> Verdict | None:
    """Against the best recorded peer of those that are here now; None if none of them is."""
    seconds = recorded["epoch_seconds"]
    both = [peer for peer in seconds if peer != SUBJECT and peer in now["epoch_seconds"]]
    if not both or SUBJECT not in seconds or SUBJECT not in now["epoch_seconds"]:
        return None
    peer = min(both, key=lambda one: statistics.median(seconds[one]))
    then, here = against(recorded, peer), against(now, peer)
    width = band(then, here, recorded["point"]["threads"])
    return Verdict(name, peer, statistics.median(then), statistics.median(here), width)


def table(verdicts: list[Verdict]) -> str:
    """Then and now, a line a point."""
    header = ["point", "peer", "recorded", "now", "change", "noise", ""]
    lines = [
        [
            one.name,
            one.peer,
            digits(one.recorded),
            digits(one.now),
            f"{one.change:+.0%}",
            f"{one.band:.0%}",
            "WORSE" if one.worse else "too noisy to tell" if one.band > NOISY else "",
        ]
        for one in verdicts
    ]
    return report.table(header, lines)


def _measure(points: list[Point], recorded: dict[str, Any], rounds: int) -> list[Verdict]:
    """What is worse is measured again, with twice the rounds: a bad moment passes."""
    found = []
    with crew([SUBJECT, *sweep.PEERS], sorted({one.threads for one in points})) as (members, _):
        for point in points:
            verdict = None
            for number in (rounds, 2 * rounds):
                record = sweep.measure(members, point, number)
                verdict = judge(point.name, recorded[point.name], record)
                if verdict is None or not verdict.worse:
                    break
            say(f"{point.name}: {'no peer of the record is here' if verdict is None else 'done'}")
            found += [] if verdict is None else [verdict]
    return found


def main(argv: list[str] | None = None) -> int:
    """Run from the command line."""
    made = argparse.ArgumentParser(prog="bench check", description=(__doc__ or "").split("\n")[0])
    made.add_argument("--rounds", type=options.positive, default=5, help="default: %(default)s")
    made.add_argument("--threads", type=options.counts, default="1,2", help="of the points")
    made.add_argument("--json", type=Path, default=sweep.RESULTS, help="record: %(default)s")
    args = made.parse_args(argv)
    if not args.json.exists():
        say(f"bench check: there is no {args.json}; `python -m bench sweep` writes it")
        return 2
    known = json.loads(args.json.read_text())
    recorded, here = known["points"], report.machine()
    threads = options.possible_threads(args.threads)
    points = [one for one in read_points() if one.check and one.threads in threads]
    points = [one for one in points if one.name in recorded]
    print(report.machine_line(here))
    if known["machine"]["cpu"] != here["cpu"]:
        say(f"recorded on {known['machine']['cpu']}: ratios move between kinds of CPU")
    if warning := report.busy_line(here):
        say(warning)
    verdicts = _measure(points, recorded, args.rounds)
    if not verdicts:
        say("bench check: nothing to compare")
        return 2
    print(table(verdicts))
    worse = sum(one.worse for one in verdicts)
    print(f"{worse} of {len(verdicts)} points got worse than noise explains")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(session.run(main))
