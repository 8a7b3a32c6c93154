"""Question: what does an activation do to the numbers, and to the gradients on their way back?

Going back through a layer multiplies the gradient by the activation's derivative. A sigmoid's is
at most 1/4: it vanishes. A relu's is 1 or 0: a neuron that is at 0 for every row learns no more.
"""

import sys

import numpy as np
from matplotlib.figure import Figure

import lamina as lm

x = np.random.default_rng(0).normal(size=(1000, 3))
y = np.sin(x).sum(axis=1, keepdims=True)
left, middle, right = (figure := Figure(figsize=(12, 4), layout="constrained")).subplots(1, 3)

print("Ten layers of 32 before training, first to last. 'Flat': share of derivatives below 0.05")
for name, scale in (("sigmoid", 1), ("sigmoid, W × 8", 8), ("tanh", 1), ("relu", 1)):
    f = lm.activations.get(name.split(",")[0])
    hidden = [lm.Dense(32, activation=f) for _ in range(10)]
    model = lm.Model([lm.Input(3), *hidden, lm.Dense(1)], seed=0, dtype="float64")
    h, flat = x, []
    for layer in hidden:
        layer.kernel *= scale
        z = h @ layer.kernel + layer.bias
        h, flat = f(z), [*flat, (f.derivative(z) < 0.05).mean()]
    lm.Trainer(model, loss="mse").compute_gradients(x, y)
    sizes = np.array([np.abs(layer.kernel_gradient).mean() for layer in hidden])
    print(f"  {name}\n    flat      ", *(f"{share:8.2f}" for share in flat))
    print("    mean |dL/dW|", *(f"{size:8.0e}" for size in sizes))
    left.semilogy(range(1, 11), sizes, "o-", markersize=4, label=name)
    assert (sizes[0] < 1e-4 * sizes[-1]) == (name == "sigmoid")  # vanishes
    assert (flat[-1] > 0.3) == (scale > 1 or name == "relu")  # saturates, or is off

print("Dying: of 256 neurons, those with derivative 0 for every row after steps that are too large")
for name in ("relu", "leaky_relu"):
    model = lm.Model([lm.Input(3), lm.Dense(256, name), lm.Dense(1)], seed=0, dtype="float64")
    trainer, dead = lm.Trainer(model, loss="mse", optimizer=lm.Adam(learning_rate=0.3)), []
    for _ in range(15):
        trainer.fit(x, y, epochs=1, verbose=0)
        z = x @ model.layers[0].kernel + model.layers[0].bias
        dead.append((lm.activations.get(name).derivative(z) == 0).all(axis=0).sum())
    print(f"  {name:10} after 1, 5, 15 epochs: {dead[0]:3}, {dead[4]:3}, {dead[-1]:3}")
    middle.plot(range(1, 16), dead, "o-", markersize=4, label=name)
    assert (dead[-1] > 20) == (name == "relu")

print("Softmax makes shares of scores; 100 more for all change nothing; a temperature divides them")
z, bars, softmax = np.array([3.0, 2.0, 0.5, -1.0]), np.arange(4), lm.activations.softmax
for i, temperature in enumerate((0.3, 1.0, 3.0)):
    p = softmax(z / temperature)
    print(f"  temperature {temperature}: {p.round(3)}, sum {p.sum():.3f}")
    right.bar(bars + 0.27 * i - 0.27, p, 0.25, label=f"temperature {temperature}")
    assert np.allclose([*softmax(z / temperature + 100), 1], [*p, p.sum()], rtol=1e-12)
left.set(title="Gradients on their way back: mean |dL/dW|", xlabel="layer")
middle.set(title="Dead neurons of 256, learning rate 0.3", xlabel="epochs")
right.set(title="Shares that softmax makes", xlabel="score", xticks=bars, xticklabels=z)
[ax.legend() for ax in (left, middle, right)]
folder = sys.argv[1] if len(sys.argv) > 1 else "."
figure.savefig(f"{folder}/q03_activations.png", dpi=120)
