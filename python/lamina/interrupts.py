"""Ctrl-C and other signals: held back where something must be done whole or not at all."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

__all__ = ["note", "sigterm_raises", "uninterrupted"]

_HELD_BACK = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold back the exceptions of signals inside the block; they come after it.

    For some microseconds of bookkeeping alone. Signals reach the main thread, so in others nothing
    needs to be done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[tuple[Any, ...]] = []
    before = {}
    for one in _HELD_BACK:
        handler = signal.getsignal(one)
        if callable(handler):
            before[one] = handler
    try:
        for one in before:
            signal.signal(one, lambda *given: came.append(given))
        yield
    finally:
        for one in reversed(before):  # Ctrl-C last: it may come as soon as it is let through
            signal.signal(one, before[one])
        for number, frame in came:
            before[number](number, frame)


@contextlib.contextmanager
def sigterm_raises(wanted: bool) -> Iterator[None]:
    """Let SIGTERM raise SystemExit(143) inside the block, if it would end the process at once.

    Batch systems send it before they kill. 143 is what a shell reports of a process that SIGTERM
    ended. A handler of the user's stays, and so it does in threads, which get no signals.
    """
    main = threading.current_thread() is threading.main_thread()
    if not wanted or not main or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return

    def end(number: int, frame: Any) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def note(error: BaseException, text: str) -> None:
    """Say something beside an exception: in its traceback, or else as a warning."""
    if sys.version_info >= (3, 11):
        error.add_note(text)
        if not isinstance(error, SystemExit):  # which shows no traceback
            return
    warnings.warn(text, RuntimeWarning, stacklevel=3)
