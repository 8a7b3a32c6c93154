"""Trainer: fits a model to data, epoch by epoch, and measures it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from numpy.typing import ArrayLike

from lamina._config import spec_json
from lamina._isa import core
from lamina.budget import Budget
from lamina.callbacks.base import Callback, as_callbacks
from lamina.data import at_least_1, class_weight_spec
from lamina.estimating import EstimatingTraining
from lamina.fitting import Fit, FitPlan, check_hooks, hook_params, restore_states, states
from lamina.heads import Heads
from lamina.history import History
from lamina.losses import Loss
from lamina.measuring import Measuring
from lamina.memory import memory_text
from lamina.metrics import Metric
from lamina.model import Model
from lamina.online import OnlineTraining
from lamina.optimizers import Optimizer
from lamina.progress import Progress, RowsBar
from lamina.resuming import Resuming
from lamina.saving import Saving
from lamina.streaming import ANEW, refuse_beside_stream, training
from lamina.streams import Stream, as_stream, is_stream

__all__ = ["Trainer"]


class Trainer(OnlineTraining, EstimatingTraining, Resuming, Saving):
    """Trains a model: the loss, the optimizer and the metrics.

    Parameters
    ----------
    model : Model
        Its parameters are changed in place.
    loss : str, Loss or callable; for several outputs a dict by name or a sequence
        By name, as an object, or a function ``(y_true, y_pred) -> (values, gradient)`` with the
        loss of each row (n,) and its gradient (n, outputs). Of a model with several outputs
        (``model.output_names``) each has its own; one alone is that of every output. An output
        without a loss (None, or left out of the dict) is not trained for.
    optimizer : str or Optimizer, default "adam"
        An object belongs to this trainer from now on.
    metrics : sequence of str, Metric or callable, default ()
        Measured beside the loss: names and aliases of lm.metrics, objects such as
        ``lm.metrics.TopKAccuracy(k=3)``, or functions ``(y_true, y_pred) -> float``. A function
        gets the predictions of all rows at once, as ``model.predict`` gives them (of a loss from
        logits the probabilities), with targets of the same shape, or class numbers (n,); and the
        weights, if it has an argument ``sample_weight``. Its key is its name. For several outputs
        a dict by name or a sequence in their order, each with one metric or several.
    loss_weights : mapping of str to float, or sequence of float, optional
        What each output's loss counts in the total, at least 0. Default: 1.
    set_metrics_on_training : bool, default False
        Metrics that are no mean over rows (F1, ROC AUC, R², functions: see lm.metrics) are
        computed on validation data and in :meth:`evaluate`. True: on the training data, too. It
        costs a prediction of all of it after each epoch, and memory for that; the values are those
        of the weights at the epoch's end, without dropout, as ``val_`` ones are.
    seed : int, optional
        Of shuffling, dropout and splitting. Default: the model's.
    num_threads : int, optional
        Default: what OpenMP offers; steps of little work run on one thread. The results' bits do
        not depend on it.

    Attributes
    ----------
    history : History
        All epochs of all fits.
    metrics : list of Metric
        The metrics as objects.

    Raises
    ------
    ValueError
        If the loss does not go with the model's output, there is no such output, or another trainer
        has the optimizer.

    Notes
    -----
    Several outputs are trained as in Keras 3: the loss is the weighted sum of the outputs' losses,
    each a mean over rows by itself. Logs have ``loss`` (the sum), then the losses and metrics with
    the name of their output before them: ``price_loss``, ``sold_loss``, ``sold_accuracy``. Of a
    single output the keys are ``loss`` and ``accuracy``.

    Examples
    --------
    >>> import numpy as np
    >>> import lamina as lm
    >>> x = np.linspace(-1, 1, 64).reshape(-1, 1)
    >>> model = lm.Model([lm.Input(1), lm.Dense(16, activation="tanh"), lm.Dense(1)], seed=0)
    >>> trainer = lm.Trainer(model, loss="mse", optimizer=lm.Adam(learning_rate=0.02))
    >>> history = trainer.fit(x, x**2, epochs=200, batch_size=16, verbose=0)
    >>> bool(history["loss"][-1] < 1e-3)
    True

    Two outputs, each with its own loss:

    >>> start = lm.Input(1)
    >>> hidden = lm.Dense(8, activation="tanh")(start)
    >>> square = lm.Dense(1, name="square")(hidden)
    >>> sign = lm.Dense(1, activation="sigmoid", name="sign")(hidden)
    >>> model = lm.Model(inputs=start, outputs=[square, sign], seed=0)
    >>> trainer = lm.Trainer(
    ...     model, loss={"square": "mse", "sign": "bce"}, loss_weights={"square": 4.0}
    ... )
    >>> history = trainer.fit(x, {"square": x**2, "sign": x > 0}, epochs=2, verbose=0)
    >>> history.keys()
    ['loss', 'square_loss', 'sign_loss']
    """

    # Block rows, tile size, exactly so many threads: never changes bits, tests force odd values.
    _scheduling: ClassVar[tuple[int, int, bool]] = (0, 0, False)

    def __init__(
        self,
        model: Model,
        *,
        loss: str | Loss | Callable[..., Any] | Mapping[str, Any] | Sequence[Any],
        optimizer: str | Optimizer = "adam",
        metrics: str | Metric | Callable[..., float] | Mapping[str, Any] | Sequence[Any] = (),
        loss_weights: Mapping[str, float] | Sequence[float] | None = None,
        set_metrics_on_training: bool = False,
        seed: int | None = None,
        num_threads: int | None = None,
    ) -> None:
        if num_threads is not None and num_threads < 1:
            raise ValueError(f"Trainer: num_threads must be at least 1, got {num_threads}")
        self.model = model
        self.loss = loss
        self.num_threads = num_threads
        handle = (
            core.Optimizer(spec_json(optimizer)) if isinstance(optimizer, str) else optimizer.handle
        )
        self.loss_weights = loss_weights
        names = [output["name"] for output in model._core.outputs()]
        self._heads = Heads(names, loss, loss_weights, metrics)
        self._measuring = Measuring(self, self._heads)
        self.set_metrics_on_training = set_metrics_on_training
        self._core = core.Trainer(
            model._core,
            handle,
            *self._heads.for_core,
            model.seed if seed is None else int(seed),
        )
        if isinstance(optimizer, Optimizer):
            optimizer._claim(self)
        else:
            optimizer = _made(handle)
            optimizer._claim(self)
        self.optimizer = optimizer
        self.history = History(self.seed)
        self._split = None
        self._plan: FitPlan | None = None  # of the last fit
        self._hooks: list[Callback] = []
        self._thread: int | None = None  # that runs it

    @property
    def metrics(self) -> list[Metric]:
        """The metrics as objects, in the order given; of several outputs one after another."""
        return self._heads.metrics

    @property
    def epoch(self) -> int:
        """Number of completed epochs."""
        return int(self._core.epoch)

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        epochs: int = 20,
        batch_size: int = 128,
        validation_data: tuple[Any, ...] | Stream | None = None,
        validation_split: float = 0.0,
        shuffle: bool = True,
        sample_weight: ArrayLike | None = None,
        class_weight: Mapping[int, float] | str | None = None,
        callbacks: Sequence[Callback] | Callback | None = None,
        verbose: int | str = "auto",
        check_input: bool = True,
        time_budget: float | None = None,
        monitor: bool = False,
    ) -> History:
        """Train for some further epochs.

        Numbering, random numbers and the optimizer's state go on from the last fit: 2 epochs and 2
        more equal 4, bit for bit (unless best weights are restored in between, or a schedule's
        length comes from fit). A fit after one that was stopped inside an epoch completes that
        first if it gets the same data again; to go on with an interrupted fit itself, its number of
        epochs and its callbacks, is what :meth:`resume` does.

        Parameters
        ----------
        X : array_like, shape (n, inputs); for several inputs a dict by name or a tuple
            Read where it lies, never copied: any numeric dtype, layout and byte order, memmaps
            larger than memory, SciPy's sparse matrices (best with ``lm.Input(n, kind="sparse")``).
            Or, without y, a :class:`~lamina.Stream`, an iterable of chunks
            (X, y) or (X, y, sample_weight), or a function that returns one: data larger than
            memory, which are shuffled within windows only.
        y : array_like, shape (n,) or (n, outputs); for several outputs a dict by name or a tuple
            Numbers, or class numbers 0 … N-1 for losses over classes. Not beside a stream.
        epochs : int, default 20
            How many further passes over the data, at least 1.
        batch_size : int, default 128
            Rows a step; the last batch of an epoch may be shorter.
        validation_data : (X, y) or (X, y, sample_weight) or Stream, optional
            Measured after each epoch, without training on it.
        validation_split : float, default 0.0
            Without `validation_data`: share of the rows held out, drawn by seed once a trainer
            for the same labels, the same share of each class (of the first output that has
            classes); with ``shuffle=False`` the last rows. Not of a stream.
        shuffle : bool, default True
            Another order each epoch, from the seed; of a stream within each window.
        sample_weight : array_like, shape (n,), optional
            Weight of each row, at least 0; it counts for all outputs.
        class_weight : mapping of int to float or "balanced", optional
            Multiplies the weight of the rows of each class that are trained on. Balanced: by rows /
            (classes * rows of the class), as in scikit-learn, so that all classes weigh alike; not
            of a stream. Not with several outputs.
        callbacks : sequence of Callback or Callback, optional
            Called in order.
        verbose : {0, 1, 2, "auto"}, default "auto"
            0 nothing, 1 a bar, 2 a line an epoch, "auto" a bar in a terminal or notebook.
        check_input : bool, default True
            Refuse NaN and infinity in X before the first step (memmaps: on the way; streams: window
            by window).
        time_budget : float, optional
            Seconds, above 0, after which the whole call has ended, with what best weights take to
            be restored: within 5 % or one step, and never without a step. If the measurements at
            the end of an epoch would take longer than what is left, they are left to
            :meth:`resume`, which goes on where the fit stopped, bit for bit.
        monitor : bool, default False
            Look into the layers at each epoch's end, for 3 per cent of the time at most from some
            50,000 rows on (of fewer, 512 rows or all are predicted after each epoch):
            ``history.layers`` has mean and spread of their outputs, shares of dead and saturated
            units, norms of gradients and updates, and the logs get ``train_loss_eval``, the loss of
            a sample of the training rows measured as validation data are. The weights' bits stay.

        Returns
        -------
        History
            Of these epochs; :attr:`history` has all.

        Raises
        ------
        ValueError, TypeError
            If data or arguments do not fit; nothing has been changed then.
        RuntimeError
            If the model is being trained by another call.
        KeyboardInterrupt
            On Ctrl-C: the weights are those of the last completed step, or the best ones with
            ``EarlyStopping(restore_best_weights=True)``; :meth:`resume` goes on. As for any
            exception, the callbacks' ``on_exception`` is called then, not ``on_train_end``.

        Notes
        -----
        If the loss or a weight becomes NaN or infinite, the fit ends with a RuntimeWarning that
        names the step; the weights go back to the end of the last good epoch.

        Bad data in a later window of a stream end the fit with the weights of the last completed
        step. A fit after one on a stream that was stopped inside an epoch begins a new one.
        """
        budget = Budget(time_budget)
        plan = FitPlan(
            self.epoch,
            at_least_1("fit: epochs", epochs),
            at_least_1("fit: batch_size", batch_size),
            bool(shuffle),
            bool(check_input),
            float(validation_split),
            class_weight_spec(class_weight),
            bool(monitor),
        )
        hooks = as_callbacks(callbacks)
        return self._run(plan, hooks, (X, y, sample_weight), validation_data, verbose, budget)

    def _run(
        self,
        plan: FitPlan,
        hooks: list[Callback],
        given: tuple[Any, Any, Any],
        validation_data: Any,
        verbose: int | str,
        budget: Budget,
        begin: int = ANEW,
    ) -> History:
        """Run a plan: check everything, then begin."""
        if self._core.fitting:
            raise RuntimeError("fit: the model is being trained: this fit has not returned yet")
        data, held_out = self._data(plan, given, validation_data)
        validation = held_out if validation_data is not None else None
        mark = self._check_same(plan, data, validation, begin)
        for part in (held_out, data if self.set_metrics_on_training else None):
            if part is not None:
                self._measuring.check(part)
        check_hooks(hooks)
        done = self.epoch - plan.first_epoch
        progress = Progress(verbose, plan.epochs, data.size, done)
        for hook in hooks:
            hook.trainer = self
            hook.model = self.model
            hook.params = hook_params(plan, data.size, done)
            hook.check(self._measuring.keys(validated=held_out is not None, monitored=plan.monitor))
        watched = self._watched(plan, given, data)
        rows = self._measuring.rows(data, held_out)
        ending = self._ending(plan, given, data, held_out)
        fit = Fit(self, plan, hooks, progress, budget, rows, ending)
        left = plan.epochs - done
        settings = (
            *(plan.batch_size, left, plan.shuffle, self.num_threads, plan.check_input),
            *self._scheduling,
        )
        measuring = self._measuring.of(data, held_out, watched)

        def begun() -> None:
            plan.validation_signature = mark
            self._begun(plan, hooks, begin)

        run = training(self, data, settings, begun, begin, plan.monitor)
        with run as train, progress, measuring as measure:
            fit.run(train, measure)
        return fit.history

    def _begun(self, plan: FitPlan, hooks: list[Callback], begin: int) -> None:
        """Take over the plan of a fit that has just begun."""
        before = self._plan
        if begin != ANEW:
            restore_states(plan, hooks)
        else:
            if before is not None and before.result is not None:  # nobody measures it any more
                known = before.result["means"], before.result["learning_rate"]
                self.history.append(self.epoch - 1, *known)
            plan.first_epoch = self.epoch  # another thread may have trained meanwhile
            plan.callbacks = states(hooks)
        plan.stop_reason = self.history.stop_reason = None
        self._plan, self._hooks, self._thread = plan, hooks, threading.get_ident()

    def stop(self, reason: str = "stopped", *, resumable: bool = False) -> None:
        """End the running fit: inside an epoch after the step, in ``on_epoch_end`` after the epoch.

        Parameters
        ----------
        reason : str
            Becomes ``history.stop_reason``.
        resumable : bool, default False
            A fit that is stopped inside an epoch can be resumed; one that is stopped between two,
            as by EarlyStopping, has ended. True: :meth:`resume` can go on with that, too. For
            handlers of signals and other threads, which cannot know where it stands.
        """
        if self._plan is not None and self._core.fitting:
            self._plan.stop_resumable = resumable
            self._plan.stop_asked = reason

    def evaluate(
        self,
        X: Any,
        y: Any = None,
        *,
        sample_weight: ArrayLike | None = None,
        batch_size: int = 256,
        verbose: int | str = "auto",
    ) -> dict[str, float]:
        """Return loss and metrics on data, without dropout.

        Parameters
        ----------
        X, y, sample_weight
            As for :meth:`fit`; also a stream, with the result of all its rows in one array. Memory
            holds two of its windows; metrics that need all predictions (ROC AUC, …) keep those, the
            targets and the weights of all rows.
        batch_size : int, default 256
            Rows that a thread takes at a time.
        verbose : {0, 1, "auto"}, default "auto"
            0 nothing, 1 a bar, "auto" a bar in a terminal or notebook once the call has taken more
            than a second. Ctrl-C ends it within a second.

        Returns
        -------
        dict of str to float
            ``{"loss": …, "accuracy": …}``, with the keys of the logs; the loss without L1 and L2. A
            metric that does not exist for the data (ROC AUC where all rows are of one class) is
            NaN.
        """
        if is_stream(X, y):
            refuse_beside_stream(y, sample_weight)
            data: Any = self._streamed(as_stream(X), 1)
        else:
            data = self._dataset(X, y, sample_weight)
        with RowsBar("evaluate", verbose, data.size) as bar:
            return self._measuring(data, batch_size, bar)

    def compute_gradients(self, X: Any, y: Any, *, sample_weight: ArrayLike | None = None) -> float:
        """Fill the model's gradients for one batch as fit computes them; return the loss.

        A loop of this and ``trainer.optimizer.step(model)`` gives fit's bits. So the moving
        averages of BatchNormalization move here, as in a training step of PyTorch; nothing else
        of the model changes.
        """
        inputs, targets, weights, _ = self._dataset(X, y, sample_weight)
        return float(self._core.compute_gradients(inputs, targets, weights, self.num_threads))

    def memory(
        self,
        *,
        batch_size: int = 128,
        rows: int = 0,
        validation_rows: int = 0,
        keeps_best: bool = False,
        shuffle: bool = True,
        monitor: bool = False,
    ) -> dict[str, int]:
        """Return the bytes that a fit holds beside the data, by what they are for.

        P parameters take P · (1 + the optimizer's slots + 1 for the snapshot), and P more each for
        best weights, a moving average (twice) and stored gradients, if there are any; the rest
        depends on the batch. What products pack on the way (up to some MB a thread) is counted
        once a fit has been.

        Parameters
        ----------
        batch_size : int, default 128
            As for :meth:`fit`.
        rows : int, default 0
            Rows of the training data, whose order takes 8 bytes each.
        validation_rows : int, default 0
            Rows measured on after each epoch.
        keeps_best : bool, default False
            Whether a callback keeps the best weights, as EarlyStopping does.
        shuffle, monitor : bool, default True and False
            As for :meth:`fit`.

        Returns
        -------
        dict
            Bytes by part. Their sum is what the process grows by, within 5 per cent where it is
            some tens of MB (``python -m bench memory`` measures it).

        Examples
        --------
        >>> import lamina as lm
        >>> model = lm.Model([lm.Input(1024), lm.Dense(1024), lm.Dense(1)], seed=0)
        >>> trainer = lm.Trainer(model, loss="mse", optimizer="adam")
        >>> parts = trainer.memory(batch_size=32)
        >>> parts["optimizer state"] == 2 * parts["weights"]
        True
        """
        if batch_size < 1 or rows < 0 or validation_rows < 0:
            raise ValueError(
                "memory: expected batch_size of at least 1, rows and validation_rows of at least "
                f"0, got {batch_size}, {rows} and {validation_rows}"
            )
        how = batch_size, shuffle, self.num_threads, rows, validation_rows, keeps_best, monitor
        return {what: int(size) for what, size in self._core.memory(*how).items()}

    def summary(self, **options: Any) -> None:
        """Print the model's summary and the memory that training takes: see :meth:`memory`."""
        self.model.summary()
        print(memory_text(self.memory(**options)))

    def reset(self) -> None:
        """Begin anew: optimizer state, epoch numbers, history and best weights are forgotten.

        The model's weights stay as they are.
        """
        self._core.reset()
        self.history = History(self.seed)
        self._split = self._plan = None

    def snapshot_best(self, epoch: int, value: float) -> None:
        """Keep a copy of the weights as the best so far (EarlyStopping calls this)."""
        self._core.keep_best(value, epoch)
        if self._plan is not None:
            self._plan.best_epoch = epoch

    def restore_best(self) -> bool:
        """Go back to the weights that :meth:`snapshot_best` kept; False if there are none."""
        return bool(self._core.restore_best())

    def __repr__(self) -> str:
        """Return the call that makes such a trainer."""
        weights = "" if self.loss_weights is None else f", loss_weights={self.loss_weights!r}"
        return (
            f"lm.Trainer({self.model!r}, loss={self.loss!r}{weights}, optimizer={self.optimizer!r})"
        )


def _made(handle: Any) -> Optimizer:
    """Return the Python object of a core optimizer that was made by name."""
    optimizer = Optimizer.from_spec(json.loads(handle.spec))
    optimizer._handle = handle
    return optimizer
