"""Which Lamina this is and what it runs on."""

from __future__ import annotations

import platform

import numpy as np

from lamina._isa import core, level

__all__ = ["__version__", "show_versions"]

__version__ = core.info()["version"]


def show_versions() -> None:
    """Print versions, instruction-set level, compiler and threads: what a bug report needs.

    Examples
    --------
    >>> import lamina as lm
    >>> lm.show_versions()  # doctest: +ELLIPSIS
    lamina   ...
    """
    info = core.info()
    threads = (
        f"OpenMP, up to {info['threads']} threads" if info["openmp"] else "no OpenMP: one thread"
    )
    rows = {
        "lamina": f"{__version__} (numerics {info['numerics_version']})",
        "level": level,
        "threads": threads,
        "compiler": info["compiler"],
        "eigen": info["eigen"],
        "python": platform.python_version(),
        "numpy": np.__version__,
        "system": platform.platform(),
    }
    print("\n".join(f"{key:<8} {value}" for key, value in rows.items()))
