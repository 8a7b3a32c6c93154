// Activation functions. An elementwise one gives value(x) and derivative(x, y) for a register; a
// row-wise one (softmax) works on a view of rows (base/rows.hpp). Add a struct here and its name to
// the list below: look-up, kernels, documentation and gradient tests follow.
#pragma once

#include "lamina/base/math.hpp"
#include "lamina/base/rows.hpp"
#include "lamina/functions/info.hpp"

namespace lamina {

enum class Needs { nothing, output, input };  // what the derivative is computed from

struct Linear {
  static Info info() { return {"Linear", "linear", {"identity"}, {}, "x", ""}; }
  static constexpr Needs needs = Needs::nothing;
  explicit Linear(const double*) {}
  template <class T>
  Vec<T> value(Vec<T> x) const {
    return x;
  }
  template <class T>
  Vec<T> derivative(Vec<T>, Vec<T>) const {
    return Vec<T>(T(1));
  }
};

struct ReLU {
  static Info info() {
    return {
        "ReLU",
        "relu",
        {},
        {},
        "max(0, x); derivative 0 at 0",
        "Nair & Hinton, Rectified linear units improve restricted Boltzmann machines, ICML 2010",
        {0}};
  }
  static constexpr Needs needs = Needs::output;
  explicit ReLU(const double*) {}
  template <class T>
  Vec<T> value(Vec<T> x) const {
    return max(x, Vec<T>(T(0)));
  }
  template <class T>
  Vec<T> derivative(Vec<T>, Vec<T> y) const {
    return select(less(Vec<T>(T(0)), y), Vec<T>(T(1)), Vec<T>(T(0)));
  }
};

struct LeakyReLU {
  static Info info() {
    return {"LeakyReLU",
            "leaky_relu",
            {},
            {{"negative_slope", 0.01, 0, 1, "slope for x < 0"}},
            "x if x > 0 else negative_slope * x; derivative negative_slope at 0",
            "Maas, Hannun & Ng, Rectifier nonlinearities improve neural network acoustic models, "
            "ICML 2013",
            {0}};
  }
  static constexpr Needs needs = Needs::output;
  double slope;
  explicit LeakyReLU(const double* p) : slope(p[0]) {}
  template <class T>
  Vec<T> value(Vec<T> x) const {
    return select(less(Vec<T>(T(0)), x), x, x * Vec<T>(T(slope)));
  }
  template <class T>
  Vec<T> derivative(Vec<T>, Vec<T> y) const {
    return select(less(Vec<T>(T(0)), y), Vec<T>(T(1)), Vec<T>(T(slope)));
  }
};

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

// exp(x_j - max) / sum: a distribution over the columns of a row.
struct Softmax {
  static Info info() {
    return {
        "Softmax",
        "softmax",
        {},
        {},
        "exp(x_j) / sum_k exp(x_k), along the last axis",
        "Bridle, Probabilistic interpretation of feedforward classification network outputs, 1990"};
  }
  static constexpr Needs needs = Needs::output;
  static constexpr bool row_wise = true;
  explicit Softmax(const double*) {}

  template <class Rows, class T>
  void value(const Rows& rows, const T* x, T* y) const {
    const auto in = rows.read(x);
    const Vec<T> top = rows.largest(in);
    auto e = rows.keep(y);
    const auto sum = rows.sum([&](const auto& at) {
      const Vec<T> v = exp(in(at) - top);
      e.put(at, v);
      return v;
    });
    const Vec<T> inverse = rows.vector(1.0 / sum);
    rows.write(y, [&](const auto& at) { return e(at) * inverse; });
  }
  // dx = y (dy - sum_k dy_k y_k)
  template <class Rows, class T>
  void backward(const Rows& rows, const T* y, const T* dy, T* dx) const {
    const auto v = rows.read(y), d = rows.read(dy);
    const Vec<T> dot = rows.vector(rows.sum([&](const auto& at) { return d(at) * v(at); }));
    rows.write(dx, [&](const auto& at) { return v(at) * (d(at) - dot); });
  }
};

using Activations = List<Linear, ReLU, LeakyReLU, Sigmoid, Tanh, Softmax>;

template <class Thing>
concept RowWise = requires { Thing::row_wise; };

// The kernels of one activation over (rows, n) contiguous elements; y may be x, dx may be dy.
template <class T>
struct ActivationKernels {
  void (*forward)(const double* parameters, Index rows, Index n, const T* x, T* y);
  void (*backward)(const double* parameters, Index rows, Index n, const T* x, const T* y,
                   const T* dy, T* dx);
  Needs needs;
  bool row_wise;
};

template <class T>
const ActivationKernels<T>& activation_kernels(int index);

}  // namespace lamina
