"""docs/catalogue.md, docs/gallery.md and its pictures show what the core has, and nothing else."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import lamina as lm
from lamina._isa import core

DOCS = Path(__file__).resolve().parent.parent / "docs"
SCRIPT = DOCS / "draw_catalogue.py"
REMEDY = "run `python docs/draw_catalogue.py` and commit the result"

pytestmark = pytest.mark.skipif(not SCRIPT.exists(), reason="the docs lie in the source tree alone")


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("draw_catalogue", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def committed(name):
    return (DOCS / name).read_text(encoding="utf-8")


def test_the_tables_are_up_to_date(script):
    assert committed("catalogue.md") == script.catalogue_text(), REMEDY


def test_the_tables_name_everything():
    text = committed("catalogue.md")
    for part, entries in core.catalogue().items():
        section = text.split(f"\n## {part.capitalize()}\n")[1].split("\n## ")[0]
        for entry in entries:
            if part != "layers":
                assert f"| **`{entry['name']}`**" in section
                assert entry["formula"].replace("|", "\\|") in section
                for parameter in entry["parameters"]:
                    assert f"`{parameter['name']}" in section


def test_the_gallery_is_up_to_date(script):
    assert committed("gallery.md") == script.gallery_text(), REMEDY


@pytest.mark.parametrize("part", ["activations", "schedules"])
def test_every_picture_shows_all(script, part):
    """The figure as it would be drawn now, and what the committed file says that it shows."""
    image = pytest.importorskip("PIL.Image", reason="comes with matplotlib")
    key = "name" if part == "activations" else "class"
    expected = [entry[key] for entry in core.catalogue()[part]]
    figure = getattr(script, f"draw_{part}")()
    assert [axes.get_title() for axes in figure.axes if axes.get_visible()] == expected
    for axes in figure.axes[: len(expected)]:
        assert all(np.isfinite(line.get_ydata()).all() for line in axes.lines)
        assert np.ptp(axes.get_ylim()) > 0
    path = DOCS / "gallery" / f"{part}.png"
    with image.open(path) as picture:
        assert picture.text["Description"].split(", ") == expected, REMEDY
    assert path.stat().st_size < 150_000


def test_what_the_pictures_draw():
    pytest.importorskip("matplotlib")
    value, slope = lm.plots.activation("tanh", span=(-1, 1)).lines[-2:]
    x = value.get_xdata()
    assert np.array_equal(value.get_ydata(), lm.activations.tanh(x))
    assert np.array_equal(slope.get_ydata(), lm.activations.tanh.derivative(x))
    softmax = lm.plots.activation(lm.activations.softmax).lines[-2:]
    assert np.allclose(softmax[0].get_ydata(), lm.activations.sigmoid(softmax[0].get_xdata()))
    assert np.allclose(
        softmax[1].get_ydata(), softmax[0].get_ydata() * softmax[0].get_ydata()[::-1]
    )
    (line,) = lm.plots.schedule(lm.Cosine(0.1), steps=7).lines
    assert np.array_equal(line.get_ydata(), lm.Cosine(0.1, total_steps=7)(np.arange(7)))
    (line,) = lm.plots.schedule(lambda step: 0.5**step, steps=3).lines
    assert line.get_ydata().tolist() == [1, 0.5, 0.25]
    axes = lm.plots.schedule(lm.schedules.Step(0.1, 2, unit="epoch"), steps=5)
    assert axes.get_xlabel() == "epochs"
    with pytest.raises(TypeError, match=r"expected a Schedule or a function, got 0\.1"):
        lm.plots.schedule(0.1)
    with pytest.raises(ValueError, match="Did you mean 'gelu'"):
        lm.plots.activation("gelo")
