"""Tables that come with Lamina, so that the first command works without a download.

Each lies beside this file as ``<name>.csv.gz`` with its licence in ``<name>.LICENSE.txt``.
"""

from __future__ import annotations

from pathlib import Path

from lamina.table_cells import typed
from lamina.tables_io import Columns, read_table

__all__ = ["load_diamonds", "names", "path"]

_FOLDER = Path(__file__).parent
_SUFFIX = ".csv.gz"


def names() -> list[str]:
    """Return the names of the bundled tables.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.datasets.names()
    ['diamonds']
    """
    return sorted(file.name.removesuffix(_SUFFIX) for file in _FOLDER.glob(f"*{_SUFFIX}"))


def path(name: str) -> Path:
    """Return the file of a bundled table.

    Parameters
    ----------
    name : str
        One of :func:`names`.

    Raises
    ------
    ValueError
        If there is no such table; it lists those there are.

    Examples
    --------
    >>> path("diamonds").name
    'diamonds.csv.gz'
    """
    if name not in names():
        raise ValueError(f"there is no bundled table {name!r}; there are {', '.join(names())}")
    return _FOLDER / f"{name}{_SUFFIX}"


def load_diamonds() -> Columns:
    """Return the diamonds table: 53,940 round-cut diamonds with their prices.

    Columns: ``carat`` (weight, 0.2 g), ``cut``, ``color``, ``clarity`` (ordered qualities, as
    text), ``depth`` and ``table`` (proportions, %), ``price`` (US dollars, 326 to 18,823), ``x``
    ``y`` ``z`` (size, mm; a few are 0, which means unknown).

    Returns
    -------
    dict
        Column name -> float64 array, or list of str for the three qualities.

    Source
    ------
    ggplot2 (MIT licence, see ``diamonds.LICENSE.txt`` beside the data).

    Examples
    --------
    >>> diamonds = load_diamonds()
    >>> diamonds["cut"][0], float(diamonds["price"].mean().round())
    ('Ideal', 3933.0)
    """
    return typed(read_table(path("diamonds")))
