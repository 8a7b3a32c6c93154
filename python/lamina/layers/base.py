"""Layer: what all layers share. What a layer computes, the core knows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lamina._config import Configurable

__all__ = ["Layer", "Node", "as_layer"]


class Node:
    """What a layer makes of its inputs, in the functional form of a Model: no numbers yet.

    ``lm.Dense(64)(x)`` returns one, for other layers to be called on, and for
    ``lm.Model(inputs=x, outputs=…)``. An ``lm.Input`` is one itself.

    Parameters
    ----------
    layer : Layer
        Who makes it.
    inputs : tuple of Node
        Of what.
    index : int, default 0
        Which of the layer's outputs it is.
    """

    def __init__(self, layer: Layer, inputs: tuple[Node, ...], index: int = 0) -> None:
        self.layer = layer
        self.inputs = inputs
        self.index = index

    def __repr__(self) -> str:
        """Name the layer."""
        return f"<output {self.index} of {self.layer!r}>"


class Layer(Configurable):
    """A part of a model.

    A layer describes; once a Model is made of it, the model owns it, the layer has a name, and
    those with parameters show them as views. It belongs to that one model: for another, take
    ``copy.deepcopy(layer)``, which gives a layer of the same arguments without an owner.
    """

    name: str | None
    trainable: bool = True
    _core_model: Any = None
    _named_by_model: bool = False

    _transient: ClassVar[tuple[str, ...]] = ("_core_model", "_named_by_model")

    _is_input: ClassVar[bool] = False

    def __call__(self, inputs: Any) -> Any:
        """Return what the layer makes of its inputs: the functional form of a Model.

        Parameters
        ----------
        inputs : Node, Input or sequence of them
            Several for layers that join, such as :class:`~lamina.Concatenate`.

        Returns
        -------
        Node, or a list of them for a nested model of several outputs

        Examples
        --------
        >>> import lamina as lm
        >>> x = lm.Input(20)
        >>> y = lm.Dense(1)(lm.Dense(64, activation="relu")(x))
        >>> lm.Model(inputs=x, outputs=y, seed=0).num_parameters
        1409
        """
        if self._is_input:
            raise TypeError(f"{self!r} begins a model: it is read, and reads nothing itself")
        given = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
        nodes = tuple(_as_node(self, one) for one in given)
        if not nodes:
            raise ValueError(f"{type(self).__name__}: call it on at least one input")
        made = [Node(self, nodes, index) for index in range(self._count_outputs())]
        return made[0] if len(made) == 1 else made

    def _bind(self, core_model: Any, name: str | None = None) -> None:
        """Give the layer to a model, which names it if it has no name yet.

        Parameters
        ----------
        core_model : object
            The core's model, with view(tensor), gradient_view(tensor), set_trainable(layer, flag).
        name : str, optional
            The layer's name in the model.

        Raises
        ------
        ValueError
            If a model owns the layer.
        """
        self._check_unowned()
        if self.name is None and name is not None:
            self._named_by_model = True
            object.__setattr__(self, "name", name)
        self._core_model = core_model
        if not self.trainable:  # for the core, too; what is inside the layer has its own say
            core_model.set_trainable(self.name, False)

    def _check_unowned(self) -> None:
        """Raise ValueError if a model owns the layer."""
        if self._core_model is not None:
            raise ValueError(
                f'{type(self).__name__}: the layer "{self.name}" already belongs to a Model, and '
                "its parameters cannot be shared; give the second one a copy: copy.deepcopy(layer)"
            )

    def _count_outputs(self) -> int:
        return 1

    def _walk(self) -> Iterator[Layer]:
        """Yield the layer and those inside it, in the order in which they are built."""
        yield self

    def _view(self, tensor: str) -> NDArray[Any]:
        """Return the live parameters called `tensor`; the array keeps the model alive."""
        view: NDArray[Any] = self._owner(tensor).view(f"{self.name}/{tensor}")
        return view

    def _gradient(self, tensor: str) -> NDArray[Any]:
        """Return the live gradient of the parameters called `tensor`."""
        owner = self._owner(f"{tensor}_gradient")
        view: NDArray[Any] = owner.gradient_view(f"{self.name}/{tensor}")
        return view

    def _assign(self, tensor: str, values: ArrayLike) -> None:
        """Copy values into the live parameters called `tensor`."""
        view, array = self._view(tensor), np.asarray(values)
        if array.shape != view.shape:
            raise ValueError(
                f'{type(self).__name__}: {tensor} of "{self.name}" has shape {view.shape}, '
                f"got {array.shape}"
            )
        np.copyto(view, array, casting="same_kind")

    def _owner(self, attribute: str) -> Any:
        if self._core_model is None:
            raise AttributeError(
                f"{type(self).__name__}: {attribute} does not exist yet, for its shape depends on "
                "the layer before; build a Model first: lm.Model([lm.Input(64), layer])"
            )
        return self._core_model

    def __setattr__(self, attribute: str, value: Any) -> None:
        """Set `trainable` at any time; other arguments once."""
        if attribute != "trainable":
            super().__setattr__(attribute, value)
            return
        if self._core_model is not None:
            self._core_model.set_trainable(self.name, bool(value))
        object.__setattr__(self, attribute, value)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the owner behind, and with it a name that the owner gave."""
        state = super().__getstate__()
        if self._named_by_model:
            state["name"] = None
        return state


def as_layer(item: Any) -> Any:
    """Return a model as a layer, anything else as it is."""
    convert = getattr(item, "_as_layer", None)
    return item if convert is None else convert()


def _as_node(layer: Layer, given: Any) -> Node:
    """Return what a layer is called on as a Node."""
    if isinstance(given, Node):
        return given
    if isinstance(given, Layer) and given._is_input:
        return Node(given, ())
    raise TypeError(
        f"{type(layer).__name__}: expected what a layer was called on, or lm.Input(…), got "
        f"{type(given).__name__}; numbers go through a model: lm.Model([…]).predict(X)"
    )
