"""The C++ library on its own: it builds without Python, without a warning, and its tests pass."""

import pytest
from building import cmake_build, run, runs_here


@pytest.mark.ci
def test_the_library_and_its_tests_build_and_pass(build_folder):
    """The tests of the core run at each level that this machine has."""
    levels = "all" if runs_here("v3") else "host"
    switches = ("PYTHON=OFF", "BUILD_TESTS=ON", "BUILD_BENCH=ON", f"LEVELS={levels}")
    cmake_build(build_folder, *switches)
    report = run("ctest", "--test-dir", build_folder, "--output-on-failure")
    assert "100% tests passed" in report
    assert " product " in report
    if all(map(runs_here, ("v3", "v4"))):
        assert " product_v3 " in report
