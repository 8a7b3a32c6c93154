"""Which compiled module is taken, and that it exports nothing but its entry point."""

import os
import shutil
import subprocess
import sys

import pytest

from lamina import _isa

V2, V3, V4 = (_isa._NEEDS[name] for name in ("v2", "v3", "v4"))


def run(code: str, isa: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "LAMINA_ISA": isa},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("installed", "flags", "forced", "expected"),
    [
        (["v4", "v3", "v2"], V4, "", "v4"),
        (["v4", "v3", "v2"], V3, "", "v3"),
        (["v4", "v3", "v2"], V2 | {"avx2"}, "", "v2"),
        (["v4", "v3", "v2"], V4 - {"avx512vl"}, "", "v3"),
        (["v4", "v3", "v2"], V4 - {"movbe"}, "", "v2"),  # hidden by a virtual machine
        (["v4", "v3"], set(), "", "v3"),  # unknown CPU: the lowest
        (["v4", "v3"], V4, "v3", "v3"),
        (["generic"], set(), "", "generic"),
        (["generic"], V4, "", "generic"),
    ],
)
def test_choice(installed: list[str], flags: set[str], forced: str, expected: str) -> None:
    assert _isa._choose(installed, flags, forced) == expected


@pytest.mark.parametrize(
    ("installed", "flags", "forced", "words"),
    [
        ([], V4, "", "pip install"),
        (["v4", "v3"], V2, "", "lacks abm, avx2, bmi1, bmi2, f16c, fma, movbe.*installed: v4, v3"),
        (["v4", "v3"], V3, "v4", "lacks avx512bw"),
        (["v3"], V4, "v4", "LAMINA_ISA=v4.*installed: v3"),
    ],
)
def test_refusals(installed: list[str], flags: set[str], forced: str, words: str) -> None:
    with pytest.raises(ImportError, match=words):
        _isa._choose(installed, flags, forced)


@pytest.mark.parametrize("level", _isa._installed())
def test_forced_level_is_the_one_that_runs(level: str) -> None:
    done = run("from lamina._isa import core, level; print(level, core.__name__)", level)
    if "lacks" in done.stderr:
        pytest.skip(done.stderr.splitlines()[-1])
    assert done.returncode == 0, done.stderr
    # The last line: an editable install reports its rebuild before it.
    assert done.stdout.splitlines()[-1].split() == [level, f"lamina._core_{level}"]


def test_unknown_level_is_named() -> None:
    done = run("import lamina", "v9")
    assert done.returncode != 0
    assert "ImportError: LAMINA_ISA=v9" in done.stderr
    assert _isa.level in done.stderr


@pytest.mark.skipif(shutil.which("nm") is None, reason="nm is not installed")
@pytest.mark.skipif(sys.platform != "linux", reason="reads ELF symbols")
def test_module_exports_its_entry_point_alone() -> None:
    path = _isa.core.__file__
    assert path is not None
    done = subprocess.run(["nm", "-D", "--defined-only", path], capture_output=True, text=True)
    symbols = [line.split()[-1] for line in done.stdout.splitlines()]
    assert symbols == [f"PyInit__core_{_isa.level}"]
