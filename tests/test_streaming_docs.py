"""docs/streaming.md keeps its word: its snippets run and print what they should."""

import contextlib
import io
import re

import pytest
from building import ROOT

PAGE = ROOT / "docs" / "streaming.md"

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="docs lie in the source tree alone")


def test_the_snippets_run(tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8")
    names, printed = {"__name__": "__main__"}, io.StringIO()
    with contextlib.redirect_stdout(printed):
        for block in re.findall(r"^```python\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE):
            exec(compile(block, PAGE.name, "exec"), names)
    assert printed.getvalue().splitlines() == [
        "True (20000, 1)",
        "20000 True",
        "fit",
        "True",
        "True",
        "['loss', 'mean_absolute_error', 'val_loss', 'val_mean_absolute_error']",
    ]
