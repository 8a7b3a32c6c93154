"""All rules at once, and causes before consequences."""

from __future__ import annotations

import dataclasses

from lamina.diagnosis.codes import CODES, EXPLAINED_BY
from lamina.diagnosis.facts import Facts
from lamina.diagnosis.findings import Diagnosis, Finding
from lamina.diagnosis.rules import all_rules
from lamina.diagnosis.verdict import verdict

__all__ = ["diagnose"]


# Nobody is told to do both: a hint gives way to its opposite.
_OPPOSITE = {"LR_TOO_HIGH": "LR_TOO_LOW", "LR_TOO_LOW": "LR_TOO_HIGH"}


def diagnose(facts: Facts) -> Diagnosis:
    """Return what the facts tell: the verdict and all findings.

    Every rule is asked. A problem that another problem explains becomes a hint that names its
    cause, so that what remains a problem is what one should mend first.

    Parameters
    ----------
    facts : Facts
        Whatever is known; rules whose numbers are missing find nothing.

    Returns
    -------
    Diagnosis
        The findings, problems first, then in the order of the codes.

    Examples
    --------
    >>> from lamina.diagnosis import Facts, diagnose
    >>> facts = Facts(
    ...     epoch=list(range(12)),
    ...     loss=[1 / (1 + n) for n in range(12)],
    ...     val_loss=[0.6, 0.5, 0.45, 0.4, 0.42, 0.44, 0.46, 0.5, 0.55, 0.6, 0.65, 0.7],
    ...     baseline_loss=1.0,
    ... )
    >>> found = diagnose(facts)
    >>> found.verdict, found.codes, found[0].epoch
    ('overfitting', ['OVERFIT'], 3)
    """
    findings = [finding for rule in all_rules() for finding in rule(facts)]
    order = list(CODES)
    findings.sort(key=lambda one: order.index(one.code))
    return Diagnosis(causes_first(findings), *verdict(facts), facts.about.get("left_out", ()))


def causes_first(findings: list[Finding]) -> list[Finding]:
    """Return the findings, those that a problem among them explains as hints."""
    problems = {one.code for one in findings if one.level == "problem"}
    return [
        _behind_its_cause(one, problems)
        for one in findings
        if _OPPOSITE.get(one.code) not in problems or one.code in problems
    ]


def _behind_its_cause(finding: Finding, problems: set[str]) -> Finding:
    causes = [code for code in EXPLAINED_BY[finding.code] if code in problems]
    if not causes:
        return finding
    suggestion = f"Mend {causes[0]} first: it can be the cause."
    return dataclasses.replace(finding, level="hint", suggestion=suggestion)
