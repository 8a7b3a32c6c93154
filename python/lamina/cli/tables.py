"""The tables a command line names: a path, or a bundled table."""

from __future__ import annotations

from pathlib import Path

from lamina import datasets
from lamina.tables_io import Columns, TableError, read_table

__all__ = ["read_named", "table_stem"]


def read_named(name: str) -> Columns:
    """Read the bundled table of this name, or else the file; ``./name`` is always a file."""
    if name in datasets.names():
        return read_table(datasets.path(name))
    if not Path(name).exists() and "." not in name:
        bundled = ", ".join(datasets.names())
        raise TableError(f"{name}: there is no such file (bundled tables: {bundled})")
    return read_table(name)


def table_stem(name: str) -> str:
    """Return the table's name without folders and extensions.

    Examples
    --------
    >>> table_stem("data/houses.2024.csv.gz"), table_stem("diamonds")
    ('houses.2024', 'diamonds')
    """
    stem = Path(name).name
    for suffix in (".gz", ".csv", ".tsv", ".txt", ".parquet"):
        stem = stem.removesuffix(suffix)
    return stem or "model"
