// Each column of codes as columns of 0 and 1, side by side.
#pragma once

#include "lamina/nn/op.hpp"

namespace lamina {

template <class T>
class OneHotOp : public Op<T> {
 public:
  using typename Op<T>::Ctx;
  // By column of codes: where its code 1 stands in the output. `missing`: code 0 stands before it.
  OneHotOp(const std::vector<Index>& places, bool missing) : places_(places), missing_(missing) {
    this->kind = "one_hot";
  }

  void forward(const Ctx& c, Range rows) const override;
  void backward(const Ctx&, Range, const std::vector<bool>&) const override {
  }  // codes have no gradient

 private:
  std::vector<Index> places_;
  bool missing_;
};

}  // namespace lamina
