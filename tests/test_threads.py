"""How many threads a call takes, what they leave behind, and who else is in the process."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import lamina as lm
from lamina._isa import core

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
two_processors = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or core.info()["threads"] < 2, reason="needs 2 processors"
)

# What the programs below begin with: a network whose steps and predictions are worth two threads.
PRELUDE = """
import os, sys, time, warnings
import numpy as np, lamina as lm
from lamina._isa import core
x = np.random.default_rng(0).normal(size=(1200, 50)).astype(np.float32)
def make(width=256):
    layers = [lm.Input(50), lm.Dense(width, activation="relu"), lm.Dense(width, activation="relu")]
    return lm.Model([*layers, lm.Dense(1)], seed=0)
def train(model, rows=1200):
    lm.Trainer(model, loss="mse", num_threads=2).fit(
        x[:rows], x[:rows, :1], epochs=2, batch_size=400, verbose=0)
    return model.fingerprint()
def threads():
    return len(os.listdir("/proc/self/task"))
"""


def run(program, before="", timeout=120):
    """Its last line; a program of its own, because threads and imports stay in a process."""
    done = subprocess.run(
        [sys.executable, "-c", before + PRELUDE + program],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


@linux
@two_processors
def test_a_thread_is_started_for_what_is_worth_it_and_only_one():
    counts = run("""
before = threads()
small = make(16)
train(small), small.predict(x), small.predict(x[:1]), make().predict(x[:16])
lm.Trainer(small, loss="mse").evaluate(x, x[:, :1])
after_small = threads()
model = make()
for _ in range(6):  # the first four predictions run on one thread, to know how long they take there
    train(model), model.predict(x, num_threads=2)
print(after_small - before, threads() - before)
""")
    assert counts == "0 1"


@linux
def test_affinity_limits():
    assert run("os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
               "print(core.info()['threads'])") == "1"  # fmt: skip


@pytest.mark.ci
@linux
def test_threadpoolctl_limits():
    pytest.importorskip("threadpoolctl")
    counts = run("""
from threadpoolctl import threadpool_limits
before = core.info()["threads"]
with threadpool_limits(1):
    inside, started = core.info()["threads"], threads()
    train(make())
    started = threads() - started
print(inside, started, core.info()["threads"] - before)
""")
    assert counts == "1 0 0"


def test_many_python_threads_predict_at_once():
    """More callers than processors, models shared and own; each gets the right rows."""
    rng = np.random.default_rng(0)
    inputs = [rng.normal(size=(n, 40)).astype(np.float32) for n in (1, 16, 700, 1500)]

    def make(seed):
        return lm.Model([lm.Input(40), lm.Dense(300, activation="tanh"), lm.Dense(2)], seed=seed)

    models = [make(seed) for seed in range(3)]
    expected = [[model.predict(x, num_threads=1) for x in inputs] for model in models]
    wrong, calls = [], []

    def ask(number):
        for i in range(25):
            m, k = (number + i) % len(models), (number + 2 * i) % len(inputs)
            got = models[m].predict(inputs[k], num_threads=1 + i % 3)
            if not np.array_equal(got, expected[m][k]):
                wrong.append((m, k))
            calls.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not any(thread.is_alive() for thread in threads), "a deadlock"
    assert len(calls) == 8 * 25
    assert not wrong


def test_many_python_threads_fit_at_once():
    x = np.random.default_rng(0).normal(size=(900, 50)).astype(np.float32)

    def fit(num_threads=2):
        model = lm.Model([lm.Input(50), lm.Dense(256, activation="relu"), lm.Dense(1)], seed=0)
        trainer = lm.Trainer(model, loss="mse", num_threads=num_threads)
        trainer._scheduling = (0, 0, True)
        trainer.fit(x, x[:, :1], epochs=2, batch_size=300, verbose=0)
        prints.append(model.fingerprint())

    prints = []
    fit(1)
    threads = [threading.Thread(target=fit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(prints) == 5
    assert len(set(prints)) == 1


@linux
@two_processors
def test_nothing_runs_on_after_a_call():
    """From 10 ms after a return on, a fifth of a second takes almost no processor time."""
    used = run("""
model = make()
trainer = lm.Trainer(model, loss="mse", num_threads=2)
def used_after(call):
    for _ in range(6):  # the first predictions run on one thread, to know how long they take there
        call()
    time.sleep(0.01)
    before = time.process_time()
    time.sleep(0.2)
    return time.process_time() - before
calls = [
    lambda: trainer.fit(x, x[:, :1], epochs=1, batch_size=400, verbose=0),
    lambda: model.predict(x, num_threads=2),
    lambda: trainer.evaluate(x, x[:, :1]),
    lambda: trainer.compute_gradients(x, x[:, :1]),
]
print(max(min(used_after(call) for _ in range(3)) for call in calls))
""")
    assert float(used) < 0.01


FORKS = """
import signal
warnings.simplefilter("ignore")  # Python warns of forks in a process with threads
lm.Model._exact_threads = True
ours, model = train(make()), make()
expected = model.predict(x, num_threads=2).tobytes()
for _ in range({forks}):
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        good = core.info()["threads"] == 1 and train(make()) == ours
        good = good and model.predict(x, num_threads=2).tobytes() == expected
        if os.fork() == 0:
            os._exit(0 if core.info()["threads"] == 1 else 1)
        good = good and os.waitstatus_to_exitcode(os.wait()[1]) == 0
        os._exit(0 if good and threads() == 1 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    model.predict(x, num_threads=2)
print("finished")
"""


@linux
@pytest.mark.parametrize("forks", [10, pytest.param(1000, marks=pytest.mark.ci)])
def test_forked_children_finish(forks):
    """After work on two threads: a child has one, and neither it nor its parent waits for ever."""
    assert run(FORKS.replace("{forks}", str(forks)), timeout=600) == "finished"


@linux
def test_a_forked_child_may_end_as_a_program_does():
    """Not by os._exit: what the process has is taken down in the child, too."""
    assert (
        run("""
warnings.simplefilter("ignore")
train(make())
if os.fork() == 0:
    train(make())
    sys.exit(7)
print(os.waitstatus_to_exitcode(os.wait()[1]))
""")
        == "7"
    )


PEERS = {
    "torch": """
import torch
a, layer = torch.rand(400, 400), torch.nn.Linear(50, 256)
def peer_works():
    return float((a @ a).sum()) > 0 and float(layer(torch.from_numpy(x)).sum().detach()) != 0
""",
    "sklearn": """
from sklearn.cluster import KMeans
from sklearn.ensemble import HistGradientBoostingRegressor
def peer_works():
    KMeans(3, n_init=1, random_state=0).fit(x)
    return HistGradientBoostingRegressor(max_iter=3).fit(x, x[:, 0]).score(x, x[:, 0]) > 0
""",
}


@pytest.mark.ci
@pytest.mark.parametrize("order", ["before", "after"])
@pytest.mark.parametrize("peer", PEERS)
def test_beside_another_library_with_threads(peer, order):
    """Each goes on working, and our bits do not change; children of a fork finish, too."""
    pytest.importorskip(peer)
    alone = run("print(train(make()))")
    program = """
warnings.simplefilter("ignore")
lm.Model._exact_threads = True
ours, model = [], make()
expected = model.predict(x, num_threads=1)
for _ in range(3):
    assert peer_works()
    ours.append(train(make()))
    assert peer_works()
    assert np.array_equal(model.predict(x, num_threads=2), expected)
child = os.fork()
if child == 0:
    os._exit(0 if train(make()) == ours[0] else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
print(*set(ours))
"""
    first, later = (PEERS[peer], "") if order == "before" else ("", PEERS[peer])
    assert run(later + program, before=first, timeout=300) == alone
