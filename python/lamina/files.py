"""Text files that are whole at every moment: the old one until the new one is complete."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

__all__ = ["replace_text"]


def replace_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file under a temporary name beside it, sync, rename.

    Whatever happens on the way (a full disk, a kill), `path` holds the old text or the new one. A
    link stays a link, a file keeps its permissions; a pipe or a device is simply written to.

    Parameters
    ----------
    path : str or path-like
        The file; an older one is replaced.
    text : str
        Written in UTF-8, its line ends as they are.

    Raises
    ------
    OSError
        If it cannot be written; the old file is as it was then.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        target.write_bytes(text.encode())  # also says what is wrong with a folder
        return
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, temporary)
        else:
            os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _umask() -> int:
    """Return the bits that new files do not get."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
