"""What was counted (counting.py): as text, as Markdown and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import report

from doctor.counting import RECALL, RECALL_OVER_ALL, Result, Row
from doctor.data import REPORT, TUNING
from doctor.entry import Entry
from doctor.specimens import UNKNOWN, Specimen, sources

PLACES = ["data set", "broken", "recall", "left out", "healthy", "false problems"]
PLACES += ["left out, healthy", "with a false problem"]
HEADER = ["code", "entries", "trainings", "right", "recall", "strict", "found"]
HEADER += ["beside it, allowed", "beside it, wrongly"]


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
    return f"Seeds {seeds} of {', '.join(result.sets)}{made}; {_commits(result)}."


def _commits(result: Result) -> str:
    """Tell which sources the facts and the rules are of: facts may be older."""
    each = [
        f"{one.commit}, {one.date}" if one.date != UNKNOWN else f"{one.commit}"
        for one in result.gathered
    ]
    if len(each) > 1:
        each = [
            f"{word} ({one.trainings})" for word, one in zip(each, result.gathered, strict=True)
        ]
    many = "s" if len({one.commit for one in result.gathered}) > 1 else ""
    return f"facts gathered at commit{many} {'; '.join(each)}; rules of commit {sources()}"


def _lines(result: Result) -> list[list[str]]:
    return [_line(row) for row in result.rows]


def _line(row: Row) -> list[str]:
    return [
        row.code,
        str(len(row.entries)),
        str(row.trainings),
        str(row.right),
        f"{row.recall:.2f}",
        f"{row.strict_recall:.2f}",
        str(row.found),
        _codes(row.allowed),
        _alarms(row),
    ]


def _places(result: Result) -> list[list[str]]:
    return [
        [
            one.code,
            str(one.trainings),
            f"{one.recall:.2f}",
            str(one.unproven),
            str(well.trainings),
            _alarms(well),
            str(well.unproven),
            str(well.unproven - well.unproven_right),
        ]
        for one, well in result.places
    ]


def _codes(wrong: Counter[str]) -> str:
    return ", ".join(f"{code} {count}" for code, count in wrong.most_common()) or "-"


def _alarms(row: Row) -> str:
    """Every false problem; of a doctor that ends with an error that, too."""
    return _codes(row.wrong + Counter({"crashed": row.crashes}))


def _totals(result: Result) -> list[str]:
    well = result.healthy
    right = sum(row.right for row in result.rows)
    count = sum(row.trainings for row in result.rows)
    strict = sum(row.strict for row in result.rows)
    return [
        f"recall of the codes: {'at least' if not result.missed else 'not always'} {RECALL}"
        + (f", missed by {', '.join(result.missed)}" if result.missed else ""),
        f"recall over all: {right} of {count} ({result.recall:.3f}), mean of the codes "
        f"{result.mean_recall:.3f}; wanted {RECALL_OVER_ALL}",
        f"strict recall, if nothing at all were allowed beside the cause: {strict} of {count} "
        f"({result.strict_recall:.3f})",
        f"further problems beside the cause, which the entries allow: in "
        f"{sum(row.beside for row in result.rows)} of the right trainings",
        f"healthy: {len(well.entries)} entries, {well.trainings} trainings, "
        f"{well.trainings - well.right} with a false problem, {well.alarms} problems in all "
        f"({_alarms(well)}): {20 * result.false_alarms:.2f} in 20; wanted at most 1",
        *_left_out(result),
        f"targets: {'all reached' if result.holds else 'NOT all reached'}",
    ]


def _left_out(result: Result) -> list[str]:
    """Trainings that are not what they should be: broken ones, and healthy ones."""
    codes = Counter({row.code: row.unproven for row in result.rows if row.unproven})
    broken, healthy = (
        Counter({pair[k].code: pair[k].unproven for pair in result.places if pair[k].unproven})
        for k in range(2)
    )
    well = result.healthy
    return [
        f"broken, left out because their proof did not hold: {codes.total()} ({_codes(codes)}; by "
        f"set: {_codes(broken)}), of which {sum(row.unproven_right for row in result.rows)} would "
        f"be right",
        f"healthy, left out because their proof did not hold: {well.unproven} (by set: "
        f"{_codes(healthy)}), of which {well.unproven - well.unproven_right} would have a false "
        f"problem ({_codes(well.unproven_wrong)})",
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
