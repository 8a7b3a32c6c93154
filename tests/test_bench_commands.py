"""`python -m bench`: its commands from end to end where that is quick, and what they conclude."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
BENCH = ROOT / "bench"

pytest.importorskip("tomllib" if sys.version_info >= (3, 11) else "tomli")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def record(lamina: list[float], **peers: list[float]) -> dict[str, Any]:
    """A point of the sweep as its file has it."""
    return {
        "point": {"threads": 1, "width": 64, "rows": 1000, "reason": ""},
        "epoch_seconds": {"lamina": lamina, **peers},
        "rows": 1000,
        "steps": 10,
        "flops_per_step": 1000,
    }


def test_an_unknown_command_is_named() -> None:
    done = run("sweeep")
    assert done.returncode == 2
    assert "commands: tables, sweep, check, accuracy, memory, kernels" in done.stderr


# ---- the sweep


def test_the_points_cover_what_they_are_to_cover(bench: Any) -> None:
    points = bench("points").read_points()
    assert 55 <= len(points) <= 65
    for of, low, high in (
        ("width", 8, 4096),
        ("depth", 1, 16),
        ("batch", 1, 8192),
        ("rows", 1_000, 1_000_000),
        ("threads", 1, 2),
    ):
        values = [getattr(point, of) for point in points]
        assert (min(values), max(values)) == (low, high)
    assert {point.case.classes for point in points} == {False, True}
    typical = [p for p in points if p.width <= 512 and p.rows <= 100_000 and 1 < p.batch <= 1024]
    assert len(typical) > len(points) / 2
    assert 5 <= sum(point.check for point in points) <= 15


def test_a_point_is_named_by_what_it_is(bench: Any) -> None:
    point = bench("points").Point(10, 16, 2, 1, 32, 10_000, 1)
    assert point.name == "10-16x2-1.b32.r10k.t1"
    assert point.case.widths == (10, 16, 16, 1)
    assert not point.case.classes


def test_a_point_is_there_once(bench: Any, tmp_path: Path) -> None:
    file = tmp_path / "sweep.toml"
    one = "{ inputs=1, width=8, depth=1, outputs=1, batch=1, rows=10, threads=1 }"
    file.write_text(f"points = [{one}, {one}]")
    with pytest.raises(ValueError, match=r"1-8x1-1\.b1\.r10\.t1 is there twice"):
        bench("points").read_points(file)


def test_rows_are_cut_in_whole_batches(bench: Any) -> None:
    points = bench("points")
    case = points.Point(10, 16, 2, 1, 32, 10_000, 1).case
    assert points.cut(case, 1e-6, 1.0) is case
    assert points.cut(case, 1e-3, 1.0).rows == 992
    assert points.cut(case, 1.0, 1.0).rows == 64  # two steps at least
    few = points.Point(10, 16, 2, 1, 8192, 10_000, 1).case
    assert points.cut(few, 1.0, 1.0).rows == 10_000  # no more than there are


def test_a_ratio_is_to_the_best_peer_round_by_round(bench: Any) -> None:
    sweep, result = bench("sweep"), bench("report").Result
    results = [
        result("lamina", "1", 1, [2.0, 3.0, 4.0]),
        result("torch", "1", 1, [1.0, 9.0, 9.0]),
        result("jax", "1", 1, [4.0, 2.0, 4.0]),
    ]
    found = sweep.summary(results)
    assert found == {"best": "jax", "ratio": 1.0, "ratios": [0.5, 1.5, 1.0]}
    assert sweep.summary(results[:1])["ratio"] is None


@pytest.mark.parametrize(("ratio", "lost"), [(1.09, False), (1.11, True), (None, False)])
def test_a_loss_is_more_than_a_tenth(bench: Any, ratio: float | None, lost: bool) -> None:
    report = bench("sweep_report")
    one = {**record([1.0]), "ratio": ratio, "ratios": [], "best": "jax"}
    assert report.lost(one) == lost
    assert ("LOSS" in report.row("point", one)[-1]) == lost
    assert report.verdict({"point": one}).startswith(f"{int(lost)} of 1 points lost")


def test_sweep_keeps_what_stands_and_writes_a_page(tmp_path: Path) -> None:
    file = tmp_path / "sweep.json"
    name = "10-8x1-1.b32.r1k.t1"
    first = ["--only", name, "--rounds", "2", "--peers", "none", "--json", str(file)]
    done = run("sweep", *first)
    assert done.returncode == 0, done.stderr
    known = json.loads(file.read_text())["points"][name]
    assert (known["rows"], known["steps"]) == (1000, 32)
    assert len(known["epoch_seconds"]["lamina"]) == 2
    assert known["ratio"] is None  # nobody to compare with
    assert name in done.stdout


# ---- check


def test_check_compares_with_the_recorded_best_peer_that_is_here(bench: Any) -> None:
    check = bench("check")
    then = record([1.0, 1.0, 1.0], torch=[4.0, 4.0, 4.0], jax=[2.0, 2.0, 2.0])
    same = check.judge("a", then, record([2.0, 2.0, 2.0], torch=[8.0] * 3, jax=[4.0] * 3))
    assert (same.peer, same.recorded, same.now, same.worse) == ("jax", 0.5, 0.5, False)
    alone = check.judge("a", then, record([2.0, 2.0, 2.0], torch=[4.0] * 3))
    assert (alone.peer, alone.change, alone.worse) == ("torch", 1.0, True)
    assert check.judge("a", then, record([1.0])) is None
    assert "WORSE" in check.table([alone])
    assert "WORSE" not in check.table([same])


def test_what_scatters_has_a_wider_band(bench: Any) -> None:
    check = bench("check")
    calm, wild = [1.0, 1.01, 0.99, 1.0, 1.0], [1.0, 1.5, 0.7, 1.2, 0.8]
    assert check.band(calm, calm, threads=1) == 0.10
    assert check.band(calm, calm, threads=2) == 0.30
    logs = sorted(abs(math.log(one)) for one in wild)
    expected = math.expm1(3 * math.sqrt((1.4826 * logs[2]) ** 2 / 5 * 2))
    assert check.band(wild, wild, threads=1) == pytest.approx(expected)
    assert expected > 0.30


def test_check_without_a_record_says_how_to_make_one(tmp_path: Path) -> None:
    done = run("check", "--json", str(tmp_path / "none.json"))
    assert done.returncode == 2
    assert "python -m bench sweep" in done.stderr


# ---- time to equal accuracy


def test_the_median_seed_must_reach_the_target(bench: Any) -> None:
    accuracy = bench("accuracy")

    def runs(*times: float | None) -> list[dict[str, Any]]:
        return [{"reached_seconds": one, "seconds": [3.0, 4.0], "scores": [0, 1]} for one in times]

    found = accuracy.summary(runs(1.0, None, 5.0))
    assert (found["median_seconds"], found["reached"]) == (5.0, 2)
    assert found["compile_seconds"] == 2.0  # 3 s the first epoch, 1 s the second
    assert found["warm_seconds"] == 3.0
    assert accuracy.summary(runs(1.0, None, None))["median_seconds"] is None
    assert accuracy.summary([{"error": "exit code 1"}])["epochs"] is None


@pytest.mark.parametrize("classes", [0, 3])
def test_a_small_task_is_trained_until_its_target(bench: Any, tmp_path: Path, classes: int) -> None:
    import numpy as np

    ways, accuracy = bench("accuracy_ways"), bench("accuracy")
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 3)).astype(np.float32)
    y = np.argmax(x, axis=1) if classes else x.sum(axis=1)
    y = y.astype(np.int64 if classes else np.float32)
    target = 0.9 if classes else 0.3
    task = ways.Task("small", x, y, x, y, (16,), classes, 16, 1e-2, 50, target)
    file = tmp_path / "task.npz"
    task.save(file)
    again = ways.Task.load(file)
    assert (again.hidden, again.classes, again.target) == ((16,), classes, target)
    np.testing.assert_array_equal(again.x, x)
    found = accuracy.train(task, ["lamina"], seeds=1, threads=1)["ways"]["lamina"]
    (one,) = found["runs"]
    assert one["reached_seconds"] == one["seconds"][-1] == found["median_seconds"]
    assert task.reached(one["scores"][-1])
    assert not any(map(task.reached, one["scores"][:-1]))
    assert "small" in bench("accuracy_page").title("small", {**accuracy.train(task, [], 1, 1)})


# ---- kernels, memory, pages


def test_kernels_tell_the_program_the_limits(bench: Any) -> None:
    kernels = bench("kernels")
    known = {"fma_gflops": 116.0, "cache_gb_per_s": 98.0}
    assert kernels.arguments(known, "adam") == [
        *["--json", "--peak", "116.0", "--bandwidth", "98.0", "--only", "adam"]
    ]
    assert kernels.arguments({}, "") == ["--json"]
    one = {"group": "update", "name": "adam", "dtype": "float32", "ns_per_element": 0.15}
    (row,) = kernels.rows([{**one, "gb_per_s": 187.0, "gflops": None, "share": 0.9}])
    assert row == ["update: adam", "float32", "0.150", "187", "-", "90%"]


def test_tables_become_a_page(bench: Any, tmp_path: Path) -> None:
    page = bench("tables_page")
    machine = {"cpu": "c", "cpus": 2, "system": "s", "python": "3", "commit": "abc"}
    machine["load_average"] = 0.1
    limits = {"fma_gflops": {"1": 116.0, "2": 226.0}, "triad_gb_per_s": {"6 MiB": {"1": 65.0}}}
    (tmp_path / "limits.json").write_text(json.dumps({"machine": machine, "limits": limits}))
    results = [
        {
            "contestant": name,
            "version": "1",
            "threads": 1,
            "epoch_ms": [seconds],
            "median_ms": seconds,
            "peak_share": 0.5,
            "loss_after_one_epoch": 1.0,
        }
        for name, seconds in (("lamina", 1.0), ("torch", 4.0))
    ]
    ratio = {"peer": "torch", "ratio": 4.0, "rounds": 1, "lost_rounds": 0}
    case = {"case": "A", "title": "A tiny", "results": results, "ratios": [ratio]}
    case["loss_in_order"] = {"lamina": 1.00001, "torch": 1.0}
    found = {"machine": machine, "options": {"rounds": 1}, "missing": {"jax": "no jax"}}
    (tmp_path / "training-A.json").write_text(json.dumps({**found, "cases": [case]}))
    page.publish(tmp_path, ["training", "inference"])
    text = (tmp_path / "tables.md").read_text()
    assert "- FMA peak: 116.0 with 1 thread, 226.0 with 2 threads (GFLOP/s)" in text
    assert "| torch 1 | 1 | 4.00 | 4.00 to 4.00 | 50% | 4.00 | 1.00 | 0e+00 |" in text
    assert "| lamina 1 | 1 | 1.00 | 1.00 to 1.00 | 50% | 1.00 | 1.00 | 1e-05 |" in text
    assert "jax was left out: no jax." in text
    assert "## Inference" not in text


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells the peak")
@pytest.mark.ci
@pytest.mark.parametrize("variant", ["plain", "all of these"])
def test_the_memory_of_a_big_network_is_what_the_summary_says(bench: Any, variant: str) -> None:
    found = bench("memory").measure("D", variant, threads=1)
    assert found["measured"] > 100e6
    assert found["said"] == pytest.approx(found["measured"], rel=0.05)


# ---- honest peers


@pytest.mark.ci
@pytest.mark.parametrize("key", ["A", "B", "C", "D"])
def test_all_peers_come_to_the_loss_of_torch(bench: Any, key: str) -> None:
    pytest.importorskip("torch")
    training, case = bench("training"), bench("cases").CASES[key]
    peers = ["lamina", "torch", "torch-dataloader", "sklearn", "jax", "keras"]
    with bench("crew").crew(peers, [1]) as (members, missing):
        losses = training.losses_in_order(members, case)
    assert losses.keys() == set(peers) - missing.keys() >= {"lamina", "torch"}
    for name in losses:
        assert training.apart(losses, name) < 1e-4, name
