"""TensorBoard."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lamina._config import Configurable
from lamina.callbacks.base import Callback, Logs

__all__ = ["TensorBoard"]


class TensorBoard(Callback, Configurable):
    """Writes the values of each epoch for TensorBoard: ``tensorboard --logdir logs`` shows them.

    Values of the training go into the folder ``train``, those of the validation data into
    ``validation``, both as ``epoch_loss``, ``epoch_accuracy`` and so on, so that they are drawn
    into one plot; the learning rate that the epoch's last step used into ``train`` as
    ``epoch_learning_rate``. The step is the
    number of the epoch. Folders and names are those of Keras; graphs, profiles and values of
    batches are not written.

    The files of a fit that is resumed go on behind the last epoch that the fit knows: TensorBoard
    is told to forget later ones, which a killed process may have written.

    Parameters
    ----------
    log_dir : str or path-like, default "logs"
        The folder; made where it is not there. Give each run one of its own.
    histogram_freq : int, default 0
        After every how many epochs the distributions of all weights are written; 0: never.

    Raises
    ------
    ImportError
        If tensorboardX is not installed: ``python -m pip install 'lamina[callbacks]'``.
    ValueError
        If `histogram_freq` is negative.

    References
    ----------
    tensorboardX, https://github.com/lanpa/tensorboardX; keras.callbacks.TensorBoard.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> import lamina as lm
    >>> x = np.linspace(-1, 1, 64).reshape(-1, 1)
    >>> model = lm.Model([lm.Input(1), lm.Dense(1)], seed=0)
    >>> trainer = lm.Trainer(model, loss="mse")
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> board = lm.TensorBoard(folder)
    >>> history = trainer.fit(x, x, validation_split=0.2, callbacks=[board], verbose=0)
    >>> sorted(path.name for path in folder.iterdir())
    ['train', 'validation']
    """

    is_quick = True

    def __init__(self, log_dir: str | os.PathLike[str] = "logs", histogram_freq: int = 0) -> None:
        if histogram_freq < 0:
            raise ValueError(
                f"TensorBoard: histogram_freq must be at least 0, got {histogram_freq}"
            )
        _writer_class()
        self.log_dir = os.fspath(log_dir)
        self.histogram_freq = histogram_freq
        self._writers: dict[str, Any] = {}
        self._forget()

    def _forget(self) -> None:
        self._purge_step: int | None = None  # of a fit that is resumed
        self._next = 0  # the epoch behind the last one that was written

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Take the place where the last fit ended; files are made with the first values."""
        self._close()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write the values."""
        for key, value in (logs or {}).items():
            part = "validation" if key.startswith("val_") else "train"
            self._writer(part, epoch).add_scalar(f"epoch_{key.removeprefix('val_')}", value, epoch)
        if "learning_rate" not in (logs or {}) and self.trainer.history.epoch:
            rate = self.trainer.history._learning_rate[-1]
            self._writer("train", epoch).add_scalar("epoch_learning_rate", rate, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            for name in (one["name"] for one in self.model._core.tensors()):
                values = self.model._core.view(name)
                self._writer("train", epoch).add_histogram(f"{name}/histogram", values, epoch)
        for writer in self._writers.values():
            writer.flush()
        self._next = epoch + 1

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Close the files."""
        self._close()
        self._purge_step = None  # a further fit adds to them

    def on_exception(self, error: BaseException) -> None:
        """Close the files."""
        self.on_train_end()

    def get_state(self) -> dict[str, Any]:
        """Return which epoch is to be written next."""
        return {"next": self._next}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Take over which epoch is next; what the files have from there on is to be forgotten."""
        self._next = self._purge_step = int(state["next"])

    def _has_state(self) -> bool:
        return self._next > 0

    def _writer(self, part: str, epoch: int) -> Any:
        if part not in self._writers:
            self._writers[part] = _writer_class()(
                str(Path(self.log_dir) / part),
                purge_step=self._purge_step,
                # Names differ by seconds otherwise, and TensorBoard reads files in their order.
                filename_suffix=f".{epoch:09d}",
            )
        return self._writers[part]

    def _close(self) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers = {}

    def __getstate__(self) -> dict[str, Any]:
        """Leave open files behind in copies."""
        return {**super().__getstate__(), "_writers": {}}


def _writer_class() -> Any:
    try:
        from tensorboardX import SummaryWriter
    except ImportError as error:
        raise ImportError(
            "TensorBoard needs tensorboardX: python -m pip install 'lamina[callbacks]'"
        ) from error
    return SummaryWriter
