"""The column to predict: which task it is, its classes or its scale, and back to the user's units.

It knows nothing of networks; scaling the target becomes a layer of the model later.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from lamina.table_cells import as_texts, parse_numbers
from lamina.tables_io import Column, Columns, TableError, row_count, select_rows

__all__ = ["MAX_WHOLE_CLASSES", "Target", "Task", "known_rows"]

Task = Literal["regression", "classification"]

#: A target of whole numbers with at most this many different values is taken for classes.
MAX_WHOLE_CLASSES = 20
_MAX_CLASSES = 1000


@dataclass(frozen=True)
class Target:
    """What a model predicts and in which units.

    Parameters
    ----------
    name : str
        The column.
    task : "regression" or "classification"
        What kind of answer is wanted.
    classes : tuple of str
        The classes in the order of their numbers; empty for regression.
    shift, scale, low, high : float
        Regression: mean, standard deviation, least and largest value in training.

    Examples
    --------
    >>> target = Target.fit("price", np.array([1.5, 2.5, 3.5]))
    >>> target.task, target.encode(np.array([2.5, 3.5])).round(2)
    ('regression', array([0.  , 1.22]))
    >>> Target.fit("cut", ["Good", "Ideal", "Good"]).classes
    ('Good', 'Ideal')
    """

    name: str
    task: Task
    classes: tuple[str, ...] = ()
    shift: float = 0.0
    scale: float = 1.0
    low: float = -np.inf
    high: float = np.inf

    @classmethod
    def fit(cls, name: str, column: Column, task: Task | None = None) -> Target:
        """Choose the task from the training cells and learn classes or scale.

        Text and booleans are classes. Whole numbers are classes if there are only two, or at
        most 20 that occur five times each on average. All other numbers are a quantity.

        Parameters
        ----------
        name : str
            The column's name.
        column : array or list of str
            Its cells; blank ones are passed over.
        task : "regression" or "classification", optional
            Overrides the rule.

        Raises
        ------
        TableError
            If there is no cell, one class only, text for a regression, or more than 1,000
            classes or a class for nearly every row.
        """
        texts = [text for text in as_texts(column) if text]
        if not texts:
            raise TableError(f"the target {name!r} is blank in every row")
        numbers = parse_numbers(texts)
        if (task or _guess(numbers)) == "classification":
            return cls._classification(name, texts, numbers)
        if numbers is None:
            odd = next(text for text in texts if parse_numbers([text]) is None)
            raise TableError(
                f"the target {name!r} holds text ({odd!r}), so it cannot be a regression target"
            )
        if np.ptp(numbers) == 0:
            raise TableError(f"the target {name!r} is {texts[0]} in every row: nothing to learn")
        return cls(
            name,
            "regression",
            shift=float(numbers.mean()),
            scale=float(numbers.std()),
            low=float(numbers.min()),
            high=float(numbers.max()),
        )

    @classmethod
    def _classification(
        cls, name: str, texts: list[str], numbers: npt.NDArray[np.float64] | None
    ) -> Target:
        counts = Counter(texts if numbers is None else as_texts(numbers))
        if len(counts) == 1:
            raise TableError(f"the target {name!r} has one class only: {texts[0]!r}")
        if len(counts) > _MAX_CLASSES or len(counts) > max(2, len(texts) // 2):
            raise TableError(
                f"the target {name!r} has {len(counts)} different values in {len(texts)} rows, "
                "too many for classes; is it an identifier?"
            )
        order = sorted(counts) if numbers is None else sorted(counts, key=float)
        return cls(name, "classification", classes=tuple(order))

    def encode(self, column: Column) -> npt.NDArray[Any]:
        """Return what the network is trained on: class numbers (int64) or scaled float64.

        Raises
        ------
        TableError
            If a cell is a class that training did not have, or no number.
        """
        if self.task == "regression":
            return (self.quantities(column) - self.shift) / self.scale
        number = {label: i for i, label in enumerate(self.classes)}
        texts = self._class_texts(column)
        unknown = next((text for text in texts if text not in number), None)
        if unknown is not None:
            raise TableError(
                f"the target {self.name!r} has the class {unknown!r}, which the training rows "
                f"do not have (they have {', '.join(map(repr, self.classes))})"
            )
        return np.array([number[text] for text in texts], dtype=np.int64)

    def _class_texts(self, column: Column) -> list[str]:
        """Return the cells as class texts; of numbers, 1.0 and 1 are one class."""
        texts = as_texts(column)
        numeric = parse_numbers(list(self.classes)) is not None
        numbers = parse_numbers(texts) if numeric else None
        return texts if numbers is None else as_texts(numbers)

    def quantities(self, column: Column) -> npt.NDArray[np.float64]:
        """Return a regression target's cells as float64, in the user's units."""
        values = parse_numbers(as_texts(column))
        if values is None or np.isnan(values).any():
            raise TableError(f"the target {self.name!r} must hold numbers only")
        return values

    def decode(self, output: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Return predictions in the user's units from the output of a regression network.

        They are kept within the least and largest target of training, so that one odd row
        cannot give an absurd prediction.
        """
        values = output.reshape(-1).astype(np.float64) * self.scale + self.shift
        return np.clip(values, self.low, self.high)

    def labels(self, numbers: npt.NDArray[np.integer]) -> npt.NDArray[Any]:
        """Return class labels from class numbers: integers if all classes are, else text."""
        whole = all(text.lstrip("-").isdecimal() for text in self.classes)
        names = np.array([int(text) for text in self.classes] if whole else self.classes)
        return np.asarray(names[numbers])

    def get_state(self) -> dict[str, Any]:
        """Return everything :meth:`from_state` needs, as JSON values."""
        state: dict[str, Any] = {"name": self.name, "task": self.task}
        if self.task == "classification":
            return {**state, "classes": list(self.classes)}
        scale = {"shift": self.shift, "scale": self.scale, "low": self.low, "high": self.high}
        return {**state, **scale}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Target:
        """Make the target again from :meth:`get_state`'s dict."""
        fields = {name: state[name] for name in ("shift", "scale", "low", "high") if name in state}
        return cls(state["name"], state["task"], tuple(state.get("classes", ())), **fields)


def known_rows(columns: Columns, name: str) -> Columns:
    """Return the rows whose cell in this column is not blank; TableError if there are none.

    Examples
    --------
    >>> known_rows({"x": ["1", "2"], "y": ["", "3"]}, "y")
    {'x': ['2'], 'y': ['3']}
    """
    known = np.flatnonzero([bool(text) for text in as_texts(columns[name])])
    if not len(known):
        raise TableError(f"the target {name!r} is blank in every row")
    return columns if len(known) == row_count(columns) else select_rows(columns, known)


def _guess(numbers: npt.NDArray[np.float64] | None) -> Task:
    if numbers is None:
        return "classification"
    if np.any(numbers != np.floor(numbers)):
        return "regression"
    values = len(np.unique(numbers))
    few = values <= MAX_WHOLE_CLASSES and 5 * values <= len(numbers)
    return "classification" if values <= 2 or few else "regression"
