"""docs/streaming.md keeps its word: its snippets run and print what they should."""

import pytest
from building import ROOT
from walkthroughs import lines_printed

PAGE = ROOT / "docs" / "streaming.md"

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="docs lie in the source tree alone")


def test_the_snippets_run(tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    monkeypatch.chdir(tmp_path)
    assert lines_printed(PAGE) == [
        "True (20000, 1)",
        "20000 True",
        "fit",
        "True",
        "True",
        "['loss', 'mean_absolute_error', 'val_loss', 'val_mean_absolute_error']",
    ]
