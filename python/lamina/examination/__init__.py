"""Whatever looks at a training by training: the doctor, range tests, curves."""

from lamina.examination.curve_results import LearningCurve, ValidationCurve
from lamina.examination.curves import learning_curve, validation_curve
from lamina.examination.doctor import doctor, examine
from lamina.examination.learning_rate import find_learning_rate
from lamina.examination.range_test import RangeTest

__all__ = [
    "LearningCurve",
    "RangeTest",
    "ValidationCurve",
    "doctor",
    "examine",
    "find_learning_rate",
    "learning_curve",
    "validation_curve",
]
