"""The README keeps its word: two commands, an example that runs, a table that names what exists."""

import contextlib
import io
import re
from pathlib import Path

import pytest

import lamina as lm

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"

pytestmark = pytest.mark.skipif(
    not README.exists(), reason="the README lies in the source tree alone"
)


def section(title):
    """The text below a `## title`, up to the next heading of that level."""
    text = README.read_text(encoding="utf-8")
    assert f"\n## {title}\n" in text
    return text.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)


def test_two_commands_are_two():
    found = blocks(section("Two commands"), "sh")
    assert len(found) == 2
    train, test = (block.strip().splitlines() for block in found)
    assert train == ['python -m pip install ".[plot]"', "lamina train diamonds --target price"]
    assert test == ['python -m pip install ".[test]"', "python -m pytest"]


def test_the_example_runs_as_printed(tmp_path, monkeypatch):
    found = blocks(README.read_text(encoding="utf-8"), "python")
    assert found, "no Python example"
    code = found[0]
    assert len([line for line in code.splitlines() if line.strip()]) <= 15
    monkeypatch.chdir(tmp_path)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "README.md", "exec"), {"__name__": "__main__"})
    assert re.search(r"\d\.\d", printed.getvalue()), "the example prints its result"


def test_every_name_of_the_readme_exists():
    """Each `lm.Something` in the text is there; a table of promises would be worse than none."""
    text = README.read_text(encoding="utf-8")
    names = sorted(set(re.findall(r"\blm\.([A-Za-z_][A-Za-z0-9_.]*)", text)))
    assert names
    for name in names:
        thing = lm
        for part in name.rstrip(".").split("."):
            thing = getattr(thing, part)


def test_every_path_of_the_map_exists():
    paths = re.findall(r"^\| `([\w./-]+)` \|", section("The map"), flags=re.MULTILINE)
    assert len(paths) > 5
    for path in paths:
        assert (ROOT / path).exists(), path
