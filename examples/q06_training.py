"""Question: what are epochs, batches and the batch size, and how does one choose them?

A step looks at one batch of rows and moves all weights once. An epoch is as many steps as it takes
to see every row. Small batches make many small steps an epoch, large ones few and steady ones.
"""

import sys
import time

import numpy as np
from matplotlib.figure import Figure

import lamina as lm

table = lm.datasets.load_diamonds()
columns = ["carat", "depth", "table"]
x = np.stack([table[name] for name in columns], axis=1)
for name in ("cut", "color", "clarity"):  # a column of 0 and 1 for each grade
    grades, codes = np.unique(table[name], return_inverse=True)
    x = np.hstack([x, np.eye(len(grades))[codes]])
x = (x - x.mean(axis=0)) / x.std(axis=0)
y = np.log(table["price"])
y -= y.mean()
order = np.random.default_rng(0).permutation(len(x))
train, validation = order[:20_000], order[20_000:25_000]
print(f"{len(train)} diamonds to learn from, {len(validation)} to be tested on; 20 epochs each")

figure = Figure(figsize=(11, 4.5), layout="constrained")
left, right = figure.subplots(1, 2, sharey=True)
print("batch size  steps an epoch  all steps  error at the end  time")
for batch_size, color in [
    (16, "#e76f51"),
    (128, "#2a9d8f"),
    (1024, "#264653"),
    (20_000, "#8d99ae"),
]:
    model = lm.Model([lm.Input(x.shape[1]), lm.Dense(64, "relu"), lm.Dense(1)], seed=0)
    trainer = lm.Trainer(model, loss="mse", optimizer="adam", metrics=["mae"])
    begin = time.perf_counter()
    data = (x[validation], y[validation])
    history = trainer.fit(
        x[train], y[train], epochs=20, batch_size=batch_size, validation_data=data, verbose=0
    )
    seconds = time.perf_counter() - begin
    error = history["val_mae"]
    steps = -(-len(train) // batch_size)
    print(f"{batch_size:10} {steps:15} {20 * steps:10} {error[-1]:17.3f}  {seconds:.2f} s")
    epochs = np.arange(1, 21)
    left.plot(epochs, error, "o-", color=color, markersize=3)
    right.plot(epochs * steps, error, "o-", color=color, markersize=3, label=f"{batch_size} rows")
print("More steps learn more from the same rows, and cost more time: start with 32 to 256 rows.")
left.set(title="By epochs: how often each row was seen", xlabel="epochs", yscale="log")
left.yaxis.set(major_formatter="{x:g}", minor_formatter="{x:g}")
left.set(ylabel="average error on new diamonds (log price)", xticks=range(0, 21, 5))
right.legend(title="batch size", loc="lower left")
right.set(title="By steps: how often the weights were moved", xlabel="steps", xscale="log")
for ax in (left, right):
    ax.grid(alpha=0.3)
folder = sys.argv[1] if len(sys.argv) > 1 else "."
figure.savefig(f"{folder}/q06_training.png", dpi=120)
