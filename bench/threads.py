"""Time training on one and on all threads, alone and with two busy processes on every CPU.

    python bench/threads.py --cases B,C --rounds 5

README.md in this folder says how to read it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

import options
import report
import session
import start
from cases import CASES
from crew import Member, play_rounds, say, try_each
from peers import COMPANIONS
from report import digits

BUSY_PROGRAM = """
import os, sys
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {int(sys.argv[1])})
print(flush=True)
while True:
    pass
"""


BUSY_PER_CPU = 2


@contextmanager
def busy_processes() -> Iterator[None]:
    """So many on each CPU that this process may use."""
    cpus = (
        os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    )
    command = [sys.executable, "-c", BUSY_PROGRAM]
    started = [
        subprocess.Popen([*command, str(cpu)], stdout=subprocess.PIPE)
        for cpu in cpus
        for _ in range(BUSY_PER_CPU)
    ]
    try:
        for process in started:
            assert process.stdout is not None
            process.stdout.readline()
        yield
    finally:
        for process in started:
            process.kill()
            process.communicate()


def _time_case(members: list[Member], key: str, args: Namespace) -> list[dict[str, Any]]:
    def train(member: Member) -> float:
        return float(member.ask("train", seconds=args.seconds)["seconds"])

    busy: dict[Member, list[float]] = {}

    def train_busy(member: Member) -> float:
        alone = train(member)
        with busy_processes():
            busy.setdefault(member, []).append(train(member))
        time.sleep(0.1)
        return alone

    case = CASES[key].scaled(args.rows_scale)
    ready = start.prepare(members, case)
    alone = play_rounds(
        try_each(ready, lambda member: member.ask("train", seconds=0.0)),
        args.rounds,
        train_busy,
        lambda number: say(f"{key} {case.what}: round {number} of {args.rounds}"),
    )
    one = next((median(s) for m, s in alone.items() if m.name == "lamina" and m.threads == 1), None)
    records = []
    for member, seconds in alone.items():
        among = busy[member]
        records.append(
            {
                "case": key,
                "contestant": member.name,
                "threads": member.threads,
                "idle_ms": [s * 1e3 for s in seconds],
                "busy_ms": [s * 1e3 for s in among],
                "busy_over_one_thread": median(among) / one if one else None,
                "worst_over_one_thread": max(among) / one if one else None,
            }
        )
    _print(case.title, records)
    try_each(list(alone), lambda member: member.ask("drop"))
    return records


def _print(title: str, records: list[dict[str, Any]]) -> None:
    header = ["", "threads", "idle ms", "busy ms", "most", "busy / one thread idle", "most"]
    lines = [
        [
            one["contestant"],
            str(one["threads"]),
            digits(median(one["idle_ms"])),
            digits(median(one["busy_ms"])),
            digits(max(one["busy_ms"])),
            digits(one["busy_over_one_thread"]),
            digits(one["worst_over_one_thread"]),
        ]
        for one in records
    ]
    print(f"\n{title}")
    print(report.table(header, lines))
    sys.stdout.flush()


def main(argv: list[str] | None = None) -> int:
    """Run from the command line."""
    summary = (__doc__ or "").splitlines()[0]
    args = options.parser(summary, ",".join(COMPANIONS), COMPANIONS).parse_args(argv)
    args.threads = options.possible_threads(args.threads)
    return session.play(args, lambda members, key: _time_case(members, key, args))


if __name__ == "__main__":
    sys.exit(session.run(main))
