"""Writes docs/questions/*.png: the pictures of the examples that docs/questions.md leads through.

Run it after a change of an example: `python docs/draw_questions.py [folder [example ...]]`. What
the example printed with its picture stands in the file, so that a test can tell an old picture.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image, PngImagePlugin

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
FOLDER = Path(__file__).resolve().parent / "questions"


def draw(example: Path, folder: Path) -> None:
    """Run an example and write its picture, in 256 colours and with what it printed."""
    with tempfile.TemporaryDirectory() as place:
        done = subprocess.run(
            [sys.executable, str(example), place],
            check=True,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        )
        note = PngImagePlugin.PngInfo()
        note.add_itxt("Description", done.stdout)
        with Image.open(Path(place, f"{example.stem}.png")) as picture:
            small = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
        small.save(folder / f"{example.stem}.png", optimize=True, pnginfo=note)


def main(folder: Path, names: list[str]) -> None:
    """Draw those of the first ten examples, or the named ones."""
    folder.mkdir(exist_ok=True)
    for example in sorted(EXAMPLES.glob("q*.py"))[:10]:
        if not names or example.stem in names:
            draw(example, folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER, sys.argv[2:])
