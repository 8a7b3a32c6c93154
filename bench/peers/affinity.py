"""Threads of the libraries that size their pools by the CPUs that the process may use."""

from __future__ import annotations

import os


def limit_threads(threads: int) -> None:
    """Leave the process so many CPUs; to be called before the library's first computation."""
    if not hasattr(os, "sched_setaffinity"):
        if threads != os.cpu_count():
            raise RuntimeError(f"cannot be limited to {threads} threads on this system")
        return
    allowed = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, allowed[:threads])
