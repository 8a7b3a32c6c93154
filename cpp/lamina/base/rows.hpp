// Sums and maxima along a row, in an order that does not depend on the width of a register: element
// j goes to lane j % 16 of sixteen sums in double, and these are added in one fixed tree.
#pragma once

#include <algorithm>

#include "lamina/base/simd.hpp"

namespace lamina {

inline constexpr Index kLanes = 16;

// Calls f(part, j, lane) for the registers of a row: elements j, j + 1, ... as far as `part`
// reaches, of which the first goes to `lane`.
template <class T, class F>
void for_packets(Index n, F&& f) {
  constexpr Index w = Vec<T>::size;
  Index j = 0;
  for (; j + kLanes <= n; j += kLanes)
    for (Index lane = 0; lane < kLanes; lane += w) f(Whole<T>{}, j + lane, lane);
  for (Index lane = 0; lane < kLanes; lane += w)
    if (j + lane < n) f(Front<T>(std::min(w, n - j - lane)), j + lane, lane);
}

// Values kept between two passes of for_packets over a row: in `row`, but the last few beside it,
// because to load what a masked store has just written takes many cycles.
template <class T>
class RowStore {
 public:
  explicit RowStore(T* row) : row_(row) {}
  void put(Whole<T>, Index j, Index, Vec<T> v) { v.store(row_ + j); }
  void put(const Front<T>&, Index, Index lane, Vec<T> v) { v.store(last_ + lane); }
  Vec<T> get(Whole<T>, Index j, Index) const { return Vec<T>::load(row_ + j); }
  Vec<T> get(const Front<T>&, Index, Index lane) const { return Vec<T>::load(last_ + lane); }

 private:
  T* row_;
  alignas(64) T last_[kLanes];
};

namespace detail {

// v in double: the sum's lanes take it in order.
#ifdef EIGEN_VECTORIZE_AVX512
inline void widen(Vec<float> v, Vec<double>* out) {
  out[0] = _mm512_cvtps_pd(_mm512_castps512_ps256(v.v));
  out[1] = _mm512_cvtps_pd(_mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(v.v), 1)));
}
#elif defined EIGEN_VECTORIZE_AVX2
inline void widen(Vec<float> v, Vec<double>* out) {
  out[0] = _mm256_cvtps_pd(_mm256_castps256_ps128(v.v));
  out[1] = _mm256_cvtps_pd(_mm256_extractf128_ps(v.v, 1));
}
#else
inline void widen(Vec<float> v, Vec<double>* out) {
  alignas(64) float narrow[Vec<float>::size];
  alignas(64) double wide[Vec<float>::size];
  v.store(narrow);
  std::copy_n(narrow, Vec<float>::size, wide);
  for (Index i = 0; i < Vec<float>::size; i += Vec<double>::size)
    *out++ = Vec<double>::load(wide + i);
}
#endif
inline void widen(Vec<double> v, Vec<double>* out) { *out = v; }

// The sum of a register: its halves added, then theirs, and so on.
inline double add_up(Vec<double> v) {
#ifdef EIGEN_VECTORIZE_AVX512
  const __m256d four = _mm256_add_pd(_mm512_castpd512_pd256(v.v), _mm512_extractf64x4_pd(v.v, 1));
#elif defined EIGEN_VECTORIZE_AVX2
  const __m256d four = v.v;
#endif
#if defined EIGEN_VECTORIZE_AVX512 || defined EIGEN_VECTORIZE_AVX2
  const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
  return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
#else
  alignas(64) double lanes[Vec<double>::size];
  v.store(lanes);
  for (Index half = Vec<double>::size / 2; half > 0; half /= 2)
    for (Index i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  return lanes[0];
#endif
}

}  // namespace detail

// The sum over a row of the registers that f(part, j, lane) returns.
template <class T, class F>
double sum_row(Index n, F&& f) {
  constexpr Index wide = Vec<double>::size, parts = Vec<T>::size / wide;
  Vec<double> sum[kLanes / wide];
  for (Vec<double>& s : sum) s = Vec<double>(0.0);
  for_packets<T>(n, [&](auto part, Index j, Index lane) {
    Vec<double> v[parts];
    detail::widen(part.keep(f(part, j, lane), Vec<T>(T(0))), v);
    for (Index i = 0; i < parts; ++i) sum[lane / wide + i] = sum[lane / wide + i] + v[i];
  });
  for (Index half = kLanes / wide / 2; half > 0; half /= 2)
    for (Index i = 0; i < half; ++i) sum[i] = sum[i] + sum[i + half];
  return detail::add_up(sum[0]);
}

// The largest element, NaNs left out; -infinity if there is none.
template <class T>
T largest(Index n, const T* x) {
  const Vec<T> least(-std::numeric_limits<T>::infinity());
  Vec<T> top = least;
  for_packets<T>(
      n, [&](auto part, Index j, Index) { top = max(top, part.keep(part.load(x + j), least)); });
  return Eigen::internal::predux_max(top.v);
}

}  // namespace lamina
