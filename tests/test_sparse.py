"""Sparse rows for the first layer: the bits of the same rows written out, without doing so."""

import copy
import pickle
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lamina as lm

sparse = pytest.importorskip("scipy.sparse")

COLUMNS = 600  # more than 512: chains over the columns are cut twice
ROWS = 330  # batches of 300 cut the chains over the rows, too


def bag(rows=ROWS, columns=COLUMNS, density=0.03, seed=0, dtype=np.float32, index=np.int32):
    """Random rows, some of them empty, and empty columns; canonical CSR."""
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(rows, columns)) * 3 * (draw.random((rows, columns)) < density)
    x[:: max(2, rows // 7)] = 0
    x[:, ::11] = 0
    out = sparse.csr_array(x.astype(dtype))
    out.indptr, out.indices = out.indptr.astype(index), out.indices.astype(index)
    assert out.has_canonical_format
    return out


def network(kind, units=37, dtype="float32", columns=COLUMNS, outputs=3, seed=5, **dense):
    layers = [lm.Input(columns, kind=kind), lm.Dense(units, activation="tanh", **dense)]
    return lm.Model([*layers, lm.Dense(outputs)], seed=seed, dtype=dtype)


def bits(model):
    return [model._core.view(one["name"]).tobytes() for one in model._core.tensors()]


def fitted(
    kind, x, y, *, dtype="float32", threads=1, optimizer="adam", loss="mse", dense=None, **fit
):
    model = network(kind, dtype=dtype, columns=x.shape[1], outputs=y.shape[1], **(dense or {}))
    trainer = lm.Trainer(model, loss=loss, optimizer=copy.deepcopy(optimizer), num_threads=threads)
    trainer._scheduling = (0, 0, threads > 1)
    history = trainer.fit(x, y, epochs=3, verbose=0, **fit)
    return model, trainer, history


def check_alike(x, y, **how):
    """Train on sparse rows and on the same written out; every bit is the same."""
    dense, dense_trainer, expected = fitted("numeric", x.toarray(), y, **how)
    model, trainer, history = fitted("sparse", x, y, **how)
    assert bits(model) == bits(dense)
    assert history.history == expected.history
    assert trainer.evaluate(x, y) == dense_trainer.evaluate(x.toarray(), y)
    for few in (x, x[:1], x[3:10]):
        assert model.predict(few).tobytes() == dense.predict(few.toarray()).tobytes()
    return model


@pytest.fixture
def targets():
    return np.random.default_rng(1).normal(size=(ROWS, 3))


# ---- the bits of dense rows ------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("batch_size", [7, 64, 300])
@pytest.mark.parametrize("shuffle", [True, False])
def test_training_has_the_bits_of_dense_rows(dtype, threads, batch_size, shuffle, targets):
    how = {"dtype": dtype, "threads": threads, "batch_size": batch_size, "shuffle": shuffle}
    check_alike(bag(), targets, **how)


@pytest.mark.parametrize(
    "optimizer",
    [
        lm.SGD(0.05),
        lm.Momentum(0.01, weight_decay=1e-2),
        lm.RMSprop(1e-3),
        lm.Adam(1e-3, global_clipnorm=0.5),
        lm.AdamW(1e-3),
        lm.Lion(1e-4),
    ],
    ids=lambda optimizer: type(optimizer).__name__,
)
def test_with_every_sort_of_optimizer(optimizer, targets):
    check_alike(bag(), targets, optimizer=optimizer, batch_size=50)


@pytest.mark.parametrize(
    "dense",
    [
        {"use_bias": False},
        {"gain": "ntk"},
        {"kernel_regularizer": lm.L2(1e-2)},
        {"kernel_regularizer": lm.L1(1e-3), "bias_regularizer": lm.L2(1e-2)},
        {"activity_regularizer": lm.L2(1e-3)},
        {"kernel_constraint": lm.constraints.MaxNorm(0.5)},
        {"kernel_initializer": "unit_variance"},
        {"units": 1},
        {"units": 300},
    ],
    ids=str,
)
def test_with_every_form_of_dense(dense, targets):
    check_alike(bag(), targets, dense=dense, batch_size=50)


@pytest.mark.parametrize("units", range(1, 70, 4))
def test_with_any_number_of_units(units, targets):
    check_alike(bag(rows=40), targets[:40], dense={"units": units}, batch_size=32)


@pytest.mark.parametrize(
    "dtype", [np.float32, np.float64, np.int8, np.uint8, np.int32, np.int64, np.uint64, np.bool_]
)
@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_of_any_dtype(dtype, index, targets):
    x = abs(bag(dtype=np.float64)).astype(dtype)
    x.indptr, x.indices = x.indptr.astype(index), x.indices.astype(index)
    check_alike(x, targets, batch_size=100)


def test_classes_weights_and_a_validation_split():
    x = bag()
    y = np.random.default_rng(2).integers(0, 4, ROWS)
    weights = np.random.default_rng(3).random(ROWS)
    results = []
    for kind, rows in (("numeric", x.toarray()), ("sparse", x)):
        layers = [lm.Input(COLUMNS, kind=kind), lm.Dense(20, activation="relu"), lm.Dropout(0.3)]
        model = lm.Model([*layers, lm.Dense(4, activation="softmax")], seed=0)
        trainer = lm.Trainer(model, loss="cce", metrics=["accuracy"])
        how = {"sample_weight": weights, "validation_split": 0.2, "verbose": 0, "batch_size": 48}
        results.append((trainer.fit(rows, y, epochs=3, **how).history, bits(model)))
        trainer.fit(rows, y, epochs=1, class_weight={0: 1, 1: 2, 2: 3, 3: 0.5}, verbose=0)
        results[-1] += (bits(model), model.predict_classes(rows).tolist())
    assert results[0] == results[1]
    assert "val_accuracy" in results[0][0]


def test_a_dense_array_is_searched_and_a_dense_input_takes_csr(targets):
    x = bag()
    given = {"y": targets, "batch_size": 64}
    expected = bits(fitted("numeric", x.toarray(), **given)[0])
    assert bits(fitted("sparse", x.toarray(), **given)[0]) == expected
    assert (
        bits(fitted("sparse", np.asfortranarray(x.toarray(), dtype=">f8"), **given)[0]) == expected
    )
    assert bits(fitted("numeric", x, **given)[0]) == expected


def test_preprocessing_behind_a_dense_input_takes_csr(targets):
    x = bag(columns=9, density=0.5)
    models = []
    for rows in (x, x.toarray()):
        layers = [lm.Input(9), lm.Normalization(), lm.Dense(8, activation="tanh"), lm.Dense(3)]
        models.append(lm.Model(layers, seed=0))
        lm.Trainer(models[-1], loss="mse").fit(rows, targets, epochs=2, verbose=0)
    assert bits(models[0]) == bits(models[1])


@pytest.mark.parametrize("name", ["csc", "coo", "lil", "dok"])
def test_other_formats_are_converted(name, targets):
    x = bag()
    model = network("sparse")
    assert (model.predict(x.asformat(name)) == model.predict(x)).all()
    assert (model.predict(sparse.csr_matrix(x)) == model.predict(x)).all()


def test_columns_in_disorder_and_twice_add_up():
    values, columns, starts = np.array([1.0, 2, 3, 4]), np.array([5, 2, 5, 0]), np.array([0, 3, 4])
    x = sparse.csr_array((values, columns, starts), shape=(2, 7))
    model = network("sparse", columns=7)
    expected = np.array([[0, 0, 2, 0, 0, 4, 0], [4, 0, 0, 0, 0, 0, 0]])
    assert (model.predict(x) == model.predict(expected)).all()
    assert x.indices.tolist() == [5, 2, 5, 0], "the caller's matrix is left alone"


def test_no_scipy_is_needed_for_what_looks_like_csr():
    x = bag(rows=5)
    own = SimpleNamespace(
        format="csr", indptr=x.indptr, indices=x.indices, data=x.data, shape=x.shape
    )
    model = network("sparse")
    assert (model.predict(own) == model.predict(x)).all()


def test_lamina_does_not_import_scipy():
    program = "import sys, lamina as lm; lm.Model([lm.Input(3, kind='sparse'), lm.Dense(1)])"
    program += "; print('scipy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


@given(st.data())
@settings(max_examples=60)
def test_any_matrix_is_as_its_rows_written_out(data):
    rows = data.draw(st.integers(1, 40), "rows")
    columns = data.draw(st.integers(1, 700), "columns")
    density = data.draw(st.sampled_from([0.0, 0.002, 0.05, 0.5, 1.0]), "density")
    seed = data.draw(st.integers(0, 2**20), "seed")
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(rows, columns)) * 10.0 ** draw.integers(-3, 4, size=(rows, columns))
    x *= draw.random((rows, columns)) < density
    how = {
        "dtype": data.draw(st.sampled_from(["float32", "float64"]), "dtype"),
        "threads": data.draw(st.sampled_from([1, 2]), "threads"),
        "batch_size": data.draw(st.integers(1, 45), "batch_size"),
        "dense": {"units": data.draw(st.integers(1, 40), "units")},
        "optimizer": data.draw(st.sampled_from(["sgd", "adam"]), "optimizer"),
    }
    check_alike(sparse.csr_array(x), draw.normal(size=(rows, 2)), **how)


def test_explicit_zeros_change_nothing(targets):
    x = bag()
    x.data[::3] = 0
    check_alike(x, targets, batch_size=64)


# ---- models ----------------------------------------------------------------------------------


def two_inputs(kind):
    text, number = lm.Input(COLUMNS, kind=kind, name="text"), lm.Input(2, name="number")
    wide, narrow = lm.Dense(16, activation="relu")(text), lm.Dense(3)(text)
    joined = lm.Concatenate()([wide, narrow, number])
    return lm.Model(inputs=[text, number], outputs=lm.Dense(1)(joined), seed=0, dtype="float64")


def test_several_dense_layers_and_inputs():
    x, z = bag(), np.random.default_rng(0).normal(size=(ROWS, 2))
    y = z[:, :1]
    models = [two_inputs("numeric"), two_inputs("sparse")]
    for model, rows in zip(models, (x.toarray(), x), strict=True):
        lm.Trainer(model, loss="mse").fit({"text": rows, "number": z}, y, epochs=3, verbose=0)
    assert bits(models[0]) == bits(models[1])
    model = models[1]
    gradients = model.input_gradient((x, z))
    assert gradients[0] is None
    assert (gradients[1] == models[0].input_gradient((x.toarray(), z))[1]).all()


def test_branches_and_a_model_within_a_model():
    x, y = bag(), np.ones((ROWS, 1))
    found = []
    for kind, rows in (("numeric", x.toarray()), ("sparse", x)):
        inner = lm.Model(
            [lm.Input(COLUMNS, kind=kind), lm.Dense(8), lm.BatchNormalization()], seed=2
        )
        layers = [lm.Input(COLUMNS, kind=kind), lm.Parallel([inner, lm.Dense(4)]), lm.Dense(1)]
        model = lm.Model(layers, seed=0)
        lm.Trainer(model, loss="mse", num_threads=2).fit(rows, y, epochs=2, verbose=0)
        predictor = model.freeze_for_inference()
        found.append((bits(model), predictor.predict(rows).tobytes()))
    assert found[0][0] == found[1][0]
    assert found[0][1] == found[1][1]


def test_a_nested_model_wants_its_kind_of_input():
    inner = lm.Model([lm.Input(9, kind="sparse"), lm.Dense(2)], seed=0)
    with pytest.raises(ValueError, match="expected sparse rows, got numbers"):
        lm.Model([lm.Input(9), inner])
    with pytest.raises(ValueError, match="expected numbers, got sparse rows"):
        lm.Model([lm.Input(9, kind="sparse"), lm.Model([lm.Input(9), lm.Dense(2)], seed=0)])


def test_gradients_agree_with_differences():
    x = bag(rows=12, columns=300, density=0.1, dtype=np.float64)
    layers = [lm.Input(300, kind="sparse"), lm.Dense(9, activation="tanh"), lm.Dense(2)]
    model = lm.Model(layers, seed=0, dtype="float64")
    y = np.random.default_rng(0).normal(size=(12, 2))
    result = lm.check_gradients(model, x, y, lm.losses.MeanSquaredError())
    assert result.max_error < 1e-7
    assert "input" not in result.errors
    dense = np.random.default_rng(3).normal(size=(12, COLUMNS))  # is searched
    result = lm.check_gradients(
        two_inputs("sparse"), (dense, y), y[:, :1], lm.losses.MeanSquaredError()
    )
    assert result.max_error < 1e-7
    assert set(result.errors) >= {"number", "dense/kernel", "dense_1/kernel"}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_by_hand_as_with_dense_rows(dtype, targets):
    x = bag()
    dense, model = network("numeric", dtype=dtype), network("sparse", dtype=dtype)
    grad = targets / ROWS
    for _ in range(2):
        assert (model.forward(x, training=True) == dense.forward(x.toarray(), training=True)).all()
        dense.backward(grad)
        assert model.backward(grad) is None
        for ours, theirs in zip(model.layers, dense.layers, strict=True):
            assert (ours.kernel_gradient == theirs.kernel_gradient).all()
            assert (ours.bias_gradient == theirs.bias_gradient).all()
    trainer, dense_trainer = lm.Trainer(model, loss="mse"), lm.Trainer(dense, loss="mse")
    loss = trainer.compute_gradients(x, targets)
    assert loss == dense_trainer.compute_gradients(x.toarray(), targets)
    assert (model.layers[0].kernel_gradient == dense.layers[0].kernel_gradient).all()


def test_a_frozen_first_layer(targets):
    x = bag()
    found = []
    for kind, rows in (("numeric", x.toarray()), ("sparse", x)):
        model = network(kind)
        model.layers[0].trainable = False
        lm.Trainer(model, loss="mse").fit(rows, targets, epochs=2, verbose=0)
        found.append(bits(model))
    assert found[0] == found[1]


def test_files_copies_and_words(tmp_path, capsys):
    x, model = bag(rows=20), network("sparse")
    model.save(tmp_path / "bag.lamina")
    for other in (lm.load(tmp_path / "bag.lamina"), pickle.loads(pickle.dumps(model))):
        assert (other.predict(x) == model.predict(x)).all()
    assert 'lm.Input(600, kind="sparse"' in repr(model)
    twin = eval(repr(model), {"lm": lm})
    assert twin.predict(x).shape == (20, 3)
    assert lm.Input(4, kind="sparse").get_config()["kind"] == "sparse"
    model.summary()
    assert f"{600 * 37 + 37:,}" in capsys.readouterr().out


def test_predictors_and_layers():
    x = bag(rows=30)
    layers = [lm.Input(COLUMNS, kind="sparse"), lm.Dense(8), lm.BatchNormalization(), lm.Dense(2)]
    model = lm.Model(layers, seed=0)
    predictor = model.freeze_for_inference()
    assert np.allclose(predictor.predict(x), model.predict(x), atol=1e-6)
    assert (predictor.predict_one(x[[4]]) == predictor.predict(x)[4]).all()
    assert (predictor.predict_one(x.toarray()[4]) == predictor.predict(x)[4]).all()
    assert model.predict(x, layer="dense").shape == (30, 8)
    for threads in (1, 3):
        for batch_size in (1, 7, 64):
            rows = model.predict(x, num_threads=threads, batch_size=batch_size)
            assert (rows == model.predict(x)).all()
    with pytest.raises(ValueError, match="it gives sparse rows, which are X itself"):
        model.predict(x, layer="input")
    with pytest.raises(ValueError, match="expected one row, got 2"):
        predictor.predict_one(x[:2])


# ---- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "layer",
    [
        lm.Dropout(0.1),
        lm.Activation("relu"),
        lm.BatchNormalization(),
        lm.LayerNormalization(),
        lm.Normalization(),
        lm.Impute(),
        lm.Scale(),
        lm.Residual([lm.Dense(9)]),
        lm.Flatten(),
        lm.Reshape((3, 3)),
        lm.GaussianNoise(0.1),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_only_dense_reads_sparse_rows(layer):
    with pytest.raises(ValueError, match=f"{type(layer).__name__}: its input is sparse.*lm.Input"):
        lm.Model([lm.Input(9, kind="sparse"), layer, lm.Dense(1)])
    with pytest.raises(ValueError, match="must be codes"):
        lm.Model([lm.Input(9, kind="sparse"), lm.Embedding(2), lm.Dense(1)])


def test_what_a_model_refuses():
    x = lm.Input(9, kind="sparse")
    with pytest.raises(ValueError, match="Concatenate: its input is sparse"):
        lm.Model(inputs=x, outputs=lm.Dense(1)(lm.Concatenate()([x, lm.Dense(2)(x)])))
    with pytest.raises(ValueError, match="'numeric', 'codes' or 'sparse', got 'spars'"):
        lm.Model([lm.Input(9, kind="spars"), lm.Dense(1)])
    with pytest.raises(ValueError, match="a row is so many columns"):
        lm.Model([lm.Input((3, 3), kind="sparse"), lm.Dense(1)])
    model = network("sparse")
    with pytest.raises(ValueError, match="rows of a sparse input have no gradient"):
        model.input_gradient(bag())
    codes = lm.Model([lm.Input(1, kind="codes", cardinalities=3), lm.Embedding(2), lm.Dense(1)])
    with pytest.raises(ValueError, match="category codes in a dense array, got a sparse matrix"):
        codes.predict(sparse.csr_array(np.ones((2, 1), dtype=np.int32)))


def raw(rows=3, columns=COLUMNS, **arrays):
    """What looks like CSR, for matrices that SciPy itself would refuse."""
    x = bag(rows=20)
    parts = {"indptr": x.indptr.copy(), "indices": x.indices.copy(), "data": x.data.copy()}
    parts.update(arrays)
    return SimpleNamespace(format="csr", shape=(20, columns), **parts)


def test_bad_matrices_are_named_by_row_and_column(targets):
    model, x = network("sparse"), raw()
    row = int(np.flatnonzero(np.diff(x.indptr) > 2)[0])
    at = int(x.indptr[row]) + 1
    for columns, message in [
        (COLUMNS, rf"input: column {COLUMNS} in row {row} is not in 0 ... {COLUMNS - 1}"),
        (-1, f"input: column -1 in row {row} is not in"),
        (int(x.indices[at - 1]), rf"columns of row {row} do not ascend .*X.sum_duplicates\(\)"),
    ]:
        bad = raw()
        bad.indices[at] = columns
        before = bits(model)
        with pytest.raises(ValueError, match=message):
            model.predict(bad)
        with pytest.raises(ValueError, match=message):
            lm.Trainer(model, loss="mse").fit(bad, targets[:20], verbose=0)
        assert bits(model) == before
    for value, word in [(np.nan, "NaN"), (np.inf, "infinity")]:
        for kind in ("sparse", "numeric"):
            bad = raw()
            bad.data[at] = value
            message = rf"X: column {x.indices[at]} holds {word} in row {row}"
            with pytest.raises(ValueError, match=message):
                lm.Trainer(network(kind), loss="mse").fit(bad, targets[:20], verbose=0)
    too_large = raw(data=x.data.astype(np.float64))
    too_large.data[at] = 1e300
    with pytest.raises(ValueError, match="too large for float32"):
        lm.Trainer(model, loss="mse").fit(too_large, targets[:20], verbose=0)


def test_arrays_that_do_not_fit_together():
    model, x = network("sparse"), raw()
    starts = x.indptr.copy()
    starts[3] = starts[4] + 1
    for bad, message in [
        (raw(indptr=starts), "indptr must ascend"),
        (raw(indptr=x.indptr + 1), "indptr ends with|indptr must begin with 0"),
        (raw(indptr=x.indptr[:-1]), "has an indptr of 21 numbers, got 20"),
        (raw(data=x.data[:-1]), "indptr ends with"),
        (raw(indices=x.indices[:-1]), "indptr ends with"),
        (raw(columns=599), "expected 600 columns, got 599"),
    ]:
        with pytest.raises(ValueError, match=message):
            model.predict(bad)
    with pytest.raises(TypeError, match="sparse matrix of dtype complex"):
        model.predict(raw(data=x.data.astype(np.complex64)))
    with pytest.raises(ValueError, match="X has 20 rows, y has 19"):
        lm.Trainer(model, loss="mse").fit(bag(rows=20), np.ones((19, 3)), verbose=0)
    with pytest.raises(TypeError, match="y: a sparse matrix cannot be used here; use its toarray"):
        lm.Trainer(model, loss="mse").fit(bag(rows=20), bag(rows=20, columns=3), verbose=0)
    with pytest.raises(ValueError, match="a sparse matrix of two axes"):
        model.predict(sparse.coo_array(np.ones(COLUMNS)))


def test_chunks_of_a_stream_must_be_dense(targets):
    trainer = lm.Trainer(network("sparse"), loss="mse")
    with pytest.raises(TypeError, match="a stream's chunks must be dense, got a sparse matrix"):
        trainer.fit(lambda: iter([(bag(), targets)]), epochs=1, verbose=0)
    with pytest.raises(TypeError, match="a sparse matrix cannot be used here"):
        trainer.fit(lm.ArrayStream(bag(), targets), epochs=1, verbose=0)
    trainer.fit(lambda: iter([(bag().toarray(), targets)]), epochs=1, verbose=0)


def test_streamed_dense_rows_are_checked_on_the_way(tmp_path, targets):
    rows = np.lib.format.open_memmap(
        tmp_path / "x.npy", mode="w+", dtype=np.float32, shape=(ROWS, COLUMNS)
    )
    rows[:] = bag().toarray()
    rows[200, 5] = np.nan
    model = network("sparse")
    with pytest.raises(ValueError, match="row 200 holds NaN or infinity"):
        lm.Trainer(model, loss="mse").fit(rows, targets, epochs=1, shuffle=False, verbose=0)


# ---- real data, and the page about it ----------------------------------------------------------


def test_diamonds_one_hot():
    """Columns of 0 and 1 for cut, color and clarity and for the tenths of carat; what they tell."""
    table = lm.datasets.load_diamonds()
    columns = [table[name] for name in ("cut", "color", "clarity")]
    columns.append(np.round(np.asarray(table["carat"], dtype=np.float64), 1))
    codes = [np.unique(column, return_inverse=True)[1] for column in columns]
    first = np.cumsum([0, *(code.max() + 1 for code in codes)])
    places = np.stack([code + at for code, at in zip(codes, first, strict=False)], axis=1)
    rows = len(places)
    x = sparse.csr_array(
        (np.ones(places.size, np.uint8), places.ravel(), np.arange(rows + 1) * 4),
        shape=(rows, int(first[-1])),
    )
    y = np.log(np.asarray(table["price"], dtype=np.float64))
    y = (y - y.mean()) / y.std()
    found = []
    for kind, table in (("sparse", x), ("numeric", x.toarray())):
        layers = [lm.Input(x.shape[1], kind=kind), lm.Dense(32, activation="relu"), lm.Dense(1)]
        model = lm.Model(layers, seed=0)
        trainer = lm.Trainer(model, loss="mse", metrics=["r2"], optimizer=lm.Adam(3e-3))
        how = {"epochs": 3, "batch_size": 256, "validation_split": 0.2, "verbose": 0}
        found.append((trainer.fit(table, y, **how).history, bits(model)))
    assert found[0] == found[1]
    assert found[0][0]["val_r2"][-1] > 0.97


PAGE = Path(__file__).resolve().parent.parent / "docs" / "sparse.md"


@pytest.mark.skipif(not PAGE.exists(), reason="docs lie in the source tree alone")
def test_the_snippets_run():
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    assert len(blocks) == 3
    names = {"__name__": "__main__"}
    for block in blocks:
        exec(compile(block, PAGE.name, "exec"), names)
    assert names["p"].shape == (3, 1)
    assert names["history"]["loss"][-1] < names["history"]["loss"][0]


# ---- memory ----------------------------------------------------------------------------------

LARGE = """
import resource, sys
import numpy as np, lamina as lm
from types import SimpleNamespace
rows, columns, each = 200_000, 50_000, 20
draw = np.random.default_rng(0)
indices = (np.arange(each) * (columns // each) + draw.integers(0, columns // each, (rows, each)))
x = SimpleNamespace(format="csr", shape=(rows, columns), indices=indices.astype(np.int32).ravel(),
                    indptr=np.arange(rows + 1, dtype=np.int64) * each,
                    data=np.ones(rows * each, dtype=np.float32))
y = draw.normal(size=(rows, 1)).astype(np.float32)
del indices
model = lm.Model([lm.Input(columns, kind=sys.argv[1]), lm.Dense(8), lm.Dense(1)], seed=0)
trainer = lm.Trainer(model, loss="mse", optimizer="sgd", num_threads=2)
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = peak()
trainer.fit(x, y, epochs=1, batch_size=1000, verbose=0)
print(model.predict(x).shape[0], peak() - before)
"""


@pytest.mark.ci
@pytest.mark.parametrize("kind", ["sparse", "numeric"])
def test_nothing_is_written_out(kind):
    program = (
        LARGE if kind == "sparse" else LARGE.replace("200_000", "5_000").replace("1000", "100")
    )
    done = subprocess.run(
        [sys.executable, "-c", program, kind], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    rows, grown = done.stdout.split()
    assert int(rows) in (200_000, 5_000)
    assert float(grown) < 300, f"{grown} MiB, where the rows written out are 38,000 (or 950)"


def test_starts_that_do_not_ascend_are_refused_before_scipy_sees_them():
    x = bag().copy()
    x.indptr[10] = 10**6
    with pytest.raises(ValueError, match="indptr must ascend"):
        network("sparse").predict(x)


# ---- one row and one batch at a time ------------------------------------------------------------


def test_batches_one_by_one_and_one_row():
    x, y = bag(), np.random.default_rng(1).normal(size=(ROWS, 3)).astype(np.float32)
    models = {kind: network(kind) for kind in ("sparse", "numeric")}
    trainers = {kind: lm.Trainer(model, loss="mse") for kind, model in models.items()}
    for first in range(0, ROWS, 50):
        rows = slice(first, first + 50)
        logs = trainers["sparse"].train_on_batch(x[rows], y[rows])
        assert logs == trainers["numeric"].train_on_batch(x[rows].toarray(), y[rows])
    assert bits(models["sparse"]) == bits(models["numeric"])
    row = x[[3]]
    expected = models["numeric"].predict(x[3:4].toarray())[0]
    for model in models.values():
        for one in (row, row.toarray()[0]):
            assert np.array_equal(model.predict_one(one), expected)


def test_what_training_holds_counts_the_entries_of_a_batch():
    x, y = bag(), np.zeros((ROWS, 3), np.float32)
    parts = {}
    for kind in ("sparse", "numeric"):
        trainer = lm.Trainer(network(kind), loss="mse", num_threads=1)
        trainer.fit(x, y, epochs=1, batch_size=64, verbose=0)
        parts[kind] = trainer.memory(batch_size=64)["a batch's activations and gradients"]
    entries = np.sort(np.diff(x.indptr))[-64:].sum()
    assert parts["numeric"] - 64 * COLUMNS * 4 + entries * 4 < parts["sparse"] < parts["numeric"]
