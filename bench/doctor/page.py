"""What the doctor said of the trainings, counted; as text, as Markdown and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import report

from doctor.consequences import CODES
from doctor.data import REPORT, TUNING
from doctor.entry import ENTRIES, Entry
from doctor.specimens import Specimen
from lamina import diagnosis
from lamina.diagnosis import Facts

PLACES = ["data set", "broken", "recall", "healthy", "false problems", "left out"]
RECALL, RECALL_OVER_ALL, FALSE_ALARMS = 0.8, 0.9, 1 / 20
_diagnose: Any = getattr(diagnosis, "diagnose", lambda facts: diagnosis.Diagnosis([], "", ""))
HEADER = ["code", "entries", "trainings", "right", "recall", "found", "beside it, wrongly"]


@dataclass
class Row:
    """What was said of the trainings of one code, or of the healthy ones."""

    code: str
    entries: set[str] = field(default_factory=set)
    trainings: int = 0
    found: int = 0  # the cause was among the problems
    right: int = 0  # and no problem that the training does not have
    beside: int = 0  # of the right ones: with a further problem that the entry allows
    unproven: int = 0  # trainings that are not what they should be: not counted
    unproven_right: int = 0  # of these
    wrong: Counter[str] = field(default_factory=Counter)
    misses: list[str] = field(default_factory=list)

    @property
    def recall(self) -> float:
        """The share of the trainings that were recognised rightly."""
        return self.right / self.trainings if self.trainings else 0.0

    def add(self, one: Specimen, problems: Sequence[str]) -> None:
        """Count a training."""
        entry = ENTRIES[one.entry]
        self.entries.add(one.entry)
        right = entry.right(problems) and not one.failed
        if not one.proven:
            self.unproven += 1
            self.unproven_right += right
            return
        self.trainings += 1
        self.found += entry.code in problems
        self.wrong.update(entry.wrong(problems))
        if right:
            self.right += 1
            self.beside += len(problems) > 1
        else:
            said = one.failed or ", ".join(problems) or "nothing"
            self.misses.append(f"{one.entry} on {one.set}, seed {one.seed}: {said}")


@dataclass
class Result:
    """Everything that is printed."""

    rows: list[Row]  # one a code
    healthy: Row
    places: list[tuple[Row, Row]]  # one a data set: the broken ones on it, the healthy ones
    seeds: list[int]
    sets: list[str]
    by: list[str]

    @classmethod
    def of(cls, found: Sequence[Specimen]) -> Result:
        """Ask the doctor of every training's facts, and count."""
        rows = {code: Row(code) for code in CODES}
        well = Row("healthy")
        places = {one.set: (Row(one.set), Row(one.set)) for one in found}
        for one in found:
            problems = [] if one.failed else _diagnose(Facts.from_dict(one.facts)).codes
            code = ENTRIES[one.entry].code
            rows.get(code or "", well).add(one, problems)
            places[one.set][code is None].add(one, problems)
        seeds = sorted({one.seed for one in found})
        by = sorted({one.by for one in found})
        return cls(list(rows.values()), well, list(places.values()), seeds, list(places), by)

    @property
    def recall(self) -> float:
        """Over the broken trainings of all codes."""
        count = sum(row.trainings for row in self.rows)
        return sum(row.right for row in self.rows) / count if count else 0.0

    @property
    def mean_recall(self) -> float:
        """The mean over the codes: each counts alike, however many trainings it has."""
        return sum(row.recall for row in self.rows) / len(self.rows)

    @property
    def false_alarms(self) -> float:
        """Problems found in healthy trainings, for each of them."""
        return self.healthy.wrong.total() / max(1, self.healthy.trainings)

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
                "wrong": dict(row.wrong.most_common()),
                "recall": round(row.recall, 4),
            }

        return {
            "seeds": self.seeds,
            "sets": self.sets,
            "machine": {"commit": report.commit()},
            "recall": round(self.recall, 4),
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


def text(result: Result, misses: bool = False) -> str:
    """The table and what it comes to."""
    parts = [_where(result), report.table(HEADER, _lines(result)), "\n".join(_totals(result))]
    parts.append(report.table(PLACES, _places(result)))
    if misses:
        each = [line for row in [*result.rows, result.healthy] for line in row.misses]
        parts.append("not recognised rightly:\n" + "\n".join(f"  {line}" for line in each))
    return "\n\n".join(parts)


def publish(result: Result, folder: Path) -> None:
    """Write doctor.md and doctor.json."""
    page = [
        "# The doctor's zoo",
        "`python bench/doctor` trains it; [README.md](../README.md) says what is counted, and how.",
        _where(result),
        report.markdown_table(HEADER, _lines(result)),
        "\n".join(f"- {line}" for line in _totals(result)),
        f"Thresholds were chosen on {', '.join(TUNING)}; {', '.join(REPORT)} were never looked at.",
        report.markdown_table(PLACES, _places(result)),
    ]
    (folder / "doctor.md").write_text("\n\n".join(page) + "\n")
    (folder / "doctor.json").write_text(json.dumps(result.to_dict(), indent=1) + "\n")


def _where(result: Result) -> str:
    seeds = ", ".join(map(str, result.seeds))
    made = "" if result.by == ["examine"] else f" (facts by: {', '.join(result.by)})"
    return f"Seeds {seeds} of {', '.join(result.sets)}{made}; commit {report.commit()}."


def _lines(result: Result) -> list[list[str]]:
    return [_line(row) for row in result.rows]


def _line(row: Row) -> list[str]:
    return [
        row.code,
        str(len(row.entries)),
        str(row.trainings),
        str(row.right),
        f"{row.recall:.2f}",
        str(row.found),
        _codes(row.wrong),
    ]


def _places(result: Result) -> list[list[str]]:
    return [
        [
            one.code,
            str(one.trainings),
            f"{one.recall:.2f}",
            str(well.trainings),
            _codes(well.wrong),
            str(one.unproven + well.unproven),
        ]
        for one, well in result.places
    ]


def _codes(wrong: Counter[str]) -> str:
    return ", ".join(f"{code} {count}" for code, count in wrong.most_common()) or "-"


def _totals(result: Result) -> list[str]:
    well = result.healthy
    right = sum(row.right for row in result.rows)
    count = sum(row.trainings for row in result.rows)
    unproven = Counter({row.code: row.unproven for row in [*result.rows, well] if row.unproven})
    return [
        f"recall of the codes: {'at least' if not result.missed else 'not always'} {RECALL}"
        + (f", missed by {', '.join(result.missed)}" if result.missed else ""),
        f"recall over all: {right} of {count} ({result.recall:.3f}), mean of the codes "
        f"{result.mean_recall:.3f}; wanted {RECALL_OVER_ALL}",
        f"further problems beside the cause, which the entries allow: in "
        f"{sum(row.beside for row in result.rows)} of the right trainings",
        f"healthy: {len(well.entries)} entries, {well.trainings} trainings, "
        f"{well.trainings - well.right} with a false problem, {well.wrong.total()} problems in all "
        f"({_codes(well.wrong)}): {20 * result.false_alarms:.2f} in 20; wanted at most 1",
        f"left out because their proof did not hold: {unproven.total()} ({_codes(unproven)}), of "
        f"which {sum(row.unproven_right for row in [*result.rows, well])} would be right",
        f"targets: {'all reached' if result.holds else 'NOT all reached'}",
    ]


def proofs(found: Sequence[Specimen], misses: bool = False) -> str:
    """Which trainings are what they should be: a line an entry and set; or each that is not."""
    if misses:
        return "\n".join(
            f"{one.entry} on {one.set}, seed {one.seed}: {one.proof}"
            for one in found
            if not one.proven
        )
    groups: dict[tuple[str, str], list[Specimen]] = {}
    for one in found:
        groups.setdefault((one.entry, one.set), []).append(one)
    return report.table(
        ["entry", "set", "proven", "seconds", "for instance"],
        [
            [
                name,
                where,
                f"{sum(one.proven for one in each)}/{len(each)}",
                f"{sum(one.seconds for one in each) / len(each):.2f}",
                each[0].proof,
            ]
            for (name, where), each in sorted(groups.items())
        ],
    )


def stories(entries: Iterable[Entry]) -> str:
    """Every entry: its name, its sets, what was done, what else is true of it."""
    lines = []
    for one in sorted(entries, key=lambda one: one.name):
        lines.append(f"{one.name}  ({', '.join(one.on)})\n    {one.story}")
        if one.allows:
            lines.append(f"    may be said as well: {', '.join(sorted(one.allows))}")
    return "\n".join(lines)
