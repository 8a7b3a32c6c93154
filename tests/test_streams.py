"""Streams: chunks of any size give the results of arrays; windows, errors, ends, memory."""

import gc
import itertools
import os
import signal
import threading
import time

import numpy as np
import pytest

import lamina as lm
from lamina.windows import draw_windows

ROWS = 1000
DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(ROWS, 5)).astype(np.float32)
Y = (X[:, 0] * X[:, 1]).astype(np.float32)
LABELS = (X[:, 0] > 0).astype(np.int64) + (X[:, 1] > 0)
WEIGHTS = DRAW.uniform(0, 2, ROWS)
WEIGHTS[64:160] = 0


def cut(*arrays, sizes=(7, 130, 1, 0, 400, 3)):
    """A function that gives the arrays in chunks of odd sizes."""

    def chunks():
        at = 0
        for size in itertools.cycle(sizes):
            if at >= len(arrays[0]):
                return
            yield tuple(one[at : at + size] for one in arrays)
            at += size

    return chunks


def make(threads=1, loss="mse", seed=0, **arguments):
    layers = [lm.Input(5), lm.Dense(16, activation="relu"), lm.Dropout(0.1)]
    layers.append(lm.Dense(1) if loss == "mse" else lm.Dense(3, activation="softmax"))
    trainer = lm.Trainer(lm.Model(layers, seed=seed), loss=loss, num_threads=threads, **arguments)
    trainer._scheduling = (0, 0, True)
    return trainer


def fitted(*data, threads=1, epochs=3, batch_size=32, loss="mse", metrics=("mae",), **arguments):
    """Fingerprint and history."""
    trainer = make(threads, loss, metrics=metrics)
    history = trainer.fit(*data, epochs=epochs, batch_size=batch_size, **arguments)
    return trainer.model.fingerprint(), history.history


@pytest.fixture(autouse=True)
def no_threads_left():
    yield
    deadline = time.monotonic() + 5
    while any(one.name == "lamina stream" for one in threading.enumerate()):
        assert time.monotonic() < deadline, "a reading thread has not ended"


# ---- the same bits as arrays ------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("window_rows", [1, 32, 100, 256, 65536])
@pytest.mark.parametrize("sizes", [(1000,), (7, 130, 1, 0, 400, 3), (32,)])
def test_in_order_the_bits_are_those_of_arrays(threads, window_rows, sizes):
    stream = lm.Stream(cut(X, Y, sizes=sizes), window_rows=window_rows)
    assert fitted(stream, threads=threads, shuffle=False) == fitted(X, Y, shuffle=False)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("window_rows", [1024, 65536])
def test_in_one_window_the_shuffled_bits_are_those_of_arrays(threads, window_rows):
    expected = fitted(X, Y)
    for stream in (lm.Stream(cut(X, Y), window_rows=window_rows), lm.ArrayStream(X, Y)):
        assert fitted(stream, threads=threads) == expected


def test_every_way_to_give_chunks_is_the_same():
    expected = fitted(X, Y, shuffle=False)
    chunks = cut(X, Y)
    ways = [chunks, list(chunks()), lm.Stream(chunks), lm.Stream(list(chunks())), map_of(chunks)]
    for way in ways:
        assert fitted(way, shuffle=False) == expected
    once = fitted(X, Y, epochs=1)
    assert fitted(chunks(), epochs=1) == once


def map_of(chunks):
    class Loader:
        """Like a DataLoader: lists, made anew each time."""

        def __iter__(self):
            return map(list, chunks())

    return Loader()


@pytest.mark.parametrize("shuffle", [False, True])
def test_weights_and_class_weights(shuffle):
    given = {"loss": "cce", "metrics": ["accuracy"], "shuffle": shuffle}
    by_class = {0: 0.5, 1: 1.0, 2: 3.0}
    window_rows = 65536 if shuffle else 64  # so that one holds nothing but weights of 0
    expected = fitted(X, LABELS, sample_weight=WEIGHTS, **given)
    stream = lm.Stream(cut(X, LABELS, WEIGHTS), window_rows=window_rows)
    assert fitted(stream, **given) == expected
    expected = fitted(X, LABELS, sample_weight=WEIGHTS, class_weight=by_class, **given)
    assert fitted(stream, class_weight=by_class, **given) == expected
    expected = fitted(X, LABELS, class_weight=by_class, **given)
    stream = lm.Stream(cut(X, LABELS), window_rows=window_rows)
    assert fitted(stream, class_weight=by_class, **given) == expected


def test_windows_are_shuffled_within():
    one, other = (
        fitted(lm.Stream(cut(X, Y, sizes=sizes), window_rows=128)) for sizes in [(50,), (999,)]
    )
    assert one == other  # however the source is cut
    seen = []
    for window in ([X[:128], Y[:128]], [X[128:256], Y[128:256]]):
        seen.append(fitted(*window))
    whole = fitted(lm.Stream(cut(X[:256], Y[:256]), window_rows=128))
    assert whole[0] not in [fingerprint for fingerprint, _ in seen]
    assert whole != fitted(X[:256], Y[:256])
    assert whole != fitted(X[:256], Y[:256], shuffle=False)


def order_of(stream, **arguments):
    """The rows in the order in which they are trained on: (epochs, rows)."""
    model = lm.Model([lm.Input(1), lm.Dense(1, use_bias=False)], seed=0)
    model.layers[0].kernel[:] = 0
    trainer = lm.Trainer(model, loss="mse", optimizer=lm.SGD(1e-12))
    seen = []

    class Note(lm.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(round(np.sqrt(logs["loss"])))

    trainer.fit(stream, batch_size=1, callbacks=[Note()], verbose=0, **arguments)
    return np.reshape(seen, (arguments["epochs"], -1)).tolist()


def test_each_epoch_has_another_order_and_windows_stay_together():
    rows = np.arange(100, dtype=np.float64)
    for stream in (
        lm.Stream(cut(rows[:, None], rows), window_rows=30),
        lm.ArrayStream(rows[:, None], rows, window_rows=30),
    ):
        first, second = order_of(stream, epochs=2)
        assert first != second
        assert sorted(first) == sorted(second) == rows.tolist()
        assert first != rows.tolist()
        array = isinstance(stream, lm.ArrayStream)
        for epoch in (first, second):
            windows = [row // 30 for row in epoch]
            passed = [window for window, _ in itertools.groupby(windows)]
            assert sorted(passed) == [0, 1, 2, 3]
            assert array or passed == [0, 1, 2, 3]
        assert order_of(stream, epochs=1, shuffle=False) == [rows.tolist()]
    passed = {
        tuple(row // 10 for row in epoch[::10])
        for epoch in order_of(lm.ArrayStream(rows[:, None], rows, window_rows=10), epochs=4)
    }
    assert len(passed) == 4


def test_the_short_window_may_come_first():
    stream = lm.ArrayStream(X, Y, window_rows=96)  # the last of 11 windows has 40 rows
    epochs = [epoch for epoch in range(99) if draw_windows(0, epoch)(11)[0] == 10]
    trainer, by_hand = (
        lm.Trainer(lm.Model([lm.Input(5), lm.Dense(1)], seed=0), loss="mse", optimizer="sgd")
        for _ in range(2)
    )
    for epoch in range(epochs[0] + 1):  # each a fit of its own, so that one begins with it
        trainer.fit(stream, epochs=1, batch_size=96)
        for window in draw_windows(0, epoch)(11):
            rows = slice(96 * window, 96 * window + 96)
            by_hand.fit(X[rows], Y[rows], epochs=1, batch_size=96)
    expected = by_hand.model.layers[0].kernel
    np.testing.assert_allclose(trainer.model.layers[0].kernel, expected, rtol=1e-4, atol=1e-6)


def test_two_fits_of_two_epochs_are_one_of_four():
    def run(*epochs):
        trainer = make()
        for count in epochs:
            trainer.fit(lm.ArrayStream(X, Y, window_rows=200), epochs=count, batch_size=40)
        return trainer.model.fingerprint(), trainer.history.history

    assert run(2, 2) == run(4)


def test_several_inputs_and_outputs():
    def run(data):
        a, b = lm.Input(2, name="a"), lm.Input(3, name="b")
        hidden = lm.Dense(8, activation="tanh")(lm.Concatenate()([a, b]))
        outputs = [lm.Dense(1, name="product")(hidden), lm.Dense(3, name="kind")(hidden)]
        model = lm.Model(inputs=[a, b], outputs=outputs, seed=0)
        losses = {"product": "mse", "kind": lm.losses.CategoricalCrossentropy(from_logits=True)}
        trainer = lm.Trainer(model, loss=losses, metrics={"kind": ["accuracy"]})
        history = trainer.fit(*data, epochs=2, batch_size=32, shuffle=False)
        x = data[0]
        measured = trainer.evaluate(*data)
        return model.fingerprint(), history.history, measured, *model.predict(x)

    def part(rows):
        x = {"a": X[rows, :2], "b": X[rows, 2:]}
        return x, {"product": Y[rows], "kind": LABELS[rows]}

    expected = run(part(slice(None)))
    for stream in (
        lm.ArrayStream(*part(slice(None)), window_rows=96),
        lm.Stream([part(slice(at, at + 77)) for at in range(0, ROWS, 77)], window_rows=96),
    ):
        found = run([stream])
        assert found[:3] == expected[:3]
        assert all(map(np.array_equal, found[3:], expected[3:]))


@pytest.mark.parametrize("dtype", ["float16", ">f4", "float64", "int16", "uint8", "bool"])
def test_dtypes_come_as_they_are(dtype):
    x = (X * 10).astype(dtype)
    stream = lm.Stream(cut(x, Y), window_rows=128)
    assert fitted(stream, shuffle=False) == fitted(x, Y, shuffle=False)


def test_a_window_takes_the_dtype_that_holds_all():
    x = np.round(X * 100)
    parts = [x[:100].astype(np.int8), x[100:300].astype(np.int32), x[300:].astype(np.float32) / 7]
    x = np.concatenate([part.astype(np.float64) for part in parts])
    ends = np.cumsum([0, *map(len, parts)])
    chunks = [(part, Y[a:b]) for part, a, b in zip(parts, ends, ends[1:], strict=False)]
    stream = lm.Stream(chunks, window_rows=320)
    assert fitted(stream, shuffle=False) == fitted(x, Y, shuffle=False)


# ---- measuring and predicting -----------------------------------------------------------------


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("window_rows", [1, 48, 65536])
def test_evaluate_gives_the_bits_of_arrays(weights, window_rows):
    metrics = ["accuracy", "f1_macro", lm.metrics.TopKAccuracy(k=2)]
    trainer = make(loss="cce", metrics=metrics)
    trainer.fit(X, LABELS, epochs=2)
    expected = trainer.evaluate(X, LABELS, sample_weight=weights)
    arrays = (X, LABELS) if weights is None else (X, LABELS, weights)
    for stream in (
        lm.Stream(cut(*arrays), window_rows=window_rows),
        lm.ArrayStream(*arrays, window_rows=window_rows),
    ):
        assert trainer.evaluate(stream) == expected
    plain = make(loss="cce", metrics=["accuracy"])
    expected = plain.evaluate(X, LABELS, sample_weight=weights)
    assert plain.evaluate(cut(*arrays)()) == expected  # a generator: it is read once


def test_predict_gives_the_bits_of_arrays():
    model = make().model
    expected = model.predict(X)
    for stream in (
        lm.Stream(cut(X, Y), window_rows=100),
        lm.Stream(cut(X, Y), rows=ROWS),
        lm.Stream(lambda: (chunk[0] for chunk in cut(X)())),
        lm.ArrayStream(X, window_rows=48),
    ):
        assert np.array_equal(model.predict(stream), expected)
    hidden = model.predict(X, layer="dense")
    assert np.array_equal(model.predict(lm.ArrayStream(X), layer="dense"), hidden)


def test_validation_data_may_be_a_stream():
    arguments = {"metrics": ["mae", "r2"], "shuffle": False}
    expected = fitted(X, Y, validation_data=(X[:300], Y[:300]), **arguments)
    held_out = lm.Stream(cut(X[:300], Y[:300]), window_rows=64)
    assert fitted(X, Y, validation_data=held_out, **arguments) == expected
    stream = lm.Stream(cut(X, Y), window_rows=64)
    assert fitted(stream, validation_data=held_out, **arguments) == expected
    assert fitted(stream, validation_data=(X[:300], Y[:300]), **arguments) == expected


def test_metrics_of_all_predictions_on_the_training_stream():
    def run(*data):
        trainer = make(metrics=["r2"], set_metrics_on_training=True)
        return trainer.fit(*data, epochs=2, shuffle=False).history

    assert run(lm.Stream(cut(X, Y), window_rows=128)) == run(X, Y)


def test_callbacks_and_early_stopping_as_with_arrays():
    def run(*data):
        trainer = make(metrics=["mae"])
        batches = []

        class Note(lm.Callback):
            def on_train_batch_end(self, batch, logs=None):
                batches.append((batch, logs["loss"]))

        stop = lm.EarlyStopping("mae", patience=1, min_delta=0.5)
        history = trainer.fit(
            *data, epochs=9, batch_size=100, shuffle=False, callbacks=[stop, Note()]
        )
        return trainer.model.fingerprint(), history.history, history.stop_reason, batches

    assert run(lm.Stream(cut(X, Y), window_rows=200)) == run(X, Y)


# ---- ends -------------------------------------------------------------------------------------


@pytest.mark.parametrize("stop_at", [1, 3, 4, 9])
def test_a_stop_inside_an_epoch_leaves_a_usable_model(stop_at):
    trainer = make()

    class Stop(lm.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == stop_at:
                self.trainer.stop("enough")

    stream = lm.Stream(cut(X, Y), window_rows=200)
    history = trainer.fit(stream, batch_size=100, shuffle=False, callbacks=[Stop()])
    assert history.stop_reason == "enough"
    assert trainer.epoch == (1 if stop_at == 9 else 0)  # the tenth step is the epoch's last
    assert trainer.resumable == (stop_at != 9)
    alone = make()
    alone.fit(X[: (stop_at + 1) * 100], Y[: (stop_at + 1) * 100], epochs=1, batch_size=100,
              shuffle=False)  # fmt: skip
    assert trainer.model.fingerprint() == alone.model.fingerprint()
    before = trainer.epoch
    trainer.fit(stream, epochs=1, batch_size=100)
    assert trainer.epoch == before + 1


def test_an_exception_of_the_source_comes_out_as_it_went_in():
    class OwnError(Exception):
        pass

    error = OwnError("the disk is gone")

    def chunks():
        yield from itertools.islice(cut(X, Y, sizes=(200,))(), 3)
        raise error

    trainer = make()
    with pytest.raises(OwnError) as caught:
        trainer.fit(chunks, batch_size=100, epochs=2)
    assert caught.value is error
    if hasattr(error, "__notes__"):
        assert error.__notes__ == ["raised by the source of the stream for its chunk 3"]
    assert trainer.history.stop_reason is None or "OwnError" in trainer.history.stop_reason
    assert not trainer._core.fitting
    trainer.fit(X, Y, epochs=1)


def test_an_exception_of_a_callback_ends_the_thread():
    class Fail(lm.Callback):
        def on_train_batch_end(self, batch, logs=None):
            raise KeyError("mine")

    trainer = make()
    with pytest.raises(KeyError, match="mine"):
        trainer.fit(lm.Stream(cut(X, Y), window_rows=32), batch_size=32, callbacks=[Fail()])
    trainer.fit(lm.ArrayStream(X, Y), epochs=1)


def test_an_error_of_a_later_window_keeps_the_completed_steps():
    x = X.copy()
    x[777, 2] = np.nan
    expected = make()
    expected.fit(X[:700], Y[:700], epochs=1, batch_size=100, shuffle=False)
    for stream in (
        lm.Stream(cut(x, Y), window_rows=100),
        lm.ArrayStream(x, Y, window_rows=100),
    ):
        trainer = make()
        with pytest.raises(ValueError, match="column 2 holds NaN in row 777"):
            trainer.fit(stream, batch_size=100, shuffle=False)
        assert trainer.model.fingerprint() == expected.model.fingerprint()
        assert not trainer._core.fitting
    with pytest.raises(ValueError, match="column 2 holds NaN in row 777"):
        make().fit(lm.ArrayStream(x, Y, window_rows=100), batch_size=100)  # whatever the order
    with pytest.raises(ValueError, match="column 2 holds NaN in row 777"):
        trainer.evaluate(lm.Stream(cut(x, Y), window_rows=100))


def test_rows_of_bad_targets_and_weights_are_counted_over_the_stream():
    labels, weights = LABELS.copy(), WEIGHTS.copy()
    labels[901], weights[801] = 3, -1
    trainer = make(loss="cce")
    for shuffle in (False, True):
        with pytest.raises(ValueError, match="label 3 in row 901"):
            trainer.fit(lm.ArrayStream(X, labels, window_rows=128), shuffle=shuffle)
        with pytest.raises(ValueError, match="got -1 in row 801"):
            trainer.fit(lm.ArrayStream(X, LABELS, weights, window_rows=128), shuffle=shuffle)


def test_divergence_goes_back_to_the_last_good_epoch():
    trainer = lm.Trainer(
        lm.Model([lm.Input(5), lm.Dense(1)], seed=0), loss="mse", optimizer=lm.SGD(1e20)
    )
    start = trainer.model.fingerprint()
    with pytest.warns(RuntimeWarning, match="non-finite"):
        trainer.fit(lm.ArrayStream(X, Y, window_rows=256), batch_size=64)
    assert trainer.model.fingerprint() == start
    assert trainer._core.cursor == 0


def interrupt_soon(seconds=0.3):
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    return timer


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("hangs", [False, True])
def test_ctrl_c_ends_within_a_second(hangs):
    gone = threading.Event()

    def chunks():
        try:
            for number in itertools.count():
                yield X, Y
                if hangs and number == 2:
                    gone.wait(3)  # as a slow disk does
        finally:
            gone.set()

    trainer = make()
    timer = interrupt_soon()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(chunks, epochs=1, verbose=0)
    assert time.monotonic() - start < 2.5  # a second, and what a busy machine takes
    timer.join()
    assert gone.wait(4)  # the source is closed as soon as it answers
    assert not trainer._core.fitting
    trainer.fit(X, Y, epochs=1)


def test_the_source_is_closed_when_the_fit_ends():
    closed = []

    def chunks():
        try:
            yield X, Y
            yield X, Y
        finally:
            closed.append(True)

    trainer = make()
    trainer.fit(chunks, epochs=2)
    assert closed == [True] * 2

    class Stop(lm.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.trainer.stop()

    trainer.fit(lm.Stream(chunks, window_rows=128), epochs=1, callbacks=[Stop()])
    gc.collect()
    assert len(closed) == 3


# ---- what is refused --------------------------------------------------------------------------


def test_a_generator_is_read_once():
    trainer = make()
    before = trainer.model.fingerprint()
    with pytest.raises(ValueError, match=r"read 2 times.*generator, can be read only once: give"):
        trainer.fit(cut(X, Y)(), epochs=2)
    with pytest.raises(ValueError, match="validation_data: the stream must be read 2 times"):
        trainer.fit(X, Y, epochs=2, validation_data=lm.Stream(cut(X, Y)()))
    chunks = cut(X, Y)()
    list(chunks)
    with pytest.raises(ValueError, match="the stream gave no rows"):
        trainer.fit(chunks, epochs=1)
    assert trainer.model.fingerprint() == before
    same = cut(X, Y)()
    with pytest.raises(ValueError, match="the stream gave no rows"):
        trainer.fit(lambda: same, epochs=2)
    assert trainer.epoch == 1


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (X, TypeError, "y is missing; without y, X must give chunks"),
        ({"a": X}, TypeError, "y is missing"),
        (3, TypeError, "y is missing"),
        (X.tolist(), TypeError, r"chunk 0: expected \(X, y\) or .* got list of 5"),
        ([X, X], TypeError, r"chunk 0: expected \(X, y\) or .* got ndarray"),
        ([(X, Y), (X,)], TypeError, "chunk 1: expected .* got tuple of 1"),
        ([(X, Y), (X, Y[:3])], ValueError, r"chunk 1: X, y .* have \[1000, 3\] rows"),
        ([(X, Y), (X[:, :3], Y)], ValueError, r"chunk 1: X has rows of shape \(3,\)"),
        ([(X, Y), (X, X)], ValueError, r"chunk 1: y has rows of shape \(5,\)"),
        ([(X, Y), (X, Y, Y)], ValueError, "chunk 1: all chunks must have sample_weight"),
        ([(X, Y), (X, np.array(["a"] * ROWS))], TypeError, "chunk 1: y: the labels are text"),
        ([(X[:, :3], Y)], ValueError, "expected 5 columns, got 3"),
        (lambda: 3, TypeError, "not iterable"),
    ],
)
def test_chunks_that_do_not_fit(X, error, message):
    trainer = make()
    before = trainer.model.fingerprint()
    with pytest.raises(error, match=message):
        trainer.fit(X, epochs=1, batch_size=2000)
    assert trainer.model.fingerprint() == before
    assert not trainer._core.fitting


def test_what_does_not_go_with_a_stream():
    trainer, stream = make(), lm.ArrayStream(X, Y)
    with pytest.raises(ValueError, match="y: a stream brings its own"):
        trainer.fit(stream, Y)
    with pytest.raises(ValueError, match="sample_weight: a stream brings its own"):
        trainer.evaluate(stream, sample_weight=WEIGHTS)
    with pytest.raises(ValueError, match=r"validation_split: .* validation_data"):
        trainer.fit(stream, validation_split=0.1)
    with pytest.raises(ValueError, match="class_weight: no weight for"):
        make(loss="cce").fit(lm.ArrayStream(X, LABELS), class_weight={0: 1})
    with pytest.raises(ValueError, match="all weights are 0"):
        trainer.fit(lm.ArrayStream(X, Y, np.zeros(ROWS)))
    with pytest.raises(ValueError, match="all weights are 0"):
        trainer.evaluate(lm.ArrayStream(X, Y, np.zeros(ROWS)))
    with pytest.raises(ValueError, match="window_rows must be"):
        lm.Stream([], window_rows=0)
    with pytest.raises(TypeError, match="expected an iterable of"):
        lm.Stream(3)
    with pytest.raises(ValueError, match="ArrayStream: X has 1000 rows, y has 3"):
        lm.ArrayStream(X, Y[:3])


def test_the_number_of_rows_must_be_true():
    for said in (ROWS - 1, ROWS + 1):
        stream = lm.Stream(cut(X, Y), rows=said)
        with pytest.raises(ValueError, match=f"gave 1000 rows; rows={said} was said"):
            make().fit(stream, epochs=1)
        with pytest.raises(ValueError, match="gave 1000 rows"):
            make().model.predict(stream)


# ---- what depends on the whole ----------------------------------------------------------------


def test_schedules_take_their_length_from_a_stream_that_knows_it():
    def run(*data):
        trainer = make(optimizer=lm.Adam(learning_rate=lm.OneCycle(max_learning_rate=0.01)))
        trainer.fit(*data, epochs=3, batch_size=32, shuffle=False)
        return trainer.model.fingerprint()

    expected = run(X, Y)
    assert run(lm.ArrayStream(X, Y, window_rows=100)) == expected
    assert run(lm.Stream(cut(X, Y), rows=ROWS, window_rows=100)) == expected
    with pytest.raises(ValueError, match=r"give rows= to the stream, or total_steps"):
        run(lm.Stream(cut(X, Y)))


def test_layers_that_adapt_learn_from_the_first_window():
    def run(window_rows, adapt=None):
        model = lm.Model([lm.Input(5), lm.Normalization(), lm.Dense(1)], seed=0)
        if adapt is not None:
            model.adapt(adapt)
        trainer = lm.Trainer(model, loss="mse")
        stream = lm.Stream(cut(X, Y), window_rows=window_rows)
        trainer.fit(stream, epochs=1, batch_size=32, shuffle=False)
        return model.fingerprint()

    assert run(128) == run(128, X[:128])
    assert run(128, X) == run(256, X)
    assert run(128) != run(128, X)


def test_the_bar_learns_how_many_rows_there_are(capsys):
    make().fit(cut(X, Y), epochs=2, verbose=2)
    assert capsys.readouterr().out.startswith("epoch 1/2  loss ")
    make().fit(cut(X, Y), epochs=2, verbose=1)
    err = capsys.readouterr().err
    assert "2.00k/2.00k" in err
    make().fit(lm.Stream(cut(X, Y), rows=ROWS), epochs=2, verbose=1)
    assert "2.00k/2.00k" in capsys.readouterr().err


def test_repr():
    assert repr(lm.Stream([], rows=3)) == "lm.Stream([], window_rows=65536, rows=3)"
    assert repr(lm.ArrayStream(X, Y)) == "<lm.ArrayStream of 1000 rows, window_rows=65536>"


# ---- memory maps ------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_memory_maps(tmp_path, mode):
    X.tofile(tmp_path / "x")
    x = np.memmap(tmp_path / "x", np.float32, mode=mode, shape=X.shape)
    expected = fitted(X, Y, shuffle=False)
    if mode != "r":
        x[:] = 2 * X
        expected = fitted(2 * X, Y, shuffle=False)
    stream = lm.ArrayStream(x[:], Y, window_rows=100)
    assert len(stream._maps) == (mode != "c")  # changes of copy-on-write must not be dropped
    assert fitted(stream, shuffle=False) == expected
    if mode != "r":
        assert np.array_equal(x, 2 * X)


# ---- other libraries --------------------------------------------------------------------------


@pytest.mark.ci
def test_a_dataloader_of_pytorch_is_a_stream():
    torch = pytest.importorskip("torch")
    data = torch.utils.data
    tensors = data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
    loader = data.DataLoader(tensors, batch_size=70)
    assert fitted(loader, shuffle=False) == fitted(X, Y, shuffle=False)
    model = make().model
    assert np.array_equal(model.predict(lm.Stream(loader)), model.predict(X))


def test_a_fit_that_comes_too_late_leaves_the_other_alone():
    x, y = np.ones((200, 2), np.float32), np.ones(200, np.float32)
    model = lm.Model([lm.Input(2), lm.Dense(1)], seed=0)
    trainer = lm.Trainer(model, loss="mse")
    asked, may_go_on, late = threading.Event(), threading.Event(), []

    def slow():
        asked.set()
        may_go_on.wait(20)
        yield x, y

    def fit_late():
        with pytest.raises(RuntimeError) as error:
            trainer.fit(lm.Stream(slow), epochs=1, verbose=0)
        late.append(error)

    class Overtake(lm.Callback):
        def on_epoch_end(self, epoch, logs):
            if epoch == 0:
                may_go_on.set()
                thread.join(20)

    thread = threading.Thread(target=fit_late)
    thread.start()
    assert asked.wait(20)
    history = trainer.fit(x, y, epochs=3, callbacks=[Overtake()], verbose=0)
    assert late
    assert len(history["loss"]) == 3


def test_a_window_of_all_rows_is_one_whatever_the_batches():
    x = np.random.default_rng(0).normal(size=(500, 2)).astype(np.float32)
    marks = []
    for given in ((lm.ArrayStream(x, x[:, 0], window_rows=500),), (x, x[:, 0])):
        model = lm.Model([lm.Input(2), lm.Dense(1)], seed=0)
        lm.Trainer(model, loss="mse").fit(*given, epochs=2, batch_size=7, verbose=0)
        marks.append(model.fingerprint())
    assert marks[0] == marks[1]


def test_several_inputs_of_a_stream():
    a, b = np.ones((6, 1), np.float32), np.ones((6, 2), np.float32)
    inputs = [lm.Input(1, name="a"), lm.Input(2, name="b")]
    model = lm.Model(inputs=inputs, outputs=lm.Dense(1)(lm.Concatenate()(inputs)), seed=0)
    expected = model.predict((a, b))
    for given in ((a, b), [a, b], {"a": a, "b": b}):
        assert np.array_equal(model.predict(lm.ArrayStream(given)), expected)
    with pytest.raises(ValueError, match=r"chunk 0: the inputs have \[6, 4\] rows"):
        model.predict(lm.Stream(lambda: [{"a": a, "b": b[:4]}]))
    with pytest.raises(ValueError, match="chunk 0: y is missing"):
        lm.Trainer(model, loss="mse").fit(lm.ArrayStream((a, b)), epochs=1)


def test_what_is_no_stream_says_how_to_make_one():
    model = lm.Model([lm.Input(2), lm.Dense(1)], seed=0)
    x = np.ones((4, 2))
    for source in (lambda: [x], iter([x])):
        with pytest.raises(TypeError, match=r"lm\.Stream"):
            model.predict(source)
    with pytest.raises(ValueError, match=r"lm\.Stream"):
        lm.Trainer(model, loss="mse").fit(x, x[:, 0], validation_data=lambda: [x])


def test_a_source_that_winds_back_is_read_again():
    class Source:
        asked = 0

        def __iter__(self):
            self.asked += 1
            yield np.ones((4, 2), np.float32), np.ones(4, np.float32)

    source = Source()
    model = lm.Model([lm.Input(2), lm.Dense(1)], seed=0)
    lm.Trainer(model, loss="mse").fit(lm.Stream(source), epochs=3, verbose=0)
    assert source.asked == 3
