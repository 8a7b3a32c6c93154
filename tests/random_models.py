"""Random models within models, drawn from a seed, with data that suits them.

Tests import it. Every container nests every other; activations are smooth, so that differences may
be taken anywhere. A new layer joins by one line of ``PLAIN``.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import lamina as lm

SMOOTH = ("tanh", "sigmoid", "softplus", "gelu", "swish", "softmax", "mish", "log_sigmoid")
WIDEST = 24

Draw = np.random.Generator
Layers = list[Any]


class Case(NamedTuple):
    """A model and rows for it."""

    model: lm.Model
    x: Any  # one array, or a tuple of them


def width(draw: Draw) -> int:
    return int(draw.integers(1, 8))


def activation(draw: Draw) -> Any:
    if draw.random() < 0.1:
        return lm.activations.Parametric("tanh")  # smooth, and learns
    return str(draw.choice(SMOOTH))


def dense(draw: Draw, units: int) -> lm.Dense:
    bias = bool(draw.random() < 0.8)
    return lm.Dense(units, activation=activation(draw), use_bias=bias, bias_initializer="ones")


# Layers that keep the width: of a random generator and the number of columns.
PLAIN: dict[str, Callable[[Draw, int], Any]] = {
    "Dense": lambda draw, columns: dense(draw, columns),
    "linear Dense": lambda draw, columns: lm.Dense(columns),
    "Activation": lambda draw, columns: lm.Activation(activation(draw)),
    # A small epsilon would bend functions of few rows more than differences can follow.
    "BatchNormalization": lambda draw, columns: lm.BatchNormalization(momentum=0.5, epsilon=0.1),
    "Dropout": lambda draw, columns: lm.Dropout(0.3 * int(draw.integers(2))),
    "Flatten": lambda draw, columns: lm.Flatten(),
    "Reshape": lambda draw, columns: lm.Reshape((columns, -1)),
}


def sequence(draw: Draw, columns: int, depth: int) -> tuple[Layers, int]:
    """Return one to three layers, one after another, and how many columns they give."""
    layers: Layers = []
    for _ in range(int(draw.integers(1, 4))):
        kind = str(draw.choice([*PLAIN, "another width", *([*CONTAINERS] * 3 if depth else [])]))
        if kind == "another width" or columns > WIDEST:
            columns = width(draw)
            layers.append(dense(draw, columns))
        elif kind in PLAIN:
            layers.append(PLAIN[kind](draw, columns))
        else:
            layer, columns = CONTAINERS[kind](draw, columns, depth - 1)
            layers.append(layer)
    return layers, columns


def residual(draw: Draw, columns: int, depth: int) -> tuple[Any, int]:
    layers, out = sequence(draw, columns, depth)
    return lm.Residual(layers), out


def concat(draw: Draw, columns: int, depth: int) -> tuple[Any, int]:
    branches = [sequence(draw, columns, depth) for _ in range(int(draw.integers(1, 4)))]
    return lm.Parallel([layers for layers, _ in branches]), sum(out for _, out in branches)


def added(draw: Draw, columns: int, depth: int) -> tuple[Any, int]:
    out = width(draw)
    branches = [sequence(draw, columns, depth)[0] for _ in range(int(draw.integers(1, 4)))]
    return lm.Parallel([[*one, lm.Dense(out)] for one in branches], merge="add"), out


def nested(draw: Draw, columns: int, depth: int) -> tuple[Any, int]:
    layers, out = sequence(draw, columns, depth)
    inner = [lm.Input(columns), lm.Dense(columns, activation="tanh"), *layers]
    return lm.Model(inner, seed=int(draw.integers(99))), out


def graph(draw: Draw, columns: int, depth: int) -> tuple[Any, int]:
    """Return a functional model as a layer: branches that read each other, joined at the end."""
    x = lm.Input(columns)
    out, nodes = network(draw, [(x, columns)], depth)
    return lm.Model(inputs=x, outputs=out[0], seed=int(draw.integers(99))), nodes


CONTAINERS: dict[str, Callable[[Draw, int, int], tuple[Any, int]]] = {
    "Residual": residual,
    "concat": concat,
    "add": added,
    "NestedModel": nested,
    "functional": graph,
}


def network(draw: Draw, begin: list[tuple[Any, int]], depth: int) -> tuple[list[Any], int]:
    """Return outputs of the functional form that read all of `begin`, and the first one's width."""
    nodes = list(begin)
    for _ in range(int(draw.integers(1, 4))):
        y, columns = nodes[int(draw.integers(len(nodes)))]
        layers, columns = sequence(draw, columns, depth)
        for layer in layers:
            y = layer(y)
        nodes.append((y, columns))
        if draw.random() < 0.4:  # the sum of two of the same width, or of one with itself
            same = [node for node, n in nodes if n == columns]
            other = same[int(draw.integers(len(same)))]
            nodes.append((lm.Add()([y, other]), columns))
    joined = lm.Concatenate()([node for node, _ in nodes])
    columns = int(draw.integers(1, 4))
    outputs = [lm.Dense(columns)(joined)]
    if len(begin) > 1:  # the whole model: sometimes more outputs, also of values that others read
        outputs += [node for node, _ in nodes if draw.random() < 0.25]
    return outputs, columns


def random_model(seed: int, dtype: str = "float64", rows: int = 6) -> Case:
    """Return the model of a seed: in the list form, or with two inputs and several outputs."""
    draw = np.random.default_rng([seed, 77])
    depth = int(draw.integers(1, 5))
    columns = width(draw)
    if draw.random() < 0.5:
        layers, _ = sequence(draw, columns, depth)
        layers = [lm.Input(columns), *layers, lm.Dense(2)]
        model, widths = lm.Model(layers, seed=seed, dtype=dtype), [columns]
    else:
        widths = [columns, width(draw)]
        begin = [(lm.Input(n), n) for n in widths]
        outputs, _ = network(draw, begin, depth)
        inputs = [node for node, _ in begin]
        model = lm.Model(inputs=inputs, outputs=outputs, seed=seed, dtype=dtype)
    settle(model, draw)
    x = tuple(draw.normal(size=(rows, n)) for n in widths)
    return Case(model, x if len(x) > 1 else x[0])


def settle(model: lm.Model, draw: Draw) -> None:
    """Move what starts at 0 or 1 to numbers of which none is special."""
    for one in model._core.tensors():
        view = model._core.view(one["name"])
        if one["role"] != "kernel":
            view[...] = draw.uniform(0.3, 1.2, size=view.shape)


def as_list(found: Any) -> list[Any]:
    """Return outputs or gradients as a list, also a single one."""
    return list(found) if isinstance(found, (list, tuple)) else [found]
