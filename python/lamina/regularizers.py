"""Regularisers: penalties on weights, which the core adds to the loss. Here are their arguments."""

from __future__ import annotations

from dataclasses import dataclass

from lamina._config import Configurable

__all__ = ["L1", "L1L2", "L2", "Regularizer"]


class Regularizer(Configurable):
    """A penalty on a layer's kernel, bias or activity (its outputs), against overfitting.

    ``lm.Dense(64, kernel_regularizer=lm.L2(1e-4))``. On activities it is averaged over the batch
    (see :class:`lamina.ActivityRegularization`). The penalty takes part in every step but is
    not in the reported ``loss`` and ``val_loss``, which stay the loss on the data.
    """


@dataclass(eq=False, repr=False)
class L1(Regularizer):
    """Penalty on absolute values: drives unimportant weights to exactly zero.

    l1 · sum |w|

    Parameters
    ----------
    l1 : float, default 0.01
        Strength, at least 0.
    proximal : bool, default True
        True: after the optimizer's step each weight is moved towards zero by
        ``learning rate · l1`` and stops there (soft thresholding), so that zeros are exact.
        False: the subgradient l1 · sign(w), with sign(0) = 0, joins the gradient, as in Keras;
        weights then wander around zero without meeting it.

    References
    ----------
    Parikh & Boyd, Proximal algorithms, Foundations and Trends in Optimization 2014, section 6.5.2.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.Dense(1, kernel_regularizer=lm.L1(1e-3))
    lm.Dense(1, kernel_regularizer=lm.L1(l1=0.001))
    """

    l1: float = 0.01
    proximal: bool = True


@dataclass(eq=False, repr=False)
class L2(Regularizer):
    """Penalty on squares: keeps all weights small.

    l2 · sum w², with the gradient 2 · l2 · w, as in Keras. (PyTorch's ``SGD(weight_decay=d)`` is
    l2 = d / 2.) With Adam and its kin, which divide the gradient by its own size, the
    ``weight_decay`` of the optimizer is usually the better choice.

    Parameters
    ----------
    l2 : float, default 0.01
        Strength, at least 0.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.Dense(1, kernel_regularizer=lm.L2(1e-4))
    lm.Dense(1, kernel_regularizer=lm.L2(l2=0.0001))
    """

    l2: float = 0.01


@dataclass(eq=False, repr=False)
class L1L2(Regularizer):
    """Both penalties: exact zeros, and correlated weights that shrink together; elastic net.

    l1 · sum |w| + l2 · sum w²

    Parameters
    ----------
    l1 : float, default 0.01
        Strength of the penalty on absolute values, at least 0.
    l2 : float, default 0.01
        Strength of the penalty on squares, at least 0.
    proximal : bool, default True
        How the first is applied; see L1.

    References
    ----------
    Zou & Hastie, Regularization and variable selection via the elastic net, JRSS B 2005.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.L1L2(l1=1e-3, l2=1e-4)
    lm.L1L2(l1=0.001, l2=0.0001)
    """

    l1: float = 0.01
    l2: float = 0.01
    proximal: bool = True
