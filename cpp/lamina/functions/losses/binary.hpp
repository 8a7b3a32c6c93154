// Losses of yes-or-no targets, one or several a row.
#pragma once

#include "lamina/functions/losses/loss.hpp"

namespace lamina {

// (1 - p_t)^gamma (yes ln(1/p) + no ln(1/(1 - p))) with p_t = y p + (1 - y)(1 - p), where no term
// takes from another. `p` is a logit, or a probability that is clipped.
struct BinaryTerms {
  bool logits;
  double gamma, epsilon;
  Pair<double> of(Vec<double> p, Vec<double> y, Vec<double> yes, Vec<double> no) const {
    using namespace wide;
    V s, rest, entropy;  // p, 1 - p
    if (logits) {
      const V e = exp(-abs(p)), tail = log1p(e), sum = one() + e;
      const Mask<double> negative = less(p, zero());
      s = select(negative, e, one()) / sum;
      rest = select(negative, one(), e) / sum;
      entropy = yes * (max(-p, zero()) + tail) + no * (max(p, zero()) + tail);
    } else {
      const V low(epsilon);
      s = min(max(p, low), one() - low);
      rest = one() - s;
      entropy = -(yes * log(s) + no * log(rest));
    }
    const V least(std::numeric_limits<double>::min()), power(gamma);
    const V missing = max(y * rest + (one() - y) * s, least);  // 1 - p_t
    const V factor = exp(power * log(missing)), variance = s * rest;
    const V turn = power * (y + y - one()) * (variance / missing) * entropy;
    const V slope = factor * (no * s - yes * rest - turn);  // by the logit
    if (logits) return {factor * entropy, slope};
    return {factor * entropy, select(equal(p, s), slope / variance, zero())};
  }
};

// Cross-entropy with smoothed labels or a weight of class 1.
struct WeightedBinaryCrossentropy {
  BinaryTerms terms;
  double smoothing, weight;
  WeightedBinaryCrossentropy(const double* p, Input in)
      : terms{in.fused || p[0] != 0, 0.0, in.epsilon}, smoothing(p[1]), weight(p[2]) {}
  Pair<double> element(Vec<double> p, Vec<double> label) const {
    using namespace wide;
    const V y = fma(label, number(1 - smoothing), number(smoothing / 2));
    return terms.of(p, y, number(weight) * y, one() - y);
  }
};

inline LossTraits probability_traits(bool logits) {
  return {.reads = logits ? Reads::logits : Reads::probabilities,
          .activation = "sigmoid",
          .low = 0,
          .high = 1,
          .binary = true};
}

struct BinaryCrossentropy {
  static Info info() {
    return {"BinaryCrossentropy",
            "binary_crossentropy",
            {"bce"},
            {flag("from_logits"),
             {"label_smoothing", 0, 0, 1, "share of the label that becomes 1/2"},
             {"positive_weight", 1, 0, kInfinity, "weight of class 1"}},
            "mean_j -(positive_weight y_j ln p_j + (1 - y_j) ln(1 - p_j)); from logits z: max(z, "
            "0) - z y + ln(1 + exp(-|z|))",
            ""};
  }
  static LossTraits traits(const double* p) { return probability_traits(p[0] != 0); }
  using Rare = WeightedBinaryCrossentropy;
  static bool is_rare(const double* p) { return p[1] != 0 || p[2] != 1; }
  bool logits;
  BinaryCrossentropy(const double* p, Input in) : logits(in.fused || p[0] != 0) {}
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

struct BinaryFocalCrossentropy {
  static Info info() {
    return {"BinaryFocalCrossentropy",
            "binary_focal_crossentropy",
            {"binary_focal", "sigmoid_focal"},
            {optional("alpha", 0, 1, "weight of class 1; 1 - alpha of class 0"),
             {"gamma", 2, 0, kInfinity, "power of 1 - p_t"},
             flag("from_logits")},
            "mean_j (1 - t_j)^gamma CE_j with t_j = y_j p_j + (1 - y_j)(1 - p_j) and CE_j the "
            "binary cross-entropy; with alpha times y_j alpha + (1 - y_j)(1 - alpha)",
            "Lin et al., Focal loss for dense object detection, arXiv 1708.02002"};
  }
  static LossTraits traits(const double* p) { return probability_traits(p[2] != 0); }
  BinaryTerms terms;
  double low, rise;  // weight of class 0, and how much more class 1 has
  BinaryFocalCrossentropy(const double* p, Input in)
      : terms{in.fused || p[2] != 0, p[1], in.epsilon},
        low(std::isnan(p[0]) ? 1 : 1 - p[0]),
        rise(std::isnan(p[0]) ? 0 : 2 * p[0] - 1) {}
  Pair<double> element(Vec<double> p, Vec<double> y) const {
    using namespace wide;
    const V weight = fma(y, number(rise), number(low));
    return terms.of(p, y, weight * y, weight * (one() - y));
  }
};

// Labels are -1 and 1; 0 counts as -1.
inline Vec<double> sign_of_label(Vec<double> y) {
  return select(less(wide::zero(), y), wide::one(), -wide::one());
}
inline LossTraits margin_traits() {
  return {.reads = Reads::scores, .low = -1, .high = 1, .whole = true, .binary = true};
}

struct Hinge {
  static Info info() {
    return {"Hinge",
            "hinge",
            {},
            {},
            "mean_j max(0, 1 - y_j p_j) for labels -1 and 1; derivative 0 where y p = 1",
            "Cortes & Vapnik, Support-vector networks, Machine Learning 20, 1995"};
  }
  static LossTraits traits(const double*) { return margin_traits(); }
  Hinge(const double*, Input) {}
  Pair<double> element(Vec<double> p, Vec<double> label) const {
    using namespace wide;
    const V y = sign_of_label(label), missing = fma(-y, p, one());
    return {max(missing, zero()), select(less(zero(), missing), -y, zero())};
  }
};

struct SquaredHinge {
  static Info info() {
    return {"SquaredHinge",
            "squared_hinge",
            {},
            {},
            "mean_j max(0, 1 - y_j p_j)^2 for labels -1 and 1",
            ""};
  }
  static LossTraits traits(const double*) { return margin_traits(); }
  SquaredHinge(const double*, Input) {}
  Pair<double> element(Vec<double> p, Vec<double> label) const {
    using namespace wide;
    const V y = sign_of_label(label), missing = max(fma(-y, p, one()), zero());
    return {missing * missing, -(y + y) * missing};
  }
};

}  // namespace lamina
