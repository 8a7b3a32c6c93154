"""What users of composed models meet: metrics over sets, layers that adapt, several inputs."""

import copy

import numpy as np
import pytest

import lamina as lm

RNG = np.random.default_rng(3)
N = 400
NUMBERS = RNG.normal(size=(N, 3)) * [1.0, 1e6, 1e-6] + [0.0, 3e7, 0.0]
NUMBERS[::7, 0] = np.nan
CODES = RNG.integers(0, 5, size=(N, 2)).astype(np.int32)
X = {"numbers": NUMBERS, "codes": CODES}
Y = (NUMBERS[:, 1] > 3e7).astype(np.int64) ^ (CODES[:, 0] > 2)


def table_model(seed=0):
    """Numbers with blanks beside codes, everything prepared in the model."""
    numbers = lm.Input(3, name="numbers")
    codes = lm.Input(2, kind="codes", cardinalities=[5, 5], name="codes")
    scaled = lm.RobustScale()(lm.Impute(indicator=True)(numbers))
    joined = lm.Concatenate()([scaled, lm.Embedding(3, name="categories")(codes)])
    hidden = lm.Dense(16, activation="relu")(joined)
    answer = lm.Dense(1, activation="sigmoid", name="answer")(hidden)
    return lm.Model(inputs=[numbers, codes], outputs=answer, seed=seed)


@pytest.mark.parametrize("num_threads", [1, 2])
def test_set_metrics_go_with_layers_that_adapt(num_threads):
    """They are tried on some rows before the fit, when nothing has been learned yet."""
    trainer = lm.Trainer(
        table_model(), loss="bce", metrics=["accuracy", "roc_auc"], num_threads=num_threads
    )
    history = trainer.fit(X, Y, epochs=3, validation_data=(X, Y), verbose=0)
    assert 0 <= history["val_roc_auc"][-1] <= 1
    plain = lm.Trainer(table_model(), loss="bce", metrics=["accuracy"], num_threads=num_threads)
    plain.fit(X, Y, epochs=3, validation_data=(X, Y), verbose=0)
    assert trainer.model.fingerprint() == plain.model.fingerprint()


def test_a_refused_first_fit_leaves_the_model_without_data():
    model = table_model()
    before = model.fingerprint()
    trainer = lm.Trainer(model, loss="bce", metrics=["roc_auc"])
    with pytest.raises(ValueError, match="labels must be 0 or 1"):
        trainer.fit(X, Y * 0.5, epochs=1, validation_data=(X, Y * 0.5), verbose=0)
    assert model.fingerprint() == before
    with pytest.raises(RuntimeError, match="have not seen data yet"):
        model.predict(X)
    with pytest.raises(RuntimeError, match="have not seen data yet"):
        trainer.evaluate(X, Y)


def test_a_model_with_preparation_inside_predicts_from_its_file(tmp_path):
    model = table_model()
    lm.Trainer(model, loss="bce").fit(X, Y, epochs=2, verbose=0)
    model.save(tmp_path / "m.lamina")
    expected = model.predict(X)
    again = lm.load(tmp_path / "m.lamina")
    assert np.array_equal(again.predict(X), expected)
    assert np.array_equal(again["categories"].embeddings[0], model["categories"].embeddings[0])
    np.testing.assert_allclose(model.freeze_for_inference().predict(X), expected, atol=1e-6)
    vectors = model.predict(X, layer="categories")
    tables = model["categories"].embeddings
    looked_up = [table[column] for table, column in zip(tables, CODES.T, strict=True)]
    assert np.array_equal(vectors, np.hstack(looked_up))
    assert copy.deepcopy(model).fingerprint() == model.fingerprint()
