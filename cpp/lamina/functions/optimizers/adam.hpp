// Adam and its kin: a mean of the gradients over the root of a mean of their squares, both
// corrected for having begun at 0. AdamW is Adam with a weight decay by default.
#pragma once

#include <algorithm>

#include "lamina/functions/optimizers/common.hpp"

namespace lamina {

inline constexpr Parameter beta_1(double value) { return {"beta_1", value, 0, kBelowOne}; }
inline constexpr Parameter beta_2(double value) { return {"beta_2", value, 0, kBelowOne}; }

// p -= s0 m / (sqrt(v) s4 + s5), with m and v in slots 0 and 1.
struct TwoMoments {
  static constexpr int slots = 2;
  static void prepare(const double* p, double rate, std::uint64_t t, double* s) {
    s[0] = rate / (1 - power(p[1], t));
    s[1] = 1 - p[1];
    s[2] = p[2];
    s[3] = 1 - p[2];
    s[4] = 1 / std::sqrt(1 - power(p[2], t));
    s[5] = p[3];
  }
  template <class T>
  static void remember(Vec<T> g, Vec<T>* slot, const Vec<T>* s) {
    slot[0] = detail::blend_in(slot[0], g, s[1]);
    slot[1] = detail::blend_square(slot[1], g, s[2], s[3]);
  }
  template <class T>
  static Vec<T> update(Vec<T> p, Vec<T> g, Vec<T>* slot, const Vec<T>* s) {
    remember(g, slot, s);
    return p - s[0] * slot[0] / fma(sqrt(slot[1]), s[4], s[5]);
  }
};

struct Adam : TwoMoments {
  static constexpr const char* kSource =
      "Kingma & Ba, Adam, arXiv 1412.6980, algorithm 1 (epsilon as there, outside the bias "
      "correction; form keras: within it, the paper's epsilon hat)";
  static constexpr const char* kFormula =
      "m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; "
      "p -= rate / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + epsilon)";
  static Info info() {
    return {"Adam",   "adam", {}, {rate(0.001), beta_1(0.9), beta_2(0.999), epsilon(1e-8), kForm},
            kFormula, kSource};
  }
  static void prepare(const double* p, double rate, std::uint64_t t, double* s) {
    TwoMoments::prepare(p, rate, t, s);
    if (p[4] != 0) s[5] *= s[4];
  }
};

struct AdamW : Adam {
  static Info info() {
    return {
        "AdamW",  "adamw",
        {},       {rate(0.001), beta_1(0.9), beta_2(0.999), epsilon(1e-8), kForm},
        kFormula, "Loshchilov & Hutter, Decoupled weight decay regularization, arXiv 1711.05101"};
  }
  static constexpr double weight_decay = 0.01;
};

struct AMSGrad : Adam {
  static Info info() {
    return {"AMSGrad",
            "amsgrad",
            {},
            {rate(0.001), beta_1(0.9), beta_2(0.999), epsilon(1e-8), kForm},
            "as Adam, with the largest v so far in v's place",
            "Reddi, Kale & Kumar, On the convergence of Adam and beyond, arXiv 1904.09237"};
  }
  static constexpr int slots = 3;
  template <class T>
  static Vec<T> update(Vec<T> p, Vec<T> g, Vec<T>* slot, const Vec<T>* s) {
    remember(g, slot, s);
    slot[2] = max(slot[2], slot[1]);
    return p - s[0] * slot[0] / fma(sqrt(slot[2]), s[4], s[5]);
  }
};

struct Adamax {
  static Info info() {
    return {"Adamax",
            "adamax",
            {},
            {rate(0.002), beta_1(0.9), beta_2(0.999), epsilon(1e-8), kForm},
            "m = b1 m + (1 - b1) g; u = max(b2 u, |g| + epsilon); p -= rate / (1 - b1^t) m / u; "
            "form keras: u = max(b2 u, |g|), m / (u + epsilon)",
            "Kingma & Ba, Adam, arXiv 1412.6980, algorithm 2"};
  }
  static constexpr int slots = 2;
  static void prepare(const double* p, double rate, std::uint64_t t, double* s) {
    const bool keras = p[4] != 0;
    s[0] = rate / (1 - power(p[1], t)), s[1] = 1 - p[1], s[2] = p[2];
    s[3] = keras ? 0 : p[3], s[4] = keras ? p[3] : 0;
  }
  template <class T>
  static Vec<T> update(Vec<T> p, Vec<T> g, Vec<T>* slot, const Vec<T>* s) {
    slot[0] = detail::blend_in(slot[0], g, s[1]);
    slot[1] = max(s[2] * slot[1], abs(g) + s[3]);
    return p - s[0] * slot[0] / (slot[1] + s[4]);
  }
};

struct NAdam : TwoMoments {
  static Info info() {
    return {"NAdam",
            "nadam",
            {},
            {rate(0.002),
             beta_1(0.9),
             beta_2(0.999),
             epsilon(1e-8),
             {"momentum_decay", 0.004, 0, kInfinity}},
            "as Adam, with rate (c_t+1 m / (1 - c_1...c_t+1) + (1 - c_t) g / (1 - c_1...c_t)) in "
            "place of rate m / (1 - b1^t), c_t = b1 (1 - 0.96^(t momentum_decay) / 2)",
            "Dozat, Incorporating Nesterov momentum into Adam, ICLR workshop 2016"};
  }
  static unsigned proportional(const double*) { return 1u | 64u; }
  static void prepare(const double* p, double rate, std::uint64_t t, double* s) {
    TwoMoments::prepare(p, rate, t, s);
    const auto c = [&](std::uint64_t i) {
      return p[1] * (1 - 0.5 * exp(static_cast<double>(i) * p[4] * log(0.96)));
    };
    // Each factor is at most b1: once b1^t is nothing beside 1, so is the product.
    constexpr double kNothing = 1e-18;
    double product = power(p[1], t) < kNothing ? 0 : 1;
    for (std::uint64_t i = 1; product > kNothing && i <= t; ++i) product *= c(i);
    const double next = c(t + 1);
    s[0] = rate * next / (1 - product * next);
    s[6] = rate * (1 - c(t)) / (1 - product);
  }
  template <class T>
  static Vec<T> update(Vec<T> p, Vec<T> g, Vec<T>* slot, const Vec<T>* s) {
    remember(g, slot, s);
    return p - fma(s[0], slot[0], s[6] * g) / fma(sqrt(slot[1]), s[4], s[5]);
  }
};

struct RAdam : TwoMoments {
  static Info info() {
    return {
        "RAdam",
        "radam",
        {},
        {rate(0.001), beta_1(0.9), beta_2(0.999), epsilon(1e-8)},
        "as Adam, with the step times r_t, which grows from about 0 to 1 as v becomes reliable; "
        "p -= rate / (1 - b1^t) m in the first steps, in which it is not at all",
        "Liu et al., On the variance of the adaptive learning rate and beyond, arXiv "
        "1908.03265"};
  }
  static void prepare(const double* p, double rate, std::uint64_t t, double* s) {
    TwoMoments::prepare(p, rate, t, s);
    const double decayed = power(p[2], t), last = 2 / (1 - p[2]) - 1;
    const double length = last - 2 * static_cast<double>(t) * decayed / (1 - decayed);
    const bool reliable = length > 5;
    if (reliable)
      s[0] *= std::sqrt(1 - decayed) *
              std::sqrt((length - 4) * (length - 2) * last / ((last - 4) * (last - 2) * length));
    s[4] = reliable ? 1 : 0;
    s[5] = reliable ? p[3] : 1;
  }
};

}  // namespace lamina
