"""An entry of the zoo: one way to train, broken or healthy, on some data sets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from doctor.consequences import CONSEQUENCES
from doctor.data import KINDS, REPORT, TUNING
from doctor.proofs import Proof
from doctor.task import Task
from doctor.training import Training

Build = Callable[[Task, int], Training]


@dataclass(frozen=True)
class Entry:
    """What is wrong (`code`, None: nothing), where it is shown, and how one knows that it is so.

    `allows` are codes that describe the training truly, too: consequences of what was done to it.
    """

    name: str
    code: str | None
    build: Build
    on: tuple[str, ...]
    allows: frozenset[str]
    proof: Proof

    @property
    def story(self) -> str:
        """What was done, in words: the docstring of its function."""
        return " ".join((self.build.__doc__ or "").split())

    def right(self, problems: Sequence[str]) -> bool:
        """Whether a doctor with these problems was right: the cause, and nothing that is untrue."""
        return (self.code is None or self.code in problems) and not self.wrong(problems)

    def wrong(self, problems: Sequence[str]) -> list[str]:
        """Return the problems that the training does not have."""
        return [one for one in problems if one != self.code and one not in self.allows]


ENTRIES: dict[str, Entry] = {}


def broken(
    code: str, on: Sequence[str], proof: Proof, *, allows: Sequence[str] = ()
) -> Callable[[Build], Build]:
    """Register a training with this trouble. `allows` adds to the consequences of the code."""
    return _registered(code, on, proof, frozenset((*CONSEQUENCES[code], *allows)))


def healthy(on: Sequence[str], proof: Proof) -> Callable[[Build], Build]:
    """Register a training that has no trouble at all."""
    return _registered(None, on, proof, frozenset())


def _registered(
    code: str | None, on: Sequence[str], proof: Proof, allows: frozenset[str]
) -> Callable[[Build], Build]:
    def register(build: Build) -> Build:
        name = f"{(code or 'healthy').lower()}/{build.__name__}"
        assert name not in ENTRIES, name
        ENTRIES[name] = Entry(name, code, build, _everywhere(on), allows, proof)
        return build

    return register


def _everywhere(on: Sequence[str]) -> tuple[str, ...]:
    """Add the sets of the report that are of their kind (pictures, classes, a number), and clouds.

    Clouds are blobs that overlap: whatever is shown on one is shown on the other.
    """
    assert set(on) <= set(TUNING), on
    kinds = [kind for kind in KINDS if set(on) & set(kind)]
    beside = ["clouds"] if "blobs" in on else []
    return (*on, *beside, *(name for name in REPORT if any(name in kind for kind in kinds)))
