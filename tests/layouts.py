"""The same array in other memory: what an array handed to the core may look like."""

import tempfile

import numpy as np


def strided(a):
    wide = np.full((2 * len(a), 3 * a.shape[1] + 1), 99, a.dtype)
    wide[::2, 1::3] = a
    return wide[::2, 1::3]


def padded_rows(a):
    wide = np.full((len(a), a.shape[1] + 5), 99, a.dtype)
    wide[:, :-5] = a
    return wide[:, :-5]


def unaligned(a):
    raw = np.frombuffer(b"\0" + a.tobytes(), dtype=np.uint8)[1:]
    return raw.view(a.dtype).reshape(a.shape)


def read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a


def swapped(a):
    return a.astype(a.dtype.newbyteorder())


def mapped(a, order="C"):
    with tempfile.TemporaryFile() as file:
        out = np.memmap(file, a.dtype, "w+", shape=a.shape, order=order)
    out[:] = a
    return out


def field(a):
    """The field of a structure, which begins at an odd address."""
    records = np.zeros(len(a), [("flag", "u1"), ("x", a.dtype, a.shape[1:])])
    records["x"] = a
    return records["x"]


def transposed_reversed(a):
    return np.asfortranarray(a[::-1])[::-1]


LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "strided": strided,
    "padded rows": padded_rows,
    "reversed": lambda a: a[::-1, ::-1].copy()[::-1, ::-1],
    "reversed, F": transposed_reversed,
    "unaligned": unaligned,
    "field": field,
    "read-only": read_only,
    "byte-swapped": swapped,
    "byte-swapped, strided": lambda a: strided(swapped(a)),
    "memmap": mapped,
    "memmap, F, byte-swapped": lambda a: mapped(swapped(a), order="F"),
    "list": lambda a: a.tolist(),
}
