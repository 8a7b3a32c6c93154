"""The memory of training as a table."""

from __future__ import annotations

from collections.abc import Mapping

from lamina.summary import size_text

__all__ = ["memory_text"]


def memory_text(parts: Mapping[str, int]) -> str:
    """Return the lines that ``trainer.summary()`` prints below the model's."""
    there = {what: size for what, size in parts.items() if size > 0}
    total = sum(there.values())
    widest = max(map(len, there))
    lines = [f"  {what.ljust(widest)}  {size_text(size)}" for what, size in there.items()]
    return "\n".join([f"training takes {size_text(total)} beside the data:", *lines])
