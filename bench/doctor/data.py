"""The data sets by name: those that thresholds are chosen on, and those of the report alone."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from doctor import real, synthetic
from doctor.real import MissingError
from doctor.task import Task

__all__ = ["KINDS", "REPORT", "SETS", "TUNING", "MissingError", "load"]

Places = Sequence[Path]
SETS: dict[str, Callable[[np.random.Generator, Places], Task]] = {
    "digits": real.digits,
    "diamonds": real.diamonds,
    "blobs": lambda rng, places: synthetic.blobs(rng),
    "clouds": lambda rng, places: synthetic.clouds(rng),
    "rings": lambda rng, places: synthetic.rings(rng),
    "friedman": lambda rng, places: synthetic.friedman(rng),
    "waves": lambda rng, places: synthetic.waves(rng),
    "magic": real.magic,
    "bike": real.bike,
    "fashion": real.fashion,
}
TUNING = ("digits", "diamonds", "blobs", "clouds", "rings", "friedman", "waves")
REPORT = ("magic", "bike", "fashion")
KINDS = (  # pictures, tables with classes, tables with a number
    ("digits", "fashion"),
    ("blobs", "clouds", "rings", "magic"),
    ("diamonds", "friedman", "waves", "bike"),
)


@lru_cache(maxsize=32)
def load(name: str, seed: int, places: tuple[Path, ...] = ()) -> Task:
    """Return a data set of a seed: which rows are drawn, or the synthetic data themselves."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    return SETS[name](rng, places)
