// Losses. A row's loss is the mean over outputs (cross-entropy over classes: the sum). Elementwise
// losses give value and derivative for a register; row losses work on a view of rows
// (base/rows.hpp). `logits` means that the prediction is the input of the output activation
// (softmax or sigmoid), fused here.
#pragma once

#include "lamina/base/math.hpp"
#include "lamina/base/rows.hpp"
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

// A row's loss is plain + factor ln(argument): logarithms are taken for several rows at once.
template <class Number>
struct RowValue {
  Number plain, factor = 0.0, argument = 1.0;
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
            {flag("from_logits")},
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
    if (logits) {
      const Vec<T> e = exp(-abs(p));
      const Vec<T> sigmoid = select(less(p, zero), e, one) / (one + e);
      return {fma(-p, y, max(p, zero)) + log1p(e), sigmoid - y};
    }
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
            {flag("from_logits"),
             {"label_smoothing", 0, 0, 1, "share of the label spread over all classes"}},
            "-sum_j y_j ln p_j; from logits z: ln sum_j exp(z_j) - sum_j y_j z_j",
            ""};
  }
  static constexpr const char* fused_activation = "softmax";
  bool logits;
  double smoothing;
  CategoricalCrossentropy(const double* p, bool fused)
      : logits(fused || p[0] != 0), smoothing(p[1]) {}

  // Rows of a view; d receives factor * dl/dp.
  template <class Rows, class T, class Number = typename Rows::Number>
  RowValue<Number> row(const Rows& rows, Index n, const T* p, Target<T> y, const Number& factor,
                       T* d) const {
    const double spread = smoothing / static_cast<double>(n), kept = 1 - smoothing;
    if (!logits)
      return {from_probabilities(rows, p, y, Vec<T>(T(spread)), Vec<T>(T(kept)),
                                 rows.vector(factor), d)};
    const auto in = rows.read(p);
    const Vec<T> top = rows.largest(in);
    const auto below_top = [&](const auto& at) { return in(at) - top; };
    auto e = rows.keep(d);
    const Number sum = rows.sum([&](const auto& at) {
      const Vec<T> v = exp(below_top(at));
      e.put(at, v);
      return v;
    });
    if (y.labels) {
      const auto label = rows.labels(y.labels);
      Number dot = kept * (label.of(in) - rows.number(top));
      if (spread != 0) dot = dot + spread * rows.sum(below_top);
      const Vec<T> share = rows.vector(factor / sum), rest = rows.vector(-factor * spread),
                   one = rows.vector(-factor * kept);
      rows.write(d, [&](const auto& at) {
        const Vec<T> g = fma(e(at), share, rest);
        return select(label.at(at), g + one, g);
      });
      return {-dot, 1.0, sum};
    }
    const auto target = [&, values = rows.read(y.values), keep = Vec<T>(T(kept)),
                         plus = Vec<T>(T(spread))](const auto& at) {
      return fma(keep, values(at), plus);
    };
    const Number mass = rows.sum(target);  // a soft label's row need not sum to exactly 1
    const Number dot = rows.sum([&](const auto& at) { return target(at) * below_top(at); });
    const Vec<T> share = rows.vector(factor * mass / sum), minus = rows.vector(-factor);
    rows.write(d, [&](const auto& at) { return fma(target(at), minus, e(at) * share); });
    return {-dot, mass, sum};
  }

 private:
  template <class Rows, class T>
  typename Rows::Number from_probabilities(const Rows& rows, const T* p, Target<T> y, Vec<T> spread,
                                           Vec<T> kept, Vec<T> factor, T* d) const {
    const auto in = rows.read(p);
    if (y.labels)
      return from_probabilities(
          rows, in,
          [&, label = rows.labels(y.labels), zero = Vec<T>(T(0))](const auto& at) {
            return select(label.at(at), kept, zero) + spread;
          },
          factor, d);
    return from_probabilities(
        rows, in,
        [&, values = rows.read(y.values)](const auto& at) { return kept * values(at) + spread; },
        factor, d);
  }

  template <class Rows, class In, class Share, class T>
  typename Rows::Number from_probabilities(const Rows& rows, const In& in, const Share& share,
                                           Vec<T> factor, T* d) const {
    const Vec<T> low(kProbabilityEpsilon<T>), high(T(1) - kProbabilityEpsilon<T>), zero(T(0));
    const auto clipped = [&](const auto& at) { return min(max(in(at), low), high); };
    const auto sum = rows.sum([&](const auto& at) {
      const Vec<T> t = share(at);
      return select(equal(t, zero), zero, t * log(clipped(at)));
    });
    rows.write(d, [&](const auto& at) {
      const Vec<T> q = clipped(at);
      return select(equal(q, in(at)), -factor * share(at) / q, zero);
    });
    return -sum;
  }
};

using Losses =
    List<MeanSquaredError, MeanAbsoluteError, BinaryCrossentropy, CategoricalCrossentropy>;

template <class Thing>
concept RowLoss = requires { &Thing::template row<OneRow<float>, float>; };
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
