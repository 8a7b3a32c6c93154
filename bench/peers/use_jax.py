"""JAX: a whole epoch (shuffle, every step, Adam) in one jitted function with `lax.scan`."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

import numpy as np
from cases import LEARNING_RATE, Array, Case, Data, Weights

from peers.affinity import limit_threads

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8


def _forward(parameters: Any, x: Any) -> Any:
    for kernel, bias in parameters[:-1]:
        x = jax.nn.relu(x @ kernel + bias)
    kernel, bias = parameters[-1]
    return x @ kernel + bias


def _loss(parameters: Any, x: Any, y: Any, classes: bool) -> Any:
    output = _forward(parameters, x)
    if not classes:
        return jnp.mean((output[:, 0] - y) ** 2)
    chosen = jnp.take_along_axis(jax.nn.log_softmax(output), y[:, None], axis=1)
    return -jnp.mean(chosen)


def _step(state: Any, x: Any, y: Any, classes: bool) -> Any:
    parameters, first, second, count = state
    gradients = jax.grad(_loss)(parameters, x, y, classes)
    count = count + 1
    each = jax.tree.map
    first = each(lambda m, g: BETA_1 * m + (1 - BETA_1) * g, first, gradients)
    second = each(lambda v, g: BETA_2 * v + (1 - BETA_2) * g * g, second, gradients)
    rate = LEARNING_RATE / (1 - BETA_1**count)
    unbias = 1 / jnp.sqrt(1 - BETA_2**count)
    parameters = each(
        lambda p, m, v: p - rate * m / (jnp.sqrt(v) * unbias + EPSILON), parameters, first, second
    )
    return parameters, first, second, count


@partial(jax.jit, static_argnames=("batch_size", "classes", "shuffle"), donate_argnums=0)
def _epoch(
    state: Any, key: Any, x: Any, y: Any, *, batch_size: int, classes: bool, shuffle: bool
) -> Any:
    order = jax.random.permutation(key, len(x)) if shuffle else jnp.arange(len(x))
    whole = len(x) // batch_size * batch_size
    batches = order[:whole].reshape(-1, batch_size)

    def body(state: Any, rows: Any) -> tuple[Any, None]:
        return _step(state, x[rows], y[rows], classes), None

    state, _ = jax.lax.scan(body, state, batches)
    rest = order[whole:]
    return _step(state, x[rest], y[rest], classes) if len(rest) else state


@partial(jax.jit, static_argnames="classes")
def _predict(parameters: Any, x: Any, *, classes: bool) -> Any:
    output = _forward(parameters, x)
    return jax.nn.softmax(output) if classes else output


class Jax:
    """State and data stay on the device; an epoch is one call."""

    version = jax.__version__

    def __init__(self, case: Case, data: Data, start: Weights, threads: int) -> None:
        limit_threads(threads)
        self.case = case
        self.x, self.y = jnp.asarray(data.x), jnp.asarray(data.y.astype(_y_type(case)))
        parameters = [(jnp.array(kernel), jnp.array(bias)) for kernel, bias in start]
        zeros = partial(jax.tree.map, jnp.zeros_like)
        self.state: Any = (parameters, zeros(parameters), zeros(parameters), jnp.float32(0))
        self.key = jax.random.key(0)

    def epoch(self, shuffle: bool = True) -> None:
        self.key, key = jax.random.split(self.key)
        how = {"batch_size": self.case.batch_size, "classes": self.case.classes}
        self.state = _epoch(self.state, key, self.x, self.y, **how, shuffle=shuffle)
        jax.block_until_ready(self.state)

    def predict(self, x: Array) -> Array:
        return np.asarray(_predict(self.state[0], x, classes=self.case.classes))


def _y_type(case: Case) -> type:
    return np.int32 if case.classes else np.float32
