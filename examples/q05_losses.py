"""Question: which loss for which question?

A loss decides what a prediction is: the squared error makes it the mean of the answers, the
absolute error their median, a quantile loss what a given share stays below, cross-entropy a
probability, Poisson the mean of a count. The same small model learns each, and is measured.
"""

import sys

import numpy as np
from matplotlib.figure import Figure

import lamina as lm

rng = np.random.default_rng(0)
x, grid = rng.uniform(0, 3, size=(500, 1)), np.linspace(0, 3, 100)[:, np.newaxis]
figure = Figure(figsize=(11, 7), layout="constrained")
wrong, levels, counts, classes = figure.subplots(2, 2).ravel()


def learn(loss, ax, y, activation="linear", outputs=1, label=None):
    """Train one layer with a loss, draw what it predicts, and return that for the rows of x."""
    model = lm.Model([lm.Input(1), lm.Dense(outputs, activation)], seed=0, dtype="float64")
    trainer = lm.Trainer(model, loss=loss, optimizer=lm.Adam(learning_rate=lm.Cosine(0.1)))
    trainer.fit(x, y, epochs=100, batch_size=50, verbose=0)
    if not ax.lines:
        ax.plot(x, y, ".", color="#bcc3d0")
    ax.plot(grid, model.predict(grid), linewidth=4 - 0.8 * len(ax.lines), label=label or loss)
    return model.predict(x)


print("How much, if a tenth of the answers are wrong by 15? Mean distance from the true line:")
y = 1 + 2 * x + 0.3 * rng.normal(size=x.shape) + 15 * (rng.uniform(size=x.shape) < 0.1)
off = {loss: np.abs(learn(loss, wrong, y) - 1 - 2 * x).mean() for loss in ("mse", "huber", "mae")}
print("  ", ", ".join(f"{loss} {value:.3f}" for loss, value in off.items()))
assert off["mae"] < off["huber"] < off["mse"] / 5  # they pull the mean, not the median

y, quantile = x * rng.gamma(2, size=x.shape), lm.losses.Quantile([0.1, 0.5, 0.9])
below = (y <= learn(quantile, levels, y, outputs=3, label=["0.1", "0.5", "0.9"])).mean(axis=0)
print("How much at worst? Shares of answers below levels 0.1, 0.5, 0.9:\n  ", below.round(3))
assert np.abs(below - [0.1, 0.5, 0.9]).max() < 0.03

print("How many? Yes or no? Mean distance from the truth, least and largest prediction:")
mean, probability = np.exp(0.9 * x - 1), 1 / (1 + np.exp(4.5 - 3 * x))
number, yes = rng.poisson(mean) * 1.0, (rng.uniform(size=x.shape) < probability) * 1.0
for truth, y, ax, loss, activation in (
    (mean, number, counts, "poisson", "exponential"),
    (mean, number, counts, "mse", "linear"),
    (probability, yes, classes, "binary_crossentropy", "sigmoid"),
    (probability, yes, classes, "mse", "linear"),
):
    p = learn(loss, ax, y, activation)
    print(f"   {loss:20} {np.abs(p - truth).mean():.3f}, {p.min():6.3f} to {p.max():.3f}")
    assert (p.min() < 0) == (loss == "mse")  # neither a count nor a probability

titles = "Some answers are wrong", "Answers that spread", "A count", "Yes (1) or no (0)"
for ax, title in zip((wrong, levels, counts, classes), titles, strict=True):
    ax.set(title=title, xlabel="input", ylabel="answers, predictions"), ax.legend()
folder = sys.argv[1] if len(sys.argv) > 1 else "."
figure.savefig(f"{folder}/q05_losses.png", dpi=100)
