// Activations of a whole row, on a view of rows (base/rows.hpp). Their derivative is a Jacobian;
// backward() multiplies by it, from the outputs.
#pragma once

#include "lamina/base/rows.hpp"
#include "lamina/functions/activations/common.hpp"

namespace lamina {

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

struct LogSoftmax {
  static Info info() {
    return {
        "LogSoftmax", "log_softmax", {}, {}, "x_j - ln sum_k exp(x_k), along the last axis", ""};
  }
  static constexpr Needs needs = Needs::output;
  static constexpr bool row_wise = true;
  explicit LogSoftmax(const double*) {}

  template <class Rows, class T>
  void value(const Rows& rows, const T* x, T* y) const {
    const auto in = rows.read(x);
    const Vec<T> top = rows.largest(in);
    const auto sum = rows.sum([&](const auto& at) { return exp(in(at) - top); });
    const Vec<T> logarithm = log(rows.vector(sum));
    rows.write(y, [&](const auto& at) { return (in(at) - top) - logarithm; });
  }
  // dx = dy - exp(y) sum_k dy_k
  template <class Rows, class T>
  void backward(const Rows& rows, const T* y, const T* dy, T* dx) const {
    const auto v = rows.read(y), d = rows.read(dy);
    const Vec<T> total = rows.vector(rows.sum([&](const auto& at) { return d(at); }));
    rows.write(dx, [&](const auto& at) { return fma(-exp(v(at)), total, d(at)); });
  }
};

}  // namespace lamina
