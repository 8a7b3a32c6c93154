#include "lamina/functions/orthogonal.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace lamina {
namespace {

// Columns worked on together: so many doubles of a row stay in registers, and a block of them in
// the second-level cache while all reflections pass over it. It does not change the order in which
// an element is computed.
constexpr Index kColumns = 32;

struct Block {
  Index rows;
  Buffer<double> a;  // (rows, kColumns)
  explicit Block(Index m) : rows(m), a(m * kColumns) {}
  double* row(Index i) { return a.data() + i * kColumns; }
};

// v = (0, ..., 0, v_first, ...): the block becomes (I - scale v v') block.
void reflect(Block& block, Index first, const double* v, double scale) {
  double sums[kColumns] = {};
  for (Index i = first; i < block.rows; ++i)
    for (Index c = 0; c < kColumns; ++c) sums[c] += v[i] * block.row(i)[c];
  for (double& sum : sums) sum *= scale;
  for (Index i = first; i < block.rows; ++i)
    for (Index c = 0; c < kColumns; ++c) block.row(i)[c] -= v[i] * sums[c];
}

// The v and scale that carry a column's part from `first` on to a multiple of the first unit
// vector; true if that multiple is negative, as it is unless the part is 0.
bool reflection(Block& block, Index first, Index column, double* v, double& scale) {
  double squares = 0;
  for (Index i = first; i < block.rows; ++i) {
    v[i] = block.row(i)[column];
    squares += v[i] * v[i];
  }
  const double norm = std::sqrt(squares), alpha = v[first];
  scale = 0;
  if (norm == 0) return false;
  v[first] = alpha + (alpha < 0 ? -norm : norm);
  scale = 1 / (norm * (norm + std::fabs(alpha)));
  return alpha >= 0;
}

}  // namespace

void orthonormalize(Index m, Index n, double* a) {
  Buffer<double> v(n * m), scale(n);  // reflection j: v + j m, of which j ... m - 1 count
  std::vector<bool> negative(static_cast<std::size_t>(n));
  Block block(m);
  for (Index first = 0; first < n; first += kColumns) {
    const Index count = std::min(kColumns, n - first);
    for (Index i = 0; i < m; ++i) std::copy_n(a + i * n + first, count, block.row(i));
    for (Index j = 0; j < first; ++j) reflect(block, j, v.data() + j * m, scale[j]);
    for (Index j = first; j < first + count; ++j) {
      double* mine = v.data() + j * m;
      negative[static_cast<std::size_t>(j)] = reflection(block, j, j - first, mine, scale[j]);
      reflect(block, j, mine, scale[j]);
    }
  }
  // Q = H_0 H_1 ... applied to the first columns of the identity; H_j leaves those before j alone.
  for (Index first = 0; first < n; first += kColumns) {
    const Index count = std::min(kColumns, n - first);
    std::fill_n(block.a.data(), block.a.size(), 0.0);
    for (Index c = 0; c < count; ++c) block.row(first + c)[c] = 1;
    for (Index j = first + count; j-- > 0;) reflect(block, j, v.data() + j * m, scale[j]);
    for (Index i = 0; i < m; ++i)
      for (Index c = 0; c < count; ++c) {
        const double q = block.row(i)[c];
        a[i * n + first + c] = negative[static_cast<std::size_t>(first + c)] ? -q : q;
      }
  }
}

}  // namespace lamina
