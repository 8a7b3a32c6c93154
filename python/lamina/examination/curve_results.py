"""What learning_curve and validation_curve return: scores, a picture, and what they say."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lamina.examination.curve_base import Curve, mean_of, shown
from lamina.examination.curve_drawing import draw_by_number, draw_by_value
from lamina.examination.trainings import Scores

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["LearningCurve", "ValidationCurve"]

_Floats = NDArray[np.float64]


class LearningCurve(Curve):
    """Scores by number of training rows: see :func:`lamina.learning_curve`.

    It unpacks as what scikit-learn returns: ``train_sizes, train_scores, validation_scores``.

    Attributes
    ----------
    train_sizes : ndarray of int, shape (sizes,)
        How many rows were trained on.
    train_scores, validation_scores : ndarray, shape (sizes, repeats)
        Of the rows trained on, and of those held out, after the training, without dropout. NaN
        where a training diverged, or was not done before Ctrl-C.
    epochs : list of int
        Of the trainings of each size.
    metric : str
        What the scores are.
    larger_is_better : bool or None
        Of the metric; None: nobody knows.
    diverged : ndarray of bool, shape (sizes, repeats)
        Which trainings did.
    interrupted : bool
        Whether Ctrl-C ended it.
    """

    def __init__(
        self,
        train_sizes: Sequence[int],
        epochs: Sequence[int],
        scores: Scores,
        metric: str,
        larger_is_better: bool | None,
        interrupted: bool = False,
    ) -> None:
        super().__init__(scores, metric, larger_is_better, interrupted)
        self.train_sizes = np.asarray(train_sizes)
        self.epochs = list(epochs)

    def __iter__(self) -> Iterator[NDArray[Any]]:
        """Give sizes, training scores and validation scores."""
        return iter((self.train_sizes, self.train_scores, self.validation_scores))

    def _points(self) -> Sequence[Any]:
        return [int(size) for size in self.train_sizes]

    def _point_name(self) -> str:
        return "rows"

    def _draw(self, ax: Axes | None, new_figure: Callable[..., Figure]) -> Axes:
        return draw_by_number(
            ax, new_figure, self.train_sizes, self, "rows trained on", every_tick=True
        )

    def _reading(self) -> list[str]:
        there = np.flatnonzero(np.isfinite(self.validation_scores).any(axis=1))
        if len(there) < 2:
            return ["Scores at two sizes at least are needed to say anything."]
        first, before, last = there[0], there[-2], there[-1]
        sizes, means = self.train_sizes, np.nanmean(self.validation_scores[there], axis=1)
        said = [
            f"Validation {self.metric}: {means[0]:.4g} with {sizes[first]} rows, {means[-1]:.4g} "
            f"with {sizes[last]}."
        ]
        if self.larger_is_better is None:
            return said
        step = f"From {sizes[before]} to {sizes[last]} rows it"
        return [*said, *self._story(step, self._better(last, before), last, float(means[-1]))]

    def _story(
        self, step: str, change: tuple[float, float, bool | None], last: int, validation: float
    ) -> list[str]:
        """Say what the last step and the gap to training mean together: one advice, no two."""
        gain, error, sure = change
        errors = self._errors(self.validation_scores[last]) - self._errors(self.train_scores[last])
        gap, _, apart = mean_of(errors)
        train = float(np.nanmean(self.train_scores[last]))
        both = f"With all rows {train:.4g} on those trained on, {validation:.4g} on those held out"
        if sure is None or apart is None:
            return ["One training a size: nobody can tell what is chance; repeat it.", f"{both}."]
        by = f"by {abs(gain):.2g} ± {error:.1g}"
        if apart and gap > 0:
            return self._with_gap(step, (by, gain, sure), f"{both}: {gap:.2g} is all that")
        like = "the same within chance" if not apart else "no worse"
        if not sure:
            return [
                f"{step} {self._moved(gain, by)}.",
                f"{both}, {like}: a larger model or better inputs may help, more rows or "
                "regularisation hardly will.",
            ]
        if gain > 0:
            return [
                f"{step} became better {by}.",
                f"{both}, {like}: more rows of the same kind have little left to win; a larger "
                "model, a longer training or better inputs may have more.",
            ]
        return [
            f"{step} became worse {by}: train longer, or look whether the rows are of one kind.",
            f"{both}, {like}: nothing is learnt by heart.",
        ]

    def _with_gap(self, step: str, change: tuple[str, float, bool], can_win: str) -> list[str]:
        """Say it where the rows trained on are known better than those held out."""
        by, gain, sure = change
        if not sure:
            return [
                f"{step} {self._moved(gain, by)}.",
                f"{can_win} regularisation, or many times the rows, can win.",
            ]
        if gain > 0:
            return [
                f"{step} became better {by}: more rows of the same kind would probably help.",
                f"{can_win} more rows, or regularisation, can win.",
            ]
        return [
            f"{step} became worse {by}: train longer, or look whether the rows are of one kind.",
            f"{can_win} regularisation can win.",
        ]

    def _moved(self, gain: float, by: str) -> str:
        """Say where the score itself went, if that may be chance."""
        if abs(gain) <= 1e-12 * np.nanmax(np.abs(self.validation_scores)):  # rounding of means
            return f"did not change in the mean of {self.repeats} repeats"
        rose = (gain > 0) == bool(self.larger_is_better)
        verb = "rose" if rose else "fell"
        return f"{verb} {by}, which may be chance with {self.repeats} repeats"


class ValidationCurve(Curve):
    """Scores by the value of a parameter: see :func:`lamina.validation_curve`.

    It unpacks as what scikit-learn returns: ``train_scores, validation_scores``.

    Attributes
    ----------
    values : list
        What was tried.
    name : str
        Of the parameter.
    best_value : object
        The one with the best mean validation score; None if there is no score.
    train_scores, validation_scores : ndarray, shape (values, repeats)
        Of the rows trained on, and of those held out, after the training, without dropout. NaN
        where a training diverged, or was not done before Ctrl-C.
    metric : str
        What the scores are.
    larger_is_better : bool or None
        Of the metric; None: nobody knows.
    diverged : ndarray of bool, shape (values, repeats)
        Which trainings did.
    interrupted : bool
        Whether Ctrl-C ended it.
    """

    def __init__(
        self,
        name: str,
        values: Sequence[Any],
        scores: Scores,
        metric: str,
        larger_is_better: bool | None,
        interrupted: bool = False,
    ) -> None:
        super().__init__(scores, metric, larger_is_better, interrupted)
        self.name, self.values = name, list(values)

    @property
    def best_value(self) -> Any:
        """The value with the best mean validation score; None if there is none."""
        place = self._best()
        return None if place is None else self.values[place]

    def _best(self) -> int | None:
        # A value at which some repeats diverged is no best one.
        means = self._errors(self.validation_scores).copy()
        means[self.diverged.any(axis=1)] = np.nan
        there = np.flatnonzero(np.isfinite(means).any(axis=1))
        if not there.size or self.larger_is_better is None:
            return None
        return int(there[np.argmin(np.nanmean(means[there], axis=1))])

    def __iter__(self) -> Iterator[_Floats]:
        """Give training scores and validation scores."""
        return iter((self.train_scores, self.validation_scores))

    def _points(self) -> Sequence[Any]:
        return self.values

    def _point_name(self) -> str:
        return self.name

    def _draw(self, ax: Axes | None, new_figure: Callable[..., Figure]) -> Axes:
        best = self._best()
        if self._numeric():
            return draw_by_number(
                ax, new_figure, np.asarray(self.values, float), self, self.name, best=best
            )
        return draw_by_value(ax, new_figure, self.values, self, self.name, best=best)

    def _numeric(self) -> bool:
        return all(
            isinstance(value, (int, float, np.number))
            and not isinstance(value, bool)
            and math.isfinite(value)
            for value in self.values
        )

    def _reading(self) -> list[str]:
        best = self._best()
        if best is None:
            return ["There is no best value."]
        score = float(np.nanmean(self.validation_scores[best]))
        said = [
            f"Best mean validation {self.metric}: {score:.4g}, at {self.name} = "
            f"{shown(self.values[best])}."
        ]
        if self.repeats < 2:
            said.append("One training a value: nobody can tell what is chance; repeat it.")
        else:
            others = [place for place in range(len(self.values)) if place != best]
            found = {place: self._better(best, place) for place in others}
            like = [
                shown(self.values[place]) for place, (*_, sure) in found.items() if sure is False
            ]
            if like:
                said.append(f"Within chance as good: {', '.join(like)}.")
            said += self._ends(best, found)
        if self._numeric() and len(self.values) > 2:
            lowest, highest = int(np.argmin(self.values)), int(np.argmax(self.values))
            if best in (lowest, highest):
                side = "lowest" if best == lowest else "highest"
                said.append(f"It is the {side} value tried: try {side[:-3]}er ones, if there are.")
        said.append("Its score was chosen by these rows: measure it anew on rows kept apart.")
        return said

    def _ends(self, best: int, found: dict[int, tuple[float, float, bool | None]]) -> list[str]:
        """Say of the ends of the curve what goes wrong there."""
        if not self._numeric():
            return []
        said = []
        errors = self._errors(self.train_scores)
        for end in (int(np.argmin(self.values)), int(np.argmax(self.values))):
            if end == best or not found[end][2] or found[end][0] < 0:
                continue
            worse, _, sure = mean_of(errors[end] - errors[best])
            if not sure:
                continue
            why = (
                "training is worse there, too: too little is learnt"
                if worse > 0
                else "training is better there and validation worse: it is learnt by heart"
            )
            said.append(f"At {shown(self.values[end])} {why}.")
        return said
