"""Ten varied models, one hash each: whatever blocks, tiles, threads, layouts and batches there are.

Schedules are drawn from seeds: a handful by default, many with ``pytest -m nightly``.
"""

import functools
import hashlib
import pickle

import numpy as np
import pytest
from layouts import LAYOUTS, strided
from varied_models import CASES, Outcome, Table, outcome, pick, table, trained

import lamina as lm

THREADS = (1, 2, 3, 4, 7)
EVERY_CASE = pytest.mark.parametrize("name", CASES)


@functools.cache
def expected(name: str, whole: bool = False) -> Outcome:
    """What comes out on one thread with the engine's own blocks and tiles."""
    return outcome(name, table(name, whole), threads=1)


@functools.cache
def fitted(name: str) -> lm.Model:
    return trained(name, table(name), epochs=1)[0]


def drawn(draw: np.random.Generator) -> tuple[int, int, bool]:
    """Rows of a block, numbers of a tile; 0: the engine's own; always as many threads as asked."""
    block = int(draw.choice([0, 1, 16, 17, 48, int(draw.integers(1, 400))]))
    tile = int(draw.choice([0, 1, 100, int(draw.integers(1, 40000))]))
    return block, tile, True


# ---- blocks, tiles, threads ----------------------------------------------------------------------


def check_schedule(name: str, seed: int, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    want = expected(name)
    schedule = drawn(np.random.default_rng([seed, threads, list(CASES).index(name)]))
    monkeypatch.setattr(lm.Trainer, "_scheduling", schedule)
    monkeypatch.setattr(lm.Model, "_exact_threads", True)
    assert outcome(name, table(name), threads=threads) == want, (schedule, threads)


@EVERY_CASE
@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("seed", range(3))
def test_any_schedule(name, threads, seed, monkeypatch):
    check_schedule(name, seed, threads, monkeypatch)


@pytest.mark.nightly
@EVERY_CASE
@pytest.mark.parametrize("seed", range(3, 60))
def test_many_schedules(name, seed, monkeypatch):
    for threads in THREADS:
        check_schedule(name, seed, threads, monkeypatch)


@EVERY_CASE
def test_schedules_may_change_between_fits(name, monkeypatch):
    """Two epochs and one of other blocks, tiles and threads are the same two epochs."""
    case, data = CASES[name], table(name)

    def two_fits(change):
        model = lm.Model(case.layers(), seed=5, dtype=case.dtype)
        trainer = lm.Trainer(model, loss=case.loss, optimizer=case.optimizer(), num_threads=1)
        options = {"batch_size": case.batch, "sample_weight": data.weight, "verbose": 0}
        trainer.fit(data.x, data.y, epochs=1, **options)
        if change:
            monkeypatch.setattr(lm.Trainer, "_scheduling", (32, 500, True))
            trainer.num_threads = 3
        trainer.fit(data.x, data.y, epochs=1, **options)
        return model.fingerprint(), trainer._core.state()

    assert two_fits(change=False) == two_fits(change=True)


# ---- layouts of the input ------------------------------------------------------------------------


FLOATS = ("float64", "float16", ">f8", ">f2")
WHOLES = ("int8", "int16", ">i2", "int32", ">i4", "int64", ">i8", "float16")


def converted(x, change):
    """Apply a change of memory to one array or to several."""
    return {key: change(part) for key, part in x.items()} if isinstance(x, dict) else change(x)


def numbers_as(x, dtype):
    """Convert numbers to a dtype, and codes if it is one of whole numbers."""
    return converted(
        x, lambda a: a if a.dtype == np.int32 and np.dtype(dtype).kind == "f" else a.astype(dtype)
    )


def check_data(name, x, monkeypatch, *, whole=False):
    """Train on the same numbers in other memory, beside a target and weights in other memory."""
    want, data = expected(name, whole), table(name, whole)
    y = strided(data.y) if data.y.ndim == 2 else np.repeat(data.y.astype(">i2"), 2)[::2]
    weight = None if data.weight is None else np.repeat(data.weight.astype(np.float32), 3)[::3]
    monkeypatch.setattr(lm.Trainer, "_scheduling", (32, 700, True))
    assert outcome(name, Table(x, y, weight), threads=2) == want


@EVERY_CASE
@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout(name, layout, monkeypatch):
    check_data(name, converted(table(name).x, LAYOUTS[layout]), monkeypatch)


@EVERY_CASE
@pytest.mark.parametrize("dtype", FLOATS)
def test_any_type_of_numbers(name, dtype, monkeypatch):
    check_data(name, numbers_as(table(name).x, dtype), monkeypatch)


@EVERY_CASE
@pytest.mark.parametrize("dtype", WHOLES)
def test_any_type_of_whole_numbers(name, dtype, monkeypatch):
    check_data(name, numbers_as(table(name, whole=True).x, dtype), monkeypatch, whole=True)


@pytest.mark.nightly
@EVERY_CASE
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_under_many_schedules(name, layout, monkeypatch):
    want, data = expected(name), table(name)
    draw = np.random.default_rng(list(LAYOUTS).index(layout))
    for threads in THREADS:
        monkeypatch.setattr(lm.Trainer, "_scheduling", drawn(draw))
        x = converted(data.x, LAYOUTS[layout])
        assert outcome(name, Table(x, data.y, data.weight), threads=threads) == want


# ---- predictions ---------------------------------------------------------------------------------


def check_slices(name, whole, slices):
    model, x = fitted(name), table(name).x
    for rows in slices:
        assert np.array_equal(model.predict(pick(x, rows)), whole[rows]), rows


@EVERY_CASE
def test_a_row_is_predicted_the_same_in_any_company(name):
    model, x = fitted(name), table(name).x
    whole = model.predict(x, num_threads=1)
    n = len(whole)
    check_slices(name, whole, [slice(i, i + 1) for i in range(n)])
    draw = np.random.default_rng(0)
    check_slices(name, whole, [slice(*sorted(draw.integers(0, n + 1, 2))) for _ in range(40)])
    check_slices(name, whole, [slice(None, None, -1), slice(3, None, 7), draw.permutation(n)])
    check_slices(name, whole, [draw.integers(0, n, 5 * n)])  # rows more than once


@EVERY_CASE
def test_a_prediction_depends_neither_on_batches_nor_on_threads(name, monkeypatch):
    model, x = fitted(name), table(name).x
    whole = model.predict(x, num_threads=1)
    for size in (1, 2, 7, 16, 33, 100, 10000):
        assert np.array_equal(model.predict(x, batch_size=size), whole), size
    monkeypatch.setattr(lm.Model, "_exact_threads", True)
    many = pick(x, np.tile(np.arange(len(whole)), 9))
    for threads in THREADS:
        found = model.predict(many, batch_size=16 * threads, num_threads=threads)
        assert np.array_equal(found, np.tile(whole, (9, 1))), threads


@pytest.mark.parametrize("rows", [1, 5, 16])
def test_few_rows_of_a_large_network_on_several_threads(rows, monkeypatch):
    """They are shared by columns; what is too small for a normal number is 0 there, too."""
    layers = [lm.Input(700), lm.Dense(800, activation="relu"), lm.Dense(4, activation="softmax")]
    model = lm.Model(layers, seed=0)
    layers[-1].kernel *= 1e-3
    layers[-1].bias[:] = 0, 0, 0, -87.2
    x = np.random.default_rng(0).normal(size=(40, 700)).astype(np.float32)
    whole = model.predict(x, num_threads=1)
    assert not whole[:, 3].any()
    monkeypatch.setattr(lm.Model, "_exact_threads", True)
    for threads in THREADS:
        found = model.predict(x[:rows], num_threads=threads)
        assert np.array_equal(found, whole[:rows]), threads


@EVERY_CASE
def test_forward_by_hand_and_a_loaded_model_predict_the_same(name):
    model, x = fitted(name), table(name).x
    whole = model.predict(x)
    assert np.array_equal(model.forward(x), whole)
    assert np.array_equal(pickle.loads(pickle.dumps(model)).predict(x), whole)


@EVERY_CASE
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_prediction_does_not_depend_on_the_layout(name, layout):
    model, x = fitted(name), table(name).x
    whole = model.predict(x)
    same = converted(x, LAYOUTS[layout])
    assert np.array_equal(model.predict(same), whole)
    for i in (0, 17, len(whole) - 1):
        assert np.array_equal(model.predict(pick(same, slice(i, i + 1)))[0], whole[i])


# ---- fingerprints --------------------------------------------------------------------------------


@EVERY_CASE
def test_a_fingerprint_is_sha256_of_description_and_weights(name):
    model = fitted(name)
    total = hashlib.sha256(model._core.spec.encode())
    for tensor in model._core.tensors():
        total.update(model._core.view(tensor["name"]).tobytes())
    assert model.fingerprint() == total.hexdigest()


@EVERY_CASE
def test_a_fingerprint_sees_every_bit_of_every_tensor(name):
    model = pickle.loads(pickle.dumps(fitted(name)))
    seen = {model.fingerprint()}
    draw = np.random.default_rng(0)
    tensors = model._core.tensors()
    for tensor in tensors:
        raw = model._core.view(tensor["name"]).reshape(-1).view(np.uint8)
        for place in (0, len(raw) - 1, int(draw.integers(len(raw)))):
            bit = np.uint8(1 << draw.integers(8))
            raw[place] ^= bit
            assert model.fingerprint() not in seen
            raw[place] ^= bit
            assert model.fingerprint() in seen
    assert len(seen) == 1


def test_a_fingerprint_sees_the_description():
    def model(rate=0.5, name=None, seed=1, width=4, activation="relu", dtype="float32"):
        zeros = {"kernel_initializer": "zeros"}
        layers = [lm.Input(3), lm.Dense(width, activation=activation, **zeros), lm.Dropout(rate)]
        return lm.Model([*layers, lm.Dense(1, **zeros)], seed=seed, name=name, dtype=dtype)

    others = [
        model(rate=0.25),
        model(name="other"),
        model(seed=2),
        model(width=5),
        model(activation="tanh"),
        model(dtype="float64"),
    ]
    frozen = model()
    frozen.layers[0].trainable = False
    found = {one.fingerprint() for one in (model(), *others, frozen)}
    assert len(found) == len(others) + 2
    assert model().fingerprint() == model().fingerprint()
