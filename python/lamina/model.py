"""Model: layers one after another, their parameters, and what one does with them by hand."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lamina._isa import core
from lamina.data import as_inputs
from lamina.layers import Input, Layer

__all__ = ["Model"]


class Model:
    """A feed-forward network.

    All parameters exist as soon as the model does, in one block of memory that never moves:
    ``layer.kernel`` and ``layer.bias`` are views of it.

    Parameters
    ----------
    layers : sequence of Layer
        The first one is :class:`~lamina.Input`, which says how wide a row is.
    seed : int, optional
        From 0 to 2**63 - 1. All random numbers come from it. Default: one drawn from the operating
        system, then kept in :attr:`seed`.
    dtype : {"float32", "float64"}, default "float32"
        Of parameters and computation.
    name : str, optional
        Default: "model".

    Raises
    ------
    ValueError
        If the layers do not fit together, a layer belongs to another model, or an argument of one
        is out of range; the message names the layer.

    Examples
    --------
    >>> import numpy as np
    >>> import lamina as lm
    >>> model = lm.Model([lm.Input(2), lm.Dense(3, activation="relu"), lm.Dense(1)], seed=0)
    >>> model.predict(np.zeros((5, 2))).shape
    (5, 1)
    >>> model.layers[0].kernel.shape
    (2, 3)
    >>> model.num_parameters
    13
    """

    # As many threads as asked for, however little the work: never changes bits, tests force it.
    _exact_threads: ClassVar[bool] = False

    def __init__(
        self,
        layers: Sequence[Layer],
        *,
        seed: int | None = None,
        dtype: str = "float32",
        name: str | None = None,
    ) -> None:
        for layer in layers:
            if not isinstance(layer, Layer):
                raise TypeError(f"Model: expected layers, got {type(layer).__name__}: {layer!r}")
            for inner in layer._walk():
                inner._check_unowned()
        if seed is None:
            seed = int.from_bytes(os.urandom(4), "little")
        if not 0 <= seed < 2**63:
            raise ValueError(f"Model: seed must be from 0 to 2**63 - 1, got {seed}")
        self._functions: list[Any] = []  # of schedules, which the core's spec refers to
        spec = {
            "name": name,
            "dtype": np.dtype(dtype).name if isinstance(dtype, type) else dtype,
            "seed": int(seed),
            "layers": [layer._spec(self._functions) for layer in layers],
        }
        self._adopt(core.Model(json.dumps(spec), self._functions), layers)

    def _adopt(self, core_model: Any, layers: Sequence[Layer] | None = None) -> None:
        """Take over the core's model; make the layer objects of its spec if there are none."""
        self._core = core_model
        self._functions = getattr(self, "_functions", [])
        spec = json.loads(core_model.spec)
        if layers is None:
            layers = [Layer.from_spec(one) for one in spec["layers"]]
        self._all_layers = list(layers)
        walked = [inner for layer in layers for inner in layer._walk()]
        for layer, one in zip(walked, _flat(spec["layers"]), strict=True):
            if not one.get("trainable", True):
                layer.trainable = False
            layer._bind(core_model, one["name"])
        self.dtype = np.dtype(spec["dtype"])
        self.name: str = spec["name"]

    @property
    def layers(self) -> list[Layer]:
        """The layers without Input: ``layers[0]`` is the first that computes."""
        return [layer for layer in self._all_layers if not isinstance(layer, Input)]

    @property
    def seed(self) -> int:
        """The seed that all random numbers come from."""
        return int(self._core.seed)

    @property
    def num_parameters(self) -> int:
        """How many numbers the model has learned or could learn, frozen ones and statistics too."""
        return int(self._core.num_parameters)

    def __getitem__(self, name: str) -> Layer:
        """Return the layer called `name`, also one inside another."""
        walked = [inner for layer in self._all_layers for inner in layer._walk()]
        for layer in walked:
            if layer.name == name:
                return layer
        known = ", ".join(str(layer.name) for layer in walked)
        raise KeyError(f"there is no layer {name!r}; there are {known}")

    def predict(
        self,
        X: Any,
        *,
        batch_size: int | None = None,
        num_threads: int | None = None,
    ) -> NDArray[Any]:
        """Return the outputs for some rows.

        A row's bits depend neither on the rows beside it nor on `batch_size` or `num_threads`:
        ``predict(X)[i]`` equals ``predict(X[i : i + 1])[0]``. Several threads may call it at once,
        also during a fit: it then uses the weights of the last completed epoch.

        Parameters
        ----------
        X : array_like, shape (n, inputs); for several inputs a dict by name or a tuple
            Any numeric dtype and memory layout.
        batch_size : int, optional
            Rows that a thread takes at a time. Default: 256.
        num_threads : int, optional
            At most so many. Default: what OpenMP offers. One for little work; calls of less than
            some milliseconds are timed, the first of them on one thread, and take one where others
            keep the processors busy.

        Returns
        -------
        ndarray, shape (n, outputs)
            In the model's dtype; ``(n, 1)`` for one output.

        Raises
        ------
        ValueError
            If the width does not fit: ``input: expected 64 columns, got 32``.
        TypeError
            If X holds text or objects.
        """
        how = batch_size, num_threads, self._exact_threads
        result: NDArray[Any] | None = self._core.predict_rows(X, *how)
        if result is None:
            result = self._core.predict(self._inputs(X), *how)
        return result

    def predict_classes(self, X: Any, *, threshold: float = 0.5) -> NDArray[np.intp]:
        """Return class numbers.

        Parameters
        ----------
        X : array_like
            As for :meth:`predict`.
        threshold : float, default 0.5
            For one sigmoid output: class 1 above it. For several sigmoid outputs, each is judged
            alone.

        Returns
        -------
        ndarray of int, shape (n,), or (n, k) for several sigmoid outputs
        """
        p = self.predict(X)
        layers = json.loads(self._core.spec)["layers"]
        computing = [one for one in layers if one["class"] != "ActivityRegularization"]
        last = computing[-1].get("activation", {}).get("class")
        if p.shape[1] > 1 and last != "Sigmoid":
            largest: NDArray[np.intp] = p.argmax(axis=1)
            return largest
        classes = (p > threshold).astype(np.intp)
        return classes[:, 0] if p.shape[1] == 1 else classes

    def forward(self, X: Any, training: bool = False) -> NDArray[Any]:
        """Run a batch forward and keep what :meth:`backward` needs.

        Parameters
        ----------
        X : array_like
            As for :meth:`predict`.
        training : bool, default False
            True: dropout drops, another set at each call, and :meth:`backward` adds the gradient
            of penalties on activities.

        Returns
        -------
        ndarray, shape (n, outputs)
        """
        result: NDArray[Any] = self._core.forward(self._inputs(X), training)
        return result

    def backward(self, grad: ArrayLike) -> NDArray[Any] | None:
        """Run the gradient of the last forward's output back; fill the gradients of the parameters.

        Parameters
        ----------
        grad : array_like, shape (n, outputs)
            dL/d(output), after the output activation, already divided by what the loss averages
            over: exactly ``loss.gradient(y, output)``.

        Returns
        -------
        ndarray, shape (n, inputs)
            dL/dX; None if the first input is codes.

        Raises
        ------
        RuntimeError
            If there was no forward.
        """
        result: NDArray[Any] | None = self._core.backward(np.asarray(grad))
        return result

    def initialize(self, X: Any, *, num_threads: int | None = None) -> None:
        """Let layers with a data-driven initialiser see data, as the first fit otherwise does.

        Their kernels, as they stand, are rescaled: see :class:`lamina.initializers.UnitVariance`.
        The first fit then leaves them alone. For a training loop by hand, or to choose the rows.

        Parameters
        ----------
        X : array_like
            As for :meth:`predict`; the first rows count, as many as the initialiser says.
        num_threads : int, optional
            At most so many; the bits do not depend on it. Default: what OpenMP offers.

        Raises
        ------
        ValueError
            If no trainable layer has such an initialiser, or X does not fit or is not finite; the
            weights are then as they were.
        RuntimeError
            If the model is being trained.
        """
        self._core.initialize(self._inputs(X), num_threads)

    def fingerprint(self) -> str:
        """Return the SHA-256 of architecture and weights: equal bits, equal fingerprint."""
        return str(self._core.fingerprint())

    def summary(self) -> None:
        """Print layers, shapes, parameters and multiply-adds a row (counted as two)."""
        print(self._summary())

    def _summary(self) -> str:
        rows = [("layer", "kind", "output", "parameters", "flops a row")]
        for one in self._core.summary():
            rows.append(
                (
                    one["name"],
                    one["class"],
                    one["output_shape"],
                    f"{one['parameters']:,}",
                    f"{one['flops']:,}",
                )
            )
        widths = [max(len(row[i]) for row in rows) for i in range(5)]
        lines = [
            "  ".join(
                cell.ljust(width) if i < 3 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in rows
        ]
        lines.insert(1, "-" * len(lines[0]))
        trainable = int(self._core.num_trainable)
        size = self.num_parameters * self.dtype.itemsize
        lines.append(
            f"{self.num_parameters:,} parameters ({_bytes(size)}, {self.dtype}), {trainable:,} "
            f"trainable; seed {self.seed}"
        )
        return "\n".join(lines)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to a file, whole or not at all; ``lm.load`` reads it.

        Raises
        ------
        OSError
            If the file cannot be written; an older one is then untouched.
        """
        _save(self, path, {})

    def _check_writable(self) -> None:
        """Raise TypeError if a layer follows a Python function, which no file can hold."""
        for layer in self._all_layers:
            layer.to_spec()

    def _inputs(self, X: Any) -> list[NDArray[Any]]:
        return as_inputs(X, self._core.ports())

    def __getstate__(self) -> bytes:
        """Return the bytes of the model's file."""
        self._check_writable()
        return bytes(self._core.to_bytes())

    def __setstate__(self, state: bytes) -> None:
        """Make the model from the bytes of its file."""
        self._adopt(core.model_from_bytes(state)[0])

    def __repr__(self) -> str:
        """Return the call that makes such a model (its weights apart)."""
        layers = ", ".join(map(repr, self._all_layers))
        dtype = "" if self.dtype == np.float32 else f', dtype="{self.dtype}"'
        return f"lm.Model([{layers}], seed={self.seed}{dtype})"


def _flat(specs: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """Yield the specs of layers and of those inside them, as Layer._walk goes."""
    for spec in specs:
        if isinstance(spec, list):
            yield from _flat(spec)
            continue
        yield spec
        yield from _flat(spec.get("layers", []))


def _bytes(size: float) -> str:
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"


def _save(model: Model, path: str | os.PathLike[str], extra: dict[str, Any]) -> None:
    """Write a model with JSON of its owner beside it."""
    model._check_writable()
    model._core.save(os.fspath(path), json.dumps(extra) if extra else "")


def _load(path: str | os.PathLike[str]) -> tuple[Model, dict[str, Any]]:
    """Read what :func:`_save` wrote."""
    core_model, extra = core.load_model(os.fspath(path))
    model = Model.__new__(Model)
    model._adopt(core_model)
    return model, json.loads(extra) if extra else {}
