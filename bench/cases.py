"""The networks that are timed: shapes, arithmetic, synthetic data and the loss that checks them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Weights = list[tuple[Array, Array]]  # a layer's kernel (inputs, units) and bias

DATA_SEED = 20240607
LEARNING_RATE = 1e-3


@dataclass(frozen=True)
class Case:
    """One network with its data: ReLU between the layers, Adam, float32."""

    key: str
    what: str
    widths: tuple[int, ...]
    batch_size: int
    rows: int
    classes: bool  # softmax with cross-entropy, else a linear output with mean squared error

    @property
    def flops_per_row(self) -> int:
        """Multiplications and additions of forward, weight gradient and input gradient.

        ``6 * sum(K * N) - 2 * K1 * N1``: the first layer needs no gradient of its input.
        """
        products = [k * n for k, n in zip(self.widths, self.widths[1:], strict=False)]
        return 6 * sum(products) - 2 * products[0]

    @property
    def flops_per_epoch(self) -> int:
        return self.flops_per_row * self.rows

    @property
    def title(self) -> str:
        shape = "-".join(str(width) for width in self.widths)
        loss = "softmax" if self.classes else "MSE"
        return (
            f"{self.key} {self.what}: {shape} {loss}, batch {self.batch_size}, {self.rows:,} rows"
        )

    @property
    def steps_per_epoch(self) -> int:
        return -(-self.rows // self.batch_size)

    def scaled(self, rows_scale: float) -> Case:
        """The same network with fewer (or more) rows, at least one full batch."""
        return replace(self, rows=max(self.batch_size, round(self.rows * rows_scale)))


CASES: dict[str, Case] = {
    case.key: case
    for case in (
        Case("A", "tiny", (64, 32, 10), 32, 60_000, True),
        Case("B", "tabular", (50, 256, 256, 1), 256, 60_000, False),
        Case("C", "image", (784, 512, 256, 10), 128, 60_000, True),
        Case("D", "wide", (1024, 2048, 2048, 1000), 512, 20_000, True),
    )
}


@dataclass(frozen=True)
class Data:
    """``x`` is (rows, inputs) float32; ``y`` is (rows,), int64 class labels or float32 targets."""

    x: Array
    y: Array


def make_data(case: Case) -> Data:
    """Normal inputs and targets of a noisy linear teacher: learnable, never learnt by heart.

    Labels are drawn from the teacher's softmax (the largest of scores plus Gumbel noise).
    """
    rng = np.random.default_rng(DATA_SEED)
    inputs, outputs = case.widths[0], case.widths[-1]
    x = rng.standard_normal((case.rows, inputs), dtype=np.float32)
    teacher = rng.standard_normal((inputs, outputs), dtype=np.float32)
    scores = x @ (teacher * np.float32(2.0 / np.sqrt(inputs)))
    if case.classes:
        labels = np.argmax(scores + rng.gumbel(size=scores.shape), axis=1)
        labels[:outputs] = np.arange(outputs)  # every class occurs
        return Data(x, labels.astype(np.int64))
    noise = rng.standard_normal(case.rows, dtype=np.float32)
    return Data(x, (scores[:, 0] + noise).astype(np.float32))


LOSS_ROWS = 4096


def mean_loss(case: Case, data: Data, predict: Callable[[Array], Array]) -> float:
    """The loss on the first rows: shows that every contestant learns, and learns the same."""
    y = data.y[:LOSS_ROWS]
    prediction = np.asarray(predict(data.x[:LOSS_ROWS]), dtype=np.float64).reshape(len(y), -1)
    expected = (len(y), case.widths[-1])
    if prediction.shape != expected:
        raise ValueError(f"predict: expected shape {expected}, got {prediction.shape}")
    if not case.classes:
        return float(np.mean((prediction[:, 0] - y) ** 2))
    chosen = prediction[np.arange(len(y)), y]
    return float(-np.mean(np.log(np.clip(chosen, 1e-7, 1.0))))
