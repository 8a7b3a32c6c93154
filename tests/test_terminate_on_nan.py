"""What a fit says and keeps when numbers stop being finite: the engine, and TerminateOnNaN."""

import numpy as np
import pytest

import lamina as lm

NAN, INF = float("nan"), float("inf")
ROWS = 70


def rows(seed=0, n=ROWS):
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, 3))
    return x, x[:, :1] - x[:, 1:2] * x[:, 2:]


class Scores:
    """A metric that gives these values, one an epoch."""

    def __init__(self, *values):
        self.values = list(values)

    def __call__(self, y_true, y_pred):
        return self.values.pop(0) if len(self.values) > 1 else self.values[0]

    __name__ = "score"


def trainer_of(*values, optimizer="adam"):
    model = lm.Model([lm.Input(3), lm.Dense(8, activation="tanh"), lm.Dense(1)], seed=0)
    metrics = [Scores(*values)] if values else []
    return lm.Trainer(model, loss="mse", optimizer=optimizer, metrics=metrics)


class Prints(lm.Callback):
    """The fingerprints of what predictions are made with, at the beginning and after each epoch."""

    def __init__(self):
        self.seen = []

    def _note(self):
        self.seen.append(self.model.predict(rows()[0]).tobytes())

    def on_train_begin(self, logs=None):
        self._note()

    def on_epoch_end(self, epoch, logs=None):
        self._note()


def fit(trainer, *hooks, epochs=6, **options):
    options.setdefault("validation_data", rows(1))
    return trainer.fit(
        *rows(), epochs=epochs, batch_size=16, callbacks=list(hooks), verbose=0, **options
    )


def predictions(trainer):
    return trainer.model.predict(rows()[0]).tobytes()


WARNING = "TerminateOnNaN: val_score is"


@pytest.mark.parametrize("optimizer", ["adam", "average"])
@pytest.mark.parametrize(("values", "epoch"), [((1, 2, NAN), 2), ((INF,), 0), ((1, -INF), 1)])
def test_it_goes_back_to_the_last_epoch_that_was_finite(values, epoch, optimizer):
    if optimizer == "average":
        optimizer = lm.Adam(use_ema=True, ema_momentum=0.5)
    trainer, prints = trainer_of(*values, optimizer=optimizer), Prints()
    guard = lm.TerminateOnNaN()
    with pytest.warns(RuntimeWarning, match=f"{WARNING} {values[-1]} in epoch {epoch}; "):
        history = fit(trainer, prints, guard)
    assert len(history) == epoch + 1
    assert history.stop_reason == (
        f"TerminateOnNaN: val_score is {values[-1]} in epoch {epoch}; the weights are back at the "
        "last epoch whose values were finite"
    )
    assert guard.stopped_epoch == epoch
    assert predictions(trainer) == prints.seen[epoch]
    assert len(set(prints.seen)) == epoch + 2
    assert not trainer.resumable
    trainer._heads.metrics[0]  # the next fit goes on, and begins to watch anew


def test_a_fit_whose_values_are_finite_is_left_alone():
    plain, guarded = trainer_of(1, 2), trainer_of(1, 2)
    fit(plain)
    fit(guarded, lm.TerminateOnNaN())
    assert guarded.model.fingerprint() == plain.model.fingerprint()
    state, expected = (one._core.state() for one in (guarded, plain))
    assert len(state) > len(expected)  # it keeps the weights


def test_the_next_fit_goes_on_from_there():
    trainer, guard = trainer_of(1, NAN, 1), lm.TerminateOnNaN()
    with pytest.warns(RuntimeWarning, match=WARNING):
        fit(trainer, guard)
    before = trainer.evaluate(*rows())["loss"]
    history = fit(trainer, guard, epochs=30)
    assert guard.stopped_epoch is None
    assert history.stop_reason == "all epochs done"
    assert trainer.evaluate(*rows())["loss"] < before


@pytest.mark.parametrize("guard_first", [False, True])
@pytest.mark.parametrize("better", [False, True])
def test_the_best_weights_of_earlier_epochs_stay(guard_first, better):
    """Those of the epoch that ended the fit do not, however low its loss."""
    trainer, prints = trainer_of(1, 1, 1, NAN), Prints()
    best = lm.EarlyStopping("loss", mode="min" if better else "max")
    hooks = [lm.TerminateOnNaN(), best] if guard_first else [best, lm.TerminateOnNaN()]
    with pytest.warns(RuntimeWarning, match=WARNING):
        history = fit(trainer, prints, *hooks)
    assert best.best_epoch == (3 if better else 0)
    assert predictions(trainer) == prints.seen[3 if better else 1]
    assert history.best_epoch == (2 if better else 0)


def test_an_interrupted_fit_keeps_what_it_would_go_back_to():
    def run(interrupt):
        trainer, guard = trainer_of(1, 2, 3, NAN), lm.TerminateOnNaN()
        prints = Prints()

        def stop(batch, logs):
            if trainer.epoch == 3 and batch == 2 and interrupt:
                raise KeyboardInterrupt

        hooks = [prints, guard, lm.LambdaCallback(on_train_batch_end=stop)]
        if interrupt:
            with pytest.raises(KeyboardInterrupt):
                fit(trainer, *hooks)
            other = trainer_of(NAN)
            other._core.load_state(trainer._core.state())
            other._plan, other.history = trainer._plan, trainer.history
            other._heads.metrics[0].function.values[:] = [NAN]
            trainer, again = other, [Prints(), lm.TerminateOnNaN(), lm.LambdaCallback()]
            with pytest.warns(RuntimeWarning, match=WARNING):
                trainer.resume(*rows(), validation_data=rows(1), callbacks=again, verbose=0)
        else:
            with pytest.warns(RuntimeWarning, match=WARNING):
                fit(trainer, *hooks)
        assert predictions(trainer) == prints.seen[3]
        return trainer.model.fingerprint(), trainer.history.stop_reason

    assert run(False) == run(True)


def test_an_exception_behind_it_does_not_keep_it_from_going_back():
    trainer, prints = trainer_of(1, NAN), Prints()

    def fail(epoch, logs):
        if epoch == 1:
            raise ZeroDivisionError

    hooks = [prints, lm.TerminateOnNaN(), lm.LambdaCallback(on_epoch_end=fail)]
    with pytest.warns(RuntimeWarning, match=WARNING), pytest.raises(ZeroDivisionError):
        fit(trainer, *hooks)
    assert predictions(trainer) == prints.seen[1]
    trainer.resume(*rows(), validation_data=rows(1), verbose=0)
    assert predictions(trainer) == prints.seen[1]
    assert "val_score is nan in epoch 1" in trainer.history.stop_reason


def stretched(n=3000):
    """Validation data whose row 2017 is too large for float32."""
    x, y = rows(1, n)
    x[2017] = 3e38
    return x, y


def linear_trainer():
    layers = [lm.Input(3), lm.Dense(4, name="first"), lm.Dense(1, name="second")]
    model = lm.Model(layers, seed=0)
    model["first"].kernel[:] = 0.6
    return lm.Trainer(model, loss="mse", optimizer=lm.SGD(1e-6))


@pytest.mark.parametrize("stream", [False, True])
def test_it_names_the_layer_and_the_row(stream):
    x, y = stretched()
    held_out = lm.ArrayStream(x, y, window_rows=512) if stream else (x, y)
    with pytest.warns(RuntimeWarning, match="val_loss is"):
        history = fit(linear_trainer(), lm.TerminateOnNaN(), validation_data=held_out)
    assert history.stop_reason.startswith(
        f"TerminateOnNaN: val_loss is {history['val_loss'][0]} in epoch 0: on the validation data "
        "layer first gives inf for row 2017; "
    )


def test_an_earlier_layer_counts_more_than_an_earlier_row():
    x, y = stretched()
    x[5] = 1e38  # overflows in the second layer
    trainer = linear_trainer()
    trainer.model["second"].kernel[:] = 1.0
    trainer.model["second"].kernel[0] = 1e2
    with pytest.warns(RuntimeWarning, match="layer first gives inf for row 2017; "):
        fit(trainer, lm.TerminateOnNaN(), validation_data=(x, y))
    x[2017] = 1
    with pytest.warns(RuntimeWarning, match="layer second gives inf for row 5; "):
        fit(trainer, lm.TerminateOnNaN(), validation_data=(x, y))


def test_it_names_the_row_of_a_split():
    x, y = rows(0, 200)
    trainer = linear_trainer()
    trainer.fit(x, y, epochs=1, validation_split=0.25, verbose=0)
    held_out = trainer._split[1][1]
    x[held_out[7]] = 3e38
    with pytest.warns(RuntimeWarning, match=f"first gives inf for row {held_out[7]}; "):
        trainer.fit(x, y, validation_split=0.25, callbacks=[lm.TerminateOnNaN()], verbose=0)


# ---- what the engine says -----------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shuffle", [False, True])
def test_the_engine_names_layer_row_and_step(dtype, shuffle):
    layers = [
        lm.Input(3),
        lm.Dense(4, activation="relu", name="first"),
        lm.BatchNormalization(),
        lm.Dropout(0.5),
        lm.Dense(4, activation="exponential", name="second"),
        lm.Dense(1, name="third"),
    ]
    trainer = lm.Trainer(lm.Model(layers, seed=0, dtype=dtype), loss="mse")
    trainer.fit(*rows(), batch_size=16, epochs=1, verbose=0)
    kept = trainer.model.fingerprint()
    trainer.model["second"].bias[:] = 1e4
    x, y = rows()
    with pytest.warns(RuntimeWarning) as warned:
        history = trainer.fit(x, y, batch_size=16, epochs=3, shuffle=shuffle, verbose=0)
    (text,) = {str(one.message) for one in warned}
    assert history.stop_reason == text
    row = 0 if not shuffle else int(text.split("for row ")[1].split()[0])
    assert text == (
        "diverged: the loss became non-finite in step 6 (epoch 1): layer second gives inf for row "
        f"{row} of X, row 0 of the batch; the weights are back at the last good epoch. Lower the "
        "learning rate, or clip the gradient (global_clipnorm=1.0)"
    )
    assert kept != trainer.model.fingerprint()


@pytest.mark.parametrize("shuffle", [False, True])
def test_the_engine_finds_the_one_row(shuffle):
    x, y = rows()
    x[37] = 3e38
    trainer = linear_trainer()
    with pytest.warns(RuntimeWarning, match="layer first gives inf for row 37 of X, row "):
        trainer.fit(x, y, batch_size=16, epochs=3, shuffle=shuffle, verbose=0)


def test_an_input_that_is_not_finite_is_named():
    x, y = rows()
    x[17, 1] = NAN
    with pytest.warns(RuntimeWarning, match="layer first gives nan for row 17 of X, .*not finite;"):
        linear_trainer().fit(x, y, epochs=1, check_input=False, verbose=0)


def test_a_loss_that_overflows_by_itself():
    x, y = rows()
    with pytest.warns(
        RuntimeWarning, match=r"became non-finite .*, though all layers' outputs are finite; "
    ):
        linear_trainer().fit(x, y + 1e30, epochs=1, verbose=0)


def test_a_weight_is_named():
    x, y = rows()
    model = lm.Model([lm.Input(3), lm.Dense(4, name="a"), lm.Dense(1, name="b")], seed=0)
    trainer = lm.Trainer(model, loss="mse", optimizer=lm.SGD(1e38))
    with pytest.warns(
        RuntimeWarning, match=r"a weight of \w/kernel became non-finite in step 1 \(epoch 0\); the"
    ):
        trainer.fit(x, 1e3 * y, batch_size=16, epochs=3, verbose=0)


def test_a_gradient_is_named():
    model = lm.Model([lm.Input(3), lm.Dense(1, kernel_initializer="zeros", name="only")], seed=0)
    trainer = lm.Trainer(model, loss="mse", optimizer=lm.SGD(global_clipnorm=1.0))
    with pytest.warns(RuntimeWarning, match="a gradient of only/kernel became non-finite in step"):
        trainer.fit(np.full((8, 3), 1e20), np.full(8, 1e19), epochs=3, verbose=0)
    assert (model["only"].kernel == 0).all()


def test_by_hand_it_says_so_too():
    x, y = rows()
    x[3] = 3e38
    with pytest.raises(ValueError, match="the loss is not finite: layer first gives inf for row 3"):
        linear_trainer().compute_gradients(x, y)
    with pytest.raises(RuntimeError, match=r"in step 1: layer first gives inf for row 3 of X"):
        linear_trainer().train_on_batch(x, y)
