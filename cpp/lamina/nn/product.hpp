// All matrix products. Contract: an output element's bits depend on its row of A, its column of B
// and the depth alone, as long as `rows` is a multiple of kRowStep; never on how many rows or
// columns are computed with it, or on which thread. Operands are row-major.
#pragma once

#include <string>
#include <vector>

#include "lamina/base/buffer.hpp"

namespace lamina {

// Row blocks and tiles are multiples of this; buffers are padded to it with rows of zeros.
inline constexpr Index kRowStep = 16;
inline Index round_up(Index n, Index step) { return (n + step - 1) / step * step; }

enum class ProductKind {
  forward,      // C(rows, cols) += A(rows, depth) B(depth, cols)            y = x W
  input_grad,   // C(rows, cols) += A(rows, depth) B(cols, depth)^T          dx = dy W^T
  kernel_grad,  // C(rows, cols) += A(depth, rows)^T B(depth, cols)          dW = x^T dy
};

template <class T>
struct Operand {
  const T* data;
  Index stride;  // elements between rows
};

// Packing memory of one thread, kept between calls.
template <class T>
struct ProductScratch {
  Buffer<T> a, b;
};

// Adds the product to C.
template <class T>
void product(ProductKind kind, Index rows, Index cols, Index depth, Operand<T> a, Operand<T> b,
             T* c, Index c_stride, ProductScratch<T>& scratch);

// The implementations by name; the first is the default.
std::vector<std::string> product_implementations();

}  // namespace lamina
