"""The version, and what it costs to know it."""

import importlib.metadata
import subprocess
import sys

import lamina as lm


def test_the_core_knows_the_version():
    assert lm.__version__ == importlib.metadata.version("lamina")


def test_importing_lamina_looks_nothing_up():
    """importlib.metadata and the e-mail package it needs take 15 ms to import."""
    code = (
        "import sys, numpy; before = set(sys.modules); import lamina;"
        "print({'importlib.metadata', 'email', 'tqdm', 'matplotlib'} & set(sys.modules) - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
