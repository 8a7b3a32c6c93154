"""What follows from each trouble, and so is no mistake to report beside it.

A doctor is right if the cause is among the problems and nothing else is that is not true. These
lists say what else is true, for every entry of a code; an entry that brings about more says so
itself. They are short on purpose: a code that stands here costs nothing if it is said, so each has
its reason. None of them counts as found instead of the cause.
"""

from __future__ import annotations

CONSEQUENCES: dict[str, dict[str, str]] = {
    "UNDERFIT": {},
    "OVERFIT": {
        "NO_BETTER_THAN_BASELINE": "who is sure of what was learnt by heart has a higher "
        "loss on new rows than one who only knows the shares of the classes",
    },
    "NOT_CONVERGED": {},
    "LR_TOO_HIGH": {
        "DIVERGED": "steps that overshoot further each time end at infinity",
        "DEAD_UNITS": "one long step puts a ReLU below zero for all rows: the dying ReLU",
        "NO_BETTER_THAN_BASELINE": "with its units dead a network gives a constant",
    },
    "LR_TOO_LOW": {
        "NOT_CONVERGED": "short steps have not arrived when the epochs are over",
        "NO_BETTER_THAN_BASELINE": "a network that has not moved knows nothing",
    },
    "DIVERGED": {
        "NO_BETTER_THAN_BASELINE": "fit goes back to the last good weights: often those of "
        "the start",
    },
    "PLATEAU": {},
    "DEAD_UNITS": {
        "VANISHING_GRADIENT": "a dead unit passes no gradient to what lies below it",
        "NO_BETTER_THAN_BASELINE": "with a whole layer dead a network gives a constant",
    },
    "SATURATED_UNITS": {
        "VANISHING_GRADIENT": "a saturated unit passes next to no gradient",
    },
    "VANISHING_GRADIENT": {
        "NO_BETTER_THAN_BASELINE": "without gradients only the output's bias learns, and that "
        "gives a constant",
    },
    "EXPLODING_GRADIENT": {
        "DIVERGED": "gradients that grow step by step end at infinity",
        "LR_TOO_HIGH": "a step is rate times gradient: for gradients this large any usual "
        "rate is too high",
        "NO_BETTER_THAN_BASELINE": "predictions thousands of times too large are worse than a "
        "constant",
    },
    "UNSCALED_INPUT": {
        "DIVERGED": "with SGD the longest stable step falls with the square of a column's size",
        "SATURATED_UNITS": "sums of huge numbers put every tanh at a bound",
        "NO_BETTER_THAN_BASELINE": "predictions that follow one huge column alone can be worse "
        "than a constant",
    },
    "CONSTANT_INPUT": {},
    "TARGET_UNSCALED": {
        "NO_BETTER_THAN_BASELINE": "it takes thousands of steps to come to the mean of such a "
        "target, and longer to know more than that",
        "DIVERGED": "gradients of a squared error grow with the target's size",
    },
    "IMBALANCED_CLASSES": {},
    "TRAIN_VALIDATION_SHIFT": {
        "NO_BETTER_THAN_BASELINE": "what holds of the training rows can be worse than a constant "
        "elsewhere",
    },
    "NO_BETTER_THAN_BASELINE": {},
}
CODES = tuple(CONSEQUENCES)
