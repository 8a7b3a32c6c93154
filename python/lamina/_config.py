"""The base of everything that has arguments: its configuration, spec, repr and equality.

No mathematics, no look-up of names and no defaults: strings stay strings until the core reads them.
"""

from __future__ import annotations

import functools
import inspect
import json
import math
import sys
import typing
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from typing import Any, TypeVar

import numpy as np

__all__ = ["Configurable", "arguments", "find_class", "spec_json"]

_PACKAGE = __name__.partition(".")[0]

_T = TypeVar("_T", bound="Configurable")


class Configurable:
    """Something made from arguments: a layer, an activation, a loss, an optimizer and so on.

    Each argument is an attribute of the same name and is fixed once the object is made; state
    (the weights behind a layer, the moments of an optimizer) is no part of the configuration.
    Two objects are equal when their class and all their arguments are, and ``repr`` gives a line
    of Python that can be pasted.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.Dense(64, activation="relu")
    lm.Dense(64, activation="relu")
    >>> lm.L2(0.5).get_config()
    {'l2': 0.5}
    >>> lm.L2(0.5) == lm.L2.from_config({"l2": 0.5})
    True
    """

    _transient: typing.ClassVar[tuple[str, ...]] = ()  # state that copies and pickles leave behind

    def get_config(self) -> dict[str, Any]:
        """Return the arguments as a dict of JSON values.

        Returns
        -------
        dict
            ``{argument: value}``, all arguments, in the order of the signature. Nested objects
            appear as their own :meth:`to_spec`, tuples as lists.

        Raises
        ------
        TypeError
            If an argument is of a type that JSON cannot hold, for instance an array.
        ValueError
            If a number is NaN or infinite.
        """
        return self._config(None)

    def _config(self, functions: list[Any] | None) -> dict[str, Any]:
        """Return the configuration; with a list, Python functions go there and stand as numbers."""
        cls = type(self)
        return {
            name: _plain(getattr(self, name), f"{cls.__name__}: {name}", functions)
            for name in arguments(cls)
        }

    def to_spec(self) -> dict[str, Any]:
        """Return ``{"class": class name, **get_config()}``, the form that files and the core read.

        Examples
        --------
        >>> import lamina as lm
        >>> lm.Dropout(0.5).to_spec()
        {'class': 'Dropout', 'rate': 0.5, 'name': None}
        """
        return {"class": type(self).__name__, **self.get_config()}

    def _spec(self, functions: list[Any]) -> dict[str, Any]:
        """Return the spec with its Python functions apart, as only this process can use it."""
        return {"class": type(self).__name__, **self._config(functions)}

    @classmethod
    def from_config(cls: type[_T], config: Mapping[str, Any]) -> _T:
        """Make an object of this class from what :meth:`get_config` returned.

        Parameters
        ----------
        config : mapping
            Arguments by name; nested specs become objects again.

        Raises
        ------
        TypeError
            If an argument is missing or unknown.
        """
        hints = _hints(cls)  # type: ignore[arg-type]
        return cls(**{name: _restore(value, hints.get(name)) for name, value in config.items()})

    @classmethod
    def from_spec(cls: type[_T], spec: Mapping[str, Any]) -> _T:
        """Make an object of this class or one of its subclasses from :meth:`to_spec`'s dict.

        Unlike :meth:`from_config` it passes over entries it does not know, so that files written
        by a later version can be read.

        Raises
        ------
        ValueError
            If no subclass has the name in ``spec["class"]``; the message lists those that exist.

        Examples
        --------
        >>> from lamina.regularizers import Regularizer
        >>> Regularizer.from_spec({"class": "L2", "l2": 0.5})
        lm.L2(l2=0.5)
        """
        found = find_class(cls, spec["class"])
        known = arguments(found)
        return found.from_config({name: spec[name] for name in spec if name in known})

    def _core_spec(self, functions: list[Any] | None = None) -> str:
        """Return the spec for this object's own calls of the core, which knows no user's subclass.

        A subclass that overrides a method can so call the original through ``super()``. (Handed to
        a Model or Trainer, it goes by :meth:`to_spec`, and there the core refuses its name.)
        """
        cls = next(cls for cls in type(self).__mro__ if cls.__module__.startswith(f"{_PACKAGE}."))
        known = arguments(cls)
        config = {name: v for name, v in self._config(functions).items() if name in known}
        return json.dumps({"class": cls.__name__, **config})

    def __repr__(self) -> str:
        """Return the call that makes this object, without the arguments left at their default."""
        shown = []
        for name, parameter in arguments(type(self)).items():
            value = getattr(self, name)
            if parameter.default is parameter.empty:
                shown.append(_literal(value))
            elif not _same(value, parameter.default):
                shown.append(f"{name}={_literal(value)}")
        return f"{_written_name(type(self))}({', '.join(shown)})"

    def __eq__(self, other: object) -> bool:
        """Compare class and arguments; state does not count."""
        if type(self) is not type(other):
            return NotImplemented
        return all(
            _same(getattr(self, name), getattr(other, name)) for name in arguments(type(self))
        )

    def __hash__(self) -> int:
        """Hash the class, which equal objects share."""
        return hash(type(self))

    def __setattr__(self, name: str, value: Any) -> None:
        """Set state; an argument can be set once, at construction."""
        if name in self.__dict__ and name in arguments(type(self)):
            raise AttributeError(
                f"{type(self).__name__}: {name} is fixed once the object is made; "
                f"make a new {type(self).__name__} with the value you want"
            )
        super().__setattr__(name, value)

    def __getstate__(self) -> dict[str, Any]:
        """Return the attributes that copies and pickles keep."""
        return {name: v for name, v in self.__dict__.items() if name not in self._transient}


def arguments(cls: type) -> Mapping[str, inspect.Parameter]:
    """Return the parameters of the class' signature by name, in order."""
    return _signature(cls)


@functools.cache
def _signature(cls: type) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(cls).parameters


def spec_json(item: Configurable | str | None) -> str:
    """Return what the core reads: the JSON text of a spec, or of a name that the core looks up."""
    return json.dumps(item.to_spec() if isinstance(item, Configurable) else item, allow_nan=False)


def find_class(base: type[_T], name: str) -> type[_T]:
    """Return the class called `name` among `base` and all its subclasses.

    Raises
    ------
    ValueError
        If there is none; the message lists those there are.
    """
    known = {cls.__name__: cls for cls in reversed(list(_family(base)))}
    if name not in known:
        raise ValueError(
            f"{base.__name__}: there is no class {name!r}; known are {', '.join(sorted(known))}"
        )
    return known[name]


def _family(base: type[_T]) -> Iterator[type[_T]]:
    """Yield the class and its subclasses of every generation."""
    yield base
    for cls in base.__subclasses__():
        yield from _family(cls)


def _plain(value: Any, where: str, functions: list[Any] | None = None) -> Any:
    """Return the value in JSON's types."""
    if isinstance(value, Configurable):
        return value.to_spec() if functions is None else value._spec(functions)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{where} must be a finite number, got {value}")
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(item, where, functions) for item in value]
    raise TypeError(
        f"{where} takes a number, a string or an object of Lamina, got {type(value).__name__}"
    )


def _restore(value: Any, hint: Any) -> Any:
    """Make objects of the specs in a configuration; the annotation tells which kind is meant."""
    if isinstance(value, Mapping) and "class" in value:
        kinds = [kind for kind in _kinds(hint) if _knows(kind, value["class"])]
        return (kinds[0] if kinds else Configurable).from_spec(value)
    if isinstance(value, (list, tuple)):
        return [_restore(item, hint) for item in value]
    return value


def _knows(kind: type[Configurable], name: str) -> bool:
    return any(cls.__name__ == name for cls in _family(kind))


def _kinds(hint: Any) -> list[type[Configurable]]:
    """Return the Configurable classes named anywhere in an annotation."""
    if isinstance(hint, type) and issubclass(hint, Configurable):
        return [hint]
    return [kind for part in typing.get_args(hint) for kind in _kinds(part)]


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    """Return the evaluated annotations of the arguments: a dataclass's fields, or __init__'s."""
    sources = reversed(cls.__mro__) if is_dataclass(cls) else [vars(cls).get("__init__", cls)]
    hints: dict[str, Any] = {}
    for source in sources:
        hints.update(inspect.get_annotations(source, eval_str=True))
    return hints


def _written_name(cls: type[Configurable]) -> str:
    """Return how a user writes the class: ``lm.Name``, ``lm.module.Name``, or their own name."""
    package, module = f"{cls.__module__}.".split(".")[:2]
    if package != _PACKAGE:
        return cls.__qualname__
    short = getattr(sys.modules.get(_PACKAGE), cls.__name__, None) is cls
    public = module.partition(".")[0]  # lm.metrics.F1, whatever file of lm.metrics it stands in
    return f"lm.{cls.__name__}" if short else f"lm.{public}.{cls.__name__}"


def _literal(value: Any) -> str:
    """Return Python source for the value, strings in double quotes."""
    if isinstance(value, np.generic):
        value = value.item()
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _same(one: Any, other: Any) -> bool:
    """Compare two arguments; a string never equals an object, True does not equal 1."""
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)
