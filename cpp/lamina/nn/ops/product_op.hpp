// y = x W + b
#pragma once

#include <algorithm>

#include "lamina/nn/op.hpp"

namespace lamina {

template <class T>
class ProductOp : public Op<T> {
 public:
  using typename Op<T>::Ctx;
  // Tensor numbers and offsets of kernel (K, N) and bias (N; number -1: none).
  ProductOp(int kernel, const Tensor& w, int bias, Index bias_offset)
      : inputs_(w.shape[0]),
        units_(w.shape[1]),
        kernel_(w.offset),
        bias_(bias < 0 ? -1 : bias_offset),
        kernel_tensor_(kernel) {
    this->kind = "product";
    this->flags.needs_inputs = true;
    this->tensors = {kernel};
    if (bias >= 0) this->tensors.push_back(bias);
  }
  Index flops_per_row() const override { return 2 * inputs_ * units_; }

  void forward(const Ctx& c, Range rows) const override {
    for (Index r = rows.begin; r < rows.end; ++r) {
      T* y = this->out(c, r);
      if (bias_ < 0)
        std::fill_n(y, units_, T(0));
      else
        std::copy_n(c.parameters + bias_, units_, y);
    }
    product<T>(ProductKind::forward, rows.size(), units_, inputs_,
               {this->in(c, rows.begin), inputs_}, {c.parameters + kernel_, units_},
               this->out(c, rows.begin), units_, *c.scratch);
  }

  void backward(const Ctx& c, Range rows, const std::vector<bool>& add) const override {
    T* dx = this->d_in(c, rows.begin);
    if (!dx) return;
    if (!add[0]) std::fill_n(dx, rows.size() * inputs_, T(0));
    product<T>(ProductKind::input_grad, rows.size(), inputs_, units_,
               {this->d_out(c, rows.begin), units_}, {c.parameters + kernel_, units_}, dx, inputs_,
               *c.scratch);
  }

  void parameter_gradient(const Ctx& c, int tensor, Range tile, T* out) const override {
    if (tensor != kernel_tensor_) return bias_gradient(c, tile, out);
    std::fill_n(out, tile.size() * units_, T(0));
    product<T>(ProductKind::kernel_grad, tile.size(), units_, c.rows,
               {this->in(c, 0) + tile.begin, inputs_}, {this->d_out(c, 0), units_}, out, units_,
               *c.scratch);
  }

 private:
  // Column sums over chunks of kRowStep rows, chunks in order.
  void bias_gradient(const Ctx& c, Range tile, T* out) const {
    constexpr Index kColumns = 64;
    std::fill_n(out, tile.size(), T(0));
    for (Index j = tile.begin; j < tile.end; j += kColumns) {
      const Index n = std::min(kColumns, tile.end - j);
      for (Index r = 0; r < c.rows; r += kRowStep) {
        T chunk[kColumns] = {};
        for (Index i = r; i < std::min(c.rows, r + kRowStep); ++i) {
          const T* dy = this->d_out(c, i) + j;
          for (Index k = 0; k < n; ++k) chunk[k] += dy[k];
        }
        for (Index k = 0; k < n; ++k) out[j - tile.begin + k] += chunk[k];
      }
    }
  }

  Index inputs_, units_, kernel_, bias_;
  int kernel_tensor_;
};

}  // namespace lamina
