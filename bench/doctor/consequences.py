"""What follows from each trouble, and so is no mistake to report beside it.

A doctor is right if the cause is among the problems and nothing else is that is not true. These
lists say what else is true, for every entry of a code; an entry that brings about more says so
itself. They are short on purpose: a code that stands here costs nothing if it is said, so each has
its reason, and what no training of the tuning sets used does not stand here. None of them counts
as found instead of the cause. The table tells how often each was used, and the recall without them.
"""

from __future__ import annotations

CONSEQUENCES: dict[str, dict[str, str]] = {
    "UNDERFIT": {},
    "OVERFIT": {
        "NO_BETTER_THAN_BASELINE": "who is sure of what was learnt by heart has a higher "
        "loss on new rows than one who only knows the shares of the classes",
    },
    "NOT_CONVERGED": {},
    "LR_TOO_HIGH": {},
    "LR_TOO_LOW": {},
    "DIVERGED": {},
    "PLATEAU": {},
    "DEAD_UNITS": {},
    "SATURATED_UNITS": {},
    "VANISHING_GRADIENT": {},
    "EXPLODING_GRADIENT": {},
    "UNSCALED_INPUT": {},
    "CONSTANT_INPUT": {},
    "TARGET_UNSCALED": {},
    "IMBALANCED_CLASSES": {},
    "TRAIN_VALIDATION_SHIFT": {},
    "NO_BETTER_THAN_BASELINE": {},
}
CODES = tuple(CONSEQUENCES)
