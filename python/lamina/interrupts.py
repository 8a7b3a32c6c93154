"""Ctrl-C and other signals: held back where something must be done whole or not at all."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

__all__ = ["uninterrupted"]

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
        for one, handler in before.items():
            signal.signal(one, handler)
    for number, frame in came:
        before[number](number, frame)
