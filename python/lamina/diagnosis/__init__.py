"""What the numbers of a training tell: facts go in, findings come out.

``facts`` are numbers, ``rules`` are functions of them, ``findings`` are what they say; nothing in
here knows how a number was measured.
"""

from lamina.diagnosis.codes import CODES, Code
from lamina.diagnosis.diagnose import diagnose
from lamina.diagnosis.facts import ColumnFacts, DataFacts, Facts, LayerFacts, TrialFacts
from lamina.diagnosis.findings import Diagnosis, Finding
from lamina.diagnosis.verdict import verdict

__all__ = [
    "CODES",
    "Code",
    "ColumnFacts",
    "DataFacts",
    "Diagnosis",
    "Facts",
    "Finding",
    "LayerFacts",
    "TrialFacts",
    "diagnose",
    "verdict",
]
