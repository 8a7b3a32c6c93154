"""Instruction-set levels: the same bits from AVX2 and AVX-512, and modules that keep apart."""

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import varied_models
from building import (
    X86,
    check_module,
    cmake_build,
    installed_module,
    package_with,
    run,
    runs_here,
)

from lamina import _isa

# Those that have fused multiply-adds: the bits of v2 and generic are others.
EQUAL = ("v3", "v4")
MOST_BYTES = 1_990_000  # docs/decisions/0008-what-any-data-costs.md


def environment(level: str, path: Path | None) -> dict[str, str]:
    changes = {"LAMINA_ISA": level} | ({"PYTHONPATH": str(path)} if path else {})
    return {**os.environ, **changes}


def outcomes_at(level: str, path: Path | None = None) -> dict[str, dict]:
    """Train the ten models with the module of one level, in a process of its own."""
    said = run(sys.executable, varied_models.__file__, env=environment(level, path))
    found = json.loads(said.splitlines()[-1])
    assert found["level"] == level
    assert Path(found["module"]).name.startswith(f"_core_{level}.")
    if path:
        assert path in Path(found["module"]).parents, "an editable install hides the other modules"
    return found["outcomes"]


def check_equal(path: Path | None = None) -> None:
    first, second = (outcomes_at(level, path) for level in EQUAL)
    assert list(first) == list(varied_models.CASES)
    different = [name for name in first if first[name] != second[name]]
    assert not different, [(first[name], second[name]) for name in different]


@pytest.mark.parametrize("level", _isa._installed())
def test_installed_modules_keep_apart(level):
    check_module(installed_module(level), level)


@pytest.mark.skipif(not set(EQUAL) <= set(_isa._installed()), reason="one level is installed")
@pytest.mark.skipif(not all(map(runs_here, EQUAL)), reason="this CPU does not run both levels")
def test_the_same_bits_from_every_level():
    check_equal()


def stripped_size(module: Path, folder: Path) -> int:
    copy = folder / f"stripped-{module.name}"
    run("strip", "-o", copy, module)
    return copy.stat().st_size


@pytest.mark.ci
@pytest.mark.skipif(_isa.level not in X86, reason="another architecture has one level")
def test_all_levels_build_keep_apart_and_agree(build_folder, tmp_path):
    """The README's -Ccmake.define.LAMINA_LEVELS=all; modules that are installed are not rebuilt."""
    others = [level for level in EQUAL if level not in _isa._installed()]
    targets = tuple(f"_core_{level}" for level in others)
    said = cmake_build(build_folder, "PYTHON=ON", "LEVELS=all", targets=targets or ("help",))
    assert "levels v3;v4" in said
    best = _isa._choose(list(_isa._LEVELS), _isa._cpu_flags(), "")
    assert f"this machine: {best}" in said  # CMake and _isa.py ask for the same

    built = [next(build_folder.glob(f"_core_{level}.*.so")) for level in others]
    for level, module in zip(others, built, strict=True):
        check_module(module, level)
    if shutil.which("strip"):
        for module in [*built, *(installed_module(level) for level in _isa._installed())]:
            assert stripped_size(module, tmp_path) <= MOST_BYTES
    if not all(map(runs_here, EQUAL)):
        pytest.skip("this CPU does not run both levels: they are built, not run")
    check_equal(package_with(tmp_path, built))


@pytest.mark.nightly
@pytest.mark.skipif(not runs_here("v2"), reason="x86-64 alone")
@pytest.mark.parametrize("level", ["v2", "generic"])
def test_old_cpus_have_a_level(level, tmp_path):
    """Without fused multiply-adds: other bits, close by, and just as independent of schedules."""
    build = tmp_path / "build"
    cmake_build(build, "PYTHON=ON", "BUILD_TESTS=ON", f"LEVELS={level}")
    assert "100% tests passed" in run("ctest", "--test-dir", build, "--output-on-failure")
    module = next(build.glob(f"_core_{level}.*.so"))
    if level == "v2":
        check_module(module, level)
    packages = tmp_path / "packages"
    packages.mkdir()
    path = package_with(packages, [module])
    old, new = outcomes_at(level, path), outcomes_at(_isa.level)
    for name in old:
        for key, curve in old[name]["losses"].items():
            np.testing.assert_allclose(curve, new[name]["losses"][key], rtol=0.05, err_msg=name)
    tests = Path(__file__).with_name("test_same_bits.py")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests]
    assert " passed" in run(*command, env=environment(level, path))
