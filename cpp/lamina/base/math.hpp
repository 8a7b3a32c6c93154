// Transcendental functions of the core. Nothing that reaches a weight calls libm, whose last bits
// depend on the CPU; these use IEEE operations and fused multiply-adds alone.
// Errors in ulp, for float and double, over the whole range (cpp/tests/math.cpp): exp and log 1.2,
// log1p 1.5, expm1 2.2, tanh and sigmoid 2.5. NaN gives NaN, infinities their limits, log
// of less than 0 NaN; results that would be subnormal may be 0.
#pragma once

#include <limits>
#include <numbers>

#include "lamina/base/simd.hpp"

namespace lamina {
namespace detail {

// c[0] + c[1] x + ...; even and odd powers apart, which halves the chain of operations.
template <class T, std::size_t n>
EIGEN_ALWAYS_INLINE Vec<T> polynomial(Vec<T> x, const std::array<T, n>& c) {
  const Vec<T> square = x * x;
  Vec<T> last(c[n - 1]), before(c[n - 2]);
  for (std::size_t i = n - 2; i-- > 0;) {
    const Vec<T> next = fma(last, square, Vec<T>(c[i]));
    last = before;
    before = next;
  }
  return fma(last, x, before);
}

// Terms of the series: enough for |r| <= ln(2)/2 and |s| <= 0.1716 at each precision.
template <class T>
inline constexpr int kExpTerms = sizeof(T) == 4 ? 7 : 13;
template <class T>
inline constexpr int kLogTerms = sizeof(T) == 4 ? 4 : 10;
template <class T>
inline constexpr T kExpHigh = sizeof(T) == 4 ? T(88.72283) : T(709.782712893384);
template <class T>
inline constexpr T kExpLow = sizeof(T) == 4 ? T(-87.33654) : T(-708.3964185322641);
// ln(2) in two parts; the high part has trailing zeros, so n * high is exact.
template <class T>
inline constexpr T kLn2High = sizeof(T) == 4 ? T(0.693359375) : T(6.93145751953125e-1);
template <class T>
inline constexpr T kLn2Low = sizeof(T) == 4 ? T(-2.12194440e-4) : T(1.42860682030941723212e-6);

// 1/2!, 1/3!, ...
template <class T>
inline constexpr auto kExpSeries = [] {
  std::array<T, kExpTerms<T> - 1> out{};
  double factorial = 1;
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = T(1 / (factorial *= static_cast<double>(i + 2)));
  return out;
}();
// 2/3, 2/5, ...
template <class T>
inline constexpr auto kLogSeries = [] {
  std::array<T, kLogTerms<T>> out{};
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = T(2.0 / static_cast<double>(2 * i + 3));
  return out;
}();

// exp(r) - 1 for |r| <= ln(2)/2: r + r^2 (1/2 + r/6 + ...).
template <class T>
EIGEN_ALWAYS_INLINE Vec<T> expm1_reduced(Vec<T> r) {
  return fma(r * r, polynomial(r, kExpSeries<T>), r);
}

template <class T>
EIGEN_ALWAYS_INLINE Vec<T> reduce_by_ln2(Vec<T> x, Vec<T>& n) {
  n = round(x * Vec<T>(T(std::numbers::log2e)));
  return fma(-n, Vec<T>(kLn2Low<T>), fma(-n, Vec<T>(kLn2High<T>), x));
}

// exp(x) for x in [kExpLow, kExpHigh].
template <class T>
EIGEN_ALWAYS_INLINE Vec<T> exp_in_range(Vec<T> x) {
  Vec<T> n;
  const Vec<T> r = reduce_by_ln2(x, n);
  return scale_by_power_of_two(expm1_reduced(r) + Vec<T>(T(1)), n);
}

// ln(1 + f) + e ln(2) for 1 + f in [1/sqrt(2), sqrt(2)), through s = f / (2 + f), as fdlibm's
// e_log.c arranges it.
template <class T>
EIGEN_ALWAYS_INLINE Vec<T> log_reduced(Vec<T> f, Vec<T> e) {
  const Vec<T> s = f / (Vec<T>(T(2)) + f);
  const Vec<T> z = s * s;
  const Vec<T> sum = polynomial(z, kLogSeries<T>);
  const Vec<T> square = Vec<T>(T(0.5)) * f * f;
  const Vec<T> tail = fma(s, fma(sum, z, square), e * Vec<T>(kLn2Low<T>));
  return fma(e, Vec<T>(kLn2High<T>), f - (square - tail));
}

// y = ln(x), right for normal x > 0, made right for 0, infinity, NaN and x < 0.
template <class T>
EIGEN_ALWAYS_INLINE Vec<T> log_at_edges(Vec<T> x, Vec<T> y) {
  const Vec<T> zero(T(0)), infinity(std::numeric_limits<T>::infinity());
  y = select(less(x, infinity), y, infinity);
  const Vec<T> nan(std::numeric_limits<T>::quiet_NaN());
  return select(less(zero, x), y, select(equal(x, zero), -infinity, nan));
}

// The normal distribution's tail, P(X < -z) = exp(-z^2 / 2) t fit(t - middle) with t = 1 / (1 +
// scale z): Chebyshev fits of the scaled complementary error function, off by less than 2^-29 and
// 2^-56.
template <class T>
struct NormalFit;
template <>
struct NormalFit<float> {
  static constexpr std::array<float, 10> tail{
      0.196012692f, 0.346214216f,   0.482970971f,   0.517463641f,   0.395189586f,
      0.167526773f, -0.0255859287f, -0.0775474483f, -0.0159112131f, 0.0299627102f};
};
template <>
struct NormalFit<double> {
  static constexpr std::array<double, 22> tail{
      0.19601269145171423,     0.34621419755129737,    0.48297106002070241,
      0.51746567473986627,     0.39518068964704022,    0.16746838877501749,
      -0.025306894818233749,   -0.077020409148166583,  -0.019338327190825249,
      0.030051880233039134,    0.015159814002702002,   -0.014388674367784027,
      -0.0086834993698361741,  0.0089360012246003289,  0.0041903475742407654,
      -0.0064977757438484981,  -0.0012583630947638659, 0.0048015075401687745,
      -0.00033385054105509396, -0.0031004900389361581, 0.00052139883978867957,
      0.0012795646694214261};
};
template <class T>
inline constexpr T kNormalScale = T(0.23157747083859431424);
template <class T>
inline constexpr T kNormalMiddle = T(0.5625);

}  // namespace detail

// Results below the smallest normal number are 0.
template <class T>
EIGEN_ALWAYS_INLINE Vec<T> exp(Vec<T> x) {
  const Vec<T> low(detail::kExpLow<T>), high(detail::kExpHigh<T>);
  Vec<T> y = select(less(x, low), Vec<T>(T(0)), detail::exp_in_range(min(max(x, low), high)));
  y = select(less(high, x), Vec<T>(std::numeric_limits<T>::infinity()), y);
  return select(equal(x, x), y, x);
}

// exp(x) - 1, exact to the last bits near 0.
template <class T>
EIGEN_ALWAYS_INLINE Vec<T> expm1(Vec<T> x) {
  const Vec<T> low(T(-50)), high(detail::kExpHigh<T>), half(T(0.5));
  const Vec<T> tiny(std::numeric_limits<T>::epsilon() / 4);
  Vec<T> n;
  const Vec<T> r = detail::reduce_by_ln2(min(max(x, low), high), n);
  const Vec<T> scale = scale_by_power_of_two(half, n);  // 2^n may be too large by itself
  Vec<T> y = fma(scale, detail::expm1_reduced(r), scale - half);
  y = select(less(high, x), Vec<T>(std::numeric_limits<T>::infinity()), y + y);
  return select(less(tiny, abs(x)), y, x);  // NaN is not above `tiny`, either
}

template <class T>
EIGEN_ALWAYS_INLINE Vec<T> log(Vec<T> x) {
  using Limits = std::numeric_limits<T>;
  const Vec<T> digits(T(Limits::digits)), smallest(Limits::min());
  const Mask<T> subnormal = less(x, smallest);
  Vec<T> e;
  const Vec<T> scaled = x * Vec<T>(T(std::uint64_t{1} << Limits::digits));
  const Vec<T> m = split_exponent(select(subnormal, scaled, x), e);
  e = select(subnormal, e - digits, e);
  return detail::log_at_edges(x, detail::log_reduced(m - Vec<T>(T(1)), e));
}

// ln(1 + x), exact to the last bits near 0.
template <class T>
EIGEN_ALWAYS_INLINE Vec<T> log1p(Vec<T> x) {
  const Vec<T> one(T(1));
  const Vec<T> w = one + x;
  Vec<T> e;
  const Vec<T> m = split_exponent(w, e);
  // What rounding took from w, on m's scale (nothing where 2^e is large).
  const Vec<T> lost = (x - (w - one)) * scale_by_power_of_two(one, max(-e, Vec<T>(T(-100))));
  return detail::log_at_edges(w, detail::log_reduced((m - one) + lost, e));
}

template <class T>
EIGEN_ALWAYS_INLINE Vec<T> sigmoid(Vec<T> x) {
  const Vec<T> one(T(1));
  return one / (one + exp(-x));
}

template <class T>
EIGEN_ALWAYS_INLINE Vec<T> tanh(Vec<T> x) {
  const Vec<T> magnitude = min(abs(x), Vec<T>(T(20)));
  const Vec<T> e = expm1(magnitude + magnitude);
  const Vec<T> y = e / (e + Vec<T>(T(2)));
  return select(less(x, Vec<T>(T(0))), -y, y);
}

// The normal distribution: P(X < x), within 4.5 ulp for x >= 0 and 4.5 ulp of 1 below, and
// exp(-x^2 / 2).
template <class T>
struct Normal {
  Vec<T> below, bell;
};
template <class T>
EIGEN_ALWAYS_INLINE Normal<T> normal(Vec<T> x) {
  const Vec<T> one(T(1)), low(detail::kExpLow<T>), power = Vec<T>(T(-0.5)) * x * x;
  const Vec<T> in_range = detail::exp_in_range(max(power, low));  // any number for NaN
  const Vec<T> bell = select(less(power, low), Vec<T>(T(0)), in_range);
  const Vec<T> t = one / fma(Vec<T>(detail::kNormalScale<T>), abs(x), one);
  const Vec<T> tail =
      bell * t *
      detail::polynomial(t - Vec<T>(detail::kNormalMiddle<T>), detail::NormalFit<T>::tail);
  return {select(less(x, Vec<T>(T(0))), tail, one - tail), bell};
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
