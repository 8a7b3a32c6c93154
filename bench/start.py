"""What every contestant begins with: Lamina's initial weights, handed on in a file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import numpy as np
from cases import Case, Weights
from crew import Member, try_each


def save_weights(case: Case, path: Path) -> None:
    """Draw them in this process, which trains nothing."""
    from peers.use_lamina import network

    arrays = [array for layer in network(case).layers for array in (layer.kernel, layer.bias)]
    np.savez(path, *arrays)


def load_weights(path: Path) -> Weights:
    """Kernel and bias of each layer, in order."""
    with np.load(path) as file:
        arrays = [file[name] for name in file]
    return list(zip(arrays[::2], arrays[1::2], strict=True))


def prepare(members: Iterable[Member], case: Case) -> list[Member]:
    """Hand the case to all; those that cannot take it are named and left out of the result."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.npz"
        save_weights(case, path)
        given = {"case": asdict(case), "weights": str(path)}
        return try_each(list(members), lambda member: member.ask("prepare", **given))
