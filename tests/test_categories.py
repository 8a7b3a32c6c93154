"""Category codes: ports of several columns, Embedding and OneHot."""

import copy
import json
import math
import pickle

import numpy as np
import pytest
from test_gradients import assert_close, numerical
from test_model_files import GOLDEN

import lamina as lm
from lamina._isa import core
from lamina.summary import summary_text

CARDINALITIES = (7, 2, 40)
ROWS = 150
WIDE = tuple(3 + j % 5 for j in range(70))  # more columns than any register holds


def codes_of(cardinalities=CARDINALITIES, rows=ROWS, least=0):
    rng = np.random.default_rng(len(cardinalities))
    columns = [rng.integers(min(least, c - 1), c, rows) for c in cardinalities]
    return np.column_stack(columns).astype(np.int32)


def port(cardinalities=CARDINALITIES, **options):
    return lm.Input(len(cardinalities), kind="codes", cardinalities=cardinalities, **options)


def only(layer, cardinalities=CARDINALITIES, **options):
    """A model that ends in what the layer gives (one that trains, too, for a model must have)."""
    return lm.Model([port(cardinalities), layer], seed=3, **options)


def shown(cardinalities=CARDINALITIES, **options):
    """A model that shows what OneHot gives: a Dense layer of the identity behind it."""
    one_hot = lm.OneHot(**options)
    model = lm.Model([port(cardinalities), one_hot, lm.Dense(3)], seed=0)
    width = model.layers[1].kernel.shape[0]
    model = lm.Model([port(cardinalities), lm.OneHot(**options), lm.Dense(width)], seed=0)
    model.layers[1].kernel = np.eye(width)
    return model


def beside_numbers(*behind, seed=5, dtype="float64", **options):
    """Two columns of numbers and three of codes, joined, and what stands behind."""
    numbers = [lm.Input(2, name="numbers"), lm.Dense(3, activation="tanh")]
    codes = [port(name="codes"), lm.Embedding([3, 1, 4], name="tables", **options)]
    behind = behind or (lm.Dense(5, activation="tanh"), lm.Dense(2))
    return lm.Model([lm.Parallel([numbers, codes]), *behind], seed=seed, dtype=dtype)


def data_of(rows=ROWS):
    rng = np.random.default_rng(8)
    x = {"numbers": rng.normal(size=(rows, 2)), "codes": codes_of(rows=rows)}
    return x, rng.normal(size=(rows, 2))


# ---- values --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("cardinalities", [(7,), CARDINALITIES, WIDE], ids=len)
def test_an_embedding_is_numpys_take(cardinalities, dtype):
    layer = lm.Embedding([1 + j % 18 for j in range(len(cardinalities))])
    model = only(layer, cardinalities, dtype=dtype)
    codes = codes_of(cardinalities)
    tables = layer.embeddings if len(cardinalities) > 1 else [layer.embeddings]
    want = np.hstack([t[c] for t, c in zip(tables, codes.T, strict=True)])
    assert [t.shape[0] for t in tables] == list(cardinalities)
    np.testing.assert_array_equal(model.predict(codes), want)
    np.testing.assert_array_equal(model.predict(codes, batch_size=17), want)
    np.testing.assert_array_equal(model.predict(codes[5:6]), want[5:6])
    np.testing.assert_array_equal(model.forward(codes, training=True), want)


@pytest.mark.parametrize("missing", ["zeros", "column"])
@pytest.mark.parametrize("cardinalities", [(7,), CARDINALITIES, (1, 4, 1), WIDE], ids=len)
def test_one_hot_is_numpys_eye(cardinalities, missing):
    model = shown(cardinalities, missing=missing)
    codes = codes_of(cardinalities)
    first = 0 if missing == "column" else 1
    want = np.hstack([np.eye(c)[x][:, first:] for c, x in zip(cardinalities, codes.T, strict=True)])
    np.testing.assert_array_equal(model.predict(codes), want)
    np.testing.assert_array_equal(model.predict(codes[7:8]), want[7:8])
    assert model._core.operations()[0] == {
        "kind": "one_hot",
        "layer": "one_hot",
        "width": sum(cardinalities) - (1 - first == 0) * len(cardinalities),
        "flops": 0,
    }


LAYOUTS = {
    "int64": lambda x: x.astype(np.int64),
    "uint8": lambda x: x.astype(np.uint8),
    "float32": lambda x: x.astype(np.float32),
    "float64, by column": lambda x: np.asfortranarray(x.astype(np.float64)),
    "by column": np.asfortranarray,
    "every second": lambda x: np.repeat(np.repeat(x, 2, axis=0), 2, axis=1)[::2, ::2],
    "backwards": lambda x: np.ascontiguousarray(x[::-1, ::-1])[::-1, ::-1],
    "big-endian": lambda x: x.astype(">i4"),
    "unaligned": lambda x: np.frombuffer(b"-" + x.tobytes(), np.int32, offset=1).reshape(x.shape),
    "list": lambda x: x.tolist(),
    "frame": lambda x: type("Frame", (), {"to_numpy": lambda self: x.astype(np.int64)})(),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout_of_the_codes(layout):
    codes = codes_of()
    model = only(lm.Embedding(3))
    want = model.predict(codes)
    np.testing.assert_array_equal(model.predict(LAYOUTS[layout](codes)), want)


def test_ports_by_name_in_order_and_from_a_memmap(tmp_path):
    model = beside_numbers()
    x, y = data_of()
    want = model.predict(x)
    np.testing.assert_array_equal(model.predict((x["numbers"], x["codes"])), want)
    np.save(tmp_path / "codes.npy", x["codes"])
    mapped = np.load(tmp_path / "codes.npy", mmap_mode="r")
    np.testing.assert_array_equal(model.predict({**x, "codes": mapped}), want)
    trained = []
    for codes in (x["codes"], mapped):
        model = beside_numbers()
        lm.Trainer(model, loss="mse").fit({**x, "codes": codes}, y, epochs=2, verbose=0)
        trained.append(model.fingerprint())
    assert trained[0] == trained[1]


def test_one_column_as_a_vector_and_one_number_for_all_columns():
    one = lm.Model([lm.Input(1, kind="codes", cardinalities=7), lm.Embedding(2)], seed=0)
    codes = np.array([0, 6, 3])
    np.testing.assert_array_equal(one.predict(codes), one.predict(codes[:, None]))
    many = lm.Model([lm.Input(3, kind="codes", cardinalities=7), lm.Embedding(2)], seed=0)
    assert [t.shape for t in many.layers[0].embeddings] == [(7, 2)] * 3


@pytest.mark.parametrize(
    ("codes", "width"), [(1, 2), (2, 2), (3, 3), (10, 6), (100, 21), (466, 50), (10**6, 50)]
)
def test_automatic_widths(codes, width):
    """fastai's emb_sz_rule, cut at 50."""
    assert width == min(50, round(1.6 * codes**0.56))
    layer = lm.Embedding("auto")
    lm.Model([port((codes, 3)), layer], seed=0)
    assert [t.shape for t in layer.embeddings] == [(codes, width), (3, 3)]


# ---- code 0 --------------------------------------------------------------------------------------


@pytest.mark.parametrize("initializer", ["lecun_normal", "ones", "orthogonal"])
def test_row_0_starts_at_zero(initializer):
    layer = lm.Embedding(4, embeddings_initializer=initializer)
    model = only(layer)
    for table in layer.embeddings:
        assert not table[0].any()
        assert np.abs(table[1:]).max() > 0
    assert not model.predict([[0, 0, 0]]).any()


def test_the_default_start_is_small():
    layer = lm.Embedding([2, 50])
    only(layer, (20_001, 20_001))
    for table in layer.embeddings:
        assert np.abs(table).max() <= 0.05
        assert table[1:].std() == pytest.approx(0.1 / math.sqrt(12), rel=0.02)


def test_code_0_is_trained_where_it_occurs_and_only_there():
    def trained(least):
        layer = lm.Embedding(3)
        model = lm.Model([port(), layer, lm.Dense(1)], seed=0)
        y = np.random.default_rng(0).normal(size=ROWS)
        trainer = lm.Trainer(model, loss="mse", optimizer=lm.Adam(0.01))
        trainer.fit(codes_of(least=least), y, epochs=2, batch_size=32, verbose=0)
        return layer.embeddings

    assert all(table[0].all() for table in trained(least=0))
    assert not any(table[0].any() for table in trained(least=1))


# ---- gradients -----------------------------------------------------------------------------------

BEHIND = {
    "dense": lambda: (lm.Dense(5, activation="tanh"), lm.Dense(2)),
    "residual": lambda: (lm.Residual([lm.Dense(4, activation="tanh")]), lm.Dense(2)),
    "normalised": lambda: (lm.BatchNormalization(), lm.Dense(2)),
}


@pytest.mark.parametrize("behind", BEHIND)
def test_gradients_of_the_tables(behind):
    model = beside_numbers(*BEHIND[behind]())
    x, y = data_of(rows=21)
    loss = lm.losses.MeanSquaredError()

    def value():
        return loss(y, model.forward(x, training=True))

    model.backward(loss.gradient(y, model.forward(x, training=True)))
    layer = model["tables"]
    by_hand = [gradient.copy() for gradient in layer.embeddings_gradient]
    for table, gradient in zip(layer.embeddings, by_hand, strict=True):
        assert np.abs(gradient).max() > 1e-4
        assert_close(gradient, numerical(value, table), behind)
    lm.Trainer(model, loss=loss).compute_gradients(x, y)
    for gradient, hand in zip(layer.embeddings_gradient, by_hand, strict=True):
        np.testing.assert_allclose(gradient, hand, rtol=0, atol=1e-12)


def test_branches_that_share_the_codes():
    """An Embedding, a OneHot and another Embedding of one port."""
    branches = [[lm.Embedding(2)], [lm.OneHot(), lm.Dense(3)], [lm.Embedding([1, 2, 3])]]
    layers = [port(), lm.Parallel(branches), lm.Residual([lm.Dense(15, activation="tanh")])]
    model = lm.Model([*layers, lm.Dense(1)], seed=1, dtype="float64")
    codes, y = codes_of(rows=12), np.cos(np.arange(12.0))[:, None]
    check = lm.check_gradients(model, codes, y, lm.losses.MeanSquaredError(), entries=40)
    assert check.max_error < 1e-6, check.errors
    assert "input" not in check.errors
    assert set(check.errors) >= {
        "embedding/embeddings_2",
        "dense/kernel",
        "embedding_1/embeddings_2",
    }


def test_rows_add_to_the_gradient_in_their_order():
    """In float32 another order gives other bits: NumPy's add.at goes row by row."""
    layer = lm.Embedding([5, 1, 3])
    model = only(layer)
    codes = codes_of(rows=1000)
    dy = np.random.default_rng(2).normal(size=(1000, 9)).astype(np.float32)
    model.forward(codes)
    assert model.backward(dy) is None
    parts = np.split(dy, [5, 6], axis=1)
    for gradient, x, part in zip(layer.embeddings_gradient, codes.T, parts, strict=True):
        want = np.zeros_like(gradient)
        np.add.at(want, x, part)
        np.testing.assert_array_equal(gradient, want)
        other = np.zeros_like(gradient)
        np.add.at(other, x[::-1], part[::-1])
        assert (other != want).any()


def test_no_gradient_by_numbers_behind_codes():
    """As the documentation of backward says: None where the first port is codes."""
    model = only(lm.Embedding(2))
    model.forward([[1, 1, 1]])
    assert model.backward(np.ones((1, 6))) is None


# ---- bits ----------------------------------------------------------------------------------------


def fitted(codes, threads=1, scheduling=None, monkeypatch=None):
    if scheduling:
        monkeypatch.setattr(lm.Trainer, "_scheduling", scheduling)
    model = lm.Model(
        [port(), lm.Parallel([lm.Embedding([20, 3, 9]), lm.OneHot()]), lm.Dense(1)], seed=4
    )
    y = np.random.default_rng(1).normal(size=len(codes))
    trainer = lm.Trainer(model, loss="mse", optimizer=lm.Adam(0.01), num_threads=threads)
    trainer.fit(codes, y, epochs=3, batch_size=67, verbose=0)
    return model.fingerprint()


@pytest.mark.parametrize("threads", [1, 2, 3, 5])
@pytest.mark.parametrize("block", [0, 16, 48])
@pytest.mark.parametrize("tile", [0, 1, 100])
def test_the_same_bits_however_it_is_done(threads, block, tile, monkeypatch):
    want = fitted(codes_of())
    assert fitted(codes_of(), threads, (block, tile, True), monkeypatch) == want


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_same_bits_from_any_layout(layout):
    assert fitted(LAYOUTS[layout](codes_of()) if layout != "frame" else codes_of()) == fitted(
        codes_of()
    )


def test_a_table_of_many_tiles(monkeypatch):
    """Tiles without a row of the batch, and batches of more rows than are passed over at once."""
    codes = np.random.default_rng(5).integers(0, 20_000, (700, 1))
    y = np.random.default_rng(6).normal(size=700)
    results = []
    for threads in (1, 3):
        monkeypatch.setattr(lm.Trainer, "_scheduling", (0, 0, True))
        layer = lm.Embedding(8)
        model = lm.Model([port((20_000,)), layer, lm.Dense(1)], seed=0)
        before = layer.embeddings.copy()
        trainer = lm.Trainer(model, loss="mse", optimizer=lm.SGD(0.1), num_threads=threads)
        trainer.fit(codes, y, epochs=1, batch_size=300, verbose=0)
        moved = np.flatnonzero((layer.embeddings != before).any(axis=1))
        np.testing.assert_array_equal(moved, np.unique(codes))
        results.append(model.fingerprint())
    assert results[0] == results[1]


# ---- arguments of Embedding ----------------------------------------------------------------------


def test_regularizer_and_multipliers():
    x, y = data_of()
    plain, penalised = beside_numbers(), beside_numbers(embeddings_regularizer=lm.L2(0.5))
    for model in (plain, penalised):
        lm.Trainer(model, loss="mse", optimizer=lm.SGD(0.1)).fit(
            x, y, epochs=1, batch_size=ROWS, shuffle=False, verbose=0
        )
    start = beside_numbers()["tables"].embeddings
    for p, q, s in zip(
        plain["tables"].embeddings, penalised["tables"].embeddings, start, strict=True
    ):
        np.testing.assert_allclose(q, p - 0.1 * 2 * 0.5 * s, rtol=0, atol=1e-14)
    still = beside_numbers(learning_rate_multiplier=0.0)
    lm.Trainer(still, loss="mse").fit(x, y, epochs=1, verbose=0)
    for table, s in zip(still["tables"].embeddings, start, strict=True):
        np.testing.assert_array_equal(table, s)


@pytest.mark.parametrize("average", [False, True])
def test_a_constraint_is_on_each_vector(average):
    x, y = data_of()
    runs = []
    for threads in (1, 3):
        most = lm.constraints.MaxNorm(0.5)
        model = beside_numbers(
            embeddings_constraint=most,
            embeddings_initializer=lm.initializers.RandomNormal(0.0, 0.6),
        )
        optimizer = lm.SGD(0.2, use_ema=average, ema_momentum=0.5)
        trainer = lm.Trainer(model, loss="mse", optimizer=optimizer, num_threads=threads)
        trainer.fit(x, y, epochs=3, batch_size=32, verbose=0)
        runs.append(model.fingerprint())
    norms = [np.linalg.norm(t, axis=1) for t in model["tables"].embeddings]
    longest = 0.5 + (1e-3 if average else 1e-12)  # the average began at longer vectors
    assert max(n.max() for n in norms) <= longest
    assert sum((n > 0.49).sum() for n in norms) > 5
    assert runs[0] == runs[1]


def test_frozen_tables_stay():
    x, y = data_of()
    model = beside_numbers(trainable=False)
    before = [t.copy() for t in model["tables"].embeddings]
    trainer = lm.Trainer(model, loss="mse", optimizer=lm.Adam(0.01))
    trainer.fit(x, y, epochs=1, batch_size=32, verbose=0)
    for table, b in zip(model["tables"].embeddings, before, strict=True):
        np.testing.assert_array_equal(table, b)
    model["tables"].trainable = True
    trainer.fit(x, y, epochs=1, batch_size=32, verbose=0)
    assert (model["tables"].embeddings[2] != before[2]).any()


def test_tables_are_views_that_can_be_set():
    model = beside_numbers()
    layer = model["tables"]
    layer.embeddings[1][:] = 2
    assert (model._core.view("tables/embeddings_1") == 2).all()
    layer.embeddings = [np.full(t.shape, 3.0) for t in layer.embeddings]
    assert all((t == 3).all() for t in layer.embeddings)
    with pytest.raises(ValueError, match=r"embeddings_1 of \"tables\" has shape \(2, 1\), got"):
        layer.embeddings = [np.zeros((7, 3)), np.zeros((2, 2)), np.zeros((40, 4))]
    with pytest.raises(ValueError, match='"tables" has 3 tables, got 2'):
        layer.embeddings = [np.zeros((7, 3)), np.zeros((2, 1))]
    assert all((t == 3).all() for t in layer.embeddings), "something was changed before the error"
    one = lm.Embedding(2)
    lm.Model([port((3,)), one], seed=0)
    one.embeddings = np.ones((3, 2))
    assert one.embeddings.sum() == 6
    with pytest.raises(AttributeError, match="embeddings does not exist yet"):
        _ = lm.Embedding(2).embeddings


# ---- files and descriptions ----------------------------------------------------------------------


def test_files_and_copies(tmp_path):
    for layer in (lm.Embedding("auto"), lm.Embedding([2, 3, 4], embeddings_regularizer="l2")):
        model = lm.Model([port(), layer, lm.Dense(2)], seed=0)
        model.save(tmp_path / "m.lamina")
        for twin in (
            lm.load(tmp_path / "m.lamina"),
            copy.deepcopy(model),
            pickle.loads(pickle.dumps(model)),
            core_copy(model),
        ):
            assert twin.fingerprint() == model.fingerprint()
            np.testing.assert_array_equal(twin.predict(codes_of()), model.predict(codes_of()))
            assert twin.layers[0].output_dim == layer.output_dim
            assert twin._network.layers[0].cardinalities == CARDINALITIES


def core_copy(model):
    twin = lm.Model.__new__(lm.Model)
    twin._adopt(core.Model(model._core.spec))
    return twin


def test_a_file_written_with_one_cardinality_loads():
    """By the version that knew one column a port; its predictions, computed then, lie beside it."""
    model = lm.load(GOLDEN.with_name("golden-1-codes.lamina"))
    expected = json.loads(GOLDEN.with_name("golden-1-codes.json").read_text())
    x = {name: np.array(expected[name]) for name in ("numbers", "codes")}
    np.testing.assert_allclose(model.predict(x), expected["y"], rtol=1e-5)
    assert model["codes"].cardinalities == (4,)
    assert model["table"].embeddings.shape == (4, 2)


def test_the_summary_shows_widths():
    model = lm.Model([port(), lm.Embedding([3, 1, 4]), lm.Dense(2)], seed=0)
    rows = {row["name"]: row for row in model._core.layers()}
    assert rows["input"]["output_shapes"] == [(3,)]
    assert rows["embedding"]["output_shapes"] == [(8,)]
    assert rows["embedding"]["parameters"] == 7 * 3 + 2 + 40 * 4
    assert "Embedding" in summary_text(model)


# ---- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [7, -1, 2.5, np.nan, np.inf, -np.inf, 2.0**40])
@pytest.mark.parametrize("place", [(0, 0), (3, 0), (149, 0), (1000, 0)])
def test_numbers_that_are_no_codes(bad, place):
    codes = codes_of(rows=1100).astype(np.float64)
    codes[place] = bad
    text = {7: "7", 2.5: "2.5", -1: "-1"}.get(bad, "NaN" if np.isnan(bad) else "")
    where = f"in row {place[0]}, column 0 is not a whole number in 0 ... 6; 0 stands for missing"
    model = only(lm.Embedding(2))
    trainer = lm.Trainer(model, loss="mse")
    before = model.fingerprint()
    calls = [
        lambda x: model.predict(x),
        lambda x: model.forward(x),
        lambda x: trainer.fit(x, np.zeros((1100, 6)), verbose=0),
        lambda x: trainer.evaluate(x, np.zeros((1100, 6))),
        lambda x: trainer.compute_gradients(x, np.zeros((1100, 6))),
    ]
    kinds = [codes, codes.astype(np.int32)] if bad in (7, -1) else [codes]
    for call in calls:
        for x in kinds:
            with pytest.raises(ValueError, match=rf"input: code {text}.*{where}"):
                call(x)
    assert model.fingerprint() == before


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.float32])
def test_the_column_is_named(dtype):
    codes = codes_of(WIDE, rows=200).astype(dtype)
    codes[123, 66] = WIDE[66]
    codes[124, 2] = 99
    model = lm.Model([port(WIDE, name="things"), lm.Embedding(1)], seed=0)
    with pytest.raises(ValueError, match=r"things: code 4 in row 123, column 66 .* 0 \.\.\. 3;"):
        model.predict(codes)


def test_all_rows_are_checked_whichever_are_trained_on():
    codes = codes_of()
    codes[-1, 2] = 40
    trainer = lm.Trainer(only(lm.Embedding(2)), loss="mse")
    with pytest.raises(ValueError, match="code 40 in row 149, column 2"):
        trainer.fit(codes, np.zeros((ROWS, 6)), validation_split=0.1, shuffle=False, verbose=0)
    trainer.fit(codes_of(), np.zeros((ROWS, 6)), validation_split=0.1, epochs=1, verbose=0)


def test_codes_that_change_during_a_fit_are_taken_as_unseen():
    """They were checked at the beginning; nothing outside the tables is read."""
    codes = codes_of()
    model = only(lm.Embedding(2))

    def spoil(batch, logs):
        codes[:] = [2**30, -5, 41]

    trainer = lm.Trainer(model, loss="mse")
    watch = lm.LambdaCallback(on_train_batch_end=spoil)
    trainer.fit(codes, np.ones((ROWS, 6)), epochs=2, batch_size=32, callbacks=[watch], verbose=0)
    assert all(table[0].any() for table in model.layers[0].embeddings)


REFUSED = {
    "Dense: its input is category codes; put an Embedding or a OneHot between": (
        lambda: [port(), lm.Dense(2)]
    ),
    "Residual: its input is category codes; put an Embedding or a OneHot": (
        lambda: [port(), lm.Residual([lm.Embedding(3)]), lm.Dense(2)]
    ),
    "Parallel: its input is category codes": (
        lambda: [lm.Parallel([[lm.Input(2)], [port()]]), lm.Dense(2)]
    ),
    r"Embedding: its input must be codes, as of lm.Input\(2, kind='codes'": (
        lambda: [lm.Input(2), lm.Embedding(3)]
    ),
    "OneHot: its input must be codes": lambda: [lm.Input(2), lm.OneHot(), lm.Dense(1)],
    "OneHot: no column has a code but 0; give missing='column'": (
        lambda: [port((1, 1)), lm.OneHot(), lm.Dense(1)]
    ),
    "OneHot: missing must be 'zeros' or 'column', got 'drop'": (
        lambda: [port(), lm.OneHot("drop"), lm.Dense(1)]
    ),
    "Embedding: output_dim has 2 sizes, its input 3 columns": lambda: [
        port(),
        lm.Embedding([1, 2]),
    ],
    "Embedding: output_dim must be a whole number .* or 'auto', got 0": (
        lambda: [port(), lm.Embedding(0)]
    ),
    "Embedding: output_dim must be .* got .1,0,2": lambda: [port(), lm.Embedding([1, 0, 2])],
    'Embedding: output_dim must be .* got "large"': lambda: [port(), lm.Embedding("large")],
    "embeddings_initializer cannot be UnitVariance": (
        lambda: [port(), lm.Embedding(3, embeddings_initializer="unit_variance")]
    ),
    "Input: cardinalities must be given": lambda: [lm.Input(2, kind="codes"), lm.Embedding(3)],
    "Input: cardinalities must be one number for each column, 2, got 3": (
        lambda: [lm.Input(2, kind="codes", cardinalities=CARDINALITIES), lm.Embedding(3)]
    ),
    "Input: cardinalities must be whole numbers in 1 ... 2147483647, got .7,0": (
        lambda: [port((7, 0)), lm.Embedding(3)]
    ),
    "Input: cardinalities must be whole numbers in 1 ... 2147483647, got 2147483648": (
        lambda: [lm.Input(2, kind="codes", cardinalities=2**31), lm.Embedding(3)]
    ),
    r"a row is so many codes, got shape \(2, 2\)": (
        lambda: [lm.Input((2, 2), kind="codes", cardinalities=3), lm.Embedding(3)]
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_models_that_are_refused(message):
    with pytest.raises(ValueError, match=message):
        lm.Model(REFUSED[message](), seed=0)


def test_the_number_of_columns_must_fit():
    model = only(lm.Embedding(2))
    with pytest.raises(ValueError, match="input: expected 3 columns, got 2"):
        model.predict(codes_of()[:, :2])
    with pytest.raises(ValueError, match=r"expected an array of shape \(n, 3\), got \(150,\)"):
        model.predict(codes_of()[:, 0])
    with pytest.raises(TypeError, match="encode categories"):
        model.predict([["a", "b", "c"]])
