// y = f(x), elementwise or along rows.
#pragma once

#include "lamina/functions/activations.hpp"
#include "lamina/nn/op.hpp"

namespace lamina {

template <class T>
class ActivationOp : public Op<T> {
 public:
  using typename Op<T>::Ctx;
  explicit ActivationOp(const Choice& f) : choice(f), kernels_(activation_kernels<T>(f.index)) {
    this->kind = Activations::infos()[static_cast<std::size_t>(choice.index)].name;
    this->flags.needs_inputs = kernels_.needs == Needs::input;
    this->flags.needs_output = kernels_.needs == Needs::output;
    this->flags.in_place = kernels_.needs != Needs::input;
  }

  void forward(const Ctx& c, Range rows) const override {
    kernels_.forward(choice.parameters.data(), rows.size(), this->output.width,
                     this->in(c, rows.begin), this->out(c, rows.begin));
  }

  void backward(const Ctx& c, Range rows, const std::vector<bool>& add) const override {
    T* dx = this->d_in(c, rows.begin);
    if (!dx) return;
    const T* dy = this->d_out(c, rows.begin);
    const T* x = this->flags.needs_inputs ? this->in(c, rows.begin) : nullptr;
    const T* y = this->flags.needs_output ? this->out(c, rows.begin) : dy;
    const Index n = this->output.width;
    if (!add[0]) return kernels_.backward(choice.parameters.data(), rows.size(), n, x, y, dy, dx);
    // A value with several consumers: add a row at a time through the thread's scratch.
    c.scratch->a.reserve(n);
    T* row = c.scratch->a.data();
    for (Index r = 0; r < rows.size(); ++r) {
      kernels_.backward(choice.parameters.data(), 1, n, x ? x + r * n : nullptr, y + r * n,
                        dy + r * n, row);
      for (Index j = 0; j < n; ++j) dx[r * n + j] += row[j];
    }
  }

  const Choice choice;

 private:
  const ActivationKernels<T>& kernels_;
};

}  // namespace lamina
