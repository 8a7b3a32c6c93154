"""The verdict: words for made-up numbers on both sides, its laws, and small real trainings."""

import dataclasses
import math

import numpy as np
import pytest

import lamina as lm
from lamina.diagnosis import Facts, TrialFacts, diagnose, verdict


def falling(end, epochs=20, start=1.0, rate=0.5):
    """A curve that falls exponentially to `end`."""
    return [end + (start - end) * math.exp(-rate * (n + 1)) for n in range(epochs)]


def facts(train, val, **known):
    """Facts of curves in inference mode; the end is that of the curves unless it is given."""
    settings = {
        "final_train_loss": train[-1] if train else None,
        "final_val_loss": val[-1] if val else None,
        "baseline_loss": 1.0,
        **known,
    }
    return Facts(
        loss=list(train),
        train_loss_eval=list(train),
        val_loss=list(val),
        epoch=list(range(len(train))),
        **settings,
    )


def turning(lowest, end, epochs=40):
    """A validation curve that falls to `lowest` in the middle and rises to `end`."""
    half = epochs // 2
    down = np.linspace(0.8, lowest, half)
    return [*down, *np.linspace(lowest, end, epochs - half + 1)[1:]]


GOOD = facts(falling(0.1), falling(0.12))
OVER = facts(falling(0.01, 40), turning(0.3, 0.5))
EARLY = facts(falling(0.01, 40), turning(0.3, 0.5), final_train_loss=0.1, final_val_loss=0.3)
UNDER = facts(falling(0.2, 6, rate=0.05), falling(0.22, 6, rate=0.05))
CASES = {
    "good fit": [GOOD, EARLY],
    "overfitting": [OVER],
    "underfitting": [
        UNDER,
        facts(falling(1.02), falling(1.05)),
        facts(falling(0.97), falling(0.98), least_loss=0.0),
    ],
    "undecided": [
        Facts(),
        facts(falling(0.1), []),
        facts(falling(0.1, 1), falling(0.12, 1)),
        dataclasses.replace(GOOD, stop_reason="diverged: the loss became non-finite"),
    ],
}
ALL = [(word, one) for word, found in CASES.items() for one in found]


@pytest.mark.parametrize(("word", "one"), ALL)
def test_the_word(word, one):
    assert verdict(one)[0] == word


def test_undecided_says_what_is_missing():
    assert "no validation data" in verdict(facts(falling(0.1), []))[1]
    assert "1 epoch" in verdict(facts(falling(0.1, 1), falling(0.12, 1)))[1]
    assert "diverged" in verdict(dataclasses.replace(GOOD, stop_reason="diverged: …"))[1]


def test_about_equal_losses_are_no_overfitting():
    """… nor is a training loss a little below, or (with dropout) above the other."""
    for val in (0.1, 0.105, 0.13, 0.09):
        assert verdict(facts(falling(0.1), falling(val)))[0] == "good fit"


def test_it_is_about_the_weights_one_holds():
    assert verdict(OVER)[0] == "overfitting"
    assert verdict(EARLY)[0] == "good fit"
    (hint,) = [one for one in diagnose(EARLY) if one.code == "OVERFIT"]
    assert hint.level == "hint"


def test_like_is_compared_with_like():
    """The running loss, with dropout far above, decides only where there is nothing else."""
    running = falling(0.6)
    one = dataclasses.replace(GOOD, loss=running)
    assert verdict(one) == verdict(GOOD)
    alone = dataclasses.replace(one, train_loss_eval=[], final_train_loss=None)
    assert "mean over the epoch" in verdict(alone)[1]


def test_a_plain_network_that_gets_much_further_is_underfitting():
    reference = TrialFacts("reference", 30, 0.1, 0.12)
    stuck = facts(falling(0.5), falling(0.52), trials=[reference])
    assert verdict(stuck)[0] == "underfitting"
    assert verdict(dataclasses.replace(stuck, trials=[]))[0] == "good fit"


def test_who_learns_the_training_rows_alone_is_overfitting():
    one = facts(falling(0.5), falling(0.98), least_loss=0.0)
    assert verdict(one)[0] == "overfitting"


def test_where_a_plain_network_learns_nothing_nobody_knows():
    plain = TrialFacts("reference", 30, 0.95, 1.01)
    one = facts(falling(0.97), falling(0.98), least_loss=0.0, trials=[plain])
    assert verdict(one)[0] == "undecided"


# ---- laws


def changed(one, scale, shift):
    """The same training with another unit, and another zero, of its loss."""

    def new(value):
        return None if value is None else scale * value + shift

    trials = [
        dataclasses.replace(trial, train_loss=new(trial.train_loss), val_loss=new(trial.val_loss))
        for trial in one.trials
    ]
    lists = {
        name: [new(value) for value in getattr(one, name)]
        for name in ("loss", "val_loss", "train_loss_eval")
    }
    ends = {
        name: new(getattr(one, name))
        for name in ("final_train_loss", "final_val_loss", "baseline_loss", "least_loss")
    }
    return dataclasses.replace(one, trials=trials, **lists, **ends)


REFERENCE = TrialFacts("reference", 30, 0.05, 0.1)
TRIED = [
    dataclasses.replace(one, trials=[REFERENCE, *more])
    for one in (GOOD, OVER, UNDER, facts(falling(0.6), falling(0.62)))
    for more in (
        [],
        [TrialFacts("longer", 20, 0.1, 0.14)],
        [TrialFacts("again", 20, 0.7, 0.7), TrialFacts("again_slower", 20, 0.1, 0.12)],
    )
]


@pytest.mark.parametrize("one", [*(one for _, one in ALL), *TRIED])
@pytest.mark.parametrize(("scale", "shift"), [(1e-6, 0), (37.0, 0), (1.0, -5.0), (1e4, 3e3)])
def test_unit_and_zero_of_the_loss_do_not_matter(one, scale, shift):
    before, after = diagnose(one), diagnose(changed(one, scale, shift))
    assert after.verdict == before.verdict
    assert after.codes == before.codes


@pytest.mark.parametrize(("word", "one"), ALL[:5])
def test_going_on_at_the_same_losses_changes_no_good_or_overfitting(word, one):
    if word == "underfitting":  # then it has come to its end
        return
    last = [one.train_loss_eval[-1]] * 10, [one.val_loss[-1]] * 10
    longer = facts(
        [*one.train_loss_eval, *last[0]],
        [*one.val_loss, *last[1]],
        final_train_loss=one.final_train_loss,
        final_val_loss=one.final_val_loss,
    )
    assert verdict(longer)[0] == word


# ---- small real trainings


@pytest.fixture(scope="module")
def diamonds():
    table = lm.datasets.load_diamonds()
    names = ("carat", "depth", "table", "x", "y", "z")
    rows = np.random.default_rng(1).permutation(len(table["price"]))[:1600]
    X = np.column_stack([table[name] for name in names])[rows]
    y = np.log(table["price"])[rows]
    return (X - X.mean(axis=0)) / X.std(axis=0), y - y.mean()


def trained(diamonds, rows, hidden=(32, 32), epochs=20, rate=2e-3, **how):
    X, y = diamonds
    layers = [lm.Dense(units, activation="relu") for units in hidden]
    model = lm.Model([lm.Input(6), *layers, lm.Dense(1)], seed=0)
    trainer = lm.Trainer(model, loss="mse", optimizer=lm.Adam(rate), num_threads=1)
    return trainer.fit(
        X[:rows],
        y[:rows],
        epochs=epochs,
        batch_size=32,
        validation_data=(X[1000:], y[1000:]),
        verbose=0,
        **how,
    )


@pytest.mark.parametrize("monitor", [False, True])
def test_enough_rows_and_epochs_are_a_good_fit(diamonds, monitor):
    history = trained(diamonds, 1000, epochs=30, monitor=monitor)
    assert history.verdict == "good fit"
    assert history.diagnose().codes == []


def test_few_rows_and_many_epochs_are_overfitting(diamonds):
    history = trained(diamonds, 30, (128, 128), epochs=300)
    found = history.diagnose()
    assert (found.verdict, found.codes) == ("overfitting", ["OVERFIT"])
    lowest = int(np.argmin(history["val_loss"]))
    assert abs(found[0].epoch - lowest) <= 2


def test_the_best_weights_kept_are_a_good_fit(diamonds):
    stop = lm.EarlyStopping(patience=25)
    assert trained(diamonds, 30, (128, 128), 300, callbacks=[stop]).verdict == "good fit"


def test_too_short_is_underfitting(diamonds):
    assert trained(diamonds, 300, epochs=3, rate=3e-4).verdict == "underfitting"
    assert trained(diamonds, 300, epochs=20, rate=1e-5).verdict == "underfitting"


def test_no_validation_data_is_undecided(diamonds):
    X, y = diamonds
    model = lm.Model([lm.Input(6), lm.Dense(1)], seed=0)
    history = lm.Trainer(model, loss="mse", num_threads=1).fit(X, y, epochs=3, verbose=0)
    assert history.verdict == "undecided"


def test_a_training_that_diverged_says_so(diamonds):
    with pytest.warns(RuntimeWarning, match="diverged"):
        history = trained(diamonds, 300, rate=1e30)
    found = history.diagnose()
    assert found.verdict == "undecided"
    assert found.codes == ["DIVERGED"]


def test_a_notebook_shows_it_escaped(diamonds):
    history = trained(diamonds, 30, (128, 128), epochs=300)
    text = history.diagnose()._repr_html_()
    assert "<b>overfitting</b>" in text
    assert "<b>OVERFIT</b>" in text
    marked = Facts(stop_reason="diverged: layer <b> gives inf")
    assert "layer &lt;b&gt; gives inf" in diagnose(marked)._repr_html_()
