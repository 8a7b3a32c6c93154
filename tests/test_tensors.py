"""Arrays of other libraries: the memory that reaches the core is theirs, or a reason is given."""

import array

import numpy as np
import pytest

import lamina as lm
from lamina.data import as_array

X = np.arange(24.0).reshape(6, 4)
DTYPES = ("float32", "float64", "float16", "int8", "int16", "int32", "int64", "uint8", "bool")


class Elsewhere:
    """What DLPack's protocol needs; on a device of any number."""

    def __init__(self, device, values=X):
        self.device, self.values = device, values

    def __dlpack_device__(self):
        return self.device, 0

    def __dlpack__(self, **options):
        return self.values.__dlpack__(**options)


class Convertible:
    def __array__(self, dtype=None, copy=None):
        return X


def address(given):
    return as_array("X", given).ctypes.data


def test_whoever_speaks_a_protocol_is_read_where_it_lies():
    assert address(Elsewhere(1)) == X.ctypes.data
    assert address(Convertible()) == X.ctypes.data
    assert address(memoryview(X)) == X.ctypes.data
    numbers = array.array("f", [1, 2, 3])
    assert address(numbers) == numbers.buffer_info()[0]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Elsewhere(2), "X: cannot use this test_tensors array: it lies on a CUDA device"),
        (Elsewhere(99), "DLPack's type 99"),
        (Elsewhere(1, X > 2), None),
        (Elsewhere(1, X.astype(">f4")), "cannot use this test_tensors array"),
    ],
    ids=["cuda", "unknown device", "bool", "big-endian"],
)
def test_other_devices_are_refused(given, said):
    if said is None:
        assert as_array("X", given).dtype == bool
        return
    with pytest.raises(TypeError, match=said):
        as_array("X", given)


def model_and_bits(x, y):
    model = lm.Model([lm.Input(4), lm.Dense(3, "relu"), lm.Dense(1)], seed=0)
    trainer = lm.Trainer(model, loss="mse")
    trainer.fit(x, y, epochs=1, batch_size=2, verbose=0)
    trainer.train_on_batch(x, y)
    rows = model.predict(x)
    assert np.array_equal(rows[2], model.predict_one(x[2]))
    return model.fingerprint(), rows.tobytes()


def check_library(make, pointer):
    """`make` turns a NumPy array into the library's, `pointer` says where its numbers lie."""
    for dtype in DTYPES:
        theirs = make(X.astype(dtype))
        ours = as_array("X", theirs)
        assert ours.dtype == dtype
        assert ours.ctypes.data == pointer(theirs), dtype
        assert np.array_equal(ours, X.astype(dtype))
    x, y = X.astype(np.float32) / 24, X[:, 0].astype(np.float32)
    assert model_and_bits(make(x), make(y)) == model_and_bits(x, y)


@pytest.mark.ci
def test_torch():
    torch = pytest.importorskip("torch")
    check_library(torch.from_numpy, lambda tensor: tensor.data_ptr())
    tensor = torch.arange(24.0).reshape(4, 6)[:, ::2].T
    assert address(tensor) == tensor.data_ptr()
    assert np.array_equal(as_array("X", tensor), tensor.numpy())
    for bad, said in (
        (torch.ones(2, 2, requires_grad=True), r"pass x\.detach\(\)"),
        (torch.ones(2, 2, dtype=torch.bfloat16), r"no torch\.bfloat16; convert it to float32"),
        (torch.ones(2, 2, device="meta"), "meta"),
        (torch.eye(2).to_sparse(), "to_dense"),
        (torch.ones(2, 2, dtype=torch.complex64), "dtype complex64"),
    ):
        with pytest.raises(TypeError, match=said):
            as_array("X", bad)
    negative = torch.complex(torch.ones(3), torch.arange(3.0)).conj().imag
    assert negative.is_neg()
    assert as_array("X", negative).tolist() == [0, -1, -2]


@pytest.mark.ci
def test_jax():
    jax = pytest.importorskip("jax")
    numpy = jax.numpy
    with jax.enable_x64(True):
        check_library(numpy.asarray, lambda one: one.unsafe_buffer_pointer())
    assert not as_array("X", numpy.ones((2, 2))).flags.writeable
    with pytest.raises(TypeError, match="no bfloat16; convert it to float32"):
        as_array("X", numpy.ones((2, 2), "bfloat16"))


@pytest.mark.ci
def test_the_array_api():
    strict = pytest.importorskip("array_api_strict")
    ours = as_array("X", strict.asarray(X))
    assert np.array_equal(ours, X)
