"""Schedules: numbers that change while a network trains. The arithmetic is the core's."""

from lamina.schedules.base import Function, Schedule
from lamina.schedules.compound import Piecewise, Warmup
from lamina.schedules.cyclic import CosineRestarts, CosLog, Cyclical, OneCycle
from lamina.schedules.decay import (
    Constant,
    Cosine,
    Exponential,
    FlatCosine,
    InverseTime,
    Linear,
    MultiStep,
    Polynomial,
    Step,
)

__all__ = [
    "Constant",
    "CosLog",
    "Cosine",
    "CosineRestarts",
    "Cyclical",
    "Exponential",
    "FlatCosine",
    "Function",
    "InverseTime",
    "Linear",
    "MultiStep",
    "OneCycle",
    "Piecewise",
    "Polynomial",
    "Schedule",
    "Step",
    "Warmup",
]
