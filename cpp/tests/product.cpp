// The product's contract: right values; and an element is the same bits however its matrix is cut:
// a plain chain of fused multiply-adds, cut at multiples of kChunk.
#include "lamina/nn/product.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <vector>

#include "check.hpp"

using namespace lamina;

namespace {

template <class T>
Buffer<T> filled(Index n, double phase) {
  Buffer<T> out(n);
  for (Index i = 0; i < n; ++i) out[i] = T(std::sin(0.37 * static_cast<double>(i) + phase));
  return out;
}

// Levels without the instruction (v2; generic on x86-64) round twice.
template <class T>
T multiply_add(T a, T b, T c) {
#if defined(__x86_64__) && !defined(__FMA__)
  return a * b + c;
#else
  return std::fma(a, b, c);
#endif
}

// What the contract says, in the plainest words.
template <class T>
T chain(const Product<T>& p, T start, Index i, Index j) {
  const bool a_columns = p.kind == ProductKind::kernel_grad;
  const bool b_transposed = p.kind == ProductKind::input_grad;
  T out = start;
  for (Index k0 = 0; k0 < p.depth; k0 += kChunk) {
    T sum = 0;
    for (Index k = k0; k < std::min(p.depth, k0 + kChunk); ++k)
      sum = multiply_add(p.a.data[a_columns ? k * p.a.stride + i : i * p.a.stride + k],
                         p.b.data[b_transposed ? j * p.b.stride + k : k * p.b.stride + j], sum);
    out = out + sum;
  }
  return out;
}

template <class T>
struct Case {
  ProductKind kind;
  Index rows, cols, depth;
  Buffer<T> a, b, bias;
  Index a_stride, b_stride;

  Case(ProductKind k, Index m, Index n, Index d)
      : kind(k), rows(m), cols(n), depth(d), bias(filled<T>(n, 0.3)) {
    const bool a_columns = kind == ProductKind::kernel_grad;
    const bool b_transposed = kind == ProductKind::input_grad;
    a_stride = (a_columns ? m : d) + 3;
    b_stride = (b_transposed ? d : n) + (n == 1 || d == 1 ? 0 : 5);
    a = filled<T>(a_stride * (a_columns ? d : m), 0.1);
    b = filled<T>(b_stride * (b_transposed ? n : d), 0.9);
  }

  // Rows [first, first + m) of the product.
  Product<T> part(Index first, Index m, T* c, bool with_bias, bool add) const {
    const Index from = kind == ProductKind::kernel_grad ? first : first * a_stride;
    return {kind,
            m,
            cols,
            depth,
            {a.data() + from, a_stride},
            {b.data(), b_stride},
            c + first * cols,
            cols,
            with_bias ? bias.data() : nullptr,
            add};
  }
};

template <class T>
void check_case(const Case<T>& test, bool with_bias, bool add) {
  ProductScratch<T> scratch;
  const Buffer<T> before = filled<T>(test.rows * test.cols, 1.7);
  Buffer<T> expected(before.size()), whole(before.size()), parts(before.size());
  whole.copy_from(before);
  const Product<T> p = test.part(0, test.rows, whole.data(), with_bias, add);
  for (Index i = 0; i < test.rows; ++i)
    for (Index j = 0; j < test.cols; ++j) {
      const T start = add ? before[i * test.cols + j] : with_bias ? test.bias[j] : T(0);
      expected[i * test.cols + j] = chain(p, start, i, j);
    }
  product(p, scratch);
  CHECK(std::memcmp(whole.data(), expected.data(), whole.bytes()) == 0);

  for (const Index step : {1, 3, 16, 37}) {
    parts.copy_from(before);
    for (Index r = 0; r < test.rows; r += step)
      product(test.part(r, std::min(step, test.rows - r), parts.data(), with_bias, add), scratch);
    CHECK(std::memcmp(parts.data(), expected.data(), parts.bytes()) == 0);
  }
  if (test.kind == ProductKind::kernel_grad) {
    Buffer<T> panels(panels_size<T>(test.depth, test.cols));
    for (Index r = 0; r < test.depth; r += 7)
      pack_panel_rows(std::min<Index>(7, test.depth - r), test.cols,
                      test.b.data() + r * test.b_stride, test.b_stride, r, test.depth,
                      panels.data());
    Product<T> packed = test.part(0, test.rows, parts.data(), with_bias, add);
    packed.b = {panels.data(), test.depth, true};
    parts.copy_from(before);
    product(packed, scratch);
    CHECK(std::memcmp(parts.data(), expected.data(), parts.bytes()) == 0);
  }

  // The oracle agrees to rounding.
  scratch.forced = &eigen_product<T>;
  parts.copy_from(before);
  product(test.part(0, test.rows, parts.data(), with_bias, add), scratch);
  const double tolerance =
      (sizeof(T) == 4 ? 1e-5 : 1e-13) * 4 * std::sqrt(static_cast<double>(test.depth + 1));
  for (Index i = 0; i < parts.size(); ++i)
    CHECK(std::abs(static_cast<double>(parts[i] - expected[i])) <= tolerance);
}

template <class T>
void check_shape(Index rows, Index cols, Index depth) {
  using enum ProductKind;
  for (const ProductKind kind : {forward, input_grad, kernel_grad}) {
    const Case<T> test(kind, rows, cols, depth);
    check_case(test, false, false);
    check_case(test, true, false);
    check_case(test, false, true);
  }
}

}  // namespace

int main() {
  std::vector<std::array<Index, 3>> shapes = {
      {{16, 1, 1}},     {{32, 10, 64}},    {{64, 64, 50}},  {{96, 17, 300}}, {{112, 256, 256}},
      {{60, 33, 1000}}, {{48, 5, 2100}},   {{1, 300, 700}}, {{2, 130, 40}},  {{3, 515, 257}},
      {{29, 270, 513}}, {{100, 4, 300}},   {{5, 0, 3}},     {{0, 5, 3}},     {{40, 600, 520}},
      {{130, 1, 256}},  {{256, 96, 1024}}, {{1, 70, 1}},    {{3, 200, 1}},   {{20, 70, 1}}};
  for (Index n = 1; n <= 34; ++n) shapes.push_back({n, 35 - n, 2 * n + 1});
  for (const auto& [rows, cols, depth] : shapes) {
    check_shape<float>(rows, cols, depth);
    check_shape<double>(rows, cols, depth);
  }
  return 0;
}
