"""Ten small models that differ in everything that might change bits, and what came out of each.

Tests import it; as a program it trains all ten and prints what came out as JSON, so that levels,
which cannot share a process, can be compared: ``LAMINA_ISA=v3 python varied_models.py``.
"""

import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import lamina as lm
from lamina._isa import core, level


@dataclass(frozen=True)
class Case:
    """One model with its data; odd sizes, so that blocks, tiles and registers end in the middle."""

    layers: Callable[[], list]
    loss: Any
    optimizer: Callable[[], lm.optimizers.Optimizer]
    columns: int
    outputs: int  # columns of y; 0: class numbers
    classes: int = 0
    rows: int = 150
    batch: int = 67
    dtype: str = "float32"
    metrics: tuple[str, ...] = ()
    codes: int = 0  # cardinality of a second port
    weighted: bool = False


def residual():
    inner = [lm.Dense(33), lm.BatchNormalization(), lm.Activation("relu"), lm.Dense(33)]
    other = [lm.Dense(17, activation="sigmoid"), lm.Dropout(0.25)]
    narrow = [  # x goes through a projection
        lm.Residual([lm.LayerNormalization(), lm.Dense(9, activation="tanh")]),
        lm.Residual([lm.RMSNormalization(), lm.Dense(9, activation="tanh")]),
    ]
    return [lm.Input(33), lm.Parallel([[lm.Residual(inner)], other, narrow]), lm.Dense(2)]


def embedding():
    numbers = [lm.Input(5, name="numbers"), lm.Dense(31, activation="relu")]
    codes = [lm.Input(1, kind="codes", cardinalities=7, name="codes"), lm.Embedding(3)]
    return [
        lm.Parallel([numbers, codes]),
        lm.Dense(33, activation="tanh"),
        lm.Dense(1, activation="sigmoid"),
    ]


CASES = {
    "regression": Case(
        lambda: [
            lm.Input(3),
            lm.Dense(33, activation="tanh"),
            lm.Dense(17, activation="sigmoid"),
            lm.Dense(1),
        ],
        "mean_squared_error",
        lambda: lm.SGD(learning_rate=0.05),
        columns=3,
        outputs=1,
        rows=211,
        metrics=("mean_absolute_error",),
    ),
    "classification": Case(  # deeper than one chain of the product
        lambda: [
            lm.Input(700),
            lm.Dense(257, activation="relu"),
            lm.Dense(10, activation="softmax"),
        ],
        "categorical_crossentropy",
        lambda: lm.Adam(),
        columns=700,
        outputs=0,
        classes=10,
        metrics=("accuracy",),
    ),
    "dropout": Case(
        lambda: [
            lm.Input(17),
            lm.Dropout(0.1),
            lm.GaussianNoise(0.1),
            lm.Dense(65, activation="relu"),
            lm.Dropout(0.3),
            lm.LayerNormalization(),
            lm.Dense(33, activation="selu"),
            lm.AlphaDropout(0.2),
            lm.RMSNormalization(),
            lm.Dense(3, activation="softmax"),
        ],
        "categorical_crossentropy",
        lambda: lm.Momentum(learning_rate=0.02),
        columns=17,
        outputs=0,
        classes=3,
        rows=190,
        batch=48,
    ),
    "batch normalization": Case(  # rows of 2 KiB, which share places in the cache
        lambda: [
            lm.Input(37),
            lm.Dense(512, use_bias=False),
            lm.BatchNormalization(momentum=0.9),
            lm.Activation("relu"),
            lm.Dense(512, activation="tanh"),
            lm.Dense(4, activation="sigmoid"),
        ],
        "mean_squared_error",
        lambda: lm.Adam(learning_rate=0.003),
        columns=37,
        outputs=4,
        rows=100,
        batch=50,
    ),
    "residual": Case(
        residual,
        "mean_absolute_error",
        lambda: lm.Nesterov(learning_rate=lm.Cosine(0.02, total_steps=40)),
        columns=33,
        outputs=2,
    ),
    "embedding": Case(
        embedding,
        "binary_crossentropy",
        lambda: lm.RMSprop(learning_rate=0.01),
        columns=5,
        outputs=1,
        codes=7,
        metrics=("accuracy",),
    ),
    "float64": Case(
        lambda: [
            lm.Input(37),
            lm.Scale(use_bias=True),
            lm.Dense(129, activation="tanh", kernel_regularizer=lm.L2(1e-4), gain="ntk"),
            lm.Dropout(0.2),
            lm.GaussianNoise(0.05),
            lm.Dense(12, activation="leaky_relu"),
            lm.LayerNormalization(),
            lm.Dense(5, activation="softmax"),
        ],
        "categorical_crossentropy",
        lambda: lm.Adagrad(learning_rate=0.05),
        columns=37,
        outputs=0,
        classes=5,
        dtype="float64",
    ),
    "penalties": Case(
        lambda: [
            lm.Input(20),
            lm.Dense(
                67, activation="relu", kernel_regularizer=lm.L1(1e-3), bias_regularizer=lm.L2(0.01)
            ),
            lm.Dense(
                33,
                activation="tanh",
                kernel_regularizer=lm.L1(1e-3, proximal=False),
                activity_regularizer=lm.L1(1e-3),
            ),
            lm.ActivityRegularization(l2=1e-3),
            lm.Dense(19, activation="softmax", kernel_regularizer=lm.L1L2(1e-4, 1e-3)),
        ],
        lm.losses.CategoricalCrossentropy(label_smoothing=0.1),
        lambda: lm.Adam(weight_decay=0.01),
        columns=20,
        outputs=0,
        classes=19,
        rows=133,
        batch=133,
    ),
    "clipping": Case(
        lambda: [
            lm.Input(13),
            lm.Dense(101, activation="relu", kernel_initializer="unit_variance"),
            lm.Dense(18, kernel_initializer="orthogonal"),
        ],
        "mean_squared_error",
        lambda: lm.Momentum(
            learning_rate=lm.OneCycle(max_learning_rate=0.05, total_steps=40),
            clipvalue=0.05,
            global_clipnorm=0.5,
        ),
        columns=13,
        outputs=18,
        rows=301,
        batch=100,
    ),
    "weights and averages": Case(
        lambda: [
            lm.Input(1),
            lm.Dense(257, activation="tanh"),
            lm.Dense(16, activation="tanh", trainable=False),
            lm.Dense(7, activation="sigmoid"),
        ],
        "binary_crossentropy",
        lambda: lm.Adam(learning_rate=0.01, use_ema=True, ema_momentum=0.9, global_clipnorm=0.05),
        columns=1,
        outputs=7,
        weighted=True,
        metrics=("accuracy", "root_mean_squared_error"),
    ),
}


@dataclass(frozen=True)
class Table:
    """The rows of a case. Whole numbers and eighths: every dtype and layout can hold them."""

    x: Any
    y: np.ndarray
    weight: np.ndarray | None


def table(name: str, whole: bool = False) -> Table:
    """Return the data of a case; `whole`: its numbers rounded, for integer arrays."""
    case = CASES[name]
    draw = np.random.default_rng(list(CASES).index(name))
    numbers = np.round(8 * draw.normal(size=(case.rows, case.columns))) / 8
    if case.outputs:
        y = numbers[:, np.arange(case.outputs) % case.columns] + draw.normal(
            size=(case.rows, case.outputs)
        )
        y = (y > 0) * 1.0 if case.loss == "binary_crossentropy" else np.round(64 * y) / 64
    else:
        y = (numbers[:, : case.classes].argmax(axis=1) + draw.integers(0, 2, case.rows)) % (
            case.classes
        )
    if whole:
        numbers = np.round(2 * numbers)
    x: Any = numbers.astype(np.float32)
    if case.codes:
        x = {"numbers": x, "codes": draw.integers(0, case.codes, (case.rows, 1)).astype(np.int32)}
    weight = draw.integers(0, 9, case.rows) / 4 if case.weighted else None
    return Table(x, y, weight)


def pick(x: Any, rows: Any) -> Any:
    """Return some rows of one array or of several."""
    return {key: part[rows] for key, part in x.items()} if isinstance(x, dict) else x[rows]


def digest(*parts: bytes) -> str:
    total = hashlib.sha256()
    for part in parts:
        total.update(part)
    return total.hexdigest()


@dataclass
class Outcome:
    """All that may not depend on how the work was done; equality compares every bit."""

    fingerprint: str
    state: str  # of the trainer: slots of the optimizer, averages, best weights, counters
    predictions: str
    losses: dict[str, list[float]] = field(default_factory=dict)


def trained(
    name: str, data: Table, *, threads: int | None = None, epochs: int = 2
) -> tuple[lm.Model, lm.Trainer, dict[str, list[float]]]:
    """Train a case in two fits; return its model, trainer and curves."""
    case = CASES[name]
    model = lm.Model(case.layers(), seed=5, dtype=case.dtype)
    trainer = lm.Trainer(
        model,
        loss=case.loss,
        optimizer=case.optimizer(),
        metrics=case.metrics,
        num_threads=threads,
    )
    trainer.fit(
        data.x,
        data.y,
        epochs=epochs,
        batch_size=case.batch,
        sample_weight=data.weight,
        validation_data=(pick(data.x, slice(40)), data.y[:40]),
        verbose=0,
    )
    history = {key: list(map(float, trainer.history[key])) for key in measured(trainer)}
    return model, trainer, history


def measured(trainer: lm.Trainer) -> list[str]:
    """Return the keys of the history that speak of the model, not of the clock."""
    keys = {*trainer._core.names, "penalty"}
    return [key for key in trainer.history.history if key.removeprefix("val_") in keys]


def outcome(name: str, data: Table, *, threads: int | None = None, epochs: int = 2) -> Outcome:
    """Train a case and return what came out."""
    model, trainer, losses = trained(name, data, threads=threads, epochs=epochs)
    evaluated = trainer.evaluate(data.x, data.y, sample_weight=data.weight)
    losses["evaluated"] = list(evaluated.values())
    predictions = model.predict(data.x, num_threads=threads)
    assert all(map(np.isfinite, losses["loss"]))
    return Outcome(
        model.fingerprint(), digest(trainer._core.state()), digest(predictions.tobytes()), losses
    )


def main() -> None:
    """Print what came out of all ten, and which module computed it."""
    lm.Trainer._scheduling = (0, 0, True)
    lm.Model._exact_threads = True
    found = {name: vars(outcome(name, table(name), threads=2)) for name in CASES}
    json.dump({"level": level, "module": core.__file__, "outcomes": found}, sys.stdout)


if __name__ == "__main__":
    main()
