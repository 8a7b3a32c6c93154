"""Runs the scripts of examples/ as a beginner would, each once for all tests that ask."""

import functools
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from building import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("q*.py"))


class Run(NamedTuple):
    """How a script ended, what it printed, and the files that it wrote."""

    status: int
    printed: str
    errors: str
    files: dict[str, bytes]


@functools.cache
def ran(path: Path) -> Run:
    """Run a script in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-W", "error::DeprecationWarning:__main__", str(path), folder],
            capture_output=True,
            encoding="utf-8",
            env={**os.environ, "MPLBACKEND": "Agg", "PYTHONIOENCODING": "utf-8"},
            cwd=folder,
            timeout=120,
            check=False,
        )
        files = {file.name: file.read_bytes() for file in Path(folder).iterdir()}
    return Run(done.returncode, done.stdout, done.stderr, files)
