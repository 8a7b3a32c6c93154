"""Layers that the engine can run and that are not public yet: their arguments may still change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

from lamina.layers import Layer

__all__ = ["BatchNormalization", "Embedding", "Parallel", "Residual"]


@dataclass(eq=False, repr=False)
class BatchNormalization(Layer):
    """Shifts and scales each column by the mean and variance of the batch.

    In training y = γ (x - mean) / sqrt(variance + epsilon) + β over the rows of the batch; else
    with the moving averages: average = momentum · average + (1 - momentum) · batch's.

    Parameters
    ----------
    momentum : float, default 0.99
        Share of the moving averages that is kept at a step, from 0 to 1.
    epsilon : float, default 1e-3
        Added to the variance, above 0.
    name : str, optional
        Default: given by the model.

    References
    ----------
    Ioffe & Szegedy, Batch normalization, arXiv 1502.03167; defaults as in Keras.
    """

    momentum: float = 0.99
    epsilon: float = 1e-3
    _: KW_ONLY
    name: str | None = None


@dataclass(eq=False, repr=False)
class Embedding(Layer):
    """A row of parameters for each category, behind ``Input(…, kind="codes")``.

    Parameters
    ----------
    output_dim : int
        Numbers a category, at least 1.
    name : str, optional
        Default: given by the model.
    """

    output_dim: int
    _: KW_ONLY
    name: str | None = None


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
    """

    layers: Sequence[Layer | Sequence[Layer]]
    merge: str = "concat"
    _: KW_ONLY
    name: str | None = None
