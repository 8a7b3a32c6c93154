"""Streams of Arrow batches and Parquet files: columns by name, the bits of arrays."""

import datetime
import decimal
import subprocess
import sys

import numpy as np
import pytest

import lamina as lm

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

ROWS = 1000
DRAW = np.random.default_rng(0)
TABLE = pa.table(
    {
        "a": DRAW.normal(size=ROWS).astype(np.float32),
        "y": DRAW.normal(size=ROWS),
        "b": DRAW.normal(size=ROWS).astype(np.float32),
        "w": DRAW.uniform(size=ROWS),
        "c": DRAW.normal(size=ROWS).astype(np.float32),
    }
)
NUMPY = {name: TABLE[name].to_numpy() for name in TABLE.column_names}
X = np.column_stack([NUMPY[name] for name in "abc"])


def fitted(*data, **arguments):
    model = lm.Model([lm.Input(3), lm.Dense(8, activation="tanh"), lm.Dense(1)], seed=0)
    trainer = lm.Trainer(model, loss="mse", metrics=["mae"])
    history = trainer.fit(*data, epochs=2, batch_size=32, **arguments)
    return model.fingerprint(), history.history


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """Two files of odd row groups."""
    folder = tmp_path_factory.mktemp("parquet")
    for name, rows in (("1.parquet", slice(0, 333)), ("2.parquet", slice(333, ROWS))):
        part = TABLE.slice(rows.start, rows.stop - rows.start)
        pq.write_table(part, folder / name, row_group_size=70)
    return sorted(folder.iterdir())


@pytest.mark.parametrize("shuffle", [False, True])
def test_parquet_gives_the_bits_of_arrays(paths, shuffle):
    stream = lm.ParquetStream(paths, target="y", weight="w")
    assert stream.rows == ROWS
    assert fitted(stream, shuffle=shuffle) == fitted(
        X, NUMPY["y"], sample_weight=NUMPY["w"], shuffle=shuffle
    )


def test_windows_columns_and_their_order(paths):
    x = np.column_stack([NUMPY[name] for name in "cba"])
    stream = lm.ParquetStream(paths, target="y", columns=["c", "b", "a"], window_rows=100)
    assert fitted(stream, shuffle=False) == fitted(x, NUMPY["y"], shuffle=False)
    only = lm.ParquetStream(str(paths[0]), columns=["a", "b", "c"])
    assert only.rows == 333
    model = lm.Model([lm.Input(3), lm.Dense(1)], seed=0)
    assert np.array_equal(model.predict(only), model.predict(X[:333]))


def test_arrow_sources():
    expected = fitted(X, NUMPY["y"], shuffle=False)
    plain = TABLE.drop_columns(["w"])
    batches = plain.to_batches(max_chunksize=77)
    tables = [plain.slice(at, 90) for at in range(0, ROWS, 90)]
    for source in (plain, batches, tables, lambda: iter(batches)):
        stream = lm.ArrowStream(source, target="y", window_rows=128)
        assert fitted(stream, shuffle=False) == expected
    assert lm.ArrowStream(plain, target="y").rows == ROWS
    whole = plain.combine_chunks().to_batches()[0]
    assert fitted(lm.ArrowStream(whole, target="y"), shuffle=False) == expected
    reader = lm.ArrowStream(pa.RecordBatchReader.from_batches(plain.schema, batches), target="y")
    assert reader.once
    pairs = [(batch.select(["a", "b", "c"]), batch["y"]) for batch in batches]
    assert fitted(pairs, shuffle=False) == expected  # as chunks, by their own protocols


def test_other_libraries_by_the_capsule_protocol():
    pl = pytest.importorskip("polars")
    frame = pl.from_arrow(TABLE.drop_columns(["w"]))
    assert lm.ArrowStream(frame, target="y").rows == ROWS
    frames = [frame[:400], frame[400:]]
    expected = fitted(X, NUMPY["y"], shuffle=False)
    assert fitted(lm.ArrowStream(frames, target="y"), shuffle=False) == expected
    pairs = [(one.select("a", "b", "c"), one["y"]) for one in frames]
    assert fitted(pairs, shuffle=False) == expected


def test_by_input_and_by_output():
    stream = lm.ArrowStream(
        TABLE,
        target={"one": "y", "two": ["a", "w"]},
        columns={"left": ["a"], "right": ["c", "b"]},
    )
    x, y = next(stream.chunks(100))[1]
    assert [x["left"].shape, x["right"].shape] == [(ROWS, 1), (ROWS, 2)]
    assert [y["one"].shape, y["two"].shape] == [(ROWS,), (ROWS, 2)]
    assert x["right"].dtype == np.float32
    assert y["two"].dtype == np.float64


@pytest.mark.parametrize(
    ("columns", "dtype"),
    [
        ({"a": pa.array([1, 2], pa.int8()), "b": pa.array([1, 2], pa.float32())}, "float32"),
        ({"a": pa.array([1, 2], pa.int32()), "b": pa.array([1, 2], pa.float32())}, "float64"),
        ({"a": pa.array([1, 2], pa.int8()), "b": pa.array([1, 2], pa.int16())}, "int16"),
        ({"a": pa.array([True, False]), "b": pa.array([1, 2], pa.uint8())}, "uint8"),
        ({"a": pa.array([1, 2]), "b": pa.array([1, 2])}, "int64"),
        ({"a": pa.array([decimal.Decimal("1.5")] * 2)}, "float64"),
        ({"a": pa.array([1.5, None], pa.float32())}, "float32"),
        ({"a": pa.array([1, None], pa.int64())}, "float64"),
        ({"a": pa.array([True, None])}, "float32"),
    ],
)
def test_dtypes(columns, dtype):
    table = pa.table(columns)
    (_, x), = lm.ArrowStream(table).chunks(10)  # fmt: skip
    assert x.dtype == dtype
    expected = table.to_pydict()
    for place, name in enumerate(columns):
        values = [np.nan if one is None else float(one) for one in expected[name]]
        assert np.array_equal(x[:, place], values, equal_nan=True)
    (_, x), = lm.ArrowStream(table, dtype="float32").chunks(10)  # fmt: skip
    assert x.dtype == np.float32


def test_nulls_are_for_impute():
    table = pa.table({"a": [1.0, None, 3.0, None], "y": [0.0, 1.0, 0.0, 1.0]})
    stream = lm.ArrowStream(table, target="y")
    plain = lm.Trainer(lm.Model([lm.Input(1), lm.Dense(1)]), loss="mse")
    with pytest.raises(ValueError, match=r"NaN in row 1: .*Impute"):
        plain.fit(stream)
    layers = [lm.Input(1), lm.Impute(), lm.Dense(1)]
    history = lm.Trainer(lm.Model(layers), loss="mse").fit(stream, epochs=2)
    assert np.isfinite(history["loss"]).all()


def test_what_is_refused(paths, tmp_path):
    with pytest.raises(ValueError, match=r"1.parquet: no column \['z'\]; it has \['a', 'y'"):
        lm.ParquetStream(paths, target="z")
    with pytest.raises(OSError, match="missing"):
        lm.ParquetStream(tmp_path / "missing.parquet", target="y")
    with pytest.raises(ValueError, match="there are no files"):
        lm.ParquetStream([], target="y")
    with pytest.raises(TypeError, match="columns must be a list"):
        lm.ArrowStream(TABLE, columns="a")
    with pytest.raises(ValueError, match="dtype must be"):
        lm.ArrowStream(TABLE, dtype="int8")
    for column in (["text"], [datetime.date(2026, 1, 1)]):
        stream = lm.ArrowStream(pa.table({"a": [1.0], "b": column, "y": [1.0]}), target="y")
        with pytest.raises(TypeError, match=r"column 'b' holds .*; numbers are needed"):
            lm.Trainer(lm.Model([lm.Input(2), lm.Dense(1)]), loss="mse").fit(stream)
    with pytest.raises(TypeError, match="expected a record batch or a table, got int"):
        next(lm.ArrowStream([3]).chunks(10))
    with pytest.raises(ValueError, match="there is no column 'q'"):
        next(lm.ArrowStream(TABLE, columns=["q"]).chunks(10))


def test_pyarrow_is_imported_when_it_is_needed():
    script = "import sys, lamina; assert 'pyarrow' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_without_pyarrow_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r'pip install "lamina\[parquet\]"'):
        lm.ArrowStream([])


def test_repr():
    assert repr(lm.ArrowStream([], target="y")) == "lm.ArrowStream([], window_rows=65536)"


def test_columns_are_those_of_the_first_batch_in_its_order(tmp_path):
    a = np.arange(6.0)
    first, turned = pa.table({"a": a, "b": a * 10}), pa.table({"b": a * 10, "a": a})
    less, more = pa.table({"a": a}), pa.table({"a": a, "b": a, "c": a})
    model = lm.Model([lm.Input(2), lm.Dense(1)], seed=0)
    model.layers[0].kernel = [[1.0], [0.0]]

    def files(*tables):
        paths = [tmp_path / f"{place}.parquet" for place in range(len(tables))]
        for path, table in zip(paths, tables, strict=True):
            pq.write_table(table, path)
        return lm.ParquetStream(paths)

    for make in (files, lambda *tables: lm.ArrowStream(list(tables))):
        got = model.predict(make(first, turned)).ravel()
        assert got.tolist() == [*a, *a]
        for other in (less, more):
            with pytest.raises(ValueError, match="column"):
                model.predict(make(first, other))
    twice = pa.table([pa.array(a), pa.array(a)], names=["a", "a"])
    with pytest.raises(ValueError, match="same name"):
        model.predict(lm.ArrowStream(twice))
