"""What each loss of the catalogue is tried on: a model's output, its parameters, its targets."""

import numpy as np

from lamina._isa import core

LOSSES = [entry["class"] for entry in core.catalogue()["losses"]]
MEANS = ("Poisson", "Gamma", "Tweedie")

# The output activation that a loss is made for, where it is not a linear one.
NATURAL_OUTPUT = {
    "BinaryCrossentropy": "sigmoid",
    "BinaryFocalCrossentropy": "sigmoid",
    "CategoricalCrossentropy": "softmax",
    "CategoricalFocalCrossentropy": "softmax",
    "KLDivergence": "softmax",
}
PROBABILITIES = tuple(NATURAL_OUTPUT)
NATURAL_OUTPUT |= dict.fromkeys(MEANS, "exponential")
# The flag by which a loss takes what stands before that activation (for means: their logarithms).
FROM_INPUT = dict.fromkeys(PROBABILITIES, "from_logits") | dict.fromkeys(MEANS, "from_log")
# Parameters that go another way through the code.
VARIANTS = {
    "BinaryCrossentropy": [{"label_smoothing": 0.1}, {"positive_weight": 3.0}],
    "BinaryFocalCrossentropy": [{"alpha": 0.25}, {"gamma": 0.5, "alpha": 0.7}, {"gamma": 0.0}],
    "CategoricalCrossentropy": [{"label_smoothing": 0.1}],
    "CategoricalFocalCrossentropy": [
        {"alpha": [0.5, 1.0, 2.0, 0.1], "gamma": 1.5},
        {"gamma": 0.5, "alpha": 1.0},
        {"gamma": 0.0},
    ],
    "CosineSimilarity": [{"form": "keras"}],
    "GaussianNLL": [{"variance": "softplus"}, {"variance": "direct"}, {"epsilon": 1e-3}],
    "Huber": [{"delta": 0.3}],
    "Poisson": [{"epsilon": 0.1}],
    "Quantile": [{"levels": 0.9}, {"levels": [0.1, 0.5, 0.9]}],
    "Tweedie": [{"power": 1.0}, {"power": 1.2}, {"power": 2.0}],
}


def outputs_per_target(name, options=None):
    if name == "Quantile":
        return int(np.size((options or {}).get("levels", 0.5)))
    return 2 if name == "GaussianNLL" else 1


def natural(name):
    """The output activation and parameters with which a model is trained on the loss."""
    flag = FROM_INPUT.get(name)
    return NATURAL_OUTPUT.get(name, "linear"), {} if name in NATURAL_OUTPUT or not flag else {
        flag: True
    }


def targets(name, prediction, options=None, seed=23):
    """Targets of the loss's kind, none where the loss has a kink there."""
    rng = np.random.default_rng(seed)
    rows = len(prediction)
    shape = rows, prediction.shape[1] // outputs_per_target(name, options)
    if name in ("CategoricalCrossentropy", "CategoricalFocalCrossentropy"):
        return rng.integers(0, shape[1], size=rows)
    if name == "KLDivergence":
        return rng.dirichlet(np.ones(shape[1]), size=rows)
    if name.startswith("Binary"):
        return rng.integers(0, 2, size=shape).astype(float)
    if name.endswith("Hinge"):
        y = rng.choice([-1.0, 1.0], size=shape)
        return np.where(np.abs(1 - y * prediction) < 0.05, -y, y)
    if name == "Poisson":
        return rng.poisson(2, size=shape).astype(float)
    if name == "Gamma":
        return rng.gamma(2, size=shape) + 0.1
    if name == "Tweedie":
        amounts = rng.gamma(2, size=shape) + 0.1
        positive = (options or {}).get("power", 1.5) == 2
        return amounts * (positive | (rng.uniform(size=shape) < 0.6))
    near = prediction[:, : shape[1]]
    y = near + rng.choice([-1, 1], size=shape) * rng.uniform(0.1, 1, size=shape)
    if name == "Quantile":  # away from every level's output
        for block in np.split(prediction, outputs_per_target(name, options), axis=1):
            y = np.where(np.abs(y - block) < 0.02, y + 0.05, y)
    return y


def predictions(name, options, rng, shape):
    """Predictions as the loss takes them alone: probabilities, means, or any numbers."""
    if options.get(FROM_INPUT.get(name, "")) or name not in FROM_INPUT:
        p = rng.normal(size=shape)
        if options.get("variance") == "direct":
            p[:, shape[1] // 2 :] = rng.uniform(0.3, 2, size=(shape[0], shape[1] // 2))
        return p
    p = rng.uniform(0.1, 0.9, size=shape)
    if NATURAL_OUTPUT.get(name) == "softmax":
        p /= p.sum(axis=1, keepdims=True)
    return p


def variants(name):
    """All combinations of VARIANTS and of the two ways to take predictions."""
    flag = FROM_INPUT.get(name)
    for options in [{}, *VARIANTS.get(name, [])]:
        yield options
        if flag:
            yield {**options, flag: True}
