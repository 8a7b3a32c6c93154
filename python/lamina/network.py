"""Who reads whom: the functional form as the core's lists, and as a line of Python."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from lamina.layers import Input, Layer
from lamina.layers.base import Node

__all__ = ["Network", "network_of", "written"]


class Network(NamedTuple):
    """Layers, and pairs (layer, output) by number: what each reads, and what comes out.

    Without wiring each reads the one before; the last one's outputs come out.
    """

    layers: list[Layer]
    wiring: list[list[list[int]]] | None = None
    outputs: list[list[int]] | None = None


def network_of(inputs: Any, outputs: Any) -> Network:
    """Collect the layers between inputs and outputs, each behind those that it reads.

    Raises
    ------
    TypeError
        If something is no Input or no output of a layer.
    ValueError
        If an output depends on another Input, no output on one of the inputs, or a layer is called
        twice.
    """
    begin = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
    ends = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
    if not begin or not ends:
        raise ValueError("Model: expected at least one input and one output")
    for one in begin:
        if not isinstance(one, Input):
            raise TypeError(f"Model: inputs are what lm.Input(…) made, got {type(one).__name__}")
    nodes = [Node(end, ()) if isinstance(end, Input) else end for end in ends]
    for node in nodes:
        if not isinstance(node, Node):
            raise TypeError(
                f"Model: outputs are what layers return when they are called, as in "
                f"lm.Dense(1)(x), got {type(node).__name__}"
            )
    reached = _Reached(begin)
    for node in nodes:
        reached.visit(node)
    unused = [one for one in begin if id(one) not in reached.read]
    if unused:
        raise ValueError(f"Model: no output depends on {unused[0]!r}; leave it out of inputs")
    return Network(reached.layers, reached.wiring, [reached.source(node) for node in nodes])


class _Reached:
    """The layers found so far, in an order in which they can be computed."""

    def __init__(self, inputs: Sequence[Input]) -> None:
        self.layers: list[Layer] = list(inputs)
        self.wiring: list[list[list[int]]] = [[] for _ in inputs]
        self.read: set[int] = set()
        self._places = {id(layer): place for place, layer in enumerate(inputs)}
        self._calls: dict[int, tuple[Node, ...]] = {id(layer): () for layer in inputs}

    def visit(self, end: Node) -> None:
        """Add what `end` is made of. Without recursion: networks may be thousands deep."""
        waiting = [end]
        while waiting:
            node = waiting[-1]
            missing = [one for one in node.inputs if id(one.layer) not in self._places]
            if missing:
                waiting.append(missing[0])
                continue
            self._add(waiting.pop())

    def source(self, node: Node) -> list[int]:
        self.read.add(id(node.layer))
        return [self._places[id(node.layer)], node.index]

    def _add(self, node: Node) -> None:
        layer = node.layer
        if id(layer) in self._places:
            if self._calls[id(layer)] != node.inputs:
                raise ValueError(
                    f"Model: {layer!r} is called twice, and its parameters cannot be shared; "
                    "call a copy: copy.deepcopy(layer)(x)"
                )
            return
        if isinstance(layer, Input):
            raise ValueError(f"Model: an output depends on {layer!r}, which is not in inputs")
        self._places[id(layer)] = len(self.layers)
        self._calls[id(layer)] = node.inputs
        self.layers.append(layer)
        self.wiring.append([self.source(one) for one in node.inputs])


def written(network: Network) -> str:
    """Return the arguments of the Model as Python; what is read twice gets a name on the way."""
    if network.wiring is None or network.outputs is None:
        return f"[{', '.join(map(repr, network.layers))}]"
    sources = [source for reads in network.wiring for source in reads] + network.outputs
    named: dict[int, str] = {}

    def write(source: list[int]) -> str:
        place, index = source
        if place not in named:
            named[place] = f"x{place}"
            text = repr(network.layers[place])
            if reads := network.wiring[place]:  # type: ignore[index]
                inside = ", ".join(write(one) for one in reads)
                text += f"([{inside}])" if len(reads) > 1 else f"({inside})"
            often = sum(one[0] == place for one in sources) > 1
            text = f"({named[place]} := {text})" if often or not reads else text
        else:
            text = named[place]
        several = network.layers[place]._count_outputs() > 1
        return f"{text}[{index}]" if several else text

    begin = [i for i, reads in enumerate(network.wiring) if not reads]
    ins = ", ".join(write([i, 0]) for i in begin)
    outs = ", ".join(write(source) for source in network.outputs)
    return f"inputs=[{ins}], outputs=[{outs}]"
