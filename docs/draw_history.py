"""Writes docs/gallery/history.png: the history of a training that was stopped in time.

Run it after a change of what History.plot draws: `python docs/draw_history.py [folder]`.
"""

import sys
from pathlib import Path

import numpy as np

import lamina as lm

FOLDER = Path(__file__).resolve().parent / "gallery"


def train() -> lm.History:
    """Learn the cut of 2000 diamonds by their measures."""
    table = lm.datasets.load_diamonds()
    x = np.stack([table[name] for name in ("carat", "depth", "table", "x", "y", "z")], axis=1)
    y = np.unique(table["cut"], return_inverse=True)[1]
    rows = np.random.default_rng(0).permutation(len(x))[:2000]
    layers = [lm.Input(6), lm.Normalization(), lm.Dense(64, "relu"), lm.Dense(64, "relu")]
    model = lm.Model([*layers, lm.Dense(5, "softmax")], seed=0)
    optimizer = lm.Adam(learning_rate=0.01)
    trainer = lm.Trainer(
        model, loss="categorical_crossentropy", optimizer=optimizer, metrics=["accuracy"]
    )
    callbacks = [lm.ReduceLROnPlateau(patience=5, factor=0.3), lm.EarlyStopping(patience=20)]
    how = {"validation_split": 0.3, "epochs": 200, "batch_size": 32, "verbose": 0}
    return trainer.fit(x[rows], y[rows], callbacks=callbacks, **how)


def main(folder: Path) -> None:
    """Draw it and write it."""
    figure = train().plot().figure
    figure.savefig(folder / "history.png", dpi=100, metadata={"Software": None})


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
