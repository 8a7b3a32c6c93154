// Metrics that are a mean over rows, computed while the rows are in cache. Those that need all
// predictions at once, such as F1 or ROC AUC, are Python's (python/lamina/metrics). A metric has
// row(), the value of a row, or rows(), which fills those of a block; finish() is the mean's last
// step where there is one. Predictions are the model's outputs, or their logits where a metric says
// that it works on them.
#pragma once

#include <algorithm>
#include <cmath>

#include "lamina/functions/losses.hpp"

namespace lamina {

// A row of predictions with its targets; the output at a class number is told from a one-hot row.
template <class T>
struct MetricRow {
  // Predictions, targets: as many, or some times as many predictions, all targets' first ones
  // first.
  Index n, targets;
  const T* p;
  Target<T> y;
  bool logits, binary;  // binary: every output answers yes or no by itself

  double target(Index j) const {
    if (y.labels) return j == *y.labels;
    return static_cast<double>(y.values[targets == n ? j : j % targets]);
  }
  double error(Index j) const { return static_cast<double>(p[j]) - target(j); }
  Index label() const { return y.labels ? *y.labels : largest(targets, y.values); }
  static Index largest(Index n, const T* v) {
    Index best = 0;
    for (Index j = 1; j < n; ++j) best = v[j] > v[best] ? j : best;
    return best;
  }
  // The mean of f(j) over the outputs.
  template <class F>
  double mean(F&& f) const {
    double sum = 0;
    for (Index j = 0; j < n; ++j) sum += f(j);
    return sum / static_cast<double>(n);
  }
};

// Rows of them. gradient is room for as many numbers as there are predictions, scratch what
// loss_scratch() says.
template <class T>
struct MetricBlock {
  Index rows, n, targets;
  const T* p;
  Target<T> y;
  bool logits, binary;
  T* gradient;
  std::byte* scratch;
  MetricRow<T> row(Index r) const {
    return {n, targets, p + r * n, y.at(r, targets), logits, binary};
  }
};

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
  explicit Accuracy(const double*) {}
  template <class T>
  double row(const MetricRow<T>& r) const {
    if (!r.binary) return r.largest(r.n, r.p) == r.label();
    const T threshold = r.logits ? T(0) : T(0.5);
    return r.mean([&](Index j) { return (r.p[j] > threshold) == (r.target(j) > 0.5); });
  }
};

// Among equal predictions the later class counts as the larger, as in scikit-learn.
struct TopKAccuracy {
  static Info info() {
    return {"TopKAccuracy",
            "top_k_accuracy",
            {"top_k", "top_k_categorical_accuracy", "sparse_top_k_categorical_accuracy"},
            {{"k", 5, 1, kInfinity, "classes"}},
            "mean [label is among the k largest predictions]",
            ""};
  }
  static constexpr bool works_on_logits = true, needs_classes = true;
  double k;
  explicit TopKAccuracy(const double* parameters) : k(parameters[0]) {}
  template <class T>
  double row(const MetricRow<T>& r) const {
    const Index label = r.label();
    const T own = r.p[label];
    Index above = 0;
    for (Index j = 0; j < r.n; ++j) above += (r.p[j] > own) | ((r.p[j] == own) & (j > label));
    return static_cast<double>(above) < k;
  }
};

// The cross-entropy losses themselves, exact from logits.
struct LogLoss {
  static Info info() {
    return {"LogLoss",
            "log_loss",
            {"logloss", "cross_entropy", "crossentropy"},
            {},
            "mean -ln P(the true class)",
            ""};
  }
  static constexpr bool works_on_logits = true, needs_probabilities = true;
  explicit LogLoss(const double*) {}
  static const Choice& loss(bool binary) {
    const auto by_name = [](const char* name) {
      return default_choice(Losses::infos(), find("loss", Losses::infos(), name));
    };
    static const Choice yes_or_no = by_name("binary_crossentropy"),
                        classes = by_name("categorical_crossentropy");
    return binary ? yes_or_no : classes;
  }
  template <class T>
  void rows(const MetricBlock<T>& b, double* values) const {
    const Choice& choice = loss(b.binary);
    loss_kernel<T>(choice.index)(choice.parameters.data(), b.logits, b.rows, b.n, b.p, b.y, nullptr,
                                 values, b.gradient, b.scratch);
  }
};

// Two columns of classes say the same twice: half of it, as in scikit-learn.
struct BrierScore {
  static Info info() {
    return {"BrierScore",
            "brier_score",
            {"brier", "brier_score_loss"},
            {},
            "mean (P - y)^2; of several classes their sum",
            "Brier, Monthly Weather Review 78, 1950"};
  }
  static constexpr bool needs_probabilities = true;
  explicit BrierScore(const double*) {}
  template <class T>
  double row(const MetricRow<T>& r) const {
    const double mean = r.mean([&](Index j) { return r.error(j) * r.error(j); });
    return r.binary || r.n == 2 ? mean : mean * static_cast<double>(r.n);
  }
};

struct MeanSquaredErrorMetric {
  static Info info() {
    return {"MeanSquaredError", "mean_squared_error", {"mse"}, {}, "mean (p - y)^2", ""};
  }
  explicit MeanSquaredErrorMetric(const double*) {}
  template <class T>
  double row(const MetricRow<T>& r) const {
    return r.mean([&](Index j) { return r.error(j) * r.error(j); });
  }
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
  using MeanSquaredErrorMetric::MeanSquaredErrorMetric;
  static double finish(double mean) { return std::sqrt(mean); }
};

struct MeanAbsoluteErrorMetric {
  static Info info() {
    return {"MeanAbsoluteError", "mean_absolute_error", {"mae"}, {}, "mean |p - y|", ""};
  }
  explicit MeanAbsoluteErrorMetric(const double*) {}
  template <class T>
  double row(const MetricRow<T>& r) const {
    return r.mean([&](Index j) { return std::abs(r.error(j)); });
  }
};

struct MeanAbsolutePercentageError {
  static Info info() {
    return {"MeanAbsolutePercentageError",
            "mean_absolute_percentage_error",
            {"mape"},
            {},
            "mean |p - y| / max(|y|, 2^-52)",
            ""};
  }
  explicit MeanAbsolutePercentageError(const double*) {}
  template <class T>
  double row(const MetricRow<T>& r) const {
    return r.mean(
        [&](Index j) { return std::abs(r.error(j)) / std::max(std::abs(r.target(j)), 0x1p-52); });
  }
};

// Of several levels a target has a prediction each.
struct QuantileLoss {
  static Info info() {
    return {"QuantileLoss",
            "quantile_loss",
            {"pinball", "pinball_loss", "mean_pinball_loss"},
            {{"levels", 0.5, 0, 1, "", ParameterKind::list}},
            "mean max(q (y - p), (q - 1) (y - p))",
            "Koenker & Bassett, Econometrica 46, 1978"};
  }
  static constexpr bool many_a_target = true;
  std::span<const double> levels;
  explicit QuantileLoss(const double* parameters) : levels(list_at(parameters, 0)) {}
  template <class T>
  double row(const MetricRow<T>& r) const {
    return r.mean([&](Index j) {
      const double q = levels[static_cast<std::size_t>(j / r.targets)];
      const double below = -r.error(j);
      return std::max(q * below, (q - 1) * below);
    });
  }
};

// With one prediction a target: at most it; with several: from the first to the last.
struct Coverage {
  static Info info() {
    return {"Coverage", "coverage", {}, {}, "mean [y <= p], or mean [p_first <= y <= p_last]", ""};
  }
  static constexpr bool many_a_target = true;
  explicit Coverage(const double*) {}
  template <class T>
  double row(const MetricRow<T>& r) const {
    if (r.n == r.targets) return r.mean([&](Index j) { return r.error(j) >= 0; });
    const Index last = r.n - r.targets;
    double inside = 0;
    for (Index j = 0; j < r.targets; ++j) inside += r.error(j) <= 0 && r.error(last + j) >= 0;
    return inside / static_cast<double>(r.targets);
  }
};

using Metrics = List<Accuracy, TopKAccuracy, LogLoss, BrierScore, MeanSquaredErrorMetric,
                     RootMeanSquaredErrorMetric, MeanAbsoluteErrorMetric,
                     MeanAbsolutePercentageError, QuantileLoss, Coverage>;

// What a metric needs and how it ends, whatever the number type.
struct MetricTraits {
  bool works_on_logits = false;
  bool needs_classes = false;        // one output a class
  bool needs_probabilities = false;  // outputs from 0 to 1
  bool many_a_target = false;        // may have more predictions than targets
  double (*finish)(double mean) = [](double mean) { return mean; };
};

inline MetricTraits metric_traits(int index) {
  return Metrics::visit(index, []<class M>() {
    MetricTraits out;
    if constexpr (requires { M::works_on_logits; }) out.works_on_logits = M::works_on_logits;
    if constexpr (requires { M::needs_classes; }) out.needs_classes = M::needs_classes;
    if constexpr (requires { M::needs_probabilities; }) out.needs_probabilities = true;
    if constexpr (requires { M::many_a_target; }) out.many_a_target = M::many_a_target;
    if constexpr (requires { M::finish(0.0); }) out.finish = &M::finish;
    return out;
  });
}

// Fills the values of a block's rows.
template <class T>
void metric_values(const Choice& choice, const MetricBlock<T>& block, double* values) {
  Metrics::visit(choice.index, [&]<class M>() {
    const M metric(choice.parameters.data());
    if constexpr (requires { metric.rows(block, values); })
      metric.rows(block, values);
    else
      for (Index r = 0; r < block.rows; ++r) values[r] = metric.row(block.row(r));
    return true;
  });
}

}  // namespace lamina
