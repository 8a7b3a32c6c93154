"""History: the losses and metrics of each epoch of a fit, to look up, plot and write."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lamina.diagnosis import Diagnosis, diagnose
from lamina.history_facts import facts_of
from lamina.history_plot import draw, picture, pyplot_figure, rate_changes
from lamina.history_record import Record
from lamina.metrics._base import find_key

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["History"]

_SHOWN = 10  # epochs in repr: the first three, then the last


class History(Record):
    """What each epoch of a training gave.

    ``trainer.fit`` returns one for its epochs, ``trainer.history`` has all of them. ``loss`` is the
    mean over the epoch, while the weights moved and with dropout; ``val_loss`` is measured at
    its end. A value that an epoch does not have is NaN. In a notebook the last line of a cell shows
    a table and, if matplotlib is there, the plot.

    Two histories are equal if all their values are, NaN being NaN. Copies and pickles are whole.

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
    layers : dict of dict of list of float
        Of fits with ``monitor=True``, by layer and statistic, in the order of `epoch`; NaN where a
        statistic does not apply. Over a sample of the training rows, in inference mode, at the
        epoch's end: ``mean`` and ``spread`` (standard deviation) of the layer's outputs, over rows
        and units (of a softmax or sigmoid that the loss takes over, of the scores); ``dead``, the
        share of units that no row gets off the flat end of an activation with one (ReLU's 0);
        ``saturated``, the share that lies within 2 % of an end of an activation with two (sigmoid,
        tanh) in nine rows of ten, of hidden layers. Of the epoch's last step on a full batch:
        ``gradient_norm`` (before clipping), ``update_norm`` and ``weight_norm``, Euclidean, over
        the layer's trainable weights, and their ``update_ratio`` = update_norm / weight_norm, often
        about 0.001.
    final : dict or None
        ``{"epoch", "val_loss", "train_loss_eval", "baseline_loss", "baseline_train_loss",
        "least_loss"}`` of the weights that a fit with validation data ended with, both losses
        measured in the same way: without dropout, on as many rows (65,536 at most). Between
        ``loss``, a mean over an epoch with dropout while the weights moved, and ``val_loss`` no
        fair comparison is possible. The baselines are the best constant prediction's losses on the
        validation data and on these training rows, if the loss is the mean squared error or a
        cross-entropy; the least loss is 0, of a loss that cannot be below. None without validation
        data, of a stream, and where the last epoch was not completed or the fit went back to
        earlier weights by itself (it diverged, TerminateOnNaN). It is measured after the callbacks'
        ``on_train_end``, of the last epoch's weights or the best ones.

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

    def append(
        self,
        epoch: int,
        logs: Mapping[str, float],
        learning_rate: float = math.nan,
        layers: Mapping[str, Mapping[str, float]] | None = None,
    ) -> None:
        """Add an epoch.

        Parameters
        ----------
        epoch : int
            Its number.
        logs : mapping of str to float
            Its values. Keys may differ from those of other epochs.
        learning_rate : float, optional
            What its last step used. Default: NaN, nobody knows.
        layers : mapping of mapping of str to float, optional
            By layer the statistics of a monitored fit, see :attr:`layers`.
        """
        for name, statistics in (layers or {}).items():
            known = self.layers.setdefault(name, {})
            for key in statistics:
                known.setdefault(key, [float("nan")] * len(self.epoch))
        for name, known in self.layers.items():
            given = (layers or {}).get(name, {})
            for key, values in known.items():
                values.append(float(given.get(key, float("nan"))))
        for key in logs:
            self.history.setdefault(key, [float("nan")] * len(self.epoch))
        for key, values in self.history.items():
            values.append(float(logs.get(key, float("nan"))))
        self._learning_rate.append(float(learning_rate))
        self.epoch.append(int(epoch))

    def since(self, epoch: int) -> History:
        """Return a history of the epochs from number `epoch` on."""
        later = History(self.seed)
        places = [place for place, number in enumerate(self.epoch) if number >= epoch]
        later.epoch = [self.epoch[place] for place in places]
        later._learning_rate = [self._learning_rate[place] for place in places]
        later.history = {
            key: [values[place] for place in places] for key, values in self.history.items()
        }
        later.layers = {
            name: {key: [values[place] for place in places] for key, values in known.items()}
            for name, known in self.layers.items()
        }
        if self.final is not None and self.final.get("epoch") in later.epoch:
            later.final = dict(self.final)
        return later

    def keys(self) -> list[str]:
        """Return the keys of all values."""
        return list(self.history)

    def __getitem__(self, key: str) -> NDArray[np.float64]:
        """Return the values of all epochs; aliases such as "val_mse" are understood."""
        name = find_key(key, self.history)
        if name is not None:
            return np.array(self.history[name], dtype=np.float64)
        if key == "learning_rate":
            return self.learning_rate
        raise KeyError(f"{key!r} is not in this history, which has {', '.join(self.history)}")

    def __contains__(self, key: object) -> bool:
        """Tell whether there are values of this name."""
        if key == "learning_rate" and self._knows_rate():
            return True
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

    @property
    def verdict(self) -> str:
        """What the training came to: one of four words.

        ``"good fit"``, ``"underfitting"``, ``"overfitting"``, or ``"undecided"`` where the numbers
        do not tell (no validation data, too few epochs, a training that diverged). It is about
        the weights that the fit ended with, and compares like with like: both losses in inference
        mode. ``history.diagnose()`` says why.

        Examples
        --------
        >>> import lamina as lm
        >>> history = lm.History()
        >>> history.append(0, {"loss": 0.5})
        >>> history.verdict
        'undecided'
        >>> print(history.diagnose())
        undecided: no validation data: the training loss 0.5 alone cannot tell what the model does \
with new rows. Give validation_data or validation_split.
        """
        return self.diagnose().verdict

    def diagnose(self) -> Diagnosis:
        """Return what the curves tell: the verdict, its reason, and what there is to mend.

        It knows the losses of each epoch and, of fits with ``monitor=True``, the layers, but
        neither the data nor what another network would make of them: much of it can be a hint only.
        ``lm.doctor`` looks at those, too.

        Returns
        -------
        Diagnosis
            A list of findings, problems first, each with a code, numbers and a suggestion; print
            it. See docs/doctor.md for the codes.
        """
        return diagnose(facts_of(self))

    def plot(
        self,
        ax: Axes | Sequence[Axes] | None = None,
        *,
        metrics: str | Sequence[str] | None = None,
        learning_rate: bool | None = None,
        layers: bool | None = None,
    ) -> Axes:
        """Draw losses, metrics, the learning rate and the layers by epoch; mark best and stop.

        The axis of a loss is logarithmic if its values are positive and span a factor of 10. A dot
        on a dotted line marks the best epoch, a red line where the training ended before its time,
        with the reason; values that are no numbers leave gaps. Of a fit with ``monitor=True`` the
        training loss is there twice: as it was in the epoch, and dashed as validation is measured.

        Parameters
        ----------
        ax : matplotlib Axes, or a sequence of them, optional
            Where to draw: an Axes for the loss, one more for `metrics`, one more for the learning
            rate, and those of the `layers`, as far as they are asked for. Default: a new figure.
        metrics : str or sequence of str, optional
            Metrics to draw together in a second Axes, for instance ``"accuracy"``; their validation
            values come with them (or alone, if there are no others). Default: in a new figure all
            of them (up to eight), each in an Axes of its own, and the losses of several outputs;
            beside `ax` none, as with ``()``.
        learning_rate : bool, optional
            Whether to draw it, in the last Axes. Default: in a new figure, if it changed.
        layers : bool, optional
            Whether to draw what :attr:`layers` has, from light at the input to dark at the output,
            as far as it was measured: the share of units that are dead or saturated (dashed, if
            there are both), the gradients' norms, and the norm of the update over that of the
            weights, with a line at 0.001. A layer that lies far below that line hardly learns; one
            far above it, by 0.1 say, is thrown about. Default: in a new figure, if they are known.

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
            If `ax` is not as many Axes as there is to be drawn, or nothing is known of the layers.
        """
        return draw(self, ax, metrics, learning_rate, layers, pyplot_figure)

    def _short_rows(self) -> list[list[str]]:
        """Return header and epochs as text, of a long history only both ends."""
        columns = self._columns()
        if not rate_changes(self) and "learning_rate" not in self.history:
            columns.pop("learning_rate", None)
        shown = [[f"{value:.4g}" for value in values] for values in columns.values()]
        shown[0] = [str(number) for number in self.epoch]
        rows = [list(row) for row in zip(*shown, strict=True)]
        if len(rows) > _SHOWN:
            rows = [*rows[:3], ["…"] * len(columns), *rows[3 - _SHOWN :]]
        return [list(columns), *rows]

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
        """Return the table for notebooks, and below it the plot if matplotlib is there."""

        table = _html_table(self._short_rows(), bold=str(self.best_epoch))
        layers = ""
        if self.layers and self.epoch:
            layers = f"<p>Layers in epoch {self.epoch[-1]}</p>{_html_table(self._layer_rows())}"
        return (
            f"<div><p>{html.escape(self._title())}</p>{table}{self._end()}"
            f"{picture(self) if self.epoch else ''}{layers}</div>"
        )

    def _end(self) -> str:
        """Return a paragraph on what was measured of the weights that the fit ended with."""
        final = self.final or {}
        if not {"train_loss_eval", "val_loss"} <= final.keys():
            return ""
        return (
            f"<p>The weights at the end: loss {final['train_loss_eval']:.4g} on training data, "
            f"{final['val_loss']:.4g} on validation data, measured in the same way.</p>"
        )

    def _layer_rows(self) -> list[list[str]]:
        """Return header and layers as text, with the statistics of the last epoch."""
        keys = list(dict.fromkeys(key for known in self.layers.values() for key in known))
        rows = [["layer", *keys]]
        for name, known in self.layers.items():
            values = [known[key][-1] if key in known else math.nan for key in keys]
            rows.append([name, *("" if math.isnan(v) else f"{v:.3g}" for v in values)])
        return rows


def _html_table(rows: Sequence[Sequence[str]], bold: str | None = None) -> str:
    """Return a table whose first row names the columns; a row that begins so stands out."""

    def line(cells: Sequence[str], tag: str) -> str:
        inner = "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells)
        best = ' style="font-weight: bold"' if cells[0] == bold else ""
        return f"<tr{best}>{inner}</tr>"

    header, *others = rows
    body = "".join(line(row, "td") for row in others)
    return (
        '<table style="text-align: right; font-variant-numeric: tabular-nums">'
        f"<thead>{line(header, 'th')}</thead><tbody>{body}</tbody></table>"
    )
