"""docs/training.md keeps its word: its snippets run and print what they should."""

import subprocess
import sys

import pytest
from building import ROOT
from walkthroughs import lines_printed

PAGE = ROOT / "docs" / "training.md"

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="docs lie in the source tree alone")


def test_the_snippets_run(tmp_path, monkeypatch):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pytest.importorskip("pandas")
    pyplot.switch_backend("Agg")
    monkeypatch.chdir(tmp_path)
    said = lines_printed(PAGE)
    pyplot.close("all")
    keys = ["loss", "mean_absolute_error", "val_loss", "val_mean_absolute_error"]
    assert "beside the data" in said.pop(3)  # an estimate, which depends on the machine
    assert said == [
        # Fit
        "['loss', 'accuracy', 'val_loss', 'val_accuracy']",
        "[0, 1, 2, 3, 4, 5]",
        "True 6",
        "time budget of 0.3 s used up",
        "True",
        "True",
        # History
        str(keys),
        "30 all epochs done",
        "['loss', 'mean absolute\\nerror', 'learning rate']",
        f"epoch {[*keys, 'learning_rate']}",
        "True",
        "True",
        # Callbacks
        "True",
        "the loss is below 0.5",
        "6 10",
        # Checkpoints
        "True 15",
        "True 20",
        "['loss']",
        "True Model",
        # While a fit runs
        "refused: fit",
        "enough True",
    ]


def test_the_pictures_of_histories_can_be_drawn_anew(tmp_path):
    pytest.importorskip("matplotlib")
    script = ROOT / "docs" / "draw_history.py"
    subprocess.run([sys.executable, str(script), str(tmp_path)], check=True, timeout=120)
    for name in ("history.png", "history-layers.png"):
        assert (tmp_path / name).stat().st_size > 10_000
        assert f"(gallery/{name})" in PAGE.read_text(encoding="utf-8")
        assert (ROOT / "docs" / "gallery" / name).exists()
