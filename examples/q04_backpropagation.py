"""Question: how does a network find out in which direction to move each of its weights?

By the chain rule, backwards: how the loss feels the output, how the output feels the hidden
neurons, how they feel their weights. Every slope is checked by moving its weight a little.
"""

import sys

import numpy as np
from matplotlib.figure import Figure

import lamina as lm

x, t = np.array([[1.0, 0.5]]), np.array([[1.0]])  # one example: two inputs, the right answer
model = lm.Model([lm.Input(2), lm.Dense(2, "tanh"), lm.Dense(1)], seed=0, dtype="float64")
one, two = model.layers
one.kernel[:], one.bias[:] = [[0.6, -0.4], [-0.8, 0.9]], [0.1, 0.2]
two.kernel[:], two.bias[:] = [[0.7], [-0.5]], [0.1]

h = np.tanh(x @ one.kernel + one.bias)
y = h @ two.kernel + two.bias
dy = 2 * (y - t)  # the loss is (y - t)²; each line multiplies by one more derivative
dh = dy @ two.kernel.T
dz = dh * (1 - h**2)
chain = [x.T @ dz, dz.sum(axis=0), h.T @ dy, dy.sum(axis=0)]
print(f"forward:  h = {h[0].round(4)}, y = {y[0].round(4)}, loss = {((y - t) ** 2)[0].round(4)}")
print(f"backward: dL/dy = {dy[0].round(4)}, dL/dh = {dh[0].round(4)}, dL/dz = {dz[0].round(4)}")

loss = lm.losses.MeanSquaredError()
dx = model.backward(loss.gradient(t, model.forward(x)))
lamina = [one.kernel_gradient, one.bias_gradient, two.kernel_gradient, two.bias_gradient]
print("dL/d…     value  chain rule      Lamina  by moving it ±0.00001")
for k, weights in enumerate([one.kernel, one.bias, two.kernel, two.bias]):
    for i in np.ndindex(weights.shape):
        weights[i] += 1e-5
        above = loss(t, model.predict(x))
        weights[i] -= 2e-5
        below = loss(t, model.predict(x))
        weights[i] += 1e-5
        print(f"{'WbWb'[k]}{k // 2 + 1}{list(i)!s:6}{weights[i]:7.2f}{chain[k][i]:12.7f}", end="")
        print(f"{lamina[k][i]:12.7f}{(above - below) / 2e-5:12.7f}")

figure = Figure(figsize=(10, 4.6), layout="constrained")
ax = figure.subplots(subplot_kw={"frame_on": False, "xticks": [], "yticks": []})
ax.set(xlim=(-0.3, 3.1), ylim=(-0.25, 1.25), title="Blue: values, forward. Red: dL/d…, backward.")
box = {"ha": "center", "bbox": {"facecolor": "white", "edgecolor": "none", "pad": 1}}
spots = [np.array([[0, 1], [0, 0]]), np.array([[1.5, 1], [1.5, 0]]), np.array([[2.8, 0.5]])]
for k, (values, slopes) in enumerate([(x[0], dx[0]), (h[0], dh[0]), (y[0], dy[0])]):
    for i, start in enumerate(spots[k]):
        for j, end in enumerate(spots[k + 1] if k < 2 else []):
            ax.plot(*zip(start, end, strict=True), color="#94a3b8", zorder=0)
            place = 0.68 * start + 0.32 * end
            weight, slope = model.layers[k].kernel[i, j], chain[2 * k][i, j]
            ax.text(*place, f"× {weight:.2f}", color="#1d4e89", va="bottom", **box)
            ax.text(*place, f"{slope:.3f}", color="#c1121f", va="top", **box)
        ax.plot(*start, "o", markersize=62, color="white", markeredgecolor="#475569")
        ax.text(*start, f"{'xhy'[k]}{i + 1} = {values[i]:.2f}", color="#1d4e89", va="bottom", **box)
        ax.text(*start, f"{slopes[i]:.3f}", color="#c1121f", va="top", **box)
folder = sys.argv[1] if len(sys.argv) > 1 else "."
figure.savefig(f"{folder}/q04_backpropagation.png", dpi=120)
