"""Train at every point of sweep.toml beside PyTorch and JAX: where is Lamina slower, and by what?

    python -m bench sweep                                  # all points, about 12 minutes
    python -m bench sweep --only 20-64x2-1.b64.r10k.t1     # some, measured again

README.md in this folder says how to read the table.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import options
import report
import session
import start
import sweep_report
from cases import Case
from crew import Member, crew, play_rounds, say, try_each
from peers import SUBJECT
from points import FEWEST_STEPS, Point, cut, read_points
from report import Result

PEERS = ("torch", "jax")
POINT_SECONDS = 8.0  # of measuring, all contestants and rounds together
SHORTEST = 0.1  # seconds: what is shorter is repeated that long
PROBE_STEPS = 8
RESULTS = Path(__file__).resolve().parent / "results" / "sweep.json"


def _time_epoch(members: list[Member], seconds: float = 0.0) -> dict[Member, float]:
    """One look at each: not a figure, only for planning."""
    found: dict[Member, float] = {}

    def look(member: Member) -> None:
        found[member] = float(member.ask("train", seconds=seconds)["seconds"])

    try_each(members, look)
    return found


def affordable(members: list[Member], case: Case, rounds: int) -> Case:
    """Cut the rows so that all rounds of all members take POINT_SECONDS.

    Steps of a few batches are timed for it. JAX compiles anew for each number of rows, so it is
    not asked: it is taken to be as slow as the slowest of the others.
    """
    probe = replace(case, rows=min(case.rows, PROBE_STEPS * case.batch_size))
    if case.flops_per_row * case.batch_size > 5e9:  # steps of a tenth of a second
        probe = replace(case, rows=min(case.rows, FEWEST_STEPS * case.batch_size))
    asked = [member for member in members if member.name != "jax"]
    ready = start.prepare(asked, probe)
    _time_epoch(ready)
    seconds = list(_time_epoch(ready).values())
    if not seconds:
        return case
    together = sum(seconds) + max(seconds) * (len(members) - len(asked))
    return cut(case, together / probe.rows, POINT_SECONDS / rounds)


def measure(members: list[Member], point: Point, rounds: int) -> dict[str, Any]:
    """One point: the rounds of every contestant at the point's thread count."""
    members = [member for member in members if member.threads == point.threads]
    begun = time.perf_counter()
    case = affordable(members, point.case, rounds)
    ready = start.prepare(members, case)
    _time_epoch(ready)  # compiles
    together = sum(_time_epoch(ready).values())
    if together * rounds > 1.5 * POINT_SECONDS and case.steps_per_epoch > FEWEST_STEPS:
        case = cut(case, together / case.rows, POINT_SECONDS / rounds)
        ready = start.prepare(ready, case)
        _time_epoch(ready)
    warm = time.perf_counter()

    def epoch(member: Member) -> float:
        return float(member.ask("train", seconds=SHORTEST)["seconds"])

    taken = play_rounds(ready, rounds, epoch, lambda number: None)
    end = time.perf_counter()
    try_each(list(taken), lambda member: member.ask("drop"))
    results = [Result(one.name, one.version, one.threads, all_) for one, all_ in taken.items()]
    return {
        **summary(results),
        "rows": case.rows,
        "steps": case.steps_per_epoch,
        "flops_per_step": case.flops_per_row * case.batch_size,
        "epoch_seconds": {one.contestant: one.seconds for one in results},
        "versions": {one.contestant: one.version for one in results},
        "warm_seconds": warm - begun,
        "measured_seconds": end - warm,
    }


def summary(results: list[Result]) -> dict[str, Any]:
    """Lamina's time over that of the best peer: round by round, and the median."""
    own = report.best(results, SUBJECT)
    peers = [one for one in results if one.contestant != SUBJECT]
    best = min(peers, key=lambda one: one.median, default=None)
    if own is None or best is None:
        return {"best": None, "ratio": None, "ratios": []}
    each = [o / p for o, p in zip(own.seconds, best.seconds, strict=True)]
    return {"best": best.contestant, "ratio": statistics.median(each), "ratios": each}


def _kept(path: Path, points: list[Point], commit: str) -> dict[str, Any]:
    """Points of an interrupted run of the same commit; the others are measured again."""
    if not path.exists():
        return {}
    known = json.loads(path.read_text())["points"]
    names = {point.name for point in points}
    return {name: one for name, one in known.items() if name in names and one["commit"] == commit}


def _sweep(args: argparse.Namespace, chosen: list[Point], points: list[Point]) -> int:
    here = report.machine()
    kept = {} if args.fresh else _kept(args.json, points, here["commit"])
    wanted = [point for point in chosen if args.only or point.name not in kept]
    if len(wanted) < len(chosen):
        say(f"{len(chosen) - len(wanted)} points stand in {args.json}; --fresh measures all again")
    found = {"machine": here, "rounds": args.rounds, "point_seconds": POINT_SECONDS, "points": kept}
    threads = sorted({point.threads for point in wanted})
    code = 0
    with crew([SUBJECT, *args.peers] if wanted else [], threads) as (members, _):
        try:
            for number, point in enumerate(wanted, 1):
                record = measure(members, point, args.rounds)
                kept[point.name] = {
                    "point": asdict(point),
                    **record,
                    "commit": here["commit"],
                    "load_average": report.load_average(),
                }
                _write(args.json, found)
                say(f"{number}/{len(wanted)} {sweep_report.line(point.name, kept[point.name])}")
        except KeyboardInterrupt:
            say("interrupted: the points before this one stand; the same command goes on")
            code = session.INTERRUPTED
    rows = {point.name: kept[point.name] for point in points if point.name in kept}
    for point in points:  # reasons are edited after measuring
        if point.name in rows:
            rows[point.name]["point"] = asdict(point)
    found["points"] = rows
    _write(args.json, found)
    print(sweep_report.text(found, [point.name for point in chosen]))
    if not args.only:
        sweep_report.publish(found, args.json)
    return code


def _write(path: Path, found: dict[str, Any]) -> None:
    """Whole or not at all: an interruption must not cost what is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(json.dumps(found, indent=1) + "\n")
    new.replace(path)


def main(argv: list[str] | None = None) -> int:
    """Run from the command line."""
    points = read_points()
    args = _parser([point.name for point in points]).parse_args(argv)
    possible = options.possible_threads(args.threads)
    chosen = [point for point in points if point.threads in possible]
    if args.only:
        chosen = [point for point in chosen if point.name in args.only]
    return _sweep(args, chosen, points)


def _parser(names: list[str]) -> argparse.ArgumentParser:
    def known(text: str) -> list[str]:
        return options.choose(text, tuple(names), "point")

    def peers(text: str) -> list[str]:
        return [] if text == "none" else options.choose(text, PEERS, "peer")

    made = argparse.ArgumentParser(prog="bench sweep", description=(__doc__ or "").splitlines()[0])
    add = made.add_argument
    add("--only", type=known, default=[], metavar="NAME,…", help="these points, measured again")
    add("--threads", type=options.counts, default="1,2", help="points with so many threads")
    add("--rounds", type=options.positive, default=5, help="default: %(default)s")
    add("--peers", type=peers, default=",".join(PEERS), help="default: %(default)s")
    add("--fresh", action="store_true", help="measure what is in the file again, too")
    add("--json", type=Path, default=RESULTS, metavar="FILE", help="default: %(default)s")
    return made


if __name__ == "__main__":
    sys.exit(session.run(main))
