// Transpositions of what fits into registers.
#pragma once

#include <bit>
#include <utility>

#include "lamina/base/simd.hpp"

#ifdef __GNUC__
#define LAMINA_INLINE inline __attribute__((always_inline))
#else
#define LAMINA_INLINE inline
#endif

namespace lamina {
namespace detail {

// One step of a transposition: blocks of kStep x kStep elements change places across the diagonal.
// Eigen's ptranspose goes through memory when a loop follows it.
template <class T, int kStep, int... kLane>
LAMINA_INLINE void exchange(Vec<T>& a, Vec<T>& b, std::integer_sequence<int, kLane...>) {
#ifdef __GNUC__
  constexpr int w = Vec<T>::size;
  typedef T Lanes __attribute__((vector_size(sizeof(typename Vec<T>::Packet))));
  const auto x = std::bit_cast<Lanes>(a.v), y = std::bit_cast<Lanes>(b.v);
#ifdef __clang__
  const Lanes low = __builtin_shufflevector(x, y, ((kLane & kStep) ? w + kLane - kStep : kLane)...);
  const Lanes high =
      __builtin_shufflevector(x, y, ((kLane & kStep) ? w + kLane : kLane + kStep)...);
#else  // gcc has that name from 12 on
  using Word = typename Bits<T>::Word;
  using Words = typename Bits<T>::Words;
  const Lanes low =
      __builtin_shuffle(x, y, Words{Word((kLane & kStep) ? w + kLane - kStep : kLane)...});
  const Lanes high =
      __builtin_shuffle(x, y, Words{Word((kLane & kStep) ? w + kLane : kLane + kStep)...});
#endif
  a.v = std::bit_cast<typename Vec<T>::Packet>(low);
  b.v = std::bit_cast<typename Vec<T>::Packet>(high);
#else
  alignas(64) T x[Vec<T>::size], y[Vec<T>::size];
  a.store(x), b.store(y);
  ((void)((kLane & kStep) ? std::swap(x[kLane], y[kLane - kStep]) : void()), ...);
  a = Vec<T>::load(x), b = Vec<T>::load(y);
#endif
}

template <class T, int kStep>
LAMINA_INLINE void transpose_from(Vec<T>* rows) {
  if constexpr (kStep > 0) {
    constexpr int w = Vec<T>::size;
#pragma GCC unroll 16
    for (int i = 0; i < w; ++i)
      if ((i & kStep) == 0)
        exchange<T, kStep>(rows[i], rows[i + kStep], std::make_integer_sequence<int, w>{});
    transpose_from<T, kStep / 2>(rows);
  }
}

// What lies beyond the last row.
template <class T>
alignas(64) inline constexpr T kZeroRow[Vec<T>::size] = {};

}  // namespace detail

// to(j, i) = from(i, j) for up to a register's length of rows and of columns. With `pad` all of a
// register is written, zeros behind the last row.
template <class T>
void transpose(const T* from, Index from_stride, Index rows, Index cols, T* to, Index to_stride,
               bool pad) {
  constexpr int w = Vec<T>::size;
  Vec<T> block[w];
  const Front<T> read(cols);
#pragma GCC unroll 16
  for (int i = 0; i < w; ++i, from += from_stride)
    block[i] = read.load(i < rows ? from : detail::kZeroRow<T>);
  detail::transpose_from<T, w / 2>(block);
  // Whole registers where they may be written: to load what a masked store has just written takes
  // many cycles.
  const bool whole = pad || rows == w;
  const Front<T> written(rows);
#pragma GCC unroll 16
  for (int i = 0; i < w; ++i, to += to_stride) {
    if (i >= cols) return;
    if (whole)
      block[i].store(to);
    else
      written.store(block[i], to);
  }
}

}  // namespace lamina
