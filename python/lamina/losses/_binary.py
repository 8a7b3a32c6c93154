"""Losses of yes-or-no targets, one or several a row."""

from __future__ import annotations

from dataclasses import dataclass

from lamina.losses._base import Loss

__all__ = ["BinaryCrossentropy", "BinaryFocalCrossentropy", "Hinge", "SquaredHinge"]


@dataclass(eq=False, repr=False)
class BinaryCrossentropy(Loss):
    """Cross-entropy of yes-or-no targets, one or several a row; ``"bce"``.

    l = mean_j -(y_j ln p_j + (1 - y_j) ln(1 - p_j)). Probabilities are clipped to [ε, 1 - ε], with
    ε = 1e-7 for float32 and 1e-15 for float64. From logits z it is
    max(z, 0) - z y + ln(1 + exp(-|z|)), exact for any z.

    A Trainer whose model ends in ``activation="sigmoid"`` computes the exact form by itself; leave
    `from_logits` False there.

    Parameters
    ----------
    from_logits : bool, default False
        True: predictions are the numbers before the sigmoid.
    label_smoothing : float, default 0.0
        Share s of the label that becomes 1/2, from 0 to 1: y becomes (1 - s) y + s / 2, as in
        Keras.
    positive_weight : float, default 1.0
        Factor w of the terms of class 1, at least 0: l = -(w y ln p + (1 - y) ln(1 - p)), torch's
        ``pos_weight``. Above 1 finds more of a rare class 1, at the price of false alarms; the
        probabilities are then no longer calibrated.

    Notes
    -----
    Targets lie between 0 and 1: 0 and 1, or probabilities.

    Examples
    --------
    >>> import lamina as lm
    >>> loss = lm.losses.BinaryCrossentropy()
    >>> round(loss([1, 0], [0.5, 0.5]), 4)
    0.6931
    >>> round(lm.losses.BinaryCrossentropy(from_logits=True)([1, 0], [0.0, 0.0]), 4)
    0.6931
    """

    from_logits: bool = False
    label_smoothing: float = 0.0
    positive_weight: float = 1.0


@dataclass(eq=False, repr=False)
class BinaryFocalCrossentropy(Loss):
    """Binary cross-entropy that looks away from what is already right; ``"binary_focal"``.

    l = mean_j (1 - t_j)^γ CE_j, where t = y p + (1 - y)(1 - p) is the probability of the label and
    CE the binary cross-entropy. Easy rows weigh less, which helps where one class is rare and most
    rows are easy. Clipping, logits and the Trainer as for BinaryCrossentropy.

    Parameters
    ----------
    alpha : float, optional
        Weight of class 1, from 0 to 1; class 0 has 1 - alpha. Default: no weights. (Keras: alpha
        with ``apply_class_balancing=True``; torchvision's ``sigmoid_focal_loss``: alpha=0.25.)
    gamma : float, default 2.0
        How strongly, at least 0; 0 is the plain cross-entropy.
    from_logits : bool, default False
        True: predictions are the numbers before the sigmoid.

    References
    ----------
    Lin et al., Focal loss for dense object detection, arXiv 1708.02002.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.losses.BinaryFocalCrossentropy().values([1, 1], [0.5, 0.1]).round(4)
    array([0.1733, 1.8651])
    """

    alpha: float | None = None
    gamma: float = 2.0
    from_logits: bool = False


@dataclass(eq=False, repr=False)
class Hinge(Loss):
    """The margin loss of support-vector machines; ``"hinge"``.

    l = mean_j max(0, 1 - y_j p_j) for labels y of -1 and 1; the derivative is -y_j where y_j p_j is
    below 1, else 0. Rows beyond the margin do not count at all. Scores are no probabilities.

    Notes
    -----
    Targets are -1 and 1; 0 counts as -1, so 0 and 1 will do, too (as in Keras). The prediction is a
    score whose sign decides: end the model with a linear layer. ``"accuracy"`` cuts at 0.

    References
    ----------
    Cortes & Vapnik, Support-vector networks, Machine Learning 20, 1995.

    Examples
    --------
    >>> import lamina as lm
    >>> loss = lm.losses.Hinge()
    >>> loss.values([1, -1, 1], [2.0, 0.5, 0.5])
    array([0. , 1.5, 0.5])
    >>> loss.values([1, 0, 1], [2.0, 0.5, 0.5])
    array([0. , 1.5, 0.5])
    """


@dataclass(eq=False, repr=False)
class SquaredHinge(Loss):
    """The square of the hinge: smooth at the margin, harder on what is far off.

    By name ``"squared_hinge"``. l = mean_j max(0, 1 - y_j p_j)², with derivative
    -2 y_j max(0, 1 - y_j p_j).

    Notes
    -----
    Targets are -1 and 1; 0 counts as -1, so 0 and 1 will do, too (as in Keras). The prediction is a
    score whose sign decides: end the model with a linear layer. ``"accuracy"`` cuts at 0.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.losses.SquaredHinge().values([1, -1, 1], [2.0, 0.5, 0.5])
    array([0.  , 2.25, 0.25])
    """
