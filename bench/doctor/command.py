"""The zoo's commands.

    python bench/doctor                                    # train what is missing; the table
    python bench/doctor table --facts FOLDER               # the table alone
    python bench/doctor proofs --facts FOLDER              # is broken what should be?
    python bench/doctor list                               # every entry and its story
    python bench/doctor --seeds 5-9 --sets all --publish   # the report, once

README.md in the folder above says what is counted, and how.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import options
from crew import say

from doctor import page, specimens
from doctor.counting import Result
from doctor.data import REPORT, SETS, TUNING
from doctor.entry import ENTRIES

ROOT = Path(__file__).resolve().parent.parent.parent
FACTS = ROOT / "build" / "zoo"
RESULTS = ROOT / "bench" / "results"
GROUPS = {"tuning": TUNING, "report": REPORT, "all": tuple(SETS)}


def main(argv: list[str] | None = None) -> int:
    """Run from the command line."""
    args = _parser().parse_args(argv)
    if args.command == "list":
        print(page.stories(ENTRIES.values()))
        return 0
    if args.command == "run":
        _train(args)
    found = [
        one
        for one in specimens.read(args.facts)
        if one.set in args.sets
        and one.seed in args.seeds
        and one.entry.startswith(tuple(args.entries or [""]))
    ]
    if not found:
        say(f"no trainings in {args.facts}: run `python bench/doctor` first")
        return 2
    if args.command == "proofs":
        print(page.proofs(found, args.misses))
        return 0
    result = Result.of(found)
    print(page.text(result, args.misses))
    if args.publish:
        page.publish(result, RESULTS)
    return 0 if result.holds else 1


def _train(args: argparse.Namespace) -> None:
    begun, count = time.perf_counter(), 0
    for made, word in specimens.collect(
        args.facts, args.sets, args.seeds, args.data, args.entries, args.fresh
    ):
        count += made is not None
        if made is None or args.verbose:
            say(word if made is None else f"{made.key} {made.seconds} s: {made.proof}")
    if count:
        say(f"{count} trainings in {time.perf_counter() - begun:.0f} s, kept in {args.facts}")


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="bench doctor",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = made.add_argument
    known = ("run", "table", "proofs", "list")
    add("command", nargs="?", choices=known, default="run", help="default: %(default)s")
    add("--sets", type=_sets, default="tuning", help="tuning, report, all, or names with commas")
    add("--seeds", type=_seeds, default="0-4", help="5, 0,2 or 0-4; default: %(default)s")
    add("--entries", type=_names, default=[], help="only those whose names begin so: overfit/,…")
    add("--facts", type=Path, default=FACTS, metavar="FOLDER", help="default: build/zoo")
    add("--data", type=Path, action="append", default=[], metavar="PLACE", help=_DATA)
    add("--fresh", action="store_true", help="train again what stands in the folder")
    add("--misses", action="store_true", help="name every training that was not recognised")
    add("--publish", action="store_true", help="write bench/results/doctor.md and doctor.json")
    add("--verbose", action="store_true", help="a line for each training")
    return made


_DATA = "a wheel, or a folder of wheels or data files, for sets that are not installed"


def _sets(text: str) -> list[str]:
    return list(GROUPS[text]) if text in GROUPS else options.choose(text, tuple(SETS), "set")


def _names(text: str) -> list[str]:
    return text.split(",")


def _seeds(text: str) -> list[int]:
    """Whole numbers: 5, or 0,2, or 0-4."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


if __name__ == "__main__":
    sys.exit(main())
