// Losses of one class out of several, or of distributions over them.
#pragma once

#include "lamina/functions/losses/loss.hpp"

namespace lamina {

inline LossTraits class_traits(bool logits, Targets targets) {
  return {.reads = logits ? Reads::logits : Reads::distribution,
          .activation = "softmax",
          .targets = targets,
          .least_outputs = 2};
}

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
  static LossTraits traits(const double* p) { return class_traits(p[0] != 0, Targets::labels); }
  bool logits;
  double smoothing;
  CategoricalCrossentropy(const double* p, Input in)
      : logits(in.fused || p[0] != 0), smoothing(p[1]) {}

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

// A row's probabilities: of logits their softmax, otherwise what is given, its logarithm's argument
// clipped.
class Distribution {
 public:
  using Place = CompactRow::Place;
  Distribution(const CompactRow& rows, const double* p, bool logits, double epsilon)
      : p_(p), logits_(logits), epsilon_(epsilon) {
    if (!logits) return;
    top_ = rows.largest(p);
    sum_ = rows.sum([&](const Place& at) { return exp(at.load(p) - top_); });
    log_sum_ = wide::V(log(sum_));
  }
  struct Values {
    wide::V p, rest, log;  // rest: 1 - p
    Mask<double> moves;    // not clipped
  };
  // Apart, since each pass over a row calls it.
  EIGEN_DONT_INLINE Values operator()(const Place& at) const {
    using namespace wide;
    const V x = at.load(p_);
    if (logits_) {
      const V below = x - top_, e = exp(below), sum(sum_);
      return {e / sum, (sum - e) / sum, below - log_sum_, equal(x, x)};
    }
    const V low(epsilon_), q = min(max(x, low), one() - low);
    return {q, one() - q, lamina::log(q), equal(x, q)};
  }

 private:
  const double* p_;
  bool logits_;
  double epsilon_;
  wide::V top_, log_sum_;
  double sum_ = 1;
};

struct CategoricalFocalCrossentropy {
  static Info info() {
    return {"CategoricalFocalCrossentropy",
            "categorical_focal_crossentropy",
            {"categorical_focal", "focal"},
            {{"alpha", 0.25, 0, kInfinity, "weight, or one a class", ParameterKind::list},
             {"gamma", 2, 0, kInfinity, "power of 1 - p_j"},
             flag("from_logits")},
            "-sum_j alpha_j y_j (1 - p_j)^gamma ln p_j; from logits: p = softmax(z)",
            "Lin et al., Focal loss for dense object detection, arXiv 1708.02002"};
  }
  static LossTraits traits(const double* p) {
    LossTraits out = class_traits(p[2] != 0, Targets::labels);
    const std::span<const double> alpha = list_at(p, 0);
    if (alpha.size() > 1) out.outputs = static_cast<Index>(alpha.size());
    return out;
  }
  std::span<const double> alpha;
  double gamma, epsilon;
  bool logits;
  CategoricalFocalCrossentropy(const double* p, Input in)
      : alpha(list_at(p, 0)), gamma(p[1]), epsilon(in.epsilon), logits(in.fused || p[2] != 0) {}
  // With h_j = p_j dl/dp_j, the derivative by logit k is h_k - p_k sum_j h_j.
  double row(Index n, const double* p, const double* y, double* d) const {
    using namespace wide;
    for (Index j = 0; j < n; ++j)  // d holds the weighed targets at first
      d[j] = y[j] * alpha[alpha.size() == 1 ? 0 : static_cast<std::size_t>(j)];
    const CompactRow rows(n);
    const Distribution q(rows, p, logits, epsilon);
    // Nearer to 1 a probability in double cannot be; keeps the power's derivative finite.
    const V least(std::numeric_limits<double>::epsilon() / 4), power(gamma);
    const double value = rows.sum([&](const auto& at) {
      const Distribution::Values v = q(at);
      const V missing = max(v.rest, least);
      const V factor = at.load(d) * exp(power * lamina::log(missing));
      at.store(factor * (power * v.p * v.log / missing - one()), d);
      return -factor * v.log;
    });
    const V total(rows.sum([&](const auto& at) { return at.load(d); }));
    rows.each([&](const auto& at) {
      const Distribution::Values v = q(at);
      const V h = at.load(d);
      at.store(logits ? h - v.p * total : select(v.moves, h / v.p, zero()), d);
    });
    return value;
  }
};

// Cross-entropy less the targets' own entropy: 0 where p = y.
struct KLDivergence {
  static Info info() {
    return {"KLDivergence",
            "kl_divergence",
            {"kld", "kl", "kullback_leibler_divergence", "relative_entropy"},
            {flag("from_logits")},
            "sum_j y_j (ln y_j - ln p_j); from logits: p = softmax(z)",
            "Kullback & Leibler, On information and sufficiency, Annals of Mathematical Statistics "
            "22, 1951"};
  }
  static LossTraits traits(const double* p) {
    return class_traits(p[0] != 0, Targets::distributions);
  }
  double epsilon;
  bool logits;
  KLDivergence(const double* p, Input in) : epsilon(in.epsilon), logits(in.fused || p[0] != 0) {}
  double row(Index n, const double* p, const double* y, double* d) const {
    using namespace wide;
    const CompactRow rows(n);
    const Distribution q(rows, p, logits, epsilon);
    const V mass(logits ? rows.sum([&](const auto& at) { return at.load(y); }) : 0.0);
    return rows.sum([&](const auto& at) {
      const V t = at.load(y);
      const Distribution::Values v = q(at);
      at.store(logits ? mass * v.p - t : select(v.moves, -t / v.p, zero()), d);
      return select(equal(t, zero()), zero(), t * (lamina::log(t) - v.log));
    });
  }
};

}  // namespace lamina
