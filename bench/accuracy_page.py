"""The table, the Markdown page and the plot of accuracy.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import report
from peers import SUBJECT
from report import digits

HEADER = ["", "seconds to the target", "warm", f"warm / {SUBJECT}", "epochs", "reached"]


def said(run: dict[str, Any]) -> str:
    """One training while they run."""
    if "error" in run:
        return str(run["error"])
    best = f"{run['scores'][-1]:.4f} after {len(run['scores'])} epochs"
    seconds = run["reached_seconds"]
    return f"{digits(seconds)} s, {best}" if seconds is not None else f"not reached: {best}"


def rows(task: dict[str, Any]) -> list[list[str]]:
    """A line a library."""
    ways = task["ways"]
    own = ways.get(SUBJECT, {}).get("warm_seconds")
    lines = []
    for way, one in ways.items():
        warm = one["warm_seconds"]
        ratio = warm / own if warm is not None and own else None
        cells = [digits(value) for value in (one["median_seconds"], warm, ratio, one["epochs"])]
        reached = f"{one['reached']} of {len(one['runs'])}"
        lines.append([way, *cells, reached])
    return lines


def title(name: str, task: dict[str, Any]) -> str:
    """What was trained, and until when."""
    return f"{name}, {task['network']}, batch {task['batch_size']}: {task['goal']}"


def text(found: dict[str, Any]) -> str:
    """All tables."""
    parts = [f"{report.machine_line(found['machine'])}, {found['threads']} threads"]
    for name, task in found["tasks"].items():
        parts += ["", title(name, task), report.table(HEADER, rows(task))]
    return "\n".join(parts)


def publish(found: dict[str, Any], json_path: Path) -> None:
    """The page beside the JSON file, and a plot a task."""
    lines = [
        "# Time to equal accuracy",
        "",
        f"`python -m bench accuracy` on {report.machine_line(found['machine'])}, commit"
        f" {found['machine']['commit']}, {found['threads']} threads, load average"
        f" {found['machine']['load_average']} at the start. Medians over the seeds;"
        " ../README.md says what the clock counts.",
        "",
    ]
    for name, task in found["tasks"].items():
        lines += [f"## {title(name, task)}", ""]
        picture = json_path.with_name(f"accuracy-{name}.svg")
        if _plot(title(name, task), task, picture):
            lines += [f"![score over seconds]({picture.name})", ""]
        lines += [report.markdown_table(HEADER, rows(task)), ""]
    json_path.with_suffix(".md").write_text("\n".join(lines))


def _plot(name: str, task: dict[str, Any], path: Path) -> bool:
    plt = report.pyplot()
    if plt is None:
        return False
    figure, axes = plt.subplots(figsize=(8, 4.5))
    for i, (way, one) in enumerate(task["ways"].items()):
        for j, run in enumerate(run for run in one["runs"] if "error" not in run):
            label = way if j == 0 else None
            axes.plot(run["seconds"], run["scores"], f"C{i}.-", label=label, alpha=0.8)
    axes.axhline(task["target"], color="black", linewidth=1, linestyle="--")
    axes.set(xscale="log", xlabel="seconds", ylabel="validation score", title=name)
    axes.legend()
    report.save_figure(figure, path)
    return True
