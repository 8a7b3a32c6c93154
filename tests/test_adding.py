"""docs/add-*.md keep their word: their code is put into a copy of the tree, built and tested.

Squareplus of docs/add-an-activation.md is at the same time the proof that a struct and its name in
the list are all that a new activation needs: it is looked up, documented and tested before it has a
Python class.
"""

import os
import re
import shutil
import sys

import pytest
import walkthroughs
from building import ROOT, cmake_build, run

from lamina import _isa

pytestmark = [
    pytest.mark.ci,
    pytest.mark.skipif(not walkthroughs.WALKTHROUGHS, reason="the docs lie in the source tree"),
]

COPIED = ["cpp", "python", "tests", "docs"]
# A new thing's own tests, among those of everything else.
NAMES = "Squareplus or squareplus or Charbonnier or Signum or InverseSquareRoot or Rescaling"
SELECTED = [
    "test_activations.py",
    "test_gradients.py",
    "test_losses.py",
    "test_reference.py",
    "test_schedules.py",
    "test_schedules_in_fit.py",
]
ENTIRE = ["test_catalogue_docs.py", "test_config.py", "test_docstrings.py"]
ALONE = """
import numpy as np
import lamina as lm

print(lm.__file__)
x = np.array([-1e4, -1.5, 0.0, 1.5, 1e4])
squareplus = lm.activations.get("squareplus")
assert np.allclose(squareplus(x), (x + np.sqrt(x * x + 4)) / 2, rtol=1e-12, atol=1e-12)
assert np.allclose(squareplus.derivative(x), (1 + x / np.sqrt(x * x + 4)) / 2, rtol=1e-12)
model = lm.Model([lm.Input(3), lm.Dense(4, activation="squareplus"), lm.Dense(1)], seed=0)
rows = np.random.default_rng(0).normal(size=(64, 3))
history = lm.Trainer(model, loss="mse").fit(rows, rows.sum(axis=1), epochs=5, verbose=0)
assert history["loss"][-1] < history["loss"][0]
"""
TABLES = "import runpy; print(runpy.run_path('docs/draw_catalogue.py')['catalogue_text']())"


def apply(tree, language):
    for path in walkthroughs.WALKTHROUGHS:
        for where, of, code in walkthroughs.blocks(path):
            if of == language:
                walkthroughs.apply(tree, where, code)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A copy of the tree with the C++ of all walk-throughs and nothing in Python, built."""
    folder = tmp_path_factory.mktemp("adding")
    tree = folder / "tree"
    tree.mkdir()
    leave = shutil.ignore_patterns("*.so", "__pycache__")
    for name in COPIED:
        shutil.copytree(ROOT / name, tree / name, ignore=leave)
    for name in ("CMakeLists.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, tree / name)
    apply(tree, "cpp")
    target = f"_core_{_isa.level}"
    cmake_build(
        folder / "build", "PYTHON=ON", f"LEVELS={_isa.level}", targets=(target,), source=tree
    )
    shutil.copy(next((folder / "build").glob(f"{target}.*.so")), tree / "python" / "lamina")
    return tree


def python(tree, *arguments):
    """Run Python in the copy, with its package."""
    environment = {**os.environ, "PYTHONPATH": str(tree / "python"), "LAMINA_ISA": _isa.level}
    return run(sys.executable, *arguments, cwd=tree, env=environment)


def passed(said):
    """How many tests have passed, of a run of pytest that has."""
    assert " failed" not in said
    return int(re.search(r"(\d+) passed", said)[1])


def test_a_line_in_the_list_is_enough(built):
    said = python(built, "-c", ALONE)
    assert str(built) in said, "an editable install hides the copy"
    assert "**`squareplus`**<br>Squareplus | `b=4` (at least 0, " in python(built, "-c", TABLES)
    pytest_ = ["-m", "pytest", "-q", "-p", "no:cacheprovider"]
    wanted = "squareplus and not Charbonnier"  # a loss is tested through its Python class
    said = python(built, *pytest_, "tests/test_gradients.py", "-k", wanted)
    assert passed(said) >= 20  # alone, its kinks, in two layers, before every loss


def test_the_walkthroughs_lead_there(built, tmp_path):
    tree = tmp_path / "tree"
    shutil.copytree(built, tree)
    apply(tree, "python")
    python(tree, "docs/draw_catalogue.py")
    pytest_ = ["-m", "pytest", "-q", "-p", "no:cacheprovider"]
    assert passed(python(tree, *pytest_, *(f"tests/{name}" for name in ENTIRE))) > 400
    said = python(tree, *pytest_, *(f"tests/{name}" for name in SELECTED), "-k", NAMES)
    assert passed(said) > 60
    said = python(tree, *pytest_, "tests/test_reference.py", "-k", "optimizer or defaults")
    assert passed(said) > 2
