"""The options that training.py and inference.py share."""

from __future__ import annotations

import argparse
from pathlib import Path

from cases import CASES
from crew import say
from report import available_cpus


def parser(description: str, peers: str, known_peers: tuple[str, ...]) -> argparse.ArgumentParser:
    """A parser with the shared options; lists are given with commas."""

    def names(text: str) -> list[str]:
        return [] if text == "none" else choose(text, known_peers, "peer")

    made = argparse.ArgumentParser(description=description)
    add = made.add_argument
    add("--cases", type=cases, default="A,B,C,D", help="default: %(default)s")
    add("--rounds", type=positive, default=10, help="default: %(default)s")
    add("--threads", type=counts, default="1,2", help="default: %(default)s")
    known = ", ".join(known_peers)
    add("--peers", type=names, default=peers, help=f"none, or of {known}; default: %(default)s")
    add("--json", type=writable, metavar="FILE", help="write all figures there, too")
    add(
        "--seconds",
        type=float,
        default=0.2,
        help="repeat what is shorter than this and take the median; default: %(default)s",
    )
    add("--rows-scale", type=float, default=1.0, help="share of the rows, for a quick look")
    return made


def cases(text: str) -> list[str]:
    """Keys of cases with commas."""
    return choose(text, tuple(CASES), "case")


def choose(text: str, known: tuple[str, ...], what: str) -> list[str]:
    """A list with commas, each of it known."""
    chosen = list(dict.fromkeys(text.split(",")))
    for one in chosen:
        if one not in known:
            raise argparse.ArgumentTypeError(
                f"unknown {what} {one!r}; there are {', '.join(known)}"
            )
    return chosen


def writable(text: str) -> Path:
    """Refuse a bad path now, not after half an hour."""
    path = Path(text)
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {path.parent}")
    return path


def positive(text: str) -> int:
    """A whole number from 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, got {text}")
    return number


def counts(text: str) -> list[int]:
    """Whole numbers from 1 with commas, in order."""
    return sorted({positive(one) for one in text.split(",")})


def possible_threads(wanted: list[int]) -> list[int]:
    """The thread counts that this machine has CPUs for; the others are named and left out."""
    cpus = available_cpus()
    for count in wanted:
        if count > cpus:
            say(f"{count} threads: skipped (this process may use {cpus} CPUs)")
    return [count for count in wanted if count <= cpus] or [1]
