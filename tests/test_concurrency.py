"""Threads, signals and forks around a fit."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import lamina as lm


def setting(width=64, rows=2000):
    draw = np.random.default_rng(0)
    x = draw.normal(size=(rows, 20)).astype(np.float32)
    y = x[:, :1] * x[:, 1:2]
    model = lm.Model([lm.Input(20), lm.Dense(width, activation="relu"), lm.Dense(1)], seed=0)
    return model, x, y


def test_predict_from_other_threads_during_fit():
    """They see the weights of a completed epoch: all rows of one answer come from one epoch."""
    model, x, y = setting()
    trainer = lm.Trainer(model, loss="mse")
    done = threading.Event()
    answers, errors, epochs = [], [], {model.predict(x[:32]).tobytes()}

    def ask():
        try:
            while not done.is_set():
                answers.append(model.predict(x[:32]).tobytes())
        except Exception as error:  # reported by the assertion below
            errors.append(error)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    watch = lm.LambdaCallback(
        on_epoch_end=lambda epoch, logs: epochs.add(model.predict(x[:32]).tobytes())
    )
    for thread in threads:
        thread.start()
    try:
        trainer.fit(x, y, epochs=8, batch_size=50, callbacks=[watch], verbose=0)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert not errors
    assert len(answers) > 3
    assert set(answers) <= epochs


def test_a_second_fit_is_refused_at_once():
    model, x, y = setting()
    trainer, other = lm.Trainer(model, loss="mse"), lm.Trainer(model, loss="mse")
    seen = []

    def meddle(epoch, logs):
        for call in (
            lambda: other.fit(x, y, epochs=1, verbose=0),
            lambda: trainer.fit(x, y, epochs=1, verbose=0),
            lambda: other.compute_gradients(x, y),
        ):
            with pytest.raises(RuntimeError, match="being trained"):
                call()
        seen.append(epoch)

    trainer.fit(x, y, epochs=2, callbacks=[lm.LambdaCallback(on_epoch_end=meddle)], verbose=0)
    assert seen == [0, 1]
    other.fit(x, y, epochs=1, verbose=0)  # and afterwards the model is free again


def test_a_callbacks_exception_comes_out_as_it_went_in():
    model, x, y = setting()
    trainer = lm.Trainer(model, loss="mse")
    error = KeyError("mine")

    def fail(epoch, logs):
        raise error

    with pytest.raises(KeyError) as caught:
        trainer.fit(x, y, epochs=3, callbacks=[lm.LambdaCallback(on_epoch_end=fail)], verbose=0)
    assert caught.value is error
    trainer.fit(x, y, epochs=1, verbose=0)
    assert trainer.history.epoch == [0, 1]


@pytest.mark.parametrize("case", ["small", "long steps", "python loss"])
def test_ctrl_c_returns_and_leaves_a_usable_model(case):
    width = 4000 if case == "long steps" else 64
    model, x, y = setting(width, rows=20000)
    if case == "long steps":
        model = lm.Model(
            [lm.Input(20), lm.Dense(width, activation="relu"), lm.Dense(width), lm.Dense(1)], seed=0
        )

    def loss(y_true, y_pred):
        return ((y_pred - y_true) ** 2)[:, 0], 2 * (y_pred - y_true)

    trainer = lm.Trainer(model, loss=loss if case == "python loss" else "mse")
    sent = []

    def interrupt():
        while trainer.optimizer.iterations == 0:  # the fit is on its way
            time.sleep(0.05)
        time.sleep(0.2)
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(x, y, epochs=100_000, batch_size=1000, verbose=0)
    waited = time.perf_counter() - sent[0]
    thread.join()
    assert waited < 5, "the promise is a second; this machine may be busy"
    assert trainer.history.stop_reason == "interrupted"
    assert np.isfinite(model.predict(x[:16])).all()
    trainer.fit(x[:64], y[:64], epochs=1, verbose=0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_trains_on_one_thread():
    """After a parallel region libgomp's pool is gone in the child, which must not wait for it."""
    code = """
import os, warnings
import numpy as np, lamina as lm
warnings.simplefilter("ignore")
x = np.random.default_rng(0).normal(size=(600, 40)).astype(np.float32)
def train():
    model = lm.Model([lm.Input(40), lm.Dense(256, activation="relu"), lm.Dense(1)], seed=0)
    trainer = lm.Trainer(model, loss="mse", num_threads=2)
    trainer._scheduling = (0, 0, True)
    trainer.fit(x, x[:, :1], epochs=2, verbose=0)
    return model.fingerprint()
ours = train()
for _ in range(20):
    child = os.fork()
    if child == 0:
        os._exit(0 if train() == ours else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
print("ok")
"""
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert run.stdout.strip() == "ok", run.stderr


def test_threads_are_limited_by_the_environment():
    code = "import lamina as lm; from lamina._isa import core; print(core.info()['threads'])"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert run.stdout.strip() == "1"
