"""The Markdown page of the tables, with plots, made of the JSON files of tables.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import report
from cases import CASES
from peers import SUBJECT
from report import digits


def limits_text(limits: dict[str, Any]) -> str:
    """The machine's limits, a line each; nothing if they could not be measured."""
    lines = []
    for what, unit, values in (
        ("FMA peak", "GFLOP/s", limits.get("fma_gflops", {})),
        *[
            (f"triad bandwidth, {size} a thread", "GB/s", values)
            for size, values in limits.get("triad_gb_per_s", {}).items()
        ],
    ):
        figures = [
            f"{value} with {threads} thread{'s' if threads != '1' else ''}"
            for threads, value in values.items()
        ]
        if figures:
            lines.append(f"{what}: {', '.join(figures)} ({unit})")
    trip = limits.get("cache_line_round_trip_ns")
    if trip:
        lines.append(f"a cache line's round trip between two cores: {trip['median']} ns")
    return "\n".join(lines)


def training_row(one: dict[str, Any], record: dict[str, Any], own: float | None) -> list[str]:
    """A contestant at a thread count."""
    losses, name = record.get("loss_in_order", {}), one["contestant"]
    apart = (
        f"{abs(losses[name] / losses['torch'] - 1):.0e}"
        if name in losses and "torch" in losses
        else "-"
    )
    share = "-" if one["peak_share"] is None else f"{one['peak_share']:.0%}"
    median = one["median_ms"]
    ends = f"{digits(min(one['epoch_ms']))} to {digits(max(one['epoch_ms']))}"
    ratio = digits(median / own if own else None)
    loss = digits(one["loss_after_one_epoch"])
    label = f"{name} {one['version']}"
    return [label, str(one["threads"]), digits(median), ends, share, ratio, loss, apart]


def inference_row(one: dict[str, Any], record: dict[str, Any], own: float | None) -> list[str]:
    """The same for a call of prediction."""
    median = one["median_us"]
    ends = f"{digits(min(one['call_us']))} to {digits(max(one['call_us']))}"
    label = f"{one['contestant']} {one['version']}"
    ratio = digits(median / own if own else None)
    rate = f"{one['rows_per_second']:,.0f}"
    return [label, str(one["threads"]), digits(median), ends, rate, ratio]


_KINDS = {
    "training": (
        "median_ms",
        ["", "threads", "ms", "least to most", "of peak", f"/ {SUBJECT}", "loss", "in order"],
        training_row,
    ),
    "inference": (
        "median_us",
        ["", "threads", "us a call", "least to most", "rows/s", f"/ {SUBJECT}"],
        inference_row,
    ),
}


def section(part: str, record: dict[str, Any]) -> list[str]:
    """Title, table and ratios of one case."""
    key, header, row = _KINDS[part]
    own = [one[key] for one in record["results"] if one["contestant"] == SUBJECT]
    best = min(own, default=None)
    rows = [row(one, record, best) for one in record["results"]]
    title = record.get("title") or f"{record['case']} {CASES[record['case']].what}"
    if "rows_per_call" in record:
        title += f", {rows_text(record)} a call"
    ratios = [
        f"{one['peer']} {digits(one['ratio'])}"
        f" ({one['lost_rounds']} of {one['rounds']} rounds lost)"
        for one in record["ratios"]
        if not one["peer"].startswith(SUBJECT)
    ]
    lines = [f"### {title}", "", report.markdown_table(header, rows), ""]
    if ratios:
        lines += [f"Best thread counts, peer's time over Lamina's: {'; '.join(ratios)}.", ""]
    return lines


def publish(folder: Path, parts: list[str]) -> None:
    """tables.md and a plot a part, of all cases whose files are in the folder."""
    limits = json.loads((folder / "limits.json").read_text())
    lines = [
        "# Lamina beside its peers",
        "",
        f"`python -m bench` on {report.machine_line(limits['machine'])}."
        " ../README.md says how it is measured and how to read it.",
        "",
        *[f"- {line}" for line in limits_text(limits["limits"]).splitlines()],
        "",
    ]
    for part in parts:
        files = [folder / f"{part}-{key}.json" for key in CASES]
        found = [json.loads(path.read_text()) for path in files if path.exists()]
        records = [record for one in found for record in one["cases"]]
        if not records:
            continue
        lines += [f"## {part.capitalize()}", "", *_circumstances(found)]
        picture = folder / f"{part}.svg"
        if _plot(part, records, picture):
            lines += [f"![{part}]({picture.name})", ""]
        for record in records:
            lines += section(part, record)
    (folder / "tables.md").write_text("\n".join(lines))


def _circumstances(found: list[dict[str, Any]]) -> list[str]:
    commits = sorted({one["machine"]["commit"] for one in found})
    rounds = sorted({one["options"]["rounds"] for one in found})
    loads = [one["machine"]["load_average"] for one in found]
    missing = {name: why for one in found for name, why in one["missing"].items()}
    lines = [
        f"Commit {', '.join(commits)}; {', '.join(map(str, rounds))} interleaved rounds;"
        f" load average before each case: {', '.join(map(str, loads))}."
    ]
    lines += [f"{name} was left out: {why}." for name, why in missing.items()]
    return [*lines, ""]


def _plot(part: str, records: list[dict[str, Any]], path: Path) -> bool:
    """For each case the peers' times over Lamina's, at the best thread counts."""
    plt = report.pyplot()
    if plt is None or not any(record["ratios"] for record in records):
        return False
    peers = [one["peer"] for record in records for one in record["ratios"]]
    names = [one for one in dict.fromkeys(peers) if not one.startswith(SUBJECT)]
    if not names:
        return False
    figure, axes = plt.subplots(figsize=(8, 4.5))
    width = 0.8 / len(names)
    for i, name in enumerate(names):
        by_peer = [{one["peer"]: one["ratio"] for one in record["ratios"]} for record in records]
        values = [known.get(name, float("nan")) for known in by_peer]
        axes.bar([at + i * width for at in range(len(records))], values, width, label=name)
    axes.axhline(1.0, color="black", linewidth=1)
    labels = [
        record["case"] + (f"\n{rows_text(record)}" if "rows_per_call" in record else "")
        for record in records
    ]
    axes.set_xticks([at + 0.4 - width / 2 for at in range(len(records))], labels)
    axes.set(yscale="log", ylabel="peer's time / Lamina's", title=part)
    axes.legend(fontsize="small")
    report.save_figure(figure, path)
    return True


def rows_text(record: dict[str, Any]) -> str:
    """`1 row`, `8,192 rows`: of a call."""
    rows = record["rows_per_call"]
    return f"{rows:,} row{'' if rows == 1 else 's'}"
