"""Which rows train, which validate and which test: by seed, evenly over the classes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["split_rows"]

_Rows = npt.NDArray[np.intp]


def split_rows(
    rows: int,
    share: float,
    seed: int,
    *,
    labels: npt.NDArray[np.integer] | None = None,
    stream: int = 0,
) -> tuple[_Rows, _Rows]:
    """Draw a share of the rows at random; the rest is the other part.

    With labels every class gives the same share of its rows, as closely as whole rows allow. The
    draw depends on the seed, the stream, the number of rows and the labels alone.

    Parameters
    ----------
    rows : int
        Number of rows, at least 2.
    share : float
        Share of the rows to draw, between 0 and 1; at least one row is drawn and one left.
    seed : int
        Whole number, at least 0.
    labels : ndarray of int, shape (rows,), optional
        Class of each row.
    stream : int, default 0
        Which of the seed's independent draws.

    Returns
    -------
    rest, drawn : ndarray of int
        Row numbers, ascending.

    Examples
    --------
    >>> rest, drawn = split_rows(10, 0.2, seed=0, labels=np.array([0] * 5 + [1] * 5))
    >>> len(rest), len(drawn), sorted(int(row) // 5 for row in drawn)
    (8, 2, [0, 1])
    """
    random = np.random.Generator(np.random.PCG64([seed, stream])).random(rows)
    shuffled = np.argsort(random, kind="stable")
    if labels is not None:
        shuffled = shuffled[np.argsort(labels[shuffled], kind="stable")]
    count = min(max(round(rows * share), 1), rows - 1)
    # Rows of a class stand together, so every rows/count-th row draws each class evenly.
    marks = np.arange(1, rows + 1) * count // rows > np.arange(rows) * count // rows
    return np.sort(shuffled[~marks]), np.sort(shuffled[marks])
