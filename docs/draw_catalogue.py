"""Writes docs/catalogue.md, docs/gallery.md and its pictures, from what the core says of itself.

Run it after a change of the catalogue: `python docs/draw_catalogue.py`; test_catalogue_docs.py
compares.
"""

import inspect
import io
from pathlib import Path

import numpy as np

import lamina as lm
from lamina._isa import core

FOLDER = Path(__file__).resolve().parent
COLUMNS = 4

# What the pictures of schedules show: one of each class, over 100 steps.
EXAMPLES = {
    "Constant": lm.schedules.Constant(0.1),
    "Step": lm.schedules.Step(0.1, step_size=25, gamma=0.5),
    "MultiStep": lm.schedules.MultiStep(0.1, milestones=[30, 80], gamma=0.3),
    "Exponential": lm.schedules.Exponential(0.1, gamma=0.97),
    "InverseTime": lm.schedules.InverseTime(0.1, decay_rate=0.1),
    "Polynomial": lm.schedules.Polynomial(0.1, power=2.0),
    "Linear": lm.schedules.Linear(0.1, final_learning_rate=0.02),
    "Cosine": lm.schedules.Cosine(0.1),
    "CosineRestarts": lm.schedules.CosineRestarts(0.1, first_decay_steps=15, t_mul=2.0, m_mul=0.8),
    "FlatCosine": lm.schedules.FlatCosine(0.1),
    "CosLog": lm.schedules.CosLog(0.1),
    "Cyclical": lm.schedules.Cyclical(0.02, 0.1, step_size_up=12, mode="triangular2"),
    "OneCycle": lm.schedules.OneCycle(0.1),
    "Warmup": lm.schedules.Warmup(lm.schedules.Cosine(0.1, total_steps=80), warmup_steps=20),
    "Piecewise": lm.schedules.Piecewise(
        boundaries=[20, 60], values=[0.05, 0.1, lm.Cosine(0.1, total_steps=40)]
    ),
    "Function": lm.schedules.Function(lambda t: 0.1 / (1 + t // 10) ** 0.5),
}
PARTS = {
    "activations": "Given to a layer: `lm.Dense(64, activation=\"gelu\")`.",
    "losses": "Given to a Trainer: `lm.Trainer(model, loss=\"huber\")`.",
    "optimizers": "Given to a Trainer: `lm.Trainer(model, optimizer=lm.Adam(1e-3))`. All take "
    "`weight_decay`, clipping (`clipnorm`, `clipvalue`, `global_clipnorm`), `use_ema` and "
    "`gradient_accumulation_steps` as well, and a schedule in the place of any number.",
    "schedules": "In the place of a number: `lm.Adam(learning_rate=lm.Cosine(1e-3))`.",
    "initializers": "Given to a layer: `lm.Dense(64, kernel_initializer=\"orthogonal\")`. The "
    "default, `\"auto\"`, follows the activation.",
    "regularizers": "Given to a layer: `lm.Dense(64, kernel_regularizer=lm.L2(1e-4))`.",
    "constraints": "Given to a layer: `lm.Dense(64, kernel_constraint=\"max_norm\")`.",
    "metrics": "Given to a Trainer: `lm.Trainer(model, metrics=[\"mae\"])`. These are means "
    "over rows.",
    "layers": "The parts of a model: `lm.Model([lm.Input(4), lm.Dense(8)])`.",
}  # fmt: skip
INTRODUCTION = """Everything that has a name, as the core tells it. A name, an alias or the class
name finds it (`"huber"`), and an object of the class takes the parameters
(`lm.losses.Huber(delta=2)`); those without a default must be given. The
docstrings say when to use which; the [gallery](gallery.md) shows activations and schedules."""
ALL_AT_ONCE = "These need all predictions at once, and so does a Python function of your own."
HEADER = "<!-- Written by docs/draw_catalogue.py: do not edit. -->\n\n"


# ---- the tables ----------------------------------------------------------------------------------


def number(value) -> str:
    return f"{value:g}" if isinstance(value, float) else repr(value).replace("'", '"')


def allowed(parameter: dict) -> str:
    """What a parameter may be: "0 to 1", "at least 0", "torch or keras"."""
    if "options" in parameter:
        return " or ".join(f'"{option}"' for option in parameter["options"])
    if isinstance(parameter["default"], bool):
        return ""
    low, high = parameter.get("minimum"), parameter.get("maximum")
    if low is not None and high is not None:
        return f"{low:g} to {high:g}"
    return "" if low is None or isinstance(parameter["default"], str) else f"at least {low:g}"


def described(parameter: dict) -> str:
    default = "" if parameter.get("required") else f"={number(parameter['default'])}"
    notes = ", ".join(note for note in (allowed(parameter), parameter.get("unit", "")) if note)
    return f"`{parameter['name']}{default}`" + (f" ({notes})" if notes else "")


def row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def heading(*cells: str) -> str:
    return row(*cells) + row(*["---"] * len(cells))


def names(entry: dict) -> str:
    also = ", ".join(f"`{alias}`" for alias in entry["aliases"])
    return f"**`{entry['name']}`**" + (f" or {also}" if also else "") + f"<br>{entry['class']}"


def table(entries: list[dict]) -> str:
    text = heading("name, class", "parameters", "formula", "source")
    for entry in entries:
        parameters = "<br>".join(map(described, entry["parameters"]))
        text += row(names(entry), parameters, f"`{entry['formula']}`", entry["source"])
    return text


def layer_table(entries: list[dict]) -> str:
    text = heading("class", "arguments")
    for entry in entries:
        if hasattr(lm.layers, entry["class"]):  # others are private still
            text += row(entry["class"], ", ".join(map(described, entry["parameters"])))
    return text


def set_metric_table() -> str:
    text = heading("name, class", "parameters", "what it is")
    for name in sorted(lm.metrics.__all__):
        cls = getattr(lm.metrics, name)
        base = lm.metrics.SetMetric
        if not inspect.isclass(cls) or not issubclass(cls, base) or cls is base:
            continue
        first, *aliases = cls.names()
        arguments = inspect.signature(cls).parameters.values()
        parameters = "<br>".join(f"`{p.name}={number(p.default)}`" for p in arguments)
        summary = inspect.getdoc(cls).splitlines()[0].split("; ``")[0]
        entry = {"name": first, "aliases": aliases, "class": name}
        text += row(names(entry), parameters, summary)
    return text


def catalogue_text() -> str:
    """Text of docs/catalogue.md."""
    text = f"# The catalogue\n\n{HEADER}{INTRODUCTION}\n\n"
    entries = core.catalogue()
    text += ", ".join(f"[{part}](#{part})" for part in entries) + "\n"
    for part, things in entries.items():
        text += f"\n## {part.capitalize()}\n\n{PARTS[part]}\n\n"
        text += layer_table(things) if part == "layers" else table(things)
        if part == "metrics":
            text += f"\n{ALL_AT_ONCE}\n\n{set_metric_table()}"
    return text


# ---- the pictures --------------------------------------------------------------------------------


def grid(count: int, width: float, height: float):
    """A figure of so many small axes."""
    from matplotlib.figure import Figure

    rows = -(-count // COLUMNS)
    figure = Figure(figsize=(COLUMNS * width, rows * height), layout="constrained")
    all_axes = figure.subplots(rows, COLUMNS).ravel()
    for axes in all_axes:
        axes.tick_params(labelsize=7)
        axes.set_visible(False)
    return figure, all_axes


def dress(axes, title: str) -> None:
    axes.set_visible(True)
    axes.set_title(title, fontsize=9)
    axes.set(xlabel="")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def activation_names() -> list[str]:
    return [entry["name"] for entry in core.catalogue()["activations"]]


def schedule_names() -> list[str]:
    return [entry["class"] for entry in core.catalogue()["schedules"]]


def draw_activations():
    """The figure of all activations, solid, with their derivatives, dashed."""
    figure, all_axes = grid(len(activation_names()), 2.6, 1.9)
    for axes, entry in zip(all_axes, core.catalogue()["activations"], strict=False):
        high = max([4, *(kink + 2 for kink in entry["kinks"])])
        lm.plots.activation(entry["name"], axes=axes, span=(-4, high))
        dress(axes, entry["name"])
        shown = np.clip([line.get_ydata() for line in axes.lines[2:]], -4, high)
        margin = 0.06 * np.ptp(shown)
        axes.set_ylim(shown.min() - margin, shown.max() + margin)
    all_axes[0].legend(fontsize=7, frameon=False)
    return figure


def draw_schedules():
    """The figure of one schedule of each class."""
    figure, all_axes = grid(len(schedule_names()), 2.6, 1.7)
    for axes, name in zip(all_axes, schedule_names(), strict=False):
        lm.plots.schedule(EXAMPLES[name], steps=100, axes=axes)
        axes.set(ylim=(0, 0.11), yticks=[0, 0.05, 0.1], xticks=[0, 50, 100])
        dress(axes, name)
    return figure


def gallery_text() -> str:
    """Text of docs/gallery.md."""
    missing = [name for name in schedule_names() if name not in EXAMPLES]
    assert not missing, f"say in EXAMPLES of docs/draw_catalogue.py what {missing} looks like"
    code = {name: repr(EXAMPLES[name]) for name in schedule_names() if name != "Function"}
    code["Function"] = "lm.schedules.Function(lambda t: 0.1 / (1 + t // 10) ** 0.5)"
    shown = "\n".join(f"lm.plots.schedule({code[name]})" for name in schedule_names())
    return f"""# The gallery

{HEADER}Drawn by the library itself (`python docs/draw_catalogue.py`). Each picture can be had
alone: `lm.plots.activation("gelu").figure.savefig("gelu.png")`. Formulas are in the
[catalogue](catalogue.md).

## Activations

Solid: the value. Dashed, red: the derivative, what a gradient is multiplied by on its way back.
Where it is 0 nothing passes. Of softmax and log_softmax, functions of whole rows, the first output
of the row (x, 0) is shown. prelu and parametric learn a number for each unit; shown is the start.

![{", ".join(activation_names())}](gallery/activations.png)

## Schedules

A learning rate over 100 steps.

![{", ".join(schedule_names())}](gallery/schedules.png)

```python
{shown}
```
"""


def save(figure, path: Path, shown: list[str]) -> None:
    """Write a small PNG that says within itself what it shows."""
    from PIL import Image, PngImagePlugin

    raw = io.BytesIO()
    figure.savefig(raw, format="png", dpi=110)
    note = PngImagePlugin.PngInfo()
    note.add_text("Description", ", ".join(shown))
    picture = Image.open(raw).convert("RGB").quantize(32)
    path.parent.mkdir(exist_ok=True)
    picture.save(path, optimize=True, pnginfo=note)


def main() -> None:
    (FOLDER / "catalogue.md").write_text(catalogue_text(), encoding="utf-8")
    (FOLDER / "gallery.md").write_text(gallery_text(), encoding="utf-8")
    save(draw_activations(), FOLDER / "gallery" / "activations.png", activation_names())
    save(draw_schedules(), FOLDER / "gallery" / "schedules.png", schedule_names())
    print(f"wrote catalogue.md, gallery.md and gallery/*.png in {FOLDER}")


if __name__ == "__main__":
    main()
