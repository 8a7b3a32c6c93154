"""Layers: the description of a network's parts. What they compute, the core knows."""

from lamina.layers.base import Layer
from lamina.layers.categories import Embedding
from lamina.layers.composition import Parallel, Residual
from lamina.layers.dense import Activation, Dense, Input
from lamina.layers.normalization import BatchNormalization
from lamina.layers.regularization import ActivityRegularization, Dropout

__all__ = [
    "Activation",
    "ActivityRegularization",
    "BatchNormalization",
    "Dense",
    "Dropout",
    "Embedding",
    "Input",
    "Layer",
    "Parallel",
    "Residual",
]
