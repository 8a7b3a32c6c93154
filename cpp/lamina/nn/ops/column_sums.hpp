// What the normalisations share: registers of columns, sums down columns over chunks of kRowStep
// rows, and the vectors gamma and beta that follow them.
#pragma once

#include <algorithm>
#include <vector>

#include "lamina/base/parallel.hpp"
#include "lamina/base/rows.hpp"
#include "lamina/nn/product.hpp"

namespace lamina {

// Calls f(part, j) for the registers of n columns, of which the last may be a part.
template <class T, class F>
void for_columns(Index n, F&& f) {
  constexpr Index w = Vec<T>::size;
  Index j = 0;
  for (; j + w <= n; j += w) f(Whole<T>{}, j);
  if (j < n) f(Front<T>(n - j), j);
}

// Columns of a row of sums: whole registers, so that these are stored without a mask.
inline Index padded_columns(Index n) { return round_up(n, kLanes); }

// Calls f(rows of a chunk) for the chunks of kRowStep rows within `rows`, which begin with one.
template <class F>
void for_chunks(Range rows, F&& f) {
  for (Index r = rows.begin; r < rows.end; r += kRowStep)
    f(Range{r, std::min(rows.end, r + kRowStep)});
}

// 1 / sqrt(v), and 0 where v is not above 0: what does not vary is nothing, not infinity.
template <class T>
Vec<T> inverse_root(Vec<T> v) {
  const Vec<T> zero(T(0)), one(T(1));
  return select(less(zero, v), one / sqrt(v), zero);
}

// A mean in two numbers of T: x - mean keeps its digits where the mean is large beside x's
// deviation, because x - high is exact.
template <class T>
struct SplitMean {
  Vec<T> high, low;
  Vec<T> from(Vec<T> x) const { return (x - high) - low; }
};

// Two rows of sums for each chunk of kRowStep rows, in an op's state: sum dy, sum dy v.
template <class T>
class ChunkSums {
 public:
  static std::size_t bytes(Index batch_rows, Index columns) {
    return sizeof(T) * static_cast<std::size_t>(round_up(batch_rows, kRowStep) / kRowStep * 2 *
                                                padded_columns(columns));
  }
  ChunkSums(std::byte* memory, Index columns)
      : sums_(reinterpret_cast<T*>(memory)), n_(columns), padded_(padded_columns(columns)) {}

  // dy(i) and v(part, j, i): row i of the output's gradient, registers of what it is multiplied by.
  template <class Gradient, class V>
  void take(Range rows, Gradient&& dy, V&& v) const {
    T* sums = row(rows.begin / kRowStep, 0);
    for_columns<T>(n_, [&](const auto& part, Index j) {
      Vec<T> sum(T(0)), product(T(0));
      for (Index i = rows.begin; i < rows.end; ++i) {
        const Vec<T> d = part.load(dy(i) + j);
        sum = sum + d;
        product = fma(d, v(part, j, i), product);
      }
      sum.store(sums + j);
      product.store(sums + padded_ + j);
    });
  }
  // The chunks of a batch added in order, in double: of the first sums or the second ones.
  void total(Index batch_rows, int which, Range columns, T* out) const {
    constexpr Index kMost = 64;
    for (Index j = columns.begin; j < columns.end; j += kMost) {
      const Index n = std::min(kMost, columns.end - j);
      double sums[kMost] = {};
      for (Index r = 0; r < batch_rows; r += kRowStep) {
        const T* chunk = row(r / kRowStep, which) + j;
        for (Index i = 0; i < n; ++i) sums[i] += static_cast<double>(chunk[i]);
      }
      for (Index i = 0; i < n; ++i) out[j - columns.begin + i] = T(sums[i]);
    }
  }

 private:
  T* row(Index chunk, int which) const { return sums_ + (2 * chunk + which) * padded_; }

  T* sums_;
  Index n_, padded_;
};

// y = gamma v + beta, a number a column: the tensors' numbers and offsets. A number of -1: there is
// none, and `constant` or 0 stands for it.
struct AffineTensors {
  int gamma = -1, beta = -1;
  Index gamma_offset = 0, beta_offset = 0;
  double constant = 1;

  std::vector<int> tensors() const {
    std::vector<int> out;
    for (const int t : {gamma, beta})
      if (t >= 0) out.push_back(t);
    return out;
  }
};

template <class T>
class Affine {
 public:
  Affine(const AffineTensors& tensors, Index columns) : at_(tensors) {
    const auto n = static_cast<std::size_t>(columns);
    if (at_.gamma < 0) instead_of_gamma_.assign(n, T(at_.constant));
    if (at_.beta < 0) instead_of_beta_.assign(n, T(0));
  }
  const T* gamma(const T* parameters) const {
    return at_.gamma < 0 ? instead_of_gamma_.data() : parameters + at_.gamma_offset;
  }
  const T* beta(const T* parameters) const {
    return at_.beta < 0 ? instead_of_beta_.data() : parameters + at_.beta_offset;
  }
  bool is_gamma(int tensor) const { return tensor == at_.gamma; }

 private:
  AffineTensors at_;
  std::vector<T> instead_of_gamma_, instead_of_beta_;
};

}  // namespace lamina
