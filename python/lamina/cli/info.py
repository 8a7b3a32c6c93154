"""``lamina info``: what a model file holds."""

from __future__ import annotations

import argparse
from typing import Any

from lamina.cli.report import metric_table
from lamina.model import Model
from lamina.table.model import TableModel, load

__all__ = ["info"]


def info(options: argparse.Namespace) -> None:
    """Run the command; errors are exceptions whose text is for the user."""
    loaded = load(options.model)
    if isinstance(loaded, Model):
        print(f"{options.model}: a network without a table")
        print(_network(loaded))
        return
    print("\n".join([f"{options.model}: predicts {_target(loaded)}", *_columns(loaded)]))
    print(_network(loaded.model))
    if loaded.details:
        print("\n".join(_training(loaded.details)))


def _target(model: TableModel) -> str:
    target = model.target
    if target.task == "regression":
        return f"{target.name} (regression, {target.low:,g} to {target.high:,g} in training)"
    return f"{target.name} (classification: {', '.join(target.classes)})"


def _columns(model: TableModel) -> list[str]:
    encoder = model.encoder
    lines = []
    if encoder.numeric:
        lines.append(f"numeric columns: {', '.join(encoder.numeric)}")
    counted = [
        f"{column.name} ({len(column.levels)} levels)"
        for column in encoder.columns
        if column.kind == "category"
    ]
    if counted:
        lines.append(f"categorical columns: {', '.join(counted)}")
    return lines


def _network(model: Model) -> str:
    layers = " - ".join(_layer(layer.to_spec()) for layer in model.layers)
    return f"network: {layers}; {model.num_parameters:,} parameters, {model.dtype}"


def _layer(spec: dict[str, Any]) -> str:
    """Return a layer in a few words: its class, size and activation."""
    size = spec.get("units", spec.get("rate", ""))
    words = [spec["class"], size["class"] if isinstance(size, dict) else str(size)]
    activation = spec.get("activation")
    words += [activation["class"] if isinstance(activation, dict) else activation or ""]
    return " ".join(word for word in words if word)


def _training(details: dict[str, Any]) -> list[str]:
    rows = details["rows"]
    return [
        f"trained on {rows['train']:,} rows of {details['table']}, seed {details['seed']}",
        metric_table({name: details[name] for name in ("train", "validation", "test")}),
    ]
