// Losses. A row's loss is the mean over outputs (cross-entropy over classes: the sum). Elementwise
// losses give value and derivative for a register; row losses give rows. `logits` means that the
// prediction is the input of the output activation (softmax or sigmoid), fused here.
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
struct RowValue {
  double plain, factor = 0, argument = 1;
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

  // One row; d (n) receives factor * dl/dp, and holds the exponentials before that.
  template <class T>
  RowValue row(Index n, const T* p, Target<T> y, double factor, T* d) const {
    const double spread = smoothing / static_cast<double>(n), kept = 1 - smoothing;
    if (!logits) return {from_probabilities<T>(n, p, y, T(spread), T(kept), T(factor), d)};
    const T top = largest(n, p);
    const auto below_top = [&](auto part, Index j, Index) {
      return part.load(p + j) - Vec<T>(top);
    };
    RowStore<T> store(d);
    const double sum = sum_row<T>(n, [&](auto part, Index j, Index lane) {
      const Vec<T> e = exp(below_top(part, j, lane));
      store.put(part, j, lane, e);
      return e;
    });
    if (y.labels) {
      double dot = kept * static_cast<double>(p[*y.labels] - top);
      if (spread != 0) dot += spread * sum_row<T>(n, below_top);
      const Vec<T> share(T(factor / sum)), rest(T(-factor * spread)), one(T(-factor * kept));
      for_packets<T>(n, [&](auto part, Index j, Index lane) {
        const Vec<T> g = fma(store.get(part, j, lane), share, rest);
        part.store(select(is_column<T>(*y.labels - j), g + one, g), d + j);
      });
      return {-dot, 1, sum};
    }
    const auto target = [&, keep = Vec<T>(T(kept)), plus = Vec<T>(T(spread))](auto part, Index j,
                                                                              Index) {
      return fma(keep, part.load(y.values + j), plus);
    };
    const double mass = sum_row<T>(n, target);  // a soft label's row need not sum to exactly 1
    const double dot = sum_row<T>(n, [&](auto part, Index j, Index lane) {
      return target(part, j, lane) * below_top(part, j, lane);
    });
    const Vec<T> share(T(factor * mass / sum)), minus(T(-factor));
    for_packets<T>(n, [&](auto part, Index j, Index lane) {
      part.store(fma(target(part, j, lane), minus, store.get(part, j, lane) * share), d + j);
    });
    return {-dot, mass, sum};
  }

 private:
  // Which element of a register is number `at`, if any.
  template <class T>
  static Mask<T> is_column(Index at) {
    return equal(Vec<T>::load(kCounting<T>.data()), Vec<T>(T(at)));
  }

  template <class T>
  double from_probabilities(Index n, const T* p, Target<T> y, Vec<T> spread, Vec<T> kept,
                            Vec<T> factor, T* d) const {
    const Vec<T> low(kProbabilityEpsilon<T>), high(T(1) - kProbabilityEpsilon<T>), zero(T(0));
    return -sum_row<T>(n, [&](auto part, Index j, Index) {
      const Vec<T> share = y.labels ? select(is_column<T>(*y.labels - j), kept, zero)
                                    : kept * part.load(y.values + j);
      const Vec<T> x = part.load(p + j), t = share + spread, q = min(max(x, low), high);
      part.store(select(equal(q, x), -factor * t / q, zero), d + j);
      return select(equal(t, zero), zero, t * log(q));
    });
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
