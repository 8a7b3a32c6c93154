"""What tests need that build the C++ side, and that look into the compiled modules."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import lamina
from lamina import _isa

ROOT = Path(__file__).resolve().parent.parent

X86 = ("v2", "v3", "v4")
# The widest registers that a level may use.
WIDEST = {"v2": "xmm", "v3": "ymm", "v4": "zmm"}


def run(*command: object, **options) -> str:
    """Run a command; fail with the end of what it said."""
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, **options
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def cmake_build(
    folder: Path, *switches: str, targets: tuple[str, ...] = ("all",), source: Path = ROOT
) -> str:
    """Configure with -DLAMINA_<switch> each and build; return what CMake said first."""
    if not (shutil.which("cmake") and shutil.which("ninja")):
        pytest.skip('needs the extra "cpp"')
    options = [f"-DLAMINA_{switch}" for switch in switches]
    command = ["cmake", "-S", source, "-B", folder, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release"]
    said = run(*command, "-DLAMINA_WERROR=ON", *options)
    jobs = os.environ.get("CMAKE_BUILD_PARALLEL_LEVEL", "2")
    run("cmake", "--build", folder, "--parallel", jobs, "--target", *targets)
    return said


def install_library(build: Path, prefix: Path) -> Path:
    """Build the C++ library for this machine and install it as docs/cpp.md says."""
    switches = ("PYTHON=OFF", "BUILD_TESTS=OFF", "BUILD_BENCH=OFF", "INSTALL=ON", "LEVELS=host")
    cmake_build(build, *switches)
    run("cmake", "--install", build, "--prefix", prefix)
    return prefix


def build_outside(source: Path, build: Path, prefix: Path, *options: str) -> Path:
    """Build a project that finds the installed library, and nothing else of this tree."""
    command = ["cmake", "-S", source, "-B", build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release"]
    run(*command, f"-DCMAKE_PREFIX_PATH={prefix}", *options)
    run("cmake", "--build", build)
    return build


def runs_here(level: str) -> bool:
    """Say whether this CPU runs a level."""
    flags = _isa._cpu_flags()
    return level in X86 and bool(flags) and _isa._NEEDS[level] <= flags


def installed_module(level: str) -> Path:
    """Return the compiled module of a level beside the one in use."""
    path = Path(_isa.core.__file__ or "")
    return path.with_name(path.name.replace(f"_core_{_isa.level}", f"_core_{level}"))


def package_with(folder: Path, modules: list[Path]) -> Path:
    """Make a copy of the installed package, by links, that has these compiled modules as well.

    Returns
    -------
    Path
        What to put on PYTHONPATH.
    """
    package = folder / "lamina"
    package.mkdir()
    sources = [path for path in Path(lamina.__file__).parent.iterdir() if path.suffix != ".so"]
    installed = [installed_module(level) for level in _isa._installed()]
    for path in [*sources, *installed, *modules]:
        link = package / path.name
        if path.name != "__pycache__" and not link.exists():
            link.symlink_to(path.resolve())
    return folder


def check_module(path: Path, level: str) -> None:
    """Check what a module exports and which registers it uses."""
    if sys.platform != "linux" or shutil.which("nm") is None or shutil.which("objdump") is None:
        pytest.skip("reads ELF files with nm and objdump")
    symbols = [line.split()[-1] for line in run("nm", "-D", "--defined-only", path).splitlines()]
    assert symbols == [f"PyInit__core_{level}"]
    if level in X86:
        code = run("objdump", "--disassemble", "--no-show-raw-insn", path)
        assert max(set(re.findall(r"%([xyz]mm)\d", code))) == WIDEST[level]
