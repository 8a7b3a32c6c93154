"""Writes docs/gallery/history.png and history-layers.png: what History.plot draws.

Run it after a change of that: `python docs/draw_history.py [folder]`.
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
    """Return the measures of 2000 diamonds and their cuts."""
    table = lm.datasets.load_diamonds()
    x = np.stack([table[name] for name in ("carat", "depth", "table", "x", "y", "z")], axis=1)
    y = np.unique(table["cut"], return_inverse=True)[1]
    rows = np.random.default_rng(0).permutation(len(x))[:2000]
    return x[rows], y[rows]


def train() -> lm.History:
    """Train until early stopping ends it."""
    layers = [lm.Input(6), lm.Normalization(), lm.Dense(64, "relu"), lm.Dense(64, "relu")]
    model = lm.Model([*layers, lm.Dense(5, "softmax")], seed=0)
    optimizer = lm.Adam(learning_rate=0.01)
    trainer = lm.Trainer(
        model, loss="categorical_crossentropy", optimizer=optimizer, metrics=["accuracy"]
    )
    callbacks = [lm.ReduceLROnPlateau(patience=5, factor=0.3), lm.EarlyStopping(patience=20)]
    how = {"validation_split": 0.3, "epochs": 200, "batch_size": 32, "verbose": 0}
    return trainer.fit(*diamonds(), callbacks=callbacks, **how)


def watch() -> lm.History:
    """Train five layers at a rate that is too high for them, and watch them."""
    hidden = [lm.Dense(32, "relu", name=f"hidden_{number}") for number in range(1, 6)]
    layers = [lm.Input(6), lm.Normalization(), *hidden, lm.Dense(5, "softmax", name="cut")]
    model = lm.Model(layers, seed=0)
    optimizer = lm.Adam(learning_rate=0.02)
    trainer = lm.Trainer(model, loss="categorical_crossentropy", optimizer=optimizer)
    how = {"validation_split": 0.3, "epochs": 30, "batch_size": 32, "verbose": 0}
    return trainer.fit(*diamonds(), monitor=True, **how)


def main(folder: Path) -> None:
    """Draw them and write them."""
    for name, history in (("history", train()), ("history-layers", watch())):
        file = io.BytesIO()
        history.plot().figure.savefig(file, dpi=90, metadata={"Software": None})
        with Image.open(file) as picture:
            small = picture.convert("RGB").quantize(128, dither=Image.Dither.NONE)
        small.save(folder / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
