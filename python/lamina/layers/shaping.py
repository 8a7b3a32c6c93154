"""Layers that learn nothing: they join what others make, or give rows another shape."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from lamina.layers.base import Layer

__all__ = ["Add", "Concatenate", "Flatten", "Reshape"]


@dataclass(eq=False, repr=False)
class Concatenate(Layer):
    """Puts the columns of several inputs side by side, in the functional form.

    (B, K1), (B, K2), … become (B, K1 + K2 + …). In the list form ``lm.Parallel([…])`` runs branches
    and joins them in one.

    Parameters
    ----------
    name : str, optional
        Default: given by the model ("concatenate", "concatenate_1", …).

    Examples
    --------
    >>> import lamina as lm
    >>> a, b = lm.Input(2), lm.Input(3)
    >>> joined = lm.Concatenate()([a, lm.Dense(4, activation="relu")(b)])
    >>> model = lm.Model(inputs=[a, b], outputs=lm.Dense(1)(joined), seed=0)
    >>> model.predict(([[1.0, 2.0]], [[3.0, 4.0, 5.0]]), layer="concatenate").shape
    (1, 6)
    """

    _: KW_ONLY
    name: str | None = None


@dataclass(eq=False, repr=False)
class Add(Layer):
    """Adds several inputs of the same width, in the functional form.

    y = x1 + x2 + … In the list form ``lm.Residual([…])`` adds its input to what layers make of it.

    Parameters
    ----------
    name : str, optional
        Default: given by the model ("add", "add_1", …).

    Examples
    --------
    >>> import lamina as lm
    >>> x = lm.Input(2)
    >>> y = lm.Add()([x, lm.Dense(2, kernel_initializer="zeros")(x)])
    >>> lm.Model(inputs=x, outputs=y, seed=0).predict([[1.0, 2.0]])
    array([[1., 2.]], dtype=float32)
    """

    _: KW_ONLY
    name: str | None = None


@dataclass(eq=False, repr=False)
class Flatten(Layer):
    """Makes rows of several axes flat: (B, 28, 28) becomes (B, 784). It costs nothing.

    Layers read rows flat anyway, ``Dense`` after ``Input((28, 28))`` sees 784 columns; this says so
    where a reader expects it, and is needed where the output should be flat.

    Parameters
    ----------
    name : str, optional
        Default: given by the model ("flatten", "flatten_1", …).

    Examples
    --------
    >>> import numpy as np
    >>> import lamina as lm
    >>> model = lm.Model([lm.Input((28, 28)), lm.Flatten(), lm.Dense(10)], seed=0)
    >>> model.predict(np.zeros((5, 28, 28)), layer="flatten").shape
    (5, 784)
    """

    _: KW_ONLY
    name: str | None = None


@dataclass(eq=False, repr=False)
class Reshape(Layer):
    """Gives rows another shape, as whoever reads the output sees it. It costs nothing.

    (B, 784) becomes (B, 28, 28), in C order: the last axis runs fastest. Layers behind read the
    rows flat. At the end of an autoencoder for images it makes ``predict`` return images.

    Parameters
    ----------
    target_shape : sequence of int
        Shape of a row, without the batch's axis. One size can be -1: what is left.
    name : str, optional
        Default: given by the model ("reshape", "reshape_1", …).

    Raises
    ------
    ValueError
        By the Model, if the columns do not make such rows.

    Examples
    --------
    >>> import numpy as np
    >>> import lamina as lm
    >>> model = lm.Model([lm.Input(6), lm.Dense(6), lm.Reshape((2, -1))], seed=0)
    >>> model.predict(np.zeros((5, 6))).shape
    (5, 2, 3)
    """

    target_shape: int | Sequence[int]
    _: KW_ONLY
    name: str | None = None

    def __post_init__(self) -> None:
        """Keep the shape as a tuple, however it was written."""
        shape: Any = self.target_shape
        sizes = shape if np.ndim(shape) else (shape,)
        try:
            whole = tuple(operator.index(size) for size in sizes)
        except TypeError:
            message = f"Reshape: target_shape takes whole numbers, got {shape!r}"
            raise TypeError(message) from None
        object.__setattr__(self, "target_shape", whole)
