// All matrix products, and their contract: an output element is what C starts from, plus chains of
// fused multiply-adds over k ascending, a chain for each kChunk steps of k, added in that order.
// So its bits depend on its row of A, its column of B and the depth alone: not on how many rows or
// columns are computed with it, on threads, caches or the width of registers.
// Operands are row-major. A and B must be readable for a register's length beyond their ends (every
// Buffer is).
#pragma once

#include <array>

#include "lamina/base/array.hpp"
#include "lamina/base/buffer.hpp"
#include "lamina/base/prefetch.hpp"

namespace lamina {

// Sums over rows run over chunks of so many; stored batches are padded to it with rows of zeros.
inline constexpr Index kRowStep = 16;
inline constexpr Index round_up(Index n, Index step) { return (n + step - 1) / step * step; }

// Up to so many rows of A are computed with B as it lies, which is then read once.
inline constexpr Index kFewRows = 3;

// Steps of k in one chain.
inline constexpr Index kChunk = 256;

enum class ProductKind {
  forward,      // C(rows, cols) = A(rows, depth) B(depth, cols)            y = x W
  input_grad,   // C(rows, cols) = A(rows, depth) B(cols, depth)^T          dx = dy W^T
  kernel_grad,  // C(rows, cols) = A(depth, rows)^T B(depth, cols)          dW = x^T dy
};

template <class T>
struct ProductScratch;

template <class T>
struct Operand {
  const T* data;
  Index stride;         // elements between rows; of panels: the rows of each
  bool panels = false;  // B of forward and kernel_grad: written by pack_panel_rows()
};

template <class T>
struct Product {
  ProductKind kind;
  Index rows, cols, depth;
  Operand<T> a, b;
  T* c;
  Index c_stride;
  const T* bias = nullptr;  // (cols): what every row of C starts from
  bool add = false;         // C starts from what it holds; otherwise from bias, or 0
};

// Packing memory of one thread, kept between calls.
template <class T>
struct ProductScratch {
  Buffer<T> a, b, c;
  std::array<Prefetch, 4> soon;  // what whoever called needs next; used up by the next products
  RowsAhead rows;                // likewise
  // Another implementation, forced by tests and benchmarks; null: ours. (No more than a pointer, so
  // that a program that does not name the oracle does not carry it.)
  void (*forced)(const Product<T>&, ProductScratch&) = nullptr;
};

template <class T>
void product(const Product<T>& p, ProductScratch<T>& scratch);

// B ahead of time, so that the many tiles of a gradient need not pack it again and again, nor many
// predictions the kernel: panels
// of panel_width() columns, one after another, zeros behind the last column.
template <class T>
Index panel_width();
template <class T>
Index panels_size(Index depth, Index cols);  // elements
// Writes rows [first, first + rows) of panels that have `depth` rows each.
template <class T>
void pack_panel_rows(Index rows, Index cols, const T* from, Index from_stride, Index first,
                     Index depth, T* panels);

// The same contract's oracle, of which it keeps only part: Eigen's own products. Rows come in
// multiples of 8, and its blocking depends on the CPU's caches.
template <class T>
void eigen_product(const Product<T>& p, ProductScratch<T>& scratch);

}  // namespace lamina
