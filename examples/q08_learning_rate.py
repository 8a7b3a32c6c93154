"""Question: how large should the learning rate be, and should it change on the way?

Too small, and the weights hardly move; too large, and steps jump over the valley until the loss
grows without end. A rate in between gets there, but keeps shaking, as every batch pulls another
way: one that falls at the end does better than one that stays.
"""

import sys
import warnings

import numpy as np
from matplotlib.figure import Figure

import lamina as lm

rng = np.random.default_rng(0)
x = rng.uniform(-3, 3, size=(1000, 1))
truth = np.sin(2 * x) + 0.3 * x
y = truth + 0.3 * rng.normal(size=x.shape)
STEPS, ends = 60 * 100, {}  # 60 epochs of 100 batches


def learn(rate):
    """Train the same net on the same batches; its errors to the curve without noise, by epoch."""
    layers = [lm.Input(1), lm.Dense(32, "tanh"), lm.Dense(32, "tanh"), lm.Dense(1)]
    model, optimizer = lm.Model(layers, seed=0), lm.SGD(learning_rate=rate)
    options = {"validation_data": (x, truth), "epochs": 60, "batch_size": 10, "verbose": 0}
    with warnings.catch_warnings(record=True):  # about the rate that is too large
        history = lm.Trainer(model, loss="mse", optimizer=optimizer).fit(x, y, **options)
    return np.array(history["val_loss"]) if len(history.epoch) else np.array([np.nan])


left, middle, right = (figure := Figure(figsize=(13, 4), layout="constrained")).subplots(1, 3)
for name, rate, ax in (
    ("too small: 0.001", 0.001, left),
    ("right: 0.1", 0.1, left),
    ("too large: 0.3", 0.3, left),
    ("constant", lm.Constant(0.1), right),
    ("step", lm.schedules.Step(0.1, step_size=STEPS // 3, gamma=0.3), right),
    ("exponential", lm.schedules.Exponential(0.15, gamma=0.1, decay_steps=STEPS), right),
    ("cyclical", lm.schedules.Cyclical(0.005, 0.2, STEPS // 10, mode="triangular2"), right),
    ("one-cycle", lm.OneCycle(0.2), right),
):
    errors = learn(rate)
    ends[name] = errors[-5:].mean()  # of the last epochs: it shakes
    outcome = f"{ends[name]:.4f}" if np.isfinite(ends[name]) else "diverged"
    print(f"{name:16} error at the end: {outcome}")
    ax.semilogy(range(1, len(errors) + 1), errors, label=f"{name} → {outcome}")
    if ax is right:
        lm.plots.schedule(rate, steps=STEPS, axes=middle).lines[-1].set_color(f"C{len(ends) - 4}")
assert ends["too small: 0.001"] > 3 * ends["right: 0.1"]
assert np.isnan(ends["too large: 0.3"])
assert max(ends[name] for name in ("step", "exponential", "cyclical")) < 0.8 * ends["constant"]
assert ends["one-cycle"] < 0.5 * ends["constant"]
left.set(title="Constant rates", xlabel="epochs", ylabel="squared error to the true curve")
middle.set(title="Rates that change", ylim=(0, 0.21))
right.set(title="What they lead to", xlabel="epochs")
[ax.set(ylim=(3e-3, 1.2)) and ax.legend() for ax in (left, right)]
folder = sys.argv[1] if len(sys.argv) > 1 else "."
figure.savefig(f"{folder}/q08_learning_rate.png", dpi=100)
