"""What users hand in, as arrays that the core can read where they lie.

A NumPy array of any numeric dtype, order and byte order passes through untouched; other things
(lists, DataFrames, tensors) are converted here, explicitly, or refused with a reason.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lamina.sparse import as_csr, is_sparse
from lamina.tensors import from_other_library

__all__ = [
    "Dataset",
    "as_array",
    "as_inputs",
    "by_output",
    "class_weights",
    "drawn_order",
    "split_rows",
]

AnyArray = NDArray[Any]


class Dataset(NamedTuple):
    """Arrays as the core takes them; `rows` picks some, None means all.

    There is a target for each output of the model: None for one of which nothing is measured.
    """

    inputs: list[Any]
    targets: list[AnyArray | None]
    weights: AnyArray | None = None
    rows: list[int] | None = None

    @property
    def all_rows(self) -> int:
        """Number of rows of the arrays."""
        return next(len(target) for target in self.targets if target is not None)

    @property
    def size(self) -> int:
        """Number of rows that count."""
        return self.all_rows if self.rows is None else len(self.rows)


def as_array(what: str, data: Any) -> AnyArray:
    """Return `data` as a NumPy array of numbers, without a copy where that is possible.

    Raises
    ------
    TypeError
        If it holds text or objects, lies on another device, or NumPy has no such numbers.
    ValueError
        If it has more than the axes of rows and columns, or none.
    """
    if not isinstance(data, np.ndarray):
        if is_sparse(data):
            raise TypeError(f"{what}: a sparse matrix cannot be used here; use its toarray()")
        data = from_other_library(what, data)
    if data.dtype.kind not in "biuf" or data.dtype.itemsize > 8:
        remedy = (
            "; numbers are needed: encode categories, or use lm.TableModel, which takes tables"
            if data.dtype.kind in "OUSTV"
            else "; use float32 or float64"
        )
        raise TypeError(f"{what}: cannot use an array of dtype {data.dtype}{remedy}")
    if data.ndim == 0:
        raise ValueError(f"{what}: expected an array of rows, got a single number")
    result: AnyArray = data
    return result


def as_inputs(data: Any, ports: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Return one 2-D array, or sparse matrix as the core takes it, for each port of a model.

    Parameters
    ----------
    data : array_like, or for several ports a dict by name or a sequence
        The rows.
    ports : sequence of mapping
        The core's ports: name and shape of each.

    Raises
    ------
    TypeError, ValueError
        If something does not fit; the message says what was expected.
    """
    by_name = isinstance(data, Mapping) and not is_sparse(data)  # SciPy's DOK is both
    if len(ports) == 1:
        if by_name and set(data) == {ports[0]["name"]}:
            data = data[ports[0]["name"]]
        return [_rows("X", data, ports[0])]
    names = [port["name"] for port in ports]
    if by_name:
        if set(data) != set(names):
            raise ValueError(f"X: expected a dict with the inputs {names}, got {sorted(data)}")
        parts = [data[name] for name in names]
    elif isinstance(data, (list, tuple)) and len(data) == len(ports):
        parts = list(data)
    else:
        raise ValueError(f"X: expected {len(ports)} arrays, as a dict or in this order: {names}")
    return [_rows(name, part, port) for name, part, port in zip(names, parts, ports, strict=True)]


def _rows(what: str, data: Any, port: Mapping[str, Any]) -> Any:
    if is_sparse(data):
        return as_csr(what, data)
    array = as_array(what, data)
    shape = tuple(port["shape"])
    width = int(np.prod(shape))
    if array.ndim == 1 and width == 1:
        return array[:, np.newaxis]
    if array.shape[1:] == shape and array.ndim > 2:
        return array.reshape(len(array), width)
    if array.ndim != 2:
        expected = f"(n, {', '.join(map(str, shape))})"
        raise ValueError(f"{what}: expected an array of shape {expected}, got {array.shape}")
    return array


_REQUIRED = object()


def by_output(
    what: str, given: Any, names: Sequence[str], *, missing: Any = _REQUIRED
) -> list[Any]:
    """Return one thing for each output of a model, in order.

    Parameters
    ----------
    what : str
        What messages call them.
    given : mapping by the outputs' names, or sequence in their order
        The things.
    names : sequence of str
        The outputs' names.
    missing
        Stands for what a mapping leaves out. Default: nothing may be left out.
    """
    if isinstance(given, Mapping):
        unknown = [key for key in given if key not in names]
        lacking = [name for name in names if name not in given]
        if unknown or (lacking and missing is _REQUIRED):
            raise ValueError(
                f"{what}: expected a dict with the outputs {list(names)}, got {list(given)}"
            )
        return [given.get(name, missing) for name in names]
    if not isinstance(given, (list, tuple)) or len(given) != len(names):
        got = f"{len(given)}" if isinstance(given, (list, tuple)) else type(given).__name__
        raise ValueError(
            f"{what}: the model has {len(names)} output{'s' if names[1:] else ''}; expected a dict "
            f"by name or as many in this order: {list(names)}, got {got}"
        )
    return list(given)


def as_target(data: Any, what: str = "y") -> AnyArray:
    """Return targets as a 1-D or 2-D array of numbers."""
    if isinstance(data, np.ndarray) and data.dtype.kind in "OUST":
        raise TypeError(
            f"{what}: the labels are text; give whole numbers 0 … N-1 "
            "(numpy.unique(y, return_inverse=True)[1]), or use lamina.sklearn, which takes text"
        )
    array = np.asarray(data) if isinstance(data, (list, tuple)) else data
    if isinstance(array, np.ndarray) and array.dtype.kind in "OUST":
        return as_target(array, what)
    array = as_array(what, array)
    return array.reshape(len(array), -1) if array.ndim > 2 else array


def as_targets(data: Any, outputs: Mapping[str, bool]) -> list[AnyArray | None]:
    """Return the targets of each output.

    Parameters
    ----------
    data : array_like; for several outputs a dict by name or a sequence
        None where nothing is measured.
    outputs : mapping of str to bool
        By name whether something is measured, so that there must be a target.
    """
    names = list(outputs)
    if len(names) == 1:
        given = by_output("y", data, names) if isinstance(data, Mapping) else [data]
        return [as_target(given[0])]
    targets: list[AnyArray | None] = []
    for name, one in zip(names, by_output("y", data, names, missing=None), strict=True):
        if one is None and outputs[name]:
            raise ValueError(f"y: there is no target for the output {name!r}; expected {names}")
        used = one is not None and outputs[name]
        targets.append(as_target(one, f"y[{name!r}]") if used else None)
    return targets


def dataset(
    x: Any,
    y: Any,
    ports: Sequence[Mapping[str, Any]],
    outputs: Mapping[str, bool],
    sample_weight: ArrayLike | None = None,
) -> Dataset:
    """Return X, y and weights as the core takes them; `outputs` as for :func:`as_targets`."""
    if isinstance(sample_weight, Mapping):
        raise TypeError("sample_weight: expected one array (n,), which counts for all outputs")
    weights = None if sample_weight is None else as_array("sample_weight", sample_weight)
    return Dataset(as_inputs(x, ports), as_targets(y, outputs), weights)


def class_weights(
    target: AnyArray,
    class_weight: Mapping[int, float] | str,
    weights: AnyArray | None,
    rows: list[int] | None = None,
) -> AnyArray:
    """Return sample weights multiplied by the weight of each row's class.

    Parameters
    ----------
    target : ndarray
        Class numbers, or a column for each class.
    class_weight : mapping of int to float, or "balanced"
        Balanced: a class with few rows gets the weight rows / (classes * rows of the class).
    weights : ndarray or None
        Those that the rows have already.
    rows : list of int, optional
        Those that are counted. Default: all.

    Raises
    ------
    ValueError
        If the targets are not class numbers or a class has no weight.
    """
    labels = class_numbers(target)
    classes, codes = np.unique(labels, return_inverse=True)
    if isinstance(class_weight, str):
        counts = np.bincount(codes if rows is None else codes[rows], minlength=len(classes))
        among = max(1, np.count_nonzero(counts))
        balanced = counts.sum() / (among * np.maximum(1, counts))
        class_weight = dict(zip(classes.tolist(), balanced.tolist(), strict=True))
    missing = [c.item() for c in classes if c.item() not in class_weight]
    if missing:
        raise ValueError(f"class_weight: no weight for {missing}; give one for each class")
    if weights is not None and weights.size != len(labels):
        raise ValueError(f"sample_weight: expected {len(labels)} weights, got {weights.size}")
    by_class = np.array([class_weight[c.item()] for c in classes], dtype=np.float64)
    result: AnyArray = by_class[codes]
    return result if weights is None else result * weights.ravel()


def at_least_1(what: str, value: Any) -> int:
    """Return a number of something, such as epochs; NumPy's whole numbers are taken, too.

    Raises
    ------
    TypeError, ValueError
        If it is no whole number, or less than 1.
    """
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None:
        raise TypeError(f"{what} must be a whole number, got {value!r}")
    if number < 1:
        raise ValueError(f"{what} must be at least 1, got {number}")
    return number


def class_numbers(target: AnyArray) -> AnyArray:
    """Return each row's class, of class numbers or of a column for each class."""
    columns = target.ndim == 2 and target.shape[1] > 1
    return np.asarray(target.argmax(axis=1) if columns else target.ravel())


def class_weight_spec(given: Any) -> list[list[float]] | str | None:
    """Return class weights in JSON's types; NumPy's numbers, as of np.unique, become Python's."""
    if isinstance(given, str) and given != "balanced":
        raise ValueError(f"class_weight: expected weights by class or 'balanced', got {given!r}")
    if given is None or isinstance(given, str):
        return given
    if not isinstance(given, Mapping):
        raise TypeError(
            "class_weight: expected a mapping of class to weight or 'balanced', got "
            f"{type(given).__name__}"
        )
    return [
        [key.item() if isinstance(key, np.generic) else key, float(value)]
        for key, value in given.items()
    ]


def class_weight_of(spec: Any) -> dict[int, float] | str | None:
    """Return the class weights that :func:`class_weight_spec` described."""
    return spec if spec is None or isinstance(spec, str) else dict(spec)


def split_rows(
    target: AnyArray, share: float, seed: int, *, stratify: bool, shuffle: bool
) -> tuple[list[int], list[int]]:
    """Return the rows for training and for validation.

    Parameters
    ----------
    target : ndarray
        Its first axis is the rows; classes if `stratify`.
    share : float
        Share of the rows to hold out, above 0 and below 1.
    seed : int
        The draw depends on it alone.
    stratify : bool
        Hold out the same share of each class.
    shuffle : bool
        False: the last rows are held out.
    """
    n = len(target)
    if not 0 < share < 1:
        raise ValueError(f"validation_split must be above 0 and below 1, got {share}")
    held_out = round(n * share)
    if not 0 < held_out < n:
        raise ValueError(
            f"validation_split={share} of {n} rows leaves nothing to train or validate on"
        )
    if not shuffle:
        return list(range(n - held_out)), list(range(n - held_out, n))
    order = drawn_order(target, seed, 4, stratify=stratify)  # stream 4 is the split's
    return sorted(order[held_out:].tolist()), sorted(order[:held_out].tolist())


def drawn_order(target: AnyArray, seed: int, stream: int, *, stratify: bool) -> NDArray[np.intp]:
    """Return the rows in an order drawn by seed and stream.

    With `stratify` every beginning of it has about the same share of each class.
    """
    keys = np.random.Philox(key=[seed, stream]).random_raw(len(target))
    order = np.argsort(keys, kind="stable")
    return _stratified(order, class_numbers(target)) if stratify else order


def _stratified(order: NDArray[np.intp], labels: AnyArray) -> NDArray[np.intp]:
    """Reorder so that every beginning holds about the same share of each class."""
    shuffled = labels[order]
    place = np.empty(len(order))
    for label in np.unique(labels):
        mine = np.flatnonzero(shuffled == label)
        place[mine] = (np.arange(len(mine)) + 0.5) / len(mine)
    return order[np.argsort(place, kind="stable")]
