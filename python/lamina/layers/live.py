"""The parameters of a layer as attributes: views of the model's own memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

__all__ = ["gradient", "parameter"]


if TYPE_CHECKING:

    class _Live(property):  # one that is known to be an array
        def __get__(  # type: ignore[override]
            self, instance: Any, owner: type | None = None, /
        ) -> NDArray[Any] | Any: ...

else:
    _Live = property


def parameter(tensor: str, doc: str, *, only_if: str | None = None) -> _Live:
    """Return a property that is the live parameters called `tensor`, and is assigned into them.

    Parameters
    ----------
    tensor : str
        Its name in the core.
    doc : str
        The property's docstring.
    only_if : str, optional
        The layer's flag without which there is no such tensor: the property is None then.
    """

    def read(layer: Any) -> NDArray[Any] | None:
        view: NDArray[Any] | None = layer._view(tensor) if _has(layer, only_if) else None
        return view

    def assign(layer: Any, values: Any) -> None:
        if not _has(layer, only_if):
            raise AttributeError(
                f'{type(layer).__name__}: "{layer.name}" has no {tensor}, for {only_if} is False'
            )
        layer._assign(tensor, values)

    return _Live(read, assign, doc=doc)


def gradient(tensor: str, doc: str, *, only_if: str | None = None) -> _Live:
    """Return a property that is the gradient of the parameters called `tensor`, as they are."""

    def read(layer: Any) -> NDArray[Any] | None:
        view: NDArray[Any] | None = layer._gradient(tensor) if _has(layer, only_if) else None
        return view

    return _Live(read, doc=doc)


def _has(layer: Any, flag: str | None) -> bool:
    return flag is None or bool(getattr(layer, flag))
