"""Pictures, drawn by matplotlib without touching its global state; imported only when needed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from lamina import activations
from lamina.history_lines import log_tick
from lamina.schedules.base import Schedule, Scheduled, as_schedule

if TYPE_CHECKING:
    from lamina.history import History

__all__ = ["activation", "save_learning_curve", "schedule"]


def activation(
    activation: str | activations.Activation,
    *,
    axes: Any = None,
    span: tuple[float, float] = (-5.0, 5.0),
) -> Any:
    """Draw an activation function and, dashed, its derivative.

    Of a function of whole rows (softmax, log_softmax) the first output of the row (x, 0) is drawn,
    and its derivative by x.

    Parameters
    ----------
    activation : str or Activation
        As in a layer: ``"gelu"`` or ``lm.activations.ELU(alpha=0.5)``.
    axes : matplotlib Axes, optional
        Where to draw; default a new figure.
    span : pair of float, default (-5, 5)
        Lowest and highest x.

    Returns
    -------
    matplotlib Axes
        ``axes.figure.savefig("gelu.png")`` writes the picture.

    Raises
    ------
    ImportError
        If matplotlib is not installed; the message names the remedy.
    ValueError
        If there is no such function.

    Examples
    --------
    >>> import lamina as lm
    >>> axes = lm.plots.activation("gelu")
    >>> [line.get_label() for line in axes.lines[-2:]]
    ['value', 'derivative']
    """
    function = activations.get(activation)
    title = f"{function!r}".removeprefix("lm.activations.").removesuffix("()")
    # An even number of points: none is at a kink in the middle, where a derivative jumps.
    x = np.linspace(*span, 400)
    if isinstance(function, activations.RowwiseActivation):
        row = np.stack([x, np.zeros_like(x)], axis=1)
        y, slope = function(row)[:, 0], function.jacobian(row)[:, 0, 0]
        title += " of the row (x, 0)"
    else:
        assert isinstance(function, activations.ElementwiseActivation)
        y, slope = function(x), function.derivative(x)
    axes = _new_axes() if axes is None else axes
    axes.axhline(0, color="0.8", linewidth=0.8, zorder=0)
    axes.axvline(0, color="0.8", linewidth=0.8, zorder=0)
    axes.plot(x, y, color="C0", linewidth=1.8, label="value")
    axes.plot(x, slope, "--", color="C3", linewidth=1.4, label="derivative")
    axes.set(title=title, xlim=span)
    return axes


def schedule(schedule: Scheduled, *, steps: int = 100, axes: Any = None) -> Any:
    """Draw what a schedule gives at each step, or epoch, of a training.

    Parameters
    ----------
    schedule : Schedule or function
        ``lm.OneCycle(0.1)``, or any Python function of the step.
    steps : int, default 100
        How many steps, or epochs if that is the schedule's unit. A schedule whose ``total_steps``
        is None takes them for its length, as it does in a fit.
    axes : matplotlib Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    matplotlib Axes
        ``axes.figure.savefig("schedule.png")`` writes the picture.

    Raises
    ------
    ImportError
        If matplotlib is not installed; the message names the remedy.
    ValueError
        If the length of a schedule inside this one is not known: give its ``total_steps``.

    Examples
    --------
    >>> import lamina as lm
    >>> axes = lm.plots.schedule(lm.OneCycle(0.1), steps=100)
    >>> bool(abs(axes.lines[0].get_ydata().max() - 0.1) < 1e-12)
    True
    """
    follows = as_schedule(schedule)
    if not isinstance(follows, Schedule):
        raise TypeError(f"plots.schedule: expected a Schedule or a function, got {follows!r}")
    known = follows
    if getattr(follows, "total_steps", steps) is None:
        known = type(follows).from_config({**follows.get_config(), "total_steps": steps})
    t = np.arange(steps)
    values = known(t)
    axes = _new_axes() if axes is None else axes
    axes.plot(t, values, color="C0", linewidth=1.8, drawstyle="steps-post")
    axes.set(title=type(follows).__name__, xlabel=f"{getattr(follows, 'unit', 'step')}s")
    axes.set(xlim=(0, steps), ylim=(0, 1.08 * max(float(values.max()), 1e-300)))
    return axes


def _new_axes() -> Any:
    """Return the axes of a new figure that no window of matplotlib's knows."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError('pictures need matplotlib: pip install "lamina[plot]"') from None
    return Figure(figsize=(5.0, 3.4), dpi=120, layout="constrained").add_subplot()


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
        axes.yaxis.set_major_formatter(FuncFormatter(log_tick))
        axes.yaxis.set_minor_formatter(FuncFormatter(log_tick))
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
