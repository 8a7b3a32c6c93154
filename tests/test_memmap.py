"""Arrays bigger than memory: two gigabytes mapped, half a gigabyte to allocate."""

import os
import subprocess
import sys
import textwrap

import pytest

resource = pytest.importorskip("resource", reason="limits of a process are a thing of POSIX")

ROWS, COLUMNS = 1_000_000, 512

# RLIMIT_DATA counts what a process allocates, not the files it maps: a copy of the table breaks it.
SCRIPT = """
import resource, sys
import numpy as np
import lamina as lm

folder, batches, shuffle = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "shuffle"
x = np.memmap(f"{folder}/x.f32", dtype=np.float32, mode="r", shape=(ROWS, COLUMNS))
y = np.zeros(ROWS, dtype=np.float32)
y[::2] = 1.0
resource.setrlimit(resource.RLIMIT_DATA, (500_000_000, 500_000_000))

try:
    x.copy()
    raise SystemExit("the limit does not work here")
except MemoryError:
    pass


class StopAfter(lm.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if batch + 1 >= batches:
            self.trainer.stop("seen enough")


model = lm.Model([lm.Input(COLUMNS), lm.Dense(8, activation="relu"), lm.Dense(1)], seed=0)
trainer = lm.Trainer(model, loss="mse", optimizer=lm.Adam(learning_rate=0.01))
callbacks = [StopAfter()] if batches else None
history = trainer.fit(
    x, y, epochs=1, batch_size=1024, shuffle=shuffle, callbacks=callbacks, verbose=0
)
# The table is all zeros, so the best prediction is the mean of the targets, one half.
print(model.predict(x[:16])[0, 0], history.stop_reason)
if not batches:
    print(trainer.evaluate(x[: ROWS // 4], y[: ROWS // 4])["loss"])
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A sparse file: two gigabytes to read, nothing on the disk."""
    path = tmp_path_factory.mktemp("memmap")
    with open(path / "x.f32", "wb") as file:
        file.truncate(ROWS * COLUMNS * 4)
    return path


def run(folder, batches, shuffle):
    script = textwrap.dedent(SCRIPT).replace("ROWS", str(ROWS)).replace("COLUMNS", str(COLUMNS))
    environment = {
        **os.environ,
        "OPENBLAS_NUM_THREADS": "1",
    }  # its buffers, one a core, are not what we count
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder), str(batches), shuffle],
        capture_output=True,
        text=True,
        env=environment,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.split()


@pytest.mark.skipif(
    sys.platform != "linux", reason="RLIMIT_DATA counts private mappings on Linux alone"
)
@pytest.mark.parametrize("shuffle", ["shuffle", "in order"])
def test_some_steps_on_a_memmap_bigger_than_the_limit(folder, shuffle):
    prediction = float(run(folder, 60, shuffle)[0])
    assert 0.2 < prediction < 0.8


@pytest.mark.ci
@pytest.mark.skipif(
    sys.platform != "linux", reason="RLIMIT_DATA counts private mappings on Linux alone"
)
def test_a_whole_epoch_on_a_memmap_bigger_than_the_limit(folder):
    prediction, *_, loss = run(folder, 0, "shuffle")
    assert abs(float(prediction) - 0.5) < 0.05
    assert abs(float(loss) - 0.25) < 0.01
