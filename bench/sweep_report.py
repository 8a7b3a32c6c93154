"""The sweep's table, its Markdown page and its plot."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import report
from peers import SUBJECT
from report import digits

LOSS = 1.10  # times the best peer's seconds: from here on a point is lost
NARROW = 512  # no point up to this width may be lost

Points = dict[str, dict[str, Any]]
HEADER = ["point", "rows", "us a step", "GFLOP/s", "best peer", "ratio", "rounds", ""]


def lost(record: dict[str, Any]) -> bool:
    """Slower than the best peer by more than a tenth, in the median of the rounds."""
    return record["ratio"] is not None and record["ratio"] > LOSS


def row(name: str, record: dict[str, Any]) -> list[str]:
    """One line of the table."""
    own = record["epoch_seconds"].get(SUBJECT)
    step = statistics.median(own) / record["steps"] if own else None
    rate = record["flops_per_step"] / step * 1e-9 if step else None
    ends = record["ratios"]
    cut = record["rows"] < record["point"]["rows"]
    return [
        name,
        f"{record['rows']:,}" + (" (cut)" if cut else ""),
        digits(step * 1e6 if step else None),
        digits(rate),
        record["best"] or "-",
        digits(record["ratio"]),
        f"{min(ends):.2f} to {max(ends):.2f}" if ends else "-",
        f"LOSS {record['point']['reason'] or '(no reason known yet)'}" if lost(record) else "",
    ]


def line(name: str, record: dict[str, Any]) -> str:
    """One point while the sweep runs."""
    medians = [
        f"{who} {digits(statistics.median(seconds) / record['steps'] * 1e6)} us"
        for who, seconds in record["epoch_seconds"].items()
    ]
    verdict = "  LOSS" if lost(record) else ""
    return (
        f"{name}: {digits(record['ratio'])} of {record['best']}{verdict}"
        f"  (a step: {', '.join(medians)}; {record['warm_seconds']:.0f} s to warm up,"
        f" {record['measured_seconds']:.0f} s measured)"
    )


def verdict(points: Points) -> str:
    """How many points are lost, and whether that is within the bounds of the project."""
    losses = [one for one in points.values() if lost(one)]
    narrow = [one for one in losses if one["point"]["width"] <= NARROW]
    known = [one["ratio"] for one in points.values() if one["ratio"] is not None]
    middle = digits(statistics.median(known)) if known else "-"
    return (
        f"{len(losses)} of {len(points)} points lost (at most 5 % may be),"
        f" {len(narrow)} of them with width up to {NARROW} (none may be);"
        f" the median of the ratios is {middle}"
    )


def text(found: dict[str, Any], names: list[str]) -> str:
    """The table of the points named."""
    points = {name: found["points"][name] for name in names if name in found["points"]}
    lines = [report.machine_line(found["machine"])]
    if points:
        lines += [report.table(HEADER, [row(name, one) for name, one in points.items()])]
    return "\n".join([*lines, verdict(points)])


def publish(found: dict[str, Any], json_path: Path) -> None:
    """The page beside the JSON file, with a plot where there is matplotlib."""
    points: Points = found["points"]
    picture = json_path.with_suffix(".svg")
    drawn = _plot(points, picture)
    lines = [
        "# Training speed at many points, beside PyTorch and JAX",
        "",
        f"`python -m bench sweep` on {report.machine_line(found['machine'])};"
        f" Lamina at commit {found['machine']['commit']}, {report.versions_line(points)}.",
        "",
        f"Ratio: Lamina's seconds over those of the best peer, median of {found['rounds']}"
        " interleaved rounds; below 1 Lamina is faster. A ratio above"
        f" {LOSS:.2f} is a loss. ../README.md says how it is measured.",
        "",
        f"**{verdict(points)}.**",
        "",
        *([f"![ratio over operations a step]({picture.name})", ""] if drawn else []),
        report.markdown_table(HEADER, [row(name, one) for name, one in points.items()]),
        "",
    ]
    json_path.with_suffix(".md").write_text("\n".join(lines))


def _plot(points: Points, path: Path) -> bool:
    plt = report.pyplot()
    shown = {name: one for name, one in points.items() if one["ratio"] is not None}
    if plt is None or not shown:
        return False
    figure, axes = plt.subplots(figsize=(8, 4.5))
    for threads, marker in ((1, "o"), (2, "s")):
        own = [one for one in shown.values() if one["point"]["threads"] == threads]
        axes.scatter(
            [one["flops_per_step"] for one in own],
            [one["ratio"] for one in own],
            c=["tab:red" if lost(one) else "tab:blue" for one in own],
            marker=marker,
            label=f"{threads} thread{'s' if threads > 1 else ''}",
        )
    axes.axhline(1.0, color="grey", linewidth=1)
    axes.axhline(LOSS, color="tab:red", linewidth=1, linestyle="--")
    axes.set(xscale="log", yscale="log", xlabel="operations a step (FLOP)")
    axes.set(ylabel="Lamina's time / best peer's")
    axes.set_yticks([0.1, 0.2, 0.5, 1, 2], ["0.1", "0.2", "0.5", "1", "2"])
    axes.set_yticks([], minor=True)
    least, most = (f(one["ratio"] for one in shown.values()) for f in (min, max))
    axes.set_ylim(min(0.1, 0.8 * least), max(2, 1.25 * most))
    axes.legend()
    report.save_figure(figure, path)
    return True
