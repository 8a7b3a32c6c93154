"""DEAD_UNITS, SATURATED_UNITS, VANISHING_GRADIENT and EXPLODING_GRADIENT, layer by layer."""

from __future__ import annotations

import statistics

from lamina.diagnosis import thresholds as t
from lamina.diagnosis.curves import known
from lamina.diagnosis.facts import Facts, LayerFacts
from lamina.diagnosis.findings import Finding

__all__ = ["RULES", "dead_units", "exploding_gradient", "saturated_units", "vanishing_gradient"]


def dead_units(facts: Facts) -> list[Finding]:
    """DEAD_UNITS: the share of units that sit at the flat end of ReLU for every row looked at.

    Such a unit gives nothing and gets no gradient, so it never comes back. Every network with
    ReLU has some; half of a layer is a fault, and so is an output that is dead.
    """
    return [
        _share_finding(
            "DEAD_UNITS",
            layer,
            share,
            t.DEAD_SHARE,
            "are dead: they give the same for every row",
            "Use activation='leaky_relu' or 'elu' there, start the bias at 0, and lower the "
            "learning rate if the share grew while training.",
        )
        for layer in facts.layers
        if (share := _last(layer, "dead")) is not None and share >= t.DEAD_SHARE_HINT
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
            t.SATURATED_SHARE,
            f"sit at a bound of {layer.activation} for nearly all rows",
            "Scale the inputs (lm.Normalization), start with smaller weights "
            "(kernel_initializer='auto'), or use activation='relu'.",
        )
        for layer in facts.layers
        if not layer.output
        and (share := _last(layer, "saturated")) is not None
        and share >= t.SATURATED_SHARE_HINT
    ]


def vanishing_gradient(facts: Facts) -> list[Finding]:
    """VANISHING_GRADIENT: a layer's gradient is far smaller than that of a layer behind it.

    Gradients are measured beside the weights (gradient_norm / weight_norm), so layers of any width
    and a loss in any unit compare; of each layer the median over the epochs. How large they are by
    themselves says nothing: a training that has converged has small ones everywhere.
    """
    ratios = _gradients(facts)
    if len(ratios) < 2:
        return []
    place = min(range(len(ratios) - 1), key=lambda i: ratios[i][1])
    name, smallest = ratios[place]
    behind_name, largest = max(ratios[place + 1 :], key=lambda one: one[1])
    if largest <= 0 or smallest > t.VANISHING_RATIO * largest:
        return []
    return [
        Finding(
            "VANISHING_GRADIENT",
            "problem",
            f"The gradient of {name}, beside its weights, is {smallest / largest:.2g} of that of "
            f"{behind_name}: the first layers hardly learn.",
            "Use activation='relu' or 'gelu' with kernel_initializer='auto', fewer layers, "
            "lm.Residual around them, or lm.BatchNormalization between them.",
            {"gradient_ratio": smallest / largest, "largest_in": behind_name},
            layer=name,
        )
    ]


def exploding_gradient(facts: Facts) -> list[Finding]:
    """EXPLODING_GRADIENT: signals that grow from layer to layer, or gradients that grow in time.

    Weights that are too large let the spread of each layer's outputs grow, and the gradients of
    all layers with it: so the spread of the hidden layers is compared, not their gradients. Or a
    layer's gradient, beside its weights, has grown far beyond what it was in its best epoch.
    """
    return [*_growing_signals(facts), *_growing_in_time(facts)]


def _growing_signals(facts: Facts) -> list[Finding]:
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
    if largest < t.EXPLODING_SPREAD * smallest:
        return []
    return [
        _exploding(
            name,
            f"The outputs of {name} spread {largest / smallest:.3g} times as wide as those of "
            f"{before}: signals and gradients grow from layer to layer.",
            {"spread_ratio": largest / smallest, "smallest_in": before},
        )
    ]


def _growing_in_time(facts: Facts) -> list[Finding]:
    grown = [
        (layer.name, ratios[-1] / min(ratios))
        for layer in facts.layers
        if len(ratios := [one for one in _gradient_ratios(layer) if one > 0]) > 2
    ]
    name, growth = max(grown, key=lambda one: one[1], default=("", 0.0))
    if growth < t.EXPLODING_GROWTH:
        return []
    return [
        _exploding(
            name,
            f"The gradient of {name}, beside its weights, has grown to {growth:.3g} times what it "
            "was.",
            {"growth": growth},
        )
    ]


def _exploding(name: str, message: str, evidence: dict[str, object]) -> Finding:
    return Finding(
        "EXPLODING_GRADIENT",
        "problem",
        message,
        "Start with weights that suit the activation (kernel_initializer='auto') and clip the "
        "gradient (global_clipnorm=1.0); lm.BatchNormalization between layers helps, too.",
        evidence,
        layer=name,
    )


def _share_finding(
    code: str, layer: LayerFacts, share: float, problem: float, what: str, suggestion: str
) -> Finding:
    of = f" of {layer.units}" if layer.units else ""
    return Finding(
        code,
        "problem" if share >= problem else "hint",
        f"{share:.0%} of the{of} units of {layer.name} {what}.",
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


def _gradients(facts: Facts) -> list[tuple[str, float]]:
    """Return the typical ratio of the layers with a kernel, in the order of the model.

    Layers that only scale or shift, such as BatchNormalization, have weights of another kind.
    """
    return [
        (layer.name, statistics.median(ratios))
        for layer in facts.layers
        if not layer.kind.endswith("Normalization")
        and layer.kind not in ("Scale", "Embedding", "Activation")
        and (ratios := _gradient_ratios(layer))
    ]


RULES = (dead_units, saturated_units, vanishing_gradient, exploding_gradient)
