"""Layers that shift and scale what passes: by its own statistics, or by learned numbers."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from lamina.initializers import Initializer
from lamina.layers.base import Layer
from lamina.layers.live import gradient, parameter
from lamina.regularizers import Regularizer

__all__ = ["BatchNormalization", "LayerNormalization", "RMSNormalization", "Scale"]


class _Scaled(Layer):
    """A layer that multiplies each column by a learned gamma, if it is asked to."""

    scale: bool

    gamma = parameter(
        "gamma",
        "The factor of each column: a view as `Dense.kernel` is; None if ``scale=False``.",
        only_if="scale",
    )
    gamma_gradient = gradient(
        "gamma",
        "Gradient of the loss by gamma, from the last backward: a view; None if there is none.",
        only_if="scale",
    )


class _Centered(_Scaled):
    """A layer that then adds a learned beta, if it is asked to."""

    center: bool

    beta = parameter(
        "beta",
        "What is added to each column: a view as `Dense.kernel` is; None if ``center=False``.",
        only_if="center",
    )
    beta_gradient = gradient(
        "beta",
        "Gradient of the loss by beta, from the last backward: a view; None if there is none.",
        only_if="center",
    )


@dataclass(eq=False, repr=False)
class BatchNormalization(_Centered):
    """Gives each column mean β and standard deviation γ over the rows of a batch.

    In training y = γ (x - mean) / sqrt(variance + epsilon) + β with mean and variance of the
    column over the rows of the batch; else with moving averages of these. Networks train faster
    and with larger learning rates; it stands before the activation, behind a product that needs
    no bias: ``lm.Dense(256, use_bias=False)``, ``lm.BatchNormalization()``,
    ``lm.Activation("relu")``.

    After each step average = momentum · average + (1 - momentum) · batch's, as in Keras; PyTorch's
    `momentum` is the share of the new: 1 - ours, so its default 0.1 is 0.9 here. The variance is
    the batch's own (divided by its n rows), in the average as well as in training. That, too, is
    Keras' way; PyTorch trains by the same, but averages n / (n - 1) times it. Steps are those of
    fit; in a loop by hand ``model.forward(x, training=True)`` moves the averages, and so does
    ``trainer.compute_gradients``.

    A batch of one row has variance 0: each y is β, and the average variance goes towards 0 by the
    formula above (PyTorch refuses such a batch). Where variance + epsilon is 0, y is β. Sample
    weights do not count in mean and variance.

    With ``trainable=False`` the layer is in inference mode also in training, as in Keras: it uses
    the moving averages and leaves them as they are. `model.backward` after
    ``model.forward(x, training=False)`` takes them for constants.

    Parameters
    ----------
    momentum : float, default 0.99
        Share of the moving averages that is kept at a step, from 0 to 1.
    epsilon : float, default 1e-3
        Added to the variance, at least 0. Keras' default; PyTorch's is 1e-5.
    center : bool, default True
        False: no β.
    scale : bool, default True
        False: no γ.
    beta_initializer : str or Initializer, default "zeros"
        Start of β.
    gamma_initializer : str or Initializer, default "ones"
        Start of γ.
    beta_regularizer, gamma_regularizer : str or Regularizer, optional
        Penalty on β or γ. Default: none.
    learning_rate_multiplier, weight_decay_multiplier : float, default 1.0
        Multiply the optimizer's learning rate and weight decay for β and γ, at least 0.
    trainable : bool, default True
        False: see above. Can be set at any time, in a callback for the batches that follow.
    name : str, optional
        Default: given by the model ("batch_normalization", "batch_normalization_1", …).

    References
    ----------
    Ioffe & Szegedy, Batch normalization, arXiv 1502.03167; arguments as in Keras.

    Examples
    --------
    >>> import lamina as lm
    >>> model = lm.Model([lm.Input(1), lm.BatchNormalization(epsilon=0.0), lm.Dense(1)], seed=0)
    >>> model.layers[1].kernel = [[1.0]]
    >>> model.forward([[1.0], [3.0]], training=True)
    array([[-1.],
           [ 1.]], dtype=float32)
    >>> model.layers[0].moving_mean, model.layers[0].moving_variance
    (array([0.02], dtype=float32), array([1.], dtype=float32))
    """

    momentum: float = 0.99
    epsilon: float = 1e-3
    _: KW_ONLY
    center: bool = True
    scale: bool = True
    beta_initializer: str | Initializer = "zeros"
    gamma_initializer: str | Initializer = "ones"
    beta_regularizer: str | Regularizer | None = None
    gamma_regularizer: str | Regularizer | None = None
    learning_rate_multiplier: float = 1.0
    weight_decay_multiplier: float = 1.0
    trainable: bool = True
    name: str | None = None

    moving_mean = parameter(
        "moving_mean",
        "The moving average of the batches' means, from 0 on: a view as `Dense.kernel` is.",
    )
    moving_variance = parameter(
        "moving_variance",
        "The moving average of the batches' variances, from 1 on: a view as `Dense.kernel` is.",
    )


@dataclass(eq=False, repr=False)
class LayerNormalization(_Centered):
    """Gives each row mean 0 and standard deviation 1 over its columns, then γ and β by column.

    y = γ (x - mean) / sqrt(variance + epsilon) + β with mean and variance (divided by the number
    of columns) of the row. It does the same in training and when predicting, and a row does not
    depend on its neighbours: for small batches, and before the branch of a Residual. A row of
    equal numbers gives β.

    Parameters
    ----------
    epsilon : float, default 1e-3
        Added to the variance, at least 0. Keras' default; PyTorch's is 1e-5.
    center : bool, default True
        False: no β.
    scale : bool, default True
        False: no γ.
    beta_initializer : str or Initializer, default "zeros"
        Start of β.
    gamma_initializer : str or Initializer, default "ones"
        Start of γ.
    beta_regularizer, gamma_regularizer : str or Regularizer, optional
        Penalty on β or γ. Default: none.
    learning_rate_multiplier, weight_decay_multiplier : float, default 1.0
        Multiply the optimizer's learning rate and weight decay for β and γ, at least 0.
    trainable : bool, default True
        False: training leaves β and γ as they are. Can be set at any time.
    name : str, optional
        Default: given by the model ("layer_normalization", "layer_normalization_1", …).

    References
    ----------
    Ba, Kiros & Hinton, Layer normalization, arXiv 1607.06450; arguments as in Keras.

    Examples
    --------
    >>> import numpy as np
    >>> import lamina as lm
    >>> layers = [lm.Input(2), lm.LayerNormalization(epsilon=0.0), lm.Dense(2, use_bias=False)]
    >>> model = lm.Model(layers, seed=0)
    >>> model.layers[1].kernel = np.eye(2)
    >>> model.predict([[1.0, 3.0], [10.0, -10.0]])
    array([[-1.,  1.],
           [ 1., -1.]], dtype=float32)
    """

    epsilon: float = 1e-3
    _: KW_ONLY
    center: bool = True
    scale: bool = True
    beta_initializer: str | Initializer = "zeros"
    gamma_initializer: str | Initializer = "ones"
    beta_regularizer: str | Regularizer | None = None
    gamma_regularizer: str | Regularizer | None = None
    learning_rate_multiplier: float = 1.0
    weight_decay_multiplier: float = 1.0
    trainable: bool = True
    name: str | None = None


@dataclass(eq=False, repr=False)
class RMSNormalization(_Scaled):
    """Divides each row by the root of its mean square, then multiplies by γ column by column.

    y = γ x / sqrt(mean(x²) + epsilon): layer normalisation without its mean and β, a little
    quicker and often as good.

    Parameters
    ----------
    epsilon : float, default 1e-6
        Added to the mean square, at least 0. Keras' default; PyTorch takes the dtype's machine
        epsilon where none is given.
    scale : bool, default True
        False: no γ.
    gamma_initializer : str or Initializer, default "ones"
        Start of γ.
    gamma_regularizer : str or Regularizer, optional
        Penalty on γ. Default: none.
    learning_rate_multiplier, weight_decay_multiplier : float, default 1.0
        Multiply the optimizer's learning rate and weight decay for γ, at least 0.
    trainable : bool, default True
        False: training leaves γ as it is. Can be set at any time.
    name : str, optional
        Default: given by the model ("rms_normalization", …).

    References
    ----------
    Zhang & Sennrich, Root mean square layer normalization, arXiv 1910.07467.

    Examples
    --------
    >>> import numpy as np
    >>> import lamina as lm
    >>> layers = [lm.Input(2), lm.RMSNormalization(), lm.Dense(2, use_bias=False)]
    >>> model = lm.Model(layers, seed=0)
    >>> model.layers[1].kernel = np.eye(2)
    >>> model.predict([[1.0, 7.0]]).round(6)
    array([[0.2, 1.4]], dtype=float32)
    """

    epsilon: float = 1e-6
    _: KW_ONLY
    scale: bool = True
    gamma_initializer: str | Initializer = "ones"
    gamma_regularizer: str | Regularizer | None = None
    learning_rate_multiplier: float = 1.0
    weight_decay_multiplier: float = 1.0
    trainable: bool = True
    name: str | None = None


@dataclass(eq=False, repr=False)
class Scale(Layer):
    """Multiplies each column by a learned number: a diagonal layer.

    y = x · scale, or x · scale + bias, column by column. In front of a network for tables it
    learns which columns count; give it a larger learning rate than the rest by
    `learning_rate_multiplier`.

    Parameters
    ----------
    use_bias : bool, default False
        True: a learned number is added as well, from 0 on.
    initializer : str or Initializer, default "ones"
        Start of the scale.
    learning_rate_multiplier, weight_decay_multiplier : float, default 1.0
        Multiply the optimizer's learning rate and weight decay for this layer, at least 0.
    trainable : bool, default True
        False: training leaves the layer's parameters as they are. Can be set at any time.
    name : str, optional
        Default: given by the model ("scale", "scale_1", …).

    References
    ----------
    The scaling layer of Holzmueller, Grinsztajn & Steinwart, Better by default, arXiv 2407.04491.

    Examples
    --------
    >>> import lamina as lm
    >>> sum_up = lm.Dense(1, kernel_initializer="ones")
    >>> model = lm.Model([lm.Input(2), lm.Scale(), sum_up], seed=0)
    >>> model.layers[0].scale = [2.0, -1.0]
    >>> model.predict([[3.0, 4.0]])
    array([[2.]], dtype=float32)
    """

    _: KW_ONLY
    use_bias: bool = False
    initializer: str | Initializer = "ones"
    learning_rate_multiplier: float = 1.0
    weight_decay_multiplier: float = 1.0
    trainable: bool = True
    name: str | None = None

    scale = parameter("scale", "The factor of each column: a view as `Dense.kernel` is.")
    scale_gradient = gradient(
        "scale", "Gradient of the loss by the scale, from the last backward: a view."
    )
    bias = parameter(
        "bias",
        "What is added to each column: a view as `scale` is; None if ``use_bias=False``.",
        only_if="use_bias",
    )
    bias_gradient = gradient(
        "bias",
        "Gradient of the loss by the bias: a view; None if ``use_bias=False``.",
        only_if="use_bias",
    )
