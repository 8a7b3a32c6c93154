"""Going on with a fit that was interrupted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import ArrayLike

from lamina.budget import Budget
from lamina.callbacks.base import Callback, as_callbacks
from lamina.fitting import FitPlan, resumed_hooks
from lamina.history import History
from lamina.streaming import RESUMED, RESUMED_WITH_OTHER_DATA
from lamina.streams import Stream

__all__ = ["Resuming"]


class Resuming:
    """The part of a Trainer that goes on with its last fit."""

    _core: Any
    _plan: FitPlan | None
    _hooks: list[Callback]

    def _run(
        self,
        plan: FitPlan,
        hooks: list[Callback],
        given: tuple[Any, Any, Any],
        validation_data: Any,
        verbose: int | str,
        budget: Budget,
        begin: int,
    ) -> History:
        raise NotImplementedError

    @property
    def resumable(self) -> bool:
        """Whether the last fit was interrupted, so that :meth:`resume` can go on with it."""
        return self._plan is not None and not self._plan.ended

    def resume(
        self,
        X: Any,
        y: Any = None,
        *,
        validation_data: tuple[Any, ...] | Stream | None = None,
        sample_weight: ArrayLike | None = None,
        callbacks: Sequence[Callback] | Callback | None = None,
        verbose: int | str = "auto",
        other_data: bool = False,
        time_budget: float | None = None,
    ) -> History:
        """Go on with the last fit, which was interrupted, as if it had not been: bit for bit.

        It may have been ended by Ctrl-C, an exception, :meth:`stop` inside an epoch or a time
        budget, or with its process (see :func:`lamina.load_checkpoint`). The number of epochs, the
        batch size and the other settings are those of that fit. Where its end put averaged weights
        into the model, or the best, those of its last step are back. Do not change weights in
        between: there the changes are dropped, and elsewhere it goes on with them. Each callback is
        called once for every batch and epoch, however often the fit is interrupted.

        Parameters
        ----------
        X, y, sample_weight, validation_data
            The same as were given to :meth:`fit`.
        callbacks : sequence of Callback, optional
            Of the same classes in the same order as in that fit; each goes on with the state that
            its predecessor had. Default: those of that fit, after :func:`lamina.load_checkpoint`
            made anew from their arguments.
        verbose
            As in :meth:`fit`.
        other_data : bool, default False
            Go on with other data: in a new epoch, with the same optimizer state and settings.
        time_budget : float, optional
            Of this call: as in :meth:`fit`. What had been left to be measured is measured first,
            however long it takes.

        Returns
        -------
        History
            Of all epochs of that fit.

        Raises
        ------
        ValueError
            If there is nothing to resume, if the data are others than those that the fit began
            with (by their shapes and a sample of their values), or the callbacks.
        KeyboardInterrupt and others
            As in :meth:`fit`.

        Examples
        --------
        >>> import numpy as np
        >>> import lamina as lm
        >>> x = np.linspace(-1, 1, 64).reshape(-1, 1)
        >>> model = lm.Model([lm.Input(1), lm.Dense(8, activation="tanh"), lm.Dense(1)], seed=0)
        >>> trainer = lm.Trainer(model, loss="mse")
        >>> def stop_in_epoch_2(batch, logs):
        ...     if trainer.epoch == 2 and batch == 1:
        ...         trainer.stop("for an example")
        >>> stopping = lm.LambdaCallback(on_train_batch_end=stop_in_epoch_2)
        >>> len(trainer.fit(x, x**2, epochs=5, batch_size=16, callbacks=[stopping], verbose=0))
        2
        >>> len(trainer.resume(x, x**2, verbose=0))
        5
        """
        budget = Budget(time_budget)
        plan = self._plan
        if self._core.fitting:
            raise RuntimeError("resume: the model is being trained: its fit has not returned yet")
        if plan is None or plan.ended:
            why = (
                "no fit has been" if plan is None else f"the last fit has ended: {plan.stop_reason}"
            )
            raise ValueError(f"resume: {why}; fit(...) trains further epochs")
        asked = None if callbacks is None else as_callbacks(callbacks)
        hooks = resumed_hooks(plan, self._hooks, asked)
        begin = RESUMED_WITH_OTHER_DATA if other_data else RESUMED
        given = X, y, sample_weight
        return self._run(plan, hooks, given, validation_data, verbose, budget, begin)
