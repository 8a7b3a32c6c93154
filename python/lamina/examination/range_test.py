"""The range test's result: losses at rising learning rates, and the rate that they suggest."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lamina.history_plot import image, pyplot_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Explosion", "RangeTest", "note_of", "smoothed", "usual_rate"]

_Floats = NDArray[np.float64]

# decisions/0010-which-learning-rate.md has what these were chosen by.
_MEMORY = 5  # the smoothing forgets within a fifth of the steps: its share is 1 - 5 / steps
_BEGIN = 20  # one step in 20 tells where the loss begins
_NOISE = 2.0  # standard deviations of a batch's loss that are no explosion
_SLOW = 0.1  # of the fall: before that the loss hardly moves
_HALF = 0.5  # of the fall; from there
_WAY = 0.2  # of the way to the lowest loss lies the suggestion
_FALL = 4.0  # standard errors of the smoothed loss that are a fall
_FAR = 10.0  # times the suggestion: what comes at higher rates does not move it
_UNUSUAL = 1000.0  # times an optimizer's default rate: nobody trains with more


class RangeTest:
    """What a learning-rate range test has measured: see :func:`lamina.find_learning_rate`.

    Attributes
    ----------
    rates : ndarray, shape (steps,)
        The learning rates, rising; as many as there were steps before the loss exploded.
    losses : ndarray, shape (steps,)
        Of each step's batch, before the step.
    smoothed : ndarray, shape (steps,)
        Their moving average: s_i = share · s_(i-1) + (1 - share) · loss_i, from 0, divided by
        1 - share^i for having begun at 0.
    suggestion : float or None
        The rate to train with; None if the loss did not fall at any rate.
    exploded : bool
        Whether the loss exploded before the highest rate.
    notes : list of str
        What is to be known beside it.
    """

    def __init__(
        self,
        rates: Sequence[float] | _Floats,
        losses: Sequence[float] | _Floats,
        planned: int | None = None,
        notes: Sequence[str] = (),
        usual: float | None = None,
    ) -> None:
        losses = np.asarray(losses, dtype=np.float64)
        whole = int(np.argmin(np.append(np.isfinite(losses), False)))  # what a number follows not
        planned = len(rates) if planned is None else planned
        self.rates = np.asarray(rates, dtype=np.float64)[:whole]
        self.losses = losses[:whole]
        self.smoothed = smoothed(self.losses, planned)
        self.exploded = whole < planned
        self.notes = list(notes)
        self.suggestion, why = _suggestion(self.rates, self.losses, self.smoothed, planned, usual)
        self.notes += why

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the losses by learning rate, and mark the suggestion.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw. Default: a new figure.

        Returns
        -------
        matplotlib.axes.Axes
            ``.figure.savefig("rates.png")`` writes the picture.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        return self._draw(ax, pyplot_figure)

    def _draw(self, ax: Axes | None, new_figure: Callable[..., Figure]) -> Axes:
        if ax is None:
            ax = new_figure(figsize=(7.0, 3.9), layout="constrained").add_subplot()
            ax.spines[["top", "right"]].set_visible(False)
            ax.grid(alpha=0.25, linewidth=0.6)
            ax.set_axisbelow(True)
        ax.set_xscale("log")
        ax.plot(self.rates, self.losses, color="0.72", linewidth=0.8, label="loss of each batch")
        ax.plot(self.rates, self.smoothed, color="C0", linewidth=2.0, label="smoothed")
        if len(self.losses):  # an explosion would leave nothing else to be seen
            low, high = float(self.losses.min()), float(np.max(self.losses[: self._many // _BEGIN]))
            room = 0.08 * (high - low) or 0.05
            ax.set_ylim(low - room, high + 4 * room)
        if self.suggestion is not None:
            there = int(np.argmin(np.abs(np.log(self.rates / self.suggestion))))
            label = f"suggestion: {self.suggestion:.2g}"
            ax.axvline(self.suggestion, color="C1", linewidth=1.4, zorder=0.9)
            where = self.suggestion, self.smoothed[there]
            ax.plot(*where, "o", markersize=9, color="C1", mec=ax.get_facecolor(), label=label)
        ax.set(xlabel="learning rate", ylabel="loss")
        ax.legend(fontsize="small", framealpha=0.8)
        return ax

    @property
    def _many(self) -> int:
        return max(_BEGIN, len(self.losses))

    def __repr__(self) -> str:
        """Return what was measured and what it suggests, in words."""
        said = "none" if self.suggestion is None else f"{self.suggestion:.2g}"
        lines = [f"RangeTest: suggested learning rate {said}"]
        if len(self.rates):
            end = "where the loss exploded" if self.exploded else "the highest asked for"
            lines.append(
                f"{len(self.rates)} steps at rates from {self.rates[0]:.2g} to "
                f"{self.rates[-1]:.2g}, {end}; smoothed loss {self.smoothed[0]:.4g} at first, "
                f"{self.smoothed.min():.4g} at best"
            )
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def _repr_html_(self) -> str:
        """Return the words for notebooks, and below them the plot if matplotlib is there."""
        words = "".join(f"<p>{html.escape(line)}</p>" for line in repr(self).splitlines())
        text = f"Loss by learning rate. {repr(self).splitlines()[0]}"
        drawn = image(lambda new: self._draw(None, new), text) if len(self.rates) else ""
        return f"<div>{words}{drawn}</div>"


def smoothed(losses: _Floats, planned: int) -> _Floats:
    """Return the moving average with bias correction, of a test of so many steps.

    Examples
    --------
    >>> import numpy as np
    >>> smoothed(np.array([1.0, 1.0, 1.0]), 10).round(12).tolist()
    [1.0, 1.0, 1.0]
    """
    share = _share(planned)
    result, average, weight = np.empty(len(losses)), 0.0, 0.0
    for place, loss in enumerate(losses):
        average = share * average + (1 - share) * float(loss)
        weight = share * weight + (1 - share)
        result[place] = average / weight
    return result


def _share(planned: int) -> float:
    return max(0.0, 1 - _MEMORY / planned)


class Explosion:
    """Sees whether the loss has exploded: whether it has risen above where it began.

    By as much as it had fallen before, and by more than chance. Differences are compared, no
    ratios: a loss may be negative.

    Parameters
    ----------
    planned : int
        Steps of the test.
    """

    def __init__(self, planned: int) -> None:
        self._share = _share(planned)
        self._first = max(5, planned // _BEGIN)
        self._losses: list[float] = []
        self._average = self._weight = 0.0
        self._best = math.inf

    def goes_on(self, loss: float) -> bool:
        """Take the loss of a step; False: it has exploded."""
        self._losses.append(loss)
        self._average = self._share * self._average + (1 - self._share) * loss
        self._weight = self._share * self._weight + (1 - self._share)
        now = self._average / self._weight
        self._best = min(self._best, now)
        if not math.isfinite(now):
            return False
        if len(self._losses) <= 2 * self._first:
            return True
        first = math.fsum(self._losses[: self._first]) / self._first
        return now <= first + max(first - self._best, _NOISE * noise(self._losses))


def noise(losses: Sequence[float] | _Floats) -> float:
    """Return the standard deviation of a batch's loss, from how each differs from its neighbours.

    By the median of l_(i-1) - 2 l_i + l_(i+1), which a slope does not change and an explosion
    hardly does: 1.4826 times the median of normal deviates' sizes is their standard deviation, and
    this sum has six times the variance.

    Examples
    --------
    >>> noise([5.0, 4.0, 3.0, 2.0, 1.0, 50.0])
    0.0
    """
    if len(losses) < 3:
        return 0.0
    return 1.4826 * float(np.median(np.abs(np.diff(losses, 2)))) / math.sqrt(6)


def _suggestion(
    rates: _Floats, losses: _Floats, smooth: _Floats, planned: int, usual: float | None
) -> tuple[float | None, list[str]]:
    """Return the rate inside the fall, and what is to be said of it.

    From the rate at which half of the whole fall has come, a fifth of the way to the rate of the
    lowest smoothed loss, on a logarithmic axis.
    """
    first = max(5, planned // _BEGIN)
    if len(losses) <= first:
        return None, ["the loss exploded at once: test lower rates, min_learning_rate"]
    begins, best = float(losses[:first].mean()), int(np.argmin(smooth))
    fall = begins - float(smooth[best])
    error = noise(losses[: max(best + 1, first)]) * _shrunk(planned, best + 1)
    if best < first and len(losses) < planned:
        return None, [
            "the loss fell at no rate and rose from the lowest on: test lower ones, "
            "min_learning_rate, and scale inputs and targets to a spread of about 1"
        ]
    if best < first or fall <= _FALL * error:
        return None, [
            f"the loss did not fall at any rate by more than chance ({fall:.2g}): the model has "
            "learnt what it can, the rates are too low or too high, or the steps too few"
        ]

    def fallen(share: float) -> int:
        """Return the last step before so much of the fall has come for good."""
        above = np.flatnonzero(smooth[: best + 1] > begins - share * fall)
        return int(above[-1]) if above.size else 0

    start, half = fallen(_SLOW), fallen(_HALF)
    place = round(half + _WAY * (best - half))
    notes = []
    if best >= planned - 1:
        notes.append(_at_the_highest(rates, half, place, usual))
    if start <= first:
        notes.append(
            "the loss fell at the lowest rates already: test lower ones, min_learning_rate"
        )
    return float(rates[place]), notes


def _shrunk(planned: int, steps: int) -> float:
    """Return the smoothed loss's standard error after so many steps, in those of a batch's loss."""
    share = _share(planned)
    begun = share**steps
    return math.sqrt((1 - share) / (1 + share) * (1 + begun) / (1 - begun))


def _at_the_highest(rates: _Floats, half: int, place: int, usual: float | None) -> str:
    """Say what it means that the smoothed loss was lowest at the end."""
    highest = float(rates[-1])
    if highest > _FAR * rates[place]:
        return (
            f"the smoothed loss was lowest at the highest rate, {highest:.2g}, but half of its "
            f"fall had come at {rates[half]:.2g}: higher rates need no test; compare some around "
            "the suggestion, lm.validation_curve"
        )
    if usual is not None and highest >= _UNUSUAL * usual:
        return (
            f"the loss still fell at the highest rate, {highest:.2g}, far above the usual "
            f"{usual:.2g}: scale inputs and targets to about 1 instead of testing higher ones"
        )
    return "the loss still fell at the highest rate: test higher ones, max_learning_rate"


def note_of(optimizer: Any) -> list[str]:
    """Say what the test has made of an optimizer's learning rate, if it is no plain number."""
    notes = []
    rate = optimizer.learning_rate
    if not isinstance(rate, (int, float)):
        notes.append(
            f"the trainer's learning rate is a schedule, {rate!r}; the test put its own rates in "
            "its place: take the suggestion for the schedule's highest rate"
        )
    if usual_rate(optimizer) == 1.0:
        notes.append(
            f"{type(optimizer).__name__} finds the size of its steps itself, which takes it some "
            "time, and its learning rate only multiplies them: 1, its default, is usual"
        )
    return notes


def usual_rate(optimizer: Any) -> float:
    """Return the learning rate that an optimizer has by default."""
    return float(type(optimizer).__dataclass_fields__["learning_rate"].default)
