"""Facts: the numbers that a diagnosis is made from, apart from how they are gathered.

A rule sees facts alone. So it can be tested on numbers, and what it would have said of a thousand
trainings can be asked again without training them again.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

__all__ = ["ColumnFacts", "DataFacts", "Facts", "LayerFacts", "TrialFacts"]


@dataclasses.dataclass
class LayerFacts:
    """A layer, and what `fit(..., monitor=True)` or the doctor measured of it.

    Parameters
    ----------
    name, kind : str
        Its name in the model, and its class.
    activation : str
        The name of its activation, "linear" if it has none.
    output : bool
        Whether the model's output is its own.
    units : int
        Its width.
    values : dict of list of float
        By statistic, in the order of the epochs; NaN where it does not apply. See
        ``History.layers``.
    start : dict of float
        The same before the first step (mean, spread, dead, saturated, gradient_norm,
        weight_norm); empty if nobody has looked.
    alike : float or None
        The share of units that have the same weights as the first unit.
    shrunk : float
        Share of its weights that a penalty (L1, L2) has made 0; 0 without one.
    """

    name: str
    kind: str = "Dense"
    activation: str = "linear"
    output: bool = False
    units: int = 0
    values: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    start: dict[str, float] = dataclasses.field(default_factory=dict)
    alike: float | None = None
    shrunk: float = 0.0


@dataclasses.dataclass
class ColumnFacts:
    """A column of a dense numeric input.

    Parameters
    ----------
    name : str
        Its number, or its name in a table.
    mean, spread, low, high : float
        Of the training rows; spread is the standard deviation.
    validation_mean, validation_spread : float or None
        Of the validation rows.
    shift : float or None
        How far training and validation rows are apart: the Kolmogorov-Smirnov distance, 0 to 1.
    scaled : bool
        Whether the model reads it through a layer that scales it (Normalization, RobustScale, …);
        then it is read in float64, else in the model's type.
    common, common_share : float
        Its commonest value, and the share of rows that have it.
    """

    name: str
    mean: float
    spread: float
    low: float
    high: float
    validation_mean: float | None = None
    validation_spread: float | None = None
    shift: float | None = None
    scaled: bool = False
    common: float = math.nan
    common_share: float = 0.0


@dataclasses.dataclass
class DataFacts:
    """What the data are like.

    Parameters
    ----------
    rows, validation_rows : int
        How many.
    columns : list of ColumnFacts
        Of the dense numeric inputs; of very wide ones some, evenly chosen.
    column_rows, validation_column_rows : int
        How many rows were looked at for them.
    mean_shift, chance_of_mean_shift : float or None
        The mean of the columns' shifts, and what chance alone hardly ever gives: six standard
        deviations above what it is if the same rows are split at random.
    scaled : bool
        Whether a layer of the model scales all of these inputs.
    classes : list of int
        Rows of each class of the training data; empty for a regression.
    validation_classes : list of int
        The same of the validation data.
    recall : list of float
        Of the validation rows of each class (of the training rows without them), the share that
        the model finds.
    target_mean, target_spread : float or None
        Of a regression; of several targets those of the one that is the farthest from mean 0 and
        spread 1.
    target_shift : float or None
        How far the targets of training and validation rows are apart: the Kolmogorov-Smirnov
        distance; of classes half the sum of the differences of their shares.
    target_rows, validation_target_rows : int
        How many rows were looked at for them, and for `classes` and `recall`.
    targets : int
        How many columns the targets of a regression have.
    prediction_spread : float or None
        How far the model's predictions lie apart: the largest standard deviation of an output, of
        a regression in shares of the target's.
    model_loss, constant_loss : float or None
        Of the model and of the best constant prediction, on the validation rows (on the training
        rows without them), with the weights of rows and classes that the fit had.
    """

    rows: int
    validation_rows: int = 0
    columns: list[ColumnFacts] = dataclasses.field(default_factory=list)
    column_rows: int = 0
    validation_column_rows: int = 0
    mean_shift: float | None = None
    chance_of_mean_shift: float | None = None
    scaled: bool = False
    classes: list[int] = dataclasses.field(default_factory=list)
    validation_classes: list[int] = dataclasses.field(default_factory=list)
    recall: list[float] = dataclasses.field(default_factory=list)
    target_mean: float | None = None
    target_spread: float | None = None
    target_shift: float | None = None
    target_rows: int = 0
    validation_target_rows: int = 0
    targets: int = 0
    prediction_spread: float | None = None
    model_loss: float | None = None
    constant_loss: float | None = None


@dataclasses.dataclass
class TrialFacts:
    """What came of a small training that the doctor made, on copies.

    All losses of a visit are measured in inference mode on the same rows: `train_losses` on those
    of ``Facts.final_train_loss``, `val_losses` on those of ``Facts.final_val_loss``.

    Parameters
    ----------
    name : str
        Trained on from where the training ended, with its optimizer's state: ``"longer"`` (at its
        usual rate), ``"slower"``, ``"faster"`` (at a tenth and ten times of it).

        This network trained anew, from its first weights, for as many epochs as it had been (if
        the doctor's time allows): ``"again"``, ``"again_slower"``, ``"again_faster"``;
        ``"scaled_input"`` and ``"scaled_target"`` with inputs or targets brought to mean 0 and
        spread 1, ``"scaled"`` with both; ``"balanced"`` with all classes of the same weight.

        ``"reference"``: a plain network of moderate size behind scaled inputs, with the same loss
        and output, trained anew.
    epochs : int
        How many.
    train_loss, val_loss : float
        At its best epoch, which is the one of the lowest `val_losses` (`train_losses` without
        validation rows, val_loss then being NaN); infinite if it diverged.
    train_losses, val_losses : list of float
        Before the first step, and then several times, evenly spaced, up to the last epoch.
    learning_rate : float
        Of its steps.
    rows, steps : int
        How many rows it was trained on, and how many steps it made.
    diverged : bool
        Whether a number became infinite or NaN.
    recall : list of float
        Of "balanced": as ``DataFacts.recall``.
    """

    name: str
    epochs: int
    train_loss: float
    val_loss: float
    train_losses: list[float] = dataclasses.field(default_factory=list)
    val_losses: list[float] = dataclasses.field(default_factory=list)
    learning_rate: float = math.nan
    rows: int = 0
    steps: int = 0
    diverged: bool = False
    recall: list[float] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Facts:
    """All that a diagnosis is made from; what nobody has measured is empty or None.

    Parameters
    ----------
    loss, val_loss, train_loss_eval, learning_rate : list of float
        By epoch; empty, or NaN where it was not measured.
    epoch : list of int
        Their numbers.
    final_train_loss, final_val_loss : float or None
        In inference mode, of the weights that the training ended with.
    baseline_loss : float or None
        Of the best constant prediction, on the validation rows if there are any.
    baseline_train_loss : float or None
        Of the best constant prediction of the training rows, on these.
    least_loss : float or None
        The value that the loss cannot come below, if there is one: mostly 0.
    stop_reason : str or None
        Why the training ended.
    layers : list of LayerFacts
        In the order of the model.
    data : DataFacts or None
        Of the data, for who has them.
    trials : list of TrialFacts
        Of the doctor.
    about : dict
        Plain words and numbers on the training: "loss" (name), "optimizer", "batch_size", …; of a
        doctor's visit "left_out": list of str, what was not looked at, and why.
    """

    loss: list[float] = dataclasses.field(default_factory=list)
    val_loss: list[float] = dataclasses.field(default_factory=list)
    train_loss_eval: list[float] = dataclasses.field(default_factory=list)
    learning_rate: list[float] = dataclasses.field(default_factory=list)
    epoch: list[int] = dataclasses.field(default_factory=list)
    final_train_loss: float | None = None
    final_val_loss: float | None = None
    baseline_loss: float | None = None
    baseline_train_loss: float | None = None
    least_loss: float | None = None
    stop_reason: str | None = None
    layers: list[LayerFacts] = dataclasses.field(default_factory=list)
    data: DataFacts | None = None
    trials: list[TrialFacts] = dataclasses.field(default_factory=list)
    about: dict[str, Any] = dataclasses.field(default_factory=dict)

    def trial(self, name: str) -> TrialFacts | None:
        """Return what came of the trial of that name, if it was made."""
        return next((one for one in self.trials if one.name == name), None)

    def to_dict(self) -> dict[str, Any]:
        """Return everything in JSON's types (and NaN)."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Facts:
        """Return what :meth:`to_dict` gave; fields that are not known are ignored."""
        facts: Facts = _made(cls, fields)
        facts.layers = [_made(LayerFacts, one) for one in fields.get("layers", [])]
        facts.trials = [_made(TrialFacts, one) for one in fields.get("trials", [])]
        if fields.get("data") is not None:
            facts.data = _made(DataFacts, fields["data"])
            facts.data.columns = [_made(ColumnFacts, one) for one in fields["data"]["columns"]]
        return facts


def _made(kind: Any, fields: Mapping[str, Any]) -> Any:
    known = {field.name for field in dataclasses.fields(kind)}
    return kind(**{key: value for key, value in fields.items() if key in known})
