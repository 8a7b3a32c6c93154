"""Layers that shift and scale what passes by its own statistics."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from lamina.layers.base import Layer

__all__ = ["BatchNormalization"]


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

    Examples
    --------
    >>> import lamina as lm
    >>> model = lm.Model([lm.Input(1), lm.BatchNormalization(epsilon=0.0), lm.Dense(1)], seed=0)
    >>> model.layers[1].kernel = [[1.0]]
    >>> model.forward([[1.0], [3.0]], training=True)
    array([[-1.],
           [ 1.]], dtype=float32)
    """

    momentum: float = 0.99
    epsilon: float = 1e-3
    _: KW_ONLY
    name: str | None = None
