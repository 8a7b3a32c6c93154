#include "lamina/nn/ops/one_hot_op.hpp"

#include <algorithm>

namespace lamina {

template <class T>
void OneHotOp<T>::forward(const Ctx& c, Range rows) const {
  std::fill_n(this->out(c, rows.begin), rows.size() * this->output.width, T(0));
  for (std::size_t j = 0; j < places_.size(); ++j) {
    const std::int32_t* code =
        c.codes[this->inputs[0].id].column(static_cast<Index>(j), rows.begin);
    for (Index r = 0; r < rows.size(); ++r)
      if (code[r] > 0 || missing_) this->out(c, rows.begin + r)[places_[j] + code[r] - 1] = T(1);
  }
}

template class OneHotOp<float>;
template class OneHotOp<double>;

}  // namespace lamina
