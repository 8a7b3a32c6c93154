"""A training that goes on by itself when it is started again: what test_kills.py interrupts.

    python resumable_training.py '{"folder": "/tmp/x", "epochs": 200, "every_steps": 3}'

It prints "begun" after its first batch.
"""

import json
import sys
from pathlib import Path

from test_resume import BATCH, rows, trainer_of_everything

import lamina as lm


class Begun(lm.Callback):
    """Says when training has begun."""

    said = False

    def on_train_batch_end(self, batch, logs=None):
        if not self.said:
            print("begun", flush=True)
        self.said = True


def callbacks(path, every_steps, patience):
    return [
        lm.CSVLogger(path.with_name("lines.csv")),
        lm.ModelCheckpoint(path, every_steps=every_steps),
        lm.ReduceLROnPlateau(factor=0.9, patience=2),
        lm.EarlyStopping(patience=patience),
        Begun(),
    ]


def main(folder, epochs, every_steps, threads=None, patience=10_000):
    path = Path(folder) / "run.ckpt"
    hooks = callbacks(path, every_steps, patience)
    how = {"validation_data": rows(1), "callbacks": hooks, "verbose": 0}
    if threads is not None:  # odd blocks and tiles on so many threads
        lm.Trainer._scheduling = (5 + threads, 100 * threads, True)
    if path.exists():
        trainer = lm.load_checkpoint(path, num_threads=threads)
        history = trainer.resume(*rows(), **how)
    else:
        trainer = trainer_of_everything()
        trainer.num_threads = threads
        history = trainer.fit(*rows(), epochs=epochs, batch_size=BATCH, **how)
    history.to_csv(Path(folder) / "history.csv")
    return trainer.model.fingerprint()


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
