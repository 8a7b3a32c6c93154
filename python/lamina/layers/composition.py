"""Layers made of layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

from lamina.layers.base import Layer

__all__ = ["Parallel", "Residual"]


class _Container(Layer):
    """A layer made of layers."""

    layers: Sequence[Layer | Sequence[Layer]]

    def __post_init__(self) -> None:
        """Keep the layers in lists of our own."""
        own = [item if isinstance(item, Layer) else list(item) for item in self.layers]
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
