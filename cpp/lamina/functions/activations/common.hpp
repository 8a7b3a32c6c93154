// What activation functions share. An elementwise one gives value(x) and derivative(x, y) for a
// register, where `needs` says which of the two its derivative is computed from.
#pragma once

#include <utility>

#include "lamina/base/math.hpp"
#include "lamina/functions/info.hpp"

namespace lamina {

enum class Needs { nothing, output, input };  // what the derivative is computed from

namespace detail {

template <class T>
Vec<T> clamp(Vec<T> x, double low, double high) {
  return min(max(x, Vec<T>(T(low))), Vec<T>(T(high)));
}
// 1 where low < x < high, else 0.
template <class T>
Vec<T> strictly_between(Vec<T> x, double low, double high) {
  const Vec<T> zero(T(0)), one(T(1));
  return select(less(Vec<T>(T(low)), x), select(less(x, Vec<T>(T(high))), one, zero), zero);
}
// sigmoid(x) and sigmoid(x) (1 - sigmoid(x)), without the rounding of 1 - sigmoid(x).
template <class T>
std::pair<Vec<T>, Vec<T>> sigmoid_and_slope(Vec<T> x) {
  const Vec<T> e = exp(-abs(x)), high = Vec<T>(T(1)) / (Vec<T>(T(1)) + e), low = e * high;
  return {select(less(x, Vec<T>(T(0))), low, high), low * high};
}
// ln(1 + exp(x)), without overflow.
template <class T>
Vec<T> softplus(Vec<T> x) {
  return max(x, Vec<T>(T(0))) + log1p(exp(-abs(x)));
}

}  // namespace detail
}  // namespace lamina
