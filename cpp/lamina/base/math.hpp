// Transcendental functions of the core. Nothing that reaches a weight calls libm, whose last bits
// depend on the CPU; these use IEEE operations and fused multiply-adds alone.
// Errors, measured over the whole range by cpp/tests/math.cpp: at most 2 ulp (tanh, log1p: 3).
#pragma once

#include <limits>
#include <numbers>

#include "lamina/base/simd.hpp"

namespace lamina {
namespace detail {

// Terms of the series: enough for |r| <= ln(2)/2 and |s| <= 0.1716 at each precision.
template <class T>
inline constexpr int kExpTerms = sizeof(T) == 4 ? 7 : 13;
template <class T>
inline constexpr int kLogTerms = sizeof(T) == 4 ? 5 : 11;
template <class T>
inline constexpr T kExpHigh = sizeof(T) == 4 ? T(88.72283) : T(709.782712893384);
template <class T>
inline constexpr T kExpLow = sizeof(T) == 4 ? T(-87.33654) : T(-708.3964185322641);
// ln(2) in two parts; the high part has trailing zeros, so n * high is exact.
template <class T>
inline constexpr T kLn2High = sizeof(T) == 4 ? T(0.693359375) : T(6.93145751953125e-1);
template <class T>
inline constexpr T kLn2Low = sizeof(T) == 4 ? T(-2.12194440e-4) : T(1.42860682030941723212e-6);

// exp(r) - 1 for |r| <= ln(2)/2: r + r^2 (1/2 + r/6 + ...).
template <class T>
Vec<T> expm1_reduced(Vec<T> r) {
  double factorial = 1;
  T inverse[kExpTerms<T> + 1];
  for (int i = 1; i <= kExpTerms<T>; ++i) inverse[i] = T(1 / (factorial *= i));
  Vec<T> sum(inverse[kExpTerms<T>]);
  for (int i = kExpTerms<T> - 1; i >= 2; --i) sum = fma(sum, r, Vec<T>(inverse[i]));
  return fma(r * r, sum, r);
}

template <class T>
Vec<T> reduce_by_ln2(Vec<T> x, Vec<T>& n) {
  n = round(x * Vec<T>(T(std::numbers::log2e)));
  return fma(-n, Vec<T>(kLn2Low<T>), fma(-n, Vec<T>(kLn2High<T>), x));
}

}  // namespace detail

template <class T>
Vec<T> exp(Vec<T> x) {
  const Vec<T> low(detail::kExpLow<T>), high(detail::kExpHigh<T>);
  Vec<T> n;
  const Vec<T> r = detail::reduce_by_ln2(min(max(x, low), high), n);
  Vec<T> y = scale_by_power_of_two(detail::expm1_reduced(r) + Vec<T>(T(1)), n);
  y = select(less(x, low), Vec<T>(T(0)), y);
  y = select(less(high, x), Vec<T>(std::numeric_limits<T>::infinity()), y);
  return select(equal(x, x), y, x);
}

// exp(x) - 1, exact to the last bits near 0.
template <class T>
Vec<T> expm1(Vec<T> x) {
  const Vec<T> low(T(-50)), high(detail::kExpHigh<T>), one(T(1));
  Vec<T> n;
  const Vec<T> r = detail::reduce_by_ln2(min(max(x, low), high), n);
  const Vec<T> scale = scale_by_power_of_two(one, n);
  Vec<T> y = fma(scale, detail::expm1_reduced(r), scale - one);
  y = select(less(high, x), Vec<T>(std::numeric_limits<T>::infinity()), y);
  return select(equal(x, x), y, x);
}

// ln(1 + f) through s = f / (2 + f), as fdlibm's e_log.c arranges it.
template <class T>
Vec<T> log(Vec<T> x) {
  const Vec<T> one(T(1)), half(T(0.5)), infinity(std::numeric_limits<T>::infinity());
  Vec<T> e;
  Vec<T> m = split_exponent(x, e);
  const Vec<T> small = less(m, Vec<T>(T(std::numbers::sqrt2 / 2)));
  e = select(small, e - one, e);
  const Vec<T> f = select(small, m + m, m) - one;
  const Vec<T> s = f / (Vec<T>(T(2)) + f);
  const Vec<T> z = s * s;
  Vec<T> sum(T(2.0 / (2 * detail::kLogTerms<T> + 1)));
  for (int i = detail::kLogTerms<T> - 1; i >= 1; --i)
    sum = fma(sum, z, Vec<T>(T(2.0 / (2 * i + 1))));
  const Vec<T> square = half * f * f;
  const Vec<T> tail = fma(s, fma(sum, z, square), e * Vec<T>(detail::kLn2Low<T>));
  Vec<T> y = fma(e, Vec<T>(detail::kLn2High<T>), f - (square - tail));
  y = select(equal(x, infinity), infinity, y);
  y = select(equal(x, Vec<T>(T(0))), -infinity, y);
  y = select(less(x, Vec<T>(T(0))), Vec<T>(std::numeric_limits<T>::quiet_NaN()), y);
  return select(equal(x, x), y, x);
}

// ln(1 + x) for x >= 0, exact to the last bits near 0.
template <class T>
Vec<T> log1p(Vec<T> x) {
  const Vec<T> one(T(1));
  const Vec<T> w = one + x;
  return log(w) + (x - (w - one)) / w;
}

template <class T>
Vec<T> sigmoid(Vec<T> x) {
  const Vec<T> one(T(1));
  return one / (one + exp(-x));
}

template <class T>
Vec<T> tanh(Vec<T> x) {
  const Vec<T> magnitude = min(abs(x), Vec<T>(T(20)));
  const Vec<T> e = expm1(magnitude + magnitude);
  const Vec<T> y = e / (e + Vec<T>(T(2)));
  const Vec<T> z = select(less(x, Vec<T>(T(0))), -y, y);
  return select(equal(x, x), z, x);
}

// Scalars in double, by the same code.
inline double exp(double x) { return exp(Vec<double>(x)).first(); }
inline double log(double x) { return log(Vec<double>(x)).first(); }

// cos(pi t) and sin(pi t) for any finite t.
double cos_pi(double t);
double sin_pi(double t);

// base^n for whole n >= 0 by repeated squaring.
double power(double base, std::uint64_t n);

}  // namespace lamina
