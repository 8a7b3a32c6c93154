"""Layers: the description of a network's parts. What they compute, the core knows."""

from lamina.layers.base import Layer
from lamina.layers.categories import Embedding, OneHot
from lamina.layers.composition import NestedModel, Parallel, Residual
from lamina.layers.dense import Activation, Dense, Input
from lamina.layers.normalization import (
    BatchNormalization,
    LayerNormalization,
    RMSNormalization,
    Scale,
)
from lamina.layers.preprocessing import Impute, Normalization, RobustScale
from lamina.layers.regularization import (
    ActivityRegularization,
    AlphaDropout,
    Dropout,
    GaussianNoise,
)
from lamina.layers.shaping import Add, Concatenate, Flatten, Reshape

__all__ = [
    "Activation",
    "ActivityRegularization",
    "Add",
    "AlphaDropout",
    "BatchNormalization",
    "Concatenate",
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "GaussianNoise",
    "Impute",
    "Input",
    "Layer",
    "LayerNormalization",
    "NestedModel",
    "Normalization",
    "OneHot",
    "Parallel",
    "RMSNormalization",
    "Reshape",
    "Residual",
    "RobustScale",
    "Scale",
]
