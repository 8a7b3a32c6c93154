"""What callbacks cost an epoch: python bench/callbacks.py. Ratios to a fit without any.

The network is small and its batches are, too (64-32-10, 32 rows a batch), so that what is paid per
batch shows.
"""

from __future__ import annotations

import contextlib
import io
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

import lamina as lm

ROWS, BATCH, EPOCHS, ROUNDS = 64_000, 32, 3, 7


class EachHundredth(lm.Callback):
    batch_interval = 100

    def on_train_batch_end(self, batch, logs=None):
        pass


def callbacks(folder: Path) -> dict[str, list[lm.Callback]]:
    """What is measured, by name."""
    made = {
        "none": [],
        "none again": [],
        "CSVLogger": [lm.CSVLogger(folder / "epochs.csv")],
        "TerminateOnNaN": [lm.TerminateOnNaN()],
        "ProgressBar": [lm.ProgressBar(file=io.StringIO())],
        "a hook for epochs": [lm.LambdaCallback(on_epoch_end=lambda epoch, logs: None)],
        "each 100th batch": [EachHundredth()],
        "every batch": [lm.LambdaCallback(on_train_batch_end=lambda batch, logs: None)],
    }
    with contextlib.suppress(ImportError):
        made["TensorBoard"] = [lm.TensorBoard(folder / "logs")]
    return made


def seconds(x: np.ndarray, y: np.ndarray, hooks: list[lm.Callback]) -> float:
    layers = [lm.Input(64), lm.Dense(32, activation="relu"), lm.Dense(10, activation="softmax")]
    trainer = lm.Trainer(lm.Model(layers, seed=0), loss="cce", num_threads=1)
    trainer.fit(x, y, epochs=1, batch_size=BATCH, verbose=0)
    start = time.perf_counter()
    trainer.fit(x, y, epochs=EPOCHS, batch_size=BATCH, callbacks=hooks, verbose=0)
    return time.perf_counter() - start


def main() -> None:
    """Measure in turn, so that a busy moment meets all alike; print the median ratios."""
    random = np.random.default_rng(0)
    x = random.normal(size=(ROWS, 64)).astype(np.float32)
    y = random.integers(0, 10, ROWS)
    taken: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            for name, hooks in callbacks(Path(folder)).items():
                taken.setdefault(name, []).append(seconds(x, y, hooks))
    steps = EPOCHS * -(-ROWS // BATCH)
    base = taken["none"]
    print(f"64-32-10, {BATCH} rows a batch: {1e6 * statistics.median(base) / steps:.2f} us a step")
    for name, times in taken.items():
        ratio = statistics.median(one / other for one, other in zip(times, base, strict=True))
        print(f"{name:20} {ratio:6.3f}")


if __name__ == "__main__":
    main()
