// y = x W + b for a sparse x.
#pragma once

#include "lamina/nn/ops/product_op.hpp"

namespace lamina {

template <class T>
class SparseProductOp : public ProductOp<T> {
 public:
  using typename Op<T>::Ctx;
  SparseProductOp(int kernel, const Tensor& w, int bias, Index bias_offset)
      : ProductOp<T>(kernel, w, bias, bias_offset) {
    this->kind = "sparse_product";
    this->flags.needs_inputs = this->flags.keeps_gradient = false;
  }
  // Of so many entries: how many there are, only the data know.
  Index flops_per_row() const override {
    constexpr Index kUsualEntries = 100;
    return 2 * std::min(this->inputs(), kUsualEntries) * this->output.width;
  }
  std::size_t state_bytes(Index) const override { return 0; }
  bool reads_panels() const override { return false; }

  void forward(const Ctx& c, Range rows) const override;
  bool shares_columns(Index) const override { return false; }
  void backward(const Ctx&, Range, const std::vector<bool>&) const override {
  }  // a sparse input has no gradient
  void parameter_gradient(const Ctx& c, int tensor, Range tile, T* out) const override;

 private:
  void bias_gradient(const Ctx& c, Range tile, T* out) const;
};

}  // namespace lamina
