"""How a history is drawn: losses, metrics and the learning rate by epoch, the best, the stop."""

from __future__ import annotations

import base64
import html
import io
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lamina.history_layers import LayerPanel, draw_layers, layer_panels, name_layers
from lamina.history_lines import (
    FAIR,
    draw_rate,
    draw_values,
    legend,
    mark_best,
    mark_stop,
    without_mathematics,
)
from lamina.metrics._base import direction

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from lamina.history import History

__all__ = ["draw", "image", "picture", "pyplot_figure", "rate_changes"]

_MOST_PANELS = 8  # of metrics that nobody asked for
_WIDTH = 7.0  # inches, of a new figure
_LAYERS_WIDTH = 5.5  # of what stands beside it


@dataclass
class Panel:
    """What one Axes shows: values of the same kind."""

    label: str
    keys: list[str]  # without val_; of the learning rate none
    height: float = 1.0  # in parts of the losses'
    may_be_log: bool = True


def draw(
    history: History,
    ax: Axes | Sequence[Axes] | None,
    metrics: str | Sequence[str] | None,
    learning_rate: bool | None,
    layers: bool | None,
    new_figure: Callable[..., Figure],
) -> Axes:
    """Draw a history as ``History.plot`` says; return the Axes of the losses.

    Parameters
    ----------
    history : History
        What is drawn.
    ax, metrics, learning_rate, layers
        As in ``History.plot``.
    new_figure : callable
        Makes a figure from ``figsize`` and ``layout``, if there is no `ax`.
    """
    panels = _panels(history, metrics, learning_rate, alone=ax is None)
    of_layers = _of_layers(history, layers, alone=ax is None)
    if ax is None:
        axes, beside = _new_axes(new_figure, panels, of_layers)
    else:
        given = list(ax) if isinstance(ax, Iterable) else [ax]
        axes, beside = given[: len(panels)], given[len(panels) :]
    if len(axes) != len(panels) or len(beside) != len(of_layers):
        labels = [panel.label for panel in panels] + [panel.label for panel in of_layers]
        what = ", ".join(labels)
        raise ValueError(
            f"History.plot: expected {len(panels) + len(of_layers)} Axes for what is to be drawn "
            f"({what}), got {len(axes) + len(beside)}"
        )
    empty = not any(one.has_data() for one in axes)
    for panel, one in zip(panels, axes, strict=True):
        first = one is axes[0]
        if panel.keys:
            draw_values(one, history, panel.keys, panel.may_be_log)
        else:
            draw_rate(one, history)
        label = textwrap.fill(panel.label, 24 if panel.height >= 1 else 16)
        one.set_ylabel(without_mathematics(label))
        mark_best(one, history, panel.keys, named=first)
        mark_stop(one, history, named=first)
        if first or len(panel.keys) > 1 or (ax is not None and panel.keys):
            legend(one, history)  # in our own figure the colours are those of the first
    for layer_panel, one in zip(of_layers, beside, strict=True):
        draw_layers(one, history, layer_panel)
        mark_best(one, history, (), named=False)
        mark_stop(one, history, named=False)
    if of_layers:
        name_layers(beside, history, axes[0].figure if ax is None else None)
    for one in [*axes, *beside]:
        one.locator_params(axis="x", integer=True)
        if _at_the_bottom(one):
            one.set_xlabel("epoch")
        if empty and len(history) == 1:
            one.set_xlim(history.epoch[0] - 1, history.epoch[0] + 1)
    return axes[0]


def picture(history: History) -> str:
    """Return an <img> with the plot in it, drawn without pyplot; empty without matplotlib."""
    text = f"Losses and metrics by epoch. {_in_words(history)}"
    return image(lambda new_figure: draw(history, None, None, None, None, new_figure), text)


def image(drawing: Callable[[Callable[..., Figure]], object], text: str) -> str:
    """Return an <img> with what `drawing(new_figure)` draws; empty without matplotlib.

    Parameters
    ----------
    drawing : callable
        Draws into a figure that it makes by ``new_figure(figsize=..., layout=...)``.
    text : str
        Says the same in words, for who cannot see it.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return ""

    figures = []

    def new_figure(**how: Any) -> Figure:
        figures.append(Figure(**how))
        FigureCanvasAgg(figures[0])
        return figures[0]

    drawing(new_figure)
    (figure,) = figures
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=160)  # twice what is shown: sharp on fine screens
    data = base64.b64encode(file.getvalue()).decode()
    width = round(80 * figure.get_figwidth())
    return (
        f'<img src="data:image/png;base64,{data}" alt="{html.escape(text)}" width="{width}" '
        'style="max-width: 100%">'
    )


def pyplot_figure(**how: Any) -> Figure:
    """Return a figure that ``pyplot.show()`` shows."""
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError("plot needs matplotlib: python -m pip install 'lamina[plot]'") from error
    return pyplot.figure(**how)


def _in_words(history: History) -> str:
    best = history.best_epoch
    parts = [f"Best epoch: {best}."] if best is not None else []
    parts += [f"Stopped: {history.stop_reason}."] if history.stop_reason else []
    return " ".join(parts)


# ---- what there is to draw ----------------------------------------------------------------------


def _panels(
    history: History,
    metrics: str | Sequence[str] | None,
    learning_rate: bool | None,
    *,
    alone: bool,
) -> list[Panel]:
    """Return what is drawn, an Axes each; all there is if the figure is ours `alone`."""
    panels = [Panel("loss", ["loss"])]
    if metrics is not None:
        names = [metrics] if isinstance(metrics, str) else list(metrics)
        for name in names:
            if name not in history and f"val_{name}" not in history:
                history[name]  # a KeyError with all names
        if names:
            panels.append(Panel(", ".join(names), names, 0.75, not _rising(names)))
    elif alone:
        panels += _all_metrics(history)
    if learning_rate or (learning_rate is None and alone and rate_changes(history)):
        panels.append(Panel("learning rate", [], 0.45))
    return panels


def _all_metrics(history: History) -> list[Panel]:
    """Return a panel for the outputs' losses, if there are several, and one for each metric."""
    plain = list(dict.fromkeys(key.removeprefix("val_") for key in history.history))
    losses = [key for key in plain if key.endswith("_loss")]
    outputs = [key.removesuffix("_loss") for key in losses]
    others = [key for key in plain if key not in ("loss", "penalty", FAIR, *losses)]
    panels = [Panel("loss of each output", losses, 0.75)] if losses else []
    for key in others[:_MOST_PANELS]:
        label = key.replace("_", " ")
        panels.append(Panel(label, [key], 0.6, direction(key, (), outputs) is False))
    return panels


def _of_layers(history: History, layers: bool | None, *, alone: bool) -> list[LayerPanel]:
    """Return the panels of the layers; an error if they are asked for and there are none."""
    panels = layer_panels(history) if layers or (layers is None and alone) else []
    if layers and not panels:
        raise ValueError(
            "History.plot: nothing is known of the layers; fit(..., monitor=True) records them"
        )
    return panels


def _rising(names: Sequence[str]) -> bool:
    """Tell whether one of these is no error: larger is better, or nobody knows."""
    return any(direction(name) is not False for name in names)


def rate_changes(history: History) -> bool:
    """Tell whether the learning rate was recorded and is not the same in all epochs."""
    known = history.learning_rate[np.isfinite(history.learning_rate)]
    return bool(known.size) and bool((known != known[0]).any())


# ---- where --------------------------------------------------------------------------------------


def _columns(panels: Sequence[Panel]) -> int:
    """Return how many metrics stand side by side: two if there are many."""
    return 2 if len(_middle(panels)) > 3 else 1


def _middle(panels: Sequence[Panel]) -> Sequence[Panel]:
    return [panel for panel in panels[1:] if panel.keys]


def _at_the_bottom(ax: Axes) -> bool:
    """Tell whether the epochs are to be named below this Axes."""
    place = ax.get_subplotspec()
    return place is None or place.is_last_row()


def _new_axes(
    new_figure: Callable[..., Figure], panels: Sequence[Panel], of_layers: Sequence[LayerPanel]
) -> tuple[list[Axes], list[Axes]]:
    """Return the Axes of a new figure, one below the other; many metrics in two columns.

    Those of the layers stand to the right of all others.
    """
    middle, columns = list(range(1, 1 + len(_middle(panels)))), _columns(panels)
    rows = [[0] * columns]
    rows += [middle[at : at + columns] for at in range(0, len(middle), columns)]
    if len(rows[-1]) < columns:
        rows[-1] = rows[-1] * 2
    if not panels[-1].keys:
        rows.append([len(panels) - 1] * columns)
    heights = [panels[row[0]].height for row in rows]
    own_width = _WIDTH + 2.0 * (columns - 1)
    grid: Any
    if of_layers:
        size = own_width + _LAYERS_WIDTH, 0.5 + max(2.9 * sum(heights), 1.75 * len(of_layers))
        figure = new_figure(figsize=size, layout="constrained")
        halves = figure.add_gridspec(1, 2, width_ratios=[own_width, _LAYERS_WIDTH])
        grid = halves[0].subgridspec(len(rows), columns, height_ratios=heights)
    else:
        figure = new_figure(figsize=(own_width, 0.5 + 2.9 * sum(heights)), layout="constrained")
        grid = figure.add_gridspec(len(rows), columns, height_ratios=heights)
    widths = [len(set(row)) for row in rows]
    places: dict[int, Axes] = {}
    for row, names in enumerate(rows):
        for column, name in enumerate(names):
            if name not in places:
                place = grid[row, :] if widths[row] == 1 else grid[row, column]
                places[name] = figure.add_subplot(place, sharex=places.get(0))
                # Numbers below the last, and wherever the next row does not stand exactly below.
                _dress(places[name], labelled=widths[row] != [*widths[1:], 0][row])
    beside = []
    if of_layers:
        grid = halves[1].subgridspec(len(of_layers), 1)
        for number in range(len(of_layers)):
            beside.append(figure.add_subplot(grid[number], sharex=places[0]))
            _dress(beside[-1], labelled=number == len(of_layers) - 1)
    return [places[name] for name in range(len(panels))], beside


def _dress(ax: Axes, *, labelled: bool) -> None:
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(alpha=0.25, linewidth=0.6)
    ax.set_axisbelow(True)
    ax.tick_params(labelbottom=labelled)
