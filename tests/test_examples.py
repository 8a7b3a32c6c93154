"""Each example runs as a beginner would run it, prints numbers and writes one picture."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("matplotlib", reason="the examples draw with matplotlib")

FOLDER = Path(__file__).resolve().parent.parent / "examples"
EXAMPLES = sorted(FOLDER.glob("q*.py"))

pytestmark = pytest.mark.skipif(
    not FOLDER.exists(), reason="the examples lie in the source tree alone"
)


def test_the_first_questions_are_there():
    assert {path.stem for path in EXAMPLES} >= {
        "q01_neuron",
        "q02_equations",
        "q03_activations",
        "q04_backpropagation",
        "q05_losses",
        "q06_training",
        "q07_optimizers",
        "q08_learning_rate",
        "q10_overfitting",
        "q11_embeddings",
        "q12_control",
        "q13_training",
    }


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(path, tmp_path):
    code = path.read_text(encoding="utf-8")
    assert len(code.splitlines()) <= 60
    assert code.startswith('"""Question: '), "the docstring asks the question"
    assert not re.search(r"lm\._|lamina\._|import core", code), "public API only"
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:__main__", str(path), str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "MPLBACKEND": "Agg"},
        cwd=tmp_path,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"\d+\.\d+", done.stdout)) >= 5, "the answer is in numbers"
    pictures = [p.name for p in tmp_path.iterdir()]
    assert pictures == [f"{path.stem}.png"]
    assert (tmp_path / pictures[0]).stat().st_size > 10_000
