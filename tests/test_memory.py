"""trainer.memory() and trainer.summary(): the parts of what training holds."""

from __future__ import annotations

import numpy as np
import pytest

import lamina as lm


def make(optimizer: lm.Optimizer | str = "adam", dtype: str = "float32") -> lm.Trainer:
    model = lm.Model([lm.Input(64), lm.Dense(64), lm.Dense(1)], seed=0, dtype=dtype)
    return lm.Trainer(model, loss="mse", optimizer=optimizer, num_threads=1)


PARAMETERS = 64 * 64 + 64 + 64 + 16  # the last bias takes a cache line


@pytest.mark.parametrize(("optimizer", "slots"), [("sgd", 0), ("momentum", 1), ("adam", 2)])
def test_an_optimizer_takes_its_slots(optimizer: str, slots: int) -> None:
    parts = make(optimizer).memory()
    assert parts["weights"] == parts["snapshot"] == 4 * PARAMETERS
    assert parts["optimizer state"] == slots * parts["weights"]
    assert parts["best weights"] == parts["stored gradients"] == parts["evaluation"] == 0


def test_options_take_more() -> None:
    settings = {"use_ema": True, "global_clipnorm": 1.0}
    parts = make(lm.Adam(**settings)).memory(keeps_best=True, rows=1000, validation_rows=100)
    weights = parts["weights"]
    assert parts["moving average, and what lies beneath it"] == 2 * weights
    assert parts["best weights"] == parts["stored gradients"] == weights
    assert parts["order of the rows"] == 8000
    assert parts["evaluation"] > 0
    assert make(dtype="float64").memory()["weights"] == 2 * weights


def test_a_batch_takes_more_with_its_rows() -> None:
    trainer = make()
    small, large = (
        trainer.memory(batch_size=size)["a batch's activations and gradients"]
        for size in (256, 1024)
    )
    assert 3 * small < large < 5 * small


def test_a_fit_holds_what_was_said_before() -> None:
    trainer = make(lm.Adam(use_ema=True))
    options = {"batch_size": 256, "rows": 512, "validation_rows": 100, "keeps_best": True}
    before = trainer.memory(**options)
    x, y = np.ones((512, 64), np.float32), np.zeros(512, np.float32)
    callbacks = [lm.EarlyStopping(restore_best_weights=False)]
    how = {"epochs": 2, "batch_size": 256, "validation_data": (x[:100], y[:100]), "verbose": 0}
    trainer.fit(x, y, callbacks=callbacks, **how)
    options["keeps_best"] = False  # it is kept now, or nothing keeps it
    after = trainer.memory(**options)
    changed = {what for what in before if before[what] != after[what]}
    # What products pack is known once they have run.
    assert changed <= {"a batch's activations and gradients", "evaluation", "best weights"}
    assert all(before[what] <= after[what] for what in changed - {"best weights"})


def test_the_summary_ends_with_the_sum(capsys: pytest.CaptureFixture[str]) -> None:
    trainer = make()
    trainer.summary(batch_size=32)
    text = capsys.readouterr().out
    total = sum(trainer.memory(batch_size=32).values())
    assert "4,225 parameters" in text
    assert f"training takes {total / 1e3:.3g} kB beside the data:" in text
    assert "  optimizer state" in text
    assert "best weights" not in text  # nobody keeps them


@pytest.mark.parametrize("wrong", [{"rows": -5}, {"batch_size": 0}, {"validation_rows": -1}])
def test_sizes_that_cannot_be_are_refused(wrong):
    trainer = lm.Trainer(lm.Model([lm.Input(2), lm.Dense(1)], seed=0), loss="mse")
    with pytest.raises(ValueError, match="memory: expected batch_size"):
        trainer.memory(**wrong)
