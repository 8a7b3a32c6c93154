// Losses. A row's loss is the mean over outputs (cross-entropy over classes: the sum). Elementwise
// losses give value and derivative for a register; row losses give rows. `logits` means that the
// prediction is the input of the output activation (softmax or sigmoid), fused here.
#pragma once

#include "lamina/base/math.hpp"
#include "lamina/functions/info.hpp"

namespace lamina {

// The targets of some rows: values (rows, n), or class labels (rows).
template <class T>
struct Target {
  const T* values = nullptr;
  const std::int32_t* labels = nullptr;
  Target at(Index row, Index n) const {
    return {values ? values + row * n : nullptr, labels ? labels + row : nullptr};
  }
};

// From probabilities the logarithm's argument is clipped to [eps, 1 - eps]; the derivative is 0
// where the clip holds.
template <class T>
inline constexpr T kProbabilityEpsilon = sizeof(T) == 4 ? T(1e-7) : T(1e-15);

template <class T>
struct Pair {
  Vec<T> value, derivative;
};

struct MeanSquaredError {
  static Info info() {
    return {"MeanSquaredError", "mean_squared_error", {"mse"}, {}, "mean_j (p_j - y_j)^2", ""};
  }
  explicit MeanSquaredError(const double*, bool) {}
  template <class T>
  Pair<T> element(Vec<T> p, Vec<T> y) const {
    const Vec<T> d = p - y;
    return {d * d, d + d};
  }
};

struct MeanAbsoluteError {
  static Info info() {
    return {"MeanAbsoluteError",
            "mean_absolute_error",
            {"mae"},
            {},
            "mean_j |p_j - y_j|; derivative 0 where p = y",
            "",
            {0}};
  }
  explicit MeanAbsoluteError(const double*, bool) {}
  template <class T>
  Pair<T> element(Vec<T> p, Vec<T> y) const {
    const Vec<T> d = p - y, zero(T(0)), one(T(1));
    return {abs(d), select(less(zero, d), one, select(less(d, zero), -one, zero))};
  }
};

struct BinaryCrossentropy {
  static Info info() {
    return {"BinaryCrossentropy",
            "binary_crossentropy",
            {"bce"},
            {{"from_logits", 0, 0, 1, "", ParameterKind::flag}},
            "mean_j -(y_j ln p_j + (1 - y_j) ln(1 - p_j)); from logits z: max(z, 0) - z y + ln(1 + "
            "exp(-|z|))",
            ""};
  }
  static constexpr const char* fused_activation = "sigmoid";
  bool logits;
  BinaryCrossentropy(const double* p, bool fused) : logits(fused || p[0] != 0) {}
  template <class T>
  Pair<T> element(Vec<T> p, Vec<T> y) const {
    const Vec<T> zero(T(0)), one(T(1));
    if (logits) return {fma(-p, y, max(p, zero)) + log1p(exp(-abs(p))), sigmoid(p) - y};
    const Vec<T> low(kProbabilityEpsilon<T>), high(T(1) - kProbabilityEpsilon<T>);
    const Vec<T> q = min(max(p, low), high);
    const Vec<T> value = -(y * log(q) + (one - y) * log(one - q));
    const Vec<T> derivative = (q - y) / (q * (one - q));
    return {value, select(equal(p, q), derivative, zero)};
  }
};

struct CategoricalCrossentropy {
  static Info info() {
    return {"CategoricalCrossentropy",
            "categorical_crossentropy",
            {"cce", "crossentropy", "cross_entropy", "sparse_categorical_crossentropy"},
            {{"from_logits", 0, 0, 1, "", ParameterKind::flag},
             {"label_smoothing", 0, 0, 1, "share of the label spread over all classes"}},
            "-sum_j y_j ln p_j; from logits z: ln sum_j exp(z_j) - sum_j y_j z_j",
            ""};
  }
  static constexpr const char* fused_activation = "softmax";
  bool logits;
  double smoothing;
  CategoricalCrossentropy(const double* p, bool fused)
      : logits(fused || p[0] != 0), smoothing(p[1]) {}

  // The loss of one row; d (n) receives dl/dp, and is scratch for the exponentials before that.
  template <class T>
  double row(Index n, const T* p, Target<T> y, T* d) const {
    const T spread = T(smoothing / static_cast<double>(n)), kept = T(1 - smoothing);
    const auto target = [&](Index j) {
      return (y.labels ? (j == *y.labels ? kept : T(0)) : kept * y.values[j]) + spread;
    };
    if (!logits) return from_probabilities(n, p, target, d);
    T top = p[0];
    for (Index j = 1; j < n; ++j) top = p[j] > top || p[j] != p[j] ? p[j] : top;
    map_packets(n, p, d, [top](Vec<T> v) { return exp(v - Vec<T>(top)); });
    double sum = 0, dot = 0;
    for (Index j = 0; j < n; ++j) sum += d[j];
    if (y.labels && smoothing == 0) {
      dot = static_cast<double>(p[*y.labels] - top);
      const T inverse = T(1 / sum);
      for (Index j = 0; j < n; ++j) d[j] *= inverse;
      d[*y.labels] -= T(1);
      return lamina::log(sum) - dot;
    }
    double mass = 0;  // a soft label's row need not sum to exactly 1
    for (Index j = 0; j < n; ++j) {
      const T t = target(j);
      mass += t;
      dot += static_cast<double>(t) * (p[j] - top);
    }
    const T share = T(mass / sum);
    for (Index j = 0; j < n; ++j) d[j] = d[j] * share - target(j);
    return mass * lamina::log(sum) - dot;
  }

 private:
  template <class T, class F>
  double from_probabilities(Index n, const T* p, const F& target, T* d) const {
    const T low = kProbabilityEpsilon<T>, high = T(1) - low;
    double loss = 0;
    for (Index j = 0; j < n; ++j) {
      const T q = p[j] < low ? low : p[j] > high ? high : p[j];
      const T t = target(j);
      if (t != 0) loss -= static_cast<double>(t) * lamina::log(static_cast<double>(q));
      d[j] = q == p[j] ? -t / q : T(0);
    }
    return loss;
  }
};

using Losses =
    List<MeanSquaredError, MeanAbsoluteError, BinaryCrossentropy, CategoricalCrossentropy>;

template <class Thing>
concept RowLoss = requires { &Thing::template row<float>; };
template <class Thing>
concept Fusible = requires { Thing::fused_activation; };

// One loss over rows. values[r] receives the row's loss; gradient (rows, n), which may not be the
// prediction, receives dl/dp * scale[r] (scale null: unscaled); scratch holds rows * n values.
template <class T>
struct LossKernel {
  void (*run)(const double* parameters, bool fused, Index rows, Index n, const T* prediction,
              Target<T> target, const double* scale, double* values, T* gradient, T* scratch);
  bool row_wise;                 // may take labels
  const char* fused_activation;  // "" if none
};

template <class T>
const LossKernel<T>& loss_kernel(int index);

}  // namespace lamina
