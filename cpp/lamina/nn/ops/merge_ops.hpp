// Where branches meet: the sum of several values, or their columns side by side.
#pragma once

#include <algorithm>

#include "lamina/nn/op.hpp"

namespace lamina {

template <class T>
class AddOp : public Op<T> {
 public:
  using typename Op<T>::Ctx;
  AddOp() { this->kind = "add"; }

  void forward(const Ctx& c, Range rows) const override {
    const Index n = rows.size() * this->output.width;
    T* y = this->out(c, rows.begin);
    std::copy_n(this->in(c, rows.begin, 0), n, y);
    for (std::size_t i = 1; i < this->inputs.size(); ++i) {
      const T* x = this->in(c, rows.begin, static_cast<int>(i));
      for (Index j = 0; j < n; ++j) y[j] += x[j];
    }
  }

  void backward(const Ctx& c, Range rows, const std::vector<bool>& add) const override {
    const Index n = rows.size() * this->output.width;
    const T* dy = this->d_out(c, rows.begin);
    for (std::size_t i = 0; i < this->inputs.size(); ++i) {
      T* dx = this->d_in(c, rows.begin, static_cast<int>(i));
      if (!dx) continue;
      for (Index j = 0; j < n; ++j) dx[j] = add[i] ? dx[j] + dy[j] : dy[j];
    }
  }
};

template <class T>
class ConcatOp : public Op<T> {
 public:
  using typename Op<T>::Ctx;
  ConcatOp() { this->kind = "concat"; }

  void forward(const Ctx& c, Range rows) const override {
    for (Index r = rows.begin; r < rows.end; ++r) {
      T* y = this->out(c, r);
      for (std::size_t i = 0; i < this->inputs.size(); ++i)
        y = std::copy_n(this->in(c, r, static_cast<int>(i)), this->inputs[i].width, y);
    }
  }

  void backward(const Ctx& c, Range rows, const std::vector<bool>& add) const override {
    for (Index r = rows.begin; r < rows.end; ++r) {
      const T* dy = this->d_out(c, r);
      for (std::size_t i = 0; i < this->inputs.size(); dy += this->inputs[i].width, ++i) {
        T* dx = this->d_in(c, r, static_cast<int>(i));
        if (!dx) continue;
        for (Index j = 0; j < this->inputs[i].width; ++j) dx[j] = add[i] ? dx[j] + dy[j] : dy[j];
      }
    }
  }
};

}  // namespace lamina
