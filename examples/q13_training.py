"""Question: how do I stop a training in time, and how does it go on after an interruption?

Once the validation loss rises, the net learns its own rows by heart (q09). The best weights are
those of the turn: EarlyStopping waits whether the loss falls again, ends the training if it does
not, and gives them back. Ctrl-C ends it, too; resume goes on as if nothing had been.
"""

import sys

import numpy as np
from matplotlib.figure import Figure

import lamina as lm

table = lm.datasets.load_diamonds()
x = np.stack([table[name] for name in ("carat", "depth", "table", "x", "y", "z")], axis=1)
x = (x - x.mean(axis=0)) / x.std(axis=0)
y = np.unique(table["cut"], return_inverse=True)[1]  # five grades
order = np.random.default_rng(0).permutation(len(x))
train, validation, test = order[:1000], order[1000:2000], order[2000:12_000]
held_out = {"validation_data": (x[validation], y[validation]), "verbose": 0}


def new_trainer():
    """Far more weights than rows to learn from: it can learn all of them by heart."""
    layers = [lm.Input(6), *(lm.Dense(128, "relu") for _ in range(2)), lm.Dense(5, "softmax")]
    how = {"loss": "categorical_crossentropy", "metrics": ["accuracy"]}
    return lm.Trainer(lm.Model(layers, seed=0), optimizer=lm.Adam(0.003), **how)


long, trainer = new_trainer(), new_trainer()
too_long = long.fit(x[train], y[train], epochs=100, batch_size=16, **held_out)
scores = {"after all 100 epochs": long.evaluate(x[test], y[test])}
best, end = too_long["val_loss"].min(), too_long["val_loss"][-1]
print(f"100 epochs: the training loss falls to {too_long['loss'][-1]:.4f}; the validation", end=" ")
print(f"loss was {best:.4f} in epoch {too_long.best_epoch} and is {end:.4f} at the end")


def press_ctrl_c(epoch, logs):
    """Stand in for the key: someone needs the computer for something else."""
    if epoch == 8:
        raise KeyboardInterrupt


watch = lm.EarlyStopping(patience=10), lm.LambdaCallback(on_epoch_end=press_ctrl_c)
try:
    trainer.fit(x[train], y[train], epochs=100, batch_size=16, callbacks=watch, **held_out)
except KeyboardInterrupt:
    print(f"interrupted after {len(trainer.history)} epochs;", end=" ")
in_time = trainer.resume(x[train], y[train], **held_out)  # as if nothing had been
print(f"resumed, it ended after {len(in_time)}: {in_time.stop_reason}")
scores["stopped in time"] = trainer.evaluate(x[test], y[test])  # with the best weights
for which, score in scores.items():
    print(f"on others, {which}: loss {score['loss']:.4f}, accuracy {score['accuracy']:.3f}")
assert scores["stopped in time"]["loss"] < 0.8 * scores["after all 100 epochs"]["loss"]
assert np.array_equal(in_time["val_loss"], too_long["val_loss"][: len(in_time)])
(left, right), below = (figure := Figure(figsize=(12, 7), layout="constrained")).subplots(2, 2)
too_long.plot((left, below[0]), metrics="accuracy").set_title("100 epochs\n")
in_time.plot((right, below[1]), metrics="accuracy").set_title("Stopped in time\n")
figure.savefig(f"{sys.argv[1] if len(sys.argv) > 1 else '.'}/q13_training.png", dpi=100)
