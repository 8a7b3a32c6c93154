"""The C++ library on its own: it builds without Python, without a warning, and its tests pass."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.ci
def test_the_library_and_its_tests_build_and_pass(tmp_path):
    pytest.importorskip("cmake", reason='needs the extra "cpp"')
    pytest.importorskip("nlohmann_json", reason='needs the extra "cpp"')

    def run(*command):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return done.stdout

    switches = ("PYTHON=OFF", "BUILD_TESTS=ON", "BUILD_BENCH=ON", "WERROR=ON")
    options = [f"-DLAMINA_{switch}" for switch in switches]
    run("cmake", "-S", ROOT, "-B", tmp_path, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", *options)
    run("cmake", "--build", tmp_path, "--parallel", "2")
    report = run("ctest", "--test-dir", tmp_path, "--output-on-failure")
    assert "100% tests passed" in report
    assert "Total Test" in report
