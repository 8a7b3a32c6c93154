"""docs/tools.md keeps its word: its snippets run and print what they should."""

import subprocess
import sys

import pytest
from building import ROOT
from walkthroughs import lines_printed

PAGE = ROOT / "docs" / "tools.md"

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="docs lie in the source tree alone")


def test_the_snippets_run():
    said = lines_printed(PAGE)
    reading = said.pop(3)
    assert said == [
        "True",
        "[94, 188, 375, 750, 1500]",
        "(5, 3)",
        "units [1, 2, 4, 16, 64, 256]",
        "True",
    ]
    assert reading.startswith("Validation loss: ")
    assert "From 750 to 1500 rows it" in reading


def test_the_pictures_can_be_drawn_anew(tmp_path):
    pytest.importorskip("matplotlib")
    script = ROOT / "docs" / "draw_tools.py"
    subprocess.run([sys.executable, str(script), str(tmp_path)], check=True, timeout=120)
    for name in ("learning-rate.png", "learning-curve.png", "validation-curve.png"):
        assert (tmp_path / name).stat().st_size > 5_000
        assert f"(gallery/{name})" in PAGE.read_text(encoding="utf-8")
        assert (ROOT / "docs" / "gallery" / name).exists()
