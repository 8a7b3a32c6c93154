"""lm.learning_curve and lm.validation_curve: what is compared is alike, and told honestly."""

import copy
import sys

import numpy as np
import pytest

import lamina as lm
from lamina.examination.curve_results import LearningCurve, ValidationCurve
from lamina.examination.trainings import Scores

NAN = float("nan")


def rows(count=160, seed=0):
    x = np.random.default_rng(seed).normal(size=(count, 3))
    return x, np.sin(x[:, 0]) + x[:, 1]


def classes(count=200):
    x, y = rows(count)
    return x, np.digitize(y, [-1.0, 1.0])  # three, of which two are rare


def regressor(seed, rate=0.01, **how):
    layers = [lm.Input(3), lm.Dense(8, activation="tanh"), lm.Dense(1)]
    return lm.Trainer(
        lm.Model(layers, seed=seed), loss="mse", optimizer=lm.Adam(learning_rate=rate), **how
    )


def classifier(seed):
    layers = [lm.Input(3), lm.Dense(8, activation="tanh"), lm.Dense(3, activation="softmax")]
    return lm.Trainer(lm.Model(layers, seed=seed), loss="cce", metrics=["accuracy"])


def by_rate(rate, seed):
    return regressor(seed, rate)


class Recorder(lm.Callback):
    """What each training was given; copies write to one list."""

    def __init__(self, seen):
        self.seen = seen

    def __deepcopy__(self, memo):
        return Recorder(self.seen)

    def on_train_begin(self, logs=None):
        self.seen.append((self.params["rows"], self.params["epochs"], self.trainer.seed))


# ---- what is trained on -------------------------------------------------------------------------


def test_the_sizes_and_scores():
    curve = lm.learning_curve(regressor, *rows(), train_sizes=[0.1, 0.5, 1.0], epochs=4)
    assert curve.train_sizes.tolist() == [12, 60, 120]
    assert curve.train_scores.shape == curve.validation_scores.shape == (3, 3)
    assert np.isfinite(curve.validation_scores).all()
    assert (curve.metric, curve.larger_is_better) == ("loss", False)
    sizes, train, validation = curve
    assert sizes is curve.train_sizes
    assert train is curve.train_scores
    assert validation is curve.validation_scores


def test_sets_of_rows_are_nested_and_stratified(monkeypatch):
    """Each training's rows, as they were given to fit."""
    seen, x, y = [], *classes()
    fit = lm.Trainer.fit

    def watched(self, X, y=None, **how):
        seen.append((self.seed, {tuple(row) for row in X}, np.bincount(y, minlength=3)))
        assert [tuple(row) for row in X] == sorted(map(tuple, X), key=place.get)
        return fit(self, X, y, **how)

    place = {tuple(row): number for number, row in enumerate(x)}
    monkeypatch.setattr(lm.Trainer, "fit", watched)
    lm.learning_curve(classifier, x, y, train_sizes=[0.2, 0.5, 1.0], repeats=2, seed=4, epochs=1)
    assert [seed for seed, *_ in seen] == [4, 4, 4, 5, 5, 5]
    for small, middle, whole in (seen[:3], seen[3:]):
        assert small[1] < middle[1] < whole[1]
        for one in (small, middle):
            assert np.abs(one[2] - whole[2] * len(one[1]) / len(whole[1])).max() <= 1
    assert seen[0][1] != seen[3][1]
    assert seen[2][1] == seen[5][1]
    held_out = {tuple(row) for row in x} - seen[2][1]
    assert len(held_out) == 50  # a quarter, the same for all


def test_the_last_point_is_a_plain_training():
    x, y = rows()
    curve = lm.learning_curve(
        regressor, x[:120], y[:120], validation_data=(x[120:], y[120:]), epochs=5, repeats=2
    )
    for repeat in range(2):
        trainer = regressor(repeat)
        trainer.fit(x[:120], y[:120], epochs=5, verbose=0)
        assert curve.train_scores[-1, repeat] == trainer.evaluate(x[:120], y[:120])["loss"]
        assert curve.validation_scores[-1, repeat] == trainer.evaluate(x[120:], y[120:])["loss"]


def test_the_same_seed_gives_the_same_bits():
    def scores(**how):
        curve = lm.learning_curve(regressor, *rows(), epochs=2, repeats=2, **how)
        return curve.train_scores.tobytes(), curve.validation_scores.tobytes()

    assert scores() == scores() == scores(seed=0)
    assert scores() != scores(seed=1)


def test_all_sizes_make_as_many_steps():
    seen = []
    how = {"train_sizes": [10, 30, 120], "repeats": 1, "epochs": 6, "batch_size": 30}
    curve = lm.learning_curve(regressor, *rows(), callbacks=Recorder(seen), **how)
    assert seen == [(10, 24, 0), (30, 24, 0), (120, 6, 0)]
    assert curve.epochs == [24, 24, 6]
    curve = lm.learning_curve(regressor, *rows(), same_steps=False, **how)
    assert curve.epochs == [6, 6, 6]


def test_values_are_compared_on_the_same_rows_and_seeds():
    seen, x, y = [], *rows()
    curve = lm.validation_curve(
        by_rate, x, y, [1e-4, 1e-2], epochs=3, repeats=2, seed=7, callbacks=[Recorder(seen)]
    )
    assert seen == [(120, 3, 7), (120, 3, 7), (120, 3, 8), (120, 3, 8)]
    assert (curve.name, curve.values, curve.best_value) == ("rate", [1e-4, 1e-2], 1e-2)
    train, validation = curve
    assert train.shape == validation.shape == (2, 2)
    alone = lm.validation_curve(by_rate, x, y, [1e-2], epochs=3, repeats=2, seed=7)
    assert np.array_equal(alone.validation_scores[0], validation[1])


def test_values_may_be_anything():
    def make(hidden, seed):
        layers = [lm.Input(3), *(lm.Dense(units, activation="tanh") for units in hidden)]
        return lm.Trainer(lm.Model([*layers, lm.Dense(1)], seed=seed), loss="mse")

    curve = lm.validation_curve(
        make, *rows(), ([], [4], [4, 4]), repeats=1, name="layers", epochs=1
    )
    assert curve.name == "layers"
    assert curve.values == [[], [4], [4, 4]]
    assert "[4, 4]" in repr(curve)


def test_weights_are_those_of_the_rows():
    x, y = rows()
    heavy = np.arange(160) % 2 == 0
    y = np.where(heavy, y, 1e3)
    curve = lm.learning_curve(
        regressor, x, y, sample_weight=heavy * 1.0, epochs=20, repeats=1, train_sizes=[1.0]
    )
    assert curve.validation_scores.max() < 100
    assert curve.train_scores.max() < 100


def test_class_weights_and_other_arguments_reach_fit():
    x, y = classes()
    how = {"repeats": 1, "train_sizes": [1.0], "epochs": 3, "metric": "loss"}
    plain, weighed, ordered = (
        lm.learning_curve(classifier, x, y, **how, **more).validation_scores
        for more in ({}, {"class_weight": "balanced"}, {"shuffle": False})
    )
    assert plain != weighed
    assert plain != ordered
    with pytest.raises(TypeError, match="epoch"):
        lm.validation_curve(by_rate, *rows(), [0.1], epoch=3)


def test_several_inputs_and_outputs_and_sparse_rows():
    sparse = pytest.importorskip("scipy.sparse")
    x, y = rows()

    def make(seed):
        one, two = lm.Input(2, name="a"), lm.Input(1, kind="sparse", name="b")
        hidden = lm.Dense(4)(one)
        more = lm.Dense(4)(two)
        joined = lm.Add()([hidden, more])
        outputs = [
            lm.Dense(1, name="p")(joined),
            lm.Dense(1, activation="sigmoid", name="q")(joined),
        ]
        model = lm.Model(inputs=[one, two], outputs=outputs, seed=seed)
        return lm.Trainer(model, loss={"p": "mse", "q": "bce"}, metrics={"q": "accuracy"})

    data = {"a": x[:, :2], "b": sparse.coo_matrix(x[:, 2:])}, {"p": y, "q": y > 0}
    curve = lm.learning_curve(make, *data, repeats=1, epochs=2)
    assert (curve.metric, curve.larger_is_better) == ("q_accuracy", True)
    curve = lm.learning_curve(make, *data, repeats=1, epochs=2, metric="p_loss")
    assert (curve.metric, curve.larger_is_better) == ("p_loss", False)


def test_frames():
    pandas = pytest.importorskip("pandas")
    x, y = rows()
    frame = pandas.DataFrame(x, columns=["a", "b", "c"], index=np.arange(160)[::-1])
    of_frame = lm.learning_curve(regressor, frame, pandas.Series(y), repeats=1, epochs=2)
    of_array = lm.learning_curve(regressor, x, y, repeats=1, epochs=2)
    assert np.array_equal(of_frame.validation_scores, of_array.validation_scores)


def test_metrics_by_name():
    x, y = classes()
    curve = lm.learning_curve(classifier, x, y, repeats=1, epochs=1)
    assert (curve.metric, curve.larger_is_better) == ("accuracy", True)
    curve = lm.learning_curve(classifier, x, y, repeats=1, epochs=1, metric="loss")
    assert curve.larger_is_better is False
    with pytest.raises(ValueError, match=r"does not measure 'mae', but loss, accuracy"):
        lm.learning_curve(classifier, x, y, metric="mae")


def test_callbacks_are_copied_and_hear_of_the_rows_held_out():
    stopping = lm.EarlyStopping(patience=1, min_delta=1e9)
    before = copy.deepcopy(stopping)
    curve = lm.learning_curve(
        regressor, *rows(), epochs=50, repeats=2, train_sizes=[1.0], callbacks=stopping
    )
    assert stopping == before
    assert curve.train_scores.min() > 0.01  # after two epochs, not fifty


# ---- ends ---------------------------------------------------------------------------------------


def interrupted_after(number):
    calls = []

    class Interrupting(lm.Callback):
        def on_epoch_end(self, epoch, logs=None):
            calls.append(epoch)
            if len(calls) > number:
                raise KeyboardInterrupt

        def __deepcopy__(self, memo):
            return Interrupting()

    return Interrupting()


def test_ctrl_c_keeps_what_there_is():
    how = {"epochs": 1, "same_steps": False, "train_sizes": [20, 60, 120]}
    curve = lm.learning_curve(regressor, *rows(), callbacks=interrupted_after(4), **how)
    assert curve.interrupted
    assert np.isfinite(curve.validation_scores).tolist() == [
        [True, True, False],
        [True, False, False],
        [True, False, False],
    ]
    assert "Interrupted after 4 of 9 trainings." in repr(curve)
    assert "may be chance" in curve.reading or "nobody can tell" in curve.reading
    curve = lm.validation_curve(
        by_rate, *rows(), [0.1, 0.01], callbacks=interrupted_after(1), epochs=1
    )
    assert curve.interrupted
    assert curve.best_value == 0.1
    assert len(repr(curve).splitlines()) == 5


def test_ctrl_c_in_the_first_training_ends_all():
    with pytest.raises(KeyboardInterrupt):
        lm.learning_curve(regressor, *rows(), callbacks=interrupted_after(0), epochs=1)


def test_what_diverges_counts_for_nothing():
    curve = lm.validation_curve(
        lambda rate, seed: lm.Trainer(
            lm.Model([lm.Input(3), lm.Dense(1)], seed=seed), loss="mse", optimizer=lm.SGD(rate)
        ),
        *rows(),
        [0.1, 1e30],
        epochs=5,
    )
    assert curve.diverged.tolist() == [[False] * 3, [True] * 3]
    assert np.isnan(curve.train_scores[1]).all()
    assert curve.best_value == 0.1
    assert "3 trainings diverged, at 1e+30; they do not count." in curve.reading


def test_other_warnings_are_not_lost():
    def make(seed):
        trainer = regressor(seed)
        fit = trainer.fit

        def warning_fit(*args, **how):
            import warnings

            warnings.warn("look here", RuntimeWarning, stacklevel=1)
            return fit(*args, **how)

        trainer.fit = warning_fit
        return trainer

    with pytest.warns(RuntimeWarning, match="look here"):
        lm.learning_curve(make, *rows(), repeats=1, epochs=1, train_sizes=[1.0])


ONCE = regressor(0)


@pytest.mark.parametrize(
    ("make", "seed", "error", "words"),
    [
        (lambda: regressor(0), 0, TypeError, r"def make\(seed\): return lm.Trainer"),
        (lambda seed: "adam", 0, TypeError, "must return a Trainer, got str"),
        (lambda seed: regressor(0), 2, ValueError, r"hand it on, lm.Model\(layers, seed=seed\)"),
        (lambda seed: ONCE, 0, ValueError, "a new Trainer of a new Model at each call"),
        (3, 0, TypeError, "make"),
    ],
)
def test_a_make_that_does_not_fit(make, seed, error, words):
    with pytest.raises(error, match=words):
        lm.learning_curve(make, *rows(), seed=seed)


@pytest.mark.parametrize(
    ("how", "error", "words"),
    [
        ({"train_sizes": [0.0, 1.0]}, ValueError, "shares must be above 0 and at most 1"),
        ({"train_sizes": [60, 121]}, ValueError, "expected 1 to 120 rows"),
        ({"train_sizes": [0]}, ValueError, "expected 1 to 120 rows"),
        ({"train_sizes": []}, ValueError, "must be a list of numbers"),
        ({"train_sizes": ["all"]}, ValueError, "must be a list of numbers"),
        ({"repeats": 0}, ValueError, "repeats must be at least 1"),
        ({"epochs": 0}, ValueError, "epochs must be at least 1"),
        ({"validation_split": 1.0}, ValueError, "above 0 and below 1"),
        ({"validation_data": (1,)}, ValueError, "validation_data must be"),
        ({"verbose": 2}, ValueError, "verbose must be 0, 1 or 'auto'"),
        ({"sample_weight": np.ones(3)}, ValueError, "sample_weight"),
    ],
)
def test_errors_before_anything_is_trained(how, error, words):
    seen = []
    with pytest.raises(error, match=words):
        lm.learning_curve(regressor, *rows(), callbacks=Recorder(seen), **how)
    assert not seen


def test_more_errors():
    x, y = rows()
    with pytest.raises(ValueError, match="values is empty"):
        lm.validation_curve(by_rate, x, y, [])
    with pytest.raises(TypeError, match=r"def make\(value, seed\)"):
        lm.validation_curve(lambda seed: 0, x, y, [1])
    with pytest.raises(ValueError, match="a stream has no rows to choose from"):
        lm.learning_curve(regressor, lm.ArrayStream(x, y), None)
    with pytest.raises(ValueError, match="learning_rate"):  # of the last value, before the first
        lm.validation_curve(by_rate, x, y, [0.1, -1.0], callbacks=interrupted_after(0))


def test_what_make_raises_is_told_with_what_it_was_called_with():
    x, y = rows()

    def wrong(seed, activation):  # in the wrong order
        layers = [lm.Input(3), lm.Dense(4, activation=activation), lm.Dense(1)]
        return lm.Trainer(lm.Model(layers, seed=seed), loss="mse")

    words = r"make was called with the value 'relu' first, then the seed 3, and raised TypeError: "
    with pytest.raises(TypeError, match=words + r".*; expected def make\(value, seed\)") as raised:
        lm.validation_curve(wrong, x, y, ["relu", "tanh"], seed=3)
    assert isinstance(raised.value.__cause__, TypeError)
    with pytest.raises(ValueError, match="make was called with the seed 0, and raised KeyError: 0"):
        lm.learning_curve(lambda seed: {}[seed], x, y)
    with pytest.raises(ZeroDivisionError):  # nothing about arguments
        lm.learning_curve(lambda seed: 1 / 0, x, y)


def test_a_bar_counts_the_trainings(capsys):
    lm.learning_curve(regressor, *rows(), repeats=2, epochs=1, train_sizes=[0.5, 1.0], verbose=1)
    said = capsys.readouterr().err
    assert "learning_curve: 100%" in said
    assert "4.00/4.00" in said


# ---- what it says -------------------------------------------------------------------------------


def learning(validation, train, larger_is_better=False):
    scores = Scores(len(validation), len(validation[0]))
    scores.validation[:], scores.train[:] = validation, train
    scores.done = scores.train.size
    sizes = [50 * 2**place for place in range(len(validation))]
    return LearningCurve(sizes, [1] * len(sizes), scores, "loss", larger_is_better)


def of_values(values, validation, train, larger_is_better=False):
    scores = Scores(len(validation), len(validation[0]))
    scores.validation[:], scores.train[:] = validation, train
    return ValidationCurve("l2", values, scores, "loss", larger_is_better)


@pytest.mark.parametrize("sign", [1, -1])
def test_reading_of_a_learning_curve(sign):
    larger = sign < 0
    low = [[0.1, 0.11, 0.12]] * 2

    def reading(validation, train=low):
        return learning(sign * np.array(validation), sign * np.array(train), larger).reading

    said = reading([[1.0, 1.1, 1.2], [0.5, 0.6, 0.71]])
    assert "From 50 to 100 rows it became better by 0.5 ± 0.003: more rows" in said
    assert "is all that more rows, or regularisation, can win" in said
    said = reading([[1.0, 1.1, 1.2], [1.1, 0.9, 1.25]])
    verb = "rose" if larger else "fell"
    assert f"it {verb} by 0.017 ± 0.09, which may be chance with 3 repeats." in said
    assert "is all that regularisation, or many times the rows, can win" in said
    said = reading([[1.0, 1.1, 1.2], [1.5, 1.6, 1.71]])
    assert "it became worse by 0.5" in said
    said = reading([[1.0, 1.1, 1.2]] * 2, [[1.0, 1.15, 1.16]] * 2)
    assert "the same within chance: a larger model or better inputs may help" in said
    said = reading([[1.0], [0.5]], [[0.1], [0.1]])
    assert "nobody can tell what is chance" in said


@pytest.mark.parametrize("larger", [False, True])
@pytest.mark.parametrize("gap", [0.5, 0.0, -0.5])
@pytest.mark.parametrize("step", [0.5, 0.0, -0.5])
def test_a_reading_tells_one_story(step, gap, larger):
    """More rows help, or they do not: the step to the last size and the gap decide together."""
    sign = -1 if larger else 1
    chance = np.array([-0.1, 0.0, 0.11])
    last = 2.0 + np.array([0.01, 0.0, -0.012])
    validation, train = [last + step + (chance if step == 0 else 0), last], last - gap
    train = train + (chance if gap == 0 else 0)
    said = learning(sign * np.array(validation), sign * np.array([train, train]), larger).reading
    helps = [words in said for words in ("would probably help", "is all that more rows")]
    useless = ["little left to win" in said, "hardly will" in said]
    assert helps == [step > 0 and gap > 0] * 2
    assert useless == [step > 0 >= gap, step == 0 >= gap]
    assert ("became worse" in said) == (step < 0)
    assert ("regularisation" in said and "hardly" not in said) == (gap > 0)
    assert ("no worse" in said) == (gap < 0)
    assert "by -" not in said


@pytest.mark.parametrize("larger", [False, True])
@pytest.mark.parametrize(("change", "verb"), [(0.07, "rose"), (-0.07, "fell"), (0.0, "did not")])
def test_what_may_be_chance_is_told_by_where_the_score_went(change, verb, larger):
    before = np.array([0.5, 0.6, 0.7])
    noise = np.array([-0.1, 0.0, 0.1]) if change else np.zeros(3)
    said = learning([before, before + change + noise], [[0.1, 0.5, 0.9]] * 2, larger).reading
    size = " by 0.07 ± 0.06, which may be chance with 3 repeats." if change else " change in the"
    assert f"From 50 to 100 rows it {verb}{size}" in said


def test_reading_of_a_validation_curve():
    train = np.array([[0.1, 0.12, 0.11], [0.2, 0.21, 0.22], [0.3, 0.31, 0.3], [0.9, 0.91, 0.95]])
    validation = np.array(
        [[0.8, 0.82, 0.79], [0.5, 0.51, 0.53], [0.51, 0.5, 0.54], [1.0, 1.02, 0.99]]
    )
    for sign in (1, -1):
        curve = of_values([0.0, 0.1, 1.0, 10.0], sign * validation, sign * train, sign < 0)
        assert curve.best_value == 0.1
        assert f"Best mean validation loss: {sign * 0.5133:.4g}, at l2 = 0.1." in curve.reading
        assert "Within chance as good: 1." in curve.reading
        assert "At 0 training is better there and validation worse" in curve.reading
        assert "At 10 training is worse there, too: too little is learnt." in curve.reading
        assert "measure it anew on rows kept apart" in curve.reading
        assert "value tried" not in curve.reading
    falling = of_values([0.0, 0.1, 1.0], validation[[3, 0, 1]], train[[3, 0, 1]])
    assert "It is the highest value tried: try higher ones" in falling.reading


def test_a_metric_that_nobody_knows():
    curve = of_values([1, 2], [[0.1], [0.2]], [[0.1], [0.2]], None)
    assert curve.best_value is None
    assert "There is no best value." in curve.reading
    assert "±" not in learning([[1.0], [2.0]], [[1.0], [2.0]], None).reading


def test_the_table():
    curve = learning([[1.0, 1.5], [0.5, NAN]], [[0.25, 0.5], [0.125, NAN]])
    lines = repr(curve).splitlines()
    assert lines[:4] == [
        "LearningCurve of 4 trainings",
        "rows   train loss  validation loss",
        "  50  0.375 ± 0.2       1.25 ± 0.4",
        " 100        0.125              0.5",
    ]


# ---- pictures -----------------------------------------------------------------------------------


@pytest.fixture
def pyplot():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    yield pyplot
    pyplot.close("all")


def test_the_plot_of_a_learning_curve(pyplot):
    means = np.array([1.0, 0.6, 0.5, 0.4])
    curve = learning(means[:, None] + [-0.1, 0.0, 0.1], [[0.1] * 3] * 4)
    ax = pyplot.subplots()[1]
    assert curve.plot(ax) is ax
    ax.figure.draw_without_rendering()
    lines = {one.get_label(): one for one in ax.get_lines()}
    assert lines["validation"].get_ydata() == pytest.approx(means)
    assert lines["training"].get_ydata() == pytest.approx([0.1] * 4)
    assert ax.get_xlabel() == "rows trained on"
    assert curve.plot().figure is not ax.figure
    long = learning([[1.0]] * 5, [[1.0]] * 5).plot()
    assert long.get_xscale() == "log"
    assert [tick.get_text() for tick in long.get_xticklabels()] == [
        "50",
        "100",
        "200",
        "400",
        "800",
    ]


def test_the_plot_of_a_validation_curve(pyplot):
    curve = of_values([1.0, 1e-3, 0.03], [[1.0, 1.1], [0.9, 0.8], [0.5, 0.6]], [[0.1, 0.2]] * 3)
    ax = curve.plot()
    ax.figure.draw_without_rendering()
    assert ax.get_xscale() == "log"
    lines = {one.get_label(): one for one in ax.get_lines()}
    assert lines["validation"].get_xdata().tolist() == [1e-3, 0.03, 1.0]
    assert lines["best mean: 0.55"].get_xdata().tolist() == [0.03]
    words = of_values(["relu", "$tanh"], [[1.0], [NAN]], [[1.0], [NAN]])
    words.diverged[1] = True
    ax = words.plot()
    ax.figure.draw_without_rendering()
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["relu", r"\$tanh"]
    assert "diverged" in [one.get_label() for one in ax.get_lines()]


def test_a_notebook_shows_words_and_plot(monkeypatch):
    pytest.importorskip("matplotlib")
    curve = learning([[1.0, 1.1], [0.5, 0.6]], [[0.1, 0.2]] * 2)
    page = curve._repr_html_()
    assert "LearningCurve of 4 trainings" in page
    assert "<img" in page
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert "<img" not in curve._repr_html_()


# ---- real data ----------------------------------------------------------------------------------


@pytest.mark.ci
@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_a_small_model_of_diabetes_is_not_told_both(seed):
    datasets = pytest.importorskip("sklearn.datasets")
    x, y = datasets.load_diabetes(return_X_y=True)
    x, y = (x - x.mean(axis=0)) / x.std(axis=0), (y - y.mean()) / y.std()

    def make(seed):
        layers = [lm.Input(10), lm.Dense(4, activation="relu"), lm.Dense(1)]
        model = lm.Model(layers, seed=seed)
        return lm.Trainer(model, loss="mse", optimizer=lm.Adam(3e-3))

    said = lm.learning_curve(make, x, y, epochs=15, seed=seed).reading
    assert not ("probably help" in said and ("hardly will" in said or "little left" in said))
    assert " by -" not in said


@pytest.mark.ci
def test_digits_want_rows_and_little_dropout():
    datasets = pytest.importorskip("sklearn.datasets")
    x, y = datasets.load_digits(return_X_y=True)

    def make(dropout, seed):
        layers = [lm.Input(64), lm.Normalization(), lm.Dense(64, activation="relu")]
        layers += [lm.Dropout(dropout), lm.Dense(10, activation="softmax")]
        return lm.Trainer(lm.Model(layers, seed=seed), loss="cce", metrics=["accuracy"])

    curve = lm.learning_curve(lambda seed: make(0.2, seed), x, y, epochs=20, batch_size=32)
    assert curve.validation_scores[0].mean() < 0.93
    assert curve.validation_scores[-1].mean() > 0.96
    assert (np.diff(curve.validation_scores.mean(axis=1)) > 0).all()
    curve = lm.validation_curve(make, x, y, [0.0, 0.3, 0.97], epochs=20, batch_size=32)
    assert curve.best_value in (0.0, 0.3)
    assert "At 0.97 training is worse there, too: too little is learnt." in curve.reading
