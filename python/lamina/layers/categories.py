"""Layers behind category codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lamina.constraints import Constraint
from lamina.initializers import Initializer
from lamina.layers.base import Layer
from lamina.regularizers import Regularizer

__all__ = ["Embedding", "OneHot"]


@dataclass(eq=False, repr=False)
class Embedding(Layer):
    """A learned vector for each category of each column, behind ``Input(n, kind="codes", …)``.

    y = [table_0[x_0], …, table_{n-1}[x_{n-1}]], the columns' vectors side by side, with x (B, n)
    codes, table_j (c_j, d_j), y (B, d_0 + … + d_{n-1}); B rows, c_j codes and d_j = `output_dim`
    numbers a vector. For columns of many categories, or of few where similar ones should be near
    each other; :class:`OneHot` in front of a Dense layer is the plain alternative.

    Code 0 stands for missing or unseen. Its vector starts at zero, so that a category which
    training never saw adds nothing to what follows; where code 0 occurs in training it is trained
    as others are. (Keras' ``mask_zero`` and PyTorch's ``padding_idx`` keep it at zero.)

    Each step updates the whole table, as Keras and PyTorch do without ``sparse=True``: the gradient
    of a row whose code is not in the batch is zero, and Adam still moves it by its momentum. Rows
    of a batch add to the gradient in their order, so the bits depend on nothing else.

    Parameters
    ----------
    output_dim : int, sequence of int or "auto"
        Numbers of a vector, at least 1: for all columns, or one for each. ``"auto"``:
        min(50, round(1.6 · c**0.56)) for c codes, code 0 included. That is fastai's rule, whose
        largest is 600: here a step costs as much as the table is large.
    embeddings_initializer : str or Initializer, default "random_uniform"
        Start of the tables but for row 0: uniform within ±0.05, as in Keras, so that categories
        differ by what they teach alone. (PyTorch: N(0, 1).) Larger starts did worse on tables: see
        docs/composed-models.md.
    embeddings_regularizer : str or Regularizer, optional
        Penalty on the whole tables. Default: none.
    embeddings_constraint : str or Constraint, optional
        What tables must be after each step; norms are those of a category's vector, a row. Default:
        none.
    learning_rate_multiplier, weight_decay_multiplier : float, default 1.0
        Multiply the optimizer's learning rate and weight decay for this layer, at least 0.
    trainable : bool, default True
        False: training leaves the tables as they are. Can be set at any time.
    name : str, optional
        Default: given by the model ("embedding", "embedding_1", …).

    Raises
    ------
    ValueError
        By the Model that the layer is given to, if its input is not codes or an argument is out of
        range.

    References
    ----------
    Guo & Berkhahn, Entity embeddings of categorical variables, arXiv 1604.06737; Howard & Gugger,
    fastai: a layered API for deep learning, arXiv 2002.04688 (``emb_sz_rule``).

    Examples
    --------
    >>> import lamina as lm
    >>> codes = lm.Input(2, kind="codes", cardinalities=[7, 5])
    >>> layer = lm.Embedding([4, 3])
    >>> model = lm.Model([codes, layer, lm.Dense(1)], seed=0)
    >>> [table.shape for table in layer.embeddings]
    [(7, 4), (5, 3)]
    >>> model.predict([[0, 0], [6, 4]]).shape
    (2, 1)

    Beside columns of numbers:

    >>> numbers = [lm.Input(8, name="numbers")]
    >>> codes = lm.Input(2, kind="codes", cardinalities=[7, 5], name="codes")
    >>> both = lm.Parallel([numbers, [codes, lm.Embedding("auto")]])
    >>> model = lm.Model([both, lm.Dense(1)], seed=0)
    >>> model.predict({"numbers": [[0.5] * 8], "codes": [[3, 1]]}).shape
    (1, 1)
    """

    output_dim: int | Sequence[int] | str
    _: KW_ONLY
    embeddings_initializer: str | Initializer = "random_uniform"
    embeddings_regularizer: str | Regularizer | None = None
    embeddings_constraint: str | Constraint | None = None
    learning_rate_multiplier: float = 1.0
    weight_decay_multiplier: float = 1.0
    trainable: bool = True
    name: str | None = None

    def __post_init__(self) -> None:
        """Keep several sizes as a tuple, however they were written."""
        sizes = self.output_dim
        if isinstance(sizes, (Sequence, np.ndarray)) and not isinstance(sizes, str):
            object.__setattr__(self, "output_dim", tuple(int(size) for size in sizes))

    @property
    def embeddings(self) -> NDArray[Any] | list[NDArray[Any]] | Any:
        """The table, shape (c, d); for several columns a list of them.

        Writable views of the model's own, no copies: ``layer.embeddings[3] = 0`` changes the model,
        ``layer.embeddings = array`` copies into it (for several columns a list of arrays), and
        raises ValueError if shapes differ. AttributeError before a Model owns the layer.
        """
        return _one_or_all([self._view(table) for table in self._tables("embeddings")])

    @embeddings.setter
    def embeddings(self, values: ArrayLike | Sequence[ArrayLike]) -> None:
        tables = self._tables("embeddings")
        arrays: Any = [values] if len(tables) == 1 else values
        if len(arrays) != len(tables):
            raise ValueError(
                f'Embedding: "{self.name}" has {len(tables)} tables, got {len(arrays)}'
            )
        for table, array in zip(tables, arrays, strict=True):
            if np.shape(array) != self._view(table).shape:  # before any is changed
                self._assign(table, array)
        for table, array in zip(tables, arrays, strict=True):
            self._assign(table, array)

    @property
    def embeddings_gradient(self) -> NDArray[Any] | list[NDArray[Any]] | Any:
        """Gradient of the loss by the tables, from the last backward: views as `embeddings` are."""
        return _one_or_all([self._gradient(t) for t in self._tables("embeddings_gradient")])

    def _tables(self, attribute: str) -> list[str]:
        """Return the names of the tensors, in the order of the columns."""
        tensors = self._owner(attribute).tensors()
        return [t["name"].rpartition("/")[2] for t in tensors if t["layer"] == self.name]


def _one_or_all(views: list[NDArray[Any]]) -> NDArray[Any] | list[NDArray[Any]]:
    return views[0] if len(views) == 1 else views


@dataclass(eq=False, repr=False)
class OneHot(Layer):
    """A column of 0 and 1 for each category of each column, behind ``Input(n, kind="codes", …)``.

    Of a column with codes 0 … c - 1, code k becomes c - 1 numbers of which the k-th is 1 and the
    others 0; the columns' numbers stand side by side. No parameters: a Dense layer behind it learns
    a vector for each category, as :class:`Embedding` does, and adds up those of all columns.

    Parameters
    ----------
    missing : {"zeros", "column"}, default "zeros"
        What becomes of code 0, missing or unseen. "zeros": all numbers are 0, so that it adds
        nothing to what follows. "column": it has a column of its own, the first of c; for data in
        which a blank says something.
    name : str, optional
        Default: given by the model ("one_hot", "one_hot_1", …).

    Raises
    ------
    ValueError
        By the Model that the layer is given to, if its input is not codes.

    Examples
    --------
    >>> import lamina as lm
    >>> codes = lm.Input(2, kind="codes", cardinalities=[4, 3])
    >>> sum_up = lm.Dense(1, kernel_initializer="ones")
    >>> model = lm.Model([codes, lm.OneHot(), sum_up], seed=0)
    >>> sum_up.kernel.shape
    (5, 1)
    >>> model.predict([[3, 1], [0, 2], [0, 0]]).ravel()
    array([2., 1., 0.], dtype=float32)
    """

    missing: str = "zeros"
    _: KW_ONLY
    name: str | None = None
