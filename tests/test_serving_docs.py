"""docs/serving.md and docs/cpp.md keep their word: Python runs, a CMake project gives its bits."""

import contextlib
import io
import re
import subprocess

import numpy as np
import pytest
from building import ROOT, build_outside, run

import lamina as lm

PAGE = ROOT / "docs" / "serving.md"
CPP_PAGE = ROOT / "docs" / "cpp.md"
EXAMPLE = ROOT / "cpp" / "examples" / "predict.cpp"

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="docs lie in the source tree alone")


def blocks(language, page=PAGE):
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)


def run_snippets():
    names, printed = {"__name__": "__main__"}, io.StringIO()
    with contextlib.redirect_stdout(printed):
        for block in blocks("python"):
            exec(compile(block, PAGE.name, "exec"), names)
    return names, printed.getvalue().splitlines()


def test_the_snippets_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _, said = run_snippets()
    assert said == ["(2000, 1) (1,)", "True", "True", "True", "True", "(1,) True"]


def whole_program(snippet):
    """The includes of a snippet, and the rest as its main()."""
    lines = snippet.splitlines()
    includes = [line for line in lines if line.startswith("#include")]
    body = [line for line in lines if not line.startswith("#include")]
    return "\n".join([*includes, "int main() {", *body, "}", ""])


@pytest.fixture(scope="module")
def program(installed_library, tmp_path_factory):
    """cpp/examples/predict.cpp, built by the page's CMakeLists.txt."""
    project = tmp_path_factory.mktemp("service")
    (cmake,) = blocks("cmake", CPP_PAGE)
    (project / "predict.cpp").write_text(EXAMPLE.read_text())
    for i, snippet in enumerate(blocks("cpp", CPP_PAGE)):
        (project / f"snippet_{i}.cpp").write_text(whole_program(snippet))
        cmake += f"add_executable(snippet_{i} snippet_{i}.cpp)\n"
        cmake += f"target_link_libraries(snippet_{i} PRIVATE lamina::lamina)\n"
    (project / "CMakeLists.txt").write_text(cmake)
    return build_outside(project, project / "build", installed_library) / "predict"


def answers(program, path, rows):
    text = "\n".join(" ".join(f"{x:.9g}" for x in row) for row in rows)
    said = run(program, path, input=text)
    return np.array([[float(y) for y in line.split()] for line in said.splitlines()], np.float32)


@pytest.mark.ci
def test_a_cpp_program_gives_the_same_bits(program, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names, _ = run_snippets()
    run(program.with_name("snippet_0"), cwd=tmp_path)
    run(program.with_name("snippet_1"), cwd=tmp_path)
    assert lm.load("trained.lamina").predict(np.ones((1, 3))).shape == (1, 1)
    x = names["X"][:40].astype(np.float32)
    assert np.array_equal(answers(program, "product.lamina", x), names["predictor"].predict(x))

    draw = np.random.default_rng(0)
    far = draw.normal([0, 2000], [1, 10], size=(200, 2)).astype(np.float32)
    residual = lm.Residual([lm.Dense(50, activation="gelu"), lm.LayerNormalization()])
    layers = [lm.Input(2), lm.Normalization(), residual, lm.Dense(7, activation="softmax")]
    model = lm.Model(layers, seed=3)
    model.adapt(far)
    model.save("far.lamina")
    found = answers(program, "far.lamina", far)
    assert np.array_equal(found, model.freeze_for_inference().predict(far))
    assert np.array_equal(found, model.predict(far))
    assert answers(program, "far.lamina", far[:0]).size == 0


@pytest.mark.ci
def test_what_the_cpp_program_refuses(program, tmp_path):
    def said(path, text=""):
        done = subprocess.run([program, path], input=text, capture_output=True, text=True)
        assert done.returncode == 1
        assert done.stdout == ""
        return done.stderr

    def saved(model):
        path = tmp_path / "model.lamina"
        model.save(path)
        return path

    missing = tmp_path / "missing.lamina"
    assert said(missing) == f"cannot read {missing}: No such file or directory\n"
    assert "it is not a file" in said(tmp_path)
    (tmp_path / "text").write_text("no model")
    assert "not a Lamina file" in said(tmp_path / "text")
    good = saved(lm.Model([lm.Input(3), lm.Dense(1)])).read_bytes()
    (tmp_path / "cut").write_bytes(good[:-4])
    assert "cut" in said(tmp_path / "cut")
    (tmp_path / "bent").write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    assert "bent" in said(tmp_path / "bent")
    plain = tmp_path / "model.lamina"
    assert "expected rows of 3 numbers" in said(plain, "1 2\n")
    assert "expected rows of 3 numbers" in said(plain, "1 2 x\n")
    unadapted = saved(lm.Model([lm.Input(3), lm.Normalization(), lm.Dense(1)]))
    assert "has not seen data yet" in said(unadapted)
    double = saved(lm.Model([lm.Input(3), lm.Dense(1)], dtype="float64"))
    assert "the model computes in float64" in said(double, "1 2 3\n")
    x = lm.Input(3)
    both = saved(lm.Model(inputs=x, outputs=[lm.Dense(1)(x), lm.Dense(2)(x)]))
    assert "for models of one input and one output" in said(both, "1 2 3\n")
