// Metrics that are a mean over rows, computed while the rows are in cache. (Those that need all
// predictions at once, such as ROC AUC, are functions of whole arrays.)
#pragma once

#include <cmath>

#include "lamina/functions/losses.hpp"

namespace lamina {

// Share of rows whose largest output is the label's; for targets of 0 and 1 per output, the mean
// share of outputs on the right side of the threshold (0.5; 0 on logits).
struct Accuracy {
  static Info info() {
    return {"Accuracy",
            "accuracy",
            {"acc", "binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy"},
            {},
            "mean [prediction = label]",
            ""};
  }
  static constexpr bool works_on_logits = true;
  template <class T>
  static double row(Index n, const T* p, Target<T> y, bool logits, bool binary) {
    if (binary) {
      Index right = 0;
      for (Index j = 0; j < n; ++j)
        right += (p[j] > (logits ? T(0) : T(0.5))) == (y.values[j] > T(0.5));
      return static_cast<double>(right) / static_cast<double>(n);
    }
    const auto largest = [n](const T* v) {
      Index best = 0;
      for (Index j = 1; j < n; ++j) best = v[j] > v[best] ? j : best;
      return best;
    };
    return largest(p) == (y.labels ? *y.labels : largest(y.values));
  }
  static double finish(double mean) { return mean; }
};

struct MeanSquaredErrorMetric {
  static Info info() {
    return {"MeanSquaredError", "mean_squared_error", {"mse"}, {}, "mean (p - y)^2", ""};
  }
  static constexpr bool works_on_logits = false;
  template <class T>
  static double row(Index n, const T* p, Target<T> y, bool, bool) {
    double sum = 0;
    for (Index j = 0; j < n; ++j) {
      const double target = y.labels ? (j == *y.labels) : static_cast<double>(y.values[j]);
      sum += (p[j] - target) * (p[j] - target);
    }
    return sum / static_cast<double>(n);
  }
  static double finish(double mean) { return mean; }
};

struct RootMeanSquaredErrorMetric : MeanSquaredErrorMetric {
  static Info info() {
    return {"RootMeanSquaredError",
            "root_mean_squared_error",
            {"rmse"},
            {},
            "sqrt(mean (p - y)^2)",
            ""};
  }
  static double finish(double mean) { return std::sqrt(mean); }
};

struct MeanAbsoluteErrorMetric {
  static Info info() {
    return {"MeanAbsoluteError", "mean_absolute_error", {"mae"}, {}, "mean |p - y|", ""};
  }
  static constexpr bool works_on_logits = false;
  template <class T>
  static double row(Index n, const T* p, Target<T> y, bool, bool) {
    double sum = 0;
    for (Index j = 0; j < n; ++j)
      sum += std::abs(p[j] - (y.labels ? (j == *y.labels) : static_cast<double>(y.values[j])));
    return sum / static_cast<double>(n);
  }
  static double finish(double mean) { return mean; }
};

using Metrics =
    List<Accuracy, MeanSquaredErrorMetric, RootMeanSquaredErrorMetric, MeanAbsoluteErrorMetric>;

template <class T>
struct MetricKernel {
  double (*row)(Index n, const T* prediction, Target<T> target, bool logits, bool binary);
  double (*finish)(double mean);
  bool works_on_logits;
};

template <class T>
MetricKernel<T> metric_kernel(int index) {
  return Metrics::visit(index, [&]<class M>() {
    return MetricKernel<T>{&M::template row<T>, &M::finish, M::works_on_logits};
  });
}

}  // namespace lamina
