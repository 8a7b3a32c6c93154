"""The metrics of one Trainer: who computes which, under what key, and the set metrics' part."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lamina.metrics._base import (
    Metric,
    RowMetric,
    UndefinedMetricError,
    find_metric,
    is_catalogued,
    spec_for_core,
)

__all__ = ["Measures"]

_TAKEN = ("loss", "penalty")


class _Function(Metric):
    """A user's function ``(y_true, y_pred) -> float`` as a metric; its key is its name."""

    def __init__(self, function: Callable[..., Any]) -> None:
        name = getattr(function, "__name__", "<>")
        if not name.isidentifier():
            raise ValueError(
                f"Trainer: a metric's function needs a name for the history, got {function!r}; "
                "write it with def, or set its __name__"
            )
        self.function = function
        self._weighted = "sample_weight" in _parameters(function)

    @property
    def key(self) -> str:
        """The function's name."""
        return str(self.function.__name__)

    def __call__(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Call the function, with the weights if it takes them."""
        if self._weighted:
            return float(self.function(y_true, y_pred, sample_weight=sample_weight))
        return float(self.function(y_true, y_pred))

    def __repr__(self) -> str:
        """Return the function's."""
        return repr(self.function)


class Measures:
    """The metrics given to a Trainer.

    Parameters
    ----------
    given : str, Metric, callable, or several of them
        Names are looked up.

    Attributes
    ----------
    metrics : list of Metric
        In the order given.

    Raises
    ------
    ValueError
        If a name is unknown or two metrics would have the same key.
    TypeError
        If something is neither a name nor a metric nor a function.
    """

    def __init__(self, given: Any) -> None:
        several = isinstance(given, Iterable) and not isinstance(given, str)
        self.metrics = [_as_metric(one) for one in (given if several else [given])]
        keys = [metric.key for metric in self.metrics]
        for key in keys:
            if keys.count(key) > 1 or key in _TAKEN:
                raise ValueError(
                    f"Trainer: two values would have the key {key!r} in the history; give each "
                    "metric once, and a function another name"
                )
        self._rows = [m for m in self.metrics if _is_of_core(m)]
        self._sets = [m for m in self.metrics if not _is_of_core(m)]

    @property
    def for_core(self) -> str:
        """What the core reads: the specs of those that it computes."""
        return json.dumps([spec_for_core(metric) for metric in self._rows], allow_nan=False)

    @property
    def any_sets(self) -> bool:
        """Whether some need all predictions."""
        return bool(self._sets)

    def keys(self, *, sets: bool) -> list[str]:
        """Return the keys in the order given, with or without those of set metrics."""
        return [m.key for m in self.metrics if sets or _is_of_core(m)]

    def check(
        self,
        target: NDArray[Any],
        some: NDArray[Any],
        weight: NDArray[Any] | None,
        multilabel: bool,
    ) -> None:
        """Refuse targets that a set metric cannot take, given predictions of some rows."""
        likely = np.resize(some, (len(target), some.shape[1]))
        for metric in self._sets:
            if is_catalogued(metric):  # a user's own may count its calls
                _value(metric, target, likely, weight, multilabel)

    def set_values(
        self,
        target: NDArray[Any],
        predictions: NDArray[Any],
        weight: NDArray[Any] | None,
        multilabel: bool,
    ) -> dict[str, float]:
        """Return the values of the set metrics by key."""
        return {
            metric.key: _value(metric, target, predictions, weight, multilabel)
            for metric in self._sets
        }


def _as_metric(given: Any) -> Metric:
    if isinstance(given, str):
        return find_metric(given)
    if isinstance(given, Metric):
        return given
    if callable(given) and not isinstance(given, type):
        return _Function(given)
    raise TypeError(
        f"Trainer: a metric is a name, an object of lm.metrics or a function, got {given!r}"
    )


def _is_of_core(metric: Metric) -> bool:
    """Tell whether the core computes it: one of its own, not a user's subclass."""
    return isinstance(metric, RowMetric) and is_catalogued(metric)


def _value(
    metric: Metric,
    target: NDArray[Any],
    predictions: NDArray[Any],
    weight: NDArray[Any] | None,
    multilabel: bool,
) -> float:
    known = {"multilabel": multilabel} if "multilabel" in _parameters(metric.__call__) else {}
    try:
        value: Any = metric(target, predictions, weight, **known)
    except UndefinedMetricError:
        return float("nan")
    if np.ndim(value) != 0:
        raise TypeError(f"metric {metric.key}: expected a number, got {value!r}")
    return float(value)


def _parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):  # some builtins have none
        return {}
