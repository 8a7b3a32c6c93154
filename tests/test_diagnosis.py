"""The diagnosis as a whole: the list of codes, and causes before consequences."""

import json
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lamina.diagnosis import (
    CODES,
    DataFacts,
    Facts,
    Finding,
    LayerFacts,
    TrialFacts,
    diagnose,
)
from lamina.diagnosis.codes import EXPLAINED_BY
from lamina.diagnosis.diagnose import causes_first
from lamina.diagnosis.rules import all_rules
from lamina.history_record import LAYER_STATISTICS


def finding(code, level="problem"):
    return Finding(code, level, "It is so.", "Do that.")


@pytest.mark.parametrize("code", CODES.values(), ids=str)
def test_causes_stand_above_what_they_explain(code):
    order = list(CODES)
    for consequence in code.consequences:
        assert order.index(code.name) < order.index(consequence)
        assert code.name in EXPLAINED_BY[consequence]


def test_nothing_known_is_nothing_found():
    found = diagnose(Facts())
    assert list(found) == []
    assert found.verdict == "undecided"


def test_every_rule_says_what_it_looks_at():
    rules = all_rules()
    assert len(rules) >= 10
    for rule in rules:
        code = rule.__doc__.split()[0].strip(":,.")
        assert code in CODES, f"{rule.__name__}: the docstring begins with its code"


def test_a_cause_makes_its_consequence_a_hint():
    found = causes_first([finding("LR_TOO_HIGH"), finding("DIVERGED")])
    assert [one.level for one in found] == ["problem", "hint"]
    assert "LR_TOO_HIGH" in found[1].suggestion


def test_a_hint_explains_nothing():
    found = causes_first([finding("LR_TOO_HIGH", "hint"), finding("DIVERGED")])
    assert [one.level for one in found] == ["hint", "problem"]
    assert found[1].suggestion == "Do that."


def test_what_no_other_explains_stays():
    both = [finding("TRAIN_VALIDATION_SHIFT"), finding("DEAD_UNITS")]
    assert causes_first(both) == both


# ---- whatever the numbers are

number = st.one_of(
    st.floats(-1e30, 1e30), st.sampled_from([0.0, 1.0, math.nan, math.inf, -math.inf])
)
curve = st.lists(number, max_size=12)
maybe = st.one_of(st.none(), number)
rates = st.lists(st.floats(0, 1), max_size=12)
layer = st.builds(
    LayerFacts,
    name=st.sampled_from(["dense", "dense_1"]),
    output=st.booleans(),
    values=st.dictionaries(st.sampled_from(LAYER_STATISTICS), curve),
    start=st.dictionaries(st.sampled_from(LAYER_STATISTICS), number),
    alike=st.one_of(st.none(), st.floats(0, 1)),
)
trial = st.builds(
    TrialFacts,
    name=st.sampled_from(["reference", "longer", "slower", "faster", "again", "again_slower"]),
    epochs=st.integers(0, 20),
    train_loss=number,
    val_loss=number,
    steps=st.integers(0, 100),
)


@st.composite
def any_facts(draw):
    loss = draw(curve)
    return Facts(
        loss=loss,
        val_loss=draw(st.one_of(st.just([]), st.lists(number, min_size=12, max_size=12))),
        train_loss_eval=draw(st.one_of(st.just([]), st.just(loss))),
        learning_rate=draw(rates),
        epoch=list(range(len(loss))),
        final_train_loss=draw(maybe),
        final_val_loss=draw(maybe),
        baseline_loss=draw(maybe),
        least_loss=draw(st.one_of(st.none(), st.just(0.0))),
        layers=draw(st.lists(layer, max_size=3)),
        trials=draw(st.lists(trial, max_size=6)),
        data=draw(st.one_of(st.none(), st.just(DataFacts(rows=100)))),
        about={"batch_size": 32},
    )


@given(any_facts())
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_numbers_are_too_strange(facts):
    found = diagnose(facts)
    assert found.verdict in ("good fit", "underfitting", "overfitting", "undecided")
    assert found.reason.strip()
    for one in found:
        assert one.code in CODES
        assert one.level in ("problem", "hint")
        assert not one.message[0].islower()
        assert one.message.strip().endswith(".")
        assert one.suggestion.endswith(".")
        assert "None" not in one.message
    assert str(found)
    assert json.loads(json.dumps(found.to_dict()))["verdict"] == found.verdict
