// Losses that are the negative logarithm of a likelihood: of counts, amounts and numbers whose
// spread is predicted, too. `logs`: the prediction is the logarithm of the mean.
#pragma once

#include "lamina/functions/losses/loss.hpp"

namespace lamina {

namespace wide {
// Means of what is not below 0, or their logarithms.
inline LossTraits mean_traits(bool logs, bool above) {
  return {.reads = logs ? Reads::logits : Reads::nonnegative,
          .activation = "exponential",
          .low = 0,
          .above = above};
}
// A mean kept off 0; where the clip holds the derivative is 0.
inline V clipped(V p, double epsilon) { return max(p, V(epsilon)); }
inline V where_same(V p, V q, V derivative) { return select(equal(p, q), derivative, zero()); }
// y a, with 0 for y = 0 even where a is infinite.
inline V times(V y, V a) { return select(equal(y, zero()), zero(), y * a); }
}  // namespace wide

struct Poisson {
  static Info info() {
    return {"Poisson",
            "poisson",
            {"poisson_nll"},
            {flag("from_log"), {"epsilon", 1e-8, 0, 1, "added to p inside the logarithm"}},
            "mean_j p_j - y_j ln(p_j + epsilon); from logarithms z: exp(z) - y z",
            ""};
  }
  static LossTraits traits(const double* p) { return wide::mean_traits(p[0] != 0, false); }
  bool logs;
  double epsilon;
  Poisson(const double* p, Input in) : logs(in.fused || p[0] != 0), epsilon(p[1]) {}
  Pair<double> element(Vec<double> p, Vec<double> y) const {
    using namespace wide;
    if (logs) {
      const V mean = exp(p);
      return {mean - y * p, mean - y};
    }
    const V q = p + number(epsilon);
    return {p - times(y, log(q)), one() - times(y, one() / q)};
  }
};

struct Gamma {
  static Info info() {
    return {"Gamma",
            "gamma",
            {"gamma_nll", "gamma_deviance"},
            {flag("from_log")},
            "mean_j ln p_j + y_j / p_j; from logarithms z: z + y exp(-z)",
            "McCullagh & Nelder, Generalized linear models, 1989, chapter 8"};
  }
  static LossTraits traits(const double* p) { return wide::mean_traits(p[0] != 0, true); }
  bool logs;
  double epsilon;
  Gamma(const double* p, Input in) : logs(in.fused || p[0] != 0), epsilon(in.epsilon) {}
  Pair<double> element(Vec<double> p, Vec<double> y) const {
    using namespace wide;
    if (logs) {
      const V share = times(y, exp(-p));
      return {p + share, one() - share};
    }
    const V q = clipped(p, epsilon), share = y / q;
    return {log(q) + share, where_same(p, q, (one() - share) / q)};
  }
};

// The deviance's terms that depend on p, halved; power 1 is Poisson's, power 2 the gamma's.
struct Tweedie {
  static Info info() {
    return {"Tweedie",
            "tweedie",
            {"tweedie_deviance"},
            {{"power", 1.5, 1, 2, "variance = mean^power"}, flag("from_log")},
            "mean_j p_j^(2 - power) / (2 - power) - y_j p_j^(1 - power) / (1 - power), with ln p_j "
            "for p_j^0 / 0; from logarithms z: p = exp(z)",
            "Jorgensen, Exponential dispersion models, Journal of the Royal Statistical Society B "
            "49, 1987"};
  }
  static LossTraits traits(const double* p) { return wide::mean_traits(p[1] != 0, p[0] >= 2); }
  double first, second;  // 1 - power, 2 - power
  bool logs;
  double epsilon;
  Tweedie(const double* p, Input in)
      : first(1 - p[0]), second(2 - p[0]), logs(in.fused || p[1] != 0), epsilon(in.epsilon) {}
  Pair<double> element(Vec<double> p, Vec<double> y) const {
    using namespace wide;
    const V q = logs ? p : clipped(p, epsilon), z = logs ? p : log(q);
    const V a = exp(number(first) * z), b = exp(number(second) * z);
    const V minus = times(y, first == 0 ? z : a / number(first)),
            plus = second == 0 ? z : b / number(second);
    const V slope = b - times(y, a);  // by z
    return {plus - minus, logs ? slope : where_same(p, q, slope / q)};
  }
};

// Outputs are two blocks: the means of all targets, then what their variances are made from.
struct GaussianNLL {
  static Info info() {
    return {"GaussianNLL",
            "gaussian_nll",
            {"gaussian_negative_log_likelihood", "gaussian"},
            {choice_of("variance", "log|softplus|direct"),
             {"epsilon", 1e-6, 1e-300, kInfinity, "least variance"}},
            "sum_j (ln v_j + (m_j - y_j)^2 / v_j) / 2, with v_j the predicted variance, at least "
            "epsilon",
            "Nix & Weigend, Estimating the mean and variance of the target probability "
            "distribution, ICNN 1994"};
  }
  static LossTraits traits(const double*) { return {.outputs_per_target = 2}; }
  int form;
  double epsilon;
  GaussianNLL(const double* p, Input) : form(static_cast<int>(p[0])), epsilon(p[1]) {}
  // ln v, 1 / v, and v's derivative by what the output is, divided by v; the clip to epsilon is
  // passed over by the derivative, as in torch: a variance that is too small can grow again.
  struct Spread {
    wide::V logarithm, inverse, slope;
  };
  Spread spread(wide::V s) const {
    using namespace wide;
    if (form == 0) {  // of ln v, so that no v overflows
      const V least(lamina::log(epsilon)), kept = max(s, least);
      return {kept, exp(-kept), exp(s - kept)};
    }
    const V e = exp(-abs(s));
    const V v = form == 2 ? s : max(s, zero()) + log1p(e);
    const V sigmoid = select(less(s, zero()), e, one()) / (one() + e);
    const V kept = max(v, V(epsilon)), inverse = one() / kept;
    return {log(kept), inverse, form == 2 ? inverse : sigmoid * inverse};
  }
  double row(Index n, const double* p, const double* y, double* d) const {
    using namespace wide;
    const Index targets = n / 2;
    const V half(0.5);
    return CompactRow(targets).sum([&](const auto& at) {
      const V error = at.load(p) - at.load(y);
      const Spread v = spread(at.load(p + targets));
      const V weighed = error * v.inverse, square = error * weighed;
      at.store(weighed, d);
      at.store(half * v.slope * (one() - square), d + targets);
      return half * (v.logarithm + square);
    });
  }
};

}  // namespace lamina
