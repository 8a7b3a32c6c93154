"""scikit-learn's MLP: `partial_fit` is one shuffled pass in batches, its optimizer goes on."""

from __future__ import annotations

import numpy as np
import sklearn
from cases import LEARNING_RATE, Array, Case, Data, Weights
from sklearn.neural_network import MLPClassifier, MLPRegressor
from threadpoolctl import threadpool_limits


class ScikitLearn:
    """MLPClassifier or MLPRegressor without the L2 penalty that is its default."""

    version = sklearn.__version__

    def __init__(self, case: Case, data: Data, start: Weights, threads: int) -> None:
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
            epsilon=5e-10,  # beside the uncorrected root, a twentieth in early steps: 1e-8
            shuffle=True,
            random_state=0,
        )
        self.options = {"classes": np.arange(case.widths[-1])} if case.classes else {}
        few = case.batch_size  # a first step makes the arrays and the optimizer; it is undone
        self.network.partial_fit(data.x[:few], data.y[:few], **self.options)
        for i, (kernel, bias) in enumerate(start):
            self.network.coefs_[i][:], self.network.intercepts_[i][:] = kernel, bias
        adam = self.network._optimizer
        adam.t = 0
        for moment in (*adam.ms, *adam.vs):
            moment[:] = 0

    def epoch(self, shuffle: bool = True) -> None:
        self.network.shuffle = shuffle
        self.network.partial_fit(self.data.x, self.data.y, **self.options)

    def predict(self, x: Array) -> Array:
        if self.case.classes:
            return np.asarray(self.network.predict_proba(x))
        return np.asarray(self.network.predict(x)).reshape(len(x), -1)
