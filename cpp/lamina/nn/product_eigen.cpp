// The `eigen` implementation: Eigen's general_matrix_matrix_product, called beneath its expression
// layer so that shapes never switch to other code (matrix-vector, coefficient-wise) with other
// bits, and with our own packing memory, so that nothing is allocated after the first call.
#include <Eigen/Core>

#include "lamina/nn/product.hpp"

namespace lamina {
namespace {

namespace ei = Eigen::internal;

template <class T>
class Blocking : public ei::level3_blocking<T, T> {
 public:
  Blocking(Eigen::Index rows, Eigen::Index cols, Eigen::Index depth, ProductScratch<T>& scratch) {
    this->m_mc = rows;
    this->m_nc = cols;
    this->m_kc = depth;
    ei::computeProductBlockingSizes<T, T, 1>(this->m_kc, this->m_mc, this->m_nc, Eigen::Index(1));
    scratch.a.reserve(this->m_mc * this->m_kc);
    scratch.b.reserve(this->m_kc * this->m_nc);
    this->m_blockA = scratch.a.data();
    this->m_blockB = scratch.b.data();
  }
};

// C is row-major; Eigen's kernel writes column-major, so it computes C^T = B^T A^T: its rows are
// our columns (vectors run along them), its columns our rows.
template <class T, int OrderA, int OrderB>
void run(const Product<T>& p, ProductScratch<T>& scratch) {
  Blocking<T> blocking(p.cols, p.rows, p.depth, scratch);
  ei::general_matrix_matrix_product<Eigen::Index, T, OrderB, false, T, OrderA, false,
                                    Eigen::ColMajor, 1>::run(p.cols, p.rows, p.depth, p.b.data,
                                                             p.b.stride, p.a.data, p.a.stride, p.c,
                                                             1, p.c_stride, T(1), blocking,
                                                             nullptr);
}

// Eigen does not know panels.
template <class T>
Operand<T> without_panels(const Product<T>& p, ProductScratch<T>& scratch) {
  if (!p.b.panels) return p.b;
  const Index width = panel_width<T>();
  scratch.c.reserve(p.depth * p.cols);
  for (Index k = 0; k < p.depth; ++k)
    for (Index j = 0; j < p.cols; ++j)
      scratch.c[k * p.cols + j] = p.b.data[(j / width * p.b.stride + k) * width + j % width];
  return {scratch.c.data(), p.cols};
}

}  // namespace

template <class T>
void eigen_product(const Product<T>& product, ProductScratch<T>& scratch) {
  Product<T> p = product;
  p.b = without_panels(p, scratch);
  if (!p.add) {
    for (Index r = 0; r < p.rows; ++r)
      for (Index j = 0; j < p.cols; ++j) p.c[r * p.c_stride + j] = p.bias ? p.bias[j] : T(0);
  }
  if (p.depth == 0) return;
  // A transposed row-major matrix is a column-major one: the order names say how Eigen sees the
  // transposes of A and B.
  switch (p.kind) {
    case ProductKind::forward:
      return run<T, Eigen::ColMajor, Eigen::ColMajor>(p, scratch);
    case ProductKind::input_grad:
      return run<T, Eigen::ColMajor, Eigen::RowMajor>(p, scratch);
    case ProductKind::kernel_grad:
      return run<T, Eigen::RowMajor, Eigen::ColMajor>(p, scratch);
  }
}

template void eigen_product<float>(const Product<float>&, ProductScratch<float>&);
template void eigen_product<double>(const Product<double>&, ProductScratch<double>&);

}  // namespace lamina
