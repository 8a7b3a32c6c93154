"""Question: can a network learn to balance a pole by trying?

It sees where cart and pole are and how fast they move, pushes left or right fifty times a second,
and learns what each push is worth: the steps to come until the pole falls or the cart leaves.
"""

import sys

import numpy as np
from matplotlib.figure import Figure

import lamina as lm

GAMMA, LONGEST, STEPS = 0.99, 500, 40_000
draw = np.random.default_rng(0)


def push(state, right):
    """0.02 s of a cart (1 kg) with a pole (0.1 kg, 1 m) pushed by 10 N; Barto et al. 1983."""
    x, v, angle, turn = (float(one) for one in state)
    pull = ((10 if right else -10) + 0.05 * turn**2 * np.sin(angle)) / 1.1
    inertia = 0.5 * (4 / 3 - 0.1 * np.cos(angle) ** 2 / 1.1)
    bend = (9.8 * np.sin(angle) - np.cos(angle) * pull) / inertia
    go = pull - 0.05 * bend * np.cos(angle) / 1.1
    new = x + 0.02 * v, v + 0.02 * go, angle + 0.02 * turn, turn + 0.02 * bend
    return np.array(new, np.float32), abs(new[0]) > 2.4 or abs(new[2]) > 0.21


layers = [lm.Input(4), lm.Dense(64, "relu"), lm.Dense(64, "relu"), lm.Dense(2)]
model = lm.Model(layers, seed=0)
trainer = lm.Trainer(model, loss="huber", optimizer=lm.Adam(lm.Cosine(1e-3, total_steps=STEPS)))
states, nexts = np.zeros((2, STEPS, 4), np.float32)
actions, fallen = np.zeros(STEPS, int), np.zeros(STEPS, bool)
state, lengths, length = draw.uniform(-0.05, 0.05, 4).astype(np.float32), [], 0
for step in range(STEPS):
    if step % 500 == 0:
        steady = model.freeze_for_inference()  # what is aimed at stands still for a while
    curious = draw.random() < max(0.02, 1 - step / 10_000)
    action = draw.integers(2) if curious else model.predict_one(state).argmax()
    states[step], actions[step] = state, action
    state, fallen[step] = push(state, action)
    nexts[step], length = state, length + 1
    if fallen[step] or length == LONGEST:
        lengths.append(length)
        state, length = draw.uniform(-0.05, 0.05, 4).astype(np.float32), 0
    if step >= 500:
        rows = draw.integers(step + 1, size=64)
        worth, later = model.predict(states[rows]), steady.predict(nexts[rows]).max(axis=1)
        worth[np.arange(64), actions[rows]] = 1 + GAMMA * later * ~fallen[rows]
        trainer.train_on_batch(states[rows], worth)

parts = [float(np.mean(part)) for part in np.array_split(lengths, 10)]
print("Steps a trial, by tenths of the trials:", *(f"{part:.1f}" for part in parts))
assert max(parts[-3:]) > 3 * parts[0]
axes = (figure := Figure(figsize=(8, 4.5), layout="constrained")).subplots()
axes.plot(lengths, ".", alpha=0.4, label="a trial")
axes.plot(range(24, len(lengths)), np.convolve(lengths, [0.04] * 25, "valid"), label="mean of 25")
axes.set(title=f"{STEPS} pushes, a step of learning after each", xlabel="trial", ylabel="steps")
axes.legend()
figure.savefig(f"{sys.argv[1] if len(sys.argv) > 1 else '.'}/q12_control.png", dpi=100)
