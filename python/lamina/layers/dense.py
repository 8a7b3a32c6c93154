"""Where the data come in, the layers that learn most, and activations as layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

import numpy as np

from lamina import activations
from lamina.constraints import Constraint
from lamina.initializers import Initializer
from lamina.layers.base import Layer
from lamina.layers.live import gradient, parameter
from lamina.regularizers import Regularizer

__all__ = ["Activation", "Dense", "Input"]


@dataclass(eq=False, repr=False)
class Input(Layer):
    """The shape of one row of data; the first element of every model.

    It computes nothing and is not in ``model.layers``. In the functional form layers are called on
    it; several make a model of several inputs.

    Parameters
    ----------
    shape : int or sequence of int
        Columns of a row, or its shape: ``Input(64)``, ``Input((28, 28))``, ``Input(shape=(64,))``.
        Without the batch's axis. Each size is at least 1. Rows of more than one axis are read
        flat by a Dense layer.
    kind : str, default "numeric"
        ``"numeric"``: numbers, converted to the model's dtype. ``"codes"``: columns of category
        codes, whole numbers of any dtype, int32 without a copy; 0 stands for missing or unseen.
        :class:`Embedding` or :class:`OneHot` makes numbers of them. ``"sparse"``: rows of which
        most numbers are 0, as in a bag of words; only :class:`Dense` layers can read them, which
        pass over the zeros, with the bits of the same rows written out as long as weights are
        finite. Takes a SciPy sparse matrix or array: CSR as it lies, other formats converted (at
        each call); or a dense array, whose rows are searched for what is not 0. There is no
        gradient by such an input.
    cardinalities : int or sequence of int, optional
        For codes: how many codes a column has, 0 included: they are 0 … cardinality - 1. One for
        each column, or one number for all; from 1 to 2**31 - 1.
    name : str, optional
        Name of the port. Default: given by the model.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.Input(64).shape
    (64,)
    >>> lm.Input(shape=(28, 28))
    lm.Input((28, 28))
    >>> lm.Input(2, kind="codes", cardinalities=[7, 5]).cardinalities
    (7, 5)

    See ``docs/sparse.md`` for sparse rows.

    >>> lm.Model([lm.Input(50_000, kind="sparse"), lm.Dense(64)], seed=0).num_parameters
    3200064
    """

    _is_input: ClassVar[bool] = True

    shape: int | Sequence[int]
    _: KW_ONLY
    kind: str = "numeric"
    cardinalities: int | Sequence[int] | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        """Keep the shape as a tuple, however it was written, and several cardinalities, too."""
        shape, codes = self.shape, self.cardinalities
        whole = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
        object.__setattr__(self, "shape", tuple(int(size) for size in whole))
        if isinstance(codes, (Sequence, np.ndarray)):
            object.__setattr__(self, "cardinalities", tuple(int(count) for count in codes))

    def __repr__(self) -> str:
        """Write a single size without its tuple."""
        text, shape = super().__repr__(), repr(self.shape)
        return text.replace(shape, shape[1:-2], 1) if shape.endswith(",)") else text


class _Activated(Layer):
    """A layer that ends in an activation, which may be a learned one."""

    alpha = parameter(
        "alpha",
        """What a learned activation has learned, a number for each unit: a view as `kernel` is.

        Of ``"prelu"`` and ``lm.activations.Parametric`` alone; other layers raise ValueError.
        """,
    )
    alpha_gradient = gradient(
        "alpha", "Gradient of the loss by alpha, from the last backward: a view."
    )


@dataclass(eq=False, repr=False)
class Dense(_Activated):
    """A layer in which every output sees every input: the work-horse of these networks.

    y = f(x · kernel + bias), with x (B, K), kernel (K, N), bias (N,), y (B, N) and f the
    activation; B rows, K inputs, N = `units` outputs. With a `gain` y = f(gain · (x · kernel) +
    bias).

    Parameters
    ----------
    units : int
        Number of outputs N, at least 1.
    activation : str or Activation, default "linear"
        Function applied to the weighted sums.
    use_bias : bool, default True
        False: y = f(x · kernel).
    kernel_initializer : str or Initializer, default "auto"
        Start of the kernel; "auto" is what suits the activation: He normal for the ReLU family
        (ReLU, leaky and learned ones, ELU, GELU, SiLU, Mish and hard_swish), LeCun normal for SELU,
        Glorot uniform for others.
    bias_initializer : str or Initializer, default "zeros"
        Start of the bias.
    kernel_regularizer, bias_regularizer : str or Regularizer, optional
        Penalty on the kernel or the bias, for instance ``lm.L2(1e-4)``. Default: none.
    activity_regularizer : str or Regularizer, optional
        Penalty on the layer's outputs y; see :class:`ActivityRegularization`. Default: none.
        Meant for hidden layers: with it on the last one the loss goes through probabilities.
    kernel_constraint, bias_constraint : str or Constraint, optional
        What they must be after each step, for instance ``lm.constraints.MaxNorm(3.0)``. Default:
        none.
    gain : float or "ntk", default 1.0
        Constant factor of the product, above 0; "ntk" is 1 / sqrt(K). With kernels that start from
        N(0, 1) (``lm.initializers.RandomNormal(stddev=1.0)``) that is the parametrisation of the
        neural tangent kernel: the same learning rate suits any number of inputs. The initialisers
        do not know of the gain: "unit_variance", too, scales x · kernel, before it is applied.
    learning_rate_multiplier, weight_decay_multiplier : float, default 1.0
        Multiply the optimizer's learning rate and weight decay for this layer, at least 0.
    trainable : bool, default True
        False: training leaves the layer's parameters as they are. Can be set at any time, in a
        callback for the batches that follow.
    name : str, optional
        Default: given by the model ("dense", "dense_1", …).

    Raises
    ------
    ValueError
        By the Model that the layer is given to, if an argument is out of range or unknown.

    References
    ----------
    Rosenblatt, The perceptron, Psychological Review 65, 1958; arguments as in Keras 3. The gain:
    Jacot, Gabriel & Hongler, Neural tangent kernel, arXiv 1806.07572; on tables: Holzmueller,
    Grinsztajn & Steinwart, Better by default, arXiv 2407.04491.

    Examples
    --------
    >>> import lamina as lm
    >>> layer = lm.Dense(2, kernel_initializer="ones")
    >>> model = lm.Model([lm.Input(3), layer], seed=0)
    >>> layer.name, layer.kernel.shape, layer.bias.shape
    ('dense', (3, 2), (2,))
    >>> layer.bias = [0.0, 0.5]
    >>> model.predict([[1.0, 2.0, 3.0]])
    array([[6. , 6.5]], dtype=float32)
    """

    units: int
    activation: str | activations.Activation = "linear"
    _: KW_ONLY
    use_bias: bool = True
    kernel_initializer: str | Initializer = "auto"
    bias_initializer: str | Initializer = "zeros"
    kernel_regularizer: str | Regularizer | None = None
    bias_regularizer: str | Regularizer | None = None
    activity_regularizer: str | Regularizer | None = None
    kernel_constraint: str | Constraint | None = None
    bias_constraint: str | Constraint | None = None
    gain: float | str = 1.0
    learning_rate_multiplier: float = 1.0
    weight_decay_multiplier: float = 1.0
    trainable: bool = True
    name: str | None = None

    kernel = parameter(
        "kernel",
        """The weights, shape (K, N): a writable view of the model's own, no copy.

        ``layer.kernel[:, 0] = 0`` changes the model; ``layer.kernel = array`` copies into it, and
        raises ValueError if the shapes differ. The view stays true for the life of the model and
        keeps it alive. AttributeError before a Model owns the layer.
        """,
    )
    bias = parameter(
        "bias",
        "The biases, shape (N,): a view as `kernel` is; None if ``use_bias=False``.",
        only_if="use_bias",
    )
    kernel_gradient = gradient(
        "kernel",
        "Gradient of the loss by the kernel, shape (K, N), from the last backward: a view.",
    )
    bias_gradient = gradient(
        "bias",
        "Gradient of the loss by the bias, shape (N,): a view; None if ``use_bias=False``.",
        only_if="use_bias",
    )


@dataclass(eq=False, repr=False)
class Activation(_Activated):
    """An activation function as a layer of its own.

    y = f(x). ``lm.Dense(64, activation="relu")`` says the same in one line; this one stands where
    something comes between the sums and the function.

    Parameters
    ----------
    activation : str or Activation
        The function, by name or as an object of ``lm.activations``.
    learning_rate_multiplier, weight_decay_multiplier : float, default 1.0
        As of Dense, for what a learned activation learns.
    trainable : bool, default True
        False: training leaves that as it is. Can be set at any time.
    name : str, optional
        Default: given by the model ("activation", "activation_1", …).

    Examples
    --------
    >>> import lamina as lm
    >>> dense = lm.Dense(1, kernel_initializer="ones")
    >>> model = lm.Model([lm.Input(2), dense, lm.Activation("relu")], seed=0)
    >>> model.predict([[1.0, 2.0], [1.0, -2.0]])
    array([[3.],
           [0.]], dtype=float32)
    """

    activation: str | activations.Activation
    _: KW_ONLY
    learning_rate_multiplier: float = 1.0
    weight_decay_multiplier: float = 1.0
    trainable: bool = True
    name: str | None = None
