"""Findings: what a diagnosis says, in words, with the numbers that it rests on."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = ["Diagnosis", "Finding"]


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that a diagnosis has found.

    Parameters
    ----------
    code : str
        Which, for instance ``"OVERFIT"``.
    level : {"problem", "hint"}
        A problem wants to be mended; a hint is worth a look.
    message : str
        What was found, in a sentence, with the numbers.
    suggestion : str
        The one thing to try first.
    evidence : mapping of str to float or str
        The numbers that it rests on, by name.
    layer, column : str or None
        Where.
    epoch : int or None
        Since when.
    """

    code: str
    level: str
    message: str
    suggestion: str
    evidence: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    layer: str | None = None
    column: str | None = None
    epoch: int | None = None

    def __str__(self) -> str:
        """Return it as two lines."""
        return f"{self.level} {self.code}: {self.message}\n    {self.suggestion}"


class Diagnosis(Sequence[Finding]):
    """The findings of a training, problems first; empty if nothing was found.

    Attributes
    ----------
    verdict : {"good fit", "underfitting", "overfitting", "undecided"}
        What the relation of training and validation tells.
    reason : str
        Why, with the numbers.
    left_out : list of str
        What nobody has looked at, and why.
    """

    def __init__(
        self, findings: Sequence[Finding], verdict: str, reason: str, left_out: Sequence[str] = ()
    ) -> None:
        self.verdict = verdict
        self.reason = reason
        self.left_out = list(left_out)
        self._findings = sorted(findings, key=lambda one: one.level != "problem")

    @property
    def problems(self) -> list[Finding]:
        """The findings that want to be mended."""
        return [one for one in self._findings if one.level == "problem"]

    @property
    def codes(self) -> list[str]:
        """The codes of the problems, each once."""
        return list(dict.fromkeys(one.code for one in self.problems))

    def __getitem__(self, place: Any) -> Any:
        """Return a finding by its place."""
        return self._findings[place]

    def __len__(self) -> int:
        """Return how many findings there are."""
        return len(self._findings)

    def __iter__(self) -> Iterator[Finding]:
        """Go through the findings."""
        return iter(self._findings)

    def to_dict(self) -> dict[str, Any]:
        """Return everything in JSON's types."""
        findings = [dataclasses.asdict(one) for one in self._findings]
        return {
            "verdict": self.verdict,
            "reason": self.reason,
            "findings": findings,
            "left_out": self.left_out,
        }

    def __repr__(self) -> str:
        """Return everything as text."""
        lines = [f"{self.verdict}: {self.reason}", *map(str, self._findings)]
        lines += [f"not looked at: {one}" for one in self.left_out]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Return everything for notebooks: the verdict, and a table of the findings."""
        cell = '<td style="text-align: left; vertical-align: top">'
        rows = "".join(
            f"<tr>{cell}{one.level}</td>{cell}<b>{html.escape(one.code)}</b></td>"
            f"{cell}{html.escape(one.message)}<br><i>{html.escape(one.suggestion)}</i></td></tr>"
            for one in self._findings
        )
        verdict = f"<b>{html.escape(self.verdict)}</b>: {html.escape(self.reason)}"
        table = f"<table>{rows}</table>" if rows else ""
        rest = "".join(f"<p>not looked at: {html.escape(one)}</p>" for one in self.left_out)
        return f"<div><p>{verdict}</p>{table}{rest}</div>"
