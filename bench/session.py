"""One run of a benchmark from the crew's start to the JSON file; case by case."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Callable
from typing import Any

import report
from crew import Member, crew, say
from peers import SUBJECT

INTERRUPTED = 130  # the shell's exit code after Ctrl-C


def play(args: Namespace, time_case: Callable[[list[Member], str], list[dict[str, Any]]]) -> int:
    """Time and print every case of `args.cases`; what is finished is kept after Ctrl-C, too.

    `time_case` prints a case and returns its records for the file. Returns the exit code.
    """
    chosen = {name: value for name, value in vars(args).items() if name != "json"}
    records: list[dict[str, Any]] = []
    here = report.machine()
    found = {"machine": here, "options": chosen, "missing": {}, "cases": records}
    code = 0
    with crew([SUBJECT, *args.peers], args.threads) as (members, missing):
        if not members:
            say("nothing to time: none of these libraries is installed")
            return 2
        found["missing"] = missing
        print(report.machine_line(here))
        if warning := report.busy_line(here):
            say(warning)
        try:
            for key in args.cases:
                records += time_case(members, key)
        except KeyboardInterrupt:
            say("interrupted: the cases before this one stand")
            code = INTERRUPTED
    if args.json is not None:
        args.json.write_text(json.dumps(found, indent=1) + "\n")
    return code


def run(main: Callable[[], int]) -> int:
    """The exit code of a program; no traceback for Ctrl-C while it starts."""
    try:
        return main()
    except KeyboardInterrupt:
        return INTERRUPTED
