#include "lamina/nn/sparse_product.hpp"

#include <algorithm>

#include "lamina/base/simd.hpp"

namespace lamina {
namespace {

constexpr int kMostVectors = 8;  // whose sums stay in registers
constexpr Index kAhead = 4;      // rows of B that are asked for early: they lie anywhere

// kVectors registers of columns from `first` on, the last of them in part.
template <class T, int kVectors>
void run(const SparseRow<T>& row, Index first) {
  constexpr Index w = Vec<T>::size;
  const Front<T> last(std::min<Index>(w, row.cols - first - (kVectors - 1) * w));
  const T* const b = row.b.data + first;
  const T* start = row.start ? row.start + first : nullptr;
  T* const c = row.c + first;
  Index i = 0;
  do {  // a chain for each chunk of k; those without an entry would add 0
    const Index end_of_chunk = i < row.count ? (row.k[i] / kChunk + 1) * kChunk : 0;
    Vec<T> sum[kVectors];
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) sum[j] = Vec<T>(T(0));
    for (; i < row.count && row.k[i] < end_of_chunk; ++i) {
      const T* from = b + row.k[i] * row.b.stride;
      const char* soon = reinterpret_cast<const char*>(
          b + row.k[std::min(i + kAhead, row.count - 1)] * row.b.stride);
      const Vec<T> x(row.x[i]);
#pragma GCC unroll 8
      for (int j = 0; j < kVectors; ++j) {
        prefetch_near(soon + j * w * static_cast<Index>(sizeof(T)));
        sum[j] = fma(x, Vec<T>::load(from + j * w), sum[j]);
      }
    }
#pragma GCC unroll 8
    for (int j = 0; j < kVectors - 1; ++j)
      (sum[j] + (start ? Vec<T>::load(start + j * w) : Vec<T>(T(0)))).store(c + j * w);
    constexpr Index end = (kVectors - 1) * w;
    last.store(sum[kVectors - 1] + (start ? last.load(start + end) : Vec<T>(T(0))), c + end);
    start = c;
  } while (i < row.count);
}

// Of as many registers as there are columns for, then of half as many.
template <class T, int kVectors>
void run_from(const SparseRow<T>& row, Index j) {
  constexpr Index w = Vec<T>::size;
  for (; row.cols - j > (kVectors - 1) * w; j += kVectors * w) run<T, kVectors>(row, j);
  if constexpr (kVectors > 1)
    if (j < row.cols) run_from<T, kVectors / 2>(row, j);
}

}  // namespace

template <class T>
void sparse_product(const SparseRow<T>& row) {
  run_from<T, kMostVectors>(row, 0);
}

template void sparse_product<float>(const SparseRow<float>&);
template void sparse_product<double>(const SparseRow<double>&);

}  // namespace lamina
