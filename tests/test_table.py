"""Tables to networks: decoding, preparing, splitting, targets, and a model around them."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lamina as lm
from lamina.table import Encoded, TableEncoder, TableTransform, Target, split_rows
from lamina.table.recipe import choose_recipe, loss_of
from lamina.table.scores import baseline, score
from lamina.table_cells import as_columns
from lamina.tables_io import TableError

# ---- encoder ------------------------------------------------------------------------------------


def test_kinds_of_columns():
    table = {
        "number": ["1", " 2.5", "NA"],
        "day": ["2024-02-29", "", "1970-01-02"],
        "text": ["x", "1", ""],
        "truth": np.array([True, False, True]),
        "typed": np.array([1, 2, 3]),
        "constant": ["7", "7", "7"],
        "empty": ["", "NA", "?"],
    }
    encoder = TableEncoder().fit(table)
    assert encoder.numeric == ["number", "day", "typed"]
    assert encoder.categorical == ["text", "truth"]
    assert encoder.cardinalities == [3, 3]
    encoded = encoder.transform(table)
    np.testing.assert_array_equal(
        encoded.numbers, [[1, 19782, 1], [2.5, np.nan, 2], [np.nan, 1, 3]]
    )
    np.testing.assert_array_equal(encoded.codes, [[2, 2], [1, 1], [0, 2]])
    assert encoded.numbers.dtype == np.float64
    assert encoded.codes.dtype == np.int32


def test_unknown_levels_and_blanks_share_code_zero():
    encoder = TableEncoder().fit({"c": ["a", "b", ""]})
    assert encoder.transform({"c": ["b", "z", "", " a "]}).codes.ravel().tolist() == [2, 0, 0, 1]


def test_rare_levels_of_many_share_code_zero():
    cells = ["common"] * 9 + ["usual"] * 5 + ["rare", "odd"]
    encoder = TableEncoder(max_levels=2).fit({"c": cells})
    assert encoder.columns[0].levels == ("common", "usual")
    assert encoder.transform({"c": cells}).codes.ravel().tolist() == [1] * 9 + [2] * 5 + [0, 0]


def test_encoder_state_is_json_and_complete():
    table = {"n": ["1", "2"], "c": ["é", "b"], "d": ["2024-01-01", "2024-01-02"]}
    encoder = TableEncoder().fit(table)
    again = TableEncoder.from_state(json.loads(json.dumps(encoder.get_state())))
    assert again.columns == encoder.columns
    for one, other in zip(again.transform(table), encoder.transform(table), strict=True):
        np.testing.assert_array_equal(one, other)


def test_columns_are_matched_by_name():
    encoder = TableEncoder().fit({"a": ["1", "2"], "b": ["x", "y"]})
    one = encoder.transform({"b": ["x"], "extra": ["?"], "a": ["3"]})
    assert (one.numbers.item(), one.codes.item()) == (3.0, 1)
    with pytest.raises(TableError, match=r"lacks columns of training: 'a', 'b' \(it has 'c'\)"):
        encoder.transform({"c": ["1"]})


def test_a_number_column_with_text_later_names_column_and_row():
    encoder = TableEncoder().fit({"a": ["1", "2"], "d": ["2024-01-01", "2024-01-02"]})
    with pytest.raises(TableError, match="'a' held finite numbers in training, but row 2 has 'x'"):
        encoder.transform({"a": ["1", "x"], "d": ["", ""]})
    with pytest.raises(TableError, match=r"'a' held finite numbers.*row 1 has 'inf'"):
        encoder.transform({"a": np.array([np.inf]), "d": [""]})
    with pytest.raises(TableError, match=r"'d' held dates like 2024-02-29.*row 1 has 'soon'"):
        encoder.transform({"a": ["1"], "d": ["soon"]})


def test_tables_nothing_can_be_learned_from():
    with pytest.raises(TableError, match="no column is left to learn from"):
        TableEncoder().fit({"a": ["1", "1"], "y": ["1", "2"]}, ignore=["y"])
    with pytest.raises(TableError, match="'a' holds an infinite number in row 2"):
        TableEncoder().fit({"a": np.array([1.0, np.inf])})


# ---- transform ----------------------------------------------------------------------------------


def encoded(numbers=(), codes=()):
    rows = len(numbers) or len(codes)
    return Encoded(
        np.array(numbers, dtype=np.float64).reshape(rows, -1),
        np.array(codes, dtype=np.int32).reshape(rows, -1),
    )


def test_blanks_become_the_median_with_an_indicator():
    train = encoded([[1], [2], [6], [np.nan]])
    x = TableTransform().fit(train, []).apply(train)
    filled = np.array([1, 2, 6, 2])
    np.testing.assert_allclose(x[:, 0], (filled - filled.mean()) / filled.std(), rtol=1e-6)
    assert x[:, 1].tolist() == [0, 0, 0, 1]


def test_blanks_unknown_to_training_become_the_median_alone():
    transform = TableTransform().fit(encoded([[1], [2], [6]]), [])
    np.testing.assert_array_equal(
        transform.apply(encoded([[np.nan]])), transform.apply(encoded([[2]]))
    )


def test_values_outside_the_range_of_training_are_moved_to_its_end():
    transform = TableTransform(ramps=2).fit(encoded([[1], [2], [6]]), [])
    np.testing.assert_array_equal(
        transform.apply(encoded([[-99], [1e9]])), transform.apply(encoded([[1], [6]]))
    )


def test_ramps_are_the_piecewise_linear_encoding():
    train = encoded(np.arange(5.0)[:, None])
    x = TableTransform(ramps=2).fit(train, []).apply(train)
    np.testing.assert_allclose(x[:, 1], [0, 0.5, 1, 1, 1])
    np.testing.assert_allclose(x[:, 2], [0, 0, 0, 0.5, 1])


def test_equal_quantiles_give_fewer_ramps():
    train = encoded([[0]] * 9 + [[1]])
    assert TableTransform(ramps=8).fit(train, []).width <= 3


def test_one_hot_has_a_column_for_code_zero_only_if_training_had_it():
    without = TableTransform().fit(encoded(codes=[[1], [2]]), [3])
    assert without.apply(encoded(codes=[[2], [0]])).tolist() == [[0, 1], [0, 0]]
    having = TableTransform().fit(encoded(codes=[[0], [2]]), [3])
    assert having.apply(encoded(codes=[[2], [0]])).tolist() == [[0, 0, 1], [1, 0, 0]]


@given(
    st.lists(
        st.tuples(st.one_of(st.floats(-1e6, 1e6), st.just(float("nan"))), st.integers(0, 3)),
        min_size=2,
        max_size=30,
    ),
    st.integers(0, 9),
)
def test_a_prepared_table_is_finite_and_survives_its_state(rows, ramps):
    """Laws: finite, C-contiguous float32 of the said width; a row does not depend on others."""
    table = encoded([[n] for n, _ in rows], [[c] for _, c in rows])
    if np.isnan(table.numbers).all():
        return
    transform = TableTransform(ramps).fit(table, [4])
    x = transform.apply(table)
    assert x.shape == (len(rows), transform.width)
    assert x.dtype == np.float32
    assert x.flags.c_contiguous
    assert np.isfinite(x).all()
    again = TableTransform.from_state(json.loads(json.dumps(transform.get_state())))
    one = again.apply(Encoded(table.numbers[1:2], table.codes[1:2]))
    np.testing.assert_array_equal(one, x[1:2])


# ---- split --------------------------------------------------------------------------------------


@given(st.integers(2, 200), st.floats(0.01, 0.99), st.integers(0, 2**63 - 1))
def test_a_split_is_a_partition(rows, share, seed):
    rest, drawn = split_rows(rows, share, seed)
    assert sorted([*rest, *drawn]) == list(range(rows))
    assert len(drawn) == min(max(round(rows * share), 1), rows - 1)
    again = split_rows(rows, share, seed)[1]
    np.testing.assert_array_equal(again, drawn)


@given(st.lists(st.integers(0, 3), min_size=10, max_size=200), st.integers(0, 99))
def test_a_split_by_classes_is_even(labels, seed):
    labels = np.array(labels)
    drawn = split_rows(len(labels), 0.2, seed, labels=labels)[1]
    for label in np.unique(labels):
        want = (labels == label).sum() * len(drawn) / len(labels)
        assert abs((labels[drawn] == label).sum() - want) < 1 + 1e-9


def test_seeds_and_streams_draw_differently():
    draws = [split_rows(1000, 0.5, seed, stream=stream)[1] for seed in (0, 1) for stream in (0, 1)]
    common = [len(np.intersect1d(a, b)) for i, a in enumerate(draws) for b in draws[:i]]
    assert all(200 < n < 300 for n in common)


# ---- target -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "task"),
    [
        (["yes", "no"] * 5, "classification"),
        ([True, False] * 5, "classification"),
        ([0, 1] * 3, "classification"),
        (["1", "2", "3"] * 5, "classification"),
        (["1", "2", "3"] * 4, "regression"),
        (list(range(21)) * 9, "regression"),
        ([0.5, 1.5] * 5, "regression"),
    ],
)
def test_the_task_follows_from_the_cells(cells, task):
    column = cells if isinstance(cells[0], str) else as_columns({"y": cells})["y"]
    assert Target.fit("y", column).task == task


def test_regression_in_units_and_back():
    target = Target.fit("y", ["10", "20", "", "60"])
    scaled = target.encode(["10", "60"])
    np.testing.assert_allclose(target.decode(scaled.astype(np.float32)), [10, 60], rtol=1e-6)
    np.testing.assert_array_equal(target.decode(np.array([[-9.0], [9.0]])), [10, 60])


def test_classes_in_order_and_back():
    target = Target.fit("y", ["10", "9", "9.0", "10"] * 3)
    assert target.classes == ("9", "10")
    assert target.encode(["10", "9.0"]).tolist() == [1, 0]
    assert target.labels(np.array([1, 0])).tolist() == [10, 9]
    words = Target.fit("y", [" b", "a"] * 3)
    assert words.labels(words.encode(["a", "b "])).tolist() == ["a", "b"]
    with pytest.raises(TableError, match="has the class 'c', which the training rows do not have"):
        words.encode(["c"])


@pytest.mark.parametrize("column", [["x", "y"] * 3, ["1.5", "2.5", "4.5"]])
def test_target_state_is_json_and_complete(column):
    target = Target.fit("y", column)
    assert Target.from_state(json.loads(json.dumps(target.get_state()))) == target


@pytest.mark.parametrize(
    ("column", "task", "sentence"),
    [
        (["", "NA"], None, "'y' is blank in every row"),
        (["a", "a"], None, "'y' has one class only: 'a'"),
        (["3", "3"], None, "'y' has one class only: '3'"),
        (["3.5", "3.5"], None, "'y' is 3.5 in every row"),
        (["a", "b"] * 3, "regression", r"'y' holds text \('a'\)"),
        ([f"id{i}" for i in range(50)], None, "50 different values in 50 rows.*an identifier"),
    ],
)
def test_targets_that_cannot_be(column, task, sentence):
    with pytest.raises(TableError, match=sentence):
        Target.fit("y", column, task)


# ---- scores -------------------------------------------------------------------------------------


def test_scores_and_baseline_of_a_quantity():
    target = Target.fit("y", ["1.5", "2.5", "6.5"])
    assert score(target, ["1.5", "2.5"], np.array([1.5, 4.5])) == {
        "rmse": pytest.approx(np.sqrt(2)),
        "mae": 1.0,
        "r2": -7.0,
    }
    guess = baseline(target, ["1.5", "2.5", "6.5"], ["2.5", "4.5"])
    assert guess["rmse"] == pytest.approx(np.sqrt((1 + 1) / 2))  # from the mean, 3.5
    assert guess["mae"] == 1.0  # from the median, 2.5


def test_scores_and_baseline_of_classes():
    target = Target.fit("y", ["a", "b", "b", "b"])
    scores = score(target, ["a", "b"], np.array([[0.75, 0.25], [0.5, 0.5]]))
    assert scores["accuracy"] == 0.5
    assert scores["log_loss"] == pytest.approx(-(np.log(0.75) + np.log(0.5)) / 2)
    assert scores["auc"] == 1.0
    guess = baseline(target, ["a", "b", "b", "b"], ["a", "b", "b"])
    assert guess["accuracy"] == pytest.approx(2 / 3)
    assert guess["auc"] == 0.5
    assert np.isnan(score(target, ["b", "b"], np.array([[0.1, 0.9]] * 2))["auc"])


# ---- recipe and model ---------------------------------------------------------------------------


def test_recipes_have_sensible_sizes():
    for rows in (4, 300, 2_000, 35_000, 1_000_000):
        for columns in (0, 5, 800):
            recipe = choose_recipe(rows, columns, "regression")
            assert recipe.ramps * columns <= 1024
            assert 16 <= recipe.batch_size <= 256
            assert 12 <= recipe.epochs <= 40
            assert recipe.patience <= recipe.epochs


def test_loss_and_output_follow_from_the_target():
    recipe = choose_recipe(1000, 3, "classification")
    many = Target.fit("y", ["a", "b", "c"] * 5)
    assert (loss_of(many), recipe.layers(4, many)[-1]) == (
        "categorical_crossentropy",
        lm.Dense(3, activation="softmax"),
    )


def wave(rows=400, seed=0):
    rng = np.random.default_rng(seed)
    x, kind = rng.uniform(-2, 2, rows), rng.choice(["up", "down"], rows)
    y = 100 + 40 * np.sin(2 * x) * np.where(kind == "up", 1, -1)
    return {"x": x, "kind": kind, "y": y}


def test_a_table_is_learned_saved_and_loaded(tmp_path):
    train, test = wave(), wave(200, seed=1)
    model = lm.TableModel(target="y", seed=0).fit(train, verbose=0)
    assert model.evaluate(test)["r2"] > 0.95
    assert model.history.best_epoch is not None
    path = tmp_path / "wave.lamina"
    model.save(path)
    again = lm.load(path)
    assert isinstance(again, lm.TableModel)
    np.testing.assert_array_equal(again.predict(test), model.predict(test))
    assert again.target == model.target
    assert repr(again) == "TableModel(target='y'), regression from x, kind"
    with pytest.raises(TypeError, match="'y' is a quantity"):
        again.predict_proba(test)


def test_classes_are_learned_and_predicted_by_name():
    table = wave()
    table["y"] = np.where(table["y"] > 110, "high", np.where(table["y"] < 90, "low", "middle"))
    model = lm.TableModel(target="y", seed=0).fit(table, verbose=0)
    probabilities = model.predict_proba(table)
    assert probabilities.shape == (400, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-12)
    assert model.target.classes == ("high", "low", "middle")
    assert (model.predict(table) == table["y"]).mean() > 0.8
    assert set(model.evaluate(table)) == {"accuracy", "log_loss", "auc"}


def test_two_classes_have_two_probabilities():
    table = wave()
    table["y"] = (table["y"] > 100).astype(int)
    model = lm.TableModel(target="y", seed=0).fit(table, verbose=0)
    probabilities = model.predict_proba(table)
    assert probabilities.shape == (400, 2)
    np.testing.assert_array_equal(model.predict(table), (probabilities[:, 1] > 0.5).astype(int))
    assert (model.predict(table) == table["y"]).mean() > 0.9


def test_the_same_seed_gives_the_same_bits():
    table = wave(100)
    one, two = (lm.TableModel(target="y", seed=3).fit(table, epochs=3, verbose=0) for _ in "ab")
    np.testing.assert_array_equal(one.predict(table), two.predict(table))


def test_rows_of_their_own_validate():
    model = lm.TableModel(target="y", seed=0)
    model.fit(wave(), validation=wave(50, seed=2), epochs=2, verbose=0)
    assert len(model.history) == 2
    assert np.isfinite(model.history["val_loss"]).all()


def test_a_second_fit_begins_anew_but_keeps_what_was_given(tmp_path):
    table = wave(100)
    model = lm.TableModel(target="y", seed=0).fit(table, epochs=2, verbose=0)
    first = model.predict(table)
    np.testing.assert_array_equal(model.fit(table, epochs=2, verbose=0).predict(table), first)
    model.save(tmp_path / "m.lamina")
    loaded = lm.load(tmp_path / "m.lamina")
    before = loaded.evaluate(table)["rmse"]
    loaded.fit(table, epochs=20, verbose=0)
    assert loaded.target == model.target
    assert loaded.evaluate(table)["rmse"] < before


def test_an_untrained_model_says_so():
    model = lm.TableModel(target="y")
    with pytest.raises(RuntimeError, match="not trained yet"):
        model.predict(wave(5))
    with pytest.raises(TableError, match="there is no column 'y' to predict; there are 'a'"):
        model.fit({"a": [1, 2]})
    with pytest.raises(ValueError, match="give the column to predict"):
        lm.TableModel()
