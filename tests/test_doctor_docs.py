"""docs/doctor.md keeps its word: its snippets print what they should, its table is the list."""

import importlib.util

import pytest
from building import ROOT
from walkthroughs import lines_printed

from lamina.diagnosis import CODES

PAGE = ROOT / "docs" / "doctor.md"
SCRIPT = ROOT / "docs" / "write_codes.py"

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="docs lie in the source tree alone")


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("write_codes", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_has_all_codes(script):
    text = PAGE.read_text(encoding="utf-8")
    assert script.page_with(text, script.table()) == text, "run `python docs/write_codes.py`"
    for name in CODES:
        assert f"| **`{name}`** |" in text


def test_the_snippets_run():
    assert lines_printed(PAGE) == [
        "good fit",
        "overfitting",
        "good fit True",
        "underfitting",
        "['OVERFIT']",
        "problem True",
        "Stop at the best epoch and keep its weights: callbacks=[lm.EarlyStopping()].",
        "underfitting",
        "True",
        "[]",
        "['UNSCALED_INPUT'] 3",
        "True",
        "True",
    ]
