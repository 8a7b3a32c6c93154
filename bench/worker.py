"""One contestant in a process of its own: `python worker.py NAME THREADS`, started by crew.py.

Requests and answers are JSON objects, one a line, on stdin and stdout. Two OpenMP runtimes in one
process would slow each other down; a process that waits for its next line costs nothing.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import peers
from cases import Case, Data, make_data, mean_loss
from start import load_weights

SHORTEST_BATCH = 1e-3  # seconds: calls are timed in batches that last at least this long


def time_calls(call: Callable[[], object], seconds: float) -> dict[str, float]:
    """Call again and again for `seconds`, at least once; the median seconds a call, and how many.

    Short calls are timed in batches, so that reading the clock does not count.
    """
    clock = time.perf_counter
    number, times, calls = 1, [], 0
    end = clock() + seconds
    while True:
        start = clock()
        for _ in range(number):
            call()
        now = clock()
        calls += number
        if now - start < SHORTEST_BATCH and now < end:
            number *= 2
            continue
        times.append((now - start) / number)
        if now >= end:
            return {"seconds": statistics.median(times), "calls": calls}


class Worker:
    """Answers requests for one contestant; holds one case at a time."""

    def __init__(self, make: peers.ContestantClass, threads: int) -> None:
        self.make, self.threads = make, threads
        self.case: Case
        self.data: Data
        self.contestant: peers.Contestant

    def prepare(self, case: dict[str, Any], weights: str) -> dict[str, Any]:
        self.case = Case(**{**case, "widths": tuple(case["widths"])})
        self.data = make_data(self.case)
        start = load_weights(Path(weights))
        self.contestant = self.make(self.case, self.data, start, self.threads)
        return {}

    def drop(self) -> dict[str, Any]:
        del self.contestant, self.data
        gc.collect()
        return {}

    def train(self, seconds: float) -> dict[str, Any]:
        return time_calls(self.contestant.epoch, seconds)

    def in_order(self) -> dict[str, Any]:
        """One epoch without shuffling."""
        self.contestant.epoch(shuffle=False)
        return {}

    def loss(self) -> dict[str, Any]:
        return {"loss": mean_loss(self.case, self.data, self.contestant.predict)}

    def predict(self, rows: int, seconds: float) -> dict[str, Any]:
        x = self.data.x[:rows]
        expected = (len(x), self.case.widths[-1])
        if self.contestant.predict(x).shape != expected:
            raise ValueError(f"predict: expected shape {expected}")
        return time_calls(lambda: self.contestant.predict(x), seconds)

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        action = request.pop("do")
        actions = (self.prepare, self.drop, self.train, self.in_order, self.loss, self.predict)
        chosen = {method.__name__: method for method in actions}[action]
        answer: dict[str, Any] = chosen(**request)
        return answer


def take_stdout() -> IO[str]:
    """The pipe to the parent; whatever a library prints goes to stderr instead."""
    pipe = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    return pipe


def main() -> None:
    """Say who is there, then answer until the pipe is closed."""
    name, threads = sys.argv[1], int(sys.argv[2])
    pipe = take_stdout()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted, then ends us
    warnings.simplefilter("ignore")

    def reply(answer: dict[str, Any]) -> None:
        print(json.dumps(answer), file=pipe)

    try:
        make = peers.load(name)
    except ImportError as error:
        reply({"missing": str(error)})
        return
    reply({"version": make.version})
    worker = Worker(make, threads)
    for line in sys.stdin:
        try:
            reply(worker.answer(json.loads(line)))
        except Exception as error:  # the parent says it and goes on without this contestant
            reply({"error": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    main()
