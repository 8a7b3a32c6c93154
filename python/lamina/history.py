"""History: the losses and metrics of each epoch of a fit, to look up, plot and write."""

from __future__ import annotations

import csv
import html
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lamina.metrics._base import find_key

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["History"]

_SHOWN = 10  # epochs in repr: the first three, then the last


class History:
    """What each epoch of a training gave.

    ``trainer.fit`` returns one for its epochs, ``trainer.history`` has all of them. ``loss`` is the
    mean over the epoch, while the weights moved and with dropout; ``val_loss`` is measured at
    its end. A value that an epoch does not have is NaN.

    Attributes
    ----------
    epoch : list of int
        Numbers of the epochs, from 0, going on over all fits of a Trainer.
    history : dict of list of float
        The values by key: ``"loss"``, metrics by their full names (with arguments, if there are
        any: ``"f1_macro"``), ``val_`` before those of the validation data. Of several outputs also
        the loss and metrics of each, with its name before them: ``"val_price_loss"``.
    stop_reason : str or None
        Why the training ended.
    seed : int or None
        The seed it ran with.

    Examples
    --------
    >>> import lamina as lm
    >>> history = lm.History(seed=0)
    >>> history.append(0, {"loss": 0.5, "val_loss": 0.75})
    >>> history.append(1, {"loss": 0.25, "val_loss": 0.5})
    >>> history
    History of 2 epochs, seed 0, best epoch 1
    epoch  loss  val_loss
        0   0.5      0.75
        1  0.25       0.5
    >>> history["val_loss"]
    array([0.75, 0.5 ])
    """

    def __init__(self, seed: int | None = None) -> None:
        self.epoch: list[int] = []
        self.history: dict[str, list[float]] = {}
        self.seed = seed
        self.stop_reason: str | None = None
        self._best_epoch: int | None = None

    def append(self, epoch: int, logs: Mapping[str, float]) -> None:
        """Add an epoch.

        Parameters
        ----------
        epoch : int
            Its number.
        logs : mapping of str to float
            Its values. Keys may differ from those of other epochs.
        """
        for key in logs:
            self.history.setdefault(key, [float("nan")] * len(self.epoch))
        for key, values in self.history.items():
            values.append(float(logs.get(key, float("nan"))))
        self.epoch.append(int(epoch))

    def since(self, epoch: int) -> History:
        """Return a history of the epochs from number `epoch` on."""
        later = History(self.seed)
        places = [place for place, number in enumerate(self.epoch) if number >= epoch]
        later.epoch = [self.epoch[place] for place in places]
        later.history = {
            key: [values[place] for place in places] for key, values in self.history.items()
        }
        return later

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
        self._best_epoch = epoch

    def keys(self) -> list[str]:
        """Return the keys of all values."""
        return list(self.history)

    def __getitem__(self, key: str) -> NDArray[np.float64]:
        """Return the values of all epochs; aliases such as "val_mse" are understood."""
        name = find_key(key, self.history)
        if name is not None:
            return np.array(self.history[name], dtype=np.float64)
        raise KeyError(f"{key!r} is not in this history, which has {', '.join(self.history)}")

    def __contains__(self, key: object) -> bool:
        """Tell whether there are values of this name."""
        return isinstance(key, str) and find_key(key, self.history) is not None

    def __iter__(self) -> Iterator[str]:
        """Go through the keys."""
        return iter(self.history)

    def __len__(self) -> int:
        """Return the number of epochs."""
        return len(self.epoch)

    def __bool__(self) -> bool:
        """Be true, also before the first epoch."""
        return True

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write one line an epoch, with all digits.

        Parameters
        ----------
        path : str or path-like
            The file; an older one is replaced. Its columns are ``epoch`` and the keys, its missing
            values ``nan``.

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
        with open(path, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["epoch", *self.history])
            writer.writerows(self._rows(repr))

    def plot(
        self, ax: Axes | Sequence[Axes] | None = None, *, metrics: str | Sequence[str] = ()
    ) -> Axes:
        """Draw the loss of training and validation by epoch, and mark the best epoch.

        Parameters
        ----------
        ax : matplotlib Axes, or two of them, optional
            Where to draw; two if there are metrics. Default: a new figure.
        metrics : str or sequence of str, optional
            Metrics to draw in a second Axes below, for instance ``"accuracy"``; their validation
            values come with them (or alone, if there are no others). Default: none.

        Returns
        -------
        matplotlib.axes.Axes
            The one with the losses; ``.figure.savefig("curve.png")`` writes the picture.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        KeyError
            If there is no such metric.
        ValueError
            If metrics are asked for and `ax` is not two Axes.
        """
        names = [metrics] if isinstance(metrics, str) else list(metrics)
        axes = _axes(ax, 2 if names else 1)
        self._draw(axes[0], ["loss"])
        axes[0].set_ylabel("loss")
        if names:
            self._draw(axes[1], names)
            axes[1].set_ylabel(", ".join(names))
        axes[-1].set_xlabel("epoch")
        return axes[0]

    def _draw(self, ax: Axes, names: Sequence[str]) -> None:
        """Draw values and their validation values, and where the best epoch is."""
        few = len(self) <= 20
        for index, name in enumerate(names):
            for key, label, style in (
                (name, "training", "--"),
                (f"val_{name}", "validation", "-"),
            ):
                if key in self or (key == name and f"val_{name}" not in self):
                    ax.plot(
                        self.epoch,
                        self[key],
                        style,
                        marker="o" if few else None,
                        markersize=3,
                        color=f"C{2 * index + (key != name)}",
                        label=label if len(names) == 1 else f"{label}, {name}",
                    )
        if self.best_epoch is not None:
            label = f"best epoch ({self.best_epoch})"
            ax.axvline(self.best_epoch, color="0.6", linestyle=":", zorder=0, label=label)
        ax.locator_params(axis="x", integer=True)
        ax.legend()

    def _rows(self, write: Any) -> Iterator[list[str]]:
        """Yield each epoch as text."""
        for place, epoch in enumerate(self.epoch):
            yield [str(epoch), *(write(values[place]) for values in self.history.values())]

    def _short_rows(self) -> list[list[str]]:
        """Return header and epochs as text, of a long history only both ends."""
        rows = list(self._rows(lambda value: f"{value:.4g}"))
        if len(rows) > _SHOWN:
            dots = ["…"] * (1 + len(self.history))
            rows = [*rows[:3], dots, *rows[3 - _SHOWN :]]
        return [["epoch", *self.history], *rows]

    def _title(self) -> str:
        parts = [f"History of {len(self)} epoch{'s' if len(self) != 1 else ''}"]
        parts += [f"seed {self.seed}"] if self.seed is not None else []
        parts += [f"best epoch {self.best_epoch}"] if self.best_epoch is not None else []
        parts += [f"stopped: {self.stop_reason}"] if self.stop_reason else []
        return ", ".join(parts)

    def __repr__(self) -> str:
        """Return a small table."""
        if not self.epoch:
            return self._title()
        rows = self._short_rows()
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines = ["  ".join(map(str.rjust, row, widths)) for row in rows]
        return "\n".join([self._title(), *lines])

    def _repr_html_(self) -> str:
        """Return the table for notebooks."""

        def line(cells: list[str], tag: str) -> str:
            inner = "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells)
            return f"<tr>{inner}</tr>"

        header, *rows = self._short_rows()
        body = "".join(line(row, "td") for row in rows)
        return (
            f"<table><caption>{html.escape(self._title())}</caption>"
            f"<thead>{line(header, 'th')}</thead><tbody>{body}</tbody></table>"
        )


def _axes(ax: Axes | Sequence[Axes] | None, needed: int) -> list[Axes]:
    """Return as many Axes as needed, the given ones or those of a new figure."""
    if ax is None:
        try:
            from matplotlib import pyplot
        except ImportError as error:
            raise ImportError(
                "History.plot needs matplotlib: python -m pip install 'lamina[plot]'"
            ) from error
        grid = pyplot.subplots(needed, 1, sharex=True, squeeze=False, layout="constrained")[1]
        return list(grid[:, 0])
    given = list(ax) if isinstance(ax, Iterable) else [ax]
    if len(given) != needed:
        raise ValueError(
            f"History.plot: expected {needed} Axes for what is to be drawn, got {len(given)}"
        )
    return given
