"""bench/composed.py: a small run from end to end, and what it says of a wrong option."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).resolve().parent.parent / "bench" / "composed.py"

pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="bench/ lies in the source tree alone")


def run(*arguments):
    command = [sys.executable, str(PROGRAM), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_every_architecture_trains(tmp_path):
    file = tmp_path / "out.json"
    few = ["--rows-scale", "0.05", "--epochs", "2", "--seeds", "2"]
    done = run("--only", "diamonds", *few, "--json", str(file))
    assert done.returncode == 0, done.stderr
    found = json.loads(file.read_text())["diamonds"]
    assert list(found) == ["plain", "normalized", "residual", "two branches", "embeddings"]
    for name, runs in found.items():
        assert name in done.stdout
        assert [one["seed"] for one in runs] == [0, 1]
        errors = [one["test"]["root_mean_squared_error"] for one in runs]
        assert 0 < min(errors) < max(errors) < 1.01  # the deviation of what is predicted
    assert "diamonds, 1,726 / 8,630 / 10,788 rows; scores on the test rows" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--adult", "nowhere.csv"], "there is no nowhere.csv; docs/composed-models.md says where"),
        (["--architectures", "plain,deep"], "unknown 'deep'; there are plain, normalized"),
        (["--only", "iris"], "unknown 'iris'; there are adult, diamonds, Fashion-MNIST"),
    ],
)
def test_a_wrong_option_is_named(arguments, said):
    done = run(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
