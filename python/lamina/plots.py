"""Pictures, drawn by matplotlib without touching its global state; imported only when needed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from lamina.history import History

__all__ = ["save_learning_curve"]


def save_learning_curve(
    history: History, path: str | os.PathLike[str], *, title: str, loss_name: str = "loss"
) -> None:
    """Write a PNG of training and validation loss by epoch, with the best epoch marked.

    The losses share a logarithmic axis when they span more than a factor of five.

    Parameters
    ----------
    history : History
        What ``fit`` returned.
    path : str or path
        The file to write.
    title : str
        Above the curves.
    loss_name : str
        Label of the axis of losses, with its unit.

    Raises
    ------
    ImportError
        If matplotlib is not installed; the message names the remedy.
    OSError
        If the file cannot be written.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.ticker import FuncFormatter, MaxNLocator
    except ImportError:
        raise ImportError('pictures need matplotlib: pip install "lamina[plot]"') from None
    figure = Figure(figsize=(7.0, 4.2), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    epochs = np.asarray(history.epoch) + 1
    shown = []
    for key, label, color in (("loss", "training", "C0"), ("val_loss", "validation", "C1")):
        if key in history:
            values = np.asarray(history[key])
            axes.plot(epochs, values, color=color, label=label, linewidth=1.6)
            shown.append(values[np.isfinite(values) & (values > 0)])
    positive = np.concatenate(shown)
    if positive.size and positive.max() > 5 * positive.min():
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(_tick))
        axes.yaxis.set_minor_formatter(FuncFormatter(_tick))
    if history.best_epoch is not None and "val_loss" in history:
        best = history.epoch.index(history.best_epoch)
        value = float(history["val_loss"][best])
        axes.axvline(epochs[best], color="0.75", linewidth=1.0, zorder=0)
        axes.plot(
            epochs[best], value, "o", color="C1", label=f"best: epoch {epochs[best]}, {value:.4g}"
        )
    axes.set(title=title, xlabel="epoch", ylabel=loss_name)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(path)


def _tick(value: float, _: object = None) -> str:
    """Return the label of a tick on a logarithmic axis: 1, 2 and 5 of each decade have one.

    Examples
    --------
    >>> [_tick(value) for value in (0.01, 0.02, 0.03, 0.05, 10.0)]
    ['0.01', '0.02', '', '0.05', '10']
    """
    return f"{value:g}" if f"{value:e}"[0] in "125" else ""
