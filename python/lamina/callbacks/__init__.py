"""Callbacks: what is called while a fit runs, to watch it, to change it or to end it."""

from lamina.callbacks.base import Callback, LambdaCallback
from lamina.callbacks.csv_logger import CSVLogger
from lamina.callbacks.early_stopping import EarlyStopping
from lamina.callbacks.model_checkpoint import ModelCheckpoint
from lamina.callbacks.optuna_pruning import OptunaPruningCallback
from lamina.callbacks.plateau import ReduceLROnPlateau
from lamina.callbacks.progress_bar import ProgressBar
from lamina.callbacks.tensorboard import TensorBoard
from lamina.callbacks.terminate_on_nan import TerminateOnNaN

__all__ = [
    "CSVLogger",
    "Callback",
    "EarlyStopping",
    "LambdaCallback",
    "ModelCheckpoint",
    "OptunaPruningCallback",
    "ProgressBar",
    "ReduceLROnPlateau",
    "TensorBoard",
    "TerminateOnNaN",
]
