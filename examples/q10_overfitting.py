"""Question: a network has learned its rows by heart. What helps?

To know more, or to be able to do less. How strong a remedy has to be, validation rows decide; what
it is worth then, only test rows can tell that have decided nothing.
"""

import sys

import numpy as np
from matplotlib.figure import Figure

import lamina as lm

table = lm.datasets.load_diamonds()
y = np.unique(table["cut"], return_inverse=True)[1]  # five grades, to be told from the rest
grades = [np.unique(table[name], return_inverse=True)[1] for name in ("color", "clarity")]
numbers = [table[name] for name in ("carat", "depth", "table", "price", "x", "y", "z")]
x = np.column_stack([*numbers, np.eye(7)[grades[0]], np.eye(8)[grades[1]]])
parts = np.split(np.random.default_rng(1).permutation(len(y)), [2000, 12_000])
validation, test, others = ((x[rows], y[rows]) for rows in parts)
REMEDIES = {  # what is turned, and the strengths to choose from
    "nothing": ("rows", [1000]),
    "{} rows": ("rows", [8000]),
    "{} neurons": ("neurons", [4, 8, 16]),
    "L1({})": ("l1", [0.1, 0.3, 1.0]),
    "L2({})": ("l2", [0.01, 0.03, 0.1]),
    "Dropout({})": ("drop", [0.6, 0.7, 0.8]),
    "early stopping": ("stop", [lm.EarlyStopping(patience=10)]),
}


def learn(rows=1000, neurons=128, l1=0.0, l2=0.0, drop=0.0, stop=None):
    layers, train = [lm.Input(x.shape[1]), lm.Normalization()], [part[:rows] for part in others]
    for _ in range(2):
        layers += [lm.Dense(neurons, "relu", kernel_regularizer=lm.L1L2(l1, l2)), lm.Dropout(drop)]
    model = lm.Model([*layers, lm.Dense(5, "softmax")], seed=0)
    trainer = lm.Trainer(model, loss="categorical_crossentropy", optimizer=lm.Adam(0.003))
    how = {"batch_size": 32, "validation_data": validation, "callbacks": stop, "verbose": 0}
    history = trainer.fit(*train, epochs=100_000 // rows, monitor=True, **how)  # ≤ 3200 steps
    losses = [trainer.evaluate(*data)["loss"] for data in (train, validation, test)]
    return losses, np.concatenate([model.layers[k].kernel.ravel() for k in (1, 3, 5)]), history


figure = Figure(figsize=(13, 7), layout="constrained")
*panels, ends = figure.subplot_mosaic("0123456;eeeeeee").values()
print("loss of the rows    training  validation      test  weights exactly 0")
for ax, (name, (option, strengths)) in zip(panels, REMEDIES.items(), strict=True):
    runs = [(*learn(**{option: strength}), name.format(strength)) for strength in strengths]
    losses, weights, history, name = min(runs, key=lambda run: run[0][1])  # by validation
    print(f"{name:18}", *(f"{loss:9.3f}" for loss in losses), end=" ")
    print(f"{np.sum(weights == 0):10} of {len(weights)}")
    assert [np.mean(weights == 0) > 0.9, losses[2] > 1.1] == ["L1" in name, name == "nothing"]
    ax.plot(np.transpose([history["train_loss_eval"], history["val_loss"]]))
    ax.set(title=name, xlabel="epochs", ylabel="loss", ylim=(0, 3.2), yticks=range(4))
    ends.plot(losses[:2], [name, name], color="lightgrey", linewidth=5, zorder=0)
    ends.plot(losses[0], name, "C0o", losses[1], name, "C1o", losses[2], name, "kd", markersize=9)
    ends.text(max(losses) + 0.05, name, f"test {losses[2]:.3f}", va="center")
ends.set(xlabel="loss at the end", xlim=(0, 3.3), ylim=(6.5, -0.5))
ends.legend(ends.lines[1:4], ["training", "validation", "test"], loc="center right")
figure.savefig(f"{sys.argv[1] if len(sys.argv) > 1 else '.'}/q10_overfitting.png", dpi=100)
