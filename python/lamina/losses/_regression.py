"""Losses of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lamina.losses._base import Loss

__all__ = [
    "CosineSimilarity",
    "Huber",
    "LogCosh",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Quantile",
]


@dataclass(eq=False, repr=False)
class MeanSquaredError(Loss):
    """Squared error, the usual loss of a regression; ``"mean_squared_error"`` or ``"mse"``.

    l = mean_j (p_j - y_j)², dl/dp_j = 2 (p_j - y_j) / outputs. Its minimum is the mean of the
    targets, and a few far-off targets weigh much.

    Examples
    --------
    >>> import lamina as lm
    >>> loss = lm.losses.MeanSquaredError()
    >>> loss([1.0, 2.0], [1.0, 4.0])
    2.0
    >>> loss.values([1.0, 2.0], [1.0, 4.0])
    array([0., 4.])
    >>> loss.gradient([1.0, 2.0], [1.0, 4.0])
    array([0., 2.])
    """


@dataclass(eq=False, repr=False)
class MeanAbsoluteError(Loss):
    """Absolute error: a regression that far-off targets do not pull; ``"mae"``.

    l = mean_j |p_j - y_j|, dl/dp_j = sign(p_j - y_j) / outputs, which is 0 where p = y. Its minimum
    is the median of the targets.

    Examples
    --------
    >>> import lamina as lm
    >>> loss = lm.losses.MeanAbsoluteError()
    >>> loss([1.0, 2.0], [1.0, 4.0])
    1.0
    >>> loss([1.0, 2.0], [1.0, 4.0], sample_weight=[3.0, 1.0])
    0.5
    """


@dataclass(eq=False, repr=False)
class Huber(Loss):
    """Squared error near the target, absolute error far from it; ``"huber"``.

    With d = p - y: l = mean_j d_j² / 2 where |d_j| ≤ δ, else δ (|d_j| - δ / 2). The derivative is
    d_j held between -δ and δ, so a few far-off targets cannot pull the fit away. For a large δ it
    is half the squared error, for a small one δ times the absolute error.

    Parameters
    ----------
    delta : float, default 1.0
        Where the two meet, in the targets' unit; above 0.

    Notes
    -----
    As ``torch.nn.HuberLoss`` and Keras' ``Huber``. torch's ``SmoothL1Loss(beta)`` is this loss
    divided by ``delta = beta``.

    References
    ----------
    Huber, Robust estimation of a location parameter, Annals of Mathematical Statistics 35, 1964.

    Examples
    --------
    >>> import lamina as lm
    >>> loss = lm.losses.Huber(delta=1.0)
    >>> loss.values([0.0, 0.0], [0.5, 3.0])
    array([0.125, 2.5  ])
    >>> loss.gradient([0.0, 0.0], [0.5, 3.0])
    array([0.25, 0.5 ])
    """

    delta: float = 1.0


@dataclass(eq=False, repr=False)
class LogCosh(Loss):
    """A smooth absolute error; ``"log_cosh"``.

    l = mean_j ln cosh(p_j - y_j): half the square near 0, |d| - ln 2 far from it; the derivative is
    tanh(p_j - y_j). Like Huber without a corner in the second derivative and without a parameter.
    It neither overflows for large errors nor loses digits for small ones.

    Examples
    --------
    >>> import lamina as lm
    >>> loss = lm.losses.LogCosh()
    >>> loss.values([0.0, 0.0], [1e-6, 1e4]).round(16)
    array([5.00000000e-13, 9.99930685e+03])
    """


@dataclass(eq=False, repr=False)
class Quantile(Loss):
    """The pinball loss: its minimum is a quantile of the targets; ``"quantile"``, ``"pinball"``.

    With d = y - p: l = max(q d, (q - 1) d), averaged over levels q and targets; the derivative is
    -q where p < y, 1 - q where p > y, and 0 where they are equal. Several levels make intervals:
    0.05 and 0.95 hold nine targets in ten.

    Parameters
    ----------
    levels : float or sequence of float, default 0.5
        Shares of the targets that shall lie below the prediction, from 0 to 1. 0.5 is the median
        (and half the absolute error).

    Notes
    -----
    The model has one output for each level and target, all targets of the first level first:
    ``numpy.split(model.predict(X), k, axis=1)`` gives an array like y for each of k levels.
    scikit-learn's ``mean_pinball_loss`` is the same for one level.

    References
    ----------
    Koenker & Bassett, Regression quantiles, Econometrica 46, 1978.

    Examples
    --------
    >>> import numpy as np
    >>> import lamina as lm
    >>> lm.losses.Quantile(0.9).values([1.0, 1.0], [0.0, 2.0])
    array([0.9, 0.1])
    >>> rng = np.random.default_rng(0)
    >>> x = rng.uniform(-1, 1, size=(2000, 1))
    >>> y = x + rng.normal(scale=0.3, size=x.shape)
    >>> model = lm.Model([lm.Input(1), lm.Dense(16, activation="tanh"), lm.Dense(2)], seed=0)
    >>> trainer = lm.Trainer(model, loss=lm.losses.Quantile([0.1, 0.9]), optimizer=lm.Adam(0.01))
    >>> history = trainer.fit(x, y, epochs=20, verbose=0)
    >>> low, high = np.split(model.predict(x), 2, axis=1)
    >>> bool(0.75 < np.mean((low <= y) & (y <= high)) < 0.85)
    True
    """

    levels: float | Sequence[float] = 0.5


@dataclass(eq=False, repr=False)
class CosineSimilarity(Loss):
    """The angle between a row's predictions and its targets; ``"cosine_similarity"``.

    l = 1 - sum_j p_j y_j / (|p| |y|): 0 where they point the same way, 2 where opposite; lengths do
    not count. For embeddings.

    Parameters
    ----------
    form : {"torch", "keras"}, default "torch"
        "torch": 1 - cos, the squares of the norms with 1e-12 added, as
        ``torch.nn.CosineEmbeddingLoss`` for pairs that belong together. "keras": -cos, the squares
        of the norms at least 1e-12, as Keras' ``CosineSimilarity``. A zero vector has cos = 0.

    Notes
    -----
    At least two outputs: of one number only the sign would count.

    Examples
    --------
    >>> import lamina as lm
    >>> y, p = [[1.0, 0.0], [0.0, 1.0]], [[2.0, 0.0], [1.0, 0.0]]
    >>> lm.losses.CosineSimilarity().values(y, p).round(6)
    array([0., 1.])
    >>> lm.losses.CosineSimilarity("keras").values(y, p).round(6)
    array([-1.,  0.])
    """

    form: str = "torch"
