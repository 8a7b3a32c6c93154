"""Layers: the description of a network's parts. What they compute, the core knows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lamina import activations
from lamina._config import Configurable
from lamina.constraints import Constraint
from lamina.initializers import Initializer
from lamina.regularizers import Regularizer
from lamina.schedules.base import Scheduled, adopt_functions

__all__ = ["Activation", "ActivityRegularization", "Dense", "Dropout", "Input", "Layer"]


class Layer(Configurable):
    """A part of a model.

    A layer describes; once a Model is made of it, the model owns it, the layer has a name, and
    those with parameters show them as views. It belongs to that one model: for another, take
    ``copy.deepcopy(layer)``, which gives a layer of the same arguments without an owner.
    """

    name: str | None
    trainable: bool = True
    _core_model: Any = None
    _named_by_model: bool = False

    _transient: ClassVar[tuple[str, ...]] = ("_core_model", "_named_by_model")

    def _bind(self, core_model: Any, name: str | None = None) -> None:
        """Give the layer to a model, which names it if it has no name yet.

        Parameters
        ----------
        core_model : object
            The core's model, with view(tensor), gradient_view(tensor), set_trainable(layer, flag).
        name : str, optional
            The layer's name in the model.

        Raises
        ------
        ValueError
            If a model owns the layer.
        """
        self._check_unowned()
        if self.name is None and name is not None:
            self._named_by_model = True
            object.__setattr__(self, "name", name)
        self._core_model = core_model
        if not self.trainable:
            self.trainable = False  # for the core, too, where it is no argument of the layer

    def _check_unowned(self) -> None:
        """Raise ValueError if a model owns the layer."""
        if self._core_model is not None:
            raise ValueError(
                f'{type(self).__name__}: the layer "{self.name}" already belongs to a Model, and '
                "its parameters cannot be shared; give the second one a copy: copy.deepcopy(layer)"
            )

    def _walk(self) -> Iterator[Layer]:
        """Yield the layer and those inside it, in the order in which they are built."""
        yield self

    def _view(self, tensor: str) -> NDArray[Any]:
        """Return the live parameters called `tensor`; the array keeps the model alive."""
        view: NDArray[Any] = self._owner(tensor).view(f"{self.name}/{tensor}")
        return view

    def _gradient(self, tensor: str) -> NDArray[Any]:
        """Return the live gradient of the parameters called `tensor`."""
        owner = self._owner(f"{tensor}_gradient")
        view: NDArray[Any] = owner.gradient_view(f"{self.name}/{tensor}")
        return view

    def _assign(self, tensor: str, values: ArrayLike) -> None:
        """Copy values into the live parameters called `tensor`."""
        view, array = self._view(tensor), np.asarray(values)
        if array.shape != view.shape:
            raise ValueError(
                f'{type(self).__name__}: {tensor} of "{self.name}" has shape {view.shape}, '
                f"got {array.shape}"
            )
        np.copyto(view, array, casting="same_kind")

    def _owner(self, attribute: str) -> Any:
        if self._core_model is None:
            raise AttributeError(
                f"{type(self).__name__}: {attribute} does not exist yet, for its shape depends on "
                "the layer before; build a Model first: lm.Model([lm.Input(64), layer])"
            )
        return self._core_model

    def __setattr__(self, attribute: str, value: Any) -> None:
        """Set `trainable` at any time; other arguments once."""
        if attribute != "trainable":
            super().__setattr__(attribute, value)
            return
        if self._core_model is not None:
            self._core_model.set_trainable(self.name, bool(value))
        object.__setattr__(self, attribute, value)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the owner behind, and with it a name that the owner gave."""
        state = super().__getstate__()
        if self._named_by_model:
            state["name"] = None
        return state


@dataclass(eq=False, repr=False)
class Input(Layer):
    """The shape of one row of data; the first element of every model.

    It computes nothing and is not in ``model.layers``.

    Parameters
    ----------
    shape : int or sequence of int
        Columns of a row, or its shape: ``Input(64)``, ``Input((28, 28))``, ``Input(shape=(64,))``.
        Without the batch's axis. Each size is at least 1. Rows of more than one axis are read
        flat by a Dense layer.
    kind : str, default "numeric"
        ``"numeric"``: numbers, converted to the model's dtype. ``"codes"``: int32 categories
        0 … cardinality-1, for an embedding (not public yet).
    cardinality : int, default 0
        Number of categories, for codes only.
    name : str, optional
        Name of the port. Default: given by the model.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.Input(64).shape
    (64,)
    >>> lm.Input(shape=(28, 28))
    lm.Input((28, 28))
    """

    shape: int | Sequence[int]
    _: KW_ONLY
    kind: str = "numeric"
    cardinality: int = 0
    name: str | None = None

    def __post_init__(self) -> None:
        """Keep the shape as a tuple, however it was written."""
        shape = self.shape
        whole = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
        object.__setattr__(self, "shape", tuple(int(size) for size in whole))

    def __repr__(self) -> str:
        """Write a single size without its tuple."""
        text, shape = super().__repr__(), repr(self.shape)
        return text.replace(shape, shape[1:-2], 1) if shape.endswith(",)") else text


class _Activated(Layer):
    """A layer that ends in an activation, which may be a learned one."""

    @property
    def alpha(self) -> NDArray[Any]:
        """What a learned activation has learned, a number for each unit: a view as `kernel` is.

        Of ``"prelu"`` and ``lm.activations.Parametric`` alone; other layers raise ValueError.
        """
        return self._view("alpha")

    @alpha.setter
    def alpha(self, values: ArrayLike) -> None:
        self._assign("alpha", values)

    @property
    def alpha_gradient(self) -> NDArray[Any]:
        """Gradient of the loss by alpha, from the last backward: a view."""
        return self._gradient("alpha")


@dataclass(eq=False, repr=False)
class Dense(_Activated):
    """A layer in which every output sees every input: the work-horse of these networks.

    y = f(x · kernel + bias), with x (B, K), kernel (K, N), bias (N,), y (B, N) and f the
    activation; B rows, K inputs, N = `units` outputs.

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
    Rosenblatt, The perceptron, Psychological Review 65, 1958; arguments as in Keras 3.

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
    learning_rate_multiplier: float = 1.0
    weight_decay_multiplier: float = 1.0
    trainable: bool = True
    name: str | None = None

    @property
    def kernel(self) -> NDArray[Any]:
        """The weights, shape (K, N): a writable view of the model's own, no copy.

        ``layer.kernel[:, 0] = 0`` changes the model; ``layer.kernel = array`` copies into it, and
        raises ValueError if the shapes differ. The view stays true for the life of the model and
        keeps it alive. AttributeError before a Model owns the layer.
        """
        return self._view("kernel")

    @kernel.setter
    def kernel(self, values: ArrayLike) -> None:
        self._assign("kernel", values)

    @property
    def bias(self) -> NDArray[Any] | Any:
        """The biases, shape (N,): a view as `kernel` is; None if ``use_bias=False``."""
        return self._view("bias") if self.use_bias else None

    @bias.setter
    def bias(self, values: ArrayLike) -> None:
        if not self.use_bias:
            raise AttributeError(f'Dense: "{self.name}" has no bias, for use_bias is False')
        self._assign("bias", values)

    @property
    def kernel_gradient(self) -> NDArray[Any]:
        """Gradient of the loss by the kernel, shape (K, N), from the last backward: a view."""
        return self._gradient("kernel")

    @property
    def bias_gradient(self) -> NDArray[Any] | Any:
        """Gradient of the loss by the bias, shape (N,): a view; None if ``use_bias=False``."""
        return self._gradient("bias") if self.use_bias else None


@dataclass(eq=False, repr=False)
class Dropout(Layer):
    """Silences a random share of its inputs at each training step: against overfitting.

    In training y = x · m / (1 - rate), where m is 0 with probability `rate` and 1 otherwise, drawn
    anew for each element and step; else y = x. So the mean is kept, and nothing has to be scaled
    when predicting. (16 random bits decide on an element: the rate is rounded to a multiple of
    2^-16, at most 1 - 2^-16, and the scale with it.) The same seed draws the same masks, whatever
    the number of threads.

    Parameters
    ----------
    rate : float, Schedule or function
        Share that is silenced, at least 0 and below 1. One that changes counts the steps or epochs
        of the fit; by hand, a step is a call of ``model.forward`` and the epoch stays 0.
    name : str, optional
        Default: given by the model ("dropout", "dropout_1", …).

    References
    ----------
    Srivastava et al., Dropout: a simple way to prevent neural networks from overfitting, JMLR 15,
    2014.

    Examples
    --------
    >>> import lamina as lm
    >>> dense = lm.Dense(100, kernel_initializer="ones")
    >>> model = lm.Model([lm.Input(1), dense, lm.Dropout(0.5)], seed=0)
    >>> set(model.predict([[1.0]]).ravel().tolist())
    {1.0}
    >>> sorted(set(model.forward([[1.0]], training=True).ravel().tolist()))
    [0.0, 2.0]
    """

    rate: Scheduled
    _: KW_ONLY
    name: str | None = None

    def __post_init__(self) -> None:
        """Take a function for a schedule."""
        adopt_functions(self)


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


@dataclass(eq=False, repr=False)
class ActivityRegularization(Layer):
    """A penalty on what passes: keeps outputs small, or (with `l1`) most of them at zero.

    y = x. In training it adds l1 · sum |y| + l2 · sum y² of each row to the row's loss: both are
    averaged over the batch by the sample weights. So the gradient of row r gets
    w_r / sum(w) · (l1 · sign(y) + 2 · l2 · y), with sign(0) = 0.
    ``lm.Dense(64, activation="relu", activity_regularizer=lm.L1(1e-4))`` does the same in one line.

    Like other penalties it is not in ``loss`` and ``val_loss``; ``history["penalty"]`` has its
    mean over the epoch, beside the penalty on the weights. By hand, ``model.backward`` adds its
    gradient after ``model.forward(x, training=True)``, each row's share being 1 / rows, and leaves
    it out after ``training=False``. Predictions pass it at no cost.

    Place it behind hidden layers. Behind the last one's softmax or sigmoid the loss cannot read
    logits any more: it goes through probabilities, whose clipping takes the gradient of rows that
    are surely wrong.

    Keras' documentation divides the sum by the rows of the batch, whatever their weights (and its
    third version, as it is written, does not divide). There is no proximal step for activities:
    the `proximal` of ``lm.L1`` and ``lm.L1L2`` means nothing here, l1 is always a subgradient.

    Parameters
    ----------
    l1 : float, default 0.0
        Strength on absolute values, at least 0.
    l2 : float, default 0.0
        Strength on squares, at least 0.
    name : str, optional
        Default: given by the model ("activity_regularization", …).

    References
    ----------
    Glorot, Bordes & Bengio, Deep sparse rectifier neural networks, AISTATS 2011, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> import lamina as lm
    >>> model = lm.Model([lm.Input(2), lm.Dense(2), lm.ActivityRegularization(l1=0.5)], seed=0)
    >>> model.layers[0].kernel = np.eye(2)
    >>> model.forward([[3.0, -4.0]], training=True)
    array([[ 3., -4.]], dtype=float32)
    >>> model.backward([[0.0, 0.0]])
    array([[ 0.5, -0.5]], dtype=float32)
    """

    l1: float = 0.0
    l2: float = 0.0
    _: KW_ONLY
    name: str | None = None
