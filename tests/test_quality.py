"""Style and types of the Python code: ruff and mypy --strict, as configured in pyproject.toml."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

COMMANDS = {
    "ruff check": ["ruff", "check", "--no-cache", "."],
    "ruff format": ["ruff", "format", "--no-cache", "--check", "--diff", "."],
    "mypy": ["mypy", "--cache-dir", "{cache}"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_tool_finds_nothing(name: str, tmp_path: Path) -> None:
    tool, *arguments = COMMANDS[name]
    if importlib.util.find_spec(tool) is None:
        pytest.skip(f"{tool} is not installed")
    command = [sys.executable, "-m", tool, *(a.format(cache=tmp_path) for a in arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"{name}:\n{done.stdout}{done.stderr}"
