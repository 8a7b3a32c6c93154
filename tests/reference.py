"""A neural network in plain NumPy: what Lamina computes, without what makes it fast.

It is the second opinion of the tests, and a text to learn from. Karpathy's micrograd does the same
with one number at a time; here a whole matrix moves at once. Nothing is optimised or checked, every
formula stands where it is used.

Notation, as everywhere in Lamina: B rows in a batch, K inputs and N outputs of a layer; x (B, K),
kernel W (K, N), bias b (N,), z = x W + b, output y = f(z); `dy` is dL/dy, the gradient by y.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

Array = np.ndarray

# ---- Activations: value f(z), and backward: dL/dz from dL/dy, given z and y = f(z) --------------


def sigmoid(z: Array) -> Array:
    return 0.5 * (1 + np.tanh(0.5 * z))  # the same as 1 / (1 + exp(-z)), without overflow


def softmax(z: Array) -> Array:
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


SLOPE = 0.01  # of leaky_relu below zero

ACTIVATIONS: dict[str, tuple[Callable[[Array], Array], Callable[[Array, Array, Array], Array]]] = {
    "linear": (lambda z: z, lambda dy, z, y: dy),
    "relu": (lambda z: np.maximum(z, 0), lambda dy, z, y: dy * (z > 0)),
    "leaky_relu": (
        lambda z: np.where(z > 0, z, SLOPE * z),
        lambda dy, z, y: dy * np.where(z > 0, 1, SLOPE),
    ),
    "sigmoid": (sigmoid, lambda dy, z, y: dy * y * (1 - y)),
    "tanh": (np.tanh, lambda dy, z, y: dy * (1 - y * y)),
    # Each output of a softmax depends on all inputs of its row:
    # dz_i = sum_j dy_j y_j (delta_ij - y_i).
    "softmax": (softmax, lambda dy, z, y: y * (dy - (dy * y).sum(axis=1, keepdims=True))),
}

# ---- Losses: a value a row and its gradient by the prediction (cross-entropies take logits z) ----


def log_softmax(z: Array) -> Array:
    z = z - z.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


LOSSES: dict[str, tuple[Callable[[Array, Array], Array], Callable[[Array, Array], Array]]] = {
    "mean_squared_error": (
        lambda t, y: ((y - t) ** 2).mean(axis=1),
        lambda t, y: 2 * (y - t) / y.shape[1],
    ),
    "mean_absolute_error": (
        lambda t, y: np.abs(y - t).mean(axis=1),
        lambda t, y: np.sign(y - t) / y.shape[1],
    ),
    # -t log(s) - (1 - t) log(1 - s) with s = sigmoid(z) is log(1 + exp(z)) - t z.
    "binary_crossentropy": (
        lambda t, z: (np.logaddexp(0, z) - t * z).mean(axis=1),
        lambda t, z: (sigmoid(z) - t) / z.shape[1],
    ),
    "categorical_crossentropy": (
        lambda t, z: -(t * log_softmax(z)).sum(axis=1),
        lambda t, z: softmax(z) * t.sum(axis=1, keepdims=True) - t,
    ),
}


def one_hot(labels: Array, classes: int, dtype: type = np.float64) -> Array:
    return np.eye(classes, dtype=dtype)[np.asarray(labels, dtype=int)]


# ---- Parameters, layers and the network ---------------------------------------------------------


@dataclass
class Parameter:
    """An array that training moves, its penalties, and what the optimizer remembers about it."""

    value: Array
    l1: float = 0.0  # penalty l1 * sum |w|
    l2: float = 0.0  # penalty l2 * sum w^2
    proximal: bool = (
        True  # L1 as a soft threshold after the step; otherwise as the subgradient l1 * sign(w)
    )
    gradient: Array = field(init=False)
    slots: dict[str, Array] = field(default_factory=dict)

    def slot(self, name: str, start: float = 0.0) -> Array:
        return self.slots.setdefault(name, np.full_like(self.value, start))


class Dense:
    def __init__(self, kernel: Array, bias: Array, activation: str = "linear", **penalties: float):
        self.kernel = Parameter(np.array(kernel), **penalties)
        self.bias = Parameter(np.array(bias))
        self.function, self.pull_back = ACTIVATIONS[activation]

    @property
    def parameters(self) -> list[Parameter]:
        return [self.kernel, self.bias]

    def forward(self, x: Array) -> Array:
        self.x = x
        self.z = x @ self.kernel.value + self.bias.value
        self.y = self.function(self.z)
        return self.y

    def backward(self, dy: Array) -> Array:
        """The chain rule: dL/dW and dL/db stay here, dL/dx goes to the layer before."""
        dz = self.pull_back(dy, self.z, self.y)
        self.kernel.gradient = self.x.T @ dz
        self.bias.gradient = dz.sum(axis=0)
        return dz @ self.kernel.value.T


class Normalization:
    """What batch and layer normalisation share: xhat = (x - mean) / sigma along an axis.

    y = gamma xhat + beta. mean and sigma depend on every x_i along the axis, so with
    g = dy gamma: dx = (g - mean(g) - xhat mean(g xhat)) / sigma.
    """

    axis: int

    def __init__(self, gamma: Array, beta: Array, epsilon: float = 1e-3):
        self.gamma, self.beta = Parameter(np.array(gamma)), Parameter(np.array(beta))
        self.epsilon = epsilon

    @property
    def parameters(self) -> list[Parameter]:
        return [self.gamma, self.beta]

    def forward(self, x: Array) -> Array:
        self.mean = x.mean(axis=self.axis, keepdims=True)
        self.variance = ((x - self.mean) ** 2).mean(axis=self.axis, keepdims=True)
        self.sigma = np.sqrt(self.variance + self.epsilon)
        self.xhat = (x - self.mean) / self.sigma
        return self.gamma.value * self.xhat + self.beta.value

    def backward(self, dy: Array) -> Array:
        self.gamma.gradient = (dy * self.xhat).sum(axis=0)
        self.beta.gradient = dy.sum(axis=0)
        g = dy * self.gamma.value
        mean = g.mean(axis=self.axis, keepdims=True)
        slope = (g * self.xhat).mean(axis=self.axis, keepdims=True)
        return (g - mean - self.xhat * slope) / self.sigma


class BatchNormalization(Normalization):
    """Each column over the rows of the batch; moving averages for when there is no batch."""

    axis = 0

    def __init__(self, gamma: Array, beta: Array, epsilon: float = 1e-3, momentum: float = 0.99):
        super().__init__(gamma, beta, epsilon)
        self.momentum = momentum
        self.moving_mean, self.moving_variance = np.zeros_like(gamma), np.ones_like(gamma)

    def move(self) -> None:
        """After a step: the batch's variance is the biased one, as in Keras."""
        kept, new = self.momentum, 1 - self.momentum
        self.moving_mean = kept * self.moving_mean + new * self.mean[0]
        self.moving_variance = kept * self.moving_variance + new * self.variance[0]


class LayerNormalization(Normalization):
    """Each row over its columns."""

    axis = 1


class Network:
    """Layers in a row. For a cross-entropy the last one is linear: the loss takes logits."""

    def __init__(self, layers: list[Dense | Normalization], loss: str):
        self.layers = layers
        self.values, self.slope = LOSSES[loss]

    @property
    def parameters(self) -> list[Parameter]:
        return [p for layer in self.layers for p in layer.parameters]

    def forward(self, x: Array) -> Array:
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def loss(self, x: Array, target: Array, weight: Array | None = None) -> float:
        w = np.ones(len(x), x.dtype) if weight is None else weight
        return float((w * self.values(target, self.forward(x))).sum() / w.sum())

    def compute_gradients(self, x: Array, target: Array, weight: Array | None = None) -> Array:
        """Fill every parameter's gradient of the mean loss sum(w l) / sum(w), and return dL/dx."""
        w = np.ones(len(x), x.dtype) if weight is None else weight
        dy = self.slope(target, self.forward(x)) * (w / w.sum())[:, None]
        for layer in reversed(self.layers):
            dy = layer.backward(dy)
        return dy

    def train(
        self, x: Array, target: Array, optimizer: "SGD", batch_size: int, epochs=1, weight=None
    ) -> Iterator[float]:
        """Batch after batch in the given order; after each step, yield the loss it started from."""
        for _ in range(epochs):
            for start in range(0, len(x), batch_size):
                rows = slice(start, start + batch_size)
                w = None if weight is None else weight[rows]
                if w is not None and not w.any():
                    continue  # a batch in which nothing counts makes no step
                before = self.loss(x[rows], target[rows], w)
                self.compute_gradients(x[rows], target[rows], w)
                optimizer.step(self.parameters)
                for layer in self.layers:
                    if isinstance(layer, BatchNormalization):
                        layer.move()
                yield before


# ---- Optimizers, in PyTorch's form: each gives a direction, `step` says how far to go -----------


class SGD:
    """Gradient descent: w <- w - rate * g."""

    def __init__(self, learning_rate: float | Callable[[int], float] = 0.01, weight_decay=0.0):
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.t = 0

    def direction(self, g: Array, p: Parameter) -> Array:
        return g

    def step(self, parameters: list[Parameter]) -> None:
        rate = self.learning_rate(self.t) if callable(self.learning_rate) else self.learning_rate
        self.t += 1
        for p in parameters:
            g = p.gradient + 2 * p.l2 * p.value
            if not p.proximal:
                g = g + p.l1 * np.sign(p.value)
            p.value *= 1 - rate * self.weight_decay  # decoupled: past the optimizer
            p.value -= (rate * self.direction(g, p)).astype(p.value.dtype)
            if p.proximal:
                p.value[:] = np.sign(p.value) * np.maximum(np.abs(p.value) - rate * p.l1, 0)


class Momentum(SGD):
    """A ball rolls: v <- momentum * v + g, direction v."""

    def __init__(self, learning_rate=0.01, momentum=0.9, **common):
        super().__init__(learning_rate, **common)
        self.momentum = momentum

    def direction(self, g: Array, p: Parameter) -> Array:
        v = p.slot("velocity")
        v[:] = self.momentum * v + g
        return v


class Nesterov(Momentum):
    """Momentum that looks one step ahead: direction g + momentum * v."""

    def direction(self, g: Array, p: Parameter) -> Array:
        return g + self.momentum * super().direction(g, p)


class Adagrad(SGD):
    """The more a weight has moved, the smaller its rate: direction g / (sqrt(sum of g^2) + eps)."""

    def __init__(self, learning_rate=0.01, initial_accumulator_value=0.0, epsilon=1e-10, **common):
        super().__init__(learning_rate, **common)
        self.start, self.epsilon = initial_accumulator_value, epsilon

    def direction(self, g: Array, p: Parameter) -> Array:
        s = p.slot("sum", self.start)
        s += g * g
        return g / (np.sqrt(s) + self.epsilon)


class RMSprop(SGD):
    """Adagrad that forgets: the sum becomes a moving average of g^2."""

    def __init__(self, learning_rate=0.01, rho=0.99, epsilon=1e-8, **common):
        super().__init__(learning_rate, **common)
        self.rho, self.epsilon = rho, epsilon

    def direction(self, g: Array, p: Parameter) -> Array:
        s = p.slot("average")
        s[:] = self.rho * s + (1 - self.rho) * g * g
        return g / (np.sqrt(s) + self.epsilon)


class Adam(SGD):
    """Moving averages m of g and v of g^2, freed from their start at 0: m / (sqrt(v) + eps)."""

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-8, **common):
        super().__init__(learning_rate, **common)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def moments(self, g: Array, p: Parameter) -> tuple[Array, Array]:
        m, v = p.slot("m"), p.slot("v")
        m[:] = self.beta_1 * m + (1 - self.beta_1) * g
        v[:] = self.beta_2 * v + (1 - self.beta_2) * g * g
        return m / (1 - self.beta_1**self.t), v / (1 - self.beta_2**self.t)

    def direction(self, g: Array, p: Parameter) -> Array:
        m_hat, v_hat = self.moments(g, p)
        return m_hat / (np.sqrt(v_hat) + self.epsilon)


class AdamW(Adam):
    """Adam with a weight decay by default."""

    def __init__(self, learning_rate=0.001, weight_decay=0.01, **others):
        super().__init__(learning_rate, weight_decay=weight_decay, **others)


class AMSGrad(Adam):
    """Adam that remembers the largest v."""

    def direction(self, g: Array, p: Parameter) -> Array:
        m_hat, _ = self.moments(g, p)
        largest = p.slot("largest")
        largest[:] = np.maximum(largest, p.slot("v"))
        return m_hat / (np.sqrt(largest / (1 - self.beta_2**self.t)) + self.epsilon)


class Adamax(Adam):
    """Adam with a fading maximum of |g| in place of sqrt(v)."""

    def __init__(self, learning_rate=0.002, **others):
        super().__init__(learning_rate, **others)

    def direction(self, g: Array, p: Parameter) -> Array:
        m_hat, _ = self.moments(g, p)
        u = p.slot("u")
        u[:] = np.maximum(self.beta_2 * u, np.abs(g) + self.epsilon)
        return m_hat / u


class NAdam(Adam):
    """Adam with Nesterov's look ahead: the next step's share of m and this one's of g."""

    def __init__(self, learning_rate=0.002, momentum_decay=0.004, **others):
        super().__init__(learning_rate, **others)
        self.momentum_decay = momentum_decay

    def direction(self, g: Array, p: Parameter) -> Array:
        _, v_hat = self.moments(g, p)
        c = [self.beta_1 * (1 - 0.5 * 0.96 ** (i * self.momentum_decay)) for i in range(self.t + 2)]
        product = np.prod(c[1:-1])
        ahead = c[-1] * p.slot("m") / (1 - product * c[-1]) + (1 - c[-2]) * g / (1 - product)
        return ahead / (np.sqrt(v_hat) + self.epsilon)


class RAdam(Adam):
    """Adam whose steps are short, or m alone, until v has seen enough."""

    def direction(self, g: Array, p: Parameter) -> Array:
        m_hat, _ = self.moments(g, p)
        last = 2 / (1 - self.beta_2) - 1
        decayed = self.beta_2**self.t
        length = last - 2 * self.t * decayed / (1 - decayed)
        if length <= 5:
            return m_hat
        factor = (length - 4) * (length - 2) * last / ((last - 4) * (last - 2) * length)
        v = p.slot("v")  # epsilon stands beside its root, before v is corrected
        return m_hat * np.sqrt(factor * (1 - decayed)) / (np.sqrt(v) + self.epsilon)


class Adadelta(SGD):
    """RMSprop whose rate is the size of its own steps."""

    def __init__(self, learning_rate=1.0, rho=0.9, epsilon=1e-6, **common):
        super().__init__(learning_rate, **common)
        self.rho, self.epsilon = rho, epsilon

    def direction(self, g: Array, p: Parameter) -> Array:
        a, u = p.slot("a"), p.slot("u")
        a[:] = self.rho * a + (1 - self.rho) * g * g
        d = np.sqrt(u + self.epsilon) / np.sqrt(a + self.epsilon) * g
        u[:] = self.rho * u + (1 - self.rho) * d * d
        return d


class Lion(SGD):
    """Only the sign of a moving average of g."""

    def __init__(self, learning_rate=1e-4, beta_1=0.9, beta_2=0.99, **common):
        super().__init__(learning_rate, **common)
        self.beta_1, self.beta_2 = beta_1, beta_2

    def direction(self, g: Array, p: Parameter) -> Array:
        m = p.slot("m")
        direction = np.sign(self.beta_1 * m + (1 - self.beta_1) * g)
        m[:] = self.beta_2 * m + (1 - self.beta_2) * g
        return direction


ADAMS = (Adam, AdamW, AMSGrad, Adamax, NAdam, RAdam)
OTHERS = (SGD, Momentum, Nesterov, Adagrad, Adadelta, RMSprop, Lion)
OPTIMIZERS = {c.__name__: c for c in (*OTHERS, *ADAMS)}


def numerical_gradient(function: Callable[[], float], array: Array, step: float = 1e-5) -> Array:
    """Central differences: move one number of `array` at a time and watch `function()`."""
    gradient = np.zeros(array.shape)
    for i in np.ndindex(array.shape):
        kept = array[i]
        array[i] = kept + step
        above = function()
        array[i] = kept - step
        below = function()
        array[i] = kept
        gradient[i] = (above - below) / (2 * step)
    return gradient
