"""What goes wrong while a fit runs: bad rows, divergence, other threads, changed arrays, forks."""

import copy
import gc
import os
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import pytest

import lamina as lm

ROWS, COLUMNS = 96, 6


def make_data(rows=ROWS, seed=0):
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(rows, COLUMNS)).astype(np.float32)
    return x, (x[:, 0] > 0) + (x[:, 1] > 0)


def make_trainer(optimizer="adam", **options):
    model = lm.Model(
        [
            lm.Input(COLUMNS),
            lm.Dense(16, activation="relu"),
            lm.BatchNormalization(),
            lm.Dropout(0.1),
            lm.Dense(3, activation="softmax"),
        ],
        seed=0,
    )
    return lm.Trainer(model, loss="cce", optimizer=optimizer, **options)


def on_batch(number, act, epoch=0):
    """Return a callback that acts once, behind a batch of an epoch."""
    done = []

    def hook(batch, logs):
        if not done and batch == number and watch.trainer.epoch == epoch:
            done.append(batch)
            act()

    watch = lm.LambdaCallback(on_train_batch_end=hook)
    return watch


def slow_hook():
    """Makes an epoch take some time, with the GIL free now and then."""
    return lm.LambdaCallback(on_train_batch_end=lambda batch, logs: time.sleep(0.002))


# ---- bad rows, divergence ----------------------------------------------


@pytest.mark.parametrize("source", ["memmap", "stream"])
def test_nan_in_a_row_that_is_read_on_the_way(tmp_path, source):
    """The weights are those of the last completed step: of the rows before the batch with it."""
    x, y = make_data()
    before = make_trainer()
    before.fit(x[:16], y[:16], epochs=1, batch_size=8, shuffle=False, verbose=0)
    x[17, 3] = np.nan
    trainer = make_trainer()
    if source == "memmap":
        mapped = np.memmap(tmp_path / "x", np.float32, "w+", shape=x.shape)
        mapped[:] = x
        given = mapped, y
    else:
        given = (lm.Stream([(x[:16], y[:16]), (x[16:], y[16:])], window_rows=16),)
    with pytest.raises(ValueError, match=r"row 17") as caught:
        trainer.fit(*given, epochs=2, batch_size=8, shuffle=False, verbose=0)
    assert "NaN" in str(caught.value)
    assert trainer.optimizer.iterations == 2
    assert trainer.model.fingerprint() == before.model.fingerprint()
    trainer.fit(*make_data(), epochs=1, verbose=0)


@pytest.mark.parametrize("optimizer", [lm.SGD(), lm.Adam(use_ema=True)])
def test_divergence_goes_back_to_the_last_good_epoch(optimizer):
    x, y = make_data()
    trainer = make_trainer(optimizer)
    model, seen = trainer.model, []

    def remember(epoch, logs):
        seen.append(model.predict(x))
        if epoch == 2:
            model["dense"].kernel[0, 0] = np.nan  # as a huge rate would have it

    with pytest.warns(RuntimeWarning, match="finite"):
        history = trainer.fit(
            x,
            y,
            epochs=20,
            batch_size=8,
            callbacks=[lm.LambdaCallback(on_epoch_end=remember)],
            verbose=0,
        )
    assert history.epoch == [0, 1, 2]
    assert "became non-finite in step 37 (epoch 3)" in history.stop_reason
    assert "Lower the learning rate" in history.stop_reason
    np.testing.assert_array_equal(model.predict(x), seen[-1])
    trainer.fit(x, y, epochs=1, verbose=0)
    assert np.isfinite(trainer.evaluate(x, y)["loss"])


def test_a_rate_that_diverges_names_the_layer():
    x, y = make_data()
    trainer = make_trainer(lm.SGD(learning_rate=1e38))
    start = trainer.model.fingerprint()
    with pytest.warns(RuntimeWarning, match="finite"):
        history = trainer.fit(x, y, epochs=5, batch_size=8, verbose=0)
    assert "diverged: " in history.stop_reason
    assert len(history) == 0
    assert trainer.model.fingerprint() == start


# ---- other threads ----------------------------------------------


def meddling_calls(trainer, x, y):
    """What another thread may not do while a fit runs."""
    model = trainer.model
    other = lm.Trainer(model, loss="cce")
    state = trainer._core.state()
    return {
        "fit": lambda: trainer.fit(x, y, epochs=1, verbose=0),
        "fit of another split": lambda: trainer.fit(x, y, validation_split=0.5, verbose=0),
        "resume": lambda: trainer.resume(x, y, verbose=0),
        "fit of another trainer": lambda: other.fit(x, y, epochs=1, verbose=0),
        "train_on_batch": lambda: other.train_on_batch(x, y),
        "compute_gradients": lambda: other.compute_gradients(x, y),
        "reset": trainer.reset,
        "restore_best": trainer.restore_best,
        "snapshot_best": lambda: trainer.snapshot_best(0, 1.0),
        "state": trainer._core.state,
        "load_state": lambda: trainer._core.load_state(state),
        "freezing": lambda: setattr(model["dense"], "trainable", False),
        "backward": lambda: (model.forward(x[:4]), model.backward(np.ones((4, 3)))),
    }


def test_what_another_thread_may_not_do():
    """It raises at once, and the fit gives the bits that it gives alone."""
    x, y = make_data()
    alone = make_trainer()
    alone.fit(x, y, epochs=3, batch_size=8, verbose=0)
    trainer = make_trainer()
    calls, outcomes = meddling_calls(trainer, x, y), {}

    def meddle():
        for name, call in calls.items():
            begin = time.perf_counter()
            try:
                call()
            except RuntimeError as error:
                outcomes[name] = "fit" in str(error), time.perf_counter() - begin
            except Exception as error:
                outcomes[name] = error
            else:
                outcomes[name] = "went through"

    def hook():
        thread = threading.Thread(target=meddle)
        thread.start()
        thread.join()

    trainer.fit(x, y, epochs=3, batch_size=8, callbacks=[on_batch(4, hook, epoch=1)], verbose=0)
    assert list(outcomes) == list(calls)
    for name, outcome in outcomes.items():
        assert isinstance(outcome, tuple), (name, outcome)
        assert outcome[0], name
        assert outcome[1] < 5, name
    assert trainer.model.fingerprint() == alone.model.fingerprint()
    np.testing.assert_array_equal(trainer.history["loss"], alone.history["loss"])


def test_two_threads_that_fit_at_once():
    """One wins, whichever; the other is refused, and nothing is mixed."""
    x, y = make_data(2000)
    alone = make_trainer()
    alone.fit(x, y, epochs=4, batch_size=8, verbose=0)
    for _ in range(5):
        trainer = make_trainer()
        refused, barrier = [], threading.Barrier(2)

        def fit(trainer=trainer, refused=refused, barrier=barrier):
            barrier.wait()
            try:
                trainer.fit(x, y, epochs=4, batch_size=8, verbose=0)
            except RuntimeError as error:
                refused.append(str(error))

        threads = [threading.Thread(target=fit) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if refused:  # else the first was done before the second began
            assert "being trained" in refused[0]
            assert trainer.model.fingerprint() == alone.model.fingerprint()


def test_eight_threads_predict_while_a_fit_runs():
    """Each answer is that of one epoch's weights, bit for bit: batches, rows, layers and files."""
    x, y = make_data(512)
    trainer = make_trainer()
    model = trainer.model
    asks = {
        "many": lambda: model.predict(x),
        "some": lambda: model.predict(x[:40]),
        "one": lambda: model.predict_one(x[7]),
        "layer": lambda: model.predict(x[:40], layer="dense"),
        "mark": lambda: model.fingerprint().encode(),
    }
    epochs = {name: set() for name in asks}
    answers = {name: set() for name in asks}
    errors, done = [], threading.Event()

    def as_bytes(answer):
        return answer if isinstance(answer, bytes) else np.asarray(answer).tobytes()

    def remember(*_):
        for name, ask in asks.items():
            epochs[name].add(as_bytes(ask()))

    def ask_on():
        try:
            while not done.is_set():
                for name, ask in asks.items():
                    answers[name].add(as_bytes(ask()))
        except Exception as error:
            errors.append(error)

    watch = lm.LambdaCallback(on_train_begin=remember, on_epoch_end=remember)
    threads = [threading.Thread(target=ask_on) for _ in range(8)]
    for thread in threads:
        thread.start()
    try:
        trainer.fit(x, y, epochs=6, batch_size=16, callbacks=[watch], verbose=0)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    remember()
    assert not errors
    for name in asks:
        assert answers[name] <= epochs[name], name


def test_nothing_is_freed_that_a_fit_uses():
    """Model, trainer and arrays live on while a thread fits, whoever else lets them go."""
    x, y = make_data()
    alone = make_trainer()
    alone.fit(x, y, epochs=3, batch_size=8, verbose=0)
    begun, deleted, marks = threading.Event(), threading.Event(), []

    def work(trainer, x, y):
        def hook():
            begun.set()
            deleted.wait(30)

        trainer.fit(x, y, epochs=3, batch_size=8, callbacks=[on_batch(2, hook)], verbose=0)
        marks.append(trainer.model.fingerprint())

    trainer = make_trainer()
    given = [trainer, x.copy(), y.copy()]
    thread = threading.Thread(target=work, args=given)
    thread.start()
    begun.wait(30)
    del trainer, given
    gc.collect()
    noise = [np.ones((ROWS, COLUMNS), np.float32) for _ in range(100)]
    deleted.set()
    thread.join()
    assert len(noise) == 100
    assert marks == [alone.model.fingerprint()]


# ---- within hooks ----------------------------------------------


def test_weights_that_a_hook_sets_are_where_the_fit_goes_on():
    """As between two fits."""
    x, y = make_data()

    def overwrite(model):
        model["dense"].kernel[:] = 0.5

    apart = make_trainer()
    apart.fit(x, y, epochs=1, batch_size=8, verbose=0)
    overwrite(apart.model)
    apart.fit(x, y, epochs=1, batch_size=8, verbose=0)
    within = make_trainer()
    hook = lm.LambdaCallback(
        on_epoch_end=lambda epoch, logs: overwrite(within.model) if epoch == 0 else None
    )
    within.fit(x, y, epochs=2, batch_size=8, callbacks=[hook], verbose=0)
    assert within.model.fingerprint() == apart.model.fingerprint()


def test_what_a_hook_may_not_do():
    x, y = make_data()
    trainer = make_trainer()
    state = trainer._core.state()
    refused = []

    def hook():
        for call in (
            trainer.reset,
            lambda: trainer.fit(x, y, epochs=1, verbose=0),
            lambda: trainer.train_on_batch(x, y),
            lambda: trainer._core.load_state(state),
        ):
            with pytest.raises(RuntimeError, match="fit"):
                call()
            refused.append(call)

    trainer.fit(x, y, epochs=1, batch_size=8, callbacks=[on_batch(4, hook)], verbose=0)
    assert len(refused) == 4


def test_saving_in_a_hook_changes_nothing(tmp_path):
    x, y = make_data()
    alone = make_trainer()
    alone.fit(x, y, epochs=2, batch_size=8, verbose=0)
    trainer = make_trainer()

    def hook():
        trainer.model.save(tmp_path / "m.lamina")
        assert len(trainer._core.state()) > 1000

    trainer.fit(x, y, epochs=2, batch_size=8, callbacks=[on_batch(4, hook, epoch=1)], verbose=0)
    assert trainer.model.fingerprint() == alone.model.fingerprint()
    saved = lm.load(tmp_path / "m.lamina")  # of the last completed epoch
    first = make_trainer()
    first.fit(x, y, epochs=1, batch_size=8, verbose=0)
    np.testing.assert_array_equal(saved.predict(x), first.model.predict(x))


# ---- arrays that change ----------------------------------------------

NONSENSE = [np.iinfo(np.int64).min, -1, 3, 2**31 - 1, 2**31, 2**40]


def codes_model(*inner):
    layers = [lm.Input(2, kind="codes", cardinalities=[7, 5]), *inner]
    return lm.Model([*layers, lm.Dense(8, activation="relu"), lm.Dense(3, activation="softmax")])


def usable(model, x):
    assert np.isfinite(model.predict(x)).all()


@pytest.mark.parametrize("loss", ["cce", "categorical_focal_crossentropy"])
@pytest.mark.parametrize("label", NONSENSE)
def test_labels_that_change_behind_the_check(loss, label):
    x, y = make_data()
    y = y.astype(np.int64)
    metrics = ["accuracy", "top_k_accuracy", "log_loss", "brier_score"]
    trainer = lm.Trainer(make_trainer().model, loss=loss, metrics=metrics)
    trainer.fit(
        x,
        y,
        epochs=2,
        batch_size=8,
        callbacks=[on_batch(4, lambda: y.fill(label))],
        verbose=0,
    )
    usable(trainer.model, x)
    with pytest.raises(ValueError, match="label"):
        trainer.fit(x, y, epochs=1, verbose=0)


@pytest.mark.parametrize("layer", [lm.Embedding(4), lm.OneHot()], ids=["embedding", "one hot"])
@pytest.mark.parametrize("code", NONSENSE)
def test_codes_that_change_behind_the_check(layer, code):
    y = make_data()[1]
    codes = np.stack([np.arange(ROWS) % 7, np.arange(ROWS) % 5], axis=1).astype(np.int64)
    x = codes.copy()
    trainer = lm.Trainer(codes_model(copy.deepcopy(layer)), loss="cce")
    hook = on_batch(4, lambda: x.fill(code))
    trainer.fit(x, y, epochs=2, batch_size=8, callbacks=[hook], verbose=0)
    usable(trainer.model, codes)


@pytest.mark.parametrize("part", ["data", "indices", "indptr"])
@pytest.mark.parametrize("value", [-1, 0, 6, 2**30])
@pytest.mark.parametrize("kind", ["sparse", "numeric"])
def test_sparse_rows_that_change_behind_the_check(part, value, kind):
    sparse = pytest.importorskip("scipy.sparse")
    x, y = make_data()
    matrix = sparse.csr_matrix(np.maximum(x, 0))
    model = lm.Model([lm.Input(COLUMNS, kind=kind), lm.Dense(8), lm.Dense(3, activation="softmax")])
    trainer = lm.Trainer(model, loss="cce")
    hook = on_batch(4, lambda: getattr(matrix, part).fill(value))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        trainer.fit(matrix, y, epochs=2, batch_size=8, callbacks=[hook], verbose=0)
    usable(model, x)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_change_behind_the_check_diverge(value):
    x, y = make_data()
    clean = x.copy()
    trainer = make_trainer()
    hook = on_batch(4, lambda: x.fill(value), epoch=1)
    with pytest.warns(RuntimeWarning, match="finite"):
        history = trainer.fit(x, y, epochs=3, batch_size=8, callbacks=[hook], verbose=0)
    assert history.stop_reason.startswith("diverged")
    first = make_trainer()
    first.fit(clean, y, epochs=1, batch_size=8, verbose=0)
    assert trainer.model.fingerprint() == first.model.fingerprint()


@pytest.mark.parametrize("value", [np.nan, -1.0, 0.0])
def test_weights_that_change_behind_the_check(value):
    x, y = make_data()
    weight = np.ones(ROWS)
    trainer = make_trainer()
    hook = on_batch(4, lambda: weight.fill(value))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            trainer.fit(
                x, y, sample_weight=weight, epochs=2, batch_size=8, callbacks=[hook], verbose=0
            )
        except ValueError as error:
            refused = str(error)
        else:
            refused = ""
    assert refused in ("", "sample_weight: all weights are 0")
    usable(trainer.model, x)
    trainer.fit(x, y, epochs=1, verbose=0)


def test_arrays_that_another_thread_writes_all_the_time():
    x, y = make_data(2000)
    clean, done, draw = x.copy(), threading.Event(), np.random.default_rng(1)

    def scribble():
        while not done.is_set():
            y[:] = draw.integers(-(2**40), 2**40, y.shape)
            x[:] = draw.normal(size=x.shape)

    y = y.astype(np.int64)
    trainer = make_trainer(metrics=["top_k_accuracy"])
    thread = threading.Thread(target=scribble)
    hook = lm.LambdaCallback(on_train_begin=lambda logs=None: thread.start())
    try:
        trainer.fit(x, y, epochs=5, batch_size=16, callbacks=[hook], verbose=0)
    finally:
        done.set()
        thread.join()
    usable(trainer.model, clean)


# ---- forks ----------------------------------------------

FORKS = """
import copy, os, sys, threading, warnings
import numpy as np, lamina as lm
warnings.simplefilter("ignore")
x = np.random.default_rng(0).normal(size=(2000, 20)).astype(np.float32)
y = x[:, :1] * x[:, 1:2]
def make():
    model = lm.Model([lm.Input(20), lm.Dense(128, activation="relu"), lm.Dense(1)], seed=0)
    trainer = lm.Trainer(model, loss="mse", num_threads=2)
    trainer._scheduling = (0, 0, True)
    return trainer
def fit(trainer, epochs=3, **options):
    trainer.fit(x, y, epochs=epochs, batch_size=50, verbose=0, **options)
    return trainer.model.fingerprint()
ours, short = fit(make()), fit(make(), 1)
def in_a_child(model, seen):
    child = os.fork()
    if child == 0:
        try:
            good = model.predict(x).tobytes() in seen
            good = good and fit(make(), 1) == short
            twin = lm.Trainer(copy.deepcopy(model), loss="mse")
            fit(twin, 1)
            good = good and bool(np.isfinite(twin.model.predict(x)).all())
            try:
                fit(lm.Trainer(model, loss="mse"), 1)
                good = False
            except RuntimeError:
                pass
            os._exit(0 if good else 1)
        except BaseException as error:
            print(repr(error), flush=True)
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
trainer = make()
seen = set()
def remember(*_):
    seen.add(trainer.model.predict(x).tobytes())
remember()
if sys.argv[1] == "hook":
    def hook(batch, logs):
        if batch in (3, 20):
            in_a_child(trainer.model, seen)
    theirs = fit(trainer, callbacks=[
        lm.LambdaCallback(on_train_batch_end=hook, on_epoch_end=remember)])
else:
    marks, begun, done = [], threading.Event(), threading.Event()
    def begin(logs=None):
        begun.set()
    def wait(epoch, logs):
        remember()
        if epoch == 1:
            done.wait(60)
    thread = threading.Thread(target=lambda: marks.append(fit(trainer, callbacks=[
        lm.LambdaCallback(on_train_begin=begin, on_epoch_end=wait)])))
    thread.start()
    begun.wait()
    for _ in range(5):
        child_may_see = trainer.model.predict(x).tobytes()
        in_a_child(trainer.model, seen | {child_may_see})
    done.set()
    thread.join()
    theirs = marks[0]
assert theirs == ours, "the parent's bits"
print("ok")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("where", ["hook", "another thread"])
def test_a_fork_while_a_fit_runs(where):
    """The child predicts and trains models of its own; the parent goes on with the right bits."""
    run = subprocess.run(
        [sys.executable, "-c", FORKS, where],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.stdout.strip() == "ok", run.stdout + run.stderr
