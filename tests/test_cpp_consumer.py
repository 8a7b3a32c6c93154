"""The C++ library as somebody else's project uses it: installed, found, linked, without Python."""

import importlib.metadata
import re
import shutil
import subprocess

import numpy as np
import pytest
from building import ROOT, build_outside, run
from random_models import random_model

import lamina as lm
from lamina._isa import core

EXAMPLES = ROOT / "cpp" / "examples"
NATIVE = "-DCMAKE_CXX_FLAGS=-march=native -Wall -Wextra -Werror"

pytestmark = pytest.mark.ci


@pytest.fixture(scope="module")
def programs(installed_library, tmp_path_factory):
    """The example projects, copied out of the tree and built."""
    folder = tmp_path_factory.mktemp("programs")
    for name in ("serve", "train"):
        source = shutil.copytree(EXAMPLES / name, folder / name)
        build_outside(source, folder / f"build_{name}", installed_library, NATIVE)
    return {name: folder / f"build_{name}" / name for name in ("serve", "train")}


def refused(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode != 0
    assert done.stdout == ""
    return done.stderr


# ---- what is installed --------------------------------------------------------------------------


def test_what_is_installed(installed_library):
    files = {path.relative_to(installed_library) for path in installed_library.rglob("*.*")}
    headers = {path.name for path in files if path.suffix == ".hpp"}
    assert headers == {"lamina.hpp", "predict.hpp", "train.hpp"}
    assert len([path for path in files if path.suffix == ".a"]) == 1
    for path in installed_library.rglob("*"):
        if path.suffix == ".hpp":
            names = re.findall(r"^#include\s*(\S+)", path.read_text(), re.MULTILINE)
            inside = {f'"lamina/{name}"' for name in headers}
            assert all(name in inside or re.fullmatch(r"<\w+>", name) for name in names)
        elif path.suffix == ".cmake":
            assert str(ROOT) not in path.read_text()
            assert "Eigen" not in path.read_text()


def test_the_python_package_holds_no_library():
    files = importlib.metadata.files("lamina")
    if files is None or not any(path.suffix == ".so" for path in files):
        pytest.skip("lamina is not an installed package")
    wrong = (".a", ".hpp", ".cmake")
    assert not [path for path in files if path.suffix in wrong]


# ---- what the programs answer -------------------------------------------------------------------


def plain(dtype):
    hidden = [lm.Dense(96, activation="tanh"), lm.Dropout(0.3), lm.Dense(32, activation="relu")]
    return lm.Model([lm.Input(7), *hidden, lm.Dense(3, activation="softmax")], seed=1, dtype=dtype)


def normalized(dtype):
    layers = [lm.Input(7), lm.Normalization(), lm.Dense(40), lm.BatchNormalization()]
    rest = [lm.Activation("gelu"), lm.BatchNormalization(), lm.Dense(2)]
    return lm.Model([*layers, *rest], seed=2, dtype=dtype)


def answers(said):
    return np.array([[float.fromhex(y) for y in line.split()] for line in said.splitlines()])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("make", [plain, normalized])
def test_eight_threads_give_the_bits_of_predict(programs, tmp_path, make, dtype):
    draw = np.random.default_rng(0)
    x = draw.normal(3, 2, size=(3000, 7)).astype(np.float32)
    model = make(dtype)
    loss = "cce" if make is plain else "mse"
    y = draw.integers(0, 3, 3000) if make is plain else x[:, :2] * x[:, 1:3]
    lm.Trainer(model, loss=loss).fit(x, y, epochs=2, verbose=0)
    model.save(tmp_path / "model.lamina")
    x.tofile(tmp_path / "rows.f32")

    command = (programs["serve"], tmp_path / "model.lamina", tmp_path / "rows.f32")
    want = model.predict(x)
    assert np.array_equal(answers(run(*command, 8)), want)
    assert np.array_equal(answers(run(*command, 1)), want)
    folded = model.freeze_for_inference().predict(x)
    assert np.array_equal(answers(run(*command, 8, "folded")), folded)
    assert np.array_equal(folded, want) == (make is plain)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_random_models_give_the_bits_of_predict(programs, tmp_path, dtype):
    served = 0
    for seed in range(40):
        model, x = random_model(seed, dtype, rows=60)
        if isinstance(x, tuple) or len(model.output_names) > 1:
            continue
        served += 1
        rows = np.asarray(x, np.float32)
        rows.tofile(tmp_path / "rows.f32")
        model.save(tmp_path / "model.lamina")
        found = answers(run(programs["serve"], tmp_path / "model.lamina", tmp_path / "rows.f32", 8))
        assert np.array_equal(found, model.predict(rows).reshape(len(rows), -1)), seed
    assert served >= 10


def write_table(path, x, y):
    lines = [",".join([*"abcde", "y"])]
    lines += [",".join(f"{v:.9g}" for v in row) for row in np.column_stack([x, y])]
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("threads", ["1", "3"])
def test_training_in_cpp_gives_the_bits_of_python(programs, tmp_path, threads):
    """cpp/examples/train/main.cpp and the same in Python."""
    draw = np.random.default_rng(0)
    x = draw.normal(2, 3, size=(3000, 5)).astype(np.float32)
    y = (x[:, 0] * x[:, 1] + x[:, 2]).astype(np.float32)
    write_table(tmp_path / "table.csv", x, y)
    path = tmp_path / "model.lamina"
    environment = {"OMP_NUM_THREADS": threads}
    said = run(programs["train"], tmp_path / "table.csv", path, 3, env=environment)

    first = [lm.Input(5), lm.Normalization(), lm.Dense(64, activation="relu")]
    second = lm.Dense(32, activation="gelu", kernel_regularizer=lm.L2(1e-5))
    between = [lm.BatchNormalization(), lm.Dropout(0.1)]
    model = lm.Model([*first, *between, second, lm.Dense(1)], seed=0)
    optimizer = lm.AdamW(learning_rate=lm.Cosine(0.01))
    trainer = lm.Trainer(model, loss="mse", optimizer=optimizer, metrics=["mae"])
    history = trainer.fit(x, y, epochs=3, batch_size=256, verbose=0)

    trained = lm.load(path)
    assert trained.fingerprint() == model.fingerprint()
    assert np.array_equal(trained.predict(x), model.predict(x))
    for epoch, line in enumerate(said.splitlines()[:3]):
        words = line.split()
        assert words[:2] == ["epoch", str(epoch + 1)]
        printed = dict(zip(words[2::2], map(float, words[3::2]), strict=True))
        assert printed.keys() == set(history.keys())
        for name, value in printed.items():
            assert value == float(f"{history[name][epoch]:.6g}")


def test_the_table_of_diamonds(programs, tmp_path, monkeypatch):
    """The Python of docs/cpp.md writes what the program reads; in 5 epochs most is learned."""
    monkeypatch.chdir(tmp_path)
    (snippet,) = re.findall(
        r"^```python\n(.*?)^```$", (ROOT / "docs" / "cpp.md").read_text(), re.DOTALL | re.MULTILINE
    )
    exec(compile(snippet, "cpp.md", "exec"), {})
    said = run(programs["train"], "diamonds.csv", "diamonds.lamina", 5).splitlines()
    losses = [float(line.split()[3]) for line in said if line.startswith("epoch")]
    assert len(losses) == 5
    assert losses[-1] < 0.2 * 15.9  # thousands squared; the price's variance
    assert lm.load("diamonds.lamina").predict(np.ones((1, 6))).shape == (1, 1)


def test_what_the_programs_refuse(programs, tmp_path):
    rows, path = tmp_path / "rows.f32", tmp_path / "model.lamina"
    np.zeros(8, np.float32).tofile(rows)
    serve = (programs["serve"], path, rows, 8)
    assert refused(*serve) == f"cannot read {path}: No such file or directory\n"
    plain("float32").save(path)
    assert "whole rows of 7 numbers, got 8" in refused(*serve)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert f"{path}: tensor 'dense_2/bias' lies outside the file" in refused(*serve)
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert f"{path}: the checksum does not match" in refused(*serve)
    x = lm.Input(7)
    lm.Model(inputs=x, outputs=[lm.Dense(1)(x), lm.Dense(2)(x)]).save(path)
    assert "for models of one input and one output, this one has 1 and 2" in refused(*serve)
    normalized("float32").save(path)
    assert f"{path}: " in refused(*serve)
    assert "has not seen data yet" in refused(*serve)
    (tmp_path / "table.csv").write_text("a,b\n1,2\n3\n")
    said = refused(programs["train"], tmp_path / "table.csv", path)
    assert "table.csv, line 3: expected 2 numbers, got 1" in said


# ---- how it is found ----------------------------------------------------------------------------


def configure(tmp_path, text, *options):
    (tmp_path / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.25)\n" + text)
    command = ["cmake", "-S", tmp_path, "-B", tmp_path / "build", "-G", "Ninja", *options]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


PROJECT = "project(p LANGUAGES CXX)\nfind_package(Lamina {} CONFIG REQUIRED)\n"


@pytest.mark.parametrize(
    ("text", "option", "said"),
    [
        (PROJECT.format(lm.__version__), "-DX=", "Build files have been written"),
        (PROJECT.format("99.0"), "-DX=", "is compatible with requested version"),
        (
            PROJECT.format("").replace("LANGUAGES CXX", "LANGUAGES C"),
            "-DX=",
            "write project(... LANGUAGES CXX) before find_package(Lamina)",
        ),
        (
            PROJECT.format(""),
            "-DCMAKE_DISABLE_FIND_PACKAGE_OpenMP=ON",
            "Lamina with -DLAMINA_OPENMP=OFF, which runs on the calling thread alone",
        ),
    ],
)
def test_finding_it(installed_library, tmp_path, text, option, said):
    if "OpenMP" in option and not core.info()["openmp"]:
        pytest.skip("this compiler has no OpenMP")
    _, output = configure(tmp_path, text, f"-DCMAKE_PREFIX_PATH={installed_library}", option)
    assert said in output


def test_as_a_part_of_another_project(tmp_path):
    """It can be configured so, and then installs nothing of its own."""
    (tmp_path / "lamina").symlink_to(ROOT)
    text = "project(p LANGUAGES CXX)\nadd_subdirectory(lamina)\n"
    text += "get_target_property(x lamina::lamina INTERFACE_INCLUDE_DIRECTORIES)\n"
    code, output = configure(tmp_path, text)
    assert code == 0, output
    assert "lamina" not in run("cmake", "--install", tmp_path / "build", "--prefix", tmp_path / "p")


@pytest.mark.parametrize(
    ("option", "remedy"),
    [
        ("-DCMAKE_DISABLE_FIND_PACKAGE_Eigen3=ON", "pip install 'cmeel-eigen"),
        ("-DLAMINA_JSON_INCLUDE=", "pip install 'nlohmann-json"),
    ],
)
def test_what_is_missing_is_named(tmp_path, option, remedy):
    command = ["cmake", "-S", ROOT, "-B", tmp_path / "b", "-G", "Ninja", "-DLAMINA_PYTHON=OFF"]
    done = subprocess.run([*map(str, command), option], capture_output=True, text=True)
    assert done.returncode != 0
    assert remedy in " ".join(done.stderr.split())
