"""Arrays of other libraries as NumPy's: the same memory where its protocol says where that lies."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["from_other_library"]

_IN_MAIN_MEMORY = {1, 3, 13}  # DLPack's numbers: CPU; CUDA's pinned and managed memory
_DEVICES = {2: "a CUDA device", 7: "a Vulkan device", 8: "a Metal device", 10: "a ROCm device"}


def from_other_library(what: str, data: Any) -> NDArray[Any]:
    """Return the array that `data` is or stands for, with its memory if it has some.

    PyTorch's and JAX's on the CPU, whatever else has ``__dlpack__`` or ``__array__``, tables and
    series with ``to_numpy``; lists and other sequences are copied.

    Raises
    ------
    TypeError
        If its numbers are of a kind that NumPy has not, lie on another device, or are recorded for
        automatic differentiation.
    """
    if hasattr(data, "__dlpack__"):
        return _tensor(what, data)
    if hasattr(data, "to_numpy"):
        data = data.to_numpy()
    if not hasattr(data, "__array__") and (callable(data) or hasattr(data, "__next__")):
        raise TypeError(
            f"{what}: expected rows, got {type(data).__name__}; if it gives chunks of rows, it is "
            "a stream: lm.Stream(…)"
        )
    return np.asarray(data)


def _tensor(what: str, data: Any) -> NDArray[Any]:
    name = f"{what}: cannot use this {type(data).__module__.split('.')[0]} array"
    if getattr(data, "requires_grad", False):
        raise TypeError(f"{name}: it requires a gradient; pass x.detach()")
    dtype = str(getattr(data, "dtype", ""))
    if "bfloat16" in dtype or "float8" in dtype:
        raise TypeError(f"{name}: NumPy has no {dtype}; convert it to float32")
    try:
        device = int(data.__dlpack_device__()[0])
    except Exception as error:
        raise TypeError(f"{name}: {error}") from error
    if device not in _IN_MAIN_MEMORY:
        where = _DEVICES.get(device, f"a device (DLPack's type {device})")
        raise TypeError(f"{name}: it lies on {where}, Lamina computes on the CPU; copy it there")
    if getattr(data, "is_neg", bool)():  # PyTorch's numbers to be negated, which DLPack forgets
        data = data.resolve_neg()
    try:
        return np.from_dlpack(data)
    except Exception as error:  # a bool before DLPack 1, memory that may not be written to
        if not hasattr(data, "__array__"):
            raise TypeError(f"{name}: {error}") from error
    try:
        return np.asarray(data)
    except Exception as error:
        raise TypeError(f"{name}: {error}") from error
