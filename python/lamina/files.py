"""Files that are whole at every moment: the old one until the new one is complete."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from pathlib import Path

__all__ = ["remove_leftovers", "replace_text"]


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
    if os.path.exists(path) and not os.path.isfile(path):
        Path(path).write_bytes(text.encode())  # also says what is wrong with a folder
        return
    target = os.path.realpath(path)
    temporary = os.path.join(os.path.dirname(target), f".{secrets.token_hex(8)}.tmp")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        if os.path.exists(target):
            shutil.copymode(target, temporary)
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def remove_leftovers(path: str | os.PathLike[str]) -> None:
    """Remove temporary files beside `path` whose process was killed while it wrote.

    The core writes ``path.tmp<process id>`` and renames it. Those of running processes stay.
    """
    if os.name != "posix":
        return  # elsewhere one cannot ask whether a process runs without touching it
    folder, name = os.path.split(os.fspath(path))
    begin = f"{name}.tmp"
    with contextlib.suppress(OSError), os.scandir(folder or ".") as entries:
        for entry in entries:
            number = entry.name[len(begin) :]
            if entry.name.startswith(begin) and number.isdecimal() and not _runs(int(number)):
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)  # no signal; it only asks
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True  # somebody else's
    return True
