"""A network together with what a table needs around it: columns in, answers in units out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lamina.callbacks import Callback, EarlyStopping
from lamina.history import History
from lamina.model import Model, _load, _save
from lamina.table.encoder import TableEncoder
from lamina.table.recipe import Recipe, choose_recipe, loss_of
from lamina.table.scores import Scores, score
from lamina.table.split import split_rows
from lamina.table.target import Target, Task, known_rows
from lamina.table.transform import TableTransform
from lamina.table_cells import as_columns
from lamina.tables_io import Columns, TableError, row_count, select_rows
from lamina.trainer import Trainer

__all__ = ["TableModel", "load"]

_VALIDATION = 0.16


class TableModel:
    """Learns to predict one column of a table from the others.

    Encoder, network and target that are given are kept by fit (a network is trained further); what
    is not given, each fit makes anew.

    Parameters
    ----------
    encoder : TableEncoder, optional
        How the columns are read; a fitted one is kept as it is. Default: found out in fit.
    model : Model, optional
        The network; its input must be as wide as the prepared table. Default: chosen in fit by
        the size of the table.
    target : str or Target
        The column to predict, or what is known of it.
    task : "regression" or "classification", optional
        Overrides what the target's cells suggest.
    seed : int, optional
        Of the split and the network. Default: each fit draws one; see ``model.seed``.

    Attributes
    ----------
    history : History or None
        The epochs of the last fit.
    details : dict
        JSON values that are saved in the file and shown by ``lamina info``.

    Examples
    --------
    >>> import lamina as lm
    >>> table = {"x": list(range(100)), "y": [2.0 * i + 0.5 for i in range(100)]}
    >>> model = lm.TableModel(target="y", seed=0).fit(table, epochs=50)
    >>> bool(model.evaluate(table)["r2"] > 0.9)
    True
    >>> model.predict({"x": [10, 50]}).shape
    (2,)
    """

    def __init__(
        self,
        encoder: TableEncoder | None = None,
        model: Model | None = None,
        target: str | Target | None = None,
        *,
        task: Task | None = None,
        seed: int | None = None,
    ) -> None:
        if target is None:
            raise ValueError('TableModel: give the column to predict, e.g. target="price"')
        self.encoder = encoder or TableEncoder()
        self.transform = TableTransform()
        self.seed = seed
        self.history: History | None = None
        self.details: dict[str, Any] = {}
        self._task = task
        self._model = model
        self._target = target
        # What fit must keep; what it makes itself, the next fit makes anew.
        self._kept_encoder = encoder is not None and bool(encoder.columns)
        self._kept_transform = False
        self._kept_model = model
        self._kept_target = target

    @property
    def model(self) -> Model:
        """The network; RuntimeError before fit."""
        if self._model is None:
            raise RuntimeError("this TableModel is not trained yet: call fit(table) first")
        return self._model

    @property
    def target(self) -> Target:
        """What is predicted; RuntimeError before fit."""
        if isinstance(self._target, str):
            raise RuntimeError("this TableModel is not trained yet: call fit(table) first")
        return self._target

    def fit(
        self,
        table: Any,
        *,
        validation: Any = _VALIDATION,
        epochs: int | None = None,
        callbacks: Sequence[Callback] = (),
        num_threads: int | None = None,
        verbose: int | str = "auto",
    ) -> TableModel:
        """Train on a table; rows without a target are passed over.

        Parameters
        ----------
        table : path, dict of columns or DataFrame
            The training rows.
        validation : float, path, dict of columns or DataFrame, default 0.16
            A share of the rows, drawn by seed, or rows of their own. On them training is
            stopped and the best weights are chosen.
        epochs : int, optional
            The most epochs. Default: by the size of the table.
        callbacks : sequence of Callback
            Besides EarlyStopping.
        num_threads : int, optional
            As for Trainer.
        verbose : 0, 1, 2 or "auto"
            As for ``Trainer.fit``.

        Returns
        -------
        TableModel
            The model itself; ``.history`` has the epochs.

        Raises
        ------
        TableError
            If something is wrong with a table, in one sentence.
        """
        columns = as_columns(table)
        self._target = self._kept_target
        columns = self._with_target(columns)
        if isinstance(self._target, str):
            self._target = Target.fit(self._target, columns[self._target], self._task)
        seed = _seed(self.seed, self._kept_model)
        train, held_out = self._split(columns, validation, seed)
        x, recipe = self._prepare(train, epochs)
        self._model = self._kept_model or Model(recipe.layers(x.shape[1], self.target), seed=seed)
        trainer = Trainer(
            self._model,
            loss=loss_of(self.target),
            optimizer=recipe.optimizer(),
            num_threads=num_threads,
        )
        self.history = trainer.fit(
            x,
            self._answers(train),
            epochs=recipe.epochs,
            batch_size=recipe.batch_size,
            validation_data=(self._matrix(held_out), self._answers(held_out)),
            callbacks=[EarlyStopping(patience=recipe.patience), *callbacks],
            verbose=verbose,
        )
        return self

    def predict(self, table: Any, *, num_threads: int | None = None) -> npt.NDArray[Any]:
        """Predict the target of every row.

        Parameters
        ----------
        table : path, dict of columns or DataFrame
            Rows with the columns of training, in any order; others are ignored.
        num_threads : int, optional
            As for ``Model.predict``.

        Returns
        -------
        ndarray, shape (rows,)
            float64 in the target's units, or class labels.

        Raises
        ------
        TableError
            If columns are missing; it says which.
        """
        if self.target.task == "regression":
            return self.target.decode(self._output(as_columns(table), num_threads))
        return self.target.labels(self.predict_proba(table, num_threads=num_threads).argmax(axis=1))

    def predict_proba(self, table: Any, *, num_threads: int | None = None) -> npt.NDArray[Any]:
        """Predict the probability of each class, in the order of ``target.classes``.

        Returns
        -------
        ndarray of float64, shape (rows, classes)
            Rows sum to 1.

        Raises
        ------
        TypeError
            If the target is a quantity.
        """
        if self.target.task == "regression":
            raise TypeError(f"{self.target.name!r} is a quantity: it has no class probabilities")
        output = self._output(as_columns(table), num_threads).astype(np.float64)
        if len(self.target.classes) == 2:
            return np.hstack([1.0 - output, output])
        return np.asarray(output / output.sum(axis=1, keepdims=True))

    def evaluate(self, table: Any) -> Scores:
        """Compare predictions with the targets of a table; rows without one are passed over.

        Returns
        -------
        dict
            ``rmse``, ``mae`` and ``r2`` in the target's units, or ``accuracy``, ``log_loss``
            and ``auc``.
        """
        columns = self._with_target(as_columns(table))
        regression = self.target.task == "regression"
        answer = self.predict(columns) if regression else self.predict_proba(columns)
        return score(self.target, columns[self.target.name], answer)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything into one model file, which ``lm.load`` reads."""
        state = {
            "encoder": self.encoder.get_state(),
            "transform": self.transform.get_state(),
            "target": self.target.get_state(),
            "details": self.details,
        }
        _save(self.model, os.fspath(path), {"table": state})

    @classmethod
    def from_state(cls, model: Model, state: Mapping[str, Any]) -> TableModel:
        """Put a network and what :meth:`save` wrote beside it together again."""
        encoder = TableEncoder.from_state(state["encoder"])
        table = cls(encoder, model, Target.from_state(state["target"]), seed=model.seed)
        table.transform = TableTransform.from_state(state["transform"])
        table._kept_transform = True
        table.details = dict(state.get("details", {}))
        return table

    def __repr__(self) -> str:
        """Say what is predicted from which columns."""
        if isinstance(self._target, str):
            return f"TableModel(target={self._target!r}), not trained"
        used = ", ".join(column.name for column in self.encoder.columns)
        return f"TableModel(target={self.target.name!r}), {self.target.task} from {used}"

    def _with_target(self, columns: Columns) -> Columns:
        """Return the rows that have a target."""
        name = self._target if isinstance(self._target, str) else self._target.name
        if name not in columns:
            listed = ", ".join(map(repr, columns))
            raise TableError(f"there is no column {name!r} to predict; there are {listed}")
        return known_rows(columns, name)

    def _split(self, columns: Columns, validation: Any, seed: int) -> tuple[Columns, Columns]:
        if not isinstance(validation, float):
            return columns, self._with_target(as_columns(validation))
        if not 0.0 < validation < 1.0:
            raise ValueError(f"validation: a share lies between 0 and 1, got {validation:g}")
        rows = row_count(columns)
        if rows < 2:
            raise TableError("the table has one row with a target; training needs at least two")
        labels = self._answers(columns) if self.target.task == "classification" else None
        rest, drawn = split_rows(rows, validation, seed, labels=labels, stream=1)
        return select_rows(columns, rest), select_rows(columns, drawn)

    def _prepare(
        self, train: Columns, epochs: int | None
    ) -> tuple[npt.NDArray[np.float32], Recipe]:
        """Return the network's input for the training rows, and how to train on it."""
        if not self._kept_encoder:
            self.encoder = TableEncoder(max_levels=self.encoder.max_levels)
            self.encoder.fit(train, ignore=[self.target.name])
        encoded = self.encoder.transform(train)
        numeric = encoded.numbers.shape[1]
        recipe = choose_recipe(row_count(train), numeric, self.target.task, epochs)
        if not self._kept_transform:
            self.transform = TableTransform(recipe.ramps).fit(encoded, self.encoder.cardinalities)
        return self.transform.apply(encoded), recipe

    def _answers(self, columns: Columns) -> npt.NDArray[Any]:
        return self.target.encode(columns[self.target.name])

    def _matrix(self, columns: Columns) -> npt.NDArray[np.float32]:
        return self.transform.apply(self.encoder.transform(columns))

    def _output(self, columns: Columns, num_threads: int | None) -> npt.NDArray[Any]:
        output: npt.NDArray[Any] = self.model.predict(
            self._matrix(columns), num_threads=num_threads
        )
        return output


def _seed(seed: int | None, model: Model | None) -> int:
    """Return the seed asked for, or the given network's, or one from the operating system."""
    if seed is not None:
        return seed
    return int.from_bytes(os.urandom(4), "little") if model is None else model.seed


def load(path: str | os.PathLike[str]) -> Model | TableModel:
    """Load whatever a model file holds.

    Parameters
    ----------
    path : str or path
        A file written by ``Model.save`` or ``TableModel.save``.

    Returns
    -------
    Model or TableModel
        What was saved.
    """
    model, extra = _load(os.fspath(path))
    if "table" not in extra:
        return model
    try:
        return TableModel.from_state(model, extra["table"])
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise ValueError(
            f"{os.fspath(path)}: what it says of its table is not of the expected form: {error!r}"
        ) from error
