"""The bar of evaluate and predict, and Ctrl-C during them."""

import os
import subprocess
import sys

import numpy as np
import pytest

import lamina as lm
from lamina.progress import RowsBar

ROWS = 5000


def setting():
    model = lm.Model(
        [lm.Input(6), lm.Dense(8, activation="relu", name="hidden"), lm.Dense(1)], seed=0
    )
    x = np.random.default_rng(0).normal(size=(ROWS, 6)).astype(np.float32)
    return lm.Trainer(model, loss="mse", metrics=["r2"]), x, x[:, 0]


CALLS = {
    "predict": lambda t, x, y, **how: t.model.predict(x, **how),
    "predict a list": lambda t, x, y, **how: t.model.predict(x.tolist(), **how),
    "predict a layer": lambda t, x, y, **how: t.model.predict(x, layer="hidden", **how),
    "predict a stream": lambda t, x, y, **how: t.model.predict(
        lm.ArrayStream(x, window_rows=1024), **how
    ),
    "predict a generator": lambda t, x, y, **how: t.model.predict(
        lm.Stream(lambda: iter(np.split(x, 10)), window_rows=1024), **how
    ),
    "evaluate": lambda t, x, y, **how: t.evaluate(x, y, **how),
    "evaluate a stream": lambda t, x, y, **how: t.evaluate(
        lm.ArrayStream(x, y, window_rows=1024), **how
    ),
}


@pytest.mark.parametrize("call", CALLS)
def test_verbose(call, capsys, monkeypatch):
    trainer, x, y = setting()
    what = call.split()[0]
    plain = CALLS[call](trainer, x, y, verbose=0)
    assert capsys.readouterr().err == ""
    bar = CALLS[call](trainer, x, y, verbose=1)
    shown = capsys.readouterr().err
    assert what in shown
    assert "5.00k" in shown or "generator" in call  # all rows, at the end
    by_itself = CALLS[call](trainer, x, y)  # standard error is no terminal here
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("lamina.progress._interactive", lambda: True)
    CALLS[call](trainer, x, y)  # much less than a second
    assert capsys.readouterr().err == ""
    for other in (bar, by_itself):
        if isinstance(plain, dict):
            assert plain == other
        else:
            assert np.array_equal(plain, other)
    with pytest.raises(ValueError, match=f"{what}: verbose must be 0, 1 or 'auto', got 2"):
        CALLS[call](trainer, x, y, verbose=2)


def test_auto_opens_a_bar_once_a_call_is_long(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("lamina.progress._interactive", lambda: True)
    monkeypatch.setattr("lamina.progress.time.perf_counter", lambda: now[0])
    with RowsBar("predict", "auto", 1000) as bar:
        bar.show(100)
        now[0] = 0.9
        bar.show(200)
        assert bar._bar is None
        now[0] = 1.1
        bar.show(300)
        assert bar._bar.n == 300
        bar.window_done(400)
        bar.show(50)
        assert bar._bar.n == 450
    assert "1.00k" in capsys.readouterr().err
    assert bar._bar.n == 1000


def test_a_bar_is_closed_where_the_call_fails(capsys):
    bar = RowsBar("predict", 1, 1000)

    def fail():
        with bar:
            bar.show(300)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert bar._bar.n == 300
    assert bar._bar.disable  # as tqdm does on closing
    assert "30%" in capsys.readouterr().err


INTERRUPTED = """
import os, signal, threading, time
import numpy as np
import lamina as lm
signal.signal(signal.SIGINT, signal.default_int_handler)  # the parent may ignore it
hidden = [lm.Dense(1024, activation="tanh") for _ in range(2)]
model = lm.Model([lm.Input(64), *hidden, lm.Dense(1)], seed=0)
x = np.broadcast_to(np.linspace(-1, 1, 64, dtype=np.float32), (5_000_000, 64))  # some minutes
y = np.broadcast_to(np.float32(0), (len(x),))
trainer = lm.Trainer(model, loss="mse", num_threads=1)
before = model.predict(x[:1000])
sent = []
def send():
    sent.append(time.perf_counter())
    os.kill(os.getpid(), signal.SIGINT)
threading.Timer(0.5, send).start()
try:
    {call}
except KeyboardInterrupt:
    waited = time.perf_counter() - sent[0]
    assert (model.predict(x[:1000]) == before).all()
    print("interrupted", waited)  # the promise is a second, of an idle machine
"""


@pytest.mark.parametrize(
    "call",
    [
        "model.predict(x, num_threads=1)",
        "model.predict(lm.ArrayStream(x), verbose=1)",
        "trainer.evaluate(lm.ArrayStream(x, y))",
        "trainer.evaluate(x, y, verbose=1)",
    ],
)
def test_ctrl_c_ends_them(call):
    run = subprocess.run(
        [sys.executable, "-c", INTERRUPTED.replace("{call}", call)],
        capture_output=True,
        text=True,
        timeout=100,  # the calls themselves take minutes
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert run.stdout.startswith("interrupted"), run.stderr
