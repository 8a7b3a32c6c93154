"""The rules from the data, on numbers: at both sides of what they compare with."""

import math

import pytest

from lamina.diagnosis import ColumnFacts, DataFacts, Facts, LayerFacts, TrialFacts
from lamina.diagnosis import thresholds as t
from lamina.diagnosis.rules import data as rules
from lamina.diagnosis.rules.learnt import imbalanced_classes, no_better_than_baseline
from lamina.diagnosis.rules.shift import train_validation_shift


def column(name="0", mean=0.0, spread=1.0, **more):
    return ColumnFacts(name, mean, spread, mean - 2 * spread, mean + 2 * spread, **more)


def facts(*columns, trials=(), final=0.5, baseline=1.0, about=None, **data):
    """Return facts of a training that came from 1 to `final`."""
    rows = {"rows": 1000, "column_rows": 1000, "target_rows": 1000}
    return Facts(
        final_train_loss=final,
        final_val_loss=final,
        baseline_loss=baseline,
        data=DataFacts(**{**rows, **data}, columns=list(columns)),
        trials=[TrialFacts(name, 20, loss, loss) for name, loss in dict(trials).items()],
        about=about or {},
    )


def levels(found):
    return [(one.code, one.level) for one in found]


BETTER = {"again": 0.5, "scaled_input": 0.2}

# ---- scales


@pytest.mark.parametrize(
    ("mean", "spread", "far"),
    [
        (0.0, 1.0, False),
        (0.5, 0.3, False),
        (8.0, 6.0, False),  # pixels of 0 to 16
        (33.0, 79.0, True),  # of 0 to 255
        (0.0, 1.01 * t.LARGE_SIZE, True),
        (0.0, 0.99 * t.LARGE_SIZE, False),
        (0.0, 1.01 * t.SMALL_SIZE, False),
        (0.0, 0.99 * t.SMALL_SIZE, True),
        (20.0, 1.9, True),
        (20.0, 2.1, False),
        (2000.0, 1.0, True),
    ],
)
def test_a_column_is_far_by_its_size_or_off_its_centre(mean, spread, far):
    found = rules.unscaled_input(facts(column(), column("1", mean, spread), trials=BETTER))
    assert levels(found) == ([("UNSCALED_INPUT", "problem")] if far else [])
    assert [one.column for one in found] == (["1"] if far else [])


def test_a_column_that_is_hardly_ever_other_than_0_is_not_too_small():
    rare = column("1", 0.0, 0.001, common=0.0, common_share=0.99)
    assert rules.unscaled_input(facts(column(), rare, trials=BETTER)) == []


def test_scaled_columns_may_be_of_any_size():
    assert rules.unscaled_input(facts(column("0", 1e9, 1.0, scaled=True), trials=BETTER)) == []


@pytest.mark.parametrize(
    ("trials", "level"),
    [
        ({}, "hint"),
        ({"again": 0.5, "scaled_input": 0.49}, "hint"),
        ({"again": 0.2, "scaled_input": 0.2}, "hint"),  # it was something else
        ({"again": 0.5, "scaled_input": 0.2}, "problem"),
        ({"again": 0.5, "scaled_input": math.inf}, "hint"),
        ({"again": 0.5, "scaled_input": 0.5, "scaled_target": 0.5, "scaled": 0.1}, "problem"),
        ({"again": 0.5, "scaled_input": 0.5, "scaled_target": 0.1, "scaled": 0.1}, "hint"),
    ],
)
def test_unscaled_inputs_are_a_problem_if_scaling_them_helps(trials, level):
    found = rules.unscaled_input(facts(column("0", 0.0, 1000.0), trials=trials))
    assert levels(found) == [("UNSCALED_INPUT", level)]


@pytest.mark.parametrize(
    ("mean", "spread", "scaled", "expected"),
    [
        (0.0, 1.0, 0.1, []),
        (3.0, 2.0, 0.1, []),
        (4000.0, 4000.0, 0.1, ["problem"]),
        (500.0, 1.0, 0.1, ["problem"]),
        (0.0, 1e-4, 0.1, ["problem"]),
        (4000.0, 4000.0, 0.5, ["hint"]),
    ],
)
def test_an_unscaled_target_is_a_problem_if_scaling_it_helps(mean, spread, scaled, expected):
    known = facts(
        trials={"again": 0.5, "scaled_target": scaled}, target_mean=mean, target_spread=spread
    )
    assert [one.level for one in rules.target_unscaled(known)] == expected


# ---- columns


@pytest.mark.parametrize(
    ("others", "value", "level"),
    [
        ([column()], 0.0, "hint"),
        ([column()], 3.0, "problem"),
        ([column(spread=0.1, common=-0.4, common_share=0.99)], -0.4, "hint"),
        ([column(spread=0.1, common=-0.4, common_share=0.9)], -0.4, "problem"),
        ([column(spread=0.1, common=-0.4, common_share=0.99)], 1.0, "problem"),
    ],
)
def test_constants_are_normal_if_they_are_0_or_beside_nearly_constant_ones(others, value, level):
    constant = ColumnFacts("7", value, 0.0, value, value)
    found = rules.constant_input(facts(constant, *others))
    assert levels(found) == [("CONSTANT_INPUT", level)]
    assert found[0].column == "7"


@pytest.mark.parametrize(("share", "level"), [(0.04, "hint"), (0.06, "problem")])
def test_a_column_that_changes_in_validation_rows_is_a_problem(share, level):
    constant = ColumnFacts("7", 0.0, 0.0, 0.0, 0.0, shift=share)
    background = column(spread=0.1, common=0.0, common_share=0.99)
    assert levels(rules.constant_input(facts(constant, background))) == [("CONSTANT_INPUT", level)]


def test_layers_that_scale_make_constant_columns_harmless():
    constant = ColumnFacts("7", 3.0, 0.0, 3.0, 3.0, shift=0.5, scaled=True)
    assert levels(rules.constant_input(facts(constant))) == [("CONSTANT_INPUT", "hint")]


def test_no_column_no_finding():
    assert rules.constant_input(Facts()) == []
    assert rules.unscaled_input(facts()) == []


# ---- validation rows


@pytest.mark.parametrize(
    ("shift", "rows", "expected"),
    [
        (0.05, 1000, []),
        (0.15, 1000, ["hint"]),
        (0.19, 1000, ["hint"]),
        (0.21, 1000, ["problem"]),
        (0.3, 40, []),  # that much is chance
        (0.6, 40, ["problem"]),
    ],
)
def test_a_shift_must_be_large_and_no_chance(shift, rows, expected):
    known = facts(column(shift=shift), validation_rows=rows, validation_column_rows=rows)
    assert [one.level for one in train_validation_shift(known)] == expected


def test_of_many_columns_chance_shifts_some():
    def found(count):
        columns = [column(str(place), shift=0.0) for place in range(count - 1)]
        known = facts(
            *(*columns, column("last", shift=0.21)),
            validation_rows=200,
            validation_column_rows=200,
        )
        return levels(train_validation_shift(known))

    assert found(1) == [("TRAIN_VALIDATION_SHIFT", "problem")]
    assert found(1000) == []


@pytest.mark.parametrize(("far", "expected"), [(0.06, []), (0.08, ["hint"]), (0.11, ["problem"])])
def test_all_columns_together(far, expected):
    known = facts(validation_rows=200, mean_shift=far, chance_of_mean_shift=0.07)
    assert [one.level for one in train_validation_shift(known)] == expected


@pytest.mark.parametrize(
    ("classes", "expected"),
    [([500, 500], []), ([350, 650], ["hint"]), ([50, 950], ["problem"])],
)
def test_classes_that_are_others(classes, expected):
    far = abs(classes[0] - 500) / 1000
    known = facts(
        validation_rows=1000, classes=[500, 500], validation_classes=classes, target_shift=far
    )
    assert [one.level for one in train_validation_shift(known)] == expected


@pytest.mark.parametrize(("far", "expected"), [(0.05, []), (0.15, ["hint"]), (0.3, ["problem"])])
def test_targets_that_lie_elsewhere(far, expected):
    known = facts(validation_rows=1000, validation_target_rows=1000, targets=1, target_shift=far)
    assert [one.level for one in train_validation_shift(known)] == expected


# ---- classes


@pytest.mark.parametrize(
    ("classes", "recall", "expected"),
    [
        ([500, 500], [1.0, 0.0], []),
        ([840, 160], [1.0, 0.0], []),
        ([900, 100], [1.0, 0.0], ["problem"]),
        ([900, 100], [0.99, t.FOUND - 0.01], ["problem"]),
        ([900, 100], [0.99, t.FOUND], ["hint"]),
        ([900, 100], [0.5, 0.45], ["hint"]),  # nothing is found
        ([996, 4], [1.0, 0.0], ["hint"]),  # who knows
    ],
)
def test_rare_classes_are_a_problem_if_they_are_not_found(classes, recall, expected):
    known = facts(classes=classes, recall=recall)
    assert [one.level for one in imbalanced_classes(known)] == expected


def test_absent_classes_are_not_rare_ones():
    assert imbalanced_classes(facts(classes=[500, 500, 0], recall=[1, 1, math.nan])) == []


def test_weights_are_suggested_where_they_help():
    known = facts(classes=[900, 100], recall=[1.0, 0.0])
    assert "more rows" in imbalanced_classes(known)[0].suggestion[:20]
    known.trials = [TrialFacts("balanced", 20, 0.5, 0.5, recall=[0.9, 0.8])]
    found = imbalanced_classes(known)[0]
    assert found.suggestion.startswith("Give fit class_weight")
    assert "80% where all classes weigh alike" in found.message


# ---- nothing learnt


@pytest.mark.parametrize(
    ("model", "plain", "slower", "spread", "shrunk", "expected"),
    [
        (0.96, 0.5, 0.5, 1.0, 0.0, []),
        (0.98, 0.5, 0.5, 1.0, 0.0, ["hint"]),
        (0.98, 0.96, 0.96, 1.0, 0.0, ["problem"]),
        (0.98, 0.94, 0.94, 1.0, 0.0, ["hint"]),
        (0.98, 0.5, 0.98, 0.001, 0.0, ["problem"]),
        (0.98, 0.5, 0.98, 0.1, 0.6, ["problem"]),
        (0.98, 0.5, 0.98, 0.1, 0.4, ["hint"]),
        (0.98, 0.5, 0.6, 0.001, 0.0, ["hint"]),  # with a lower rate it is no constant
        (3.0, 1.0, 1.0, 1.0, 0.0, ["problem"]),
    ],
)
def test_nothing_was_learnt_if_a_plain_network_learns_nothing(
    model, plain, slower, spread, shrunk, expected
):
    known = facts(
        trials={"reference": plain, "again_slower": slower},
        model_loss=model,
        constant_loss=1.0,
        prediction_spread=spread,
    )
    known.layers = [LayerFacts("dense", shrunk=shrunk)]
    assert [one.level for one in no_better_than_baseline(known)] == expected


@pytest.mark.parametrize(
    ("dead", "saturated", "output", "level"),
    [
        (0.4, math.nan, False, "problem"),
        (0.6, math.nan, False, "hint"),
        (math.nan, 0.6, False, "hint"),
        (1.0, math.nan, True, "problem"),  # its activation cannot give the targets
    ],
)
def test_silent_layers_are_the_cause_of_a_constant(dead, saturated, output, level):
    known = facts(
        trials={"reference": 0.5, "again_slower": 1.0},
        model_loss=1.0,
        constant_loss=1.0,
        prediction_spread=0.0,
    )
    values = {"dead": [0.0, dead], "saturated": [0.0, saturated]}
    known.layers = [LayerFacts("dense", output=output, values=values)]
    assert levels(no_better_than_baseline(known)) == [("NO_BETTER_THAN_BASELINE", level)]


def test_without_trials_nobody_knows_whether_there_is_more_to_learn():
    known = facts(model_loss=1.0, constant_loss=1.0)
    assert levels(no_better_than_baseline(known)) == [("NO_BETTER_THAN_BASELINE", "hint")]


def test_negative_losses_have_baselines_too():
    known = facts(model_loss=-2.0, constant_loss=-1.0)
    assert no_better_than_baseline(known) == []


def test_of_a_training_that_diverged_the_data_are_not_to_blame():
    nothing = {"model_loss": math.inf, "constant_loss": 1.0}
    one = facts(trials={"reference": math.inf}, final=math.inf, **nothing)
    assert levels(no_better_than_baseline(one)) == [("NO_BETTER_THAN_BASELINE", "hint")]
    one.stop_reason = "diverged: the loss became non-finite"
    assert no_better_than_baseline(one) == []


@pytest.mark.parametrize("target", [{"target_spread": 0.0}, {"classes": [100, 0]}])
def test_a_target_that_is_always_the_same_is_named(target):
    nothing = {"model_loss": 1.0, "constant_loss": 1.0}
    (found,) = no_better_than_baseline(facts(trials={"reference": 1.0}, **nothing, **target))
    assert "same in all rows" in found.message


def test_who_weighs_the_classes_is_not_told_to():
    rare = {"classes": [990, 10], "validation_classes": [495, 20], "recall": [1.0, 0.1]}
    for weighted in (False, True):
        (found,) = imbalanced_classes(facts(about={"weighted": weighted}, **rare))
        assert found.level == "problem"
        assert "balanced" not in found.suggestion


@pytest.mark.parametrize(("least", "level"), [(0.0, "hint"), (0.75, "problem")])
def test_small_differences_count_only_where_chance_is_small(least, level):
    scaled = {"again": 0.85, "scaled_input": 0.834, "reference": 0.8}
    one = facts(column(), column("1", 2000.0), trials=scaled, final=0.85)
    one.least_loss = least
    assert levels(rules.unscaled_input(one)) == [("UNSCALED_INPUT", level)]
