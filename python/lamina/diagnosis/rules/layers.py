"""DEAD_UNITS, SATURATED_UNITS, VANISHING_GRADIENT and EXPLODING_GRADIENT, layer by layer."""

from __future__ import annotations

import math
import statistics

from lamina.diagnosis import thresholds as t
from lamina.diagnosis.curves import ahead, falls_short, is_diverged, known
from lamina.diagnosis.facts import Facts, LayerFacts
from lamina.diagnosis.findings import Finding

__all__ = ["RULES", "dead_units", "exploding_gradient", "saturated_units", "vanishing_gradient"]


def dead_units(facts: Facts) -> list[Finding]:
    """DEAD_UNITS: the share of units that sit at the flat end of ReLU for every row looked at.

    Such a unit gives nothing and gets no gradient, so it never comes back. Every network with
    ReLU has some. Half of a layer is a fault if the plain network shows that they are missed.
    """
    return [
        _share_finding(
            "DEAD_UNITS",
            layer,
            share,
            share >= t.DEAD_SHARE and _is_missed(facts),
            "are dead: they give the same for every row",
            "Use activation='leaky_relu' there: its slope is never 0.",
        )
        for layer in facts.layers
        if layer.shrunk < t.SHRUNK_SHARE
        and (share := _last(layer, "dead")) is not None
        and share >= t.DEAD_SHARE_HINT
    ]


def saturated_units(facts: Facts) -> list[Finding]:
    """SATURATED_UNITS: the share of hidden units at a bound of sigmoid or tanh for most rows.

    The slope there is nearly 0, so neither they nor what stands before them learn. An output is
    left out: a classifier that is sure sits at its bounds, and should.
    """
    return [
        _share_finding(
            "SATURATED_UNITS",
            layer,
            share,
            (share >= t.SATURATED_SHARE or _began_saturated(layer))
            and falls_short(facts, t.SMALL_HARM_SHARE),
            "sit at a bound of their activation for nearly all rows",
            "Put lm.BatchNormalization() before the activation: it keeps sums in its steep part.",
        )
        for layer in facts.layers
        if not layer.output
        and (share := _last(layer, "saturated")) is not None
        and share >= t.SATURATED_SHARE_HINT
    ]


def vanishing_gradient(facts: Facts) -> list[Finding]:
    """VANISHING_GRADIENT: a layer's gradient is far smaller than that of a layer behind it.

    Gradients are measured beside the weights (gradient_norm / weight_norm), so layers of any width
    and a loss in any unit compare: before the first step, or else of each layer the median over
    the epochs. How large they are by themselves says nothing: a training that has converged has
    small ones everywhere. Behind units that are dead or saturated they vanish, too; then those are
    the cause.
    """
    several = sum(layer.output for layer in facts.layers) > 1  # beside each other, not in a row
    at_start = [
        (layer.name, ratio)
        for layer in facts.layers
        if (ratio := _start_ratio(layer)) >= 0 and not (several and layer.output)
    ]
    ratios = at_start or _gradients(facts)
    if len(ratios) < 2 or any(layer.shrunk >= t.SHRUNK_SHARE for layer in facts.layers):
        return []
    place = min(range(len(ratios) - 1), key=lambda i: ratios[i][1])
    name, smallest = ratios[place]
    behind_name, largest = max(ratios[place + 1 :], key=lambda one: one[1])
    if largest <= 0 or smallest > t.VANISHING_RATIO * largest:
        return []
    blocked = any(_blocked(layer, at_start=bool(at_start)) for layer in facts.layers)
    return [
        Finding(
            "VANISHING_GRADIENT",
            "hint" if blocked or not falls_short(facts, t.HARM_SHARE) else "problem",
            f"The gradient of {name}, beside its weights, {'began at' if at_start else 'is'} "
            f"{smallest / largest:.2g} of that of {behind_name}: the first layers hardly learn.",
            "Put lm.BatchNormalization() before each activation: it keeps signals in size.",
            {"gradient_ratio": smallest / largest, "largest_in": behind_name},
            layer=name,
        )
    ]


def exploding_gradient(facts: Facts) -> list[Finding]:
    """EXPLODING_GRADIENT: signals that grow from layer to layer, and with them the gradients.

    Weights that are too large let the spread of each layer's outputs grow, and the gradients of
    all layers alike: so the spreads of the hidden layers are compared, not their gradients. Before
    the first step it is the start's fault; if only a later epoch is known, steps that are too long
    can have brought it about, so that it is a hint.
    """
    spreads = [
        (layer.name, spread)
        for layer in facts.layers
        if not layer.output and (spread := _start_spread(layer)) is not None and spread > 0
    ]
    at_start = bool(spreads)
    if not at_start:
        spreads = [
            (layer.name, spread)
            for layer in facts.layers
            if not layer.output and (spread := _first(layer, "spread")) is not None and spread > 0
        ]
    if len(spreads) < 2:
        return []
    place = max(range(1, len(spreads)), key=lambda i: spreads[i][1])
    name, largest = spreads[place]
    before, smallest = min(spreads[:place], key=lambda one: one[1])
    if not largest >= t.EXPLODING_SPREAD * smallest:
        return []
    return [
        Finding(
            "EXPLODING_GRADIENT",
            "problem" if at_start and falls_short(facts, t.SMALL_HARM_SHARE) else "hint",
            f"The outputs of {name} {'began to' if at_start else ''} spread "
            f"{largest / smallest:.3g} times as wide as those of {before}: signals and gradients "
            "grow from layer to layer.".replace("  ", " "),
            "Start with weights that suit the activation: kernel_initializer='auto'.",
            {"spread_ratio": largest / smallest, "smallest_in": before},
            layer=name,
        )
    ]


def _is_missed(facts: Facts) -> bool:
    """Tell whether the plain network does better on training rows, too."""
    plain = facts.trial("reference")
    if plain is None or is_diverged(facts):
        return falls_short(facts, t.HARM_SHARE)
    return ahead(facts, plain) >= t.HARM_SHARE


def _began_saturated(layer: LayerFacts) -> bool:
    return layer.start.get("saturated", 0.0) >= t.SATURATED_SHARE


def _share_finding(
    code: str, layer: LayerFacts, share: float, is_problem: bool, what: str, suggestion: str
) -> Finding:
    count = f" {layer.units}" if layer.units else ""
    return Finding(
        code,
        "problem" if is_problem else "hint",
        f"{share:.0%} of the{count} units of {layer.name} {what}.",
        suggestion,
        {"share": share, "units": layer.units},
        layer=layer.name,
    )


def _last(layer: LayerFacts, statistic: str) -> float | None:
    """Return the last value that was measured."""
    return next(reversed(known(layer.values.get(statistic, []))), None)


def _first(layer: LayerFacts, statistic: str) -> float | None:
    return next(iter(known(layer.values.get(statistic, []))), None)


def _gradient_ratios(layer: LayerFacts) -> list[float]:
    """Return gradient_norm / weight_norm by epoch, where both are known."""
    norms = zip(
        layer.values.get("gradient_norm", []), layer.values.get("weight_norm", []), strict=False
    )
    return known([gradient / weight for gradient, weight in norms if weight > 0])


def _start_spread(layer: LayerFacts) -> float | None:
    return layer.start.get("spread")


def _start_ratio(layer: LayerFacts) -> float:
    """Return gradient_norm / weight_norm before the first step, -1 if that is nothing.

    Weights that are all 0 and get no gradient have the ratio 0.
    """
    gradient, weight = (layer.start.get(key, math.nan) for key in ("gradient_norm", "weight_norm"))
    if not _has_kernel(layer) or not math.isfinite(gradient) or not math.isfinite(weight):
        return -1.0
    if weight == 0:
        return 0.0 if gradient == 0 else math.inf
    return gradient / weight


def _blocked(layer: LayerFacts, *, at_start: bool) -> bool:
    """Tell whether most of a layer is dead, or saturated if it is a hidden one."""
    dead, saturated = (
        layer.start.get(key) if at_start else _last(layer, key) for key in ("dead", "saturated")
    )
    return (dead is not None and dead >= t.DEAD_SHARE) or (
        not layer.output and saturated is not None and saturated >= t.SATURATED_SHARE
    )


def _has_kernel(layer: LayerFacts) -> bool:
    """Tell whether it has one: what only scales or shifts has weights of another kind."""
    return not layer.kind.endswith("Normalization") and layer.kind not in _WITHOUT_KERNEL


def _gradients(facts: Facts) -> list[tuple[str, float]]:
    """Return the typical ratio of the layers with a kernel, in the order of the model."""
    return [
        (layer.name, statistics.median(ratios))
        for layer in facts.layers
        if _has_kernel(layer) and (ratios := _gradient_ratios(layer))
    ]


_WITHOUT_KERNEL = ("Activation", "Embedding", "Scale")

RULES = (dead_units, saturated_units, vanishing_gradient, exploding_gradient)
