"""The diagnosis as a whole: the list of codes, and causes before consequences."""

import pytest

from lamina.diagnosis import CODES, Facts, Finding, diagnose
from lamina.diagnosis.codes import EXPLAINED_BY
from lamina.diagnosis.diagnose import causes_first
from lamina.diagnosis.rules import all_rules


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
