"""The codes of findings: what each means, what it is read from, and which explains which.

The one list of them: the page docs/doctor.md has its table from here.
"""

from __future__ import annotations

import dataclasses

__all__ = ["CODES", "EXPLAINED_BY", "Code"]


@dataclasses.dataclass(frozen=True)
class Code:
    """A code.

    Parameters
    ----------
    name : str
        As it stands in a finding.
    meaning : str
        What it says, in a sentence.
    source : str
        Which numbers it is read from: "curves", "layers", "data" or "trials", or several of them.
    consequences : tuple of str
        Codes that this one explains: where both are found, they become hints.
    """

    name: str
    meaning: str
    source: str
    consequences: tuple[str, ...] = ()


_TRAINED_BADLY = (
    "DIVERGED",
    "NO_BETTER_THAN_BASELINE",
    "PLATEAU",
    "NOT_CONVERGED",
    "UNDERFIT",
    "OVERFIT",
)
_BADLY_BUT_FOR_PLATEAU = ("DIVERGED", "NOT_CONVERGED", "UNDERFIT", "OVERFIT")
_STUCK = ("VANISHING_GRADIENT", "DEAD_UNITS", "SATURATED_UNITS")
_RATE = ("LR_TOO_HIGH", "LR_TOO_LOW")

# Causes come first: each explains codes that stand below it, never one above.
CODES: dict[str, Code] = {
    code.name: code
    for code in [
        Code(
            "CONSTANT_INPUT",
            "A column has the same value in (nearly) all rows, so nothing can be learnt from it.",
            "data",
            ("SATURATED_UNITS",),
        ),
        Code(
            "UNSCALED_INPUT",
            "A column has a far larger mean or spread than 1 and no layer scales it.",
            "data",
            ("EXPLODING_GRADIENT", *_RATE, *_STUCK, *_TRAINED_BADLY),
        ),
        Code(
            "TARGET_UNSCALED",
            "The target of a regression has a mean or a spread far from what a new network gives.",
            "data",
            ("EXPLODING_GRADIENT", *_RATE, *_STUCK, *_TRAINED_BADLY),
        ),
        Code(
            "TRAIN_VALIDATION_SHIFT",
            "Training and validation rows do not come from the same source.",
            "data",
            ("IMBALANCED_CLASSES", *_RATE, *_TRAINED_BADLY[1:]),
        ),
        Code(
            "IMBALANCED_CLASSES",
            "Some class is rare, and the model hardly ever finds it.",
            "data, trials",
            (*_RATE, *_TRAINED_BADLY[1:]),
        ),
        Code(
            "EXPLODING_GRADIENT",
            "Signals grow from layer to layer, and gradients with them, from the start.",
            "layers",
            (*_RATE, *_STUCK, *_TRAINED_BADLY),
        ),
        Code(
            "VANISHING_GRADIENT",
            "The first layers get gradients far smaller than the last, so they hardly learn.",
            "layers",
            ("LR_TOO_HIGH", "LR_TOO_LOW", "DEAD_UNITS", "SATURATED_UNITS", *_TRAINED_BADLY),
        ),
        Code(
            "NO_BETTER_THAN_BASELINE",
            "The model predicts new rows no better than one constant for all of them, and a plain "
            "network does not either; or it has become a constant itself.",
            "data, trials",
            (*_RATE, "NOT_CONVERGED", "PLATEAU", "UNDERFIT"),
        ),
        Code(
            "LR_TOO_HIGH",
            "The steps are too long: the loss jumps about, grows, or stays above what shorter "
            "steps reach.",
            "trials, curves, layers",
            ("DEAD_UNITS", "SATURATED_UNITS", "LR_TOO_LOW", *_BADLY_BUT_FOR_PLATEAU),
        ),
        Code(
            "PLATEAU",
            "The loss stands still above what can be reached: the steps have become too coarse, "
            "or all units of a layer are alike.",
            "curves, layers, trials",
            ("DEAD_UNITS", "SATURATED_UNITS", "LR_TOO_LOW", "NOT_CONVERGED", "UNDERFIT", "OVERFIT"),
        ),
        Code(
            "DEAD_UNITS",
            "Many units of a layer give the same for every row and so learn nothing "
            "(the dying ReLU).",
            "layers",
            ("LR_TOO_LOW", *_BADLY_BUT_FOR_PLATEAU),
        ),
        Code(
            "SATURATED_UNITS",
            "Many units of a layer sit at a bound of their sigmoid or tanh, where the slope is "
            "nearly 0.",
            "layers",
            ("LR_TOO_LOW", *_BADLY_BUT_FOR_PLATEAU),
        ),
        Code(
            "LR_TOO_LOW",
            "The steps are too short: ten times longer ones get much further in the same time.",
            "trials, layers, curves",
            ("NOT_CONVERGED", "UNDERFIT", "OVERFIT"),
        ),
        Code(
            "DIVERGED",
            "The loss or the weights became infinite or NaN, and the training stopped there.",
            "curves",
            ("NOT_CONVERGED", "UNDERFIT", "OVERFIT"),
        ),
        Code(
            "NOT_CONVERGED",
            "The training ended while the loss was still falling.",
            "trials, curves",
            ("UNDERFIT", "OVERFIT"),
        ),
        Code(
            "UNDERFIT",
            "The model stays far above what a plain network reaches on the same rows, on the "
            "training rows, too.",
            "trials",
            ("OVERFIT",),
        ),
        Code(
            "OVERFIT",
            "What the model learns of the training rows is no longer true of new rows.",
            "curves",
        ),
    ]
}

# code -> the codes that explain it.
EXPLAINED_BY: dict[str, tuple[str, ...]] = {
    name: tuple(code.name for code in CODES.values() if name in code.consequences) for name in CODES
}
