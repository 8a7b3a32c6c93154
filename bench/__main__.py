"""`python -m bench COMMAND`, from the root of the repository: README.md here lists the commands."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
COMMANDS = {
    "sweep": "sweep",
    "training": "training",
    "inference": "inference",
}


def main(argv: list[str]) -> int:
    """Run one command's module: the same as `python bench/<module>.py`."""
    known = ", ".join(COMMANDS)
    if not argv or argv[0] not in COMMANDS:
        print(f"usage: python -m bench COMMAND …; commands: {known}", file=sys.stderr)
        return 2
    # The modules import one another by bare names, as they do when run as files.
    sys.path.insert(0, str(HERE))
    module = importlib.import_module(COMMANDS[argv[0]])
    session = importlib.import_module("session")
    return int(session.run(lambda: module.main(argv[1:])))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
