"""Activations made of exponentials."""

from __future__ import annotations

from dataclasses import dataclass

from lamina.activations.base import ElementwiseActivation

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "SELU",
    "Exponential",
    "LogSigmoid",
    "Mish",
    "SiLU",
    "Sigmoid",
    "Softplus",
    "Softsign",
    "Tanh",
    "celu",
    "elu",
    "exponential",
    "gelu",
    "log_sigmoid",
    "mish",
    "selu",
    "sigmoid",
    "silu",
    "softplus",
    "softsign",
    "tanh",
]


@dataclass(eq=False, repr=False)
class Sigmoid(ElementwiseActivation):
    """The logistic function: turns any number into a probability.

    y = 1 / (1 + exp(-x)); dy/dx = y (1 - y), at most 1/4. The output of a yes-or-no question, with
    the loss ``"binary_crossentropy"``. It does not overflow for any finite x. In a hidden layer its
    gradient vanishes: each layer takes at least three quarters of it away.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.activations.sigmoid([0.0])
    array([0.5])
    >>> lm.activations.sigmoid.derivative([0.0])
    array([0.25])
    """


@dataclass(eq=False, repr=False)
class Tanh(ElementwiseActivation):
    """Hyperbolic tangent: smooth, between -1 and 1, for hidden layers of smooth functions.

    y = tanh(x); dy/dx = 1 - y².

    Examples
    --------
    >>> import lamina as lm
    >>> lm.activations.tanh([0.0])
    array([0.])
    >>> lm.activations.tanh.derivative([0.0])
    array([1.])
    """


@dataclass(eq=False, repr=False)
class ELU(ElementwiseActivation):
    """Exponential linear unit: a ReLU that bends to -alpha, so that means come near zero.

    y = x for x > 0, else alpha (exp(x) - 1); dy/dx = 1 for x > 0, else alpha · exp(x), also at 0.

    Parameters
    ----------
    alpha : float, default 1.0
        -alpha is the limit for x towards minus infinity; at least 0. Other values than 1 make a
        kink at 0.

    References
    ----------
    Clevert, Unterthiner & Hochreiter, Fast and accurate deep network learning by exponential linear
    units, arXiv 1511.07289.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.activations.elu([-100.0, 2.0])
    array([-1.,  2.])
    """

    alpha: float = 1.0


@dataclass(eq=False, repr=False)
class SELU(ElementwiseActivation):
    """An ELU with constants that keep mean 0 and variance 1 from layer to layer.

    y = s · x for x > 0, else s · a (exp(x) - 1), with s = 1.0507… and a = 1.6733…;
    dy/dx = s for x > 0, else s · a · exp(x), also at the kink 0. It needs standardised inputs and
    kernels that begin as LeCun normal, which ``"auto"`` gives.

    References
    ----------
    Klambauer et al., Self-normalizing neural networks, arXiv 1706.02515.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.activations.selu([-100.0, 1.0]).round(4)
    array([-1.7581,  1.0507])
    """


@dataclass(eq=False, repr=False)
class CELU(ElementwiseActivation):
    """An ELU without a kink, whatever its alpha.

    y = x for x > 0, else alpha (exp(x / alpha) - 1); dy/dx = 1 for x > 0, else exp(x / alpha).

    Parameters
    ----------
    alpha : float, default 1.0
        -alpha is the limit for x towards minus infinity; at least 1e-6.

    References
    ----------
    Barron, Continuously differentiable exponential linear units, arXiv 1704.07483.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.activations.CELU(alpha=2.0)([-100.0, 2.0])
    array([-2.,  2.])
    """

    alpha: float = 1.0


@dataclass(eq=False, repr=False)
class GELU(ElementwiseActivation):
    """Gaussian error linear unit: x times the probability that a normal number is below x.

    y = x Φ(x) = x (1 + erf(x / √2)) / 2; dy/dx = Φ(x) + x φ(x) with the normal density φ.
    Smooth, and a little below zero for x < 0.

    Parameters
    ----------
    approximate : bool, default False
        True: y = x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2, off by less than 0.0005. (PyTorch's
        ``approximate="tanh"``. Not faster here.)

    References
    ----------
    Hendrycks & Gimpel, Gaussian error linear units, arXiv 1606.08415.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.activations.gelu([-1.0, 0.0, 1.0]).round(4)
    array([-0.1587,  0.    ,  0.8413])
    >>> lm.activations.GELU(approximate=True)([1.0]).round(4)
    array([0.8412])
    """

    approximate: bool = False


@dataclass(eq=False, repr=False)
class SiLU(ElementwiseActivation):
    """Sigmoid-weighted linear unit, also called swish: smooth, for hidden layers.

    y = x σ(x) with σ the sigmoid; dy/dx = σ(x) (1 + x (1 - σ(x))).

    References
    ----------
    Elfwing, Uchibe & Doya, Sigmoid-weighted linear units for neural network function approximation
    in reinforcement learning, arXiv 1702.03118; Ramachandran, Zoph & Le, Searching for activation
    functions, arXiv 1710.05941.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.activations.silu([-1.0, 0.0, 1.0]).round(4)
    array([-0.2689,  0.    ,  0.7311])
    """


@dataclass(eq=False, repr=False)
class Mish(ElementwiseActivation):
    """A smooth relative of SiLU, often a good choice for tables.

    y = x tanh(ln(1 + exp(x))).

    References
    ----------
    Misra, Mish: a self regularized non-monotonic activation function, arXiv 1908.08681.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.activations.mish([-1.0, 0.0, 1.0]).round(4)
    array([-0.3034,  0.    ,  0.8651])
    """


@dataclass(eq=False, repr=False)
class Softplus(ElementwiseActivation):
    """A smooth ReLU: always above zero, for outputs that must be positive.

    y = ln(1 + exp(beta x)) / beta; dy/dx = σ(beta x) with σ the sigmoid. Exact for any x (PyTorch
    goes over to y = x where beta x > 20).

    Parameters
    ----------
    beta : float, default 1.0
        Sharpness of the bend, at least 1e-6.

    References
    ----------
    Dugas et al., Incorporating second-order functional knowledge for better option pricing, NIPS
    2001.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.activations.softplus([-1000.0, 1000.0])
    array([   0., 1000.])
    """

    beta: float = 1.0


@dataclass(eq=False, repr=False)
class Softsign(ElementwiseActivation):
    """A sigmoid from -1 to 1 without exponentials, whose gradient fades slowly.

    y = x / (1 + |x|); dy/dx = 1 / (1 + |x|)².

    References
    ----------
    Bergstra et al., Quadratic polynomials learn better image features, Université de Montréal 2009.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.activations.softsign([-1.0, 0.0, 3.0])
    array([-0.5 ,  0.  ,  0.75])
    """


@dataclass(eq=False, repr=False)
class LogSigmoid(ElementwiseActivation):
    """The logarithm of the sigmoid, exact where the sigmoid itself would be 0.

    y = -ln(1 + exp(-x)); dy/dx = σ(-x) with σ the sigmoid.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.activations.log_sigmoid([-1000.0, 1000.0])
    array([-1000.,    -0.])
    """


@dataclass(eq=False, repr=False)
class Exponential(ElementwiseActivation):
    """The exponential: an output that must be positive and whose logarithm is linear.

    y = exp(x), dy/dx = y. Infinite above x = 88.7 in float32 and 709.7 in float64.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.activations.exponential([0.0, 1.0]).round(4)
    array([1.    , 2.7183])
    """


sigmoid = Sigmoid()
tanh = Tanh()
elu = ELU()
selu = SELU()
celu = CELU()
gelu = GELU()
silu = SiLU()
mish = Mish()
softplus = Softplus()
softsign = Softsign()
log_sigmoid = LogSigmoid()
exponential = Exponential()
