"""Processes that are killed, told to end, or out of disk: nothing that was saved is lost."""

import json
import os
import random
import signal
import subprocess
import sys

import pytest
import resumable_training
from test_checkpoints import HOW, fitted
from test_resume import BATCH, everything, rows, trainer_of_everything
from test_resume import callbacks as plateau_and_stopping
from test_resume import uninterrupted as uninterrupted  # the fixture

import lamina as lm
from lamina import _isa

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX'")


def start(folder, level=None, **how):
    """Start a training; return the process."""
    given = json.dumps({"folder": str(folder), **how})
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"} | ({"LAMINA_ISA": level} if level else {})
    return subprocess.Popen(
        [sys.executable, resumable_training.__file__, given],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def begun(process):
    """Wait until it trains."""
    assert process.stdout.readline() == "begun\n", process.communicate()[1]


def finish(folder, **how):
    """Begin or resume in this process, without saving; return the fingerprint it ends with."""
    folder.mkdir(exist_ok=True)
    return resumable_training.main(folder, **{**how, "every_steps": 1_000_000})


@pytest.mark.ci
def test_killed_at_thirty_random_moments(tmp_path):
    """Each life has its own number of threads, blocks, tiles and, if there are, instruction set."""
    how = {"epochs": 1200, "every_steps": 4}
    (tmp_path / "killed").mkdir()
    levels = [level for level in _isa._installed() if level in ("v3", "v4")] or [None]
    moments = random.Random(7)
    kills, epochs = 0, []
    while kills < 30:
        life = {"threads": moments.choice((1, 2, 3, 4)), "level": moments.choice(levels)}
        process = start(tmp_path / "killed", **life, **how)
        begun(process)
        try:
            process.wait(moments.uniform(0, 0.15))
            raise AssertionError(f"it ended after {kills} kills")
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        assert process.returncode == -signal.SIGKILL
        kills += 1
        path = tmp_path / "killed" / "run.ckpt"
        epochs.append(lm.load_checkpoint(path).epoch if path.exists() else 0)
    assert epochs == sorted(epochs)
    assert epochs[-1] > epochs[0]
    assert finish(tmp_path / "killed", **how) == finish(tmp_path / "whole", **how)
    for name in ("history.csv", "lines.csv"):
        first, second = (tmp_path / folder / name for folder in ("whole", "killed"))
        assert first.read_bytes() == second.read_bytes(), name
    left = sorted(os.listdir(tmp_path / "killed"))
    assert left[:3] == ["history.csv", "lines.csv", "run.ckpt"]
    assert len(left) <= 4  # half a file of the last life; the others were removed


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end(tmp_path, number):
    """SIGTERM and Ctrl-C save, say how to go on, and end the process as they always do."""
    how = {"epochs": 120, "every_steps": 100_000}
    (tmp_path / "ended").mkdir()
    process = start(tmp_path / "ended", **how)
    begun(process)
    process.send_signal(number)
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == (143 if number == signal.SIGTERM else -signal.SIGINT), errors
    path = tmp_path / "ended" / "run.ckpt"
    if sys.version_info >= (3, 11) or number == signal.SIGTERM:
        assert f"lm.load_checkpoint({str(path)!r}).resume(X, y, ...) goes on" in errors
    if sys.version_info >= (3, 11) and number == signal.SIGINT:
        assert "trainer.resume(X, y, ...) goes on in epoch" in errors
    assert lm.load_checkpoint(path).resumable
    assert finish(tmp_path / "ended", **how) == finish(tmp_path / "whole", **how)


def test_sigterm_is_the_users_if_they_have_a_handler():
    seen = []

    def look(batch, logs):
        seen.append(signal.getsignal(signal.SIGTERM))

    trainer = trainer_of_everything()
    before = signal.getsignal(signal.SIGTERM)
    path = os.devnull  # never written
    saving = lm.ModelCheckpoint(path, every_epochs=1000)
    hooks = [lm.LambdaCallback(on_train_batch_end=look)]
    try:
        for handler in (signal.SIG_DFL, signal.SIG_IGN):
            signal.signal(signal.SIGTERM, handler)
            for with_checkpoints in (False, True):
                trainer.reset()
                fitted([*hooks, *[saving] * with_checkpoints], 1, trainer)
                replaced = with_checkpoints and handler == signal.SIG_DFL
                assert (seen.pop() != handler) == replaced
                assert signal.getsignal(signal.SIGTERM) == handler
    finally:
        signal.signal(signal.SIGTERM, before)


# ---- full disks ---------------------------------------------------------------------------------


class Full:
    """No file may become larger than so many bytes."""

    def __init__(self, most):
        self.most = most

    def __enter__(self):
        resource = pytest.importorskip("resource")
        self.handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        self.limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.most, self.limits[1]))

    def __exit__(self, *error):
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, self.limits)
        signal.signal(signal.SIGXFSZ, self.handler)


@pytest.mark.parametrize("most", [0, 100, 4096, 8000])
@pytest.mark.parametrize("place", [0, 2])
def test_a_full_disk_costs_nothing(uninterrupted, tmp_path, place, most):
    path = tmp_path / "run.ckpt"
    trainer, full = trainer_of_everything(), Full(most)

    def fill(epoch, logs):
        if epoch == 6:
            full.__enter__()

    hooks = [*plateau_and_stopping()]
    hooks.insert(place, lm.ModelCheckpoint(path))
    try:
        with pytest.raises(OSError, match=r"cannot write .*run.ckpt: File too large"):
            fitted([lm.LambdaCallback(on_epoch_end=fill), *hooks], trainer=trainer)
    finally:
        full.__exit__()
    assert os.listdir(tmp_path) == ["run.ckpt"]
    before = lm.load_checkpoint(path)
    assert before.epoch == 6
    before.resume(*rows(), callbacks=[lm.LambdaCallback(), *fresh(hooks, path)], **HOW)
    assert everything(before) == uninterrupted
    trainer.resume(*rows(), **HOW)  # there is room again
    assert everything(trainer) == uninterrupted


def fresh(hooks, path):
    return [type(hook).from_spec(hook.to_spec()) for hook in hooks]


@pytest.mark.ci
def test_a_disk_without_room(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    try:
        if subprocess.run(mount, capture_output=True).returncode != 0:
            pytest.skip("no file systems may be mounted here")
    except OSError:
        pytest.skip("there is no mount")
    try:
        trainer = fitted([lm.ModelCheckpoint(disk / "{epoch}.ckpt", keep=1)], 3)
        (disk / "other").write_bytes(bytes(64 * 1024 - 2 * 4096 - (disk / "3.ckpt").stat().st_size))
        with pytest.raises(OSError, match="No space left on device"):
            trainer.save_checkpoint(disk / "3.ckpt")
        assert sorted(os.listdir(disk)) == ["3.ckpt", "other"]
        assert lm.load_checkpoint(disk / "3.ckpt").epoch == 3
    finally:
        subprocess.run(["umount", str(disk)], check=True)


SAVING = """
import sys
import lamina as lm
import numpy as np
model = lm.Model([lm.Input(1000), lm.Dense(1000), lm.Dense(1000), lm.Dense(1)], seed=0)
trainer = lm.Trainer(model, loss="mse", optimizer="adam")
x = np.ones((8, 1000), np.float32)
trainer.fit(x, x[:, 0], epochs=1, verbose=0)
while True:
    trainer.fit(x, x[:, 0], epochs=1, verbose=0)
    trainer.save_checkpoint(sys.argv[1])
    print(trainer.epoch, trainer.model.fingerprint(), flush=True)
"""


@pytest.mark.ci
def test_killed_while_it_saves(tmp_path):
    """24 MB: it is killed when the new file has been begun."""
    path = tmp_path / "run.ckpt"
    moments, halves = random.Random(3), 0
    for _ in range(8):
        process = subprocess.Popen(
            [sys.executable, "-c", SAVING, str(path)], stdout=subprocess.PIPE, text=True
        )
        lines = [process.stdout.readline() for _ in range(2)]
        while not halves_of(path):
            assert process.poll() is None
        try:
            process.wait(moments.uniform(0, 0.01))
        except subprocess.TimeoutExpired:
            process.kill()
        lines += process.communicate()[0].splitlines()
        assert process.returncode == -signal.SIGKILL
        last, fingerprint = lines[-1].split()
        again = lm.load_checkpoint(path)
        assert again.epoch in (int(last), int(last) + 1)
        if again.epoch == int(last):
            assert again.model.fingerprint() == fingerprint
        halves += len(halves_of(path))
        again.save_checkpoint(path)
        assert os.listdir(tmp_path) == ["run.ckpt"]
    assert halves > 0  # at least one kill fell between the beginning of a file and its end


def halves_of(path):
    return [name for name in os.listdir(path.parent) if name.startswith(f"{path.name}.tmp")]


def test_a_save_that_fails_changes_nothing(tmp_path):
    trainer = trainer_of_everything()
    trainer.fit(*rows(), epochs=2, batch_size=BATCH, verbose=0)
    before = everything(trainer)
    with pytest.raises(OSError, match="cannot write"):
        trainer.save_checkpoint(tmp_path / "no" / "such" / "folder")
    assert everything(trainer) == before
