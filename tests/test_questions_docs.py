"""docs/questions.md says what the ten examples say: their numbers, their pictures, all of them."""

import doctest
import re

import pytest
from building import ROOT
from running_examples import EXAMPLES, ran
from walkthroughs import lines_printed

PAGE = ROOT / "docs" / "questions.md"
TEN = EXAMPLES[:10]
NUMBER = re.compile(r"\d+\.\d+(?:e[+-]\d+)?")
REMEDY = "run `python docs/draw_questions.py` and commit the result"

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="docs lie in the source tree alone")


def sections():
    """The text of each question, by its number."""
    parts = re.split(r"^## (\d+) .+$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    last = parts[-1].split("\n## ")[0]
    return dict(zip(map(int, parts[::2]), [*parts[1::2][:-1], last], strict=True))


def quoted(section):
    """What the page says that an example prints; three dots stand for anything."""
    return re.findall(r"^```text\n(.*?)^```$", section, flags=re.DOTALL | re.MULTILINE)


def same(quote, printed):
    """Whether it was printed so, from the beginning of a line to the end of one."""
    want = quote if printed.startswith(quote.split("\n")[0]) else f"...\n{quote}"
    check = doctest.OutputChecker().check_output
    return any(check(want + end, printed, doctest.ELLIPSIS) for end in ("", "...\n"))


def prose(section):
    """The text without code, formulas and tables."""
    text = re.sub(r"^```.*?^```$", "", section, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"arXiv\s[\d.]+|`[^`]*`|\]\([^)]*\)", "", text)
    return "\n".join(line for line in text.split("\n") if not line.startswith("|"))


def test_there_is_a_section_for_each_of_the_ten():
    found = sections()
    assert list(found) == list(range(1, 11))
    for number, path in enumerate(TEN, 1):
        assert path.stem.startswith(f"q{number:02}_")
        assert f"python examples/{path.name}\n" in found[number]
        assert f"](../examples/{path.name})" in found[number]
        assert f"](questions/{path.stem}.png)" in found[number]


def test_the_other_examples_are_named():
    text = PAGE.read_text(encoding="utf-8")
    for path in EXAMPLES[10:]:
        assert f"](../examples/{path.name})" in text


def test_the_links_lead_somewhere():
    text = PAGE.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)]+)\)", text):
        name, _, anchor = link.partition("#")
        page = PAGE.parent / name if name else PAGE
        assert page.exists(), link
        if anchor:
            titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = [re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in titles]
            assert anchor in anchors, link


@pytest.mark.parametrize("path", TEN, ids=lambda path: path.stem)
def test_the_numbers_are_those_of_the_example(path):
    pytest.importorskip("matplotlib", reason="the examples draw with matplotlib")
    section, printed = sections()[int(path.stem[1:3])], ran(path).printed
    quotes = quoted(section)
    assert quotes
    for quote in quotes:
        assert same(quote, printed), f"{path.name} prints\n{printed}"
    assert set(NUMBER.findall(prose(section))) <= set(NUMBER.findall(printed))


@pytest.mark.parametrize("path", TEN, ids=lambda path: path.stem)
def test_the_picture_is_the_example_s(path):
    """The file holds what was printed when it was drawn: the page quotes the same."""
    image = pytest.importorskip("PIL.Image", reason="comes with matplotlib")
    file = PAGE.parent / "questions" / f"{path.stem}.png"
    assert 10_000 < file.stat().st_size < 100_000
    with image.open(file) as picture:
        printed = picture.text["Description"]
        assert picture.width >= 800
    section = sections()[int(path.stem[1:3])]
    assert all(same(quote, printed) for quote in quoted(section)), REMEDY


def test_the_recipe_at_the_end_runs():
    (quote,) = quoted(PAGE.read_text(encoding="utf-8").split("\n## A network of your own\n")[1])
    printed = "\n".join(lines_printed(PAGE)) + "\n"
    assert same(quote, printed), printed


def test_the_quotes_are_compared():
    assert same("b 2\nc ...\n", "a 1\nb 2\nc 3\nd 4\n")
    assert same("a 1\n...\nd 4\n", "a 1\nb 2\nc 3\nd 4\n")
    assert not same("b 3\n", "a 1\nb 2\nc 3\n")
    assert not same("a 1\nc 3\n", "a 1\nb 2\nc 3\n")
    assert prose("x 0.1 `0.2`\n```text\n0.3\n```\n| 0.4 |\narXiv 1412.6980\n").strip() == "x 0.1"
