"""docs/composing.md keeps its word: its snippets run in order, and say what they give."""

import contextlib
import io
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parent.parent / "docs" / "composing.md"

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="docs lie in the source tree alone")


def test_the_snippets_run():
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 8
    names, printed = {"__name__": "__main__"}, io.StringIO()
    with contextlib.redirect_stdout(printed):
        for block in blocks:
            exec(compile(block, PAGE.name, "exec"), names)
    said = printed.getvalue().splitlines()
    assert said[-3:] == [
        "['numbers', 'day'] ['price', 'kind'] (200, 1) (200, 3)",
        "(20, 28, 28)",
        "(200, 4) (200, 6) (200, 6)",
    ]


def test_the_snippets_about_real_data_run():
    text = (PAGE.parent / "composed-models.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    assert len(blocks) == 5
    names = {"__name__": "__main__"}
    for block in blocks:
        exec(compile(block, "composed-models.md", "exec"), names)
    row = {"numbers": [[0.3, float("nan"), 1, 2, 3, 4]], "codes": [[1, 0, 8]]}
    for kind in ("plain", "two_branches", "embeddings"):
        names[kind].adapt(row)
        assert names[kind].predict(row).shape == (1, 1)
