"""Time one row and one batch at a time: latencies, and a loop that acts and learns, beside PyTorch.

    python bench/online.py --rounds 5 --json out.json

README.md in this folder says how to read it.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import report
import session
from crew import Member, crew, play_rounds, say, try_each
from online_agents import BATCH, WIDTHS
from peers import SUBJECT

PEERS = ("torch", "torch-foreach")
CALLS = {
    "act": "one row, weights that change",
    "act_frozen": "one row, frozen",
    "learn": f"a step on {BATCH} rows of a buffer",
}


def _latencies(members: list[Member], rounds: int, calls: int) -> list[dict[str, Any]]:
    """The median over the rounds of each percentile, for every contestant and call."""
    found: dict[tuple[str, str], list[dict[str, float]]] = {}
    for number in range(rounds):
        say(f"latencies: round {number + 1} of {rounds}")
        for what in CALLS:
            count = calls // 5 if what == "learn" else calls
            for member in members:
                found.setdefault((what, member.name), []).append(member.ask(what, calls=count))
    return [
        {"call": what, "contestant": name}
        | {f"{key}_us": median(one[key] for one in each) for key in each[0]}
        for (what, name), each in found.items()
    ]


def _print_latencies(found: list[dict[str, Any]]) -> None:
    shape = "-".join(map(str, WIDTHS))
    print(f"\nlatency on a {shape} network, microseconds a call, arrays of float32")
    lines = [
        [
            f"{CALLS[one['call']]}: {one['contestant']}",
            *[report.digits(one[f"{key}_us"]) for key in ("p50", "p99", "p99.9")],
        ]
        for one in found
    ]
    print(report.table(["", "p50", "p99", "p99.9"], lines))


def _print_loop(results: list[report.Result], predictions: int, every: int) -> None:
    print(
        f"\n{predictions:,} predictions of one row, a step on {BATCH} rows after every "
        f"{every}: seconds"
    )
    lines = [
        [
            f"{one.contestant} {one.version}",
            *[report.digits(each) for each in (one.median, min(one.seconds), max(one.seconds))],
            f"{one.extra['loss']:.2g}",
        ]
        for one in results
    ]
    print(report.table(["", "s", "least", "most", "loss after it"], lines))
    for line in report.ratio_lines(report.ratios(results)):
        print(line)
    sys.stdout.flush()


def _loop(members: list[Member], args: argparse.Namespace) -> list[report.Result]:
    def before_round(number: int) -> None:
        say(f"the loop: round {number} of {args.rounds}")

    def call(member: Member) -> float:
        asked = {"predictions": args.predictions, "every": args.every}
        return float(member.ask("loop", **asked)["seconds"])

    taken = play_rounds(members, args.rounds, call, before_round)
    return [
        report.Result(one.name, one.version, one.threads, times, one.ask("loss"))
        for one, times in taken.items()
    ]


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = made.add_argument
    known = ", ".join(PEERS)
    add("--peers", default=",".join(PEERS), help=f"none, or of {known}; default: %(default)s")
    add("--rounds", type=int, default=5, help="default: %(default)s")
    add("--predictions", type=int, default=100_000, help="of the loop; default: %(default)s")
    add("--every", type=int, default=4, help="predictions a step of learning, as DQN has 4")
    add("--calls", type=int, default=50_000, help="timed for a latency; default: %(default)s")
    add("--json", type=Path, metavar="FILE", help="write all figures there, too")
    return made


def main(argv: list[str] | None = None) -> int:
    """Run from the command line."""
    args = _parser().parse_args(argv)
    peers = [] if args.peers == "none" else args.peers.split(",")
    here = report.machine()
    with crew([SUBJECT, *peers], [1], worker="online_agents.py") as (members, missing):
        print(report.machine_line(here))
        if warning := report.busy_line(here):
            say(warning)

        def warm_up(member: Member) -> None:
            member.ask("loop", predictions=2000, every=args.every)

        members = try_each(members, warm_up)
        found = _latencies(members, args.rounds, args.calls)
        _print_latencies(found)
        results = _loop(members, args)
        _print_loop(results, args.predictions, args.every)
    if args.json is not None:
        record = {
            "machine": here,
            "options": {key: value for key, value in vars(args).items() if key != "json"},
            "missing": missing,
            "latencies": found,
            "loop": [
                {"contestant": one.contestant, "version": one.version, "seconds": one.seconds}
                | one.extra
                for one in results
            ],
            "ratios": [asdict(one) for one in report.ratios(results)],
        }
        args.json.write_text(json.dumps(record, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(session.run(main))
