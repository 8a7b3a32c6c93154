"""What the doctor said of the trainings, counted: by code, by data set, of healthy ones."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from doctor.consequences import CODES
from doctor.entry import ENTRIES
from doctor.specimens import Specimen, sources
from lamina import diagnosis
from lamina.diagnosis import Facts

RECALL, RECALL_OVER_ALL, FALSE_ALARMS = 0.8, 0.9, 1 / 20
_diagnose: Any = getattr(diagnosis, "diagnose", lambda facts: diagnosis.Diagnosis([], "", ""))


@dataclass
class Row:
    """What was said of the trainings of one code, or of the healthy ones."""

    code: str
    entries: set[str] = field(default_factory=set)
    trainings: int = 0
    found: int = 0  # the cause was among the problems
    right: int = 0  # and no problem that the training does not have
    strict: int = 0  # the cause was the only problem
    beside: int = 0  # of the right ones: with a further problem that the entry allows
    crashes: int = 0  # the doctor ended with an error
    unproven: int = 0  # trainings that are not what they should be: not counted
    unproven_right: int = 0  # of these
    allowed: Counter[str] = field(default_factory=Counter)  # what stood beside the cause, and may
    wrong: Counter[str] = field(default_factory=Counter)
    unproven_wrong: Counter[str] = field(default_factory=Counter)  # not counted, either
    misses: list[str] = field(default_factory=list)

    @property
    def recall(self) -> float:
        """The share of the trainings that were recognised rightly."""
        return self.right / self.trainings if self.trainings else 0.0

    @property
    def strict_recall(self) -> float:
        """The same if nothing at all were allowed beside the cause."""
        return self.strict / self.trainings if self.trainings else 0.0

    @property
    def alarms(self) -> int:
        """Problems that the trainings do not have; a doctor that crashes says a false one, too."""
        return self.wrong.total() + self.crashes

    def add(self, one: Specimen, problems: Sequence[str]) -> None:
        """Count a training."""
        entry = ENTRIES[one.entry]
        self.entries.add(one.entry)
        right = entry.right(problems) and not one.failed
        if not one.proven:
            self.unproven += 1
            self.unproven_right += right
            self.unproven_wrong.update(entry.wrong(problems))
            return
        self.trainings += 1
        self.crashes += bool(one.failed)
        if entry.code in problems:
            self.found += 1
            self.allowed.update(code for code in problems if code in entry.allows)
        self.strict += right and len(problems) == (entry.code is not None)
        self.wrong.update(entry.wrong(problems))
        if right:
            self.right += 1
            self.beside += len(problems) > 1
        else:
            said = one.failed or ", ".join(problems) or "nothing"
            self.misses.append(f"{one.entry} on {one.set}, seed {one.seed}: {said}")


@dataclass
class Gathering:
    """When facts were gathered, by which sources, of how many trainings."""

    commit: str
    date: str
    trainings: int


def _asked(one: Specimen) -> tuple[Specimen, list[str]]:
    """Return the problems that the rules name; where they end with an error, that it did."""
    if one.failed:
        return one, []
    try:
        return one, _diagnose(Facts.from_dict(one.facts)).codes
    except Exception as error:
        return dataclasses.replace(one, failed=f"{type(error).__name__}: {error}"), []


def _gathered(found: Sequence[Specimen]) -> list[Gathering]:
    counts = Counter((one.commit, one.date) for one in found)
    order = sorted(counts, key=lambda one: (one[1], one[0]))
    return [Gathering(*one, counts[one]) for one in order]


@dataclass
class Result:
    """Everything that is printed."""

    rows: list[Row]  # one a code
    healthy: Row
    places: list[tuple[Row, Row]]  # one a data set: the broken ones on it, the healthy ones
    seeds: list[int]
    sets: list[str]
    by: list[str]
    gathered: list[Gathering]

    @classmethod
    def of(cls, found: Sequence[Specimen]) -> Result:
        """Ask the doctor of every training's facts, and count."""
        rows = {code: Row(code) for code in CODES}
        well = Row("healthy")
        places = {one.set: (Row(one.set), Row(one.set)) for one in found}
        for made in found:
            one, problems = _asked(made)
            code = ENTRIES[one.entry].code
            rows.get(code or "", well).add(one, problems)
            places[one.set][code is None].add(one, problems)
        seeds = sorted({one.seed for one in found})
        by = sorted({one.by for one in found})
        return cls(
            list(rows.values()),
            well,
            list(places.values()),
            seeds,
            list(places),
            by,
            _gathered(found),
        )

    @property
    def recall(self) -> float:
        """Over the broken trainings of all codes."""
        count = sum(row.trainings for row in self.rows)
        return sum(row.right for row in self.rows) / count if count else 0.0

    @property
    def strict_recall(self) -> float:
        """The same if nothing at all were allowed beside the cause."""
        count = sum(row.trainings for row in self.rows)
        return sum(row.strict for row in self.rows) / count if count else 0.0

    @property
    def mean_recall(self) -> float:
        """The mean over the codes: each counts alike, however many trainings it has."""
        return sum(row.recall for row in self.rows) / len(self.rows)

    @property
    def false_alarms(self) -> float:
        """Problems found in healthy trainings, and crashes, for each of them."""
        return self.healthy.alarms / max(1, self.healthy.trainings)

    @property
    def missed(self) -> list[str]:
        """Codes that do not reach their recall."""
        return [row.code for row in self.rows if row.recall < RECALL]

    @property
    def holds(self) -> bool:
        """Whether all targets are reached."""
        over_all = min(self.recall, self.mean_recall) >= RECALL_OVER_ALL
        return not self.missed and over_all and self.false_alarms <= FALSE_ALARMS

    def to_dict(self) -> dict[str, Any]:
        """Return everything in JSON's types."""

        def line(row: Row) -> dict[str, Any]:
            return {
                **vars(row),
                "entries": sorted(row.entries),
                "allowed": dict(row.allowed.most_common()),
                "wrong": dict(row.wrong.most_common()),
                "unproven_wrong": dict(row.unproven_wrong.most_common()),
                "recall": round(row.recall, 4),
                "strict_recall": round(row.strict_recall, 4),
            }

        return {
            "seeds": self.seeds,
            "sets": self.sets,
            "facts": [vars(one) for one in self.gathered],
            "rules": {"commit": sources()},
            "recall": round(self.recall, 4),
            "strict_recall": round(self.strict_recall, 4),
            "mean_recall": round(self.mean_recall, 4),
            "false_alarms": round(self.false_alarms, 4),
            "missed": self.missed,
            "holds": self.holds,
            "codes": [line(row) for row in self.rows],
            "healthy": line(self.healthy),
            "by_set": [
                {"set": one.code, "broken": line(one), "healthy": line(well)}
                for one, well in self.places
            ],
        }
