"""Writes the pictures of docs/tools.md to docs/gallery: a range test and two curves.

Run it after a change of what they draw: `python docs/draw_tools.py [folder]`.
"""

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import lamina as lm

FOLDER = Path(__file__).resolve().parent / "gallery"


def diamonds() -> tuple[Any, Any]:
    """Return the measures of 2000 diamonds and the logarithms of their prices."""
    table = lm.datasets.load_diamonds()
    names = ("carat", "depth", "table", "x", "y", "z")
    rows = np.random.default_rng(0).permutation(len(table["price"]))[:2000]
    y = np.log(np.asarray(table["price"], dtype=float))[rows]
    return np.stack([table[name] for name in names], axis=1)[rows], y - y.mean()


def new_trainer(seed: int, units: int = 64) -> lm.Trainer:
    """Return what learns it."""
    layers = [lm.Input(6), lm.Normalization(), lm.Dense(units, activation="relu"), lm.Dense(1)]
    return lm.Trainer(lm.Model(layers, seed=seed), loss="mse")


def by_units(units: int, seed: int) -> lm.Trainer:
    """Return one of another width."""
    return new_trainer(seed, units)


def save(axes: Any, path: Path) -> None:
    """Write a picture in 128 colours."""
    file = io.BytesIO()
    axes.figure.savefig(file, dpi=90, metadata={"Software": None})
    with Image.open(file) as picture:
        small = picture.convert("RGB").quantize(128, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


def main(folder: Path) -> None:
    """Measure, draw and write."""
    x, y = diamonds()
    how = {"epochs": 20, "batch_size": 32}
    test = lm.find_learning_rate(new_trainer(0), x, y, batch_size=32)
    save(test.plot(), folder / "learning-rate.png")
    save(lm.learning_curve(new_trainer, x, y, **how).plot(), folder / "learning-curve.png")
    widths = [1, 2, 4, 16, 64, 256]
    curve = lm.validation_curve(by_units, x, y, widths, **how)
    save(curve.plot(), folder / "validation-curve.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
