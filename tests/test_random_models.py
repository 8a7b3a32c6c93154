"""Two hundred random models: gradients against differences, bits against the way they are computed.

Twenty by default, all with ``pytest -m ci``.
"""

import copy

import numpy as np
import pytest
from random_models import CONTAINERS, PLAIN, as_list, random_model

import lamina as lm

BAR = 1e-6  # of the largest entry: DESIGN, section 4
STEP = 1e-4
THREADS = (1, 2, 3, 5)

SOME, ALL = range(20), range(20, 200)
SEEDS = [*SOME, *(pytest.param(seed, marks=pytest.mark.ci) for seed in ALL)]
FEW_SEEDS = [*range(4), *(pytest.param(seed, marks=pytest.mark.ci) for seed in range(4, 50))]


def numerical(value, array, entries):
    """Four-point differences of value() by some entries of an array, moved in place."""
    flat, out = array.reshape(-1), []
    for i in entries:
        kept, found = flat[i], {}
        for k in (-2, -1, 1, 2):
            flat[i] = kept + k * STEP
            found[k] = value()
        flat[i] = kept
        out.append((8 * (found[1] - found[-1]) - (found[2] - found[-2])) / (12 * STEP))
    return np.array(out)


def entries(array, most):
    return np.unique(np.linspace(0, array.size - 1, min(most, array.size)).astype(int))


def check(analytic, array, value, what, floor, most=6):
    """Compare some entries; `floor`: below it gradients are the rounding of zeros."""
    places = entries(array, most)
    numeric = numerical(value, array, places)
    largest = max(np.abs(numeric).max(), np.abs(analytic).max(), floor)
    error = np.abs(numeric - analytic.reshape(-1)[places]).max() / largest
    assert error <= BAR, (what, error)


def has_dropout(model):
    return any(getattr(layer, "rate", 0) for layer in model._walk())


@pytest.mark.parametrize("seed", SEEDS)
def test_gradients(seed):
    model, x = random_model(seed)
    draw = np.random.default_rng(seed)
    pulls = [draw.normal(size=p.shape) for p in as_list(model.predict(x))]
    several = len(pulls) > 1
    for training in (False, True):
        if training and has_dropout(model):
            continue  # a new mask at each forward

        def value(training=training):
            found = as_list(model.forward(x, training))
            return sum(float((pull * y).sum()) for pull, y in zip(pulls, found, strict=True))

        model.forward(x, training)
        dx = [one.copy() for one in as_list(model.backward(pulls if several else pulls[0]))]
        names = [one["name"] for one in model._core.tensors() if one["trainable"]]
        found = {name: model._core.gradient_view(name).copy() for name in names}
        assert any(g.any() for g in found.values())
        floor = 1e-3 * max(1, *(np.abs(g).max() for g in found.values()))
        for array, analytic in zip(as_list(x), dx, strict=True):
            check(analytic, array, value, "input", floor, most=8)
        for name in names:
            check(found[name], model._core.view(name), value, name, floor)


@pytest.mark.parametrize("seed", SEEDS)
def test_input_gradient_and_cuts(seed):
    """Of each layer: input_gradient is the gradient of predict(layer=), whoever stands beside."""
    model, x = random_model(seed, rows=5)
    records = [one for one in model._core.layers() if len(one["outputs"]) == 1]
    draw = np.random.default_rng(seed)
    for i in draw.permutation(len(records))[:3]:
        name = records[i]["name"]
        y = model.predict(x, layer=name).reshape(5, -1)
        column = int(draw.integers(y.shape[1]))
        found = as_list(model.input_gradient(x, column, layer=name))
        for array, analytic in zip(as_list(x), found, strict=True):
            row, j = int(draw.integers(5)), int(draw.integers(array.shape[1]))

            def value(row=row, name=name, column=column):
                return float(model.predict(x, layer=name).reshape(5, -1)[row, column])

            numeric = numerical(value, array, [row * array.shape[1] + j])[0]
            largest = max(np.abs(analytic).max(), abs(numeric), 1e-4)
            assert abs(numeric - analytic[row, j]) <= BAR * largest, (name, column)
            others = [r for r in range(5) if r != row]
            kept = array[others].copy()
            array[others] = draw.normal(size=kept.shape)
            again = as_list(model.input_gradient(x, column, layer=name))
            array[others] = kept
            for one, other in zip(again, found, strict=True):
                assert np.array_equal(one[row], other[row])


def trained(seed, threads):
    model, x = random_model(seed, dtype="float32", rows=75)
    outputs = as_list(model.predict(x))
    draw = np.random.default_rng(seed)
    y = [draw.normal(size=one.shape) for one in outputs]
    trainer = lm.Trainer(model, loss="mse", optimizer=lm.Adam(0.01), num_threads=threads)
    trainer.fit(x, y if len(y) > 1 else y[0], epochs=2, batch_size=34, verbose=0)
    return model, x, trainer


@pytest.mark.parametrize("seed", FEW_SEEDS)
def test_the_same_bits_whoever_computes(seed, monkeypatch):
    want, x, trainer = trained(seed, 1)
    state, p = trainer._core.state(), as_list(want.predict(x, num_threads=1))
    layer = want.output_names[0] if len(p) > 1 else None
    dx = as_list(want.input_gradient(x, layer=layer, num_threads=1))
    monkeypatch.setattr(lm.Model, "_exact_threads", True)
    draw = np.random.default_rng(seed)
    for threads in THREADS:
        schedule = (int(draw.choice([0, 1, 16, 17, 48])), int(draw.choice([0, 1, 100, 700])), True)
        monkeypatch.setattr(lm.Trainer, "_scheduling", schedule)
        model, _, other = trained(seed, threads)
        assert model.fingerprint() == want.fingerprint(), (threads, schedule)
        assert other._core.state() == state
        again = as_list(model.predict(x, num_threads=threads, batch_size=7))
        assert all(map(np.array_equal, again, p))
        again = as_list(model.input_gradient(x, layer=layer, num_threads=threads))
        assert all(map(np.array_equal, again, dx))


@pytest.mark.parametrize("seed", SEEDS)
def test_copies_through_files_and_text(seed, tmp_path):
    model, x = random_model(seed, dtype="float32", rows=20)
    model.save(tmp_path / "model.lamina")
    written = eval(repr(model), {"lm": lm, "__builtins__": {}})
    assert written._core.spec == model._core.spec
    want = as_list(model.predict(x))
    for other in (lm.load(tmp_path / "model.lamina"), copy.deepcopy(model)):
        assert other.fingerprint() == model.fingerprint()
        for one, same in zip(as_list(other.predict(x)), want, strict=True):
            assert np.array_equal(one, same)
    for one, same in zip(as_list(model.forward(x)), want, strict=True):
        assert np.array_equal(one, same)
    head = [np.array(part[:1]) for part in as_list(x)]
    alone = as_list(model.predict(tuple(head) if len(head) > 1 else head[0]))
    for one, same in zip(alone, want, strict=True):
        assert np.array_equal(one[0], same[0])


@pytest.mark.ci
def test_the_models_are_varied():
    """The two hundred hold every layer and container, deep ones and several outputs."""
    seen, deepest, outputs = set(), 0, set()
    for seed in range(200):
        model, _ = random_model(seed)
        seen |= {type(layer).__name__ for layer in model._walk()}
        deepest = max(deepest, *(one["depth"] for one in model._core.layers()))
        outputs.add(len(model.output_names))
    assert seen >= {name.split()[-1] for name in PLAIN}
    assert seen >= {"Residual", "Parallel", "NestedModel", "Add", "Concatenate"}
    assert len(CONTAINERS) == 5
    assert deepest >= 4
    assert {1, 2, 3} <= outputs
