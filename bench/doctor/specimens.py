"""The trainings of the zoo, each made once: its facts and its proof are kept as a line of JSON.

Thresholds can be changed and the table printed again from these lines without training anew.
"""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import json
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TextIO

import report

import lamina as lm
from doctor import broken, examining, healthy
from doctor.data import MissingError, load
from doctor.entry import ENTRIES, Entry
from doctor.task import Task
from doctor.training import Trained, plain

__all__ = ["Specimen", "broken", "collect", "healthy", "read", "sources"]

FILE = "facts.jsonl"
UNKNOWN = "unknown"  # what lines have that were written before there was such a field


@dataclass(frozen=True)
class Specimen:
    """An entry on a data set of a seed: whether it is what it should be, and its facts."""

    entry: str
    set: str
    seed: int
    source: str  # of which code: an entry that was edited is trained again
    by: str  # who gathered the facts
    proven: bool
    proof: str
    seconds: float
    facts: dict[str, Any]
    failed: str = ""  # the doctor has: with this error
    commit: str = UNKNOWN  # of the sources that gathered the facts
    date: str = UNKNOWN  # on which they were gathered, UTC

    @property
    def key(self) -> tuple[str, str, int]:
        """What it is known by."""
        return self.entry, self.set, self.seed


def collect(
    folder: Path,
    sets: Sequence[str],
    seeds: Sequence[int],
    places: Sequence[Path],
    names: Sequence[str] = (),
    fresh: bool = False,
) -> Iterator[tuple[Specimen | None, str]]:
    """Make what is not in the folder's file yet; yield each with a word on what happened.

    `names`: beginnings of the names of entries; none: all. A set that is not here is skipped.
    """
    commit = sources()  # as they are now that they have been imported
    folder.mkdir(parents=True, exist_ok=True)
    known = {one.key: one for one in read(folder)}
    with (folder / FILE).open("w") as file:
        for one in known.values():
            _write(file, one)
        missing = set()
        for seed in seeds:
            for name in (one for one in sets if one not in missing):
                try:
                    task = load(name, seed, tuple(places))
                except MissingError as why:
                    missing.add(name)
                    yield None, f"{name}: skipped ({why})"
                    continue
                maker = _Maker(task, seed, commit)
                for entry in _chosen(name, names):
                    old = None if fresh else known.get((entry.name, name, seed))
                    if old and old.source == source(entry) and old.by == examining.BY:
                        continue
                    made = maker.make(entry)
                    _write(file, made)
                    yield made, "made"


def read(folder: Path) -> list[Specimen]:
    """Return what the file has of entries that there are; of two of a name the later."""
    path = folder / FILE
    if not path.exists():
        return []
    found = {}
    for line in path.read_text().splitlines():
        one = Specimen(**json.loads(line))
        if one.entry in ENTRIES and one.set in ENTRIES[one.entry].on:
            found[one.key] = one
    return list(found.values())


def _write(file: TextIO, one: Specimen) -> None:
    file.write(json.dumps(dataclasses.asdict(one)) + "\n")
    file.flush()


def sources() -> str:
    """Return the commit of the library and of the zoo; a plus sign: edited since.

    A lamina that is not of this tree is told: nobody knows which commit that one is of.
    """
    ours = Path(lm.__file__).resolve().is_relative_to(report.ROOT)
    return report.commit("bench/doctor") + ("" if ours else " (with another lamina)")


def source(entry: Entry) -> str:
    """Return a mark of an entry's code."""
    return hashlib.sha256(inspect.getsource(entry.build).encode()).hexdigest()[:12]


def _examined(done: Trained) -> tuple[dict[str, Any], str]:
    """Return the facts of a training; or none, and why: an error of the doctor is no answer."""
    try:
        return examining.examine(done).to_dict(), ""
    except Exception as error:
        return {}, f"{type(error).__name__}: {error}"


def _chosen(name: str, names: Sequence[str]) -> list[Entry]:
    wanted = [one for one in ENTRIES.values() if name in one.on]
    return [one for one in wanted if not names or one.name.startswith(tuple(names))]


class _Maker:
    """Trains entries on one data set of one seed."""

    def __init__(self, task: Task, seed: int, commit: str) -> None:
        self.task, self.seed, self.commit = task, seed, commit
        self._plain: dict[int, Trained] = {}

    def make(self, entry: Entry) -> Specimen:
        begun = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # diverging is what some are for
            done = entry.build(self.task, self.seed).run(**examining.SETTINGS)
            proven, words = entry.proof(done, self.task, self.plain)
            facts, failed = _examined(done)
        seconds = round(time.perf_counter() - begun, 3)
        return Specimen(
            entry.name,
            self.task.name,
            self.seed,
            source(entry),
            examining.BY,
            bool(proven),
            words,
            seconds,
            facts,
            failed,
            self.commit,
            f"{datetime.now(timezone.utc):%Y-%m-%d}",
        )

    def plain(self, task: Task) -> Trained:
        """Return the plain training of a task, trained once."""
        if id(task) not in self._plain:
            self._plain[id(task)] = plain(task, self.seed).run()  # which keeps the task alive
        return self._plain[id(task)]
