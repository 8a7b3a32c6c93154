#include "lamina/nn/ops/sparse_product_op.hpp"

#include "lamina/nn/sparse_product.hpp"

namespace lamina {

template <class T>
void SparseProductOp<T>::forward(const Ctx& c, Range rows) const {
  const SparseRows<T>& x = c.sparse[OpBase::inputs[0].id];
  const Index n = this->output.width;
  const T* bias = this->bias_offset() < 0 ? nullptr : c.parameters + this->bias_offset();
  for (Index r = rows.begin; r < std::min(rows.end, c.rows); ++r) {
    const auto row = x.row(r);
    sparse_product<T>({row.count,
                       row.at,
                       row.values,
                       {c.parameters + this->kernel_offset(), n},
                       n,
                       bias,
                       this->out(c, r)});
  }
}

// dW = x^T dy: a row of it belongs to a column of x.
template <class T>
void SparseProductOp<T>::parameter_gradient(const Ctx& c, int tensor, Range tile, T* out) const {
  if (tensor != this->tensors[0]) return bias_gradient(c, tile, out);
  const SparseRows<T>& x = c.sparse[OpBase::inputs[0].id];
  const Index n = this->output.width;
  for (Index k = tile.begin; k < tile.end; ++k, out += n) {
    const auto column = x.column(k);
    sparse_product<T>(
        {column.count, column.at, column.values, {this->d_out(c, 0), n}, n, nullptr, out});
  }
}

// As ProductOp's: chunks of kRowStep rows, chunks in order.
template <class T>
void SparseProductOp<T>::bias_gradient(const Ctx& c, Range tile, T* out) const {
  constexpr Index w = Vec<T>::size;
  for (Index j = tile.begin; j < tile.end; j += w) {
    const Front<T> part(std::min(w, tile.end - j));
    Vec<T> sum(T(0));
    for (Index r = 0; r < c.rows; r += kRowStep) {
      Vec<T> chunk(T(0));
      for (Index i = r; i < std::min(c.rows, r + kRowStep); ++i)
        chunk = chunk + part.load(this->d_out(c, i) + j);
      sum = sum + chunk;
    }
    part.store(sum, out + j - tile.begin);
  }
}

template class SparseProductOp<float>;
template class SparseProductOp<double>;

}  // namespace lamina
