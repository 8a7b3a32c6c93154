// Vec<T>: one register of T. A thin face over Eigen's packets, so that element mathematics is
// written once and runs on every instruction set. map_packets() masks the tail instead of running
// other code on it: a value's bits never depend on where in an array it stands.
#pragma once

#include <Eigen/Core>
#include <array>
#include <bit>
#include <limits>
#include <numbers>

#include "lamina/base/error.hpp"

namespace lamina {

template <class T>
struct Vec {
  using Packet = typename Eigen::internal::packet_traits<T>::type;
  static constexpr Index size = Eigen::internal::unpacket_traits<Packet>::size;
  Packet v;

  Vec() = default;
  Vec(Packet packet)
    requires(!std::is_same_v<Packet, T>)
      : v(packet) {}
  Vec(T value) : v(Eigen::internal::pset1<Packet>(value)) {}
  static Vec load(const T* from) { return wrap(Eigen::internal::ploadu<Packet>(from)); }
  void store(T* to) const { Eigen::internal::pstoreu(to, v); }
  static Vec wrap(const Packet& packet) {
    Vec out;
    out.v = packet;
    return out;
  }
  T first() const { return Eigen::internal::pfirst(v); }

  friend Vec operator+(Vec a, Vec b) { return wrap(Eigen::internal::padd(a.v, b.v)); }
  friend Vec operator-(Vec a, Vec b) { return wrap(Eigen::internal::psub(a.v, b.v)); }
  friend Vec operator*(Vec a, Vec b) { return wrap(Eigen::internal::pmul(a.v, b.v)); }
  friend Vec operator/(Vec a, Vec b) { return wrap(Eigen::internal::pdiv(a.v, b.v)); }
  friend Vec operator-(Vec a) { return wrap(Eigen::internal::pnegate(a.v)); }
};

// a*b + c, rounded once.
template <class T>
Vec<T> fma(Vec<T> a, Vec<T> b, Vec<T> c) {
  return Vec<T>::wrap(Eigen::internal::pmadd(a.v, b.v, c.v));
}
template <class T>
Vec<T> sqrt(Vec<T> a) {
  return Vec<T>::wrap(Eigen::internal::psqrt(a.v));
}
template <class T>
Vec<T> abs(Vec<T> a) {
  return Vec<T>::wrap(Eigen::internal::pabs(a.v));
}
template <class T>
Vec<T> round(Vec<T> a) {
  return Vec<T>::wrap(Eigen::internal::print(a.v));  // rint: ties to even
}

// Which elements: the answer of a comparison, for select() alone. AVX-512 has registers for it; to
// go through full ones, as Eigen does, makes exp half as fast.
#ifdef EIGEN_VECTORIZE_AVX512
template <class T>
struct Mask {
  std::conditional_t<sizeof(T) == 4, __mmask16, __mmask8> bits;
};
inline Mask<float> less(Vec<float> a, Vec<float> b) {
  return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)};
}
inline Mask<double> less(Vec<double> a, Vec<double> b) {
  return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_LT_OQ)};
}
inline Mask<float> equal(Vec<float> a, Vec<float> b) {
  return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ)};
}
inline Mask<double> equal(Vec<double> a, Vec<double> b) {
  return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_EQ_OQ)};
}
inline Vec<float> select(Mask<float> mask, Vec<float> yes, Vec<float> no) {
  return _mm512_mask_blend_ps(mask.bits, no.v, yes.v);
}
inline Vec<double> select(Mask<double> mask, Vec<double> yes, Vec<double> no) {
  return _mm512_mask_blend_pd(mask.bits, no.v, yes.v);
}
#else
template <class T>
struct Mask {
  typename Vec<T>::Packet bits;
};
template <class T>
Mask<T> less(Vec<T> a, Vec<T> b) {
  return {Eigen::internal::pcmp_lt(a.v, b.v)};
}
template <class T>
Mask<T> equal(Vec<T> a, Vec<T> b) {
  return {Eigen::internal::pcmp_eq(a.v, b.v)};
}
template <class T>
Vec<T> select(Mask<T> mask, Vec<T> yes, Vec<T> no) {
  return Vec<T>::wrap(Eigen::internal::pselect(mask.bits, yes.v, no.v));
}
#endif
// Element i by bit i; further bits do not count.
template <class T>
Mask<T> mask_of_bits(std::uint32_t bits) {
#ifdef EIGEN_VECTORIZE_AVX512
  return {static_cast<decltype(Mask<T>::bits)>(bits)};
#else
  alignas(64) T set[Vec<T>::size];
  for (Index i = 0; i < Vec<T>::size; ++i) set[i] = static_cast<T>(bits >> i & 1);
  return less(Vec<T>(T(0)), Vec<T>::load(set));
#endif
}
#if defined EIGEN_VECTORIZE_AVX2 && !defined EIGEN_VECTORIZE_AVX512
template <>
inline Mask<float> mask_of_bits<float>(std::uint32_t bits) {
  const __m256i one_each = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  const __m256i all = _mm256_set1_epi32(static_cast<int>(bits));
  return {_mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(all, one_each), one_each))};
}
template <>
inline Mask<double> mask_of_bits<double>(std::uint32_t bits) {
  const __m256i one_each = _mm256_setr_epi64x(1, 2, 4, 8);
  const __m256i all = _mm256_set1_epi64x(bits);
  return {_mm256_castsi256_pd(_mm256_cmpeq_epi64(_mm256_and_si256(all, one_each), one_each))};
}
#endif
// max and min keep a NaN in a.
template <class T>
Vec<T> max(Vec<T> a, Vec<T> b) {
  return Vec<T>::wrap(Eigen::internal::pmax(a.v, b.v));
}
template <class T>
Vec<T> min(Vec<T> a, Vec<T> b) {
  return Vec<T>::wrap(Eigen::internal::pmin(a.v, b.v));
}

#ifdef __GNUC__
namespace detail {
template <class T>
struct Bits {
  using Word = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  typedef Word Words __attribute__((vector_size(sizeof(typename Vec<T>::Packet))));
  static constexpr int mantissa = std::numeric_limits<T>::digits - 1;
  static Words of(Vec<T> a) { return std::bit_cast<Words>(a.v); }
  static Vec<T> to(Words w) { return Vec<T>::wrap(std::bit_cast<typename Vec<T>::Packet>(w)); }
};
}  // namespace detail
#endif

// a * 2^n for a whole n, where a and the result are normal numbers.
template <class T>
Vec<T> scale_by_power_of_two(Vec<T> a, Vec<T> n) {
#ifdef __GNUC__
  using B = detail::Bits<T>;
  const Vec<T> shifted = n + Vec<T>(T(3) * T(typename B::Word{1} << (B::mantissa - 1)));
  return B::to(B::of(a) + (B::of(shifted) << B::mantissa));  // n stands in the last bits
#else
  return Vec<T>::wrap(Eigen::internal::pldexp(a.v, n.v));
#endif
}
// A normal a > 0 as mantissa * 2^exponent with the mantissa in [1/sqrt(2), sqrt(2)).
template <class T>
Vec<T> split_exponent(Vec<T> a, Vec<T>& exponent) {
#ifdef __GNUC__
  using B = detail::Bits<T>;
  using Word = typename B::Word;
  const Word one = std::bit_cast<Word>(T(1)),
             root = std::bit_cast<Word>(T(std::numbers::sqrt2 / 2)),
             big = std::bit_cast<Word>(T(Word{1} << B::mantissa));
  const auto bits = B::of(a) + (one - root);
  exponent = B::to((bits >> B::mantissa) | big) -
             Vec<T>(T((Word{1} << B::mantissa) + (one >> B::mantissa)));
  return B::to((bits & ((Word{1} << B::mantissa) - 1)) + root);
#else
  const Vec<T> m = Vec<T>::wrap(Eigen::internal::pfrexp(a.v, exponent.v));
  const Mask<T> small = less(m, Vec<T>(T(std::numbers::sqrt2 / 2)));
  exponent = select(small, exponent - Vec<T>(T(1)), exponent);
  return select(small, m + m, m);
#endif
}

// A register as a part of an array: all of it, or its first elements. What lies beyond those is
// read as 0 and never written.
template <class T>
struct Whole {
  static Vec<T> load(const T* from) { return Vec<T>::load(from); }
  static void store(Vec<T> v, T* to) { v.store(to); }
  static Vec<T> keep(Vec<T> v, Vec<T>) { return v; }
};

template <class T>
inline constexpr auto kCounting = [] {
  std::array<T, 64 / sizeof(T)> out{};
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<T>(i);
  return out;
}();

template <class T>
class Front {
 public:
  explicit Front(Index count)  // 0 ... Vec<T>::size
      : count_(count), mask_(less(Vec<T>::load(kCounting<T>.data()), Vec<T>(T(count)))) {}
  // The first elements of v, the others from `rest`.
  Vec<T> keep(Vec<T> v, Vec<T> rest) const { return select(mask_, v, rest); }
  Vec<T> load(const T* from) const {
#ifdef EIGEN_VECTORIZE_AVX512
    if constexpr (sizeof(T) == 4)
      return _mm512_maskz_loadu_ps(mask_.bits, from);
    else
      return _mm512_maskz_loadu_pd(mask_.bits, from);
#elif defined EIGEN_VECTORIZE_AVX2
    if constexpr (sizeof(T) == 4)
      return _mm256_maskload_ps(from, _mm256_castps_si256(mask_.bits));
    else
      return _mm256_maskload_pd(from, _mm256_castpd_si256(mask_.bits));
#else
    alignas(64) T out[Vec<T>::size] = {};
    for (Index i = 0; i < count_; ++i) out[i] = from[i];
    return Vec<T>::load(out);
#endif
  }
  void store(Vec<T> v, T* to) const {
#ifdef EIGEN_VECTORIZE_AVX512
    if constexpr (sizeof(T) == 4)
      _mm512_mask_storeu_ps(to, mask_.bits, v.v);
    else
      _mm512_mask_storeu_pd(to, mask_.bits, v.v);
#elif defined EIGEN_VECTORIZE_AVX2
    if constexpr (sizeof(T) == 4)
      _mm256_maskstore_ps(to, _mm256_castps_si256(mask_.bits), v.v);
    else
      _mm256_maskstore_pd(to, _mm256_castpd_si256(mask_.bits), v.v);
#else
    alignas(64) T in[Vec<T>::size];
    v.store(in);
    for (Index i = 0; i < count_; ++i) to[i] = in[i];
#endif
  }

 private:
  Index count_;
  Mask<T> mask_;
};

// Calls f(Vec x) -> Vec for every element of x, writing to y (which may be x).
template <class T, class F>
void map_packets(Index n, const T* x, T* y, F&& f) {
  constexpr Index w = Vec<T>::size;
  Index i = 0;
  for (; i + w <= n; i += w) f(Vec<T>::load(x + i)).store(y + i);
  if (i == n) return;
  const Front<T> rest(n - i);
  rest.store(f(rest.load(x + i)), y + i);
}

// The same for two inputs.
template <class T, class F>
void map_packets(Index n, const T* a, const T* b, T* y, F&& f) {
  constexpr Index w = Vec<T>::size;
  Index i = 0;
  for (; i + w <= n; i += w) f(Vec<T>::load(a + i), Vec<T>::load(b + i)).store(y + i);
  if (i == n) return;
  const Front<T> rest(n - i);
  rest.store(f(rest.load(a + i), rest.load(b + i)), y + i);
}

}  // namespace lamina
