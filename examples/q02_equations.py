"""Question: output = inputs · weights + bias is a straight line. Where do curves come from?

Not from more layers: linear layers in a row are one linear layer. From the activation between
them: with relu each hidden neuron gives the line one kink, and many kinks make any curve.
"""

import sys

import numpy as np
from matplotlib.figure import Figure

import lamina as lm

rng = np.random.default_rng(0)
x = np.sort(rng.uniform(-3, 3, size=400))[:, np.newaxis]
y = np.sin(2 * x) + 0.3 * x + 0.1 * rng.normal(size=x.shape)


def train(hidden, activation):
    """One input, `hidden` neurons with their kinks spread out, one output."""
    layers = [lm.Input(1), lm.Dense(hidden, activation=activation), lm.Dense(1)]
    model = lm.Model(layers, seed=1, dtype="float64")
    direction = (-1.0) ** np.arange(hidden)
    model.layers[0].kernel[:] = direction
    model.layers[0].bias[:] = -direction * np.linspace(-3, 3, hidden + 2)[1:-1]
    trainer = lm.Trainer(model, loss="mse", optimizer=lm.Adam(learning_rate=0.02))
    trainer.fit(x, y, epochs=300, batch_size=50, verbose=0)
    return model, trainer.evaluate(x, y)["loss"]


line, line_loss = train(32, "linear")
first, second = line.layers
slope = (first.kernel @ second.kernel)[0, 0]
start = (first.bias @ second.kernel + second.bias)[0]
gap = np.abs(line.predict(x) - (slope * x + start)).max()
print("Two linear layers are one: (x W1 + b1) W2 + b2 = x (W1 W2) + (b1 W2 + b2)")
print(f"  {line.num_parameters} numbers make the line {slope:.3f} x {start:+.3f} (to {gap:.0e})")
print(f"  mean squared error {line_loss:.3f}; the noise in the data alone has 0.010")

figure = Figure(figsize=(12, 4.2), layout="constrained")
axes = figure.subplots(1, 3, sharex=True, sharey=True)
axes[0].plot(x, y, ".", color="#bcc3d0", markersize=4, label="data")
axes[0].plot(x, line.predict(x), color="#e76f51", linewidth=2.5, label="32 linear neurons")
axes[0].set(title=f"No activation: a line (error {line_loss:.3f})", ylabel="output y")
print("With relu between the layers:")
for ax, hidden, color in ((axes[1], 4, "#f4a261"), (axes[2], 32, "#2a9d8f")):
    model, loss = train(hidden, "relu")
    kinks = -model.layers[0].bias / model.layers[0].kernel[0]  # where z = w x + b is zero
    kinks = np.sort(kinks[np.abs(kinks) < 3])[:, np.newaxis]
    print(f"  {hidden:2} neurons, {len(kinks)} kinks in sight: mean squared error {loss:.3f}")
    ax.plot(x, y, ".", color="#bcc3d0", markersize=4, label="data")
    ax.plot(x, model.predict(x), color=color, linewidth=2.5, label=f"{hidden} relu neurons")
    ax.plot(kinks, model.predict(kinks), "o", color="black", markersize=4, label="a neuron's kink")
    ax.set(title=f"{hidden} neurons with relu (error {loss:.3f})")
for ax in axes:
    ax.set(xlabel="input x", ylim=(-2.6, 1.9))
    ax.legend(loc="lower right")
folder = sys.argv[1] if len(sys.argv) > 1 else "."
figure.savefig(f"{folder}/q02_equations.png", dpi=120)
