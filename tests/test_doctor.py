"""lm.doctor: what it looks at, what it finds, and that it changes nothing."""

import json

import numpy as np
import pytest

import lamina as lm
from lamina.diagnosis import Facts, diagnose
from lamina.examination import examine


def data(rows=400, seed=0, columns=4):
    """Return rows of three classes that a small network can tell apart."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, columns))
    return X, (X[:, 0] + X[:, 1] ** 2 > 0.5).astype(int) + (X[:, 2] > 0.8)


def trained(X, y, *, layers=None, loss="cce", optimizer=None, **fit):
    """Return the trainer of a small network after a fit."""
    layers = layers or [lm.Dense(16, activation="relu"), lm.Dense(3, activation="softmax")]
    model = lm.Model([lm.Input(X.shape[1]), *layers], seed=0)
    trainer = lm.Trainer(
        model,
        loss=loss,
        optimizer=optimizer or lm.Adam(3e-3),
        metrics=["accuracy"][: loss == "cce"],
    )
    trainer.num_threads = 1
    trainer.fit(X, y, **{"epochs": 6, "batch_size": 32, "verbose": 0, **fit})
    return trainer


def everything_of(trainer):
    return (
        trainer.model.fingerprint(),
        trainer._core.state(),
        trainer.history.to_json(),
        repr(trainer._plan),
        trainer.optimizer.current_learning_rate,
        trainer.model._core.spec,
        np.random.get_state()[1].tolist(),  # noqa: NPY002
    )


@pytest.mark.parametrize("monitor", [False, True])
def test_a_visit_changes_nothing(monitor):
    X, y = data()
    trainer = trained(X, y, monitor=monitor, validation_data=data(200, 1))
    before, X_before, y_before = everything_of(trainer), X.copy(), y.copy()
    lm.doctor(trainer.model, trainer, X, y, data(200, 1))
    assert everything_of(trainer) == before
    np.testing.assert_array_equal(X, X_before)
    np.testing.assert_array_equal(y, y_before)


def test_training_goes_on_as_if_nobody_had_looked():
    X, y = data()
    one, other = trained(X, y), trained(X, y)
    lm.doctor(one.model, one, X, y)
    for trainer in (one, other):
        trainer.fit(X, y, epochs=2, batch_size=32, verbose=0)
    assert one.model.fingerprint() == other.model.fingerprint()


def test_two_visits_say_the_same():
    X, y = data()
    trainer = trained(X, y)
    facts = [examine(trainer.model, trainer, X, y, data(200, 1), seed=s) for s in (3, 3, 4)]
    texts = [json.dumps(one.to_dict()) for one in facts]
    assert texts[0] == texts[1] != texts[2]
    again = Facts.from_dict(json.loads(texts[0]))
    assert repr(diagnose(again)) == repr(diagnose(facts[0]))
