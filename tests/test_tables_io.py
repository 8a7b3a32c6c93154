"""Reading tables: what files may look like, and the one sentence for each that cannot be read."""

import csv
import gzip
import io
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina import datasets
from lamina.table_cells import as_columns, as_texts, parse_dates, parse_numbers, typed
from lamina.tables_io import TableError, read_csv, read_table, row_count, select_rows


def write(folder, content, name="t.csv"):
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_are_found(tmp_path, delimiter):
    lines = ["a,b,c", "1,x,2.5", "2,y;z|w,3.5"] if delimiter == "," else ["a,b,c", "1,x,2.5"]
    path = write(tmp_path, "\n".join(lines).replace(",", delimiter))
    table = read_csv(path)
    assert list(table) == ["a", "b", "c"]
    assert table["c"][0] == "2.5"


def test_a_decimal_comma_does_not_pass_for_a_delimiter(tmp_path):
    table = read_csv(write(tmp_path, "a;b\n1,5;2,5\n3,5;4,5\n"))
    assert table == {"a": ["1,5", "3,5"], "b": ["2,5", "4,5"]}


def test_a_single_column_is_a_table(tmp_path):
    assert read_csv(write(tmp_path, "price\n1\n\n2\n")) == {"price": ["1", "2"]}


def test_quotes_hold_delimiters_line_ends_and_quotes(tmp_path):
    path = write(tmp_path, 'a,b\r\n"x, y","one\ntwo"\r\n"say ""hi""",z\r\n')
    assert read_csv(path) == {"a": ["x, y", 'say "hi"'], "b": ["one\ntwo", "z"]}


def test_spaces_after_the_delimiter_are_no_part_of_a_cell(tmp_path):
    assert read_csv(write(tmp_path, 'a, b\n1, "x, y"\n')) == {"a": ["1"], "b": ["x, y"]}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_with_and_without_mark(tmp_path, encoding):
    path = write(tmp_path, "größe,b\n1,é\n".encode(encoding))
    assert read_csv(path) == {"größe": ["1"], "b": ["é"]}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(tmp_path, end):
    assert read_csv(write(tmp_path, end.join(["a,b", "1,2", "", "3,4", ""]))) == {
        "a": ["1", "3"],
        "b": ["2", "4"],
    }


def test_columns_without_a_name_are_left_out(tmp_path):
    assert read_csv(write(tmp_path, ",a,b\n0,1,2\n1,3,4\n")) == {"a": ["1", "3"], "b": ["2", "4"]}


def test_gzip_is_known_by_its_content(tmp_path):
    path = write(tmp_path, gzip.compress(b"a,b\n1,2\n"), "t.txt")
    assert read_table(path) == {"a": ["1"], "b": ["2"]}


BROKEN = {
    "empty": (b"", "the file is empty"),
    "blank": (b" \n\n", "the file is empty"),
    "header only": (b"a,b\n", "the table has no rows, only a header"),
    "ragged": (b"a,b\n1,2\n3\n", r"line 3: 1 cells where the header has 2"),
    "ragged after a long cell": (b'a,b\n"x\ny",2\n1,2,3\n', "line 4: 3 cells"),
    "twice": (b"a,b,a\n1,2,3\n", "two columns are called 'a'; is the first line really a header"),
    "nameless": (b",\n1,2\n", "the first line names no column"),
    "open quote": (b'a,b\n1,"2\n3,4\n', 'opens with " and is never closed'),
    "latin-1": (b"a,b\n1,2\ncaf\xe9,3\n", "line 3: byte 0xE9 is not UTF-8 text"),
    "binary": (b"a,b\n\x00\x01,2\n", "not a text table"),
    "Excel": (b"PK\x03\x04abc", "save the table as CSV"),
    "cut gzip": (gzip.compress(b"a,b\n1,2\n" * 99)[:-20], "damaged or cut off"),
    "damaged gzip": (b"\x1f\x8b\x08\x00garbage-garbage", "damaged or cut off"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_gives_one_sentence_that_names_it(tmp_path, kind):
    content, sentence = BROKEN[kind]
    path = write(tmp_path, content)
    with pytest.raises(TableError, match=sentence) as raised:
        read_table(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(TableError, match="there is no such file"):
        read_table(tmp_path / "no.csv")
    with pytest.raises(TableError, match="this is a folder"):
        read_table(tmp_path)


cell = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=8)


@given(st.lists(st.tuples(cell, cell), min_size=1, max_size=9))
def test_what_the_csv_module_writes_comes_back(rows):
    """Law: written by csv and read here, cells are the same but for leading spaces."""
    import tempfile
    from pathlib import Path

    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerows([("first column", "second column"), *rows])
    with tempfile.TemporaryDirectory() as folder:
        table = read_csv(write(Path(folder), text.getvalue()))
    assert list(zip(*table.values(), strict=True)) == rows


def test_parquet_keeps_types(tmp_path):
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(
        {
            "whole": [1, 2, 3],
            "holes": [1, None, 3],
            "real": [0.5, float("nan"), 2.0],
            "text": ["x", None, "z"],
            "truth": [True, False, None],
            "day": polars.Series(["2024-02-29", None, "2024-03-01"]).str.to_date(),
        }
    )
    path = tmp_path / "t.parquet"
    frame.write_parquet(path)
    table = read_table(path)
    np.testing.assert_array_equal(table["whole"], [1, 2, 3])
    np.testing.assert_array_equal(table["holes"], [1, np.nan, 3])
    np.testing.assert_array_equal(table["real"], [0.5, np.nan, 2.0])
    assert table["text"] == ["x", "", "z"]
    assert table["truth"] == ["True", "False", ""]
    assert table["day"] == ["2024-02-29", "", "2024-03-01"]


def test_parquet_errors(tmp_path):
    polars = pytest.importorskip("polars")
    with pytest.raises(TableError, match="polars cannot read the file"):
        read_table(write(tmp_path, b"PAR1 and no more"))
    path = tmp_path / "t.parquet"
    polars.DataFrame({"a": []}).write_parquet(path)
    with pytest.raises(TableError, match="the table has no rows"):
        read_table(path)
    polars.DataFrame({"a": [[1, 2]]}).write_parquet(path)
    with pytest.raises(TableError, match="column 'a' holds List"):
        read_table(path)


def test_parquet_without_polars_names_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(TableError, match=r'pip install "lamina\[cli\]"'):
        read_table(write(tmp_path, b"PAR1"))


def test_rows_are_selected_in_order():
    table = {"a": ["x", "y", "z"], "b": np.array([1, 2, 3])}
    chosen = select_rows(table, np.array([2, 0]))
    assert chosen["a"] == ["z", "x"]
    assert chosen["b"].tolist() == [3, 1]
    assert row_count(chosen) == 2


def test_the_bundled_table_has_its_rows_and_licence():
    diamonds = datasets.load_diamonds()
    assert row_count(diamonds) == 53_940
    assert diamonds["price"].dtype == np.float64
    assert diamonds["price"].sum() == 212_135_217  # ggplot2: sum(diamonds$price)
    assert sorted(set(diamonds["cut"])) == ["Fair", "Good", "Ideal", "Premium", "Very Good"]
    licence = datasets.path("diamonds").with_name("diamonds.LICENSE.txt")
    assert "MIT License" in licence.read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="there is no bundled table 'rubies'; there are diamonds"):
        datasets.path("rubies")


@pytest.mark.parametrize("odd", ["1_000", "inf", "1e999", "0x10", "one", "1,5"])
def test_what_is_no_number(odd):
    assert parse_numbers(["1", odd]) is None


def test_blanks_are_nan():
    np.testing.assert_array_equal(parse_numbers(["", " ", "NA", "?", "nan", "-1e3"])[:5], np.nan)


@pytest.mark.parametrize("odd", ["2024-13-01", "2024-02-30", "24-01-01", "2024-01-01T", "soon"])
def test_what_is_no_date(odd):
    assert parse_dates(["2024-01-01", odd]) is None


def test_typed_turns_numbers_only():
    table = typed({"a": ["1", ""], "b": ["1", "x"], "c": np.array([1, 2])})
    np.testing.assert_array_equal(table["a"], [1.0, np.nan])
    assert table["b"] == ["1", "x"]
    assert table["c"].dtype.kind == "i"


def test_columns_of_python_and_numpy_values():
    table = as_columns(
        {
            "floats": np.array([1, 2], dtype=np.float32),
            "truths": np.array([True, False]),
            "mixed": [1, None],
            "bytes": np.array([b"x", b"y"]),
            "days": np.array(["2024-02-29", "NaT"], dtype="datetime64[D]"),
        }
    )
    assert table["floats"].dtype == np.float64
    assert table["truths"] == ["True", "False"]
    assert table["mixed"] == ["1", ""]
    assert table["bytes"] == ["x", "y"]
    assert table["days"] == ["2024-02-29", ""]
    assert as_texts(table["floats"]) == ["1", "2"]


def test_columns_that_make_no_table():
    with pytest.raises(TableError, match="column 'a' has 2 rows but column 'b' has 1"):
        as_columns({"a": [1, 2], "b": [1]})
    with pytest.raises(TableError, match="the table has no rows"):
        as_columns({"a": []})
    with pytest.raises(TableError, match="'a' must have one dimension"):
        as_columns({"a": [[1, 2], [3, 4]]})
    with pytest.raises(TypeError, match="a table is a path, a dict of columns or a DataFrame"):
        as_columns(42)
    with pytest.raises(TableError, match="'a' holds complex128"):
        as_columns({"a": [1j]})


def test_a_polars_frame_is_a_table():
    polars = pytest.importorskip("polars")
    table = as_columns(polars.DataFrame({"a": [1, None], "b": ["x", None]}))
    np.testing.assert_array_equal(table["a"], [1.0, np.nan])
    assert table["b"] == ["x", ""]
