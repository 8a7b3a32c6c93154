"""What every test shares. The tests import the installed package, never the source folder."""

import importlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from building import install_library
from hypothesis import settings

os.environ["MPLBACKEND"] = "Agg"  # subprocesses inherit it
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # Started in the background by a shell: tests of Ctrl-C would wait for ever.
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("default", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("nightly", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(scope="session")
def build_folder(tmp_path_factory):
    """Where tests build the C++ side: one folder, so that what one has compiled serves the next."""
    return tmp_path_factory.mktemp("build")


@pytest.fixture(scope="session")
def installed_library(build_folder, tmp_path_factory):
    """Where the C++ library is installed, moved after that: no path of the build may be in it."""
    folder = tmp_path_factory.mktemp("installed")
    install_library(build_folder, folder / "first")
    return (folder / "first").rename(folder / "prefix")


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Imports a module of bench/ for one test; their names are too common to stay."""
    folder = str(Path(__file__).resolve().parent.parent / "bench")
    monkeypatch.syspath_prepend(folder)
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(folder):
            del sys.modules[name]
