"""Layers made of layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

from numpy.typing import NDArray

from lamina.layers.base import Layer, as_layer

__all__ = ["Parallel", "Residual"]


class _Container(Layer):
    """A layer made of layers."""

    layers: Sequence[Layer | Sequence[Layer]]
    # Of a nested model: what the outer one begins with, and which layers have yet to see data.
    _weights: list[NDArray[Any]] | None = None
    _waiting: list[bool] | None = None

    def __post_init__(self) -> None:
        """Keep the layers in lists of our own."""
        items = [as_layer(item) for item in self.layers]
        own = [
            item if isinstance(item, Layer) else [as_layer(one) for one in item] for item in items
        ]
        object.__setattr__(self, "layers", own)

    def _inside(self) -> Iterator[Layer]:
        """Yield the layers directly inside, branch after branch."""
        for item in self.layers:
            yield from (item,) if isinstance(item, Layer) else item

    def _walk(self) -> Iterator[Layer]:
        yield self
        for layer in self._inside():
            yield from layer._walk()

    def __setattr__(self, attribute: str, value: Any) -> None:
        """Hand `trainable` on to the layers inside, and to a projection of one's own."""
        super().__setattr__(attribute, value)
        if attribute != "trainable":
            return
        for layer in self._inside():
            layer.trainable = value


@dataclass(eq=False, repr=False)
class Residual(_Container):
    """Adds its input to what its layers make of it: y = x + f(x).

    Where f gives another number of columns, x goes through a projection: y = x · kernel + f(x).

    Parameters
    ----------
    layers : sequence of Layer
        One after the other.
    name : str, optional
        Default: given by the model.

    References
    ----------
    He et al., Deep residual learning for image recognition, arXiv 1512.03385.

    Examples
    --------
    >>> import lamina as lm
    >>> inner = lm.Dense(1, kernel_initializer="ones")
    >>> model = lm.Model([lm.Input(1), lm.Residual([inner])], seed=0)
    >>> model.predict([[3.0]])
    array([[6.]], dtype=float32)
    """

    layers: Sequence[Layer]
    _: KW_ONLY
    name: str | None = None


@dataclass(eq=False, repr=False)
class Parallel(_Container):
    """Runs layers side by side and joins what they give.

    Parameters
    ----------
    layers : sequence of Layer or of sequences of Layer
        The branches: one layer, or several one after the other. All have the same input; or each
        begins with an Input of its own, at the head of a model with several ports.
    merge : {"concat", "add"}, default "concat"
        Put the columns side by side, or add them up.
    name : str, optional
        Default: given by the model.

    Examples
    --------
    >>> import lamina as lm
    >>> branches = [[lm.Dense(4), lm.Activation("relu")], lm.Dense(2)]
    >>> model = lm.Model([lm.Input(3), lm.Parallel(branches)], seed=0)
    >>> model.predict([[1.0, 2.0, 3.0]]).shape
    (1, 6)
    """

    layers: Sequence[Layer | Sequence[Layer]]
    merge: str = "concat"
    _: KW_ONLY
    name: str | None = None


@dataclass(eq=False, repr=False)
class NestedModel(_Container):
    """A model as a layer of another: what ``lm.Model([lm.Input(8), encoder, lm.Dense(1)])`` makes.

    It holds copies of the inner model's layers, which begin with that model's weights and belong to
    the outer model from then on: training the outer one leaves the inner one as it was. (Keras
    shares the weights instead.) ``trainable = False`` freezes all of it.

    Parameters
    ----------
    layers : sequence of Layer
        Those of the inner model, its Inputs among them; they stand for what the layer is given.
    wiring : sequence, optional
        For each layer the outputs that it reads, as pairs (layer, output) by number. Default: each
        reads the one before.
    outputs : sequence of pairs, optional
        The outputs of the inner model. Default: those of its last layer.
    name : str, optional
        Default: the model's, if it was given one; else given by the outer model.

    Examples
    --------
    >>> import lamina as lm
    >>> encoder = lm.Model([lm.Input(8), lm.Dense(3, activation="tanh")], seed=0)
    >>> model = lm.Model([lm.Input(8), encoder, lm.Dense(1)], seed=0)
    >>> bool((model.layers[0].layers[1].kernel == encoder.layers[0].kernel).all())
    True
    """

    layers: Sequence[Layer]
    wiring: Sequence[Sequence[Sequence[int]]] | None = None
    outputs: Sequence[Sequence[int]] | None = None
    _: KW_ONLY
    name: str | None = None

    def _count_outputs(self) -> int:
        return len(self.outputs) if self.outputs else self.layers[-1]._count_outputs()
