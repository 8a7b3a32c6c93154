"""The lines of a history in an Axes, and the marks of its best epoch and its stop."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from lamina.history import History

__all__ = [
    "FAIR",
    "draw_rate",
    "draw_values",
    "legend",
    "log_axis",
    "log_tick",
    "mark_best",
    "mark_stop",
    "marked",
    "scale",
    "width",
    "without_mathematics",
]

_BEST = "best epoch"
_FEW = 30  # epochs: each has a marker
_LOG_FROM = 10  # largest over smallest value from which an axis is logarithmic
FAIR = "train_loss_eval"  # the key of the training loss in inference mode
_FAIR = "training, measured as validation"
_STOP = "#cf4452"  # a red that stands out on white and on black


def draw_values(ax: Axes, history: History, keys: Sequence[str], may_be_log: bool) -> None:
    """Draw values and their validation values: two colours, or of several keys one for each."""
    several = len(keys) > 1
    shown: list[NDArray[np.float64]] = []
    for index, name in enumerate(keys):
        for key, label in ((name, "training"), (FAIR, _FAIR), (f"val_{name}", "validation")):
            if key not in history or (key == FAIR and (several or name != "loss")):
                continue
            held_out = key not in (name, FAIR)
            values = _finite(history[key])
            shown.append(values)
            ax.plot(
                history.epoch,
                values,
                "--" if key == FAIR or (several and not held_out) else "-",
                marker="o",
                markersize=3.5,
                markevery=marked(values),
                linewidth=width(len(values)) * (1.15 if held_out else 1.0),
                color=f"C{index if several else int(held_out)}",
                label=without_mathematics(f"{label}, {name}" if several else label),
            )
    scale(ax, shown, may_be_log)
    if not history.epoch:
        ax.text(0.5, 0.5, _nothing(history), ha="center", va="center", transform=ax.transAxes)


def _nothing(history: History) -> str:
    why = f"\n{_short(history.stop_reason)}" if history.stop_reason else ""
    return f"no epoch was completed{why}"


def legend(ax: Axes, history: History) -> None:
    """Name the lines; the best epoch has its dot there, too."""
    from matplotlib.lines import Line2D

    handles, labels = ax.get_legend_handles_labels()
    if not handles:
        return
    for place, handle in enumerate(handles):
        if isinstance(handle, Line2D):
            handles[place] = twin = Line2D([], [])
            twin.update_from(handle)
            twin.set_marker("o" if handle.get_gid() == _BEST else "")
            twin.set_markersize(6)
    # About what it takes, in inches.
    size = 0.5 + 0.058 * max(map(len, labels)), 0.1 + 0.17 * len(labels)
    corner = _free_corner(ax, *size)
    ax.legend(handles, labels, loc=corner, fontsize="small", framealpha=0.8)


def _free_corner(ax: Axes, width: float, height: float) -> Any:
    """Return the corner with the least of the lines in it; marks do not count."""
    wide, high = width * ax.figure.dpi / ax.bbox.width, height * ax.figure.dpi / ax.bbox.height
    counts = dict.fromkeys(("upper right", "lower left", "upper left", "lower right"), 0)
    ax.get_xlim(), ax.get_ylim()  # brings the limits up to date, which the transform needs
    to_axes = ax.transData + ax.transAxes.inverted()
    for line in ax.get_lines():
        points = np.asarray(line.get_xydata(), dtype=np.float64)
        if line.get_transform() != ax.transData or not len(points):
            continue
        points = to_axes.transform(points)
        points = points[np.isfinite(points).all(axis=1)]
        if not len(points):
            continue
        way = np.append(0, np.cumsum(np.hypot(*np.diff(points, axis=0).T)))
        x, y = (np.interp(np.linspace(0, way[-1], 500), way, one) for one in points.T)
        for corner in counts:
            there = (y > 1 - high) if "upper" in corner else (y < high)
            there &= (x > 1 - wide) if "right" in corner else (x < wide)
            counts[corner] += int(there.sum())
    return min(counts, key=counts.__getitem__)


def draw_rate(ax: Axes, history: History) -> None:
    """Draw the learning rate, which holds for a whole epoch as far as it is known."""
    rate = _finite(history.learning_rate)
    line = ax.plot(history.epoch, rate, drawstyle="steps-mid", color="C2", linewidth=1.4)[0]
    if len(rate) == 1:
        line.set_marker("o")
    scale(ax, [rate], may_be_log=True, roomy=False)
    if ax.get_yscale() == "linear":
        ax.set_ylim(bottom=0)
        ax.locator_params(axis="y", nbins=4)


def _finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the values with gaps where there is no number to be drawn."""
    return np.where(np.isfinite(values), values, np.nan)


def marked(values: NDArray[np.float64]) -> list[int]:
    """Return which values get a marker: all of a few, else those that no line reaches."""
    there = np.isfinite(values)
    if len(values) > _FEW:
        there &= ~np.append(there[1:], False) & ~np.insert(there[:-1], 0, False)
    return [int(place) for place in np.flatnonzero(there)]


def width(epochs: int) -> float:
    """Return how thick a line of so many points is."""
    return 1.6 if epochs <= 200 else 1.0


def scale(
    ax: Axes, shown: Sequence[NDArray[np.float64]], may_be_log: bool, roomy: bool = True
) -> None:
    """Make the axis logarithmic if its values are positive and of several magnitudes."""
    values = np.concatenate(shown) if shown else np.empty(0)
    values = values[np.isfinite(values)]
    if not may_be_log or not values.size or values.min() <= 0:
        return
    if values.max() >= _LOG_FROM * values.min():
        log_axis(ax, values, roomy)


def log_axis(ax: Axes, values: NDArray[np.float64], roomy: bool = True) -> None:
    """Make the axis logarithmic, with labels that suit such values, all above 0."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    ax.set_yscale("log")
    decades = math.log10(values.max() / values.min())
    if values.min() >= 1e-4 and values.max() < 1e5:  # else as powers of ten
        ax.yaxis.set_major_formatter(FuncFormatter(log_tick))
        if decades <= (2.5 if roomy else 1.3):  # else the decades alone are labels enough
            ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.yaxis.set_minor_formatter(NullFormatter())


def log_tick(value: float, _: object = None) -> str:
    """Return the label of a tick on a logarithmic axis: 1, 2 and 5 of each decade have one.

    Examples
    --------
    >>> [log_tick(value) for value in (0.01, 0.02, 0.03, 0.05, 10.0)]
    ['0.01', '0.02', '', '0.05', '10']
    """
    return f"{value:g}" if f"{value:e}"[0] in "125" else ""


# ---- the marks ----------------------------------------------------------------------------------


def mark_best(ax: Axes, history: History, keys: Sequence[str], *, named: bool) -> None:
    """Draw a line through the best epoch, and a point on the values it has there."""
    best = history.best_epoch
    if best is None or best not in history.epoch:
        return
    values = _values_of(history, keys, history.epoch.index(best))
    label = f"best epoch ({best})"
    if len(values) == 1 and named:
        label += f": {next(iter(values.values())):.4g}"
    line = ax.axvline(best, color="0.5", linestyle=":", linewidth=1.2, zorder=0.9)
    if named:
        line.set_label(label)
        line.set_gid(_BEST)
    for index, value in values.items():
        edge = ax.get_facecolor()
        ax.plot(best, value, "o", markersize=8, color=f"C{index}", mec=edge, mew=1.5, zorder=5)


def _values_of(history: History, keys: Sequence[str], place: int) -> Mapping[int, float]:
    """Return what the lines have in an epoch by colour: validation, else training."""
    found: dict[int, float] = {}
    for index, name in enumerate(keys):
        for key, held_out in ((f"val_{name}", 1), (name, 0)):
            if key in history and math.isfinite(history[key][place]):
                found[index if len(keys) > 1 else held_out] = float(history[key][place])
                break
    return found


def mark_stop(ax: Axes, history: History, *, named: bool) -> None:
    """Draw a line where the training ended before its time, and say why above it."""
    reason = history.stop_reason
    if not history.epoch or reason is None or reason == "all epochs done":
        return
    last = history.epoch[-1]
    ax.axvline(last, color=_STOP, linewidth=1.0, alpha=0.7, zorder=0.8)
    if named:
        inches = ax.bbox.width / ax.figure.dpi
        ax.annotate(
            textwrap.fill(_short(reason), max(20, int(12 * inches)), break_on_hyphens=False),
            xy=(last, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 4),
            textcoords="offset points",
            ha="right" if len(history) > 1 else "center",
            va="bottom",
            fontsize="small",
            color=_STOP,
        )


def _short(reason: str) -> str:
    """Return the first part of a reason, in one line.

    Examples
    --------
    >>> _short("EarlyStopping: val_loss has not improved for 5 epochs; best 0.3 in epoch 7")
    'stopped: val_loss has not improved for 5 epochs'
    >>> _short("interrupted")
    'interrupted'
    """
    first = reason.splitlines()[0].split(";")[0].strip() if reason.strip() else ""
    first = first.removeprefix("EarlyStopping: ")
    if first not in ("interrupted", "stopped") and not first.startswith("diverged"):
        first = f"stopped: {first}"
    return without_mathematics(textwrap.shorten(first, 72, placeholder=" …"))


def without_mathematics(text: str) -> str:
    """Return a text in which matplotlib takes no dollar for the begin of a formula."""
    return text.replace("$", r"\$")
