"""Activations made of straight lines and parabolas."""

from __future__ import annotations

from dataclasses import dataclass

from lamina.activations.base import ElementwiseActivation

__all__ = [
    "HardSigmoid",
    "HardSwish",
    "LeakyReLU",
    "Linear",
    "ReLU",
    "ReLU6",
    "hard_sigmoid",
    "hard_swish",
    "leaky_relu",
    "linear",
    "relu",
    "relu6",
]


@dataclass(eq=False, repr=False)
class Linear(ElementwiseActivation):
    """The identity: the output layer of a regression, or of a loss that takes logits.

    y = x, dy/dx = 1.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.activations.linear([-1.0, 2.0])
    array([-1.,  2.])
    """


@dataclass(eq=False, repr=False)
class ReLU(ElementwiseActivation):
    """Rectified linear unit: the usual choice for hidden layers.

    y = max(0, x); dy/dx = 1 for x > 0 and 0 elsewhere, also at the kink x = 0.

    A unit that is negative for every row of the data gets no gradient and stays so; LeakyReLU
    does not have this flaw.

    References
    ----------
    Nair & Hinton, Rectified linear units improve restricted Boltzmann machines, ICML 2010.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.activations.relu([-1.0, 0.0, 2.0])
    array([0., 0., 2.])
    >>> lm.activations.relu.derivative([-1.0, 0.0, 2.0])
    array([0., 0., 1.])
    """


@dataclass(eq=False, repr=False)
class ReLU6(ElementwiseActivation):
    """ReLU that stops at 6: for networks that are to run with few bits later.

    y = min(max(0, x), 6); dy/dx = 1 for 0 < x < 6 and 0 elsewhere, also at the kinks.

    References
    ----------
    Krizhevsky, Convolutional deep belief networks on CIFAR-10, 2010.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.activations.relu6([-1.0, 2.0, 8.0])
    array([0., 2., 6.])
    """


@dataclass(eq=False, repr=False)
class LeakyReLU(ElementwiseActivation):
    """ReLU with a small slope below zero, so that no unit loses its gradient.

    y = x for x > 0, else negative_slope · x; dy/dx = 1 for x > 0, else negative_slope, also at
    the kink x = 0.

    Parameters
    ----------
    negative_slope : float, default 0.01
        Slope for x < 0, from 0 (ReLU) to 1 (linear). The default is PyTorch's; Keras takes 0.3.

    References
    ----------
    Maas, Hannun & Ng, Rectifier nonlinearities improve neural network acoustic models, ICML 2013.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.activations.LeakyReLU(negative_slope=0.5)([-2.0, 2.0])
    array([-1.,  2.])
    """

    negative_slope: float = 0.01


@dataclass(eq=False, repr=False)
class HardSigmoid(ElementwiseActivation):
    """A sigmoid of straight lines: cheap, and exactly 0 or 1 at its ends.

    y = min(max(0, x + 3), 6) / 6; dy/dx = 1/6 for -3 < x < 3 and 0 elsewhere, also at the kinks.
    The slope is that of PyTorch and Keras 3 (older versions of Keras: 1/5).

    References
    ----------
    Courbariaux, Bengio & David, BinaryConnect, arXiv 1511.00363; Howard et al., Searching for
    MobileNetV3, arXiv 1905.02244.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.activations.hard_sigmoid([-4.0, 0.0, 4.0])
    array([0. , 0.5, 1. ])
    """


@dataclass(eq=False, repr=False)
class HardSwish(ElementwiseActivation):
    """A swish (SiLU) of straight lines and one parabola: nearly as good, and cheap.

    y = x min(max(0, x + 3), 6) / 6; dy/dx = 0 for x ≤ -3, 1 for x ≥ 3, and x/3 + 1/2 between them.
    Keras calls it hard_silu, too.

    References
    ----------
    Howard et al., Searching for MobileNetV3, arXiv 1905.02244.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.activations.hard_swish([-4.0, 0.0, 4.0])
    array([-0.,  0.,  4.])
    """


linear = Linear()
relu = ReLU()
relu6 = ReLU6()
leaky_relu = LeakyReLU()
hard_sigmoid = HardSigmoid()
hard_swish = HardSwish()
