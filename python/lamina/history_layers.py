"""How the layer statistics of a history are drawn: one panel each, layers from light to dark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lamina.history_lines import log_axis, marked, width, without_mathematics

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    from lamina.history import History

__all__ = ["LayerPanel", "draw_layers", "layer_panels", "name_layers"]

_USUAL = 1e-3  # update ratio
_MOST_NAMES = 24  # beside a bar of colours; of more layers every second or third has its name
_MOST_LINES = 8  # in a legend
_SHARES = (("dead", "-"), ("saturated", "--"))


@dataclass
class LayerPanel:
    """What one Axes shows of all layers."""

    label: str
    statistics: tuple[tuple[str, str], ...]  # name and line style
    share: bool = False


def layer_panels(history: History) -> list[LayerPanel]:
    """Return what there is to be drawn of the layers, an Axes each."""
    shares = tuple(one for one in _SHARES if _known(history, one[0]))
    words = " or ".join(name for name, _ in shares)
    panels = [LayerPanel(f"{words} units", shares, share=True)] if shares else []
    for name, label in (
        ("gradient_norm", "gradient norm"),
        ("update_ratio", "update / weight norm"),
    ):
        if _known(history, name):
            panels.append(LayerPanel(label, ((name, "-"),)))
    return panels


def _known(history: History, statistic: str) -> bool:
    return any(np.isfinite(known.get(statistic, [])).any() for known in history.layers.values())


def _names(history: History) -> list[str]:
    """Return the layers of which anything is drawn, in the order of the model."""
    drawn = ("dead", "saturated", "gradient_norm", "update_ratio")
    return [
        name
        for name, known in history.layers.items()
        if any(np.isfinite(known.get(statistic, [])).any() for statistic in drawn)
    ]


def _colours(history: History) -> list[Any]:
    """Return a colour for each layer: light at the input, dark at the output."""
    from matplotlib import colormaps

    many = len(_names(history))
    return list(colormaps["viridis_r"](np.linspace(0.12, 1.0, max(2, many))))[:many]


def draw_layers(ax: Axes, history: History, panel: LayerPanel) -> None:
    """Draw a statistic of all layers by epoch."""
    shown: list[NDArray[np.float64]] = []
    names = _names(history)
    many = len(names) > _MOST_LINES
    for name, colour in zip(names, _colours(history), strict=True):
        for statistic, style in panel.statistics:
            values = np.array(history.layers[name].get(statistic, []), dtype=np.float64)
            values[~np.isfinite(values) | ((values <= 0) & (not panel.share))] = np.nan
            if np.isnan(values).all():
                continue
            shown.append(values)
            ax.plot(
                history.epoch,
                values,
                style,
                color=colour,
                linewidth=1.0 if many else width(len(values)),
                marker="o",
                markersize=1.5 if many else 3.0,
                markevery=marked(values),
                label=without_mathematics(name),
                gid=statistic,
            )
    ax.set_ylabel(panel.label)
    if panel.share:
        _dress_shares(ax, panel, shown)
    elif shown:
        values = np.concatenate(shown)
        log_axis(ax, values[np.isfinite(values)])
    if panel.statistics[0][0] == "update_ratio":
        _draw_usual(ax)


def _draw_usual(ax: Axes) -> None:
    """Draw a line where many trainings have their updates."""
    ax.axhline(_USUAL, color="0.35", linestyle=":", linewidth=1.2, zorder=3)
    ax.annotate(
        "often near 0.001",
        xy=(0.01, _USUAL),
        xycoords=("axes fraction", "data"),
        xytext=(0, 2),
        textcoords="offset points",
        fontsize="small",
        color="0.25",
        zorder=4,
        bbox={"facecolor": ax.get_facecolor(), "alpha": 0.7, "edgecolor": "none", "pad": 0.5},
    )


def _dress_shares(ax: Axes, panel: LayerPanel, shown: Sequence[NDArray[np.float64]]) -> None:
    from matplotlib.legend import Legend
    from matplotlib.lines import Line2D
    from matplotlib.ticker import PercentFormatter

    most = max((float(np.nanmax(values)) for values in shown), default=1.0)
    top = min(1.03, max(0.05, 1.15 * most))
    ax.set_ylim(-0.03 * top, top)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    if len(panel.statistics) > 1:
        names = dict(panel.statistics)
        lines = [Line2D([], [], color="0.3", ls="-" if n == "dead" else "--") for n in names]
        kinds = Legend(ax, lines, list(names), fontsize="small", framealpha=0.8, loc="best")
        ax.add_artist(kinds)


def name_layers(axes: Sequence[Axes], history: History, figure: Figure | SubFigure | None) -> None:
    """Say which colour is which layer: beside the panels of an own figure, else in the first."""
    names, colours = _names(history), _colours(history)
    if figure is None:
        _legend(axes[0], names, colours)
        return
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import BoundaryNorm, ListedColormap

    edges = np.arange(len(names) + 1) - 0.5
    colourmap = ListedColormap(colours)
    mappable = ScalarMappable(BoundaryNorm(edges, len(names)), colourmap)
    bar = figure.colorbar(mappable, ax=list(axes), aspect=40, pad=0.02)
    every = -(-len(names) // _MOST_NAMES)
    places = range(0, len(names), every)
    bar.set_ticks(list(places), labels=[without_mathematics(names[place]) for place in places])
    bar.ax.tick_params(labelsize="small" if len(names) <= 12 else "x-small", length=0)
    bar.ax.minorticks_off()
    bar.ax.invert_yaxis()  # the first layer on top
    bar.outline.set_visible(False)


def _legend(ax: Axes, names: list[str], colours: list[Any]) -> None:
    from matplotlib.lines import Line2D

    places = np.unique(np.linspace(0, len(names) - 1, _MOST_LINES).round().astype(int))
    lines = [Line2D([], [], color=colours[place]) for place in places]
    shown = [without_mathematics(names[place]) for place in places]
    ax.legend(lines, shown, fontsize="small", framealpha=0.8)
