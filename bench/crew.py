"""The parent's side of the workers: start them, ask them one after the other, round by round."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SETTLE_SECONDS = 0.02  # OpenMP helpers of the last contestant spin for some milliseconds


class WorkerError(Exception):
    """A contestant cannot do what it was asked, or its process has ended."""


class Member:
    """One contestant at one thread count, in its own process."""

    def __init__(self, name: str, threads: int, worker: str = "worker.py") -> None:
        self.name, self.threads = name, threads
        self.version = ""
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name(worker)), name, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __str__(self) -> str:
        return f"{self.name}, {self.threads} thread{'s' if self.threads > 1 else ''}"

    def greet(self) -> None:
        self.version = str(self._read()["version"])

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        pipe = self._process.stdin
        assert pipe is not None
        try:
            pipe.write(json.dumps({"do": do, **arguments}) + "\n")
            pipe.flush()
        except BrokenPipeError:
            raise WorkerError(f"its process ended with {self._process.wait()}") from None
        return self._read()

    def _read(self) -> dict[str, Any]:
        pipe = self._process.stdout
        assert pipe is not None
        line = pipe.readline()
        if not line:
            raise WorkerError(f"its process ended with {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        for trouble in ("missing", "error"):
            if trouble in answer:
                raise WorkerError(answer[trouble])
        return answer

    def dismiss(self) -> None:
        self._process.kill()
        self._process.communicate()


def say(text: str) -> None:
    """Progress and remarks go to stderr, so that stdout is the report alone."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def crew(
    names: Iterable[str], threads: list[int], worker: str = "worker.py"
) -> Iterator[tuple[list[Member], dict[str, str]]]:
    """Start every contestant at every thread count; yields those present and why others are not."""
    members: list[Member] = []
    missing: dict[str, str] = {}
    try:
        for name in names:
            members += [Member(name, count, worker) for count in threads]
        present = []
        for member in members:
            try:
                member.greet()
                present.append(member)
            except WorkerError as error:
                missing.setdefault(member.name, str(error))
        for name, why in missing.items():
            say(f"{name}: skipped ({why})")
        yield present, missing
    finally:
        for member in members:
            member.dismiss()


def try_each(members: list[Member], action: Callable[[Member], object]) -> list[Member]:
    """Run the action on each; those for which it failed are named and left out of the result."""
    able = []
    for member in members:
        try:
            action(member)
            able.append(member)
        except WorkerError as error:
            say(f"{member}: left out ({error})")
    return able


def play_rounds(
    members: list[Member],
    rounds: int,
    measure: Callable[[Member], float],
    before_round: Callable[[int], None],
) -> dict[Member, list[float]]:
    """Ask all for one figure a round, in an order that rotates, so that no place is favoured.

    A contestant that fails is dropped with all its figures.
    """
    figures: dict[Member, list[float]] = {member: [] for member in members}

    def take(member: Member) -> None:
        time.sleep(SETTLE_SECONDS)
        figures[member].append(measure(member))

    for number in range(rounds):
        before_round(number + 1)
        first = number % max(1, len(members))
        able = try_each(members[first:] + members[:first], take)
        members = [member for member in members if member in able]
    return {member: figures[member] for member in members}
