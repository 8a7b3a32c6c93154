"""Losses of one class out of several, or of distributions over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lamina.losses._base import Loss

__all__ = ["CategoricalCrossentropy", "CategoricalFocalCrossentropy", "KLDivergence"]


@dataclass(eq=False, repr=False)
class CategoricalCrossentropy(Loss):
    """Cross-entropy of one class out of several.

    By name ``"categorical_crossentropy"``, ``"cce"`` or ``"sparse_categorical_crossentropy"``:
    class numbers and one-hot rows are both understood.

    l = -sum_j y_j ln p_j, with probabilities clipped as in BinaryCrossentropy; from logits z
    l = ln(sum_j exp z_j) - sum_j y_j z_j, exact for any z. A Trainer whose model ends in
    ``activation="softmax"`` computes the exact form by itself; leave `from_logits` False there.

    Parameters
    ----------
    from_logits : bool, default False
        True: predictions are the numbers before the softmax.
    label_smoothing : float, default 0.0
        Share s of the label that is spread over all N classes, from 0 to 1: y becomes
        (1 - s) y + s / N. Often raises accuracy and always worsens the probabilities.

    Notes
    -----
    Targets are whole numbers 0 … N-1 of any type, shape (n,) or (n, 1), or rows (n, N) that sum
    to 1. Class weights: ``trainer.fit(..., class_weight={0: 1.0, 1: 5.0})``, or alone on arrays
    ``sample_weight=weights[labels]``, which is torch's ``CrossEntropyLoss(weight=weights)``.

    Label smoothing: Szegedy et al., Rethinking the Inception architecture, arXiv 1512.00567.

    Examples
    --------
    >>> import lamina as lm
    >>> loss = lm.losses.CategoricalCrossentropy()
    >>> p = [[0.5, 0.25, 0.25], [0.25, 0.25, 0.5]]
    >>> round(loss([0, 2], p), 4)
    0.6931
    >>> loss([0, 2], p) == loss([[1, 0, 0], [0, 0, 1]], p)
    True
    """

    from_logits: bool = False
    label_smoothing: float = 0.0


@dataclass(eq=False, repr=False)
class CategoricalFocalCrossentropy(Loss):
    """Cross-entropy over classes that looks away from what is already right; ``"focal"``.

    l = -sum_j α_j y_j (1 - p_j)^γ ln p_j. Easy rows weigh less, which helps where some classes are
    rare. Targets, clipping, logits and the Trainer as for CategoricalCrossentropy.

    Parameters
    ----------
    alpha : float or sequence of float, default 0.25
        Weight, or one for each class, at least 0. The default is Keras': one number for all classes
        only scales the loss.
    gamma : float, default 2.0
        How strongly, at least 0; 0 with alpha 1 is the plain cross-entropy.
    from_logits : bool, default False
        True: predictions are the numbers before the softmax.

    References
    ----------
    Lin et al., Focal loss for dense object detection, arXiv 1708.02002.

    Examples
    --------
    >>> import lamina as lm
    >>> loss = lm.losses.CategoricalFocalCrossentropy(alpha=[1.0, 2.0])
    >>> loss.values([0, 1], [[0.5, 0.5], [0.9, 0.1]]).round(4)
    array([0.1733, 3.7302])
    """

    alpha: float | Sequence[float] = 0.25
    gamma: float = 2.0
    from_logits: bool = False


@dataclass(eq=False, repr=False)
class KLDivergence(Loss):
    """How far a predicted distribution is from a given one; ``"kl_divergence"``, ``"kld"``.

    l = sum_j y_j (ln y_j - ln p_j), with 0 ln 0 = 0: cross-entropy less the targets' own entropy,
    so 0 where p = y. The gradient is cross-entropy's. For soft targets, such as a larger model's
    outputs. Probabilities are clipped as in BinaryCrossentropy; a Trainer whose model ends in
    ``activation="softmax"`` computes from the logits by itself.

    Parameters
    ----------
    from_logits : bool, default False
        True: predictions are the numbers before the softmax. Log-probabilities, which
        ``torch.nn.KLDivLoss`` takes, are such numbers, too.

    Notes
    -----
    A Trainer asks for targets (n, N) whose rows sum to 1. A row's loss is the sum over classes:
    torch's ``reduction="batchmean"``, and Keras'.

    References
    ----------
    Kullback & Leibler, On information and sufficiency, Annals of Mathematical Statistics 22, 1951.

    Examples
    --------
    >>> import lamina as lm
    >>> loss = lm.losses.KLDivergence()
    >>> loss.values([[0.5, 0.5], [1.0, 0.0]], [[0.5, 0.5], [0.5, 0.5]]).round(4)
    array([0.    , 0.6931])
    """

    from_logits: bool = False
