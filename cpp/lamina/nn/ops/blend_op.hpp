// A learned activation: the function f blended with its input, alpha learned for each unit.
#pragma once

#include <algorithm>

#include "lamina/functions/activations.hpp"
#include "lamina/nn/op.hpp"

namespace lamina {

template <class T>
class BlendOp : public Op<T> {
 public:
  using typename Op<T>::Ctx;
  BlendOp(const Blend& what, int alpha, Index offset)
      : blend_(what),
        kernels_(activation_kernels<T>(what.function.index)),
        row_wise_(is_row_wise(what.function)),
        alpha_(offset) {
    this->kind = "blend";
    this->flags.needs_inputs = true;
    this->tensors = {alpha};
  }

  void forward(const Ctx& c, Range rows) const override {
    const Index n = this->output.width;
    const T* x = this->in(c, rows.begin);
    T* y = this->out(c, rows.begin);
    kernels_.forward(parameters(), rows.size(), n, x, y);
    for (Index r = 0; r < rows.size(); ++r)
      blend(blend_.of_input, n, c.parameters + alpha_, x + r * n, y + r * n, y + r * n);
  }

  void backward(const Ctx& c, Range rows, const std::vector<bool>& add) const override {
    if (!this->d_in(c, rows.begin)) return;
    const Index n = this->output.width;
    T *f = scratch(c, 2 * n), *share = f + n;
    for (Index r = rows.begin; r < rows.end; ++r) {
      const T *x = this->in(c, r), *dy = this->d_out(c, r);
      T* dx = this->d_in(c, r);
      kernels_.forward(parameters(), 1, n, x, f);
      if (row_wise_) {  // an output's share goes to all inputs of the row
        const T* alpha = c.parameters + alpha_;
        for (Index j = 0; j < n; ++j)
          share[j] = (blend_.of_input ? T(1) - alpha[j] : alpha[j]) * dy[j];
        kernels_.backward(parameters(), 1, n, x, f, share, f);
        for (Index j = 0; j < n; ++j) f[j] += dy[j] - share[j];
        if (!add[0]) std::copy_n(f, n, dx);
      } else {
        kernels_.backward(parameters(), 1, n, x, f, dy, f);
        blend(blend_.of_input, n, c.parameters + alpha_, dy, f, add[0] ? f : dx);
      }
      if (add[0])
        for (Index j = 0; j < n; ++j) dx[j] += f[j];
    }
  }

  // sum over rows of dy (f(x) - x), or of_input dy (x - f(x)): chunks of kRowStep rows in order.
  void parameter_gradient(const Ctx& c, int, Range tile, T* out) const override {
    const Index n = this->output.width;
    T *f = scratch(c, 2 * n), *chunk = f + n;
    std::fill_n(out, tile.size(), T(0));
    for (Index r = 0; r < c.rows; r += kRowStep) {
      std::fill_n(chunk, n, T(0));
      for (Index i = r; i < std::min(c.rows, r + kRowStep); ++i) {
        const T *x = this->in(c, i), *dy = this->d_out(c, i);
        kernels_.forward(parameters(), 1, n, x, f);
        for (Index j = tile.begin; j < tile.end; ++j)
          chunk[j] += dy[j] * (blend_.of_input ? x[j] - f[j] : f[j] - x[j]);
      }
      for (Index j = tile.begin; j < tile.end; ++j) out[j - tile.begin] += chunk[j];
    }
  }

 private:
  const double* parameters() const { return blend_.function.parameters.data(); }
  T* scratch(const Ctx& c, Index size) const {
    c.scratch->a.reserve(size);
    return c.scratch->a.data();
  }

  Blend blend_;
  const ActivationKernels<T>& kernels_;
  bool row_wise_;
  Index alpha_;
};

}  // namespace lamina
