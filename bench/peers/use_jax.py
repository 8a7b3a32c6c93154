"""JAX: a whole epoch (shuffle, every step, Adam) in one jitted function with `lax.scan`."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

import numpy as np
from cases import LEARNING_RATE, Array, Case, Data

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8


def _limit_threads(threads: int) -> None:
    """XLA sizes its thread pool by the CPUs that the process may use, before the first call."""
    if not hasattr(os, "sched_setaffinity"):
        if threads != os.cpu_count():
            raise RuntimeError(f"jax cannot be limited to {threads} threads on this system")
        return
    allowed = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, allowed[:threads])


def _initial(case: Case) -> list[tuple[Any, Any]]:
    """He normal kernels before ReLU, Glorot normal ones before the output; biases zero."""
    rng = np.random.default_rng(0)
    parameters = []
    for i, (k, n) in enumerate(zip(case.widths, case.widths[1:], strict=False)):
        fan = k + n if i == len(case.widths) - 2 else k
        kernel = rng.normal(0.0, (2.0 / fan) ** 0.5, (k, n))
        parameters.append((jnp.asarray(kernel, jnp.float32), jnp.zeros(n, jnp.float32)))
    return parameters


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


@partial(jax.jit, static_argnames=("batch_size", "classes"), donate_argnums=0)
def _epoch(state: Any, key: Any, x: Any, y: Any, *, batch_size: int, classes: bool) -> Any:
    order = jax.random.permutation(key, len(x))
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

    def __init__(self, case: Case, data: Data, threads: int) -> None:
        _limit_threads(threads)
        self.case = case
        self.x, self.y = jnp.asarray(data.x), jnp.asarray(data.y.astype(_y_type(case)))
        parameters = _initial(case)
        zeros = partial(jax.tree.map, jnp.zeros_like)
        self.state: Any = (parameters, zeros(parameters), zeros(parameters), jnp.float32(0))
        self.key = jax.random.key(0)

    def epoch(self) -> None:
        self.key, key = jax.random.split(self.key)
        size, classes = self.case.batch_size, self.case.classes
        self.state = _epoch(self.state, key, self.x, self.y, batch_size=size, classes=classes)
        jax.block_until_ready(self.state)

    def predict(self, x: Array) -> Array:
        return np.asarray(_predict(self.state[0], x, classes=self.case.classes))


def _y_type(case: Case) -> type:
    return np.int32 if case.classes else np.float32
