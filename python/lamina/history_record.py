"""The values of a history, and how they are written and read."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lamina.files import replace_text
from lamina.history_files import csv_columns, csv_text, frame, json_state, json_text

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["LAYER_STATISTICS", "Record"]

# What is known of a layer in each epoch of a monitored fit.
LAYER_STATISTICS = (
    "mean",
    "spread",
    "dead",
    "saturated",
    "gradient_norm",
    "update_norm",
    "weight_norm",
    "update_ratio",
)


class Record:
    """The values of a history; its base, which knows no more of them than their names."""

    def __init__(self, seed: int | None = None) -> None:
        self.epoch: list[int] = []
        self.history: dict[str, list[float]] = {}
        self.seed = seed
        self.stop_reason: str | None = None
        self.layers: dict[str, dict[str, list[float]]] = {}
        self.final: dict[str, float] | None = None
        self._learning_rate: list[float] = []
        self._best_epoch: int | None = None

    @property
    def learning_rate(self) -> NDArray[np.float64]:
        """The learning rate of each epoch's last step, with what ReduceLROnPlateau made of it.

        NaN where it was not recorded. ``history["learning_rate"]`` is the same; it is no key, so
        ``keys()`` are those of the logs. (Keras records the rate of the step after it.)
        """
        return np.array(self._learning_rate, dtype=np.float64)

    @property
    def best_epoch(self) -> int | None:
        """Number of the best epoch, as it stands in `epoch`, or None.

        The one that EarlyStopping found best; without it the one of the lowest ``val_loss``; None
        without validation data.
        """
        if self._best_epoch is not None:
            return self._best_epoch
        values = self.history.get("val_loss", [])
        if np.isnan(values).all():
            return None
        return self.epoch[int(np.nanargmin(values))]

    @best_epoch.setter
    def best_epoch(self, epoch: int | None) -> None:
        self._best_epoch = None if epoch is None else int(epoch)

    def to_frame(self, library: str | None = None, *, layers: bool = False) -> Any:
        """Return a DataFrame with a row for each epoch, or for each epoch and layer.

        Parameters
        ----------
        library : {"pandas", "polars"}, optional
            Whose. Default: pandas if it is installed, else polars.
        layers : bool, default False
            True: what a fit with ``monitor=True`` recorded of the layers, a column a statistic.

        Returns
        -------
        pandas.DataFrame or polars.DataFrame
            The keys are its columns, and ``learning_rate`` if it was recorded. The number of the
            epoch is pandas' index, and polars' first column; with `layers` epoch and layer are.

        Raises
        ------
        ImportError
            If the library is not installed, or neither is.
        """
        if layers:
            return frame(self._layer_columns(), library, ("epoch", "layer"))
        return frame(self._columns(), library)

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write one line an epoch, with all digits.

        Parameters
        ----------
        path : str or path-like
            The file; an older one is replaced, in one piece. Its columns are ``epoch``, the keys
            and ``learning_rate`` if it was recorded; its missing values are ``nan``.

        Examples
        --------
        >>> import pathlib, tempfile
        >>> import lamina as lm
        >>> history = lm.History()
        >>> history.append(0, {"loss": 0.5})
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "history.csv"
        >>> history.to_csv(path)
        >>> path.read_text().splitlines()
        ['epoch,loss', '0,0.5']
        """
        replace_text(path, csv_text(self._columns()))

    @classmethod
    def from_csv(cls, path: str | os.PathLike[str]) -> Self:
        """Read what :meth:`to_csv` wrote: the epochs, without the seed and why it stopped.

        Parameters
        ----------
        path : str or path-like
            A file with a column ``epoch``; an empty cell is NaN.

        Raises
        ------
        ValueError
            If it is no such file.
        """
        columns: dict[str, Any] = csv_columns(path)
        history = cls()
        history.epoch = columns.pop("epoch")
        history._learning_rate = columns.pop("learning_rate", [math.nan] * len(history.epoch))
        history.history = columns
        return history

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """Return everything as JSON, with all digits; :meth:`from_json` reads it.

        Parameters
        ----------
        path : str or path-like, optional
            A file to write it to; an older one is replaced, in one piece.

        Returns
        -------
        str
            The text. NaN, which JSON does not have, is ``null``; infinities are ``"inf"`` and
            ``"-inf"``.

        Examples
        --------
        >>> import lamina as lm
        >>> history = lm.History(seed=0)
        >>> history.append(0, {"loss": 0.5, "val_loss": float("nan")}, learning_rate=0.001)
        >>> print(history.to_json(), end="")
        {
          "format_version": 1,
          "seed": 0,
          "epoch": [0],
          "learning_rate": [0.001],
          "history": {
            "loss": [0.5],
            "val_loss": [null]
          },
          "best_epoch": null,
          "best_epoch_by": null,
          "stop_reason": null
        }
        >>> lm.History.from_json(history.to_json()) == history
        True
        """
        text = json_text(self._state())
        if path is not None:
            replace_text(path, text)
        return text

    @classmethod
    def from_json(cls, source: str | os.PathLike[str]) -> Self:
        """Read what :meth:`to_json` gave.

        Parameters
        ----------
        source : str or path-like
            The text itself, or the path of a file with it.

        Raises
        ------
        ValueError
            If it is no history, or of a later version.
        """
        state = json_state(source)
        history = cls(state["seed"])
        history.epoch, history.history = state["epoch"], state["history"]
        history._learning_rate = state["learning_rate"]
        history.stop_reason = state["stop_reason"]
        history.layers, history.final = state["layers"], state["final"]
        if state["best_epoch_by"] == "callback":
            history.best_epoch = state["best_epoch"]
        return history

    def _layer_columns(self) -> dict[str, list[Any]]:
        """Return the statistics of the layers by column, a row an epoch and layer."""
        places = [(place, name) for place in range(len(self.epoch)) for name in self.layers]
        keys = dict.fromkeys(key for known in self.layers.values() for key in known)
        return {
            "epoch": [self.epoch[place] for place, _ in places],
            "layer": [name for _, name in places],
            **{
                key: [
                    self.layers[name][key][place] if key in self.layers[name] else math.nan
                    for place, name in places
                ]
                for key in keys or LAYER_STATISTICS
            },
        }

    def _knows_rate(self) -> bool:
        return not np.isnan(self._learning_rate).all()

    def _columns(self) -> dict[str, list[Any]]:
        """Return everything by column; a metric of the same name comes before the rate."""
        rate = {"learning_rate": self._learning_rate} if self._knows_rate() else {}
        return {
            "epoch": self.epoch,
            **self.history,
            **{k: rate[k] for k in rate if k not in self.history},
        }

    def _state(self) -> dict[str, Any]:
        """Return everything, in JSON's types but for NaN."""
        best = self.best_epoch
        by = "val_loss" if self._best_epoch is None else "callback"
        return {
            "seed": None if self.seed is None else int(self.seed),
            "epoch": self.epoch,
            "learning_rate": self._learning_rate,
            "history": self.history,
            "best_epoch": best,
            "best_epoch_by": None if best is None else by,
            "stop_reason": self.stop_reason,
            **({"layers": self.layers} if self.layers else {}),
            **({"final": self.final} if self.final else {}),
        }

    def __eq__(self, other: object) -> bool:
        """Tell whether all values, the seed, the best epoch and the reason are the same."""
        if not isinstance(other, Record):
            return NotImplemented
        mine, others = (
            json_text({**one._state(), "history": dict(sorted(one.history.items()))})
            for one in (self, other)
        )
        return mine == others

    __hash__ = None  # type: ignore[assignment]  # it grows
