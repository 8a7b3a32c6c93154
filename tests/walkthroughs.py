"""The code of docs/add-*.md, put where each comment before a block says that it goes.

<!-- file PATH -->                                  a new file
<!-- insert in PATH [after "A"] before "B" -->      before the first B behind A, else the last B
<!-- append to PATH, public: NAME, ... -->          at the end; the names are exported, too
<!-- append to PATH, public: NAME, also as lm.NAME -->
"""

import contextlib
import io
import json
import re
from pathlib import Path

from building import ROOT

WALKTHROUGHS = sorted((ROOT / "docs").glob("add-*.md"))
BLOCK = re.compile(r"<!-- (.+?) -->\n```(cpp|python)\n(.*?)```\n", re.DOTALL)
TEXT = r'("(?:[^"\\]|\\.)*")'


def lines_printed(page: Path) -> list[str]:
    """Run the Python snippets of a page one after the other; return what they print."""
    text = page.read_text(encoding="utf-8")
    names, printed = {"__name__": "__main__"}, io.StringIO()
    with contextlib.redirect_stdout(printed):
        for block in re.findall(r"^```python\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE):
            exec(compile(block, page.name, "exec"), names)
    return printed.getvalue().splitlines()


def blocks(path: Path) -> list[tuple[str, str, str]]:
    """(where it goes, language, code) of each block of a walk-through."""
    return BLOCK.findall(path.read_text(encoding="utf-8"))


def insert(file: Path, code: str, after: str, before: str) -> None:
    text = file.read_text(encoding="utf-8")
    if after:
        at = text.index(before, text.index(after))
    else:
        at = text.rindex(before)
    lead = code.rstrip("\n") if code.startswith(", ") else code
    file.write_text(text[:at] + lead + text[at:], encoding="utf-8")


def export(file: Path, names: list[str], module: str = "") -> None:
    """Put names into __all__ of a Python file, and import them where a module is given."""
    text = file.read_text(encoding="utf-8")
    listed = "".join(f'"{name}", ' for name in names)
    text = text.replace("__all__ = [", f"__all__ = [{listed}", 1)
    if module:
        text = text.replace(
            "\n__all__ =", f"from {module} import {', '.join(names)}\n\n__all__ =", 1
        )
    file.write_text(text, encoding="utf-8")


def apply(tree: Path, where: str, code: str) -> None:
    """Put one block into a copy of the source tree."""
    if found := re.fullmatch(r"file (\S+)", where):
        (tree / found[1]).write_text(code, encoding="utf-8")
    elif found := re.fullmatch(rf"insert in (\S+)(?: after {TEXT})? before {TEXT}", where):
        after, before = (json.loads(text) if text else "" for text in found.groups()[1:])
        insert(tree / found[1], code, after, before)
    elif found := re.fullmatch(r"append to (\S+), public: (.+)", where):
        file, names = tree / found[1], found[2].split(", also as lm.")[0].split(", ")
        file.write_text(file.read_text(encoding="utf-8") + f"\n\n{code}", encoding="utf-8")
        export(file, names)
        module = ".".join(Path(found[1]).with_suffix("").parts[1:])
        if file.parent.name != "lamina":
            export(file.with_name("__init__.py"), names, module)
        if "also as lm." in found[2]:
            export(tree / "python" / "lamina" / "__init__.py", names, module)
    else:
        raise AssertionError(f"no way to place code is called {where!r}")
