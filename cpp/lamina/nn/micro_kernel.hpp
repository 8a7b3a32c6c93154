// The micro-kernel: a block of C held in registers while k runs. Templates over the block's shape;
// product.cpp picks and feeds them.
#pragma once

#include "lamina/base/prefetch.hpp"
#include "lamina/base/simd.hpp"

namespace lamina::detail {

// Registers of the instruction set, and the largest block whose sums stay in them.
#if defined(__AVX512F__) || defined(__aarch64__)
inline constexpr int kRegisters = 32;
#else
inline constexpr int kRegisters = 16;
#endif
inline constexpr int kBlockVectors = 2;  // columns of a block, in registers
inline constexpr int kBlockRows = kRegisters == 32 ? 14 : 6;
// Few rows take more columns at once, so that sums enough are under way to hide the latency.
inline constexpr int few_rows_vectors(int rows) {
  return kRegisters / 2 / (rows == 1 ? 1 : 2) / (rows == 3 && kRegisters == 16 ? 2 : 1);
}

// One block: sums over k = 0 ... depth - 1, added to what C starts from.
template <class T>
struct Block {
  Index depth;
  const T* a;
  Index a_stride;  // between rows (a_rows) or between steps of k (otherwise)
  const T* b;
  Index b_stride;  // between steps of k
  const T* start;  // what C starts from
  Index start_stride;
  T* c;
  Index c_stride;
  Index last;           // columns of the last vector in use
  Prefetch::Walk soon;  // asked for on the way, a line at each step of k
  T* panel;             // where a kernel that packs writes the columns of B it has read
};

// The end of a block whose last register is used in part.
template <class T>
void finish_narrow(const Block<T>& block, int rows, int vectors, const T* sums) {
  constexpr Index w = Vec<T>::size;
  const Front<T> front(block.last);
  for (int i = 0; i < rows; ++i) {
    const T* start = block.start + i * block.start_stride;
    T* c = block.c + i * block.c_stride;
    for (int j = 0; j < vectors; ++j, sums += w, c += w) {
      const bool whole = j < vectors - 1;
      Vec<T> out = Vec<T>::load(sums);
      out = out + (whole ? Vec<T>::load(start + j * w) : front.load(start + j * w));
      if (whole)
        out.store(c);
      else
        front.store(out, c);
    }
  }
}

// A(i, k) lies at a[i * stride + k] if kARows, else at a[k * stride + i]. With kPack the first pass
// over columns of B copies them for the later ones, which costs less than a copy beforehand.
template <class T, int kRows, int kVectors, bool kARows, bool kPack = false>
void run_block(const Block<T>& block) {
  constexpr Index w = Vec<T>::size;
  Vec<T> sum[kRows][kVectors];
#pragma GCC unroll 32
  for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 32
    for (int j = 0; j < kVectors; ++j) sum[i][j] = Vec<T>(T(0));
  const T *a = block.a, *b = block.b;
  [[maybe_unused]] T* panel = block.panel;
  const Index a_row = kARows ? block.a_stride : 1, a_step = kARows ? 1 : block.a_stride;
  Prefetch::Walk soon = block.soon;
  for (Index k = 0; k < block.depth; ++k) {
    prefetch_line(soon.from);
    soon.from += soon.step;
    if constexpr (kRows <= kFewRows) {
      Vec<T> x[kRows];
#pragma GCC unroll 32
      for (int i = 0; i < kRows; ++i) x[i] = Vec<T>(a[i * a_row]);
#pragma GCC unroll 32
      for (int j = 0; j < kVectors; ++j) {
        const Vec<T> y = Vec<T>::load(b + j * w);
#pragma GCC unroll 32
        for (int i = 0; i < kRows; ++i) sum[i][j] = fma(x[i], y, sum[i][j]);
      }
    } else {
      Vec<T> y[kVectors];
#pragma GCC unroll 32
      for (int j = 0; j < kVectors; ++j) {
        y[j] = Vec<T>::load(b + j * w);
        if constexpr (kPack) y[j].store(panel + j * w);
      }
      if constexpr (kPack) panel += kVectors * w;
#pragma GCC unroll 32
      for (int i = 0; i < kRows; ++i) {
        const Vec<T> x(a[i * a_row]);
#pragma GCC unroll 32
        for (int j = 0; j < kVectors; ++j) sum[i][j] = fma(x, y[j], sum[i][j]);
      }
    }
    a += a_step;
    b += block.b_stride;
  }
  if (block.last < w) {
    alignas(64) T all[kRows * kVectors * w];
#pragma GCC unroll 32
    for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 32
      for (int j = 0; j < kVectors; ++j) sum[i][j].store(all + (i * kVectors + j) * w);
    return finish_narrow(block, kRows, kVectors, all);
  }
  T* c = block.c;
  const T* start = block.start;
#pragma GCC unroll 32
  for (int i = 0; i < kRows; ++i, start += block.start_stride, c += block.c_stride)
#pragma GCC unroll 32
    for (int j = 0; j < kVectors; ++j) (sum[i][j] + Vec<T>::load(start + j * w)).store(c + j * w);
}

}  // namespace lamina::detail
