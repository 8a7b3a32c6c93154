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
    "Identity",
    "Initializer",
    "LeCunNormal",
    "LeCunUniform",
    "Ones",
    "Orthogonal",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "UnitVariance",
    "Zeros",
]


class Initializer(Configurable):
    """Fills a new tensor. Give one to a layer by name (``"he_normal"``) or as an object.

    Glorot's, He's and LeCun's keep the spread of signals and gradients alike from layer to layer:
    their variance is a constant over fan_in (inputs of the layer, K), fan_out (its outputs, N) or
    both. Their normal forms are cut at two standard deviations and scaled up so that the standard
    deviation of what remains is the one stated, as in Keras; PyTorch's ``xavier_normal_`` and
    ``kaiming_normal_`` are not cut. :class:`TruncatedNormal` is cut and not scaled up, in Keras,
    too.

    A number depends on the seed, the tensor's place in the model and its own place in the tensor
    alone; an orthogonal matrix, whose numbers hang together, on the seed and the tensor's place
    and shape.
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
class RandomUniform(Initializer):
    """Uniform between two numbers, whatever the layer's size; also called "uniform".

    U(minval, maxval): mean (minval + maxval) / 2, variance (maxval - minval)² / 12.

    Parameters
    ----------
    minval : float, default -0.05
        The lower end.
    maxval : float, default 0.05
        The upper end, at least `minval`.

    Raises
    ------
    ValueError
        If `maxval` is below `minval`: by the call, or by the Model.

    Examples
    --------
    >>> import lamina as lm
    >>> numbers = lm.initializers.RandomUniform(0.0, 2.0)((50, 50), seed=3)
    >>> bool((numbers >= 0).all()), bool((numbers <= 2).all()), round(float(numbers.mean()), 1)
    (True, True, 1.0)
    """

    minval: float = -0.05
    maxval: float = 0.05


@dataclass(eq=False, repr=False)
class RandomNormal(Initializer):
    """Normal of a given mean and standard deviation, whatever the layer's size; also "normal".

    N(mean, stddev²), not cut.

    Parameters
    ----------
    mean : float, default 0.0
        The mean.
    stddev : float, default 0.05
        The standard deviation, at least 0.

    Examples
    --------
    >>> import lamina as lm
    >>> numbers = lm.initializers.RandomNormal(stddev=2.0)((100, 100), seed=3)
    >>> round(float(numbers.std()), 1)
    2.0
    """

    mean: float = 0.0
    stddev: float = 0.05


@dataclass(eq=False, repr=False)
class TruncatedNormal(Initializer):
    """Normal, with what lies more than two standard deviations from the mean drawn again.

    As in Keras, and in PyTorch's ``trunc_normal_(std=stddev, a=-2 * stddev, b=2 * stddev)``, the
    rest is not scaled up: its standard deviation is 0.8796 · stddev.

    Parameters
    ----------
    mean : float, default 0.0
        The mean, and the middle of the interval.
    stddev : float, default 0.05
        The standard deviation before the cut, at least 0.

    Examples
    --------
    >>> import lamina as lm
    >>> numbers = lm.initializers.TruncatedNormal(stddev=1.0)((100, 100), seed=3)
    >>> bool((abs(numbers) <= 2).all()), round(float(numbers.std()), 2)
    (True, 0.88)
    """

    mean: float = 0.0
    stddev: float = 0.05


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


@dataclass(eq=False, repr=False)
class Orthogonal(Initializer):
    """A random orthogonal matrix: it turns its inputs and keeps their lengths.

    kernel = gain · Q, with Q R a matrix of N(0, 1) and Q'Q = I; the diagonal of R is made positive,
    so that every orthogonal matrix is equally likely. With fewer rows than columns it is the rows
    that are orthonormal. For very deep and for linear networks, and the start of
    :class:`UnitVariance`. The bits are the same on every machine.

    Parameters
    ----------
    gain : float, default 1.0
        Factor; sqrt(2) makes up for what a ReLU takes away.

    Raises
    ------
    ValueError
        If the tensor is not a matrix.

    References
    ----------
    Saxe, McClelland & Ganguli, Exact solutions to the nonlinear dynamics of learning in deep linear
    neural networks, arXiv 1312.6120 (ICLR 2014).

    Examples
    --------
    >>> import numpy as np
    >>> import lamina as lm
    >>> q = lm.initializers.Orthogonal()((5, 3), seed=3, dtype="float64")
    >>> bool(np.allclose(q.T @ q, np.eye(3)))
    True
    """

    gain: float = 1.0


@dataclass(eq=False, repr=False)
class Identity(Initializer):
    """The identity matrix, times a factor: the layer begins by handing its inputs on.

    gain where row = column, 0 elsewhere; of a matrix that is not square, what there is of it.

    Parameters
    ----------
    gain : float, default 1.0
        Factor.

    Raises
    ------
    ValueError
        If the tensor is not a matrix.

    References
    ----------
    Le, Jaitly & Hinton, A simple way to initialize recurrent networks of rectified linear units,
    arXiv 1504.00941.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.initializers.Identity()((2, 3))
    array([[1., 0., 0.],
           [0., 1., 0.]], dtype=float32)
    """

    gain: float = 1.0


@dataclass(eq=False, repr=False)
class UnitVariance(Initializer):
    """Scaled by data so that what each unit makes of them varies by 1; also called LSUV.

    Column j of the kernel is divided by the standard deviation of x · kernel[:, j] over the first
    `rows` rows. This is done once: layer after layer, each behind those already scaled, when the
    model's first fit begins (or by hand, ``model.initialize(X)``). It helps where the columns of X
    are not of one scale, and in deep networks. A unit that does not vary (by less than 1e-5 of its
    mean) is left alone; so are biases, and layers with ``trainable=False``. Means stay, too: centre
    the columns of X, else a unit that has a large mean and a small spread gets large weights.

    LSUV scales a layer by one number, so that the variance of all its units together is 1; here
    each unit has its own, as in RealMLP: units that see little of the data's spread then do not
    stay nearly constant. The price is that an orthogonal start keeps its directions alone.

    The rows are the first of the training data as they lie in the arrays, without those held out
    and whatever their weights: shuffle sorted data first, or call ``model.initialize`` with a
    sample. Dropout is off meanwhile, and BatchNormalization goes by these rows. Files and
    checkpoints remember that it has been done. If that fit then diverges in its first epoch, the
    weights go back to the scaled ones.

    Parameters
    ----------
    start : {"orthogonal", "lecun_normal"}, default "orthogonal"
        The kernel before it sees data (its scale does not matter then): what the model predicts
        with before its first fit, and what calling the object gives.
    rows : int, default 1024
        At most so many rows are looked at, at least 1; two are needed for anything to vary.

    Raises
    ------
    ValueError
        If the tensor is not a matrix. By fit or ``model.initialize``, with the weights as they
        were, if pre-activations are not finite.

    References
    ----------
    Mishkin & Matas, All you need is a good init, arXiv 1511.06422 (ICLR 2016). Holzmüller,
    Grinsztajn & Steinwart, Better by default: strong pre-tuned MLPs and boosted trees on tabular
    data, arXiv 2407.04491.

    Examples
    --------
    >>> import numpy as np
    >>> import lamina as lm
    >>> layer = lm.Dense(3, kernel_initializer="unit_variance")
    >>> model = lm.Model([lm.Input(2), layer], seed=0)
    >>> X = np.array([[1.0, 500.0], [2.0, -300.0], [3.0, 0.0], [5.0, 100.0]])
    >>> model.initialize(X)
    >>> model.predict(X).std(axis=0).round(4)
    array([1., 1., 1.], dtype=float32)
    """

    start: str = "orthogonal"
    rows: int = 1024
