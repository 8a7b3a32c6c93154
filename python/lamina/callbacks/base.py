"""Callback, the base of all of them, and one made of functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

__all__ = ["Callback", "LambdaCallback", "as_callbacks"]

Logs = Mapping[str, float]


class Callback:
    """The base of callbacks: write a subclass and override the hooks you need.

    The hooks are called in this order, each for all callbacks in theirs: :meth:`check`,
    `on_train_begin`; for each epoch `on_epoch_begin`, `on_train_batch_end` after its batches and
    `on_epoch_end`; `on_train_end`, or `on_exception` where the fit ends with one. A hook ends the
    training with ``self.trainer.stop("reason")``. An exception in a hook comes out of ``fit`` as it
    is; the model has the weights of the last completed step then, and ``trainer.resume`` goes on.

    Most hooks cost nothing. One for batches makes the engine return to Python at every batch, or at
    every :attr:`batch_interval`-th: costly for small networks. To show how far an epoch has come,
    :meth:`on_tick` is enough.

    A callback with state overrides :meth:`get_state` and :meth:`set_state`, so that a fit that is
    resumed goes on with it; each hook is called once for each event, however often the fit is
    interrupted. It belongs to one Trainer; for another take ``copy.deepcopy(callback)``, which of
    Lamina's callbacks has the arguments and begins anew (of your own, all attributes). To be made
    anew from a checkpoint alone a callback must also be a ``Configurable``, whose arguments are
    attributes of the same names.

    Attributes
    ----------
    trainer : Trainer
        Whose fit it is; set before the first hook, as `model` and `params` are.
    model : Model
        Its model.
    params : dict
        Of the fit: ``"epochs"``, ``"batch_size"``, ``"rows"`` and ``"steps"`` (of an epoch; None if
        a stream does not know them), ``"epochs_done"`` (of this fit, where it is resumed).

    Notes
    -----
    Names and arguments are those of Keras 3, but for these: there are no hooks at the beginning of
    a batch, in a validation or in a prediction; a fit that is stopped inside an epoch leaves that
    epoch open, so its `on_epoch_end` comes when the fit is resumed (Keras measures and ends it);
    the `logs` of a batch are its own means, not those of the epoch so far.

    Examples
    --------
    >>> import lamina as lm
    >>> class PrintLoss(lm.Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         print(epoch, logs["loss"])
    >>> PrintLoss().on_epoch_end(0, {"loss": 0.25})
    0 0.25
    """

    model: Any = None
    params: Mapping[str, Any] = MappingProxyType({})
    _trainer: Any = None

    @property
    def trainer(self) -> Any:
        """The Trainer whose fit this callback watches, or None."""
        return self._trainer

    @trainer.setter
    def trainer(self, trainer: Any) -> None:
        taken = self._trainer is not None and trainer is not None
        if taken and trainer is not self._trainer and self._has_state():
            raise ValueError(
                f"{type(self).__name__}: this callback already belongs to a Trainer and has state; "
                "give each Trainer its own: copy.deepcopy(callback)"
            )
        self._trainer = trainer

    @property
    def batch_interval(self) -> int:
        """After every how many batches the engine must call `on_train_batch_end`; 0: after none.

        By default 1 if the class overrides it. Batches count over the whole training. Where several
        callbacks listen, one may be called more often than it asked for.
        """
        return int(type(self).on_train_batch_end is not Callback.on_train_batch_end)

    asks_for_batches: bool = False  # whether wants_next_batch() must be asked

    is_quick: bool = False  # whether Ctrl-C waits for its hooks, so that each is whole or not begun

    wants_sigterm: bool = False  # whether SIGTERM must raise SystemExit, so on_exception is called

    def wants_next_batch(self) -> bool:
        """Tell, some 20 times a second, whether to be called after the next batch."""
        return False

    def _has_state(self) -> bool:
        return bool(self.get_state())

    def check(self, keys: Sequence[str]) -> None:
        """Refuse a fit that this callback cannot work with; called before anything is trained.

        Parameters
        ----------
        keys : sequence of str
            The keys that the logs of each epoch will have.
        """

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Do something when a fit begins."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Do something when a fit ends, also where it was stopped; `logs` are of its last epoch."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Do something when an epoch begins, counted from 0 over all fits of the Trainer."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Do something when an epoch ends; `logs` has its loss and metrics."""

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Do something after each training step; `batch` counts from 0 in each epoch."""

    def on_tick(self, rows: int) -> None:
        """Hear how far the epoch has come, some 20 times a second and behind its last batch.

        Between two steps, or between parts of a long one. It is no event: none is made up for.

        Parameters
        ----------
        rows : int
            How many rows of the open epoch are done.
        """

    def on_exception(self, error: BaseException) -> None:
        """Do something when the fit ends with an exception, Ctrl-C's KeyboardInterrupt too.

        Then `on_train_end` is not called. The exception goes on to the caller of fit; one that is
        raised here becomes a RuntimeWarning, so that it does not hide the first.
        """

    def get_state(self) -> dict[str, Any]:
        """Return what a checkpoint must keep, in JSON's types; empty if there is nothing."""
        return {}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Take over what `get_state` returned; the next fit then goes on from there."""

    def __getstate__(self) -> dict[str, Any]:
        """Leave the Trainer behind in copies and pickles."""
        return {k: v for k, v in self.__dict__.items() if k not in ("_trainer", "model", "params")}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        """Begin anew: in a copy, what was counted for another Trainer means nothing."""
        self.__dict__.update(state)
        self._forget()

    def _forget(self) -> None:
        """Set the state to where it begins; a subclass that has one knows how."""


class LambdaCallback(Callback):
    """A callback made of functions, for something short.

    Parameters
    ----------
    on_epoch_begin, on_epoch_end : callable, optional
        Called with (epoch, logs).
    on_train_begin, on_train_end : callable, optional
        Called with (logs).
    on_train_batch_end : callable, optional
        Called with (batch, logs).
    on_exception : callable, optional
        Called with the exception that ends a fit; `on_train_end` is not called then.

    Examples
    --------
    >>> import lamina as lm
    >>> losses = []
    >>> watch = lm.LambdaCallback(on_epoch_end=lambda epoch, logs: losses.append(logs["loss"]))
    >>> watch.on_epoch_end(0, {"loss": 0.25})
    >>> losses
    [0.25]
    """

    def __init__(
        self,
        on_epoch_begin: Callable[[int, Any], object] | None = None,
        on_epoch_end: Callable[[int, Any], object] | None = None,
        on_train_begin: Callable[[Any], object] | None = None,
        on_train_end: Callable[[Any], object] | None = None,
        on_train_batch_end: Callable[[int, Any], object] | None = None,
        on_exception: Callable[[BaseException], object] | None = None,
    ) -> None:
        self._functions: dict[str, Callable[..., object] | None] = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_end": on_train_batch_end,
            "on_exception": on_exception,
        }

    @property
    def batch_interval(self) -> int:
        """1 if there is a function for batches."""
        return int(self._functions["on_train_batch_end"] is not None)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Call the function, if there is one."""
        self._call("on_epoch_begin", epoch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Call the function, if there is one."""
        self._call("on_epoch_end", epoch, logs)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Call the function, if there is one."""
        self._call("on_train_begin", logs)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Call the function, if there is one."""
        self._call("on_train_end", logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Call the function, if there is one."""
        self._call("on_train_batch_end", batch, logs)

    def on_exception(self, error: BaseException) -> None:
        """Call the function, if there is one."""
        self._call("on_exception", error)

    def _call(self, hook: str, *given: Any) -> None:
        function = self._functions[hook]
        if function is not None:
            function(*given)


def as_callbacks(given: Any) -> list[Callback]:
    """Return what a fit was given as a list: None, one callback, or several.

    Raises
    ------
    TypeError
        If there is something else among them.
    """
    hooks = [given] if isinstance(given, Callback) else list(given or ())
    for hook in hooks:
        if not isinstance(hook, Callback):
            a_class = isinstance(hook, type) and issubclass(hook, Callback)
            got = f"the class {hook.__name__}: call it" if a_class else repr(hook)
            raise TypeError(f"callbacks: expected objects of lm.Callback, got {got}")
    return hooks
