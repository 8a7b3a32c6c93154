"""Picks the compiled module for this CPU: the one place that imports it.

The core is compiled once for each instruction-set level: ``_core_v4`` (AVX-512), ``_core_v3`` (AVX2
and FMA), ``_core_v2`` (SSE4.2), ``_core_generic`` (anything else). A source install holds one of
them, a wheel several. The environment variable ``LAMINA_ISA`` (v2, v3, v4, generic) forces one.
"""

import importlib
import importlib.util
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lamina import _core as core

__all__ = ["core", "level"]

_LEVELS = ("v4", "v3", "v2", "generic")  # best first
_NEEDS = {  # cpp/host_level.cpp asks the CPU for the same
    "v4": {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"},
    "v3": {"avx2", "fma", "f16c", "bmi1", "bmi2", "abm", "movbe"},
    "v2": {"sse4_2", "ssse3", "popcnt"},
}
_NEEDS["v3"] |= _NEEDS["v2"]
_NEEDS["v4"] |= _NEEDS["v3"]


def _cpu_flags() -> set[str]:
    """Feature names as Linux spells them; empty where they cannot be found out."""
    try:
        if sys.platform == "darwin":
            import subprocess

            keys = [f"machdep.cpu.{kind}features" for kind in ("", "leaf7_", "ext")]
            text = subprocess.run(["sysctl", "-n", *keys], capture_output=True, text=True).stdout
            return set(text.lower().replace("sse4.2", "sse4_2").replace("lzcnt", "abm").split())
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            return next((set(line.split()) for line in lines if line.startswith("flags")), set())
    except OSError:
        return set()


def _installed() -> list[str]:
    return [name for name in _LEVELS if importlib.util.find_spec(f"lamina._core_{name}")]


def _choose(installed: list[str], flags: set[str], forced: str) -> str:
    """Name of the level to import; `forced` is the value of LAMINA_ISA or empty."""
    if not installed:
        raise ImportError(
            "lamina's compiled module is missing: install it with `python -m pip install lamina` "
            "or, in a source folder, `python -m pip install .`"
        )
    have = "installed: " + ", ".join(installed)
    if forced:
        if forced not in installed:
            raise ImportError(f"LAMINA_ISA={forced}: there is no such level ({have})")
        candidates = [forced]
    elif flags:
        candidates = installed
    else:
        candidates = installed[-1:]
    for name in candidates:
        if not flags or _NEEDS.get(name, set()) <= flags:
            return name
    missing = ", ".join(sorted(_NEEDS[candidates[-1]] - flags))
    raise ImportError(
        f"this CPU lacks {missing}, which lamina's level {candidates[-1]} needs ({have}): build it "
        "on this machine with `python -m pip install --no-cache-dir --force-reinstall lamina`"
    )


def _load(name: str) -> Any:
    """Import the core; its OpenMP threads, if it brings libgomp, spin for 3 to 6 ms after a call.

    Of its own accord libgomp lets them spin for 8 to 12 ms. It reads the environment once, when it
    is loaded; a libgomp that is there already goes on as it is.
    """
    spins = "GOMP_SPINCOUNT"
    if spins in os.environ or "OMP_WAIT_POLICY" in os.environ:
        return importlib.import_module(name)
    os.environ[spins] = "100000"
    try:
        return importlib.import_module(name)
    finally:
        del os.environ[spins]


level = _choose(_installed(), _cpu_flags(), os.environ.get("LAMINA_ISA", "").strip().lower())
if not TYPE_CHECKING:
    core = _load(f"lamina._core_{level}")
