"""The libraries that are compared, one file each; none is imported before its worker asks.

A file ``use_<library>.py`` has a class that satisfies `Contestant`; this table names it. A name
with a hyphen is another way of using the same library.
"""

from __future__ import annotations

import importlib
from typing import Protocol

from cases import Array, Case, Data, Weights


class Contestant(Protocol):
    """One library set up for one case: trains an epoch or predicts, in its own best way."""

    def epoch(self, shuffle: bool = True) -> None:
        """Train one epoch, the last short batch too; return when it is finished."""

    def predict(self, x: Array) -> Array:
        """(n, inputs) float32 NumPy array to (n, outputs): probabilities or values."""


class ContestantClass(Protocol):
    """What such a file exports."""

    version: str

    def __call__(self, case: Case, data: Data, start: Weights, threads: int) -> Contestant:
        """Begin with copies of `start`, so that all train the same network."""


_WHERE = {
    "lamina": ("peers.use_lamina", "Lamina"),
    "lamina-frozen": ("peers.use_lamina", "LaminaFrozen"),
    "lamina-beside-torch": ("peers.use_lamina_beside", "LaminaBesideTorch"),
    "sklearn": ("peers.use_sklearn", "ScikitLearn"),
    "torch": ("peers.use_torch", "TorchSliced"),
    "torch-dataloader": ("peers.use_torch", "TorchDataLoader"),
    "torch-compile": ("peers.use_torch", "TorchCompiled"),
    "torch-jit": ("peers.use_torch", "TorchFrozen"),
    "jax": ("peers.use_jax", "Jax"),
    "keras": ("peers.use_keras", "Keras"),
    "onnxruntime": ("peers.use_onnxruntime", "OnnxRuntime"),
}
SUBJECT = "lamina"
TRAINERS = ("sklearn", "torch", "torch-dataloader", "torch-compile", "jax", "keras")
COMPANIONS = ("lamina-beside-torch",)
PREDICTORS = ("lamina-frozen", "onnxruntime", "torch", "torch-jit", "sklearn", "jax", "keras")


def load(name: str) -> ContestantClass:
    """Import a contestant's library; ImportError says what is missing."""
    module, attribute = _WHERE[name]
    found: ContestantClass = getattr(importlib.import_module(module), attribute)
    return found
