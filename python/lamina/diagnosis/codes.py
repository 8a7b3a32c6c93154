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
    "UNDERFIT",
    "PLATEAU",
    "NOT_CONVERGED",
)
_STUCK = ("DEAD_UNITS", "SATURATED_UNITS", "VANISHING_GRADIENT", "EXPLODING_GRADIENT")
_RATE = ("LR_TOO_HIGH", "LR_TOO_LOW")

# Causes come first: each explains codes that stand below it, never one above.
CODES: dict[str, Code] = {
    code.name: code
    for code in [
        Code(
            "CONSTANT_INPUT",
            "A column has the same value in (nearly) all rows, so nothing can be learnt from it.",
            "data",
        ),
        Code(
            "UNSCALED_INPUT",
            "A column has a far larger mean or spread than 1 and no layer scales it.",
            "data",
            (*_RATE, *_STUCK, *_TRAINED_BADLY),
        ),
        Code(
            "TARGET_UNSCALED",
            "The target of a regression has a mean or a spread far from what a new network gives.",
            "data",
            (*_RATE, *_STUCK, *_TRAINED_BADLY),
        ),
        Code(
            "TRAIN_VALIDATION_SHIFT",
            "Training and validation rows do not come from the same source.",
            "data",
            ("OVERFIT", "NO_BETTER_THAN_BASELINE"),
        ),
        Code(
            "IMBALANCED_CLASSES",
            "Some class is rare, and the model hardly ever finds it.",
            "data",
            ("NO_BETTER_THAN_BASELINE", "UNDERFIT"),
        ),
        Code(
            "LR_TOO_HIGH",
            "The steps are too long: the loss jumps about, grows, or stays above what shorter "
            "steps reach.",
            "curves, layers, trials",
            (*_STUCK, *_TRAINED_BADLY, "OVERFIT"),
        ),
        Code(
            "EXPLODING_GRADIENT",
            "Signals or gradients grow from layer to layer, or grow without end.",
            "layers",
            ("SATURATED_UNITS", "DEAD_UNITS", *_TRAINED_BADLY),
        ),
        Code(
            "DEAD_UNITS",
            "Many units of a layer give the same for every row and so learn nothing "
            "(the dying ReLU).",
            "layers",
            ("VANISHING_GRADIENT", "LR_TOO_LOW", *_TRAINED_BADLY),
        ),
        Code(
            "SATURATED_UNITS",
            "Many units of a layer sit at a bound of their sigmoid or tanh, where the slope is "
            "nearly 0.",
            "layers",
            ("VANISHING_GRADIENT", "LR_TOO_LOW", *_TRAINED_BADLY),
        ),
        Code(
            "VANISHING_GRADIENT",
            "The first layers get gradients far smaller than the last, so they hardly learn.",
            "layers",
            ("LR_TOO_LOW", *_TRAINED_BADLY),
        ),
        Code(
            "LR_TOO_LOW",
            "The steps are too short: ten times longer ones get much further in the same time.",
            "curves, layers, trials",
            ("NOT_CONVERGED", "PLATEAU", "UNDERFIT", "NO_BETTER_THAN_BASELINE"),
        ),
        Code(
            "DIVERGED",
            "The loss or the weights became infinite or NaN, and the training stopped there.",
            "curves",
            (*_TRAINED_BADLY[1:],),
        ),
        Code(
            "NO_BETTER_THAN_BASELINE",
            "The model predicts new rows no better than one constant for all of them, and a plain "
            "network does not either.",
            "data, trials",
            ("NOT_CONVERGED", "PLATEAU", "UNDERFIT", "OVERFIT"),
        ),
        Code(
            "NOT_CONVERGED",
            "The training ended while the loss was still falling.",
            "curves, trials",
            ("PLATEAU", "UNDERFIT"),
        ),
        Code(
            "PLATEAU",
            "The loss has stood still for many epochs, above what can be reached.",
            "curves, trials",
            ("UNDERFIT",),
        ),
        Code(
            "UNDERFIT",
            "The model stays far above what a plain network reaches on the same rows, on the "
            "training rows, too.",
            "curves, trials",
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
