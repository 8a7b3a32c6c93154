"""A model as a table: its layers, shapes, parameters and arithmetic."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

__all__ = ["size_text", "summary_text"]


def summary_text(model: Any) -> str:
    """Return the lines that ``model.summary()`` prints."""
    core = model._core
    layers = core.layers()
    rows: list[tuple[str, ...]] = [("layer", "kind", "output", "parameters", "flops a row")]
    rows += [_row(one) for one in layers]
    if model._network.wiring is not None:
        reads = ["reads", *_sources(layers)]
        rows = [(*row, names) for row, names in zip(rows, reads, strict=True)]
    lines = _aligned(rows)
    lines.insert(1, "-" * max(map(len, lines)))
    size = model.num_parameters * model.dtype.itemsize
    lines.append(
        f"{model.num_parameters:,} parameters ({size_text(size)}, {model.dtype}), "
        f"{int(core.num_trainable):,} trainable; seed {model.seed}"
    )
    return "\n".join(lines)


def _row(layer: dict[str, Any]) -> tuple[str, ...]:
    shapes = [f"({', '.join(['n', *map(str, shape)])})" for shape in layer["output_shapes"]]
    return (
        "  " * layer["depth"] + layer["name"],
        layer["class"],
        ", ".join(shapes),
        f"{layer['parameters']:,}",
        f"{layer['flops']:,}",
    )


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return a line a row: text to the left, numbers (the fourth and fifth column) to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if i in (3, 4) else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _sources(layers: Sequence[dict[str, Any]]) -> list[str]:
    """Return for each layer the names of those that it reads: built before, and no deeper."""
    makers: dict[int, list[dict[str, Any]]] = {}  # by value
    lines = []
    for layer in layers:
        names: list[str] = []
        for value in layer["inputs"]:
            latest = reversed(makers.get(value, []))
            near = (one["name"] for one in latest if one["depth"] <= layer["depth"])
            names += itertools.islice(near, 1)
        lines.append(", ".join(names))
        for value in layer["outputs"]:
            makers.setdefault(value, []).append(layer)
    return lines


def size_text(size: float) -> str:
    """Return a number of bytes as a person reads it: ``33.4 MB``."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"
