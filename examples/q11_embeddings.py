"""Question: do learned vectors of categories beat columns of 0 and 1?

One-hot, every clarity of a diamond is as far from its neighbour as from any other. An Embedding
learns a few numbers for each: what means the same for the price comes to lie close together.
"""

import sys

import numpy as np
from matplotlib.figure import Figure

import lamina as lm

table = lm.datasets.load_diamonds()
y = np.log(table.pop("price"))  # an error of 0.1 is about 10 % of the price
encoder = lm.TableEncoder().fit(table)
numbers, codes = encoder.transform(table)  # codes: cut, color, clarity
rows, ends = np.random.default_rng(0).permutation(len(y)), {}
train, validation, test = (
    ({"numbers": numbers[r], "codes": codes[r]}, y[r]) for r in np.split(rows, [30_000, 40_000])
)


def learn(kind, seed):
    a = lm.Input(numbers.shape[1], name="numbers")
    b = lm.Input(3, kind="codes", cardinalities=encoder.cardinalities, name="codes")
    vectors = lm.Embedding(4, name="vectors")
    categories = lm.OneHot() if kind == "one-hot" else vectors
    x = lm.Concatenate()([lm.RobustScale()(a), categories(b)])
    x = lm.Dense(64, "relu")(lm.Dense(64, "relu")(x))
    model = lm.Model(inputs=[a, b], outputs=lm.Dense(1, name="price")(x), seed=seed)
    model["price"].bias[:] = train[1].mean()
    trainer = lm.Trainer(model, loss="mse", optimizer=lm.Adam(lm.OneCycle(6e-3)), metrics="rmse")
    history = trainer.fit(*train, epochs=15, validation_data=validation, verbose=0)
    return model, history["val_rmse"], trainer.evaluate(*test)["root_mean_squared_error"]


left, right = (figure := Figure(figsize=(11, 4.5), layout="constrained")).subplots(1, 2)
print("Error of the logarithm of 13,940 prices, three seeds")
for name in ("one-hot", "embedding"):
    models, curves, errors = zip(*(learn(name, seed) for seed in range(3)), strict=True)
    ends[name] = np.mean(errors)
    print(f"{name:10}", *(f"{error:.4f}" for error in errors), f" mean {ends[name]:.4f}")
    left.plot(np.mean(curves, axis=0), label=f"{name} → {ends[name]:.4f}")
assert ends["embedding"] < 0.97 * ends["one-hot"]
vectors = models[0]["vectors"].embeddings[2][1:]  # of the third column; row 0: missing
levels = encoder.columns[3].levels
main, second = np.linalg.svd(vectors - vectors.mean(axis=0))[2][:2] @ vectors.T
order = np.argsort(main * np.sign(main[levels.index("IF")] - main[levels.index("I1")]))
print("Clarity along the vectors' main axis:", found := " ".join(levels[i] for i in order))
assert found == "I1 SI2 SI1 VS2 VS1 VVS2 VVS1 IF"  # from worst to best
right.plot(main[order], second[order], "o-")
for i in order:
    right.annotate(levels[i], (main[i], second[i]), xytext=(6, -4), textcoords="offset points")
left.set(title="While training", xlabel="epochs", ylabel="validation error of log price")
right.set(title="Clarity, worst (I1) to best (IF)", xlabel="main axis", ylabel="second axis")
right.margins(0.12)
left.legend(title="error at the end")
folder = sys.argv[1] if len(sys.argv) > 1 else "."
figure.savefig(f"{folder}/q11_embeddings.png", dpi=100)
