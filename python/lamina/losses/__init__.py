"""Losses: how far predictions are from targets, as one number. The core computes them."""

from lamina.losses._base import Loss
from lamina.losses._binary import BinaryCrossentropy, BinaryFocalCrossentropy, Hinge, SquaredHinge
from lamina.losses._categorical import (
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    KLDivergence,
)
from lamina.losses._likelihood import Gamma, GaussianNLL, Poisson, Tweedie
from lamina.losses._regression import (
    CosineSimilarity,
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanSquaredError,
    Quantile,
)

__all__ = [
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CosineSimilarity",
    "Gamma",
    "GaussianNLL",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Poisson",
    "Quantile",
    "SquaredHinge",
    "Tweedie",
]
