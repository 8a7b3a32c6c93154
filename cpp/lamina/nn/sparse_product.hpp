// A row of a product whose left side is sparse. The contract is product.hpp's, so the bits are
// those of the dense product as long as B is finite: a multiply-add with 0 adds nothing. (But for
// the sign of a zero, where products underflow and C starts from -0.)
#pragma once

#include "lamina/nn/product.hpp"

namespace lamina {

// c = start + the sum of x[i] * (row k[i] of B), k ascending; start null: 0. B and start must be
// readable for a register's length beyond their ends.
template <class T>
struct SparseRow {
  Index count;
  const std::int32_t* k;
  const T* x;
  Operand<T> b;  // no panels
  Index cols;
  const T* start;
  T* c;
};

template <class T>
void sparse_product(const SparseRow<T>& row);

}  // namespace lamina
