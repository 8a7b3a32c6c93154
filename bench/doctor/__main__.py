"""`python bench/doctor [COMMAND]`: the same as `python -m bench doctor`."""

import importlib
import sys
from pathlib import Path

if __name__ == "__main__":
    # The modules import one another as doctor.…, and their neighbours in bench/ by bare names.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    command = importlib.import_module("doctor.command")
    sys.exit(importlib.import_module("session").run(command.main))
