#include "lamina/base/array.hpp"

namespace lamina {

double read_element(const ArrayView& view, Index row, Index column) {
  ArrayView one = view;
  one.data = static_cast<const std::byte*>(view.data) + column * view.column_stride;
  one.columns = 1;
  double value = 0;
  gather_row(one, row, &value);
  return value;
}

}  // namespace lamina
