// The product's contract: right values, and bits that do not depend on row blocks or tiles.
#include "lamina/nn/product.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "check.hpp"

using namespace lamina;

namespace {

template <class T>
Buffer<T> filled(Index n, double phase) {
  Buffer<T> out(n);
  for (Index i = 0; i < n; ++i) out[i] = T(std::sin(0.37 * static_cast<double>(i) + phase));
  return out;
}

template <class T>
void check_shape(Index rows, Index cols, Index depth) {
  const double tolerance = sizeof(T) == 4 ? 1e-5 : 1e-13;
  ProductScratch<T> scratch;
  for (const ProductKind kind :
       {ProductKind::forward, ProductKind::input_grad, ProductKind::kernel_grad}) {
    const bool a_transposed = kind == ProductKind::kernel_grad,
               b_transposed = kind == ProductKind::input_grad;
    const Buffer<T> a = filled<T>(rows * depth, 0.1), b = filled<T>(depth * cols, 0.9);
    const Index a_stride = a_transposed ? rows : depth, b_stride = b_transposed ? depth : cols;
    Buffer<T> whole(rows * cols), parts(rows * cols);
    product<T>(kind, rows, cols, depth, {a.data(), a_stride}, {b.data(), b_stride}, whole.data(),
               cols, scratch);
    for (Index i = 0; i < rows; ++i) {
      for (Index j = 0; j < cols; ++j) {
        double exact = 0;
        for (Index k = 0; k < depth; ++k)
          exact += static_cast<double>(a_transposed ? a[k * rows + i] : a[i * depth + k]) *
                   static_cast<double>(b_transposed ? b[j * depth + k] : b[k * cols + j]);
        CHECK(std::abs(whole[i * cols + j] - exact) <=
              tolerance * std::sqrt(static_cast<double>(depth)) * 4);
      }
    }
    for (const Index step : {kRowStep, 3 * kRowStep}) {
      parts.fill_zero();
      for (Index r = 0; r < rows; r += step) {
        const Index n = std::min(step, rows - r);
        const T* from = a_transposed ? a.data() + r : a.data() + r * depth;
        product<T>(kind, n, cols, depth, {from, a_stride}, {b.data(), b_stride},
                   parts.data() + r * cols, cols, scratch);
      }
      CHECK(std::memcmp(parts.data(), whole.data(), whole.bytes()) == 0);
    }
  }
}

}  // namespace

int main() {
  const std::array<std::array<Index, 3>, 7> shapes = {{{16, 1, 1},
                                                       {32, 10, 64},
                                                       {64, 64, 50},
                                                       {96, 17, 300},
                                                       {112, 256, 256},
                                                       {208, 33, 1000},
                                                       {48, 5, 2100}}};
  for (const auto& [rows, cols, depth] : shapes) {
    check_shape<float>(rows, cols, depth);
    check_shape<double>(rows, cols, depth);
  }
  CHECK(product_implementations().front() == "eigen");
  return 0;
}
