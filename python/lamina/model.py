"""Model: layers one after another, their parameters, and what one does with them by hand."""

from __future__ import annotations

import copy
import json
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lamina._isa import core
from lamina.data import as_inputs
from lamina.files import remove_leftovers
from lamina.layers import Input, Layer, NestedModel
from lamina.layers.base import as_layer
from lamina.network import Network, flat_specs, network_of, written
from lamina.predictor import Predictor, as_row
from lamina.progress import RowsBar
from lamina.streams import Stream
from lamina.summary import summary_text
from lamina.windows import predict_windows

__all__ = ["Model"]


class Model:
    """A feed-forward network: layers one after another, or any layers that read each other.

    ``lm.Model([lm.Input(20), lm.Dense(64), lm.Dense(1)])`` is the short way. In the functional form
    layers are called on what others make, so that a network can branch, join and have several
    inputs and outputs: ``x = lm.Input(20)``, ``y = lm.Dense(64)(x)``, ``lm.Model(inputs=x,
    outputs=[lm.Dense(1)(y), lm.Dense(3, activation="softmax")(y)])``. A model can stand in another
    like a layer; see :class:`~lamina.layers.NestedModel`.

    All parameters exist as soon as the model does, in one block of memory that never moves:
    ``layer.kernel`` and ``layer.bias`` are views of it.

    Parameters
    ----------
    layers : sequence of Layer or Model, optional
        The first one is :class:`~lamina.Input`, which says how wide a row is.
    inputs : Input or sequence of Input, optional
        Instead of `layers`: where the functional form begins.
    outputs : Node or sequence of Node, optional
        Where it ends: what layers returned when they were called.
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
        layers: Sequence[Layer | Model] | None = None,
        *,
        inputs: Any = None,
        outputs: Any = None,
        seed: int | None = None,
        dtype: str = "float32",
        name: str | None = None,
    ) -> None:
        network = _network(layers, inputs, outputs)
        if seed is None:
            seed = int.from_bytes(os.urandom(4), "little")
        if not 0 <= seed < 2**63:
            raise ValueError(f"Model: seed must be from 0 to 2**63 - 1, got {seed}")
        self._functions: list[Any] = []  # of schedules, which the core's spec refers to
        spec = {
            "name": name,
            "dtype": np.dtype(dtype).name if isinstance(dtype, type) else dtype,
            "seed": int(seed),
            "layers": [layer._spec(self._functions) for layer in network.layers],
            "wiring": network.wiring,
            "outputs": network.outputs,
        }
        self._adopt(core.Model(json.dumps(spec), self._functions), network.layers)
        for layer in self._walk():
            if isinstance(layer, NestedModel):
                self._take_weights(layer)

    def _adopt(self, core_model: Any, layers: Sequence[Layer] | None = None) -> None:
        """Take over the core's model; make the layer objects of its spec if there are none."""
        self._core = core_model
        self._functions = getattr(self, "_functions", [])
        spec = json.loads(core_model.spec)
        if layers is None:
            layers = [Layer.from_spec(one) for one in spec["layers"]]
            for layer in (inner for outer in layers for inner in outer._walk()):
                layer._named_by_model = _is_given_name(layer)
        self._network = Network(list(layers), spec.get("wiring"), spec.get("outputs"))
        for layer, one in zip(self._walk(), flat_specs(spec["layers"]), strict=True):
            if not one.get("trainable", True):
                object.__setattr__(layer, "trainable", False)  # not for what is inside it
            layer._bind(core_model, one["name"])
        self.dtype = np.dtype(spec["dtype"])
        self.name: str = spec["name"]

    def _walk(self) -> Iterator[Layer]:
        """Yield all layers, a container before those inside."""
        for layer in self._network.layers:
            yield from layer._walk()

    def _take_weights(self, nested: NestedModel) -> None:
        """Give a model within this one the weights that it had on its own."""
        names = {layer.name for layer in nested._walk()}
        mine = [one["name"] for one in self._core.tensors() if one["layer"] in names]
        for name, values in zip(mine, nested._weights or [], strict=nested._weights is not None):
            self._core.view(name)[...] = values
        inside = list(nested._walk())[1:]
        for inner, waits in zip(inside, nested._waiting or [], strict=nested._waiting is not None):
            if not waits:
                self._core.note_data_seen(str(inner.name))
        for attribute in ("_weights", "_waiting"):
            nested.__dict__.pop(attribute, None)

    def _as_layer(self) -> NestedModel:
        """Return copies of the layers as one, which begins with the weights that these have."""
        mine = self._network
        layer = NestedModel(
            [copy.deepcopy(one) for one in mine.layers],
            mine.wiring,
            mine.outputs,
            name=None if self.name == "model" else self.name,
        )
        layer._weights = [self._core.view(one["name"]).copy() for one in self._core.tensors()]
        layer._waiting = [one["waits"] for one in self._core.layers()]
        return layer

    def __call__(self, inputs: Any) -> Any:
        """Return what a copy of the model makes of its inputs: see Layer's."""
        return self._as_layer()(inputs)

    @property
    def input_names(self) -> list[str]:
        """Names of the inputs, in the order in which X holds several."""
        return [str(port["name"]) for port in self._core.ports()]

    @property
    def output_names(self) -> list[str]:
        """Names of the layers that make the outputs, in the order of ``predict``'s list.

        If a layer (a nested model) makes several, the others' names end in ``_1``, ``_2``, ….
        """
        return [str(one["name"]) for one in self._core.outputs()]

    @property
    def layers(self) -> list[Layer]:
        """The layers without Input: ``layers[0]`` is the first that computes."""
        return [layer for layer in self._network.layers if not isinstance(layer, Input)]

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
        for layer in self._walk():
            if layer.name == name:
                return layer
        known = ", ".join(str(layer.name) for layer in self._walk())
        raise KeyError(f"there is no layer {name!r}; there are {known}")

    def predict(
        self,
        X: Any,
        *,
        layer: str | None = None,
        batch_size: int | None = None,
        num_threads: int | None = None,
        verbose: int | str = "auto",
    ) -> Any:
        """Return the outputs for some rows.

        A row's bits depend neither on the rows beside it nor on `batch_size` or `num_threads`:
        ``predict(X)[i]`` equals ``predict(X[i : i + 1])[0]``. Several threads may call it at once,
        also during a fit: it then uses the weights of the last completed epoch.

        Parameters
        ----------
        X : array_like, shape (n, inputs); for several inputs a dict by name or a tuple
            Any numeric dtype and memory layout, or SciPy's sparse matrix. Or a
            :class:`~lamina.Stream` of arrays, of which two windows are in memory at a time, beside
            the predictions; of chunks (X, y) y is ignored.
        layer : str, optional
            The model is cut behind the layer of this name: what it gives is returned, behind its
            activation. Also one inside another. Default: the model's outputs.
        batch_size : int, optional
            Rows that a thread takes at a time. Default: 256.
        num_threads : int, optional
            At most so many. Default: what OpenMP offers. One for little work; calls of less than
            some milliseconds are timed, the first of them on one thread, and take one where others
            keep the processors busy.
        verbose : {0, 1, "auto"}, default "auto"
            0 nothing, 1 a bar, "auto" a bar in a terminal or notebook once the call has taken more
            than a second.

        Returns
        -------
        ndarray, shape (n, *output shape)
            In the model's dtype; ``(n, 1)`` for one unit. A list of them for several outputs, in
            the order of :attr:`output_names`.

        Raises
        ------
        ValueError
            If the width does not fit: ``input: expected 64 columns, got 32``; or there is no such
            layer.
        TypeError
            If X holds text or objects.
        RuntimeError
            If a layer that adapts to data has not seen any: :meth:`adapt`, or fit.
        KeyboardInterrupt
            On Ctrl-C, within a second.
        """
        how = batch_size, num_threads, self._exact_threads
        if layer is None and verbose in ("auto", 0) and not isinstance(X, Stream):
            result = self._core.predict_rows(X, *how)
            if result is not None:
                return result
        if isinstance(X, Stream):
            with RowsBar("predict", verbose, X.rows) as bar:
                return predict_windows(
                    X, self._inputs, lambda x: self._predict(x, layer, how, bar), bar
                )
        inputs = self._inputs(X)
        first = inputs[0]  # a sparse one begins with where its rows begin
        rows = len(first[0]) - 1 if isinstance(first, tuple) else len(first)
        with RowsBar("predict", verbose, rows) as bar:
            return self._predict(inputs, layer, how, bar)

    def _predict(
        self, inputs: list[Any], layer: str | None, how: tuple[Any, Any, bool], bar: RowsBar
    ) -> Any:
        if layer is None:
            return self._core.predict(inputs, *how, bar.show)
        return self._core.predict_layer(inputs, layer, *how[:2], bar.show)

    def predict_one(self, x: Any) -> Any:
        """Return the outputs for a single row.

        For decisions one at a time, also between steps of ``trainer.train_on_batch``: it uses the
        weights as they are. A model that does not change answers more quickly as a
        :class:`~lamina.Predictor`. The bits are those of :meth:`predict`.

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
        RuntimeError
            If a layer that adapts to data has not seen any: :meth:`adapt`, or fit.

        Examples
        --------
        >>> import lamina as lm
        >>> model = lm.Model([lm.Input(2), lm.Dense(3)], seed=0)
        >>> model.predict_one([1.0, 2.0]).shape
        (3,)
        """
        result = self._core.predict_row(x)
        return self._core.predict_one(as_row(x, self._core.ports())) if result is None else result

    def input_gradient(
        self,
        X: Any,
        output: int = 0,
        *,
        layer: str | None = None,
        num_threads: int | None = None,
    ) -> Any:
        """Return how one output of each row changes with that row's inputs: d y[output] / d x.

        A row of the Jacobian for each row of X, in inference mode: dropout rests, normalisation
        uses its running statistics. It says what a prediction hangs on. Parameters and their
        gradients stay as they are.

        Parameters
        ----------
        X : array_like
            As for :meth:`predict`.
        output : int, default 0
            Column of the output, from 0; of an image the place in its flat row.
        layer : str, optional
            Of what this layer gives, instead of the model's output. Names one output of several.
        num_threads : int, optional
            At most so many. Default: what OpenMP offers. The bits do not depend on it.

        Returns
        -------
        ndarray, shape (n, *input shape)
            For several inputs a list of them, with None for category codes.

        Raises
        ------
        ValueError
            If X does not fit, there is no such column or layer, or the model has several outputs
            and no layer is named.

        Examples
        --------
        >>> import lamina as lm
        >>> model = lm.Model([lm.Input(2), lm.Dense(1, activation="tanh")], seed=0)
        >>> model.layers[0].kernel = [[1.0], [-2.0]]
        >>> model.input_gradient([[0.0, 0.0]])
        array([[ 1., -2.]], dtype=float32)
        """
        return self._core.input_gradient(self._inputs(X), output, layer, num_threads)

    def freeze_for_inference(self) -> Predictor:
        """Return a :class:`~lamina.Predictor`, which answers more quickly and cannot change.

        It takes the weights as they are now, during a fit those of the last completed epoch. The
        model goes on as it was: what is trained later does not reach the Predictor.

        Raises
        ------
        RuntimeError
            If a layer that adapts to data has not seen any: :meth:`adapt`, or fit.
        """
        return Predictor(self)

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
        outputs = self._core.outputs()
        if len(outputs) > 1:
            raise ValueError(
                f"predict_classes: the model has several outputs, {self.output_names}; take those "
                "of one from model.predict(X)"
            )
        p = self.predict(X)
        p = p.reshape(len(p), -1)
        if p.shape[1] > 1 and outputs[0]["activation"] != "sigmoid":
            largest: NDArray[np.intp] = p.argmax(axis=1)
            return largest
        classes: NDArray[np.intp] = (p > threshold).astype(np.intp)
        return classes[:, 0] if p.shape[1] == 1 else classes

    def forward(self, X: Any, training: bool = False) -> Any:
        """Run a batch forward and keep what :meth:`backward` needs.

        Parameters
        ----------
        X : array_like
            As for :meth:`predict`.
        training : bool, default False
            True: dropout drops, another set at each call, the averages of batch normalisation
            move, and :meth:`backward` adds the gradient of penalties on activities.

        Returns
        -------
        ndarray, shape (n, *output shape)
            A list of them for several outputs.

        Raises
        ------
        RuntimeError
            If averages would move while the model is being trained by another call.
        """
        return self._core.forward(self._inputs(X), training)

    def backward(self, grad: Any) -> Any:
        """Run the gradient of the last forward's output back; fill the gradients of the parameters.

        Parameters
        ----------
        grad : array_like, shape (n, *output shape)
            dL/d(output), after the output activation, already divided by what the loss averages
            over: exactly ``loss.gradient(y, output)``. A sequence of them for several outputs.

        Returns
        -------
        ndarray, shape (n, *input shape)
            dL/dX; None for category codes. A list of them for several inputs.

        Raises
        ------
        RuntimeError
            If there was no forward.
        """
        several = len(self._core.outputs()) > 1
        return self._core.backward([np.asarray(one) for one in (grad if several else [grad])])

    def initialize(self, X: Any, *, num_threads: int | None = None) -> None:
        """Let layers with a data-driven initialiser see data, as the first fit otherwise does.

        Their kernels, as they stand, are rescaled: see :class:`lamina.initializers.UnitVariance`.
        The first fit then leaves them alone. Layers that still wait for :meth:`adapt` learn on the
        way. For a training loop by hand, or to choose the rows.

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

    def adapt(self, X: Any, *, num_threads: int | None = None) -> None:
        """Let layers that adapt learn from data, as the first fit otherwise does.

        That are Normalization, RobustScale and Impute. Each learns, in order, from what the layers
        before it make of all rows, in inference; what they had learned before is forgotten. Kernels
        that still wait for data (:meth:`initialize`) are rescaled on the way. A fit that follows
        leaves both alone. For predictions without training, a training loop by hand, to choose the
        rows, or to go over to other data. (Keras has the method on the layer.)

        Parameters
        ----------
        X : array_like
            As for :meth:`predict`; also memory-mapped. NaN is a missing value where Impute comes
            first.
        num_threads : int, optional
            At most so many; the bits do not depend on it. Default: what OpenMP offers.

        Raises
        ------
        ValueError
            If no layer adapts, or X does not fit or is not finite; the model is then as it was.
        RuntimeError
            If the model is being trained.

        Examples
        --------
        >>> import lamina as lm
        >>> model = lm.Model([lm.Input(1), lm.Normalization()], seed=0)
        >>> model.adapt([[1.0], [3.0]])
        >>> model.predict([[3.0]])
        array([[1.]], dtype=float32)
        """
        self._core.adapt(self._inputs(X), num_threads)

    def fingerprint(self) -> str:
        """Return the SHA-256 of architecture and weights: equal bits, equal fingerprint."""
        return str(self._core.fingerprint())

    def summary(self) -> None:
        """Print layers, shapes, parameters and multiply-adds a row (counted as two)."""
        print(summary_text(self))

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
        for layer in self._network.layers:
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
        dtype = "" if self.dtype == np.float32 else f', dtype="{self.dtype}"'
        return f"lm.Model({written(self._network)}, seed={self.seed}{dtype})"


def _network(layers: Sequence[Layer | Model] | None, inputs: Any, outputs: Any) -> Network:
    """Return what a Model's arguments say, or refuse them."""
    if (layers is None) == (inputs is None and outputs is None):
        raise TypeError("Model: give either layers, or inputs and outputs")
    if layers is None:
        network = network_of(inputs, outputs)
    else:
        network = Network([as_layer(layer) for layer in layers])
    for layer in network.layers:
        if not isinstance(layer, Layer):
            raise TypeError(f"Model: expected layers, got {type(layer).__name__}: {layer!r}")
        for inner in layer._walk():
            inner._check_unowned()
    return network


def _is_given_name(layer: Layer) -> bool:
    """Say whether a layer out of a file has such a name as models give: dense, dense_1, ….

    A copy in another model leaves it behind, as one of a model that was never in a file does.
    """
    snake = re.sub("(?<!^)(?=[A-Z])", "_", type(layer).__name__).lower()
    return re.fullmatch(rf"{snake}(_\d+)?", layer.name or "") is not None


def _save(model: Model, path: str | os.PathLike[str], extra: dict[str, Any]) -> None:
    """Write a model with JSON of its owner beside it."""
    model._check_writable()
    remove_leftovers(path)
    model._core.save(os.fspath(path), json.dumps(extra) if extra else "")


def _load(path: str | os.PathLike[str]) -> tuple[Model, dict[str, Any]]:
    """Read what :func:`_save` wrote."""
    core_model, extra = core.load_model(os.fspath(path))
    model = Model.__new__(Model)
    model._adopt(core_model)
    try:
        owner = json.loads(extra or "{}")
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)}: its extra is not JSON: {error}") from error
    return model, owner if isinstance(owner, dict) else {}
