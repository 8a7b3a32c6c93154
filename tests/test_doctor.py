"""lm.doctor: what it looks at, what it finds, and that it changes nothing."""

import copy
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


# ---- what it is given


def test_a_validation_split_is_drawn_again():
    X, y = data(600)
    trainer = trained(X, y, validation_split=0.25)
    facts = examine(trainer.model, trainer, X, y, time_budget=0)
    assert (facts.data.rows, facts.data.validation_rows) == (450, 150)
    assert facts.final_val_loss == pytest.approx(trainer.history["val_loss"][-1], rel=1e-6)
    assert facts.about["left_out"] == ["all trials: time_budget is 0"]


def test_of_other_data_no_split_is_drawn():
    """They may be the very rows that were trained on."""
    X, y = data(600)
    trainer = trained(X, y, validation_split=0.25)
    before = trainer._split
    facts = examine(trainer.model, trainer, X[:450], y[:450], time_budget=0)
    assert (facts.data.rows, facts.data.validation_rows) == (450, 0)
    assert trainer._split is before


def test_losses_are_those_of_evaluate():
    (X, y), held_out = data(), data(200, 1)
    trainer = trained(X, y)
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    facts = examine(
        *(trainer.model, trainer, X, y, (*held_out, weight[:200])),
        sample_weight=weight,
        time_budget=0,
    )
    train = trainer.evaluate(X, y, sample_weight=weight)["loss"]
    assert facts.final_train_loss == pytest.approx(train, rel=1e-6)
    expected = trainer.evaluate(*held_out, sample_weight=weight[:200])["loss"]
    assert facts.final_val_loss == pytest.approx(expected, rel=1e-6)


def test_without_validation_rows_it_says_so():
    X, y = data()
    trainer = trained(X, y)
    diagnosis = lm.doctor(trainer.model, trainer, X, y)
    assert diagnosis.verdict == "undecided"
    assert diagnosis.left_out == ["new rows: there are no validation data that would tell of them"]
    assert "not looked at: new rows" in repr(diagnosis)
    assert "not looked at: new rows" in diagnosis._repr_html_()


def test_many_rows_are_sampled():
    X, y = data(20_000)
    trainer = trained(X, y, epochs=1, batch_size=500)
    facts = examine(trainer.model, trainer, X, y, data(9000, 1))
    assert (facts.data.rows, facts.data.validation_rows) == (20_000, 9000)
    assert (facts.data.target_rows, facts.data.validation_target_rows) == (4000, 4000)
    assert max(trial.rows for trial in facts.trials) == 20_000


def test_memory_maps_and_lists_are_taken(tmp_path):
    X, y = data()
    trainer = trained(X, y)
    expected = examine(trainer.model, trainer, X, y).to_dict()
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert json.dumps(examine(trainer.model, trainer, mapped, y).to_dict()) == json.dumps(expected)
    listed = examine(trainer.model, trainer, X.tolist(), y.tolist())
    assert json.dumps(listed.to_dict()) == json.dumps(expected)


def test_several_inputs_and_outputs():
    rng = np.random.default_rng(0)
    a, b = lm.Input(3, name="a"), lm.Input(2, name="b", kind="codes", cardinalities=[4, 5])
    hidden = lm.Dense(8, activation="relu")(lm.Concatenate()([a, lm.Embedding(2)(b)]))
    ends = [lm.Dense(1, name="price")(hidden), lm.Dense(2, "softmax", name="sold")(hidden)]
    model = lm.Model(inputs=[a, b], outputs=ends, seed=0)
    trainer = lm.Trainer(model, loss={"price": "mse", "sold": "cce"}, num_threads=1)
    X = {"a": rng.normal(size=(300, 3)) * [1, 1, 500], "b": rng.integers(0, 4, (300, 2))}
    y = {"price": X["a"][:, :1] + X["a"][:, 2:] / 500, "sold": (X["b"][:, 0] > 1).astype(int)}
    trainer.fit(X, y, epochs=10, batch_size=32, verbose=0)
    facts = examine(model, trainer, X, y)
    assert [column.name for column in facts.data.columns] == ["a[0]", "a[1]", "a[2]"]
    assert facts.data.classes == np.bincount(y["sold"]).tolist()
    names = {trial.name for trial in facts.trials}
    assert {"reference", "longer", "again", "scaled_input"} <= names
    assert "scaled_target" not in names
    assert facts.about["left_out"][1] == "the columns of the input 'b': codes"
    only_price = lm.Trainer(model, loss={"price": "mse"}, num_threads=1)
    only_price.fit(X, {"price": y["price"]}, epochs=2, verbose=0)
    facts = examine(model, only_price, X, {"price": y["price"]})
    assert {"reference", "longer", "again"} <= {trial.name for trial in facts.trials}
    assert facts.data.targets == 1


def test_sparse_input():
    class Sparse:
        """What looks like SciPy's CSR."""

        def __init__(self, X):
            rows, self.indices = np.nonzero(X)
            self.data, self.shape = X[rows, self.indices], X.shape
            self.indptr = np.searchsorted(rows, np.arange(len(X) + 1))

    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 30)) * (rng.random((300, 30)) < 0.1)
    y = X[:, :1] - X[:, 1:2]
    model = lm.Model([lm.Input(30, kind="sparse"), lm.Dense(8, "relu"), lm.Dense(1)], seed=0)
    trainer = lm.Trainer(model, loss="mse", num_threads=1)
    trainer.fit(Sparse(X), y, epochs=10, batch_size=32, verbose=0)
    facts = examine(model, trainer, Sparse(X), y, (Sparse(X[:100]), y[:100]))
    assert facts.data.columns == []
    assert facts.data.model_loss == pytest.approx(np.mean((model.predict(X[:100]) - y[:100]) ** 2))
    assert {"reference", "longer", "again"} <= {trial.name for trial in facts.trials}
    assert facts.trial("reference").val_loss < facts.baseline_loss


@pytest.mark.parametrize("loss", ["gaussian_nll", "quantile"])
def test_other_outputs_than_targets(loss):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2)) * 1000
    y = X[:, :1] / 1000
    width = 2 if loss == "gaussian_nll" else 1
    trainer = trained(X, y, layers=[lm.Dense(8, "relu"), lm.Dense(width)], loss=loss)
    facts = examine(trainer.model, trainer, X, y)
    assert facts.baseline_loss is not None
    assert "reference" in {trial.name for trial in facts.trials}


def test_several_labels_from_logits():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    y = (X[:, :1] > [[-0.5, 0.0, 0.5]]).astype(float)
    loss = lm.losses.BinaryCrossentropy(from_logits=True)
    trainer = trained(X, y, layers=[lm.Dense(3)], loss=loss)
    facts = examine(trainer.model, trainer, X, y, (X[:80], y[:80]))
    assert facts.about["left_out"] == []
    share = y.mean(axis=0)
    entropy = -(y[:80] * np.log(share) + (1 - y[:80]) * np.log(1 - share)).mean()
    assert facts.baseline_loss == pytest.approx(entropy, rel=1e-4)
    assert facts.trial("reference").val_loss < 0.5 * facts.baseline_loss


def test_pictures_and_missing_values():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4, 5))
    y = X[:, 0, 0]
    X[:, 1] = np.nan
    layers = [lm.Flatten(), lm.Impute(), lm.Dense(1)]
    model = lm.Model([lm.Input((4, 5)), *layers], seed=0)
    trainer = lm.Trainer(model, loss="mse", num_threads=1)
    trainer.fit(X, y, epochs=2, verbose=0)
    facts = examine(model, trainer, X, y, (X[:50], y[:50]))
    assert [column.name for column in facts.data.columns] == [str(place) for place in range(20)]
    assert {"reference", "longer", "scaled"} <= {trial.name for trial in facts.trials}


def test_a_loss_of_ones_own():
    def relative(y_true, y_pred):
        error = y_pred / y_true - 1
        return (error**2).mean(axis=1), 2 * error / y_true / y_pred.shape[1]

    X = np.random.default_rng(0).normal(size=(200, 2))
    y = 2.0 ** X[:, :1]
    trainer = trained(X, y, layers=[lm.Dense(8, "tanh"), lm.Dense(1)], loss=relative)
    facts = examine(trainer.model, trainer, X, y)
    assert facts.about["loss"] == "relative"
    assert facts.baseline_loss > facts.trial("reference").val_loss
    assert facts.trial("scaled_target") is None  # it would be another loss


def a_function(step):
    return 1e-3


@pytest.mark.parametrize(
    "how",
    [
        {"optimizer": lm.SGD(1e9)},  # diverges in the first epoch
        {"optimizer": lm.Adam(a_function)},
        {"layers": [lm.Dense(4), lm.Dropout(lm.schedules.Function(a_function)), lm.Dense(1)]},
        {"layers": [lm.Dense(4, trainable=False), lm.Dense(1)]},
        {"layers": [lm.Model([lm.Input(3), lm.Dense(4)]), lm.Residual([lm.Dense(4)]), lm.Dense(1)]},
        {"layers": [lm.Dense(1, "softplus")], "loss": "poisson"},
        {"sample_weight": np.r_[np.ones(30), np.zeros(30)]},
        {"rows": 3},
        {"target": 0.0},
        {"dtype": np.int16},
        {"dtype": bool},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:diverged")
def test_odd_trainings_can_be_examined(how):
    rng = np.random.default_rng(0)
    X = (3 * rng.normal(size=(60, 3))).astype(how.get("dtype", float))[: how.get("rows")]
    y = how.get("target", 1.0) * np.abs(X[:, :1].astype(float))
    weight = how.get("sample_weight")
    trainer = trained(
        *(X, y),
        layers=how.get("layers", [lm.Dense(4, "relu"), lm.Dense(1)]),
        loss=how.get("loss", "mse"),
        optimizer=copy.deepcopy(how.get("optimizer")),
        sample_weight=weight,
    )
    before = everything_of(trainer)
    facts = examine(trainer.model, trainer, X, y, (X[:2], y[:2]), sample_weight=weight)
    assert everything_of(trainer) == before
    assert facts.trial("reference") is not None
    assert repr(diagnose(facts)) == repr(diagnose(Facts.from_dict(facts.to_dict())))


# ---- what it refuses


def test_it_refuses_what_does_not_go_together():
    X, y = data()
    trainer, other = trained(X, y), trained(X, y)
    before = everything_of(trainer)
    with pytest.raises(ValueError, match="trains another model"):
        lm.doctor(other.model, trainer, X, y)
    with pytest.raises(TypeError, match="expected a Model and its Trainer, got Trainer and Model"):
        lm.doctor(trainer, trainer.model, X, y)
    new = lm.Trainer(lm.Model([lm.Input(4), lm.Dense(3, "softmax")], seed=0), loss="cce")
    with pytest.raises(ValueError, match=r"nothing has been trained yet; call trainer\.fit"):
        lm.doctor(new.model, new, X, y)
    with pytest.raises(TypeError, match="a stream cannot be examined"):
        lm.doctor(trainer.model, trainer, lm.ArrayStream(X, y), None)
    with pytest.raises(TypeError, match="a stream cannot be examined"):
        lm.doctor(trainer.model, trainer, X, y, lm.ArrayStream(X, y))
    with pytest.raises(ValueError, match=r"validation_data must be \(X, y\)"):
        lm.doctor(trainer.model, trainer, X, y, X)
    with pytest.raises(ValueError, match="expected 4 columns"):
        lm.doctor(trainer.model, trainer, X[:, :2], y)
    for budget in (-1.0, float("nan"), float("inf"), "long"):
        with pytest.raises(ValueError, match="time_budget must be"):
            lm.doctor(trainer.model, trainer, X, y, time_budget=budget)
    X[3, 1] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        lm.doctor(trainer.model, trainer, X, y)
    assert everything_of(trainer) == before


def test_it_waits_for_the_end_of_a_fit():
    X, y = data()
    trainer = trained(X, y)
    refused = []

    def examined(epoch, logs):
        with pytest.raises(RuntimeError, match="the model is being trained"):
            lm.doctor(trainer.model, trainer, X, y)
        refused.append(epoch)

    trainer.fit(X, y, epochs=1, verbose=0, callbacks=lm.LambdaCallback(on_epoch_end=examined))
    assert refused


# ---- what it finds


def test_it_finds_what_is_wrong():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 3)) * [1.0, 1000.0, 0.0] + [0, 0, 7]
    y = np.sin(2 * X[:, 0]) + X[:, 1] / 1000
    layers = [lm.Dense(16, "relu"), lm.Dense(1)]
    trainer = trained(X[:400], y[:400], layers=layers, loss="mse", epochs=20)
    there = X[400:] + np.array([3.0, 0.0, 0.0])
    diagnosis = lm.doctor(trainer.model, trainer, X[:400], y[:400], (there, y[400:]))
    found = {one.code: one for one in diagnosis.problems}
    assert {"UNSCALED_INPUT", "CONSTANT_INPUT", "TRAIN_VALIDATION_SHIFT"} <= set(found)
    assert found["UNSCALED_INPUT"].column == "1"
    assert found["CONSTANT_INPUT"].column == "2"
    assert found["TRAIN_VALIDATION_SHIFT"].column == "0"


def test_it_has_nothing_to_say_of_a_good_training():
    X, y = data(1000)
    held_out = data(500, 1)
    trainer = trained(
        *(X, y),
        layers=[lm.Dense(48, "relu"), lm.Dense(48, "relu"), lm.Dense(3, "softmax")],
        epochs=60,
        validation_data=held_out,
        callbacks=lm.EarlyStopping(patience=8),
    )
    diagnosis = lm.doctor(trainer.model, trainer, X, y, held_out)
    assert diagnosis.problems == []
    assert diagnosis.verdict == "good fit"


def test_layers_are_looked_at_now_if_the_last_fit_was_not_monitored():
    X, y = data()
    trainer = trained(X, y, monitor=True)
    trainer.model["dense"].bias[:] = -100
    trainer.fit(X, y, epochs=2, verbose=0)
    assert "DEAD_UNITS" in lm.doctor(trainer.model, trainer, X, y, (X, y)).codes
