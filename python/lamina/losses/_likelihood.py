"""Losses that are the negative logarithm of a likelihood."""

from __future__ import annotations

from dataclasses import dataclass

from lamina.losses._base import Loss

__all__ = ["Gamma", "GaussianNLL", "Poisson", "Tweedie"]


@dataclass(eq=False, repr=False)
class Poisson(Loss):
    """For counts: the targets are Poisson with the predicted mean; ``"poisson"``.

    l = mean_j p_j - y_j ln(p_j + ε), without the term ln(y!), which does not depend on p. From
    logarithms z = ln p: l = mean_j exp(z_j) - y_j z_j.

    Parameters
    ----------
    from_log : bool, default False
        True: predictions are the logarithms of the means (torch's ``log_input``, there the
        default).
    epsilon : float, default 1e-8
        Added to p inside the logarithm, as in ``torch.nn.PoissonNLLLoss``; Keras has 1e-7. From 0
        to 1; not used from logarithms.

    Notes
    -----
    Targets are at least 0, whole or not.

    A model's last activation must give numbers of at least 0. Or keep it linear and let the output
    be the logarithm of the mean (the log link of generalised linear models): `from_log` is exact
    for outputs of any size.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.losses.Poisson().values([0.0, 3.0], [2.0, 2.0]).round(4)
    array([ 2.    , -0.0794])
    >>> lm.losses.Poisson(from_log=True).gradient([0.0, 3.0], [0.0, 0.0])
    array([ 0.5, -1. ])
    """

    from_log: bool = False
    epsilon: float = 1e-8


@dataclass(eq=False, repr=False)
class Gamma(Loss):
    """For positive amounts whose spread grows with their mean: claims, times, rain; ``"gamma"``.

    l = mean_j ln p_j + y_j / p_j, half the gamma deviance without the terms -ln y - 1, which do not
    depend on p. From logarithms z = ln p: l = mean_j z_j + y_j exp(-z_j). It weighs relative
    errors, small amounts as much as large ones.

    Parameters
    ----------
    from_log : bool, default False
        True: predictions are the logarithms of the means.

    Notes
    -----
    Targets are above 0. Predictions are kept at least 1e-7 (float32) or 1e-15 (float64); where they
    are below, the gradient is 0.

    A model's last activation must give numbers of at least 0. Or keep it linear and let the output
    be the logarithm of the mean (the log link of generalised linear models): `from_log` is exact
    for outputs of any size.

    References
    ----------
    McCullagh & Nelder, Generalized linear models, 1989, chapter 8.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.losses.Gamma().values([2.0, 2.0], [2.0, 4.0]).round(4)
    array([1.6931, 1.8863])
    """

    from_log: bool = False


@dataclass(eq=False, repr=False)
class Tweedie(Loss):
    """For amounts that are often exactly 0: claims by policy, rain by day; ``"tweedie"``.

    l = mean_j p_j^(2 - ρ) / (2 - ρ) - y_j p_j^(1 - ρ) / (1 - ρ): half the Tweedie deviance without
    the terms that depend on y alone. From logarithms z the same with p = exp(z). The variance is
    taken to grow as mean^ρ.

    Parameters
    ----------
    power : float, default 1.5
        ρ, from 1 to 2: 1 is Poisson's likelihood, 2 the gamma's, between them a Poisson number of
        gamma amounts.
    from_log : bool, default False
        True: predictions are the logarithms of the means.

    Notes
    -----
    Targets are at least 0 (above 0 for power 2). Predictions are kept at least 1e-7 (float32) or
    1e-15 (float64); where they are below, the gradient is 0.

    A model's last activation must give numbers of at least 0. Or keep it linear and let the output
    be the logarithm of the mean (the log link of generalised linear models): `from_log` is exact
    for outputs of any size.

    References
    ----------
    Jorgensen, Exponential dispersion models, Journal of the Royal Statistical Society B 49, 1987.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.losses.Tweedie(power=1.5).values([0.0, 4.0], [1.0, 4.0])
    array([2., 8.])
    """

    power: float = 1.5
    from_log: bool = False


@dataclass(eq=False, repr=False)
class GaussianNLL(Loss):
    """A mean and a variance for each target: how sure the model is of each row; ``"gaussian_nll"``.

    l = sum_j (ln v_j + (m_j - y_j)² / v_j) / 2, the negative logarithm of a normal density without
    the constant ln(2π) / 2. Where targets scatter more, the model learns a larger variance and
    leaves them more freedom.

    Parameters
    ----------
    variance : {"log", "softplus", "direct"}, default "log"
        What the outputs behind the means are: "log" the variance's logarithm, so that any number is
        allowed; "softplus" what softplus makes the variance of, which grows more slowly; "direct"
        the variance, as in ``torch.nn.GaussianNLLLoss``.
    epsilon : float, default 1e-6
        Least variance, above 0, in the targets' unit squared. The gradient by the variance passes
        over the bound, as in torch: a variance that is too small can grow again.

    Notes
    -----
    The model has two outputs a target, first the means of all targets, then what their variances
    are made from: ``mean, log_variance = numpy.split(model.predict(X), 2, axis=1)``. Scale targets
    to about 1, so that both begin near where they end; early in training, large errors make large
    gradients: ``global_clipnorm=1.0`` helps.

    A row's loss is the sum over its targets, a likelihood of the row; torch averages.

    References
    ----------
    Nix & Weigend, Estimating the mean and variance of the target probability distribution, ICNN
    1994.

    Examples
    --------
    Noise that grows with x:

    >>> import numpy as np
    >>> import lamina as lm
    >>> rng = np.random.default_rng(0)
    >>> x = rng.uniform(0, 1, size=(4000, 1))
    >>> y = np.sin(3 * x) + (0.05 + 0.5 * x) * rng.normal(size=x.shape)
    >>> model = lm.Model([lm.Input(1), lm.Dense(32, activation="tanh"), lm.Dense(2)], seed=0)
    >>> optimizer = lm.Adam(0.01, global_clipnorm=1.0)
    >>> trainer = lm.Trainer(model, loss="gaussian_nll", optimizer=optimizer)
    >>> history = trainer.fit(x, y, epochs=30, verbose=0)
    >>> mean, log_variance = np.split(model.predict(np.array([[0.1], [0.9]])), 2, axis=1)
    >>> deviation = np.exp(log_variance / 2).ravel()  # truly 0.1 and 0.5
    >>> bool(0.05 < deviation[0] < 0.15 and 0.4 < deviation[1] < 0.6)
    True
    """

    variance: str = "log"
    epsilon: float = 1e-6
