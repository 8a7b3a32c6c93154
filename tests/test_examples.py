"""Each example runs as a beginner would run it, prints numbers and writes one picture."""

import re

import pytest
from running_examples import EXAMPLES, ran

pytest.importorskip("matplotlib", reason="the examples draw with matplotlib")

pytestmark = pytest.mark.skipif(not EXAMPLES, reason="the examples lie in the source tree alone")


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
        "q09_training_and_validation_loss",
        "q10_overfitting",
        "q11_embeddings",
        "q12_control",
        "q13_training",
    }


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(path):
    code = path.read_text(encoding="utf-8")
    assert len(code.splitlines()) <= 60
    assert code.startswith('"""Question: '), "the docstring asks the question"
    assert not re.search(r"lm\._|lamina\._|import core", code), "public API only"
    done = ran(path)
    assert done.status == 0, done.errors
    assert len(re.findall(r"\d+\.\d+", done.printed)) >= 5, "the answer is in numbers"
    assert list(done.files) == [f"{path.stem}.png"]
    assert len(done.files[f"{path.stem}.png"]) > 10_000
