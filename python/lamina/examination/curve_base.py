"""What both curves of many trainings have: scores, a table, a picture, and care about chance."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lamina.examination.trainings import Scores
from lamina.history_plot import image, pyplot_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Curve", "mean_of", "shown"]

_Floats = NDArray[np.float64]
# Student's t by degrees of freedom: what chance stays below in nine cases of ten, both sides.
_CHANCE = {1: 6.31, 2: 2.92, 3: 2.35, 4: 2.13, 5: 2.02, 6: 1.94, 7: 1.89}


class Curve:
    """What both curves have: scores of trainings by a point and by a repeat.

    Parameters
    ----------
    scores : Scores
        A row a point, a column a repeat.
    metric : str
        What they are.
    larger_is_better : bool or None
        Of the metric; None: nobody knows.
    interrupted : bool
        Whether Ctrl-C ended it.
    """

    def __init__(
        self, scores: Scores, metric: str, larger_is_better: bool | None, interrupted: bool
    ) -> None:
        self.train_scores, self.validation_scores = scores.train, scores.validation
        self.diverged = scores.diverged
        self.metric, self.larger_is_better = metric, larger_is_better
        self.interrupted = interrupted
        self._done = scores.done

    @property
    def repeats(self) -> int:
        """How many trainings there were to be at each point."""
        return int(self.train_scores.shape[1])

    def _points(self) -> Sequence[Any]:
        raise NotImplementedError

    def _point_name(self) -> str:
        raise NotImplementedError

    def _reading(self) -> list[str]:
        raise NotImplementedError

    @property
    def reading(self) -> str:
        """What the curve says, in sentences, with the numbers; no more than the repeats allow."""
        said = self._reading()
        if self.diverged.any():
            bad = [
                shown(point)
                for point, diverged in zip(self._points(), self.diverged, strict=True)
                if diverged.any()
            ]
            said.append(
                f"{int(self.diverged.sum())} trainings diverged, at {', '.join(bad)}; they do not "
                "count."
            )
        if self.interrupted:
            said.append(f"Interrupted after {self._done} of {self.train_scores.size} trainings.")
        return " ".join(said)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw both scores: a dot a training, lines through the means, bands of one spread.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw. Default: a new figure.

        Returns
        -------
        matplotlib.axes.Axes
            ``.figure.savefig("curve.png")`` writes the picture.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        return self._draw(ax, pyplot_figure)

    def _draw(self, ax: Axes | None, new_figure: Callable[..., Figure]) -> Axes:
        raise NotImplementedError

    def __repr__(self) -> str:
        """Return a table of means and spreads, and what it says."""
        rows = [[self._point_name(), f"train {self.metric}", f"validation {self.metric}"]]
        for point, *scores in zip(
            self._points(), self.train_scores, self.validation_scores, strict=True
        ):
            rows.append([shown(point), *(with_spread(one) for one in scores)])
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        lines = ["  ".join(map(str.rjust, row, widths)) for row in rows]
        title = f"{type(self).__name__} of {self._done} trainings"
        return "\n".join([title, *lines, self.reading])

    def _repr_html_(self) -> str:
        """Return the words for notebooks, and below them the plot if matplotlib is there."""
        text = html.escape(repr(self))
        drawn = image(lambda new: self._draw(None, new), f"{type(self).__name__}. {self.reading}")
        return f"<div><pre>{text}</pre>{drawn}</div>"

    # ---- arithmetic ------------------------------------------------------------------------------

    def _errors(self, scores: _Floats) -> _Floats:
        """Return scores of which less is better."""
        return -scores if self.larger_is_better else scores

    def _better(self, place: int, than: int) -> tuple[float, float, bool | None]:
        """Return by how much a point's validation is better than another's, repeat by repeat.

        The mean, its standard error, and whether it is more than chance; None: nobody knows.
        """
        errors = self._errors(self.validation_scores)
        differences = errors[than] - errors[place]
        return mean_of(differences)


def mean_of(differences: _Floats) -> tuple[float, float, bool | None]:
    """Return mean, standard error, and whether it is more than chance (None: nobody knows)."""
    differences = differences[np.isfinite(differences)]
    many = len(differences)
    if many == 0:
        return math.nan, math.nan, None
    mean = float(differences.mean())
    if many == 1:
        return mean, math.nan, None
    error = float(differences.std(ddof=1)) / math.sqrt(many)
    return mean, error, abs(mean) > _CHANCE.get(many - 1, 1.83) * error


def with_spread(scores: _Floats) -> str:
    scores = scores[np.isfinite(scores)]
    if not len(scores):
        return "-"
    spread = f" ± {scores.std(ddof=1):.1g}" if len(scores) > 1 else ""
    return f"{scores.mean():.4g}{spread}"


def shown(value: Any) -> str:
    """Return a point of a curve as a person reads it."""
    number = isinstance(value, (float, np.floating))
    return f"{value:.4g}" if number else str(value)
