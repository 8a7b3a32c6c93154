// y = table[code]: a learned vector for each category of an integer input.
#pragma once

#include <algorithm>

#include "lamina/nn/op.hpp"

namespace lamina {

template <class T>
class EmbeddingOp : public Op<T> {
 public:
  using typename Op<T>::Ctx;
  EmbeddingOp(int table, const Tensor& t) : table_(t.offset), width_(t.shape[1]) {
    this->kind = "embedding";
    this->tensors = {table};
  }

  void forward(const Ctx& c, Range rows) const override {
    for (Index r = rows.begin; r < rows.end; ++r)
      std::copy_n(c.parameters + table_ + code(c, r) * width_, width_, this->out(c, r));
  }

  void backward(const Ctx&, Range, const std::vector<bool>&) const override {
  }  // codes have no gradient

  // Rows add in order, so the sum's bits do not depend on tiles.
  void parameter_gradient(const Ctx& c, int, Range tile, T* out) const override {
    std::fill_n(out, tile.size() * width_, T(0));
    for (Index r = 0; r < c.rows; ++r) {
      const Index k = code(c, r);
      if (k < tile.begin || k >= tile.end) continue;
      const T* dy = this->d_out(c, r);
      T* sum = out + (k - tile.begin) * width_;
      for (Index j = 0; j < width_; ++j) sum[j] += dy[j];
    }
  }

 private:
  Index code(const Ctx& c, Index row) const { return c.codes[this->inputs[0].id].at(row); }
  Index table_, width_;
};

}  // namespace lamina
