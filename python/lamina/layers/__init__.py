"""Layers: the description of a network's parts. What they compute, the core knows."""

from lamina.layers.base import Layer
from lamina.layers.categories import Embedding, OneHot
from lamina.layers.composition import NestedModel, Parallel, Residual
from lamina.layers.dense import Activation, Dense, Input
from lamina.layers.normalization import BatchNormalization
from lamina.layers.preprocessing import Impute, Normalization, RobustScale
from lamina.layers.regularization import ActivityRegularization, Dropout
from lamina.layers.shaping import Add, Concatenate, Flatten, Reshape

__all__ = [
    "Activation",
    "ActivityRegularization",
    "Add",
    "BatchNormalization",
    "Concatenate",
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "Impute",
    "Input",
    "Layer",
    "NestedModel",
    "Normalization",
    "OneHot",
    "Parallel",
    "Reshape",
    "Residual",
    "RobustScale",
]
