"""Every loss beside PyTorch's, or beside its formula written in torch, with torch's gradient.

In float64 to 1e-11 of scale. In float32 to 4 units in the last place of float32, of the largest
entry of the row (its entries share a sum) or, with extremes among them, of the array: torch works
in float64 on the rounded inputs, so the bound holds rounding of the result and what the engine's
own float32 arithmetic adds.
"""

import numpy as np
import pytest
from loss_cases import FROM_INPUT, LOSSES, outputs_per_target, predictions, targets, variants

import lamina as lm

torch = pytest.importorskip("torch")
functional = torch.nn.functional

pytestmark = pytest.mark.ci

ULP = 4 * np.finfo(np.float32).eps
EPSILON = 1e-15  # of probabilities, in float64


def clipped(p, high=1 - EPSILON):
    return p.clamp(EPSILON, high)


def smooth(y, share):
    return y * (1 - share) + share / y.shape[1]


def bce(y, p, from_logits=False, label_smoothing=0.0, positive_weight=1.0):
    y = y * (1 - label_smoothing) + label_smoothing / 2
    if from_logits:
        weight = torch.tensor(positive_weight, dtype=torch.float64)
        return functional.binary_cross_entropy_with_logits(
            p, y, reduction="none", pos_weight=weight
        )
    p = clipped(p)
    return -(positive_weight * y * p.log() + (1 - y) * (1 - p).log())


def binary_focal(y, p, alpha=None, gamma=2.0, from_logits=False):
    q = torch.sigmoid(p) if from_logits else clipped(p)
    truth = y * q + (1 - y) * (1 - q)
    weight = 1.0 if alpha is None else alpha * y + (1 - alpha) * (1 - y)
    return weight * (1 - truth) ** gamma * bce(y, p, from_logits)


def cce(y, p, from_logits=False, label_smoothing=0.0):
    if from_logits:
        return functional.cross_entropy(p, y, reduction="none", label_smoothing=label_smoothing)
    return -(smooth(y, label_smoothing) * clipped(p).log()).sum(dim=1)


def categorical_focal(y, p, alpha=0.25, gamma=2.0, from_logits=False):
    log = functional.log_softmax(p, dim=1) if from_logits else clipped(p).log()
    weight = torch.tensor(alpha, dtype=torch.float64)
    return -(weight * y * (1 - log.exp()) ** gamma * log).sum(dim=1)


def kl(y, p, from_logits=False):
    log = functional.log_softmax(p, dim=1) if from_logits else clipped(p).log()
    return functional.kl_div(log, y, reduction="none").sum(dim=1)


def log_cosh(y, p):
    size = (p - y).abs()
    return size + torch.log1p(torch.exp(-2 * size)) - np.log(2)


def quantile(y, p, levels=0.5):
    blocks = p.split(y.shape[1], dim=1)
    out = []
    for level, block in zip(np.atleast_1d(levels), blocks, strict=True):
        d = y - block
        out.append(torch.where(d > 0, level * d, torch.where(d < 0, (level - 1) * d, 0 * d)))
    return torch.cat(out, dim=1)


def cosine(y, p, form="torch"):
    if form == "torch":
        return functional.cosine_embedding_loss(p, y, torch.ones(len(y)), reduction="none")
    norms = [(a * a).sum(dim=1, keepdim=True).clamp(min=1e-12).sqrt() for a in (p, y)]
    return -(p / norms[0] * (y / norms[1])).sum(dim=1)


def gamma(y, p, from_log=False):
    if from_log:
        return p + y * torch.exp(-p)
    p = clipped(p, None)
    return p.log() + y / p


def tweedie(y, p, power=1.5, from_log=False):
    z = p if from_log else clipped(p, None).log()
    first = z if power == 1 else torch.exp((1 - power) * z) / (1 - power)
    second = z if power == 2 else torch.exp((2 - power) * z) / (2 - power)
    return second - y * first


def gaussian(y, p, variance="log", epsilon=1e-6):
    mean, s = p.split(y.shape[1], dim=1)
    v = {"log": s.exp(), "softplus": torch.logaddexp(s, torch.zeros_like(s)), "direct": s}[variance]
    return functional.gaussian_nll_loss(mean, y, v, eps=epsilon, reduction="none").sum(dim=1)


def hinge(y, p):
    return torch.relu(1 - torch.where(y > 0, 1.0, -1.0) * p)


THEIRS = {
    "MeanSquaredError": lambda y, p: functional.mse_loss(p, y, reduction="none"),
    "MeanAbsoluteError": lambda y, p: functional.l1_loss(p, y, reduction="none"),
    "Huber": lambda y, p, delta=1.0: functional.huber_loss(p, y, reduction="none", delta=delta),
    "LogCosh": log_cosh,
    "Quantile": quantile,
    "CosineSimilarity": cosine,
    "BinaryCrossentropy": bce,
    "BinaryFocalCrossentropy": binary_focal,
    "Hinge": hinge,
    "SquaredHinge": lambda y, p: hinge(y, p) ** 2,
    "CategoricalCrossentropy": cce,
    "CategoricalFocalCrossentropy": categorical_focal,
    "KLDivergence": kl,
    "Poisson": lambda y, p, from_log=False, epsilon=1e-8: functional.poisson_nll_loss(
        p, y, log_input=from_log, eps=epsilon, reduction="none"
    ),
    "Gamma": gamma,
    "Tweedie": tweedie,
    "GaussianNLL": gaussian,
}


def test_every_loss_is_compared():
    assert set(LOSSES) == set(THEIRS)


def compare(name, options, y, p, tolerance, by_row=True):
    """Values, the weighted mean and the gradient; y may be class numbers."""
    rng = np.random.default_rng(5)
    weight = rng.uniform(0.5, 2, size=len(p)) * (np.arange(len(p)) % 5 != 3)
    theirs_p = torch.tensor(p.astype(np.float64), requires_grad=True)
    dense = np.eye(p.shape[1])[y] if y.dtype.kind == "i" else np.asarray(y, np.float64)
    values = THEIRS[name](torch.tensor(dense), theirs_p, **options)
    values = values.mean(dim=1) if values.ndim == 2 else values
    mean = (torch.tensor(weight) * values).sum() / weight.sum()
    mean.backward()
    loss = getattr(lm.losses, name)(**options)

    def near(got, expected, scale):
        assert np.isfinite(got).all()
        assert (np.abs(got - expected) <= tolerance * np.maximum(scale, 1e-30)).all()

    expected = values.detach().numpy()
    gradient = theirs_p.grad.numpy()
    got = loss.gradient(y, p, sample_weight=weight)
    assert got.dtype == p.dtype
    largest = np.abs(gradient).max(axis=1, keepdims=True) if by_row else np.abs(gradient).max()
    near(got, gradient, largest)
    scale = np.abs(expected) if by_row else np.abs(expected).max()
    near(loss.values(y, p), expected, scale if tolerance > 1e-11 else np.abs(expected).max())
    near(loss(y, p, sample_weight=weight), mean.item(), np.abs(expected).max())


CASES = [(name, options) for name in LOSSES for options in variants(name)]


def classes_of(options):
    return int(np.size(options.get("alpha"))) if np.ndim(options.get("alpha")) else None


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("width", [4, 1, 21])
@pytest.mark.parametrize(("name", "options"), CASES, ids=str)
def test_loss(name, options, width, dtype):
    if (width == 1 and THEIRS[name] in (cce, categorical_focal, kl, cosine)) or (
        width != classes_of(options) is not None
    ):
        pytest.skip("a loss over classes, or with one weight for each")
    rng = np.random.default_rng(1)
    shape = (40, width * outputs_per_target(name, options))
    p = predictions(name, options, rng, shape).astype(dtype)
    y = targets(name, p, options)
    y = y if y.dtype.kind == "i" else y.astype(dtype)
    compare(name, options, y, p, 1e-11 if dtype == "float64" else ULP)


def extremes(name, options):
    """Predictions and targets with what is far off, equal, zero or saturated."""
    rng = np.random.default_rng(2)
    per, rows = outputs_per_target(name, options), 60
    p = rng.normal(size=(rows, 4 * per)) * 10.0 ** rng.integers(-4, 5, size=(rows, 1))
    p[::7] = 0
    p[1::7, ::2] = 1e4
    p[2::7, 1::2] = -1e4
    y = targets(name, p, options)
    if name.endswith("Hinge"):
        p[3::7] = y[3::7]  # on the margin
    elif y.dtype.kind == "f" and y.min() < 0:
        y[3::7] = p[3::7, : y.shape[1]]  # ties
        y[4::7] = 0
    if name.startswith("Binary") or name == "KLDivergence":
        y[::5] = np.eye(4)[0]
    if name in ("Poisson", "Gamma", "Tweedie"):
        p = np.clip(p, -300, 300)  # beyond, torch's own exp overflows
    if name == "GaussianNLL":
        p[:, 4:] = np.clip(p[:, 4:], -300, 300)
    return y, p


@pytest.mark.parametrize(
    ("name", "options"),
    [
        (name, options)
        for name, options in CASES
        if (name not in FROM_INPUT or FROM_INPUT[name] in options)
        and options.get("variance") != "direct"
        and options.get("gamma") != 0.5  # torch's power has no derivative at 0
        and options.get("gamma") != 0
    ],
    ids=str,
)
def test_extremes(name, options):
    y, p = extremes(name, options)
    compare(name, options, y, p, 1e-11, by_row=False)


@pytest.mark.parametrize(
    "name", ["BinaryCrossentropy", "CategoricalCrossentropy", "BinaryFocalCrossentropy"]
)
def test_probabilities_at_the_border(name):
    """0 and 1 are clipped, with no gradient where the clip holds."""
    p = np.array([[0.0, 1.0], [1.0, 0.0], [0.25, 0.75], [1e-16, 1 - 1e-16], [1e-14, 1.0]])
    for label in (0, 1):
        y = np.eye(2)[np.full(5, label)]
        compare(name, {}, y, p, 1e-11, by_row=False)


def test_class_weights_are_torchs():
    """torch divides by the weights' sum, as every weighted mean here."""
    rng = np.random.default_rng(3)
    z, y, weight = rng.normal(size=(30, 4)), rng.integers(0, 4, size=30), rng.uniform(0.2, 3, 4)
    theirs_z = torch.tensor(z, requires_grad=True)
    theirs = torch.nn.CrossEntropyLoss(weight=torch.tensor(weight))(theirs_z, torch.tensor(y))
    theirs.backward()
    loss = lm.losses.CategoricalCrossentropy(from_logits=True)
    assert loss(y, z, sample_weight=weight[y]) == pytest.approx(theirs.item(), rel=1e-12)
    gradient = loss.gradient(y, z, sample_weight=weight[y])
    assert np.abs(gradient - theirs_z.grad.numpy()).max() <= 1e-12
