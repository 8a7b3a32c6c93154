"""scikit-learn's MLP: `partial_fit` is one shuffled pass in batches, its optimizer goes on."""

from __future__ import annotations

import numpy as np
import sklearn
from cases import LEARNING_RATE, Array, Case, Data
from sklearn.neural_network import MLPClassifier, MLPRegressor
from threadpoolctl import threadpool_limits


class ScikitLearn:
    """MLPClassifier or MLPRegressor without the L2 penalty that is its default."""

    version = sklearn.__version__

    def __init__(self, case: Case, data: Data, threads: int) -> None:
        threadpool_limits(threads)  # of the BLAS; stays in force in this process
        self.case, self.data = case, data
        kind = MLPClassifier if case.classes else MLPRegressor
        self.network = kind(
            hidden_layer_sizes=case.widths[1:-1],
            activation="relu",
            solver="adam",
            alpha=0.0,
            batch_size=case.batch_size,
            learning_rate_init=LEARNING_RATE,
            shuffle=True,
            random_state=0,
        )
        self.options = {"classes": np.arange(case.widths[-1])} if case.classes else {}
        few = case.batch_size  # a first step, so that predict works before the first epoch
        self.network.partial_fit(data.x[:few], data.y[:few], **self.options)

    def epoch(self) -> None:
        self.network.partial_fit(self.data.x, self.data.y, **self.options)

    def predict(self, x: Array) -> Array:
        if self.case.classes:
            return np.asarray(self.network.predict_proba(x))
        return np.asarray(self.network.predict(x)).reshape(len(x), -1)
