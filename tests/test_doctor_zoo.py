"""bench/doctor: what the zoo has, how it counts, and a small part of it examined for real."""

import json
from datetime import date, datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lamina.diagnosis.codes import CODES

PLACE = Path(__file__).resolve().parent.parent / "bench" / "doctor"

pytestmark = pytest.mark.skipif(not PLACE.exists(), reason="bench/ lies in the source tree alone")


@pytest.fixture
def zoo(bench: Any) -> Any:
    bench("doctor.specimens")  # registers all entries
    return bench


def test_the_zoo_has_what_the_promise_asks_for(zoo: Any) -> None:
    entries = zoo("doctor.entry").ENTRIES.values()
    tuning = set(zoo("doctor.data").TUNING)
    assert set(zoo("doctor.consequences").CODES) == set(CODES)
    for code in CODES:
        own = [one for one in entries if one.code == code]
        assert len(own) >= 4, code
        assert all(len(tuning & set(one.on)) >= 2 for one in own), code
    assert sum(one.code is None for one in entries) >= 20
    for one in entries:
        assert one.story.endswith("."), one.name
        assert one.allows <= set(CODES) - {one.code}, one.name
        assert one.code is not None or not one.allows, one.name


def test_sets_of_the_report_are_never_trained_on_by_default(zoo: Any) -> None:
    data = zoo("doctor.data")
    assert not set(data.TUNING) & set(data.REPORT)
    args = zoo("doctor.command")._parser().parse_args([])
    assert args.sets == list(data.TUNING)
    assert args.seeds == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("problems", "found", "right", "wrong"),
    [
        (["OVERFIT"], 1, 1, {}),
        (["NO_BETTER_THAN_BASELINE", "OVERFIT"], 1, 1, {}),
        (["NO_BETTER_THAN_BASELINE"], 0, 0, {}),  # a consequence does not stand for the cause
        (["OVERFIT", "PLATEAU"], 1, 0, {"PLATEAU": 1}),
        ([], 0, 0, {}),
    ],
)
def test_right_is_the_cause_and_nothing_untrue(
    zoo: Any, problems: list[str], found: int, right: int, wrong: dict[str, int]
) -> None:
    row = zoo("doctor.counting").Row("OVERFIT")
    row.add(specimen(zoo, "overfit/few_rows"), problems)
    assert (row.trainings, row.found, row.right, dict(row.wrong)) == (1, found, right, wrong)
    assert row.beside == (right and len(problems) - 1)
    assert len(row.misses) == 1 - right


def test_a_healthy_training_has_no_problems(zoo: Any) -> None:
    row = zoo("doctor.counting").Row("healthy")
    row.add(specimen(zoo, "healthy/usual"), [])
    row.add(specimen(zoo, "healthy/usual"), ["PLATEAU", "OVERFIT"])
    assert (row.trainings, row.right, row.wrong.total()) == (2, 1, 2)


def test_what_is_not_proven_is_not_counted(zoo: Any) -> None:
    row = zoo("doctor.counting").Row("LR_TOO_HIGH")
    row.add(specimen(zoo, "lr_too_high/adam", proven=False), ["LR_TOO_HIGH"])
    assert (row.trainings, row.right, row.unproven, row.unproven_right) == (0, 0, 1, 1)


def test_a_doctor_that_fails_is_not_right(zoo: Any) -> None:
    result = zoo("doctor.counting").Result.of(
        [specimen(zoo, "healthy/usual", failed="ValueError: x")]
    )
    assert (result.healthy.trainings, result.healthy.right) == (1, 0)
    assert "ValueError: x" in result.healthy.misses[0]
    assert result.false_alarms == 1.0
    assert not result.holds
    assert "1 with a false problem, 1 problems in all (crashed 1)" in zoo("doctor.page").text(
        result
    )


def test_rules_that_fail_are_counted_too(zoo: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    counting = zoo("doctor.counting")
    monkeypatch.setattr(counting, "_diagnose", lambda facts: 1 / 0)
    result = counting.Result.of([specimen(zoo, "healthy/usual"), specimen(zoo, "overfit/few_rows")])
    assert (result.healthy.crashes, result.false_alarms, result.recall) == (1, 1.0, 0.0)
    assert "ZeroDivisionError" in result.healthy.misses[0]


def test_what_is_allowed_beside_the_cause_is_told_code_by_code(zoo: Any) -> None:
    row = zoo("doctor.counting").Row("OVERFIT")
    for problems in (
        ["OVERFIT"],
        ["OVERFIT", "NO_BETTER_THAN_BASELINE"],
        ["NO_BETTER_THAN_BASELINE"],
    ):
        row.add(specimen(zoo, "overfit/few_rows"), problems)
    assert dict(row.allowed) == {"NO_BETTER_THAN_BASELINE": 1}
    assert (row.right, row.strict) == (2, 1)
    assert row.strict_recall == pytest.approx(1 / 3)


@pytest.mark.parametrize("code", ["DIVERGED", "LR_TOO_HIGH", "LR_TOO_LOW"])
def test_these_have_no_consequences(zoo: Any, code: str) -> None:
    assert not zoo("doctor.consequences").CONSEQUENCES[code]


def test_left_out_trainings_are_told_apart(
    zoo: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting, page = zoo("doctor.counting"), zoo("doctor.page")
    said = SimpleNamespace(codes=["OVERFIT"])
    monkeypatch.setattr(counting, "_diagnose", lambda facts: said)
    names = ["healthy/usual", "overfit/few_rows", "diverged/uphill"]
    result = counting.Result.of([specimen(zoo, name, proven=False) for name in names])
    text = page.text(result)
    assert "(OVERFIT 1, DIVERGED 1; by set: blobs 2), of which 1 would be right" in text
    assert "1 (by set: blobs 1), of which 1 would have a false problem (OVERFIT 1)" in text
    [place] = result.to_dict()["by_set"]
    assert (place["broken"]["unproven"], place["healthy"]["unproven"]) == (2, 1)
    assert place["healthy"]["unproven_wrong"] == {"OVERFIT": 1}
    assert result.false_alarms == 0.0  # they are told, not counted


def test_facts_tell_their_commit_and_the_page_that_of_the_rules(
    zoo: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    specimens, page = zoo("doctor.specimens"), zoo("doctor.page")
    monkeypatch.setattr(specimens, "sources", lambda: "abc")
    some = ["healthy/usual"]
    [_] = specimens.collect(tmp_path, ["rings"], [0], [], some)
    [line] = (tmp_path / "facts.jsonl").read_text().splitlines()
    new = json.loads(line)
    assert new["commit"] == "abc"
    assert date.fromisoformat(new["date"]) <= datetime.now(timezone.utc).date()
    old = {key: new[key] for key in new if key not in ("commit", "date")} | {"seed": 1}
    (tmp_path / "facts.jsonl").write_text(f"{json.dumps(old)}\n{line}\n")  # from before the stamp
    assert list(specimens.collect(tmp_path, ["rings"], [0, 1], [], some)) == []  # still read
    result = zoo("doctor.counting").Result.of(specimens.read(tmp_path))
    monkeypatch.setattr(page, "sources", lambda: "def")
    where = page.text(result).splitlines()[0]
    assert f"facts gathered at commits abc, {new['date']} (1); unknown (1)" in where
    assert where.endswith("rules of commit def.")
    figures = result.to_dict()
    assert [one["commit"] for one in figures["facts"]] == ["abc", "unknown"]
    assert set(figures["rules"]) == {"commit"}


def test_facts_are_kept_and_read_again(
    zoo: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main = zoo("doctor.command").main
    some = ["--facts", str(tmp_path), "--seeds", "0", "--sets", "rings,waves"]
    some += ["--entries", "constant_input/,healthy/usual"]
    main(["run", *some])
    first = capsys.readouterr()
    assert "8 trainings in" in first.err
    main(["run", *some])
    again = capsys.readouterr()
    assert again.out == first.out
    assert "trainings in" not in again.err
    main(["proofs", *some])
    assert "3 constant columns" in capsys.readouterr().out
    assert main(["table", "--facts", str(tmp_path), "--seeds", "1"]) == 2


def test_the_page_and_the_figures_are_written(zoo: Any, tmp_path: Path) -> None:
    page = zoo("doctor.page")
    page.publish(
        zoo("doctor.counting").Result.of([specimen(zoo, "healthy/usual", failed="ValueError")]),
        tmp_path,
    )
    figures = json.loads((tmp_path / "doctor.json").read_text())
    assert len(figures["codes"]) == len(CODES)
    assert figures["healthy"]["misses"] == ["healthy/usual on blobs, seed 0: ValueError"]
    assert figures["by_set"][0]["set"] == "blobs"
    text = (tmp_path / "doctor.md").read_text()
    assert all(f"| {code} |" in text for code in CODES)
    assert "NOT all reached" in text


@pytest.mark.parametrize("name", ["magic", "bike", "fashion"])
def test_a_set_that_is_not_here_is_named(
    zoo: Any, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAMINA_FASHION_MNIST", str(tmp_path))
    monkeypatch.setattr(zoo("doctor.real"), "find_spec", lambda package: None)
    [(made, word)] = zoo("doctor.specimens").collect(tmp_path, [name], [0, 1], [tmp_path])
    assert made is None
    assert word.startswith(f"{name}: skipped")


@pytest.mark.ci
def test_a_part_of_the_zoo_is_recognised(zoo: Any, tmp_path: Path) -> None:
    specimens = zoo("doctor.specimens")
    entries = zoo("doctor.entry").ENTRIES
    some = [
        name
        for code in [*CODES, None]
        for name in [one.name for one in entries.values() if one.code == code][: 2 if code else 20]
    ]
    sets = ["diamonds", "blobs", "waves"]
    for made, word in specimens.collect(tmp_path, sets, [0], [], some):
        assert made is not None, word
    result = zoo("doctor.counting").Result.of(specimens.read(tmp_path))
    rows = [*result.rows, result.healthy]
    assert sum(row.trainings for row in rows) > 100
    assert sum(row.unproven for row in rows) <= 10  # the others are what they should be
    assert result.recall >= 0.8, zoo("doctor.page").text(result, misses=True)
    assert result.false_alarms <= 0.1, zoo("doctor.page").text(result, misses=True)


def specimen(zoo: Any, name: str, proven: bool = True, failed: str = "") -> Any:
    made = zoo("doctor.specimens").Specimen
    return made(name, "blobs", 0, "", "examine", proven, "", 0.0, {}, failed)
