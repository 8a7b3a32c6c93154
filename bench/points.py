"""The points of sweep.toml: read, named, and cut to what can be measured in the time there is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cases import Case

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

FILE = Path(__file__).with_name("sweep.toml")
FEWEST_STEPS = 2  # of an epoch that had to be cut


@dataclass(frozen=True)
class Point:
    """One network, batch size, number of rows and of threads."""

    inputs: int
    width: int
    depth: int  # hidden layers
    outputs: int  # 1: mean squared error, more: softmax
    batch: int
    rows: int
    threads: int
    reason: str = ""  # why Lamina loses there
    check: bool = False  # `bench check` measures it

    @property
    def name(self) -> str:
        shape = f"{self.inputs}-{self.width}x{self.depth}-{self.outputs}"
        return f"{shape}.b{self.batch}.r{_short(self.rows)}.t{self.threads}"

    @property
    def case(self) -> Case:
        widths = (self.inputs, *[self.width] * self.depth, self.outputs)
        return Case(self.name, "", widths, self.batch, self.rows, self.outputs > 1)


def _short(number: int) -> str:
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if number % size == 0:
            return f"{number // size}{letter}"
    return str(number)


def read_points(path: Path = FILE) -> list[Point]:
    """All points, in the order of the file; two of one name are an error."""
    described: list[dict[str, Any]] = tomllib.loads(path.read_text())["points"]
    points = [Point(**one) for one in described]
    names = [point.name for point in points]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{path.name}: {name} is there twice")
    return points


def cut(case: Case, row_seconds: float, seconds: float) -> Case:
    """The case with so many rows that `rows * row_seconds` is `seconds`, in whole batches."""
    affordable = int(seconds / row_seconds)
    if affordable >= case.rows:
        return case
    steps = max(FEWEST_STEPS, affordable // case.batch_size)
    return replace(case, rows=min(case.rows, steps * case.batch_size))
