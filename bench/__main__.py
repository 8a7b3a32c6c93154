"""`python -m bench [COMMAND]` from the repository's root; no command: all tables of README.md."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
COMMANDS = {
    "tables": "tables",
    "sweep": "sweep",
    "check": "check",
    "accuracy": "accuracy",
    "memory": "memory",
    "kernels": "kernels",
    "training": "training",
    "inference": "inference",
    "doctor": "doctor.command",
}


def main(argv: list[str]) -> int:
    """Run one command's module: the same as `python bench/<module>.py` or the folder."""
    if not argv or (argv[0].startswith("-") and argv[0] not in ("-h", "--help")):
        argv = ["tables", *argv]
    if argv[0] not in COMMANDS:
        known = ", ".join(COMMANDS)
        print(f"usage: python -m bench [COMMAND] …; commands: {known}", file=sys.stderr)
        return 2
    # The modules import one another by bare names, as they do when run as files.
    sys.path.insert(0, str(HERE))
    module = importlib.import_module(COMMANDS[argv[0]])
    session = importlib.import_module("session")
    return int(session.run(lambda: module.main(argv[1:])))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
