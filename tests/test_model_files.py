"""Model files and pickles: what was saved is what comes back, and nothing else is believed."""

import copy
import json
import pickle
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

import lamina as lm

GOLDEN = Path(__file__).parent / "data" / "golden-1.lamina"


def small(**options):
    layers = [
        lm.Input(3),
        lm.Dense(5, activation="relu", kernel_regularizer=lm.L2(0.01), name="first"),
        lm.Dropout(0.25),
        lm.Dense(4, activation=lm.activations.LeakyReLU(0.2), trainable=False),
        lm.Dense(2, activation="softmax", use_bias=False),
    ]
    return lm.Model(layers, seed=11, **options)


X = np.linspace(-2, 2, 21).reshape(7, 3)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_file_gives_back_the_same_model(tmp_path, dtype):
    model = small(dtype=dtype)
    model.layers[0].bias[:] = [1, -2, 3, -4, 5]
    model.save(tmp_path / "m.lamina")
    again = lm.load(tmp_path / "m.lamina")
    assert again.fingerprint() == model.fingerprint()
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    assert again["dense"].trainable is False
    assert again["first"].trainable is True
    assert again.seed == 11
    assert again.dtype == np.dtype(dtype)
    assert again["first"].kernel_regularizer == lm.L2(0.01)


def test_freezing_later_is_saved_too(tmp_path):
    model = small()
    model["first"].trainable = False
    model.save(tmp_path / "m.lamina")
    assert lm.load(tmp_path / "m.lamina")["first"].trainable is False


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_are_equal_and_apart(clone):
    model = small()
    twin = clone(model)
    assert twin.fingerprint() == model.fingerprint()
    twin.layers[0].kernel[:] = 0
    assert twin.fingerprint() != model.fingerprint()


def test_views_keep_the_model_alive():
    kernel = small().layers[0].kernel
    assert kernel.flags.writeable
    assert kernel.base is not None
    kernel[:] = 3
    assert (kernel == 3).all()
    assert sys.getrefcount(kernel.base) >= 2


def test_the_header_is_safetensors(tmp_path):
    """A u64 length, JSON, raw data: any safetensors reader finds the tensors."""
    model = small()
    model.save(tmp_path / "m.lamina")
    raw = (tmp_path / "m.lamina").read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    begin, end = header["first/kernel"]["data_offsets"]
    data = np.frombuffer(raw[8 + length :][begin:end], dtype="<f4")
    np.testing.assert_array_equal(data.reshape(3, 5), model["first"].kernel)
    assert header["__metadata__"]["format"] == "lamina-model"
    assert all(isinstance(value, str) for value in header["__metadata__"].values())


@pytest.mark.parametrize("where", [3, 8, 40, 200, -1])
def test_a_flipped_bit_is_noticed(tmp_path, where):
    path = tmp_path / "m.lamina"
    small().save(path)
    raw = bytearray(path.read_bytes())
    raw[where] ^= 4
    path.write_bytes(raw)
    with pytest.raises((ValueError, OSError), match=r"m\.lamina"):
        lm.load(path)


@pytest.mark.parametrize("length", [0, 5, 8, 100, 1000])
def test_a_file_cut_short_is_noticed(tmp_path, length):
    path = tmp_path / "m.lamina"
    small().save(path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ValueError, match=r"m\.lamina"):
        lm.load(path)


def hostile(tmp_path, change):
    """A file whose checksum is right and whose header says something impossible."""
    small().save(tmp_path / "m.lamina")
    raw = (tmp_path / "m.lamina").read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    (tmp_path / "m.lamina").write_bytes(struct.pack("<Q", len(text)) + text + raw[8 + length :])
    return tmp_path / "m.lamina"


@pytest.mark.parametrize(
    "change",
    [
        lambda h: h["first/kernel"].update(data_offsets=[0, 1 << 62]),
        lambda h: h["first/kernel"].update(data_offsets=[100, 0]),
        lambda h: h["first/kernel"].update(dtype="I64"),
        lambda h: h.pop("first/kernel"),
        lambda h: h["__metadata__"].pop("spec"),
        lambda h: h["__metadata__"].update(spec="{"),
        lambda h: h.update(first=3),
    ],
)
def test_impossible_headers_are_refused(tmp_path, change):
    with pytest.raises(ValueError, match=r"m\.lamina"):
        lm.load(hostile(tmp_path, change))


def test_missing_and_unwritable_files(tmp_path):
    with pytest.raises(OSError, match="nowhere"):
        lm.load(tmp_path / "nowhere.lamina")
    with pytest.raises(OSError, match=r"not a file|cannot read"):
        lm.load(tmp_path)
    with pytest.raises(OSError, match="cannot write"):
        small().save(tmp_path / "no" / "folder.lamina")


def test_a_full_disk_leaves_the_old_file(tmp_path):
    resource = pytest.importorskip("resource")
    path = tmp_path / "m.lamina"
    small().save(path)
    before = path.read_bytes()
    large = lm.Model([lm.Input(200), lm.Dense(400)], seed=0)
    signal = pytest.importorskip("signal")
    old_handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(OSError, match="cannot write"):
            large.save(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, old_handler)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["m.lamina"]


def test_the_first_format_loads_for_ever():
    """Written by the first version; its predictions, computed then, stand in the test."""
    model = lm.load(GOLDEN)
    expected = json.loads((GOLDEN.parent / "golden-1.json").read_text())
    np.testing.assert_allclose(model.predict(np.array(expected["x"])), expected["y"], rtol=1e-5)
    assert model["first"].kernel_regularizer == lm.L2(0.01)
