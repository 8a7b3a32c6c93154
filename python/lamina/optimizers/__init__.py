"""Optimizers: how weights follow their gradients. The core keeps the state and does the steps."""

from lamina.optimizers.adam import Adam, Adamax, AdamW, AMSGrad, NAdam, RAdam
from lamina.optimizers.adaptive import Adadelta, Adagrad, RMSprop
from lamina.optimizers.base import Optimizer
from lamina.optimizers.momentum import SGD, Lion, Momentum, Nesterov

__all__ = [
    "SGD",
    "AMSGrad",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Lion",
    "Momentum",
    "NAdam",
    "Nesterov",
    "Optimizer",
    "RAdam",
    "RMSprop",
]
