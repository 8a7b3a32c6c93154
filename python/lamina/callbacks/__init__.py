"""Callbacks: what is called while a fit runs, to watch it, to change it or to end it."""

from lamina.callbacks.base import Callback, LambdaCallback
from lamina.callbacks.early_stopping import EarlyStopping
from lamina.callbacks.model_checkpoint import ModelCheckpoint
from lamina.callbacks.plateau import ReduceLROnPlateau

__all__ = ["Callback", "EarlyStopping", "LambdaCallback", "ModelCheckpoint", "ReduceLROnPlateau"]
