"""Lamina: feed-forward neural networks on the CPU, fast, exact and open to look into.

>>> import numpy as np
>>> import lamina as lm
>>> x = np.random.default_rng(0).normal(size=(200, 2))
>>> y = (x[:, 0] * x[:, 1] > 0).astype(int)
>>> layers = [lm.Input(2), lm.Dense(16, activation="relu"), lm.Dense(2, activation="softmax")]
>>> model = lm.Model(layers, seed=0)
>>> trainer = lm.Trainer(model, loss="cce", optimizer=lm.Adam(0.01), metrics=["accuracy"])
>>> history = trainer.fit(x, y, epochs=50, batch_size=32, verbose=0)
>>> bool(trainer.evaluate(x, y)["accuracy"] > 0.9)
True
"""

from lamina import (
    activations,
    callbacks,
    constraints,
    datasets,
    initializers,
    layers,
    losses,
    metrics,
    optimizers,
    plots,
    regularizers,
    schedules,
)
from lamina.arrow import ArrowStream, ParquetStream
from lamina.callbacks import (
    Callback,
    CSVLogger,
    EarlyStopping,
    LambdaCallback,
    ModelCheckpoint,
    OptunaPruningCallback,
    ProgressBar,
    ReduceLROnPlateau,
    TensorBoard,
    TerminateOnNaN,
)
from lamina.checkpoint import load_checkpoint
from lamina.examination import (
    LearningCurve,
    RangeTest,
    ValidationCurve,
    doctor,
    find_learning_rate,
    learning_curve,
    validation_curve,
)
from lamina.gradients import GradientCheck, check_gradients
from lamina.history import History
from lamina.layers import (
    Activation,
    ActivityRegularization,
    Add,
    AlphaDropout,
    BatchNormalization,
    Concatenate,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GaussianNoise,
    Impute,
    Input,
    LayerNormalization,
    Normalization,
    OneHot,
    Parallel,
    Reshape,
    Residual,
    RMSNormalization,
    RobustScale,
    Scale,
)
from lamina.model import Model
from lamina.optimizers import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    AMSGrad,
    Lion,
    Momentum,
    NAdam,
    Nesterov,
    RAdam,
    RMSprop,
)
from lamina.predictor import Predictor
from lamina.regularizers import L1, L1L2, L2
from lamina.schedules import Constant, Cosine, OneCycle
from lamina.streams import ArrayStream, Stream
from lamina.table import TableEncoder, TableModel, load
from lamina.trainer import Trainer
from lamina.versions import __version__, show_versions

__all__ = [
    "L1",
    "L1L2",
    "L2",
    "SGD",
    "AMSGrad",
    "Activation",
    "ActivityRegularization",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Add",
    "AlphaDropout",
    "ArrayStream",
    "ArrowStream",
    "BatchNormalization",
    "CSVLogger",
    "Callback",
    "Concatenate",
    "Constant",
    "Cosine",
    "Dense",
    "Dropout",
    "EarlyStopping",
    "Embedding",
    "Flatten",
    "GaussianNoise",
    "GradientCheck",
    "History",
    "Impute",
    "Input",
    "LambdaCallback",
    "LayerNormalization",
    "LearningCurve",
    "Lion",
    "Model",
    "ModelCheckpoint",
    "Momentum",
    "NAdam",
    "Nesterov",
    "Normalization",
    "OneCycle",
    "OneHot",
    "OptunaPruningCallback",
    "Parallel",
    "ParquetStream",
    "Predictor",
    "ProgressBar",
    "RAdam",
    "RMSNormalization",
    "RMSprop",
    "RangeTest",
    "ReduceLROnPlateau",
    "Reshape",
    "Residual",
    "RobustScale",
    "Scale",
    "Stream",
    "TableEncoder",
    "TableModel",
    "TensorBoard",
    "TerminateOnNaN",
    "Trainer",
    "ValidationCurve",
    "__version__",
    "activations",
    "callbacks",
    "check_gradients",
    "constraints",
    "datasets",
    "doctor",
    "find_learning_rate",
    "initializers",
    "layers",
    "learning_curve",
    "load",
    "load_checkpoint",
    "losses",
    "metrics",
    "optimizers",
    "plots",
    "regularizers",
    "schedules",
    "show_versions",
    "validation_curve",
]
