"""Question: what does the relation of training and validation loss tell?

Both are high: underfitting, there is more to learn. The validation loss rises while the training
loss falls: overfitting, the rows are learned by heart. Both have come down together: a good fit.
But compare like with like. The `loss` of an epoch is a mean over its steps, while the weights move
and neurons drop out; `val_loss` is measured after it, with all neurons, as is `train_loss_eval`.
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
order = np.random.default_rng(1).permutation(len(y))
validation, others = ((x[rows], y[rows]) for rows in np.split(order, [4000]))
cross_entropy = lm.losses.CategoricalCrossentropy()


def learn(rows, epochs, dropout):
    """Train the same network; give its history, and its loss now with dropout and without."""
    layers, train = [lm.Input(x.shape[1]), lm.Normalization()], [part[:rows] for part in others]
    for _ in range(2):
        layers += [lm.Dense(64, "relu"), lm.Dropout(dropout)]
    model = lm.Model([*layers, lm.Dense(5, "softmax")], seed=1)
    trainer = lm.Trainer(model, loss=cross_entropy, optimizer="adam")
    how = {"batch_size": 32, "validation_data": validation, "verbose": 0}
    history = trainer.fit(*train, epochs=epochs, monitor=True, **how)
    outputs = [model.forward(train[0], training=training) for training in (True, False)]
    return history, *(cross_entropy(train[1], output) for output in outputs)


axes = (figure := Figure(figsize=(12, 4.5), layout="constrained")).subplots(1, 3, sharey=True)
verdicts = []
print("rows  epochs  dropout   loss  train_loss_eval  val_loss  verdict")
for ax, options in zip(axes, ((8000, 4, 0.5), (8000, 40, 0.5), (1000, 120, 0)), strict=True):
    history, dropping, complete = learn(*options)
    ends = history["loss"][-1], history.final["train_loss_eval"], history.final["val_loss"]
    verdicts.append(history.verdict)
    print("{} {:7} {:8} {:6.3f} {:16.3f} {:9.3f} ".format(*options, *ends), verdicts[-1])
    ax.plot(history["loss"], "C0:", label="loss (mean while training)")
    ax.plot(history["train_loss_eval"], "C0", label="train_loss_eval")
    ax.plot(history["val_loss"], "C1", label="val_loss")
    ax.set_title("{}\n{} rows, {} epochs, dropout {}".format(verdicts[-1], *options))
    ax.set(xlabel="epochs", xlim=(0, max(40, options[1])), ylim=(0, 2))
    if verdicts[-1] == "good fit":
        assert all(history["loss"] > history["val_loss"])  # and nothing is wrong
        print(f"  its rows again: {dropping:.3f} while neurons drop out, {complete:.3f} with all")
assert verdicts == ["underfitting", "good fit", "overfitting"]
axes[0].set_ylabel("cross-entropy")
axes[2].legend()
folder = sys.argv[1] if len(sys.argv) > 1 else "."
figure.savefig(f"{folder}/q09_training_and_validation_loss.png", dpi=100)
