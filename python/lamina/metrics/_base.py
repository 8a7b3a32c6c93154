"""What all metrics have in common, and the one look-up of their names."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, ClassVar

from numpy.typing import ArrayLike

from lamina._config import Configurable, arguments
from lamina._isa import core

__all__ = [
    "Metric",
    "RowMetric",
    "SetMetric",
    "UndefinedMetricError",
    "canonical_key",
    "find_metric",
]


class UndefinedMetricError(ValueError):
    """A metric does not exist for these targets: ROC AUC where all rows are of one class.

    Alone on arrays a metric raises it; a Trainer notes NaN instead.
    """


class Metric(Configurable):
    """A number that says how good predictions are, for a Trainer or alone on arrays.

    Give one to a Trainer by name (``metrics=["f1"]``) or as an object
    (``metrics=[lm.metrics.TopKAccuracy(k=3)]``). The lower-case names of this module are
    ready-made: ``lm.metrics.f1(y_true, y_pred)``.

    For a metric of your own give the Trainer a function ``(y_true, y_pred) -> float``, or write a
    subclass with ``__call__``: it can have arguments, and `larger_is_better` tells
    EarlyStopping(mode="auto") its direction. Like a function it gets all predictions at once.

    Attributes
    ----------
    larger_is_better : bool or None
        The direction; None if it is not known.

    Examples
    --------
    >>> import lamina as lm
    >>> class Bias(lm.metrics.Metric):
    ...     larger_is_better = False
    ...     def __call__(self, y_true, y_pred, sample_weight=None):
    ...         return abs(float((y_pred - y_true).mean()))
    >>> Bias().key
    'bias'
    """

    larger_is_better: ClassVar[bool | None] = None
    _names: ClassVar[tuple[str, ...]] = ()

    def __call__(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Return the metric of all rows.

        Parameters
        ----------
        y_true : array_like, shape (n,) or (n, k)
            Targets.
        y_pred : array_like, shape (n,) or (n, k)
            Predictions.
        sample_weight : array_like, shape (n,), optional
            Weight of each row, at least 0. Default: 1 for each.

        Returns
        -------
        float
        """
        raise NotImplementedError(f"{type(self).__name__}: write __call__")

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the canonical name, then the aliases."""
        return cls._names or (_snake(cls.__name__),)

    @property
    def name(self) -> str:
        """The canonical name, without arguments."""
        return self.names()[0]

    @property
    def key(self) -> str:
        """What the metric is called in results, in History and by EarlyStopping.

        The canonical name, and the arguments that are not at their default.

        Examples
        --------
        >>> import lamina as lm
        >>> lm.metrics.F1().key, lm.metrics.F1(average="macro").key
        ('f1', 'f1_macro')
        >>> lm.metrics.QuantileLoss(levels=0.9).key
        'quantile_loss_0.9'
        """
        parts = [self.name]
        for argument, parameter in arguments(type(self)).items():
            value = getattr(self, argument)
            if value != parameter.default:
                parts += map(str, value if isinstance(value, (list, tuple)) else [value])
        return "_".join(parts)


class RowMetric(Metric):
    """A metric that is a mean over rows: a Trainer's core computes it as the rows pass."""

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the canonical name, then the aliases, as the core knows them."""
        return next(_core_names()[c.__name__] for c in cls.__mro__ if c.__name__ in _core_names())


class SetMetric(Metric):
    """A metric of all rows together: no mean of what single rows or batches have.

    A Trainer computes it on validation data and in evaluate, where all predictions are kept for
    it, and on training data only if asked (``Trainer(set_metrics_on_training=True)``).
    """


@functools.cache
def _core_names() -> dict[str, tuple[str, ...]]:
    """Return names and aliases of the core's metrics by class."""
    return {m["class"]: (m["name"], *m["aliases"]) for m in core.catalogue()["metrics"]}


def find_metric(text: str) -> Metric:
    """Return the metric of a name, alias, class name or key.

    Raises
    ------
    ValueError
        If there is none; the message names the nearest and lists all.

    Examples
    --------
    >>> from lamina.metrics import find_metric
    >>> find_metric("acc"), find_metric("f1_macro")
    (lm.metrics.Accuracy(), lm.metrics.F1(average="macro"))
    """
    found = _found(text)
    if found is None:
        known = sorted(cls.names()[0] for cls in _classes())
        hint = core.did_you_mean(text, known)
        raise ValueError(f"unknown metric {text!r}.{hint} Known: {', '.join(known)}.")
    return found


def canonical_key(key: str) -> str:
    """Return the key that logs use: ``"val_mse"`` is ``"val_mean_squared_error"`` there."""
    prefix = "val_" if key.startswith("val_") else ""
    found = _found(key[len(prefix) :])
    return key if found is None else prefix + found.key


def find_key(key: str, keys: Collection[str]) -> str | None:
    """Return which of the keys of logs is meant, by its name or an alias; None: none of them.

    Of several outputs each has its name before its metrics: ``"price_mse"`` finds
    ``"price_mean_squared_error"``.
    """
    prefix = "val_" if key.startswith("val_") else ""
    rest = key[len(prefix) :]
    behind = [i + 1 for i, c in enumerate(rest) if c == "_"]
    aliases = (f"{prefix}{rest[:place]}{canonical_key(rest[place:])}" for place in behind)
    return next((one for one in (key, canonical_key(key), *aliases) if one in keys), None)


def direction(key: str, given: Iterable[Metric] = (), outputs: Sequence[str] = ()) -> bool | None:
    """Return whether larger is better for a key of logs: of one of those given, or by its name.

    `outputs` are the names that may stand before it.
    """
    name = canonical_key(key).removeprefix("val_")
    for output in outputs:
        if name.startswith(f"{output}_"):
            name = canonical_key(name.removeprefix(f"{output}_"))
            break
    known = next((metric for metric in given if metric.key == name), None) or _found(name)
    return None if known is None else known.larger_is_better


def is_catalogued(metric: Metric) -> bool:
    """Tell whether it is one of Lamina's own, as it stands."""
    return type(metric) in _classes()


def spec_for_core(metric: Metric) -> dict[str, Any]:
    """Return what the core reads of a RowMetric."""
    return {**metric.to_spec(), "key": metric.key}


@functools.cache
def _found(text: str) -> Metric | None:
    classes = _by_name()
    if _plain(text) in classes:
        return classes[_plain(text)]()
    for place in (i for i, c in enumerate(text) if c == "_"):
        cls = classes.get(_plain(text[:place]))
        if cls is not None and (metric := _with_argument(cls, text[place + 1 :])) is not None:
            return metric
    return None


def _with_argument(cls: type[Metric], text: str) -> Metric | None:
    """Return the metric whose key ends so: "macro" for F1, "0.1_0.9" for QuantileLoss."""
    parameters = list(arguments(cls).values())
    if len(parameters) != 1 or not text:
        return None
    if isinstance(parameters[0].default, str):
        value: Any = text
    else:
        try:
            numbers = [json.loads(number) for number in text.split("_")]
        except ValueError:
            return None
        value = numbers[0] if len(numbers) == 1 else numbers
    try:
        return cls(**{parameters[0].name: value})
    except (TypeError, ValueError):
        return None


@functools.cache
def _by_name() -> dict[str, type[Metric]]:
    return {_plain(name): cls for cls in _classes() for name in (cls.__name__, *cls.names())}


@functools.cache
def _classes() -> frozenset[type[Metric]]:
    """Return the metrics of this package; those of users are not looked up by name."""
    package = __name__.rpartition(".")[0]
    return frozenset(
        cls
        for cls in _family(Metric)
        if cls.__module__.rpartition(".")[0] == package
        and not cls.__name__.startswith("_")
        and cls not in (RowMetric, SetMetric)
    )


def _family(base: type[Metric]) -> Iterator[type[Metric]]:
    for cls in base.__subclasses__():
        yield cls
        yield from _family(cls)


def _plain(text: str) -> str:
    """Return the text as names are compared: without case, hyphens, underscores and spaces."""
    return re.sub(r"[-_ ]", "", text).lower()


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
