"""Time prediction: the latency of one row and the throughput of a big batch, beside peers.

    python bench/inference.py --cases A,B --rounds 5 --json out.json

Every call takes a NumPy array and returns one. README.md in this folder says how to read it.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from dataclasses import asdict
from typing import Any

import options
import report
import session
import start
from cases import CASES, Case
from crew import Member, play_rounds, say, try_each
from peers import PREDICTORS, SUBJECT
from report import Result, digits

BATCH = 8192  # rows of the big batch, as many as there are at most


def _calls(rows: int) -> str:
    return "one row a call" if rows == 1 else f"{rows:,} rows a call"


def _time_rows(members: list[Member], case: Case, rows: int, args: Namespace) -> list[Result]:
    """Seconds a call on so many rows, for every contestant."""

    def before_round(number: int) -> None:
        say(f"{case.key} {case.what}, {_calls(rows)}: round {number} of {args.rounds}")

    def call(member: Member) -> float:
        return float(member.ask("predict", rows=rows, seconds=args.seconds)["seconds"])

    def warm_up(member: Member) -> None:
        member.ask("predict", rows=rows, seconds=0.0)

    taken = play_rounds(try_each(members, warm_up), args.rounds, call, before_round)
    return [Result(one.name, one.version, one.threads, times) for one, times in taken.items()]


def _print(title: str, results: list[Result], rows: int) -> None:
    print(f"\n{title}")
    subject = report.best(results, SUBJECT)
    header = ["", "threads", "us a call", "least", "most", "rows/s", f"/ {SUBJECT}"]
    lines = [
        [
            f"{one.contestant} {one.version}",
            str(one.threads),
            *[
                digits(seconds * 1e6)
                for seconds in (one.median, min(one.seconds), max(one.seconds))
            ],
            f"{rows / one.median:,.0f}",
            digits(one.median / subject.median if subject else None),
        ]
        for one in results
    ]
    print(report.table(header, lines))
    for line in report.ratio_lines(report.ratios(results)):
        print(line)
    sys.stdout.flush()


def _as_json(case: Case, results: list[Result], rows: int) -> dict[str, Any]:
    return {
        "case": case.key,
        "rows_per_call": rows,
        "results": [
            {
                "contestant": one.contestant,
                "version": one.version,
                "threads": one.threads,
                "call_us": [seconds * 1e6 for seconds in one.seconds],
                "median_us": one.median * 1e6,
                "rows_per_second": rows / one.median,
            }
            for one in results
        ],
        "ratios": [asdict(ratio) for ratio in report.ratios(results)],
    }


def _time_case(members: list[Member], key: str, args: Namespace) -> list[dict[str, Any]]:
    rows_scale = args.rows_scale * min(1.0, 2 * BATCH / CASES[key].rows)  # more is never used
    case = CASES[key].scaled(rows_scale)

    able = start.prepare(members, case)
    found = []
    for rows in (1, min(BATCH, case.rows)):
        results = _time_rows(able, case, rows, args)
        shape = "-".join(str(width) for width in case.widths)
        _print(f"{key} {case.what} {shape}, {_calls(rows)}", results, rows)
        found.append(_as_json(case, results, rows))
    try_each(able, lambda member: member.ask("drop"))
    return found


def main(argv: list[str] | None = None) -> int:
    """Run from the command line."""
    summary = (__doc__ or "").splitlines()[0]
    args = options.parser(
        summary, "lamina-frozen,onnxruntime,torch,sklearn", PREDICTORS
    ).parse_args(argv)
    args.threads = options.possible_threads(args.threads)
    return session.play(args, lambda members, key: _time_case(members, key, args))


if __name__ == "__main__":
    sys.exit(session.run(main))
