"""Layers behind category codes."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from lamina.layers.base import Layer

__all__ = ["Embedding"]


@dataclass(eq=False, repr=False)
class Embedding(Layer):
    """A row of parameters for each category, behind ``Input(…, kind="codes")``.

    Parameters
    ----------
    output_dim : int
        Numbers a category, at least 1.
    name : str, optional
        Default: given by the model.

    Examples
    --------
    >>> import lamina as lm
    >>> codes = lm.Input(1, kind="codes", cardinality=3)
    >>> model = lm.Model([codes, lm.Embedding(4), lm.Dense(1)], seed=0)
    >>> model.predict([[0], [2]]).shape
    (2, 1)
    """

    output_dim: int
    _: KW_ONLY
    name: str | None = None
