"""The numeric half of a table's preparation: imputing, scaling, ramps and one-hot columns.

One small vectorised piece between TableEncoder and the model. It becomes layers of the model as
soon as those exist; nothing else may depend on how it works.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lamina.table.encoder import Encoded

__all__ = ["TableTransform"]

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Numeric:
    """What training says of one numeric column; `edges` are the ends of its ramps."""

    median: float
    mean: float
    scale: float
    low: float
    high: float
    has_blanks: bool
    edges: tuple[float, ...]


@dataclass(frozen=True)
class _Category:
    """`first` is the first code with a column of its own: 0 if training had code 0, else 1."""

    cardinality: int
    first: int


class TableTransform:
    """Turns decoded columns into the float32 matrix that the network reads.

    A numeric column x becomes, side by side,

    - (x - mean) / standard deviation, where blanks are filled with the training median and
      values outside the range of training are moved to its end;
    - 1 where x was blank, 0 elsewhere, if training had blanks in this column;
    - its *ramps*: for each pair of neighbouring quantiles a < b of the training values
      clip((x - a) / (b - a), 0, 1), the piecewise linear encoding of Gorishniy et al. 2022
      (arXiv 2203.05556, section 3.2). They let a network see small steps where rows are dense.

    A categorical column becomes one column of 0 and 1 for each code (one-hot). Code 0, blank or
    unknown, has one only if training knew it; otherwise its row is all zeros.

    Parameters
    ----------
    ramps : int, default 0
        Number of ramps of each numeric column, fewer where quantiles coincide; 0 for none.

    Examples
    --------
    >>> from lamina.table import Encoded, TableTransform
    >>> encoded = Encoded(np.array([[1.0], [3.0], [np.nan]]), np.array([[1], [2], [1]], np.int32))
    >>> transform = TableTransform().fit(encoded, cardinalities=[3])
    >>> transform.width
    4
    >>> transform.apply(encoded)[2]
    array([0., 1., 1., 0.], dtype=float32)
    """

    def __init__(self, ramps: int = 0) -> None:
        self.ramps = ramps
        self._numeric: tuple[_Numeric, ...] = ()
        self._categories: tuple[_Category, ...] = ()

    def fit(self, encoded: Encoded, cardinalities: Sequence[int]) -> TableTransform:
        """Learn medians, means, deviations and quantiles from training rows.

        Parameters
        ----------
        encoded : Encoded
            The decoded training rows, at least one.
        cardinalities : sequence of int
            Number of codes of each categorical column, code 0 included.

        Returns
        -------
        TableTransform
            The transform itself.
        """
        self._numeric = tuple(_describe(column, self.ramps) for column in encoded.numbers.T)
        self._categories = tuple(
            _Category(cardinality, 0 if (column == 0).any() else 1)
            for column, cardinality in zip(encoded.codes.T, cardinalities, strict=True)
        )
        return self

    @property
    def width(self) -> int:
        """Number of columns that :meth:`apply` returns."""
        return sum(1 + c.has_blanks + max(0, len(c.edges) - 1) for c in self._numeric) + sum(
            c.cardinality - c.first for c in self._categories
        )

    def apply(self, encoded: Encoded) -> npt.NDArray[np.float32]:
        """Return the network's input.

        Parameters
        ----------
        encoded : Encoded
            Decoded rows of the columns that :meth:`fit` saw.

        Returns
        -------
        ndarray of float32, shape (rows, width)
            C-contiguous.
        """
        result = np.empty((len(encoded.numbers), self.width), dtype=np.float32)
        start = 0
        for part in self._parts(encoded):
            result[:, start : start + part.shape[1]] = part
            start += part.shape[1]
        return result

    def get_state(self) -> dict[str, Any]:
        """Return everything :meth:`from_state` needs, as JSON values."""
        return {
            "ramps": self.ramps,
            "numeric": [asdict(c) for c in self._numeric],
            "categories": [asdict(c) for c in self._categories],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> TableTransform:
        """Make the transform again from :meth:`get_state`'s dict."""
        transform = cls(ramps=state["ramps"])
        transform._numeric = tuple(
            _Numeric(
                edges=tuple(c["edges"]),
                has_blanks=c["has_blanks"],
                **{name: c[name] for name in ("median", "mean", "scale", "low", "high")},
            )
            for c in state["numeric"]
        )
        transform._categories = tuple(
            _Category(c["cardinality"], c["first"]) for c in state["categories"]
        )
        return transform

    def _parts(self, encoded: Encoded) -> Iterator[npt.NDArray[Any]]:
        for column, known in zip(encoded.numbers.T, self._numeric, strict=True):
            blank = np.isnan(column)
            filled = np.clip(np.where(blank, known.median, column), known.low, known.high)
            yield ((filled - known.mean) / known.scale)[:, None]
            if known.has_blanks:
                yield blank[:, None]
            if known.edges:
                edges = np.array(known.edges)
                yield np.clip((filled[:, None] - edges[:-1]) / np.diff(edges), 0.0, 1.0)
        for codes, category in zip(encoded.codes.T, self._categories, strict=True):
            yield codes[:, None] == np.arange(category.first, category.cardinality)


def _describe(column: _Floats, ramps: int) -> _Numeric:
    blank = np.isnan(column)
    median = float(np.median(column[~blank]))
    filled = np.where(blank, median, column)
    edges: tuple[float, ...] = ()
    if ramps:
        quantiles = np.quantile(column[~blank], np.linspace(0.0, 1.0, ramps + 1))
        edges = tuple(np.unique(quantiles).tolist())
    return _Numeric(
        median=median,
        mean=float(filled.mean()),
        scale=float(filled.std()) or 1.0,
        low=float(filled.min()),
        high=float(filled.max()),
        has_blanks=bool(blank.any()),
        edges=edges if len(edges) > 2 else (),
    )
