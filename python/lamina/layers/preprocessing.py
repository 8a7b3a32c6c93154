"""Layers that learn from the data how to shift and scale it, and what stands for missing values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.layers.base import Layer

__all__ = ["Impute", "Normalization", "RobustScale"]


class _Adapting(Layer):
    """A layer with statistics that are kept in two tensors: rounded, and what that left."""

    def _exact(self, tensor: str) -> NDArray[np.float64]:
        rounded, rest = self._view(tensor), self._view(f"{tensor}_rest")
        exact: NDArray[np.float64] = rounded.astype(np.float64) + rest
        exact.flags.writeable = False  # a copy: writing into it would change nothing
        return exact


class _Rescaling(_Adapting):
    """A layer that subtracts and divides, column by column."""

    @property
    def center(self) -> NDArray[np.float64]:
        """What is subtracted from each column: a copy in float64, which cannot be written."""
        return self._exact("center")

    @property
    def scale(self) -> NDArray[Any]:
        """What each column is divided by, 0 for a column that becomes 0: a view of the model."""
        return self._view("scale")


@dataclass(eq=False, repr=False)
class Normalization(_Rescaling):
    """Shifts and scales each column to mean 0 and variance 1, by what it learned from the data.

    y = (x - mean) / sqrt(variance)

    To be put behind the input. Mean and variance (the mean squared deviation, over n) are learned
    from all training rows by the first fit, or by :meth:`Model.adapt <lamina.Model.adapt>`; sample
    weights do not count. No step changes them afterwards. They lie in the model and its file, so
    whoever predicts needs no scaler beside it.

    Behind an input, x is read and shifted in float64, also in a float32 model: timestamps around
    1.7e9 that differ by seconds come out right. A column that held one and the same number says
    nothing and becomes 0.

    Parameters
    ----------
    mean, variance : float or sequence of float, optional
        Given statistics, one number for all columns or one for each; variance at least 0. Both or
        neither. Default: learned from data.
    name : str, optional
        Default: given by the model ("normalization", …).

    Attributes
    ----------
    center : ndarray of float64, shape (columns,)
        The mean, as exact as it is kept (48 bits in a float32 model).
    scale : ndarray, shape (columns,)
        The standard deviation, 0 for a constant column.

    Raises
    ------
    ValueError
        By the Model, if only one of mean and variance is given or their length does not fit.
    RuntimeError
        By ``predict`` and ``forward`` before the layer has seen data. (Keras silently takes mean 0
        and variance 1.)

    See Also
    --------
    RobustScale : For columns with outliers.
    BatchNormalization : By the statistics of each batch, between other layers.

    Notes
    -----
    The same numbers as Keras' Normalization and scikit-learn's StandardScaler, but in a constant
    column: Keras divides by 1e-7 there and scikit-learn by 1, so that a new value, which no weight
    was trained for, passes.

    References
    ----------
    Moments merged as in Chan, Golub & LeVeque, Updating formulae and a pairwise algorithm for
    computing sample variances, 1979.

    Examples
    --------
    >>> import lamina as lm
    >>> model = lm.Model([lm.Input(2), lm.Normalization()], seed=0)
    >>> model.adapt([[1700000000, 5], [1700000002, 5]])
    >>> model.predict([[1700000000, 5], [1700000003, 7]])
    array([[-1.,  0.],
           [ 2.,  0.]], dtype=float32)
    >>> model.layers[0].center
    array([1.7e+09, 5.0e+00])
    """

    mean: float | Sequence[float] | None = None
    variance: float | Sequence[float] | None = None
    _: KW_ONLY
    name: str | None = None

    def __post_init__(self) -> None:
        """Take arrays and lists as tuples."""
        for argument in ("mean", "variance"):
            value = getattr(self, argument)
            if value is not None and np.ndim(value) > 0:
                object.__setattr__(self, argument, tuple(float(x) for x in np.ravel(value)))


@dataclass(eq=False, repr=False)
class RobustScale(_Rescaling):
    """Scales each column by median and quartiles and bends outliers smoothly towards a limit.

    z = (x - median) / (q75 - q25), y = z / sqrt(1 + (z / limit)²)

    For numeric columns of tables: outliers change neither median nor quartiles, and y stays
    between -limit and limit and keeps the order of x. Where both quartiles are the same, z is
    2 (x - median) / (largest - smallest); a column that held one number becomes 0.

    Learned from all training rows by the first fit, or by :meth:`Model.adapt
    <lamina.Model.adapt>`; sample weights do not count. Of more than a million rows, n, those with
    the numbers floor(i · n / 1000000) are looked at. Behind an input, x is read and shifted in
    float64, also in a float32 model.

    Parameters
    ----------
    limit : float or None, default 3.0
        Bound of the result's size, above 0; None: y = z, without a bound.
    name : str, optional
        Default: given by the model ("robust_scale", …).

    Attributes
    ----------
    center : ndarray of float64, shape (columns,)
        The median.
    scale : ndarray, shape (columns,)
        The interquartile range or, where that is 0, half the range.

    Raises
    ------
    ValueError
        By the Model, if limit is not above 0.
    RuntimeError
        By ``predict`` and ``forward`` before the layer has seen data.

    Notes
    -----
    Quantiles are those of ``numpy.quantile``'s "linear" method. With ``limit=None`` the numbers of
    scikit-learn's RobustScaler, where the quartiles differ.

    References
    ----------
    Holzmüller, Grinsztajn & Steinwart, Better by default: strong pre-tuned MLPs and boosted trees
    on tabular data, arXiv 2407.04491.

    Examples
    --------
    >>> import lamina as lm
    >>> model = lm.Model([lm.Input(1), lm.RobustScale()], seed=0)
    >>> model.adapt([[0.0], [1.0], [2.0], [3.0], [1000.0]])
    >>> model.predict([[2.0], [4.0], [1000.0]]).round(3)
    array([[0.   ],
           [0.949],
           [3.   ]], dtype=float32)
    """

    limit: float | None = 3.0
    _: KW_ONLY
    name: str | None = None


@dataclass(eq=False, repr=False)
class Impute(_Adapting):
    """Puts a column's median where a value is missing, and can say where it did.

    y = median where x is NaN, x elsewhere; then, with `indicator`, as many columns again that are 1
    where x is NaN, else 0.

    To be put directly behind the input, before Normalization or RobustScale: only then may X hold
    NaN. Medians are learned from all training rows by the first fit, or by :meth:`Model.adapt
    <lamina.Model.adapt>`, from the values that are there; sample weights do not count. Of more
    than a million rows, n, those with the numbers floor(i · n / 1000000) are looked at. A column
    without any value gets 0.

    Parameters
    ----------
    indicator : bool, default False
        True: the result has twice the columns, first the values, then the indicators. Those of a
        column that missed nothing in training stay 0, since no weight has learned what they mean.
    name : str, optional
        Default: given by the model ("impute", …).

    Attributes
    ----------
    median : ndarray of float64, shape (columns,)
        What stands for missing values.
    missing : ndarray, shape (columns,)
        Share of training rows in which the column was missing, from 0 to 1; with `indicator` only.

    Raises
    ------
    RuntimeError
        By ``predict`` and ``forward`` before the layer has seen data.

    Notes
    -----
    As scikit-learn's SimpleImputer(strategy="median"), which, with ``add_indicator=True``, has
    indicators of those columns alone that missed something. Here a model's widths are known before
    any data are.

    Examples
    --------
    >>> import numpy as np
    >>> import lamina as lm
    >>> model = lm.Model([lm.Input(2), lm.Impute(indicator=True)], seed=0)
    >>> model.adapt([[1.0, 10.0], [np.nan, 20.0], [3.0, 60.0]])
    >>> model.predict([[np.nan, np.nan], [5.0, 7.0]])
    array([[ 2., 20.,  1.,  0.],
           [ 5.,  7.,  0.,  0.]], dtype=float32)
    """

    indicator: bool = False
    _: KW_ONLY
    name: str | None = None

    @property
    def median(self) -> NDArray[np.float64]:
        """What stands for missing values: a copy in float64, which cannot be written."""
        return self._exact("median")

    @property
    def missing(self) -> NDArray[Any]:
        """Share of missing values in training, by column: a view of the model.

        Of a layer with ``indicator=True`` alone; others raise ValueError.
        """
        return self._view("missing")
