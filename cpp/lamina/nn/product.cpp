// The `eigen` implementation: Eigen's general_matrix_matrix_product, called beneath its expression
// layer so that shapes never switch to other code (matrix-vector, coefficient-wise) with other
// bits, and with our own packing memory, so that nothing is allocated after the first call.
#include "lamina/nn/product.hpp"

#include <Eigen/Core>

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
void run(Index rows, Index cols, Index depth, Operand<T> a, Operand<T> b, T* c, Index c_stride,
         ProductScratch<T>& scratch) {
  Blocking<T> blocking(cols, rows, depth, scratch);
  ei::general_matrix_matrix_product<Eigen::Index, T, OrderB, false, T, OrderA, false,
                                    Eigen::ColMajor, 1>::run(cols, rows, depth, b.data, b.stride,
                                                             a.data, a.stride, c, 1, c_stride, T(1),
                                                             blocking, nullptr);
}

}  // namespace

template <class T>
void product(ProductKind kind, Index rows, Index cols, Index depth, Operand<T> a, Operand<T> b,
             T* c, Index c_stride, ProductScratch<T>& scratch) {
  if (rows == 0 || cols == 0 || depth == 0) return;
  // A transposed row-major matrix is a column-major one: the order names say how Eigen sees the
  // transposes of A and B.
  switch (kind) {
    case ProductKind::forward:
      return run<T, Eigen::ColMajor, Eigen::ColMajor>(rows, cols, depth, a, b, c, c_stride,
                                                      scratch);
    case ProductKind::input_grad:
      return run<T, Eigen::ColMajor, Eigen::RowMajor>(rows, cols, depth, a, b, c, c_stride,
                                                      scratch);
    case ProductKind::kernel_grad:
      return run<T, Eigen::RowMajor, Eigen::ColMajor>(rows, cols, depth, a, b, c, c_stride,
                                                      scratch);
  }
}

std::vector<std::string> product_implementations() { return {"eigen"}; }

template void product<float>(ProductKind, Index, Index, Index, Operand<float>, Operand<float>,
                             float*, Index, ProductScratch<float>&);
template void product<double>(ProductKind, Index, Index, Index, Operand<double>, Operand<double>,
                              double*, Index, ProductScratch<double>&);

}  // namespace lamina
