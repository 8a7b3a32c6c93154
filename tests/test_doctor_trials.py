"""The doctor's small trainings: what they begin with, how much they do, what they tell."""

import dataclasses
import math

import numpy as np
import pytest

import lamina as lm
from lamina.data import Dataset
from lamina.diagnosis import Facts
from lamina.examination import examine
from lamina.examination.from_trials import trial_facts
from lamina.examination.reference import reference
from lamina.examination.trials import TooLargeError, Trials, again, continued
from lamina.examination.visit import Visit


def rows(count=300, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(count, 3))
    return X, np.sin(2 * X[:, :1]) + X[:, 1:2]


def trained(X, y, *, optimizer=None, layers=None, **fit):
    layers = layers or [lm.Dense(16, "relu"), lm.Dense(1)]
    model = lm.Model([lm.Input(X.shape[1]), *layers], seed=0)
    trainer = lm.Trainer(model, loss="mse", optimizer=optimizer or lm.Adam(3e-3), num_threads=1)
    trainer.fit(X, y, **{"epochs": 6, "batch_size": 32, "verbose": 0, **fit})
    return trainer


def visit_of(trainer, X, y, held_out=None):
    validation = None if held_out is None else trainer._dataset(*held_out, None)
    names = [[str(place) for place in range(X.shape[1])]]
    return Visit.of(trainer, trainer._dataset(X, y, None), validation, names, 0)


# ---- copies


@pytest.mark.parametrize(
    "optimizer",
    [
        lm.Adam(1e-3),
        lm.Momentum(0.01, 0.9),
        lm.Adam(lm.Constant(1e-3)),
        lm.AdamW(2e-3, weight_decay=0.1, use_ema=True),
    ],
    ids=lambda one: type(one).__name__,
)
def test_a_copy_goes_on_as_its_original_would(optimizer):
    X, y = rows()
    trainer = trained(X, y, optimizer=optimizer)
    copy = continued(trainer, 1.0)
    for one in (trainer, copy):
        one.fit(X, y, epochs=2, batch_size=32, verbose=0)
    assert copy.model.fingerprint() == trainer.model.fingerprint()


@pytest.mark.parametrize("factor", [0.1, 1.0, 10.0])
def test_rates_are_shares_of_the_usual_one(factor):
    X, y = rows()
    trainer = trained(X, y, optimizer=lm.Adam(4e-3))
    trainer.optimizer.scale_learning_rate(0.5)  # as ReduceLROnPlateau does, after those epochs
    for made in (continued(trainer, factor), again(trainer, factor)):
        assert made.optimizer.current_learning_rate == pytest.approx(4e-3 * factor)
    assert trainer.optimizer.current_learning_rate == pytest.approx(2e-3)


def test_after_a_schedule_it_is_the_median():
    X, y = rows()
    trainer = trained(X, y, optimizer=lm.Adam(lm.Cosine(4e-3)))
    usual = float(np.median(trainer.history.learning_rate))
    assert 1e-3 < usual < 4e-3
    copy = continued(trainer, 1.0)
    assert copy.optimizer.current_learning_rate == pytest.approx(usual)
    assert copy.model.fingerprint() == trainer.model.fingerprint()
    assert again(trainer).optimizer.current_learning_rate == pytest.approx(usual)


def test_who_begins_again_has_the_first_weights():
    X, y = rows()
    layers = [lm.Dense(16, "relu"), lm.BatchNormalization(), lm.Dense(1)]
    fresh = lm.Model([lm.Input(3), *layers], seed=0)
    expected = fresh.fingerprint()
    trainer = lm.Trainer(fresh, loss="mse", num_threads=1)
    trainer.fit(X, y, epochs=2, verbose=0)
    assert fresh.fingerprint() != expected
    assert again(trainer).model.fingerprint() == expected


def test_what_is_frozen_or_adapted_stays_as_it_is():
    X, y = rows()
    layers = [lm.Normalization(), lm.Dense(4, "relu", trainable=False), lm.Dense(1)]
    model = lm.Model([lm.Input(3), *layers], seed=0)
    model.layers[1].kernel = np.arange(12.0).reshape(3, 4)
    trainer = lm.Trainer(model, loss="mse", num_threads=1)
    trainer.fit(X * 5, y, epochs=2, verbose=0)
    made = again(trainer).model
    np.testing.assert_array_equal(made.layers[1].kernel, model.layers[1].kernel)
    np.testing.assert_array_equal(made.layers[0].center, model.layers[0].center)
    assert not np.array_equal(made.layers[2].kernel, model.layers[2].kernel)
    assert made.predict(X).shape == (300, 1)


# ---- how much they do


def test_how_large_a_trial_is_follows_from_the_budget_and_the_network():
    X, y = rows(4000)
    trainer = trained(X, y, epochs=1)
    large = trained(X, y, epochs=1, layers=[lm.Dense(512, "relu"), lm.Dense(512), lm.Dense(1)])
    visit = visit_of(trainer, X, y)
    sizes = {
        (which, budget): Trials(visit, budget).size(one, 1000, 32)
        for which, one in (("small", trainer), ("large", large))
        for budget in (2.0, 5.0)
    }
    assert sizes["small", 5.0] == (4000, 25, 10)  # 100000 rows in all
    assert sizes["small", 2.0] == (4000, 25, 10)
    assert sizes["large", 2.0][2] < sizes["large", 5.0][2] < 10
    visited = {key: rows * epochs for key, (rows, epochs, _) in sizes.items()}
    assert visited["large", 2.0] < visited["large", 5.0] < visited["small", 5.0]
    with pytest.raises(TooLargeError):
        Trials(visit, 1e-4).size(large, 1000, 32)
    assert Trials(visit, 5.0).size(trainer, 7, 32)[:2] == (4000, 7)
    steps = Trials(visit, 5.0).size(trainer, 1000, 1)
    assert steps[0] * steps[1] <= 4000


def test_a_network_that_is_too_large_has_no_trials():
    X, y = rows(2000)
    trainer = trained(X, y, layers=[lm.Dense(1024, "relu"), lm.Dense(1024), lm.Dense(1)], epochs=1)
    diagnosis = lm.doctor(trainer.model, trainer, X, y, time_budget=1e-3)
    assert diagnosis.left_out[1].startswith("trials reference, longer, slower, faster, again, ")
    assert diagnosis.left_out[1].endswith(": the network is too large for this time_budget")
    assert len(diagnosis.left_out) == 2


def test_trials_are_of_as_many_epochs_as_the_fit():
    X, y = rows()
    trainer = trained(X, y, epochs=9)
    facts = examine(trainer.model, trainer, X, y, rows(100, 1))
    trial = facts.trial("longer")
    assert (trial.epochs, trial.rows, trial.steps) == (9, 300, 90)
    assert len(trial.train_losses) == len(trial.val_losses) == 10
    assert trial.train_losses[0] == facts.final_train_loss
    assert trial.val_losses[0] == facts.final_val_loss
    assert trial.val_loss == min(trial.val_losses[1:])
    assert trial.train_loss == trial.train_losses[trial.val_losses.index(trial.val_loss)]


# ---- what they tell


def test_a_trial_that_diverges_has_an_infinite_loss():
    X, y = rows()
    trainer = trained(X, y, optimizer=lm.SGD(0.1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lamina.examination.trials._EPOCHS", 5)
        trial = Trials(visit_of(trainer, X, y, rows(99, 1)), 5.0).run(
            "faster", continued(trainer, 1e12), 5
        )
    assert trial.diverged
    assert (trial.train_loss, trial.val_loss) == (math.inf, math.inf)


def test_the_same_network_on_scaled_rows():
    """As if the user had scaled them: the losses are in the units of the targets."""
    X, y = rows(400)
    plain = trained(X, y)
    scaled = trained(X * [1.0, 500.0, 1.0], 1000 * y + 5000)
    here, there = (
        examine(one.model, one, given[0], given[1])
        for one, given in ((plain, (X, y)), (scaled, (X * [1.0, 500.0, 1.0], 1000 * y + 5000)))
    )
    reached = there.trial("scaled").train_loss / 1000**2
    assert reached == pytest.approx(here.trial("scaled").train_loss, rel=1e-3)
    assert there.trial("scaled_input").train_loss / 1000**2 > 2 * reached
    assert there.trial("scaled_target").train_loss / 1000**2 > 1.2 * reached


def test_the_reference_takes_targets_of_any_unit():
    X, y = rows(500)
    losses = []
    for unit, zero in ((1.0, 0.0), (1e5, 3e6), (1e-5, 0.0)):
        trainer = trained(X, y * unit + zero, epochs=1)
        visit = visit_of(trainer, X, y * unit + zero)
        made = reference(visit)
        made.model.adapt(visit.train.inputs[0])
        made.fit(visit.train.inputs[0], visit.train.targets[0], epochs=20, verbose=0)
        losses.append(visit.loss(made, visit.seen) / unit**2)
    np.testing.assert_allclose(losses, losses[0], rtol=0.05)
    assert losses[0] < 0.2 * y.var()


def test_the_reference_stops_early_and_is_judged_by_rows_it_has_not_seen():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 10)), rng.normal(size=(300, 1))
    trainer = trained(X, y)
    with_rows = examine(trainer.model, trainer, X, y, (X[:100], rng.normal(size=(100, 1))))
    without = examine(trainer.model, trainer, X, y)
    for facts in (with_rows, without):
        plain = facts.trial("reference")
        assert plain.epochs < 100
        assert plain.val_loss > 0.8 * facts.baseline_loss
        assert plain.val_loss > plain.train_loss
    assert without.trial("reference").rows == 225
    assert math.isnan(without.trial("longer").val_loss)


def test_the_balanced_trial_tells_of_recall():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 2))
    y = (X[:, 0] + 0.8 * rng.normal(size=600) > 2.2).astype(int)
    layers = [lm.Dense(8, "relu"), lm.Dense(2, "softmax")]
    model = lm.Model([lm.Input(2), *layers], seed=0)
    trainer = lm.Trainer(model, loss="cce", optimizer=lm.Adam(5e-3), num_threads=1)
    trainer.fit(X, y, epochs=10, batch_size=32, verbose=0)
    facts = examine(model, trainer, X, y)
    assert facts.trial("balanced").recall[1] > facts.data.recall[1] + 0.2
    weighed = lm.Trainer(lm.Model([lm.Input(2), lm.Dense(2, "softmax")], seed=0), loss="cce")
    weighed.fit(X, y, epochs=2, class_weight="balanced", verbose=0)
    assert examine(weighed.model, weighed, X, y).trial("balanced") is None


def test_a_trial_that_cannot_be_made_is_left_out():
    """A schedule whose length comes from fit runs for one fit alone."""
    X, y = rows()
    optimizer = lm.Momentum(0.01, momentum=lm.schedules.Cosine(0.9))
    trainer = trained(X, y, optimizer=optimizer)
    visit = visit_of(trainer, X, y)
    found = trial_facts(visit, Facts(), 5.0)
    assert "reference" in {one.name for one in found}
    assert [one for one in visit.left_out if one.startswith("trials longer, ")]


def test_class_weights_of_the_fit_count_in_trials():
    X, _ = rows()
    y = (X[:, 0] > 1).astype(int)
    model = lm.Model([lm.Input(3), lm.Dense(2, "softmax")], seed=0)
    trainer = lm.Trainer(model, loss="cce")
    trainer.fit(X, y, epochs=1, class_weight={0: 1.0, 1: 7.0}, verbose=0)
    visit = visit_of(trainer, X, y)
    labels = np.asarray(visit.train.targets[0])
    np.testing.assert_array_equal(visit.train.weights, np.where(labels == 1, 7.0, 1.0))
    assert visit.seen.weights is None
    weighted = visit.weighted(Dataset([], [labels], np.full(len(labels), 0.5)))
    np.testing.assert_array_equal(weighted.weights, np.where(labels == 1, 3.5, 0.5))
    assert dataclasses.replace(visit, class_weight={}).weighted(visit.seen) is visit.seen
