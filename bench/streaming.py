"""Training from the disk: peak memory, and the time of an epoch beside reading and beside memory.

Each contestant is a process of its own, so that its peak memory is its own; rounds are interleaved.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

COLUMNS = 50
BATCH = 256
PIECE = 100_000  # rows that are written at a time


def write(folder: Path, rows: int) -> None:
    """Write the same table as a Parquet file and as float32 files for memory maps."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    draw, writer = np.random.default_rng(0), None
    teacher = draw.normal(size=COLUMNS).astype(np.float32)
    with open(folder / "x.f32", "wb") as xs, open(folder / "y.f32", "wb") as ys:
        for first in range(0, rows, PIECE):
            x = draw.standard_normal((min(PIECE, rows - first), COLUMNS), np.float32)
            y = x @ teacher
            x.tofile(xs)
            y.tofile(ys)
            table = pa.table({**{f"x{j}": x[:, j] for j in range(COLUMNS)}, "y": y})
            writer = writer or pq.ParquetWriter(
                folder / "table.parquet", table.schema, use_dictionary=False
            )
            writer.write_table(table)
    if writer is not None:
        writer.close()


def maps(folder: Path) -> tuple[Any, Any]:
    y = np.memmap(folder / "y.f32", np.float32, mode="r")
    return np.memmap(folder / "x.f32", np.float32, mode="r", shape=(len(y), COLUMNS)), y


def stream(folder: Path, kind: str, window_rows: int) -> Any:
    import lamina as lm

    if kind == "parquet":
        return lm.ParquetStream(folder / "table.parquet", target="y", window_rows=window_rows)
    return lm.ArrayStream(*maps(folder), window_rows=window_rows)


def read_parquet(folder: Path) -> None:
    import pyarrow.parquet as pq

    with pq.ParquetFile(folder / "table.parquet") as file:
        for batch in file.iter_batches(65536):
            del batch


def read_array(folder: Path) -> None:
    with open(folder / "x.f32", "rb", buffering=0) as file:
        room = np.empty(65536 * COLUMNS, np.float32)
        while file.readinto(memoryview(room).cast("B")):
            pass


def contestant(what: str, folder: Path, options: argparse.Namespace) -> Callable[[], object]:
    """Return what takes an epoch."""
    import lamina as lm

    _, kind = what.split("-")
    if what.startswith("read"):
        return (lambda: read_parquet(folder)) if kind == "parquet" else lambda: read_array(folder)
    units = [lm.Dense(n, activation="relu") for n in options.units]
    model = lm.Model([lm.Input(COLUMNS), *units, lm.Dense(1)], seed=0)
    trainer = lm.Trainer(model, loss="mse", num_threads=options.threads)
    if kind == "memory":
        arrays = [np.array(one) for one in maps(folder)]
        return lambda: trainer.fit(*arrays, epochs=1, batch_size=BATCH, verbose=0)
    if what.startswith("direct"):  # fit on the maps themselves, which jumps from row to row
        return lambda: trainer.fit(*maps(folder), epochs=1, batch_size=BATCH, verbose=0)
    source = stream(folder, kind, options.window_rows)
    if what.startswith("passing"):  # no training: what handing over windows costs
        return lambda: _pass(source)
    return lambda: trainer.fit(source, epochs=1, batch_size=BATCH, verbose=0)


def _pass(source: Any) -> None:
    from lamina.data import Dataset
    from lamina.windows import WindowReader

    def convert(chunk: Any) -> Dataset:
        return Dataset([chunk[0]], [chunk[1]])

    with WindowReader(source, convert, source.window_rows) as reader:
        for _ in reader.epoch():
            pass


def forget(folder: Path) -> None:
    """Drop the files from the page cache, so that the disk is read."""
    for path in folder.iterdir():
        with open(path, "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def peak() -> float:
    """MiB that this process has held at most. (getrusage also counts its parent's, up to exec.)"""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else float("nan")


def work(options: argparse.Namespace) -> None:
    """Be a contestant: time an epoch for each line, tell seconds and megabytes grown."""
    epoch = contestant(options.work, options.folder, options)
    before = peak()
    print("ready", flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        epoch()
        seconds = time.perf_counter() - start
        print(json.dumps({"seconds": seconds, "grown_mb": peak() - before}), flush=True)


def measure(options: argparse.Namespace, folder: Path) -> dict[str, list[dict[str, float]]]:
    names = ["read-array", "passing-array", "fit-array", "direct-array"]
    names += ["read-parquet", "passing-parquet", "fit-parquet", "fit-memory"]
    passed = ["--rows", str(options.rows), "--window-rows", str(options.window_rows)]
    passed += ["--threads", str(options.threads), "--units", *map(str, options.units)]
    passed += ["--folder", str(folder)]
    workers = {}
    for name in names:
        command = [sys.executable, __file__, "--work", name, *passed]
        workers[name] = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
    found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for one in workers.values():
        assert one.stdout is not None
        one.stdout.readline()
    for turn in range(options.rounds + 1):
        for name, one in workers.items():
            assert one.stdin is not None
            assert one.stdout is not None
            if options.cold:
                forget(folder)
            one.stdin.write("go\n")
            answer = json.loads(one.stdout.readline())
            if turn > 0:  # the first is not timed
                found[name].append(answer)
    for one in workers.values():
        one.communicate()
    return found


def report(options: argparse.Namespace, found: dict[str, list[dict[str, float]]]) -> None:
    seconds = {name: statistics.median(o["seconds"] for o in ones) for name, ones in found.items()}
    megabytes = options.rows * (COLUMNS + 1) * 4 / 1e6
    window = options.window_rows * (COLUMNS + 1) * 4 / 2**20
    print(f"{options.rows:,} rows, {megabytes:,.0f} MB as float32; a window has {window:.1f} MiB")
    print(f"units {options.units}, batch {BATCH}, {options.threads} thread(s), "
          f"{'read from the disk' if options.cold else 'files in the page cache'}")  # fmt: skip
    print(f"{'':18}{'s an epoch':>12}{'Mrows/s':>10}{'peak grew, MiB':>16}")
    for name, ones in found.items():
        grown = max(one["grown_mb"] for one in ones)
        speed = options.rows / seconds[name] / 1e6
        print(f"{name:18}{seconds[name]:12.3f}{speed:10.2f}{grown:16.0f}")
    for kind in ("array", "parquet"):
        bounds = zip(found[f"read-{kind}"], found["fit-memory"], strict=True)
        slowest = [max(a["seconds"], b["seconds"]) for a, b in bounds]
        ratios = [
            one["seconds"] / bound for one, bound in zip(found[f"fit-{kind}"], slowest, strict=True)
        ]
        text = f"{min(ratios):.2f} … {max(ratios):.2f}"
        print(f"fit-{kind} / max(read, in memory) = {statistics.median(ratios):.2f} ({text})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--rows", type=int, default=4_000_000, help="default: %(default)s")
    add("--window-rows", type=int, default=65536, help="default: %(default)s")
    add("--units", type=int, nargs="*", default=[64], help="hidden layers; default: %(default)s")
    add("--threads", type=int, default=1, help="of training; default: %(default)s")
    add("--rounds", type=int, default=5, help="default: %(default)s")
    add("--cold", action="store_true", help="drop the files from the page cache before each epoch")
    add("--folder", type=Path, help="where the files lie or are written; default: a temporary one")
    add("--work", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        if not (folder / "table.parquet").exists():
            write(folder, options.rows)
        report(options, measure(options, folder))


if __name__ == "__main__":
    main()
