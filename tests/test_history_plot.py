"""What History.plot draws, and what a notebook shows."""

import base64
import io
import itertools
import math
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

import lamina as lm

pytest.importorskip("matplotlib")

NAN = float("nan")
END = "EarlyStopping: val_loss has not improved for 2 epochs; best 0.1 in epoch 1"


@pytest.fixture(autouse=True)
def pyplot():
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")


def made(rates=None, start=0, **values):
    history = lm.History(seed=0)
    for i in range(len(next(iter(values.values())))):
        rate = NAN if rates is None else rates[i]
        history.append(start + i, {key: value[i] for key, value in values.items()}, rate)
    return history


def usual():
    return made(
        rates=[0.1, 0.1, 0.05, 0.05],
        loss=[0.5, 0.4, 0.3, 0.2],
        accuracy=[0.5, 0.6, 0.7, 0.8],
        val_loss=[0.6, 0.1, 0.4, 0.5],
        val_accuracy=[0.4, 0.5, 0.6, 0.7],
    )


def rendered(ax):
    """All Axes of the figure, once it has been drawn; a warning would be an error."""
    ax.figure.draw_without_rendering()
    return ax.figure.axes


def line(ax, label):
    (found,) = (one for one in ax.get_lines() if one.get_label() == label)
    return found


def dots(ax):
    """The points that mark the best epoch."""
    found = (one for one in ax.get_lines() if one.get_marker() == "o" and one.get_markersize() > 7)
    return [(float(dot.get_xdata()[0]), float(dot.get_ydata()[0])) for dot in found]


def labels(axes):
    return [ax.get_ylabel().replace("\n", " ") for ax in axes]


# ---- what there is ------------------------------------------------------------------------------


def test_everything_there_is():
    axes = rendered(usual().plot())
    assert labels(axes) == ["loss", "accuracy", "learning rate"]
    assert line(axes[1], "validation").get_ydata().tolist() == [0.4, 0.5, 0.6, 0.7]
    assert axes[2].get_lines()[0].get_ydata().tolist() == [0.1, 0.1, 0.05, 0.05]
    assert [ax.get_xlabel() for ax in axes] == ["", "", "epoch"]
    assert axes[0].get_legend() is not None
    assert axes[1].get_legend() is None  # the colours are the same


def test_a_rate_that_does_not_change_is_drawn_if_asked_for():
    history = made(rates=[0.1] * 3, loss=[3, 2, 1])
    assert labels(rendered(history.plot())) == ["loss"]
    assert labels(rendered(history.plot(learning_rate=True))) == ["loss", "learning rate"]
    assert labels(rendered(usual().plot(learning_rate=False))) == ["loss", "accuracy"]
    assert labels(rendered(usual().plot(metrics=()))) == ["loss", "learning rate"]


def test_given_axes(pyplot):
    figure, (one, two, three) = pyplot.subplots(1, 3)
    assert usual().plot(one) is one
    assert not two.get_lines()
    usual().plot((one, two, three), metrics="accuracy", learning_rate=True)
    assert labels(rendered(one)) == ["loss", "accuracy", "learning rate"]
    assert figure.axes == [one, two, three]
    assert [ax.get_xlabel() for ax in figure.axes] == ["epoch"] * 3
    with pytest.raises(ValueError, match=r"expected 2 Axes .*\(loss, learning rate\), got 1"):
        usual().plot(one, learning_rate=True)


def test_a_metric_of_that_name_is_no_rate():
    history = made(rates=[1, 2, 3], loss=[3, 2, 1], learning_rate=[0.5, 0.25, 0.5])
    axes = rendered(history.plot())
    assert [line(axes[1], "training").get_ydata()[0], axes[2].get_lines()[0].get_ydata()[0]] == [
        *(0.5, 1)
    ]
    assert len(rendered(made(loss=[3, 2, 1]).plot(learning_rate=True))) == 2  # nobody knows it


def test_dollars_are_no_formula():
    history = made(**{"loss": [3, 2], "a$_loss": [3, 2], "b$_loss": [3, 2], "$x^$": [1, 2]})
    history.stop_reason = "OSError: $HOME/^ and $PATH"
    rendered(history.plot())


def test_several_outputs():
    values = {key: [3.0, 2.0] for key in ["loss", "price_loss", "sold_loss"]}
    values |= {key: [0.5, 0.4] for key in ["price_mean_squared_error", "sold_accuracy"]}
    history = made(**values, **{f"val_{key}": value for key, value in values.items()})
    axes = rendered(history.plot())
    assert labels(axes) == [
        *("loss", "loss of each output", "price mean squared error", "sold accuracy")
    ]
    assert {one.get_label() for one in axes[1].get_lines()} >= {
        *("training, price_loss", "validation, price_loss"),
        *("training, sold_loss", "validation, sold_loss"),
    }


def test_many_metrics_stand_in_two_columns():
    history = made(loss=[2, 1], **{f"metric_{i}": [0.1, 0.2] for i in range(11)})
    axes = rendered(history.plot())
    assert len(axes) == 1 + 8
    places = [ax.get_position() for ax in axes]
    assert places[1].y0 == pytest.approx(places[2].y0)
    assert places[1].x0 < places[2].x0
    odd = rendered(made(loss=[2, 1], **{f"metric_{i}": [0.1, 0.2] for i in range(5)}).plot())
    assert odd[5].get_position().width > 1.5 * odd[4].get_position().width


# ---- layers -------------------------------------------------------------------------------------


def monitored(names=("dense", "dense_1", "out"), epochs=4, **statistics):
    """A history with statistics of layers; a function of layer and epoch each."""
    history = lm.History(seed=0)
    for epoch in range(epochs):
        logs = {"loss": 2 - 0.1 * epoch, "train_loss_eval": 1.8, "val_loss": 1.9}
        layers = {
            name: {key: float(of(place, epoch)) for key, of in statistics.items()}
            for place, name in enumerate(names)
        }
        history.append(epoch, logs, layers=layers)
    return history


def all_statistics(**how):
    return monitored(
        dead=lambda layer, epoch: NAN if layer == 2 else 0.1 * epoch,
        saturated=lambda layer, epoch: 0.5 if layer == 2 else NAN,
        gradient_norm=lambda layer, epoch: 10.0 ** -(layer + epoch),
        update_ratio=lambda layer, epoch: 1e-3 * (1 + layer),
        mean=lambda layer, epoch: 0.0,
        **how,
    )


def test_the_layers_stand_beside_the_losses():
    axes = rendered(all_statistics().plot())
    assert labels(axes)[:4] == [
        *("loss", "dead or saturated units", "gradient norm", "update / weight norm")
    ]
    assert len(axes) == 5  # and the names of the colours
    assert [tick.get_text() for tick in axes[4].get_yticklabels()] == ["dense", "dense_1", "out"]
    assert axes[0].get_position().x1 < axes[1].get_position().x0
    assert [ax.get_yscale() for ax in axes[1:4]] == ["linear", "log", "log"]
    drawn = {(one.get_label(), one.get_gid()): one for one in axes[1].get_lines()}
    assert drawn["dense_1", "dead"].get_ydata() == pytest.approx([0, 0.1, 0.2, 0.3])
    assert drawn["out", "saturated"].get_linestyle() == "--"
    assert ("out", "dead") not in drawn
    gradients = {one.get_label(): one.get_color().tolist() for one in axes[2].get_lines()[:3]}
    assert len(set(map(tuple, gradients.values()))) == 3
    assert any(list(one.get_ydata()) == [1e-3, 1e-3] for one in axes[3].get_lines())
    assert "often near 0.001" in [text.get_text() for text in axes[3].texts]
    assert [ax.get_xlabel() for ax in axes[:4]] == ["epoch", "", "", "epoch"]


def test_the_layers_of_a_real_fit():
    x = np.random.default_rng(0).normal(size=(200, 3))
    layers = [lm.Input(3), lm.Normalization(), lm.Dense(8, "relu"), lm.Dropout(0.5)]
    layers += [lm.Dense(8, "tanh", trainable=False), lm.Dense(1)]
    trainer = lm.Trainer(lm.Model(layers, seed=0), loss="mse")
    how = {"epochs": 3, "validation_split": 0.25, "verbose": 0}
    history = trainer.fit(x, x[:, 0], monitor=True, **how)
    axes = rendered(history.plot())
    assert labels(axes)[:4] == [
        *("loss", "dead or saturated units", "gradient norm", "update / weight norm")
    ]
    assert line(axes[0], "training, measured as validation").get_ydata().shape == (3,)
    assert "<img" in history._repr_html_()
    assert len(rendered(trainer.fit(x, x[:, 0], **how).plot())) == 1


def test_layers_are_left_out_or_demanded():
    assert len(rendered(all_statistics().plot(layers=False))) == 1
    with pytest.raises(ValueError, match=r"nothing is known of the layers; fit\(..., monitor=True"):
        usual().plot(layers=True)
    only = monitored(gradient_norm=lambda layer, epoch: 1.0, dead=lambda layer, epoch: NAN)
    assert labels(rendered(only.plot())[:-1]) == ["loss", "gradient norm"]


def test_layers_in_given_axes(pyplot):
    _, axes = pyplot.subplots(1, 4)
    assert all_statistics().plot(axes[0]) is axes[0]
    all_statistics().plot(axes, layers=True)
    rendered(axes[0])
    names = [text.get_text() for text in axes[1].get_legend().texts]
    assert names == ["dense", "dense_1", "out"]
    with pytest.raises(ValueError, match=r"expected 4 Axes .*gradient norm, .*got 2"):
        all_statistics().plot(axes[:2], layers=True)


@pytest.mark.parametrize("many", [1, 9, 20, 60])
def test_many_layers_stay_readable(many):
    axes = rendered(all_statistics(names=[f"dense_{i}" for i in range(many)]).plot())
    names = axes[-1].get_yticklabels()
    assert 0 < len(names) <= 24
    boxes = [name.get_window_extent() for name in names]
    assert all(upper.y0 >= lower.y1 - 1 for upper, lower in itertools.pairwise(boxes))
    assert names[0].get_text() == "dense_0"


def test_frozen_layers_and_zeros_leave_gaps():
    history = monitored(
        gradient_norm=lambda layer, epoch: 0.0 if epoch == 1 else NAN if layer == 0 else 1.0,
        update_ratio=lambda layer, epoch: 0.0,
    )
    axes = rendered(history.plot())
    assert np.isnan(axes[1].get_lines()[0].get_ydata()).tolist() == [False, True, False, False]
    rendered(monitored(update_ratio=lambda layer, epoch: math.inf).plot())


def test_the_training_loss_as_validation_is_measured():
    (ax,) = rendered(monitored(names=()).plot())
    fair = line(ax, "training, measured as validation")
    assert fair.get_ydata().tolist() == [1.8] * 4
    assert fair.get_linestyle() == "--"
    assert fair.get_color() == line(ax, "training").get_color()


# ---- scales and gaps ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([1, 0.05], "log"),
        ([1, 1e-9], "log"),
        ([1, 0.5], "linear"),
        ([1, 0], "linear"),
        ([1, -1], "linear"),
        ([NAN, NAN], "linear"),
        ([math.inf, 1], "linear"),
        ([math.inf, 1, 1e5, NAN], "log"),
    ],
)
def test_the_axis_of_a_loss(values, scale):
    (ax,) = rendered(made(loss=values).plot())
    assert ax.get_yscale() == scale
    assert any(tick.get_text() for tick in ax.get_yticklabels())


def test_which_metrics_may_be_logarithmic():
    values = [0.02, 0.9]
    names = ("mean_absolute_error", "accuracy", "my_own", "price_mean_absolute_error")
    history = made(loss=[2, 1], price_loss=[2, 1], **dict.fromkeys(names, values))
    scales = [ax.get_yscale() for ax in rendered(history.plot())[2:]]
    assert scales == ["log", "linear", "linear", "log"]
    assert rendered(history.plot(metrics="mae"))[1].get_yscale() == "log"
    assert rendered(history.plot(metrics=["mae", "accuracy"]))[1].get_yscale() == "linear"


def test_the_rate_is_logarithmic_over_decades():
    def scale(rates):
        return rendered(made(rates=rates, loss=[3, 2, 1]).plot())[1].get_yscale()

    assert scale([0.1, 0.05, 0.02]) == "linear"
    assert scale([0.1, 0.01, 0.001]) == "log"
    assert scale([0.1, 0.05, 0.0]) == "linear"


def test_what_is_no_number_is_a_gap():
    history = made(loss=[NAN, 1.0, NAN, 2.0, math.inf, *[1.0] * 40])
    drawn = line(rendered(history.plot())[0], "training")
    expected = [NAN, 1.0, NAN, 2.0, NAN, *[1.0] * 40]
    assert np.array_equal(drawn.get_ydata(), expected, equal_nan=True)
    assert drawn.get_markevery() == [1, 3]  # what no line reaches
    few = line(rendered(made(loss=[NAN, 1.0, 2.0]).plot())[0], "training")
    assert few.get_markevery() == [1, 2]


def test_many_epochs_have_no_markers():
    rng = np.random.default_rng(0)
    history = made(loss=rng.random(1000), val_loss=rng.random(1000), rates=rng.random(1000))
    drawn = line(rendered(history.plot())[0], "training")
    assert drawn.get_markevery() == []
    assert len(drawn.get_ydata()) == 1000


def test_one_epoch(pyplot):
    history = made(loss=[0.5], val_loss=[0.6], rates=[0.1], start=7)
    history.stop_reason = "interrupted"
    (ax,) = rendered(history.plot())
    assert ax.get_xlim() == (6, 8)
    assert line(ax, "training").get_markevery() == [0]
    assert len(rendered(history.plot(learning_rate=True))) == 2
    (ax,) = rendered(history.plot(pyplot.subplots()[1]))
    assert ax.get_xlim() == (6, 8)
    (ax,) = rendered(history.plot(usual().plot(pyplot.subplots()[1])))
    assert ax.get_xlim()[0] <= 0 < 7 <= ax.get_xlim()[1]


def test_no_epoch():
    history = lm.History()
    assert [text.get_text() for text in rendered(history.plot())[0].texts] == [
        "no epoch was completed"
    ]
    history.stop_reason = "diverged: the loss is not finite in step 3"
    assert "diverged: the loss is not finite" in rendered(history.plot())[0].texts[0].get_text()
    assert "<img" not in history._repr_html_()


@pytest.mark.parametrize(
    ("values", "corner"),
    [
        ([0.9, 0.5, 0.3, 0.2, 0.15], "upper right"),
        ([0.1] + [0.9] * 9, "lower right"),
        ([0.9] * 9 + [0.1], "lower left"),
    ],
)
def test_the_legend_keeps_out_of_the_way(values, corner):
    history = made(loss=values)
    history.stop_reason = "interrupted"  # its line counts for nothing
    legend = rendered(history.plot())[0].get_legend()
    assert legend.codes[corner] == legend._loc


# ---- marks --------------------------------------------------------------------------------------


def test_the_best_epoch_is_marked_everywhere():
    axes = rendered(usual().plot())
    assert [dots(ax) for ax in axes] == [[(1, 0.1)], [(1, 0.5)], []]
    for ax in axes:
        assert any(list(one.get_xdata()) == [1, 1] for one in ax.get_lines())
    assert "best epoch (1): 0.1" in [text.get_text() for text in axes[0].get_legend().texts]


def test_the_best_epoch_without_validation():
    history = made(loss=[3, 1, 2], start=5)
    assert dots(rendered(history.plot())[0]) == []
    history.best_epoch = 6
    assert dots(rendered(history.plot())[0]) == [(6, 1)]
    history.best_epoch = 2  # of a fit before
    assert dots(rendered(history.plot())[0]) == []


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (END, "stopped: val_loss has not improved for 2 epochs"),
        ("interrupted", "interrupted"),
        ("diverged: loss is NaN; lower it", "diverged: loss is NaN"),
        ("OSError: no\nspace", "stopped: OSError: no"),
        ("word " * 40, "stopped: " + "word " * 11 + "word …"),
        ("", "stopped:"),
        ("all epochs done", None),
        (None, None),
    ],
)
def test_where_and_why_it_stopped(reason, words):
    history = usual()
    history.stop_reason = reason
    axes = rendered(history.plot())
    texts = [text.get_text().replace("\n", " ") for text in axes[0].texts]
    assert texts == ([] if words is None else [words])
    for ax in axes:
        lines = [list(one.get_xdata()) for one in ax.get_lines()]
        assert ([3, 3] in lines) == (words is not None)


def test_the_text_of_the_stop_lies_inside_the_picture(pyplot):
    history = usual()
    history.stop_reason = "a reason of many words, " * 3
    for axes in (None, pyplot.subplots(1, 3, layout="constrained")[1][1]):
        ax = history.plot(axes)
        rendered(ax)
        box = ax.texts[0].get_window_extent()
        figure = ax.figure.bbox
        assert box.x0 >= figure.x0
        assert box.x1 <= figure.x1
        assert box.y1 <= figure.y1


def test_two_histories_in_one_axes(pyplot):
    ax = made(loss=[3, 2, 1]).plot(pyplot.subplots()[1])
    assert made(loss=[5, 4, 3, 2, 1]).plot(ax) is ax
    rendered(ax)
    assert ax.get_xlim()[0] <= 0 < 4 <= ax.get_xlim()[1]


# ---- notebooks ----------------------------------------------------------------------------------


class Page(HTMLParser):
    """The open tags must close; rows of cells and the picture are kept."""

    def __init__(self, text):
        super().__init__()
        self.open, self.rows, self.image, self.text = [], [], None, ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        if tag == "img":
            self.image = dict(attributes)
            return
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1] in ("td", "th"):
            self.rows[-1].append(data)
        self.text += data


def test_a_notebook_shows_table_and_plot():
    image = pytest.importorskip("PIL.Image")
    history = usual()
    history.stop_reason = 'a "<b>" reason'
    page = Page(history._repr_html_())
    assert page.rows[0] == ["epoch", *history.keys(), "learning_rate"]
    assert page.rows[2] == ["1", "0.4", "0.6", "0.1", "0.5", "0.1"]
    assert 'stopped: a "<b>" reason' in page.text
    kind, data = page.image["src"].split(",")
    assert kind == "data:image/png;base64"
    picture = image.open(io.BytesIO(base64.b64decode(data)))
    picture.load()
    assert picture.width == 2 * int(page.image["width"])  # for fine screens
    assert len(picture.convert("RGB").getcolors(2**24)) > 50  # something is drawn
    assert page.image["alt"].endswith('Best epoch: 1. Stopped: a "<b>" reason.')


def test_a_notebook_shows_layers_and_the_end():
    history = all_statistics()
    history.final = {"epoch": 3, "train_loss_eval": 1.75, "val_loss": 1.9}
    page = Page(history._repr_html_())
    assert "loss 1.75 on training data, 1.9 on validation data" in page.text
    assert "Layers in epoch 3" in page.text
    assert page.rows[-4:] == [
        ["layer", "dead", "saturated", "gradient_norm", "update_ratio", "mean"],
        ["dense", "0.3", "0.001", "0.001", "0"],  # an empty cell where nothing is known
        ["dense_1", "0.3", "0.0001", "0.002", "0"],
        ["out", "0.5", "1e-05", "0.003", "0"],
    ]


def test_a_long_history_is_short_in_a_notebook():
    page = Page(made(loss=np.linspace(3, 1, 1000))._repr_html_())
    assert [row[0] for row in page.rows] == [
        *("epoch", "0", "1", "2", "…", "993", "994", "995", "996", "997", "998", "999")
    ]
    assert len(page.image["src"]) < 300_000


def test_without_matplotlib_a_notebook_shows_the_table(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    page = Page(usual()._repr_html_())
    assert page.image is None
    assert len(page.rows) == 5


def test_a_notebook_leaves_pyplot_and_the_backend_alone():
    code = """
import sys
import lamina as lm
assert "matplotlib" not in sys.modules
history = lm.History()
history.append(0, {"loss": 1.0})
import matplotlib
before = list(dict.items(matplotlib.rcParams))  # asking for the backend would choose one
assert "<img" in history._repr_html_()
assert "matplotlib.pyplot" not in sys.modules
assert list(dict.items(matplotlib.rcParams)) == before
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.ci
def test_ipython_takes_it():
    formatters = pytest.importorskip("IPython.core.formatters")
    data, _ = formatters.DisplayFormatter().format(usual())
    assert data["text/plain"] == repr(usual())
    assert Page(data["text/html"]).image is not None


@pytest.mark.ci
def test_in_a_real_notebook():
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    code = """
import numpy as np
import lamina as lm
x = np.linspace(-1, 1, 64).reshape(-1, 1)
model = lm.Model([lm.Input(1), lm.Dense(8, activation="tanh"), lm.Dense(1)], seed=0)
lm.Trainer(model, loss="mse").fit(x, x**2, epochs=3, validation_split=0.25, verbose=0)
"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    (output,) = notebook.cells[0].outputs
    page = Page(output["data"]["text/html"])
    assert [row[0] for row in page.rows] == ["epoch", "0", "1", "2"]
    assert page.image is not None
    assert output["data"]["text/plain"].startswith("History of 3 epochs")
