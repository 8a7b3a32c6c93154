// Preprocessing that works column by column on what it has learned of the data: computed in double,
// whether it reads an input port in double or what another layer made in T.
#pragma once

#include <algorithm>
#include <cmath>

#include "lamina/nn/columns.hpp"

namespace lamina {

// A number a column in two tensors of the model's type: rounded, and the rest. In float32 that
// keeps 48 bits, those of a timestamp.
struct Centre {
  Index rounded = 0, rest = 0;  // offsets
  template <class T>
  double at(const T* parameters, Index j) const {
    return static_cast<double>(parameters[rounded + j]) + static_cast<double>(parameters[rest + j]);
  }
  template <class T>
  void set(T* parameters, Index j, double value) const {
    parameters[rounded + j] = T(value);
    parameters[rest + j] = T(value - static_cast<double>(T(value)));
  }
};

// Self::compute(parameters, x, y): a row of S in, a row of D out.
template <class T, class Self>
class PreprocessOp : public Op<T> {
 public:
  using typename Op<T>::Ctx;
  PreprocessOp(Index width, bool adapts) : n_(width) {
    this->flags.reads_wide = true;
    this->flags.adapts = adapts;
  }

  void forward(const Ctx& c, Range rows) const override {
    const Rows<double>& from = c.wide[this->inputs[0].id];
    const Rows<double>& to = c.wide[this->output.id];
    const Rows<T>& narrow = c.values[this->output.id];
    for (Index r = rows.begin; r < rows.end; ++r) {
      double* wide = to.data ? to.row(r) : nullptr;
      T* y = narrow.data ? narrow.row(r) : nullptr;
      if (r >= c.rows)  // padding stays rows of zeros: a centre may be far from 0
        fill(wide, y);
      else if (!from.data)
        self().compute(c.parameters, this->in(c, r), y);
      else if (!wide)
        self().compute(c.parameters, from.row(r), y);
      else
        both(c.parameters, from.row(r), wide, y);
    }
  }

 protected:
  Index columns() const { return n_; }

 private:
  const Self& self() const { return static_cast<const Self&>(*this); }
  void both(const T* parameters, const double* x, double* wide, T* y) const {
    self().compute(parameters, x, wide);
    for (Index j = 0; y && j < this->output.width; ++j) y[j] = static_cast<T>(wide[j]);
  }
  void fill(double* wide, T* y) const {
    if (wide) std::fill_n(wide, this->output.width, 0.0);
    if (y) std::fill_n(y, this->output.width, T(0));
  }
  Index n_;
};

}  // namespace lamina
