// Losses of numbers: how far predictions are from targets.
#pragma once

#include "lamina/functions/losses/loss.hpp"

namespace lamina {

struct MeanSquaredError {
  static Info info() {
    return {"MeanSquaredError", "mean_squared_error", {"mse"}, {}, "mean_j (p_j - y_j)^2", ""};
  }
  explicit MeanSquaredError(const double*, Input) {}
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
  explicit MeanAbsoluteError(const double*, Input) {}
  template <class T>
  Pair<T> element(Vec<T> p, Vec<T> y) const {
    const Vec<T> d = p - y, zero(T(0)), one(T(1));
    return {abs(d), select(less(zero, d), one, select(less(d, zero), -one, zero))};
  }
};

struct Huber {
  static Info info() {
    return {"Huber",
            "huber",
            {"huber_loss"},
            {{"delta", 1, 1e-12, kInfinity, "the targets' unit"}},
            "mean_j d_j^2 / 2 where |d_j| <= delta, else delta (|d_j| - delta / 2), with d = p - y",
            "Huber, Robust estimation of a location parameter, Annals of Mathematical Statistics "
            "35, 1964"};
  }
  double delta;
  Huber(const double* p, Input) : delta(p[0]) {}
  Pair<double> element(Vec<double> p, Vec<double> y) const {
    const wide::V d = p - y, size = abs(d), limit(delta), near = min(size, limit);
    return {near * (size - wide::number(0.5) * near), max(min(d, limit), -limit)};
  }
};

struct LogCosh {
  static Info info() {
    return {"LogCosh", "log_cosh", {}, {}, "mean_j ln cosh(p_j - y_j); derivative tanh(p_j - y_j)",
            ""};
  }
  LogCosh(const double*, Input) {}
  // With e = exp(|d|) - 1: cosh(d) = 1 + e^2 / (2 (1 + e)), exact near 0. Beyond 20 what is left
  // out is below the last bit.
  Pair<double> element(Vec<double> p, Vec<double> y) const {
    using namespace wide;
    const V d = p - y, size = abs(d), end(20.0), two(2.0);
    const V e = expm1(min(size, end));
    const V value = log1p(e * e / (two + two * e)), t = e * (e + two), slope = t / (t + two);
    return {select(less(end, size), size - number(std::numbers::ln2), value),
            select(less(d, zero()), -slope, slope)};
  }
};

// Outputs are blocks, a level each: p[i * targets + j] is level i of target j.
struct Quantile {
  static Info info() {
    return {"Quantile",
            "quantile",
            {"pinball", "pinball_loss", "quantile_loss"},
            {{"levels", 0.5, 0, 1, "share of targets below the prediction", ParameterKind::list}},
            "mean over levels q and targets of max(q d, (q - 1) d), with d = y - p; derivative 0 "
            "where p = y",
            "Koenker & Bassett, Regression quantiles, Econometrica 46, 1978",
            {0}};
  }
  static LossTraits traits(const double* p) {
    return {.outputs_per_target = static_cast<Index>(list_at(p, 0).size())};
  }
  std::span<const double> levels;
  Quantile(const double* p, Input) : levels(list_at(p, 0)) {}
  double row(Index n, const double* p, const double* y, double* d) const {
    using namespace wide;
    const Index targets = n / static_cast<Index>(levels.size());
    const CompactRow rows(targets);
    const double mean = 1.0 / static_cast<double>(n);
    double sum = 0;
    for (const double level : levels) {
      const V below(level), above(level - 1);
      sum += rows.sum([&](const auto& at) {
        const V left = at.load(y) - at.load(p);
        const V slope = select(less(left, zero()), above, below);
        at.store(select(equal(left, zero()), left, slope * number(-mean)), d);
        return slope * left;
      });
      p += targets, d += targets;
    }
    return sum * mean;
  }
};

// Along a row's outputs. Squares of norms have epsilon added ("torch") or are at least epsilon
// ("keras").
struct CosineSimilarity {
  static Info info() {
    return {"CosineSimilarity",
            "cosine_similarity",
            {"cosine"},
            {choice_of("form", "torch|keras")},
            "1 - sum_j p_j y_j / (|p| |y|); keras: without the 1",
            ""};
  }
  static LossTraits traits(const double*) { return {.least_outputs = 2}; }
  static constexpr double kLeast = 1e-12, kAdded = 1e-12f;  // torch keeps it in float
  bool keras;
  CosineSimilarity(const double* p, Input) : keras(p[0] != 0) {}
  double row(Index n, const double* p, const double* y, double* d) const {
    const CompactRow rows(n);
    const auto product = [&](const double* a, const double* b) {
      return rows.sum([&](const auto& at) { return at.load(a) * at.load(b); });
    };
    const double pp = product(p, p), yy = product(y, y);
    const double p_square = keras ? std::max(pp, kLeast) : pp + kAdded,
                 y_square = keras ? std::max(yy, kLeast) : yy + kAdded;
    const double scale = 1 / (std::sqrt(p_square) * std::sqrt(y_square));
    const double cosine = product(p, y) * scale;
    const bool fixed = keras && pp < kLeast;  // the norm that divides does not depend on p
    const wide::V along(fixed ? 0.0 : cosine / p_square), towards(-scale);
    rows.each([&](const auto& at) { at.store(fma(towards, at.load(y), along * at.load(p)), d); });
    return (keras ? 0.0 : 1.0) - cosine;
  }
};

}  // namespace lamina
