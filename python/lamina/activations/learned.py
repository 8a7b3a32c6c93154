"""Activations with a number that each unit learns."""

from __future__ import annotations

from dataclasses import dataclass

from lamina.activations.base import Activation, ElementwiseActivation

__all__ = [
    "PReLU",
    "Parametric",
    "parametric",
    "prelu",
]


@dataclass(eq=False, repr=False)
class PReLU(ElementwiseActivation):
    """ReLU with a slope below zero that each unit learns.

    y = max(0, x) + alpha · min(0, x); dy/dx = 1 for x > 0, else alpha, also at the kink x = 0. In a
    layer alpha is a tensor with a number for each unit (``layer.alpha``); alone on an array it is
    `initial`.

    Parameters
    ----------
    initial : float, default 0.25
        Where alpha begins. (PyTorch's; Keras begins at 0.)

    References
    ----------
    He et al., Delving deep into rectifiers, arXiv 1502.01852.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.activations.prelu([-4.0, 4.0])
    array([-1.,  4.])
    >>> layer = lm.Dense(3, activation="prelu")
    >>> model = lm.Model([lm.Input(2), layer], seed=0)
    >>> layer.alpha
    array([0.25, 0.25, 0.25], dtype=float32)
    """

    initial: float = 0.25


@dataclass(eq=False, repr=False)
class Parametric(ElementwiseActivation):
    """Lets each unit learn how much of an activation function it wants.

    y = x + alpha (f(x) - x): the identity for alpha = 0, f for alpha = 1, and more than f beyond.
    In a layer alpha is a tensor with a number for each unit (``layer.alpha``); alone on an array it
    is `initial`.

    Parameters
    ----------
    activation : str or Activation, default "relu"
        The function f: any of this module that is not learned itself.
    initial : float, default 1.0
        Where alpha begins.

    References
    ----------
    Holzmüller, Grinsztajn & Steinwart, Better by default: strong pre-tuned MLPs and boosted trees
    on tabular data, arXiv 2407.04491.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.activations.Parametric("relu", initial=0.5)([-4.0, 4.0])
    array([-2.,  4.])
    >>> layer = lm.Dense(2, activation=lm.activations.Parametric("mish"))
    >>> model = lm.Model([lm.Input(2), layer], seed=0)
    >>> layer.alpha
    array([1., 1.], dtype=float32)
    """

    activation: str | Activation = "relu"
    initial: float = 1.0


prelu = PReLU()
parametric = Parametric()
