"""Question: what does a neuron compute, and what does a layer of neurons?

A neuron multiplies each input by a weight, adds a bias, and bends the sum with an activation.
A layer is several neurons that see the same inputs: each is one column of the weight matrix.
"""

import sys

import numpy as np
from matplotlib.figure import Figure

import lamina as lm

inputs, neurons = ["sun", "rain", "wind"], ["walk", "sail", "read"]
x = np.array([0.9, 0.2, 0.6])  # today's weather, each from 0 to 1

model = lm.Model([lm.Input(3), lm.Dense(3, activation="sigmoid")], seed=0, dtype="float64")
layer = model.layers[0]
layer.kernel[:] = [[2.0, 0.5, -1.5], [-3.0, -1.0, 2.0], [-1.0, 2.5, 0.5]]  # a row an input
layer.bias[:] = [0.1, 0.2, 0.4]  # a column a neuron: walk, sail, read

print("One neuron, 'walk', by hand:")
products = x * layer.kernel[:, 0]
for name, value, weight, product in zip(inputs, x, layer.kernel[:, 0], products, strict=True):
    print(f"  {name:5} {value:4.1f} × weight {weight:5.1f} = {product:6.2f}")
z = products.sum() + layer.bias[0]
y = 1 / (1 + np.exp(-z))
print(
    f"  sum {products.sum():.2f} + bias {layer.bias[0]:.2f} = {z:.2f}; sigmoid({z:.2f}) = {y:.4f}"
)

print("The layer is the same three times over: y = sigmoid(x W + b)")
sums = x @ layer.kernel + layer.bias
outputs = model.predict(x[np.newaxis])[0]  # one row in, one row out
for name, total, output in zip(neurons, sums, outputs, strict=True):
    print(f"  {name:5} z = {total:5.2f}  y = {output:.4f}")
print(f"By hand and by Lamina the same, to {abs(outputs[0] - y):.1e}.")

figure = Figure(figsize=(11, 4.5), layout="constrained")
left, right = figure.subplots(1, 2)
steps = [*products, layer.bias[0]]
starts = np.concatenate([[0], np.cumsum(steps)[:-1]])
colors = ["#2a9d8f" if step > 0 else "#e76f51" for step in steps]
labels = [*(f"{n}\n{a:g} × {w:g}" for n, a, w in zip(inputs, x, layer.kernel[:, 0], strict=True))]
labels = [*labels, f"bias\n{layer.bias[0]:g}", "sum z"]
bars = left.bar(labels, [*steps, z], bottom=[*starts, 0], color=[*colors, "#264653"], width=0.6)
left.bar_label(bars, [f"{step:+.2f}" for step in [*steps, z]], padding=3)
left.axhline(0, color="black", linewidth=0.8)
left.set(title="The neuron 'walk' adds up what speaks for and against", ylabel="running sum")
left.set_ylim(-0.2, 2.1)
line = np.linspace(-4, 4, 200)
right.plot(line, lm.activations.sigmoid(line), color="#8d99ae", linewidth=2)
for name, total, output, color in zip(neurons, sums, outputs, ("C0", "C1", "C3"), strict=True):
    right.plot([total, total, -4], [0, output, output], ":", color=color)
    right.plot(total, output, "o", color=color, markersize=9)
    right.text(total - 0.2, output + 0.02, f"{name}: {output:.2f}", color=color, ha="right")
right.set(title="The activation bends each sum into (0, 1)", xlabel="sum z", ylabel="output y")
right.set(xlim=(-4, 4), ylim=(0, 1.02))
folder = sys.argv[1] if len(sys.argv) > 1 else "."
figure.savefig(f"{folder}/q01_neuron.png", dpi=120)
