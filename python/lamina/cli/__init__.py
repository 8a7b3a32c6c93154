"""The command ``lamina``: argparse here, one file for each command, no mathematics."""

from lamina.cli.main import main

__all__ = ["main"]
