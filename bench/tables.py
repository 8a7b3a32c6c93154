"""Print and publish the tables: training and prediction of cases A to D beside all peers.

    python -m bench                        # all, about a quarter of an hour; then bench/results/
    python -m bench tables --cases A,B --rounds 3

Each case is written as soon as it is measured: the same command goes on after an interruption, and
measures anew what another commit wrote. README.md in this folder says how to read the tables.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import inference
import options
import report
import session
import tables_page
import training
from crew import say
from peak import peak
from peers import PREDICTORS, TRAINERS

RESULTS = Path(__file__).resolve().parent / "results"
WIDE_SCALE = 0.1  # of D's rows, which take everybody seconds
PARTS: dict[str, tuple[Callable[[list[str]], int], tuple[str, ...]]] = {
    "training": (training.main, TRAINERS),
    "inference": (inference.main, PREDICTORS),
}


def stands(path: Path, commit: str, rounds: int, peers: list[str]) -> bool:
    """Whether a case has been measured, whole, at this commit and beside these peers."""
    if not path.exists():
        return False
    known = json.loads(path.read_text())
    whole = bool(known["cases"]) and known["options"]["rounds"] >= rounds
    all_of_them = set(peers) <= set(known["options"]["peers"])
    return whole and all_of_them and bool(known["machine"]["commit"] == commit)


def _measure(part: str, key: str, args: argparse.Namespace) -> int:
    run, known = PARTS[part]
    peers = [peer for peer in known if peer not in args.without]
    path = args.results / f"{part}-{key}.json"
    if not args.fresh and stands(path, report.commit(), args.rounds, peers):
        say(f"{path} stands; --fresh measures again")
        return 0
    threads = ",".join(map(str, args.threads))
    how = ["--cases", key, "--peers", ",".join(peers), "--rounds", str(args.rounds)]
    if key == "D":
        how += ["--rows-scale", str(args.wide_scale)]
    return run([*how, "--threads", threads, "--json", str(path)])


def _limits(path: Path) -> dict[str, Any]:
    """What the machine can do, now."""
    say("the machine's limits")
    with peak() as program:
        found = program.all()
    written = {"machine": report.machine(), "limits": found}
    path.write_text(json.dumps(written, indent=1) + "\n")
    return written


def main(argv: list[str] | None = None) -> int:
    """Run from the command line."""
    made = argparse.ArgumentParser(prog="bench", description=(__doc__ or "").splitlines()[0])
    add = made.add_argument
    add("--cases", type=options.cases, default="A,B,C,D", help="default: %(default)s")
    add("--rounds", type=options.positive, default=5, help="default: %(default)s")
    add("--threads", type=options.counts, default="1,2", help="default: %(default)s")
    add("--wide-scale", type=float, default=WIDE_SCALE, help="share of D's rows: %(default)s")
    add("--fresh", action="store_true", help="measure again what stands in the results")
    add("--results", type=Path, default=RESULTS, metavar="FOLDER", help="default: %(default)s")
    peers = tuple(dict.fromkeys((*TRAINERS, *PREDICTORS)))

    def without(text: str) -> list[str]:
        return options.choose(text, peers, "peer")

    add("--without", type=without, default=[], metavar="PEER,…", help=f"of {', '.join(peers)}")
    args = made.parse_args(argv)
    args.results.mkdir(parents=True, exist_ok=True)
    limits = _limits(args.results / "limits.json")
    print(tables_page.limits_text(limits["limits"]))
    for part in PARTS:
        for key in args.cases:
            code = _measure(part, key, args)
            if code:
                return code
    tables_page.publish(args.results, list(PARTS))
    return 0


if __name__ == "__main__":
    sys.exit(session.run(main))
