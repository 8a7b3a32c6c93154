// y = table[code], the columns' vectors side by side: a learned vector for each category of each
// column of an integer input. In NumPy: np.hstack([table[c] for table, c in zip(tables, codes.T)]).
#pragma once

#include "lamina/nn/op.hpp"

namespace lamina {

// One column's.
struct EmbeddingTable {
  int tensor = 0;
  Index offset = 0, width = 0;
};

template <class T>
class EmbeddingOp : public Op<T> {
 public:
  using typename Op<T>::Ctx;
  // The tables' tensors follow each other.
  explicit EmbeddingOp(const std::vector<EmbeddingTable>& tables) : tables_(tables) {
    this->kind = "embedding";
    for (const EmbeddingTable& table : tables) this->tensors.push_back(table.tensor);
  }

  void forward(const Ctx& c, Range rows) const override;
  void backward(const Ctx&, Range, const std::vector<bool>&) const override {
  }  // codes have no gradient
  void parameter_gradient(const Ctx& c, int tensor, Range tile, T* out) const override;

 private:
  const std::int32_t* codes(const Ctx& c, std::size_t column, Index row) const {
    return c.codes[this->inputs[0].id].column(static_cast<Index>(column), row);
  }

  std::vector<EmbeddingTable> tables_;
};

}  // namespace lamina
