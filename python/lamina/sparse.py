"""Sparse matrices as the core reads them: SciPy's CSR by its attributes, without SciPy."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Csr", "as_csr", "dense_alone", "is_sparse"]


class Csr(NamedTuple):
    """A CSR matrix as the core takes it."""

    indptr: NDArray[Any]
    indices: NDArray[Any]
    data: NDArray[Any]
    columns: int


def is_sparse(data: Any) -> bool:
    """Say whether `data` is a sparse matrix: SciPy's of any format, or what looks like its CSR."""
    if isinstance(data, np.ndarray):
        return False
    return (
        isinstance(data, Csr)
        or hasattr(data, "tocsr")
        or (hasattr(data, "indptr") and hasattr(data, "indices"))
    )


def as_csr(what: str, data: Any) -> Csr:
    """Return a sparse matrix as the core takes it: its arrays, where they lie.

    Other formats than CSR are converted. So are, in a copy, rows whose columns do not ascend or
    stand twice (they then add up), if the matrix knows it: ``has_canonical_format`` of SciPy.

    Raises
    ------
    TypeError
        If it does not hold numbers.
    ValueError
        If it has not two axes, or its arrays do not fit together.
    """
    if isinstance(data, Csr):
        return data
    if getattr(data, "format", "csr") != "csr":
        data = data.tocsr()
    if len(data.shape) != 2:
        raise ValueError(f"{what}: expected a sparse matrix of two axes, got shape {data.shape}")
    if hasattr(data, "has_canonical_format"):  # SciPy looks without a care
        starts = _places(data.indptr)
        if len(starts) and (np.any(np.diff(starts) < 0) or starts[-1] > len(data.indices)):
            raise ValueError(f"{what}: indptr must ascend up to {len(data.indices)}, the entries")
    if not getattr(data, "has_canonical_format", True):
        data = data.copy()
        data.sum_duplicates()
    values = np.ascontiguousarray(data.data)
    if values.dtype.kind not in "biuf" or values.dtype.itemsize > 8:
        raise TypeError(
            f"{what}: cannot use a sparse matrix of dtype {values.dtype}; use float32 or float64"
        )
    starts, columns = _places(data.indptr), _places(data.indices)  # of the copy, if there is one
    if len(starts) != data.shape[0] + 1:
        raise ValueError(
            f"{what}: a CSR matrix of shape {tuple(data.shape)} has an indptr of "
            f"{data.shape[0] + 1} numbers, got {len(starts)}"
        )
    return Csr(starts, columns, values, int(data.shape[1]))


def dense_alone(inputs: list[Any]) -> list[Any]:
    """Return the inputs of a stream's chunk, among which there may be no sparse matrix."""
    if any(isinstance(one, Csr) for one in inputs):
        raise TypeError(
            "a stream's chunks must be dense, got a sparse matrix: give fit all of it (its arrays "
            "may be memory maps), or the chunk's toarray()"
        )
    return inputs


def _places(numbers: Any) -> Any:
    """Return int32 and int64 as they lie, others as int64."""
    array = np.ascontiguousarray(numbers)
    return array if array.dtype in (np.int32, np.int64) else array.astype(np.int64, casting="safe")
