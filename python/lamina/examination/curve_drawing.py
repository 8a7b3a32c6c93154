"""How learning curves and validation curves are drawn."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lamina.history_lines import log_tick, scale, without_mathematics

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_by_number", "draw_by_value"]

_LOG_FROM = 10  # largest over smallest number from which the axis is logarithmic


def draw_by_number(
    ax: Axes | None,
    new_figure: Callable[..., Figure],
    numbers: NDArray[Any],
    curve: Any,
    label: str,
    *,
    best: int | None = None,
    every_tick: bool = False,
) -> Axes:
    """Draw scores by a number; with `every_tick` each number is written below the axis."""
    ax = _axes(ax, new_figure)
    order = np.argsort(numbers, kind="stable")
    if numbers.min() > 0 and numbers.max() >= _LOG_FROM * numbers.min():
        from matplotlib.ticker import FuncFormatter, NullFormatter

        ax.set_xscale("log")
        if every_tick:
            ax.set_xticks(numbers, [str(number) for number in numbers])
            ax.minorticks_off()
        elif numbers.min() >= 1e-4 and numbers.max() < 1e5:
            ax.xaxis.set_major_formatter(FuncFormatter(log_tick))
            ax.xaxis.set_minor_formatter(NullFormatter())
    _draw(ax, numbers, order, curve, best)
    ax.set(xlabel=without_mathematics(label))
    return ax


def draw_by_value(
    ax: Axes | None,
    new_figure: Callable[..., Figure],
    values: Sequence[Any],
    curve: Any,
    label: str,
    *,
    best: int | None = None,
) -> Axes:
    """Draw scores by anything that is no number: side by side in the order given."""
    ax = _axes(ax, new_figure)
    places = np.arange(len(values))
    _draw(ax, places, places, curve, best)
    ax.set_xticks(places, [without_mathematics(str(value)) for value in values])
    ax.set(xlabel=without_mathematics(label))
    return ax


def _axes(ax: Axes | None, new_figure: Callable[..., Figure]) -> Axes:
    if ax is not None:
        return ax
    ax = new_figure(figsize=(7.0, 3.9), layout="constrained").add_subplot()
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(alpha=0.25, linewidth=0.6)
    ax.set_axisbelow(True)
    return ax


def _draw(ax: Axes, x: NDArray[Any], order: NDArray[np.intp], curve: Any, best: int | None) -> None:
    for index, (label, scores) in enumerate(
        (("training", curve.train_scores), ("validation", curve.validation_scores))
    ):
        with warnings.catch_warnings():  # a point may have no score
            warnings.simplefilter("ignore", RuntimeWarning)
            mean = np.nanmean(scores, axis=1)
            spread = np.nanstd(scores, axis=1, ddof=1 if scores.shape[1] > 1 else 0)
        color = f"C{index}"
        ax.plot(x[order], mean[order], "-", color=color, linewidth=1.8, label=label)
        if scores.shape[1] > 1:
            band = mean[order] - spread[order], mean[order] + spread[order]
            ax.fill_between(x[order], *band, color=color, alpha=0.15, linewidth=0)
        every = np.repeat(x, scores.shape[1])
        ax.plot(every, scores.ravel(), ".", color=color, markersize=5, alpha=0.7)
        if best is not None and index == 1:
            edge = ax.get_facecolor()
            ax.axvline(x[best], color="0.5", linestyle=":", linewidth=1.2, zorder=0.9)
            ax.plot(
                *(x[best], mean[best], "o"),
                markersize=9,
                color=color,
                mec=edge,
                mew=1.5,
                zorder=5,
                label=f"best mean: {mean[best]:.4g}",
            )
    scores = [curve.train_scores.ravel(), curve.validation_scores.ravel()]
    scale(ax, scores, may_be_log=curve.larger_is_better is False)
    diverged = curve.diverged.any(axis=1)
    if diverged.any():
        top = ax.get_xaxis_transform()
        ax.plot(
            x[diverged],
            np.full(int(diverged.sum()), 0.97),
            "x",
            color="#cf4452",
            transform=top,
            label="diverged",
        )
    ax.set_ylabel(without_mathematics(curve.metric.replace("_", " ")))
    ax.legend(fontsize="small", framealpha=0.8)
