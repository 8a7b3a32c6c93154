"""Who reads whom: the functional form as the core's lists, and as a line of Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from lamina.layers import Input, Layer
from lamina.layers.base import Node

__all__ = ["Network", "flat_specs", "network_of", "written"]

_DEEPEST = 20  # calls within calls on a line of Python, which reads no more than some hundred


class Network(NamedTuple):
    """Layers, and pairs (layer, output) by number: what each reads, and what comes out.

    Without wiring each reads the one before; the last one's outputs come out.
    """

    layers: list[Layer]
    wiring: list[list[list[int]]] | None = None
    outputs: list[list[int]] | None = None


def flat_specs(specs: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """Yield the specs of layers and of those inside them, as Layer._walk goes."""
    for spec in specs:
        if isinstance(spec, list):
            yield from flat_specs(spec)
            continue
        yield spec
        yield from flat_specs(spec.get("layers", []))


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
    if len({id(one) for one in begin}) < len(begin):
        raise ValueError("Model: an Input stands twice in inputs")
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
    sources = [reached.source(node) for node in nodes]
    unused = [one for one in begin if id(one) not in reached.read]
    if unused:
        raise ValueError(f"Model: no output depends on {unused[0]!r}; leave it out of inputs")
    return Network(reached.layers, reached.wiring, sources)


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
        """Return where a node that has been visited stands."""
        if self._calls[id(node.layer)] != node.inputs:
            raise ValueError(
                f"Model: {node.layer!r} is called twice, and its parameters cannot be shared; "
                "call a copy: copy.deepcopy(layer)(x)"
            )
        self.read.add(id(node.layer))
        return [self._places[id(node.layer)], node.index]

    def _add(self, node: Node) -> None:
        layer = node.layer
        if id(layer) in self._places:
            return
        if isinstance(layer, Input):
            raise ValueError(f"Model: an output depends on {layer!r}, which is not in inputs")
        self._places[id(layer)] = len(self.layers)
        self._calls[id(layer)] = node.inputs
        self.layers.append(layer)
        self.wiring.append([self.source(one) for one in node.inputs])


def written(network: Network) -> str:
    """Return the arguments of the Model as Python; what is read twice, or lies deep, has a name."""
    if network.wiring is None or network.outputs is None:
        return f"[{', '.join(map(repr, network.layers))}]"
    sources = [source for reads in network.wiring for source in reads] + network.outputs
    readers = Counter(place for place, _ in sources)
    begin: list[str] = []
    steps: list[str] = []  # of the list of outputs, before these
    texts: list[str] = []
    depths: list[int] = []

    def text_of(source: list[int]) -> str:
        place, index = source
        several = network.layers[place]._count_outputs() > 1
        return f"{texts[place]}[{index}]" if several else texts[place]

    for place, (layer, reads) in enumerate(zip(network.layers, network.wiring, strict=True)):
        inside = ", ".join(map(text_of, reads))
        call = f"([{inside}])" if len(reads) > 1 else f"({inside})" if reads else ""
        depth = 1 + max((depths[one[0]] for one in reads), default=0)
        named = not reads or readers[place] > 1 or depth > _DEEPEST
        texts.append(f"x{place}" if named else f"{layer!r}{call}")
        depths.append(0 if named else depth)
        if named:
            (steps if reads else begin).append(f"x{place} := {layer!r}{call}")
    outs = ", ".join([*steps, *map(text_of, network.outputs)])
    last = f"[-{len(network.outputs)}:]" if steps else ""
    return f"inputs=[{', '.join(begin)}], outputs=[{outs}]{last}"
