"""Metrics: what a person wants to know about predictions, alone on arrays or in a Trainer.

A metric is an object with its arguments, called as ``metric(y_true, y_pred, sample_weight)``; for
each there is a ready-made one with the default arguments under its lower-case name. In a Trainer
give names, objects or functions: ``metrics=["accuracy", "f1", lm.metrics.TopKAccuracy(k=3)]``.

There are two kinds, and they live where their numbers are:

- A *row metric* is a mean over rows (accuracy, log loss, the errors of a regression). In a Trainer
  the core computes it for each row while the row's prediction is in cache, in training, too: it
  costs next to nothing and keeps nothing. Its mathematics is in cpp/lamina/functions/metrics.hpp;
  the call on arrays is written here in NumPy, as a plain second opinion, and a test compares the
  two for each of them.
- A *set metric* is none (F1, ROC AUC, R²; the mean over batches of F1 is not the F1 of all rows).
  It needs all predictions at once, so a Trainer keeps them for the time of the call and computes
  it on validation data and in evaluate; on training data only if asked, since that takes another
  pass. It has no inner loop worth a kernel, so it is written once, in NumPy, here.

Metrics ask for less than losses: they have no gradient, and they read predictions as a person
would, as probabilities and classes.
"""

from lamina.metrics._base import (
    Metric,
    RowMetric,
    SetMetric,
    UndefinedMetricError,
    canonical_key,
    find_metric,
)
from lamina.metrics.accuracies import (
    Accuracy,
    BalancedAccuracy,
    TopKAccuracy,
    accuracy,
    balanced_accuracy,
    top_k_accuracy,
)
from lamina.metrics.confusion import (
    F1,
    Precision,
    Recall,
    confusion_matrix,
    f1,
    precision,
    recall,
)
from lamina.metrics.deviations import (
    R2,
    ExplainedVariance,
    MaxError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    RootMeanSquaredError,
    explained_variance,
    max_error,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    r2,
    root_mean_squared_error,
)
from lamina.metrics.quantiles import Coverage, QuantileLoss, coverage, quantile_loss
from lamina.metrics.scores import BrierScore, LogLoss, RocAuc, brier_score, log_loss, roc_auc

__all__ = [
    "F1",
    "R2",
    "Accuracy",
    "BalancedAccuracy",
    "BrierScore",
    "Coverage",
    "ExplainedVariance",
    "LogLoss",
    "MaxError",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "Metric",
    "Precision",
    "QuantileLoss",
    "Recall",
    "RocAuc",
    "RootMeanSquaredError",
    "RowMetric",
    "SetMetric",
    "TopKAccuracy",
    "UndefinedMetricError",
    "accuracy",
    "balanced_accuracy",
    "brier_score",
    "canonical_key",
    "confusion_matrix",
    "coverage",
    "explained_variance",
    "f1",
    "find_metric",
    "log_loss",
    "max_error",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "precision",
    "quantile_loss",
    "r2",
    "recall",
    "roc_auc",
    "root_mean_squared_error",
    "top_k_accuracy",
]
