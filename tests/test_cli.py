"""The command line as a user runs it: a process, its output, its exit code, its files."""

import csv
import io
import json
import re
import signal
import subprocess
import sys

import numpy as np
import pytest

import lamina as lm
from lamina import datasets
from lamina.tables_io import read_table, select_rows

PNG = b"\x89PNG\r\n\x1a\n"


def lamina(*arguments, folder, code=0, text_in=None):
    """Run `python -m lamina` and check its exit code and that there is no traceback."""
    run = subprocess.run(
        [sys.executable, "-m", "lamina", *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        input=text_in,
        timeout=300,
    )
    assert "Traceback" not in run.stderr, run.stderr
    assert run.returncode == code, run.stderr
    return run


def write(folder, name, columns):
    with open(folder / name, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return folder / name


def houses(rows=300, seed=0):
    """A table with blanks in a numeric column, a categorical column and the target."""
    rng = np.random.default_rng(seed)
    area, town = rng.uniform(30, 200, rows).round(1), rng.choice(["Ulm", "Bonn", "Köln"], rows)
    price = 2.5 * area + np.where(town == "Bonn", 80, 0) + rng.normal(0, 3, rows)
    cells = {"area": area.astype(str), "town": town.astype(object), "price": price.round(2)}
    cells["price"] = cells["price"].astype(str)
    for name, every in (("area", 17), ("town", 23), ("price", 50)):
        cells[name] = cells[name].astype(object)
        cells[name][::every] = ""
    return cells


def flowers(rows=300, seed=0):
    rng = np.random.default_rng(seed)
    size = rng.uniform(0, 3, rows)
    names = np.array(["daisy", "rose", "tulip"])[size.astype(int)]
    return {"size": size.round(3), "noise": rng.normal(size=rows).round(3), "flower": names}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a regression and a classification model, and what training printed."""
    folder = tmp_path_factory.mktemp("cli")
    write(folder, "houses.csv", houses())
    write(folder, "flowers.csv", flowers())
    said = lamina("train", "houses.csv", "--target", "price", folder=folder)
    lamina("train", "flowers.csv", "--target", "flower", "--quiet", folder=folder)
    return folder, said


def test_train_prints_bar_metrics_and_files(trained):
    folder, said = trained
    assert "houses.csv: 6 rows have no price and were left out" in said.stdout
    for line in ("train ", "validation ", "test ", "guessing the mean or median "):
        assert re.search(rf"^{line}\s+[\d.,]+\s+[\d.,]+\s+-?[\d.]+$", said.stdout, re.MULTILINE)
    assert "model: houses.lamina" in said.stdout
    assert "training curve: houses.png" in said.stdout
    assert "val_loss" in said.stderr  # the bar
    assert (folder / "houses.png").read_bytes().startswith(PNG)
    assert lm.load(folder / "houses.lamina").evaluate(houses(seed=1))["r2"] > 0.85


def test_train_says_what_it_makes_of_the_columns(tmp_path):
    columns = {
        "n": range(80),
        "odd": [*map(str, range(39)), "many"] * 2,
        "same": ["x"] * 80,
        "y": np.arange(80) / 7,
    }
    write(tmp_path, "t.csv", columns)
    said = lamina("train", "t.csv", "--target", "y", "--epochs", 1, folder=tmp_path).stdout
    assert "numeric: n\ncategorical: odd\nleft out, one value only: same\n" in said
    assert "note: odd is taken for categories because of 'many'" in said


@pytest.mark.parametrize("target", ["amount", "kind"])
def test_the_smallest_table(tmp_path, target):
    columns = {"x": range(5), "kind": list("ababa"), "amount": [0.5, 1.5, 2.5, 3.5, 4.5]}
    write(tmp_path, "t.csv", columns)
    run = lamina("train", "t.csv", "--target", target, "--json", "--quiet", folder=tmp_path)
    assert json.loads(run.stdout)["rows"] == {"train": 3, "validation": 1, "test": 1}


def test_quiet_is_quiet(tmp_path):
    write(tmp_path, "t.csv", flowers(60))
    run = lamina("train", "t.csv", "--target", "flower", "--quiet", "--epochs", 2, folder=tmp_path)
    assert (run.stdout, run.stderr) == ("", "")


def test_json_is_one_object_on_stdout(tmp_path):
    write(tmp_path, "houses.csv", houses())
    run = lamina(
        *("train", "houses.csv", "--target", "price", "--json", "--seed", 5),
        *("--epochs", 3, "--output", "here.lamina"),
        folder=tmp_path,
    )
    result = json.loads(run.stdout)
    assert list(result) == [
        *("task", "test", "validation", "train", "baseline", "seed", "rows", "files")
    ]
    assert result["task"] == "regression"
    for part in ("test", "validation", "train"):
        assert list(result[part]) == ["rmse", "mae", "r2"]
    assert list(result["baseline"]) == ["rmse"]
    assert result["seed"] == 5
    assert result["rows"] == {"train": 188, "validation": 47, "test": 59}
    assert result["files"] == {"model": "here.lamina", "plot": "here.png"}
    assert (tmp_path / "here.lamina").exists()


def test_json_of_classes(tmp_path):
    write(tmp_path, "flowers.csv", flowers())
    arguments = ["train", "flowers.csv", "--target", "flower", "--json", "--quiet"]
    result = json.loads(lamina(*arguments, "--epochs", 2, folder=tmp_path).stdout)
    assert result["task"] == "classification"
    assert list(result["test"]) == ["accuracy", "log_loss", "auc"]
    assert result["baseline"]["auc"] == 0.5


def test_the_same_seed_gives_the_same_numbers_on_any_number_of_threads(tmp_path):
    write(tmp_path, "t.csv", flowers(100))
    outputs = []
    for threads, seed in ((1, 0), (2, 0), (1, 1)):
        run = lamina(
            *("train", "t.csv", "--target", "flower", "--json", "--quiet", "--epochs", 3),
            *("--threads", threads, "--seed", seed),
            folder=tmp_path,
        )
        outputs.append(json.loads(run.stdout))
    assert outputs[0] == outputs[1]
    assert outputs[0]["train"] != outputs[2]["train"]


def test_tables_for_test_and_validation(tmp_path):
    write(tmp_path, "t.csv", flowers())
    write(tmp_path, "v.csv", flowers(30, seed=1))
    write(tmp_path, "x.csv", flowers(20, seed=2))
    start = ["train", "t.csv", "--target", "flower", "--json", "--quiet", "--epochs", 2]

    def rows(*arguments):
        return json.loads(lamina(*start, *arguments, folder=tmp_path).stdout)["rows"]

    assert rows("--test", "x.csv") == {"train": 252, "validation": 48, "test": 20}
    assert rows("--test", "x.csv", "--validation", "v.csv") == {
        "train": 300,
        "validation": 30,
        "test": 20,
    }
    assert rows("--validation", "0.3") == {"train": 150, "validation": 90, "test": 60}


def test_the_task_can_be_told(tmp_path):
    write(tmp_path, "t.csv", {"x": range(100), "y": [i % 4 for i in range(100)]})
    start = ["train", "t.csv", "--target", "y", "--json", "--quiet", "--epochs", 1]
    assert json.loads(lamina(*start, folder=tmp_path).stdout)["task"] == "classification"
    told = lamina(*start, "--task", "regression", folder=tmp_path)
    assert json.loads(told.stdout)["task"] == "regression"


def test_predict_writes_one_line_a_row(trained, tmp_path):
    folder, _ = trained
    rows = {"town": ["Ulm", "", "Paris", "Bonn"], "area": ["100", "50", "", "100"]}
    write(tmp_path, "new.csv", rows)
    run = lamina("predict", folder / "houses.lamina", "new.csv", folder=tmp_path)
    lines = list(csv.DictReader(io.StringIO(run.stdout)))
    prices = [float(line["prediction"]) for line in lines]
    assert [list(line) for line in lines] == [["prediction"]] * 4
    assert 60 < prices[3] - prices[0] < 100
    lamina("predict", folder / "houses.lamina", "new.csv", "-o", "out.csv", folder=tmp_path)
    assert (tmp_path / "out.csv").read_text(encoding="utf-8") == run.stdout
    assert sorted(p.name for p in tmp_path.iterdir()) == ["new.csv", "out.csv"]


def test_predict_classes_with_probabilities(trained, tmp_path):
    folder, _ = trained
    write(tmp_path, "new.csv", {"noise": [0, 0], "size": [0.5, 2.5]})
    run = lamina("predict", folder / "flowers.lamina", "new.csv", folder=tmp_path)
    lines = list(csv.DictReader(io.StringIO(run.stdout)))
    names = ["prediction", "probability_daisy", "probability_rose", "probability_tulip"]
    assert list(lines[0]) == names
    assert [line["prediction"] for line in lines] == ["daisy", "tulip"]
    for line in lines:
        assert sum(float(line[name]) for name in names[1:]) == pytest.approx(1, abs=1e-6)


def test_predict_survives_a_reader_that_leaves(trained, tmp_path):
    folder, _ = trained
    write(tmp_path, "long.csv", houses(40_000))
    predict = subprocess.Popen(
        [sys.executable, "-m", "lamina", "predict", folder / "houses.lamina", "long.csv"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert predict.stdout.readline() == "prediction\n"
    predict.stdout.close()
    assert predict.stderr.read() == ""
    predict.stderr.close()
    assert predict.wait(timeout=60) == 0


def test_info_describes_the_file(trained):
    folder, _ = trained
    houses_info = lamina("info", "houses.lamina", folder=folder).stdout
    assert "predicts price (regression" in houses_info
    assert "numeric columns: area" in houses_info
    assert "categorical columns: town (3 levels)" in houses_info
    assert "rows of houses.csv, seed 0" in houses_info
    assert "daisy, rose, tulip" in lamina("info", "flowers.lamina", folder=folder).stdout


def test_info_and_predict_of_a_bare_network(tmp_path):
    lm.Model([lm.Input(2), lm.Dense(1)], seed=0).save(tmp_path / "bare.lamina")
    assert "a network without a table" in lamina("info", "bare.lamina", folder=tmp_path).stdout
    write(tmp_path, "new.csv", {"a": [1]})
    run = lamina("predict", "bare.lamina", "new.csv", folder=tmp_path, code=2)
    assert "a bare network without the columns of a table" in run.stderr


ERRORS = {
    "missing file": (["no.csv", "--target", "y"], "no.csv: there is no such file"),
    "not bundled": (["rubies", "--target", "y"], "no such file (bundled tables: diamonds)"),
    "a path, not the bundled table": (["./diamonds", "--target", "price"], "no such file"),
    "no target": (["t.csv"], "say which column to predict with --target: x, y, kind"),
    "unknown target": (
        ["t.csv", "--target", "knd"],
        "t.csv: there is no column 'knd' (did you mean 'kind'?); it has x, y, kind",
    ),
    "no rows": (["header.csv", "--target", "x"], "header.csv: the table has no rows"),
    "one class": (["t.csv", "--target", "kind"], "the target 'kind' has one class only: 'a'"),
    "ragged": (["ragged.csv", "--target", "x"], "ragged.csv, line 3: 1 cells where"),
    "test lacks the target": (
        ["t.csv", "--target", "y", "--test", "other.csv"],
        "other.csv: there is no column 'y'; it has a, b",
    ),
    "bad share": (["t.csv", "--target", "y", "--validation", "1.5"], "between 0 and 1, got 1.5"),
    "bad seed": (["t.csv", "--target", "y", "--seed", "-1"], "argument --seed: "),
    "bad epochs": (["t.csv", "--target", "y", "--epochs", "0"], "argument --epochs: '0' is not"),
    "bad task": (["t.csv", "--target", "y", "--task", "guess"], "argument --task: invalid choice"),
    "unknown option": (["t.csv", "--traget", "y"], "unrecognized arguments: --traget"),
    "no folder": (["t.csv", "--target", "y", "--output", "no/m"], "--output: there is no folder"),
    "too few rows": (["few.csv", "--target", "y"], "few.csv: 2 rows with a value of y are too few"),
}


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("broken")
    write(folder, "t.csv", {"x": range(50), "y": np.arange(50) / 3, "kind": ["a"] * 50})
    write(folder, "other.csv", {"a": [1], "b": [2]})
    write(folder, "few.csv", {"x": [1, 2], "y": [0.5, 1.5]})
    (folder / "header.csv").write_text("x,y\n", encoding="utf-8")
    (folder / "ragged.csv").write_text("x,y\n1,2\n3\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize("kind", ERRORS)
def test_an_error_is_one_sentence_and_code_2(broken, kind):
    arguments, sentence = ERRORS[kind]
    run = lamina("train", *arguments, folder=broken, code=2)
    assert sentence in run.stderr
    assert run.stdout == ""
    assert run.stderr.count("\n") == 1
    assert not list(broken.glob("*.lamina"))


def test_predict_errors(trained, tmp_path):
    folder, _ = trained
    write(tmp_path, "new.csv", {"area": [1], "b": [2]})
    run = lamina("predict", folder / "houses.lamina", "new.csv", folder=tmp_path, code=2)
    assert "needs the column town, not in this table (it has area, b)" in run.stderr
    for path in ("no.lamina", "new.csv"):
        run = lamina("predict", path, "new.csv", folder=tmp_path, code=2)
        assert path in run.stderr
        assert run.stderr.count("\n") == 1
    lamina("info", "no.lamina", folder=tmp_path, code=2)


def test_ctrl_c_leaves_nothing_behind(tmp_path):
    table = read_table(datasets.path("diamonds"))
    write(tmp_path, "t.csv", select_rows(table, np.arange(20_000)))
    process = subprocess.Popen(
        [sys.executable, "-m", "lamina", "train", "t.csv", "--target", "price"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert "predicting price" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert errors.rstrip().endswith("lamina: interrupted; nothing was written")
    assert [p.name for p in tmp_path.iterdir()] == ["t.csv"]


def test_without_matplotlib_the_model_is_still_written(tmp_path):
    write(tmp_path, "t.csv", flowers(60))
    program = (
        "import sys; sys.modules['matplotlib'] = None; from lamina.cli import main;"
        "sys.exit(main(['train', 't.csv', '--target', 'flower', '--json', '--epochs', '1']))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["files"] == {"model": "t.lamina", "plot": None}
    assert 'pictures need matplotlib: pip install "lamina[plot]"' in run.stderr


def test_help_and_version(tmp_path):
    assert "train" in lamina(folder=tmp_path).stdout
    assert "lamina train diamonds --target price" in lamina("--help", folder=tmp_path).stdout
    assert "--validation" in lamina("train", "--help", folder=tmp_path).stdout
    assert re.fullmatch(r"lamina \d+\.\d+.*\n", lamina("--version", folder=tmp_path).stdout)


def test_parquet_is_a_table(tmp_path):
    polars = pytest.importorskip("polars")
    polars.DataFrame(flowers(60)).write_parquet(tmp_path / "t.parquet")
    lamina("train", "t.parquet", "--target", "flower", "--epochs", 1, folder=tmp_path)
    assert (tmp_path / "t.lamina").exists()


@pytest.mark.ci
def test_diamonds_with_the_defaults(tmp_path):
    """The bar of the project: 560 dollars; the defaults reach about 540."""
    run = lamina("train", "diamonds", "--target", "price", "--json", "--quiet", folder=tmp_path)
    assert json.loads(run.stdout)["test"]["rmse"] < 560
