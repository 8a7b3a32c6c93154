"""Model files that chance has damaged: refused, or still the same. None loads as another model."""

import hashlib
import json
import struct

import numpy as np
import pytest

import lamina as lm


def model_file(path):
    model = lm.Model(
        [
            lm.Input(4),
            lm.Normalization(mean=[0, 1, 2, 3], variance=[1, 1, 4, 4]),
            lm.Dense(24, activation="relu", kernel_regularizer=lm.L2(0.01)),
            lm.BatchNormalization(),
            lm.Dense(3, activation="softmax"),
        ],
        seed=3,
    )
    model.save(path)


def table_file(path):
    draw = np.random.default_rng(0)
    table = {"age": draw.normal(size=60), "town": np.array(["here", "there", "away"] * 20)}
    model = lm.TableModel(target="sold", seed=0)
    model.fit({**table, "sold": draw.integers(0, 2, 60)}, epochs=1)
    model.save(path)


def somewhere(draw, raw):
    """Return a place in the file and a length, short ones often."""
    begin = int(draw.integers(len(raw)))
    return begin, min(len(raw) - begin, int(2 ** draw.uniform(0, 10)))


def flip_bits(draw, raw):
    for place in draw.integers(len(raw), size=draw.integers(1, 9)):
        raw[place] ^= 1 << int(draw.integers(8))


def overwrite(draw, raw):
    begin, n = somewhere(draw, raw)
    fill = [bytes(n), b"\xff" * n, b" " * n, draw.bytes(n)][draw.integers(4)]
    raw[begin : begin + n] = fill


def cut(draw, raw):
    del raw[int(draw.integers(len(raw))) :]


def cut_out(draw, raw):
    begin, n = somewhere(draw, raw)
    del raw[begin : begin + n]


def extend(draw, raw):
    begin, n = somewhere(draw, raw)
    raw += [bytes(n), draw.bytes(n), bytes(raw[begin : begin + n])][draw.integers(3)]


def insert(draw, raw):
    begin, n = somewhere(draw, raw)
    place = int(draw.integers(len(raw)))
    raw[place:place] = raw[begin : begin + n]


def swap_blocks(draw, raw):
    n = int(2 ** draw.uniform(0, 9))
    a, b = sorted(int(place) for place in draw.integers(len(raw) - n, size=2))
    raw[a : a + n], raw[b : b + n] = raw[b : b + n], raw[a : a + n]


DAMAGES = [flip_bits, overwrite, cut, cut_out, extend, insert, swap_blocks]


def outcome(path, good, again):
    """Load the file: None if it is refused by its name, else whether it is what was saved."""
    try:
        loaded = lm.load(path)
    except (ValueError, OSError) as error:
        return None if str(path) in str(error) else str(error)
    loaded.save(again)  # spec, weights and what a table needs besides
    return again.read_bytes() == good


@pytest.mark.parametrize(("save", "count"), [(model_file, 10_000), (table_file, 2000)])
def test_a_damaged_file_is_refused_or_the_same(tmp_path, save, count):
    path, again = tmp_path / "damaged.lamina", tmp_path / "again.lamina"
    save(path)
    good = path.read_bytes()
    draw = np.random.default_rng(count)
    refused = 0
    for i in range(count):
        raw = bytearray(good)
        for _ in range(draw.integers(1, 3)):
            if raw:
                DAMAGES[(i + draw.integers(2)) % len(DAMAGES)](draw, raw)
        path.write_bytes(raw)
        same = outcome(path, good, again)
        assert same in (None, True), f"damage {i} of {count} loads as another model: {same}"
        refused += same is None
    assert refused > 0.95 * count


def test_bytes_behind_the_last_tensor_are_refused(tmp_path):
    path = tmp_path / "m.lamina"
    model_file(path)
    path.write_bytes(path.read_bytes() + bytes(8))
    with pytest.raises(ValueError, match=r"m\.lamina: there are 8 bytes behind the last tensor"):
        lm.load(path)


# ---- files that somebody has made, with a checksum that is right ----------------------------


def forged(path, change):
    """Change a file's header and spec as `change(header, spec, extra)` does, and sign it anew."""
    model_file(path)
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header, data = json.loads(raw[8 : 8 + length]), raw[8 + length :]
    metadata = header["__metadata__"]
    spec = json.loads(metadata["spec"])
    returned = change(header, spec)
    metadata["spec"] = returned if isinstance(returned, str) else json.dumps(spec)
    mark = hashlib.sha256()
    for key in sorted(set(metadata) - {"sha256"}):
        mark.update(f"{key}={metadata[key]}\n".encode())
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        shape = str(tuple(entry["shape"]))
        mark.update(f"{name}{entry['dtype']}{shape}".encode())
        begin, end = map(int, entry["data_offsets"])
        mark.update(data[begin : min(end, len(data))])
    metadata["sha256"] = mark.hexdigest()
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def deep(depth):
    return '{"layers": ' + "[" * depth + "]" * depth + "}"


def enormous(header, spec):
    spec["layers"][2]["units"] = 10**12


def many_alike(header, spec):
    spec["layers"][0] = {
        "class": "Input",
        "shape": [10**12],
        "kind": "codes",
        "cardinalities": 5,
    }


def doubled(header, spec):
    double = {"class": "Parallel", "layers": [[{"class": "Flatten"}], [{"class": "Flatten"}]]}
    spec["layers"][1:1] = [double] * 80


def overlapping(header, spec):
    header["dense_1/bias"]["data_offsets"] = header["dense/bias"]["data_offsets"]
    header["dense_1/bias"]["shape"] = header["dense/bias"]["shape"]


def two_names_for_one_place(header, spec):
    header["another"] = dict(header["dense/kernel"])


def a_gap(header, spec):
    del header["dense/bias"]


def other_shape(header, spec):
    header["dense/kernel"]["shape"].reverse()


def negative(header, spec):
    header["dense/kernel"]["shape"] = [-4, -24]


def no_whole_number(header, spec):
    header["dense/kernel"]["data_offsets"] = [0.5, 1e15]


def test_a_forgery_that_changes_nothing_loads(tmp_path):
    path = tmp_path / "m.lamina"
    forged(path, lambda header, spec: None)
    lm.load(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (enormous, r"dense/kernel is too large: 4000000000000 numbers"),
        (many_alike, "give a list"),
        (doubled, "too large"),
        (overlapping, "overlap"),
        (two_names_for_one_place, "overlap"),
        (a_gap, "gaps"),
        (other_shape, r"dense/kernel.*expected F32 \(4, 24\)"),
        (negative, "header"),
        (no_whole_number, "header"),
        (lambda header, spec: deep(100_000), "nested more than 512 deep"),
        (lambda header, spec: deep(600), "nested more than 512 deep"),
        (lambda header, spec: deep(100), "spec"),
        (lambda header, spec: header["__metadata__"].update(extra="[" * 10**6), "nested"),
        (lambda header, spec: header["__metadata__"].update(extra='{"table": 3}'), "table"),
        (lambda header, spec: header["__metadata__"].update(extra="{"), "extra is not JSON"),
    ],
)
def test_a_forgery_that_asks_for_too_much_is_refused(tmp_path, change, words):
    path = tmp_path / "m.lamina"
    forged(path, change)
    with pytest.raises(ValueError, match=f"m.lamina.*{words}"):
        lm.load(path)
