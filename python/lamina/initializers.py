"""Initialisers: the numbers a layer starts from. Drawn by the core from Philox, by seed alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from lamina._config import Configurable
from lamina._isa import core

__all__ = [
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Initializer",
    "LeCunNormal",
    "LeCunUniform",
    "Ones",
    "Zeros",
]


class Initializer(Configurable):
    """Fills a new tensor. Give one to a layer by name (``"he_normal"``) or as an object.

    The random ones keep the spread of signals and gradients alike from layer to layer: their
    variance is a constant over fan_in (inputs of the layer, K), fan_out (its outputs, N) or both.
    The normal ones are cut at two standard deviations and scaled up so that the standard deviation
    of what remains is the one stated, as in Keras.
    """

    def __call__(
        self, shape: int | Sequence[int], seed: int = 0, dtype: str = "float32"
    ) -> NDArray[Any]:
        """Return a new array.

        Parameters
        ----------
        shape : int or sequence of int
            ``(fan_in, fan_out)`` for a kernel.
        seed : int, default 0
            The same seed gives the same numbers, on every machine.
        dtype : {"float32", "float64"}, default "float32"

        Returns
        -------
        ndarray
            Of `shape` and `dtype`.

        Examples
        --------
        >>> import lamina as lm
        >>> kernel = lm.initializers.HeNormal()((100, 50), seed=1)
        >>> kernel.shape, kernel.dtype.name, round(float(kernel.std()), 1)
        ((100, 50), 'float32', 0.1)
        """
        sizes = (shape,) if isinstance(shape, int) else tuple(shape)
        result: NDArray[Any] = core.initialize(self._core_spec(), sizes, seed, dtype)
        return result


@dataclass(eq=False, repr=False)
class Zeros(Initializer):
    """All 0: the usual start of a bias. A kernel of zeros learns nothing behind a hidden layer.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.initializers.Zeros()(2)
    array([0., 0.], dtype=float32)
    """


@dataclass(eq=False, repr=False)
class Ones(Initializer):
    """All 1.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.initializers.Ones()(2)
    array([1., 1.], dtype=float32)
    """


@dataclass(eq=False, repr=False)
class Constant(Initializer):
    """All the same number, for instance the mean of the target as the output's bias.

    Parameters
    ----------
    value : float, default 0.0
        The number; any finite one.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.initializers.Constant(0.5)(2)
    array([0.5, 0.5], dtype=float32)
    """

    value: float = 0.0


@dataclass(eq=False, repr=False)
class GlorotUniform(Initializer):
    """Uniform, for linear, sigmoid, tanh and softmax layers; also called Xavier.

    U(-a, a) with a = sqrt(6 / (fan_in + fan_out)).

    References
    ----------
    Glorot & Bengio, Understanding the difficulty of training deep feedforward neural networks,
    AISTATS 2010.

    Examples
    --------
    >>> import lamina as lm
    >>> bool((abs(lm.initializers.GlorotUniform()((2, 4), seed=3)) <= 1).all())
    True
    """


@dataclass(eq=False, repr=False)
class GlorotNormal(Initializer):
    """Normal, for linear, sigmoid, tanh and softmax layers; also called Xavier.

    Mean 0, variance 2 / (fan_in + fan_out), cut at two standard deviations.

    References
    ----------
    Glorot & Bengio, Understanding the difficulty of training deep feedforward neural networks,
    AISTATS 2010.

    Examples
    --------
    >>> import lamina as lm
    >>> round(float(lm.initializers.GlorotNormal()((100, 100), seed=3).std()), 2)
    0.1
    """


@dataclass(eq=False, repr=False)
class HeUniform(Initializer):
    """Uniform, for layers with an activation of the ReLU family; also called Kaiming.

    U(-a, a) with a = sqrt(6 / fan_in).

    References
    ----------
    He et al., Delving deep into rectifiers, arXiv 1502.01852.

    Examples
    --------
    >>> import lamina as lm
    >>> bool((abs(lm.initializers.HeUniform()((6, 50), seed=3)) <= 1).all())
    True
    """


@dataclass(eq=False, repr=False)
class HeNormal(Initializer):
    """Normal, for layers with an activation of the ReLU family; also called Kaiming.

    Mean 0, variance 2 / fan_in, cut at two standard deviations.

    References
    ----------
    He et al., Delving deep into rectifiers, arXiv 1502.01852.

    Examples
    --------
    >>> import lamina as lm
    >>> round(float(lm.initializers.HeNormal()((200, 100), seed=3).std()), 2)
    0.1
    """


@dataclass(eq=False, repr=False)
class LeCunUniform(Initializer):
    """Uniform, with the variance that keeps the spread of a linear layer's signals.

    U(-a, a) with a = sqrt(3 / fan_in).

    References
    ----------
    LeCun et al., Efficient BackProp, in Neural networks: tricks of the trade, 1998.

    Examples
    --------
    >>> import lamina as lm
    >>> bool((abs(lm.initializers.LeCunUniform()((3, 50), seed=3)) <= 1).all())
    True
    """


@dataclass(eq=False, repr=False)
class LeCunNormal(Initializer):
    """Normal, with the variance that keeps the spread of a linear layer's signals.

    Mean 0, variance 1 / fan_in, cut at two standard deviations.

    References
    ----------
    LeCun et al., Efficient BackProp, in Neural networks: tricks of the trade, 1998.

    Examples
    --------
    >>> import lamina as lm
    >>> round(float(lm.initializers.LeCunNormal()((100, 100), seed=3).std()), 2)
    0.1
    """
