// Activations made of exponentials.
#pragma once

#include "lamina/functions/activations/common.hpp"

namespace lamina {

struct Sigmoid {
  static Info info() {
    return {"Sigmoid",
            "sigmoid",
            {"logistic"},
            {},
            "1 / (1 + exp(-x)); derivative y (1 - y), at most 1/4",
            ""};
  }
  static constexpr Needs needs = Needs::output;
  explicit Sigmoid(const double*) {}
  template <class T>
  Vec<T> value(Vec<T> x) const {
    return sigmoid(x);
  }
  template <class T>
  Vec<T> derivative(Vec<T>, Vec<T> y) const {
    return y * (Vec<T>(T(1)) - y);
  }
};

struct Tanh {
  static Info info() { return {"Tanh", "tanh", {}, {}, "tanh(x); derivative 1 - y^2", ""}; }
  static constexpr Needs needs = Needs::output;
  explicit Tanh(const double*) {}
  template <class T>
  Vec<T> value(Vec<T> x) const {
    return tanh(x);
  }
  template <class T>
  Vec<T> derivative(Vec<T>, Vec<T> y) const {
    return fma(-y, y, Vec<T>(T(1)));
  }
};

// scale * (x if x > 0, else size * (exp(x / length) - 1)): ELU, SELU and CELU.
struct ExponentialLine {
  static constexpr Needs needs = Needs::input;
  double scale, size, length;
  template <class T>
  Vec<T> value(Vec<T> x) const {
    const Vec<T> below = Vec<T>(T(scale * size)) * expm1(min(x, Vec<T>(T(0))) / Vec<T>(T(length)));
    return select(less(Vec<T>(T(0)), x), Vec<T>(T(scale)) * x, below);
  }
  template <class T>
  Vec<T> derivative(Vec<T> x, Vec<T>) const {
    const Vec<T> below = Vec<T>(T(scale * size / length)) * exp(x / Vec<T>(T(length)));
    return select(less(Vec<T>(T(0)), x), Vec<T>(T(scale)), below);
  }
};

struct ELU : ExponentialLine {
  static Info info() {
    return {"ELU",
            "elu",
            {},
            {{"alpha", 1.0, 0, kInfinity, "-alpha is the limit for x towards -infinity"}},
            "x if x > 0 else alpha (exp(x) - 1); derivative alpha at 0",
            "Clevert, Unterthiner & Hochreiter, Fast and accurate deep network learning by "
            "exponential linear units, arXiv 1511.07289",
            {0}};
  }
  static constexpr const char* initializer = "he_normal";
  explicit ELU(const double* p) : ExponentialLine{1, p[0], 1} {}
};

struct SELU : ExponentialLine {
  static Info info() {
    return {"SELU",
            "selu",
            {},
            {},
            "scale (x if x > 0 else alpha (exp(x) - 1)), scale = 1.0507..., alpha = 1.6733...; "
            "derivative scale alpha at 0",
            "Klambauer et al., Self-normalizing neural networks, arXiv 1706.02515",
            {0}};
  }
  static constexpr const char* initializer = "lecun_normal";
  explicit SELU(const double*)
      : ExponentialLine{1.0507009873554804934193349852946, 1.6732632423543772848170429916717, 1} {}
};

struct CELU : ExponentialLine {
  static Info info() {
    return {"CELU",
            "celu",
            {},
            {{"alpha", 1.0, 1e-6, kInfinity, "-alpha is the limit for x towards -infinity"}},
            "x if x > 0 else alpha (exp(x / alpha) - 1); derivative 1 at 0",
            "Barron, Continuously differentiable exponential linear units, arXiv 1704.07483",
            {0}};
  }
  static constexpr const char* initializer = "he_normal";
  explicit CELU(const double* p) : ExponentialLine{1, p[0], p[0]} {}
};

struct GELU {
  static Info info() {
    return {"GELU",
            "gelu",
            {},
            {flag("approximate")},
            "x (1 + erf(x / sqrt(2))) / 2; approximate: x (1 + tanh(sqrt(2 / pi) (x + 0.044715 "
            "x^3))) / 2",
            "Hendrycks & Gimpel, Gaussian error linear units, arXiv 1606.08415"};
  }
  static constexpr Needs needs = Needs::input;
  static constexpr const char* initializer = "he_normal";
  static constexpr double kCubic = 0.044715, kRoot = 0.79788456080286535588;  // sqrt(2 / pi)
  bool approximate;
  explicit GELU(const double* p) : approximate(p[0] != 0) {}

  template <class T>
  Vec<T> value(Vec<T> x) const {
    return x * (approximate ? sigmoid(twice_cubic(x)) : normal(x).below);
  }
  template <class T>
  Vec<T> derivative(Vec<T> x, Vec<T>) const {
    if (approximate) {
      const auto [s, slope] = detail::sigmoid_and_slope(twice_cubic(x));
      const Vec<T> z = bounded(x), inner = fma(Vec<T>(T(3 * kCubic)) * z, z, Vec<T>(T(1)));
      return fma(z * slope, Vec<T>(T(2 * kRoot)) * inner, s);
    }
    const Normal<T> n = normal(x);
    return fma(x * Vec<T>(T(kRoot / 2)), n.bell, n.below);
  }

 private:
  // (1 + tanh(u)) / 2 = sigmoid(2 u), which is 0 or 1 beyond the bounds.
  template <class T>
  static Vec<T> bounded(Vec<T> x) {
    return detail::clamp(x, -20, 20);
  }
  template <class T>
  static Vec<T> twice_cubic(Vec<T> x) {
    const Vec<T> z = bounded(x);
    return Vec<T>(T(2 * kRoot)) * z * fma(Vec<T>(T(kCubic)) * z, z, Vec<T>(T(1)));
  }
};

struct SiLU {
  static Info info() {
    return {"SiLU",
            "silu",
            {"swish"},
            {},
            "x / (1 + exp(-x))",
            "Elfwing, Uchibe & Doya, Sigmoid-weighted linear units, arXiv 1702.03118"};
  }
  static constexpr Needs needs = Needs::input;
  static constexpr const char* initializer = "he_normal";
  explicit SiLU(const double*) {}
  template <class T>
  Vec<T> value(Vec<T> x) const {
    return x * sigmoid(x);
  }
  template <class T>
  Vec<T> derivative(Vec<T> x, Vec<T>) const {
    const auto [s, slope] = detail::sigmoid_and_slope(x);
    return fma(x, slope, s);
  }
};

// tanh(ln(1 + e)) = m / (m + 2) with e = exp(x), m = e (e + 2).
struct Mish {
  static Info info() {
    return {"Mish",
            "mish",
            {},
            {},
            "x tanh(ln(1 + exp(x)))",
            "Misra, Mish: a self regularized non-monotonic activation function, arXiv 1908.08681"};
  }
  static constexpr Needs needs = Needs::input;
  static constexpr const char* initializer = "he_normal";
  explicit Mish(const double*) {}
  template <class T>
  Vec<T> value(Vec<T> x) const {
    const Vec<T> two(T(2)), e = bounded_exp(x), m = e * (e + two);
    return x * (m / (m + two));
  }
  template <class T>
  Vec<T> derivative(Vec<T> x, Vec<T>) const {
    const Vec<T> one(T(1)), two(T(2)), four(T(4)), e = bounded_exp(x), m = e * (e + two);
    const Vec<T> whole = m + two;
    return m / whole + x * (four * e / whole) * ((one + e) / whole);
  }

 private:
  // The quotient is 1 beyond, and no square overflows.
  template <class T>
  static Vec<T> bounded_exp(Vec<T> x) {
    return exp(min(x, Vec<T>(T(sizeof(T) == 4 ? 20 : 40))));
  }
};

struct Softplus {
  static Info info() {
    return {"Softplus",
            "softplus",
            {},
            {{"beta", 1.0, 1e-6, kInfinity, "sharpness"}},
            "ln(1 + exp(beta x)) / beta",
            "Dugas et al., Incorporating second-order functional knowledge for better option "
            "pricing, NIPS 2001"};
  }
  static constexpr Needs needs = Needs::input;
  double beta;
  explicit Softplus(const double* p) : beta(p[0]) {}
  template <class T>
  Vec<T> value(Vec<T> x) const {
    return detail::softplus(x * Vec<T>(T(beta))) / Vec<T>(T(beta));
  }
  template <class T>
  Vec<T> derivative(Vec<T> x, Vec<T>) const {
    return sigmoid(x * Vec<T>(T(beta)));
  }
};

struct Softsign {
  static Info info() {
    return {"Softsign",
            "softsign",
            {},
            {},
            "x / (1 + |x|)",
            "Bergstra et al., Quadratic polynomials learn better image features, 2009",
            {0}};  // of the second derivative
  }
  static constexpr Needs needs = Needs::input;
  explicit Softsign(const double*) {}
  template <class T>
  Vec<T> value(Vec<T> x) const {
    return x / (Vec<T>(T(1)) + abs(x));
  }
  template <class T>
  Vec<T> derivative(Vec<T> x, Vec<T>) const {
    const Vec<T> one(T(1)), q = one / (one + abs(x));
    return q * q;
  }
};

struct LogSigmoid {
  static Info info() {
    return {"LogSigmoid", "log_sigmoid", {"logsigmoid"}, {}, "-ln(1 + exp(-x))", ""};
  }
  static constexpr Needs needs = Needs::input;
  explicit LogSigmoid(const double*) {}
  template <class T>
  Vec<T> value(Vec<T> x) const {
    return -detail::softplus(-x);
  }
  template <class T>
  Vec<T> derivative(Vec<T> x, Vec<T>) const {
    return sigmoid(-x);
  }
};

struct Exponential {
  static Info info() { return {"Exponential", "exponential", {"exp"}, {}, "exp(x)", ""}; }
  static constexpr Needs needs = Needs::output;
  explicit Exponential(const double*) {}
  template <class T>
  Vec<T> value(Vec<T> x) const {
    return exp(x);
  }
  template <class T>
  Vec<T> derivative(Vec<T>, Vec<T> y) const {
    return y;
  }
};

}  // namespace lamina
