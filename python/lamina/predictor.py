"""Predictor: a model made ready to answer, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NoReturn

import numpy as np

from lamina._isa import core
from lamina.data import as_array, as_inputs
from lamina.sparse import as_csr, is_sparse

__all__ = ["Predictor"]


class Predictor:
    """A model frozen for inference: it cannot change, and any number of threads may share it.

    ``model.freeze_for_inference()`` makes one from the weights as they are then. What only training
    needs is gone, batch normalisation and the scaling of inputs have moved into the weights of the
    Dense layers beside them (a scaling of inputs far from zero stays, for its digits), and weights
    lie packed as products of many rows read them. Its answers differ from the model's by no more
    than rounding; where nothing could be folded they are the same bits.

    C++ programs have the same: ``lamina/predict.hpp``.

    Parameters
    ----------
    model : Model
        Not changed, and not kept. During a fit: its weights after the last completed epoch.

    Raises
    ------
    RuntimeError
        If a layer that adapts to data has not seen any: ``model.adapt(X)``, or fit.
    TypeError
        If it is no Model.

    Examples
    --------
    >>> import numpy as np
    >>> import lamina as lm
    >>> layers = [lm.Input(2), lm.Dense(3), lm.BatchNormalization(), lm.Dense(1)]
    >>> model = lm.Model(layers, seed=0)
    >>> predictor = model.freeze_for_inference()
    >>> np.allclose(predictor.predict([[1.0, 2.0]]), model.predict([[1.0, 2.0]]))
    True
    >>> predictor.predict_one([1.0, 2.0]).shape
    (1,)
    """

    _exact_threads: ClassVar[bool] = False

    def __init__(self, model: Any) -> None:
        found = getattr(model, "_core", None)
        if not isinstance(found, core.Model):
            raise TypeError(f"Predictor: expected a lm.Model, got {type(model).__name__}")
        self._core = core.Predictor(found)
        self._ports = model._core.ports()
        self.input_names: list[str] = model.input_names
        self.output_names: list[str] = model.output_names
        self.dtype = model.dtype

    def predict(
        self, X: Any, *, batch_size: int | None = None, num_threads: int | None = None
    ) -> Any:
        """Return the outputs for some rows, as ``model.predict`` does.

        Parameters
        ----------
        X : array_like, shape (n, inputs); for several inputs a dict by name or a tuple
            Any numeric dtype and memory layout.
        batch_size : int, optional
            Rows that a thread takes at a time. Default: 256.
        num_threads : int, optional
            At most so many; the bits do not depend on it. Default: what OpenMP offers.

        Returns
        -------
        ndarray, shape (n, *output shape)
            A list of them for several outputs.

        Raises
        ------
        ValueError
            If the width does not fit.
        TypeError
            If X holds text or objects.
        """
        how = batch_size, num_threads, self._exact_threads
        result = self._core.predict_rows(X, *how)
        return self._core.predict(as_inputs(X, self._ports), *how) if result is None else result

    def predict_one(self, x: Any) -> Any:
        """Return the outputs for a single row: the least that a call can cost.

        Parameters
        ----------
        x : array_like, shape of a row; for several inputs a dict by name or a tuple
            An image may be flat. The quickest is a 1-D array of float32.

        Returns
        -------
        ndarray, shape of a row's output
            A list of them for several outputs.

        Raises
        ------
        ValueError
            If it is not one row of the right shape.
        TypeError
            If it holds text or objects.
        """
        result = self._core.predict_row(x)
        return self._core.predict_one(as_row(x, self._ports)) if result is None else result

    def __copy__(self) -> Predictor:
        """Return itself: it never changes."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Predictor:
        """Return itself: it never changes."""
        return self

    def __reduce__(self) -> NoReturn:
        """Refuse: a file keeps the model, which makes a Predictor in no time."""
        raise TypeError(
            "Predictor: pickle or save the model, and call freeze_for_inference() on what is loaded"
        )

    def __repr__(self) -> str:
        """Name inputs, outputs and size."""
        size = self._core.bytes / 1e6
        return f"<Predictor of {self.input_names} -> {self.output_names}, {size:.3g} MB>"


def as_row(x: Any, ports: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Return a matrix of one row for each port."""
    names = [str(port["name"]) for port in ports]
    if len(names) == 1:
        parts = [x[names[0]] if isinstance(x, Mapping) and set(x) == set(names) else x]
    elif isinstance(x, Mapping) and set(x) == set(names):
        parts = [x[name] for name in names]
    elif isinstance(x, (list, tuple)) and len(x) == len(names):
        parts = list(x)
    else:
        raise ValueError(
            f"predict_one: expected {len(names)} rows, as a dict or in this order: {names}"
        )
    return [_one_row(part, port) for part, port in zip(parts, ports, strict=True)]


def _one_row(row: Any, port: Mapping[str, Any]) -> Any:
    if is_sparse(row):
        return as_csr(port["name"], row)
    array = as_array(port["name"], row)
    shape = tuple(port["shape"])
    width = int(np.prod(shape))
    if array.shape not in {shape, (width,)}:
        raise ValueError(
            f"predict_one: {port['name']}: expected one row of shape {shape}, got {array.shape}; "
            "predict(X) takes several"
        )
    return array.reshape(1, width)
