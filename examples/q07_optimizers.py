"""Question: what do optimizers do differently, all with the same gradient?

The loss here is a bent, narrow valley in two weights (Rosenbrock's): steep across, flat along it.
Plain steps must be small enough for the steep walls, and then they crawl along the floor.
"""

import sys

import numpy as np
from matplotlib.figure import Figure

import lamina as lm

START, STEPS, STEEP = np.array([-1.2, 1.6]), 200, 10


def loss(a, b):
    return (1 - a) ** 2 + STEEP * (b - a**2) ** 2


def gradient(p):
    a, b = p
    return np.array([-2 * (1 - a) - 4 * STEEP * a * (b - a**2), 2 * STEEP * (b - a**2)])


def walk(make, rate):
    """The path of an optimizer used alone: update() moves an array by its gradient."""
    optimizer, p, path = make(learning_rate=rate), START.copy(), [START]
    for _ in range(STEPS):
        optimizer.update(p, gradient(p))
        path.append(p.copy())
        if not loss(*p) < 1.2 * loss(*START):  # thrown up the wall: too large a rate
            break
    return np.array(path)


figure = Figure(figsize=(11, 5), layout="constrained")
left, right = figure.subplots(1, 2)
a, b = np.meshgrid(np.linspace(-1.7, 1.7, 200), np.linspace(-0.5, 2.2, 200))
left.contourf(a, b, loss(a, b), np.geomspace(0.02, 120, 15), cmap="Greys", norm="log", alpha=0.6)
rates = np.geomspace(0.001, 1, 16)
print(f"Loss in the valley, from {loss(*START):.2f}; each with the best of {len(rates)} rates")
print("optimizer   rate  after 10        50       100       200 steps")
ends = {}
for i, make in enumerate((lm.Adagrad, lm.RMSprop, lm.SGD, lm.Momentum, lm.Adam)):
    paths = {rate: walk(make, rate) for rate in rates}
    arrived = {rate: loss(*p[-1]) for rate, p in paths.items() if len(p) > STEPS}
    rate = min(arrived, key=arrived.get)
    path, ends[make.__name__] = paths[rate], arrived[rate]
    losses = loss(*path.T)
    print(f"{make.__name__:9} {rate:6.3f}", *(f"{losses[k]:9.1e}" for k in (10, 50, 100, 200)))
    left.plot(*path.T, "o-", markevery=[-1], lw=6 - 1.3 * i, ms=12 - i, label=make.__name__)
    right.semilogy(losses, label=f"{make.__name__}, rate {rate:.3f}")
assert max(ends["Adam"], ends["Momentum"]) < 1e-3 * min(ends["SGD"], ends["Adagrad"])
left.plot(1, 1, "k*", markersize=12)
left.set(title="Paths to the star", xlabel="first weight", ylabel="second weight")
right.set(title="The same, as losses", xlabel="step", ylabel="loss")
left.legend(loc="lower right"), right.legend()
folder = sys.argv[1] if len(sys.argv) > 1 else "."
figure.savefig(f"{folder}/q07_optimizers.png", dpi=100)
