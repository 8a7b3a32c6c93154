"""The rules: pure functions from Facts to findings, one file a source of numbers.

Each module of this folder has a tuple ``RULES``; all of them are found by themselves, so a new file
needs no entry anywhere. A rule looks at one thing and does not know of the others: which finding
explains which is decided in ``diagnose``.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable

from lamina.diagnosis.facts import Facts
from lamina.diagnosis.findings import Finding

__all__ = ["Rule", "all_rules"]

Rule = Callable[[Facts], list[Finding]]


def all_rules() -> list[Rule]:
    """Return the rules of all modules of this folder, by the names of the modules."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    return [rule for module in modules for rule in module.RULES]
