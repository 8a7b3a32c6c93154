"""bench/: a small run from end to end, and the arithmetic behind its tables."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).resolve().parent.parent / "bench"


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCH / program), *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def test_training_writes_what_it_measured(tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    few = ["--rows-scale", "0.01", "--rounds", "1", "--seconds", "0"]
    done = run(
        "training.py",
        "--cases",
        "A",
        "--peers",
        "none",
        "--threads",
        "1",
        *few,
        "--json",
        str(file),
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(file.read_text())
    assert report["missing"] == {}
    (case,) = report["cases"]
    assert (case["case"], case["rows"]) == ("A", 600)
    assert case["flops_per_epoch"] == 600 * (6 * (64 * 32 + 32 * 10) - 2 * 64 * 32)
    (result,) = case["results"]
    assert (result["contestant"], result["threads"]) == ("lamina", 1)
    assert len(result["epoch_ms"]) == 1
    assert result["median_ms"] == result["epoch_ms"][0] > 0
    assert 0 < result["loss_after_one_epoch"] < 5
    peak = case["peak"].get("fma_gflops", {}).get("1")
    if peak is None:  # no built bench_peak and no compiler
        assert result["peak_share"] is None
    else:
        assert result["peak_share"] == pytest.approx(result["gflops"] / peak)
    assert "lamina" in done.stdout
    assert "A tiny: 64-32-10 softmax, batch 32, 600 rows" in done.stdout


def test_inference_writes_what_it_measured(tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    few = ["--rows-scale", "0.01", "--rounds", "2", "--seconds", "0.01"]
    done = run(
        "inference.py",
        "--cases",
        "B",
        "--peers",
        "none",
        "--threads",
        "1",
        *few,
        "--json",
        str(file),
    )
    assert done.returncode == 0, done.stderr
    one, many = json.loads(file.read_text())["cases"]
    assert (one["rows_per_call"], many["rows_per_call"]) == (1, 256)
    for record in (one, many):
        (result,) = record["results"]
        assert len(result["call_us"]) == 2
        assert min(result["call_us"]) > 0


def test_threads_compares_a_busy_machine_with_an_idle_one(tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    few = ["--cases", "A", "--rows-scale", "0.01", "--rounds", "2", "--seconds", "0"]
    done = run("threads.py", "--peers", "none", "--threads", "1", *few, "--json", str(file))
    assert done.returncode == 0, done.stderr
    (record,) = json.loads(file.read_text())["cases"]
    assert (record["contestant"], record["threads"]) == ("lamina", 1)
    assert len(record["idle_ms"]) == len(record["busy_ms"]) == 2
    assert record["worst_over_one_thread"] >= record["busy_over_one_thread"] > 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--cases", "A,E"], "unknown case 'E'; there are A, B, C, D"),
        (["--peers", "caffe"], "unknown peer 'caffe'; there are sklearn,"),
        (["--json", "no/such/folder.json"], "there is no folder no/such"),
        (["--rounds", "0"], "expected a whole number from 1, got 0"),
    ],
)
def test_a_wrong_option_is_named(arguments: list[str], said: str) -> None:
    done = run("training.py", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("key", "seconds_at_116_gflops"), [("A", 0.0052), ("B", 0.231), ("C", 1.25), ("D", 7.9)]
)
def test_arithmetic_of_an_epoch(bench: Any, key: str, seconds_at_116_gflops: float) -> None:
    case = bench("cases").CASES[key]
    assert case.flops_per_epoch / 116e9 == pytest.approx(seconds_at_116_gflops, rel=0.02)


def test_online_writes_what_it_measured(tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    few = ["--rounds", "2", "--predictions", "400", "--calls", "200"]
    done = run("online.py", "--peers", "none", *few, "--json", str(file))
    assert done.returncode == 0, done.stderr
    record = json.loads(file.read_text())
    assert [one["call"] for one in record["latencies"]] == ["act", "act_frozen", "learn"]
    assert all(0 < one["p50_us"] <= one["p99.9_us"] for one in record["latencies"])
    (loop,) = record["loop"]
    assert loop["contestant"] == "lamina"
    assert len(loop["seconds"]) == 2
    assert 0 < loop["loss"] < 1


def test_variants_are_compared_with_plain_layers() -> None:
    few = ["--rows-scale", "0.005", "--rounds", "1", "--threads", "1"]
    done = run("variants.py", "--cases", "A", *few)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.endswith("%")]
    assert [line.split()[0] for line in lines[:3]] == ["float32", "float64", "bare"]
    assert [line.split()[0] for line in lines[2:5]] == ["bare", "monitored", "bare"]
    assert [line.split()[0] for line in lines[10:12]] == ["all", "plain"]
    assert len(lines) == 20
    done = run("variants.py", "--cases", "C", *few)
    inputs = done.stdout.split("inputs: C", 1)[1].splitlines()
    assert [line.split()[0] for line in inputs if line.endswith("%")][:7] == [
        *("float32", "uint8", "float16", "int64", "float64", "float32,", "float32,")
    ]


def test_ratios_are_taken_round_by_round_at_the_best_thread_counts(bench: Any) -> None:
    report = bench("report")
    results = [
        report.Result("lamina", "1", 1, [4.0, 4.0, 4.0]),
        report.Result("lamina", "1", 2, [1.0, 2.0, 9.0]),
        report.Result("torch", "2", 1, [3.0, 5.0, 4.5]),
        report.Result("torch", "2", 2, [9.0, 9.0, 9.0]),
    ]
    (ratio,) = report.ratios(results)
    assert (ratio.peer, ratio.threads, ratio.lamina_threads) == ("torch", 1, 2)
    assert (ratio.ratio, ratio.rounds, ratio.lost_rounds) == (2.5, 3, 1)
    assert report.ratios(results[2:]) == []


def test_data_are_the_same_every_time_and_have_every_class(bench: Any) -> None:
    cases = bench("cases")
    small = cases.CASES["A"].scaled(0.01)
    first, second = cases.make_data(small), cases.make_data(small)
    assert first.x.tobytes() == second.x.tobytes()
    assert first.y.tobytes() == second.y.tobytes()
    assert set(first.y) == set(range(10))


def test_a_round_asks_all_in_a_rotating_order_and_drops_who_fails(bench: Any) -> None:
    crew = bench("crew")
    asked: list[str] = []

    def measure(member: str) -> float:
        asked.append(member)
        if member == "c" and len(asked) > 3:
            raise crew.WorkerError("gone")
        return float(len(asked))

    found = crew.play_rounds(["a", "b", "c"], 3, measure, lambda number: None)
    assert "".join(asked) == "abc" + "bca" + "ab"
    assert found == {"a": [1.0, 6.0, 7.0], "b": [2.0, 4.0, 8.0]}


def test_a_missing_library_is_said_once_and_skipped(
    bench: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "jax.py").write_text("raise ModuleNotFoundError('no jax here')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with bench("crew").crew(["jax"], [1, 2]) as (members, missing):
        assert members == []
        assert missing == {"jax": "no jax here"}
    assert capsys.readouterr().err == "jax: skipped (no jax here)\n"


def test_sparse_names_all_of_ours_and_the_part_of_adam() -> None:
    pytest.importorskip("scipy")
    few = ["--rows", "600", "--columns", "500", "--rounds", "1", "--threads", "1"]
    done = run("sparse.py", "--peers", "none", *few)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    losses = {line.split()[0]: line.split()[-1] for line in lines if line.startswith("lamina")}
    assert list(losses) == ["lamina", "lamina-dense-input", "lamina-sgd"]
    assert losses["lamina"] == losses["lamina-dense-input"]
    assert "Adam's part" in lines[-1]
