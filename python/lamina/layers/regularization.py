"""Layers that act in training alone: against overfitting."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from lamina.layers.base import Layer
from lamina.schedules.base import Scheduled, adopt_functions

__all__ = ["ActivityRegularization", "AlphaDropout", "Dropout", "GaussianNoise"]


class _Scheduled(Layer):
    """A layer with a number that may change from step to step."""

    def __post_init__(self) -> None:
        """Take a function for a schedule."""
        adopt_functions(self)


@dataclass(eq=False, repr=False)
class Dropout(_Scheduled):
    """Silences a random share of its inputs at each training step: against overfitting.

    In training y = x · m / (1 - rate), where m is 0 with probability `rate` and 1 otherwise, drawn
    anew for each element and step; else y = x. So the mean is kept, and nothing has to be scaled
    when predicting. (16 random bits decide on an element: the rate is rounded to a multiple of
    2^-16, at most 1 - 2^-16, and the scale with it.) The same seed draws the same masks, whatever
    the number of threads.

    Parameters
    ----------
    rate : float, Schedule or function
        Share that is silenced, at least 0 and below 1. One that changes counts the steps or epochs
        of the fit; by hand, a step is a call of ``model.forward`` and the epoch stays 0.
    name : str, optional
        Default: given by the model ("dropout", "dropout_1", …).

    References
    ----------
    Srivastava et al., Dropout: a simple way to prevent neural networks from overfitting, JMLR 15,
    2014.

    Examples
    --------
    >>> import lamina as lm
    >>> dense = lm.Dense(100, kernel_initializer="ones")
    >>> model = lm.Model([lm.Input(1), dense, lm.Dropout(0.5)], seed=0)
    >>> set(model.predict([[1.0]]).ravel().tolist())
    {1.0}
    >>> sorted(set(model.forward([[1.0]], training=True).ravel().tolist()))
    [0.0, 2.0]
    """

    rate: Scheduled
    _: KW_ONLY
    name: str | None = None


@dataclass(eq=False, repr=False)
class AlphaDropout(_Scheduled):
    """Dropout for networks of SELU units: keeps the mean and the variance of what passes.

    In training an element is replaced, with probability `rate`, by SELU's least value
    s = -1.7581; then all are scaled and shifted so that inputs of mean 0 and variance 1 keep both:
    y = a · (x · m + s · (1 - m)) + b with m = 0 or 1, q = 1 - rate,
    a = 1 / sqrt(q + s² · q · rate) and b = -a · rate · s. Else y = x. Use it behind
    ``lm.Dense(…, activation="selu")``; the masks are drawn as Dropout draws its own, and the rate
    is rounded likewise.

    Parameters
    ----------
    rate : float, Schedule or function
        Share that is replaced, at least 0 and below 1; 0.05 and 0.1 are usual. One that changes
        counts steps or epochs as in Dropout.
    name : str, optional
        Default: given by the model ("alpha_dropout", "alpha_dropout_1", …).

    References
    ----------
    Klambauer et al., Self-normalizing neural networks, arXiv 1706.02515, section 3; as in Keras
    and PyTorch.

    Examples
    --------
    >>> import lamina as lm
    >>> dense = lm.Dense(20_000, activation="selu", kernel_initializer="lecun_normal")
    >>> model = lm.Model([lm.Input(1), dense, lm.AlphaDropout(0.2)], seed=0)
    >>> before, after = model.predict([[1.0]]), model.forward([[1.0]], training=True)
    >>> bool(abs(before.mean() - after.mean()) < 0.05 and abs(before.var() - after.var()) < 0.05)
    True
    """

    rate: Scheduled
    _: KW_ONLY
    name: str | None = None


@dataclass(eq=False, repr=False)
class GaussianNoise(_Scheduled):
    """Adds noise in training: against overfitting, and for inputs that are themselves noisy.

    In training y = x + stddev · z with z from N(0, 1), drawn anew for each element and step; else
    y = x. The same seed draws the same noise, whatever the number of threads.

    Parameters
    ----------
    stddev : float, Schedule or function
        Standard deviation of the noise, at least 0, in the unit of x. One that changes counts
        steps or epochs as in Dropout.
    name : str, optional
        Default: given by the model ("gaussian_noise", "gaussian_noise_1", …).

    References
    ----------
    Bishop, Training with noise is equivalent to Tikhonov regularization, Neural Computation 7,
    1995; as in Keras.

    Examples
    --------
    >>> import lamina as lm
    >>> dense = lm.Dense(10_000, kernel_initializer="zeros")
    >>> model = lm.Model([lm.Input(1), dense, lm.GaussianNoise(0.5)], seed=0)
    >>> noise = model.forward([[1.0]], training=True)
    >>> bool(abs(noise.mean()) < 0.02 and abs(noise.std() - 0.5) < 0.02)
    True
    >>> bool(model.predict([[1.0]]).any())
    False
    """

    stddev: Scheduled
    _: KW_ONLY
    name: str | None = None


@dataclass(eq=False, repr=False)
class ActivityRegularization(Layer):
    """A penalty on what passes: keeps outputs small, or (with `l1`) most of them at zero.

    y = x. In training it adds l1 · sum |y| + l2 · sum y² of each row to the row's loss: both are
    averaged over the batch by the sample weights. So the gradient of row r gets
    w_r / sum(w) · (l1 · sign(y) + 2 · l2 · y), with sign(0) = 0.
    ``lm.Dense(64, activation="relu", activity_regularizer=lm.L1(1e-4))`` does the same in one line.

    Like other penalties it is not in ``loss`` and ``val_loss``; ``history["penalty"]`` has its
    mean over the epoch, beside the penalty on the weights. By hand, ``model.backward`` adds its
    gradient after ``model.forward(x, training=True)``, each row's share being 1 / rows, and leaves
    it out after ``training=False``. Predictions pass it at no cost.

    Place it behind hidden layers. Behind the last one's softmax or sigmoid the loss cannot read
    logits any more: it goes through probabilities, whose clipping takes the gradient of rows that
    are surely wrong.

    Keras' documentation divides the sum by the rows of the batch, whatever their weights (and its
    third version, as it is written, does not divide). There is no proximal step for activities:
    the `proximal` of ``lm.L1`` and ``lm.L1L2`` means nothing here, l1 is always a subgradient.

    Parameters
    ----------
    l1 : float, default 0.0
        Strength on absolute values, at least 0.
    l2 : float, default 0.0
        Strength on squares, at least 0.
    name : str, optional
        Default: given by the model ("activity_regularization", …).

    References
    ----------
    Glorot, Bordes & Bengio, Deep sparse rectifier neural networks, AISTATS 2011, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> import lamina as lm
    >>> model = lm.Model([lm.Input(2), lm.Dense(2), lm.ActivityRegularization(l1=0.5)], seed=0)
    >>> model.layers[0].kernel = np.eye(2)
    >>> model.forward([[3.0, -4.0]], training=True)
    array([[ 3., -4.]], dtype=float32)
    >>> model.backward([[0.0, 0.0]])
    array([[ 0.5, -0.5]], dtype=float32)
    """

    l1: float = 0.0
    l2: float = 0.0
    _: KW_ONLY
    name: str | None = None
