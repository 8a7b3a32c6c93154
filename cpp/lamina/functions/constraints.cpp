#include "lamina/functions/constraints.hpp"

#include <algorithm>
#include <cmath>

namespace lamina {

// Squares are added in double, rows in order: the bits depend on nothing else.
template <class T>
void constrain(const Constraint& constraint, Index rows, Index columns, Index begin, T* w) {
  const Index n = std::min(kConstrainedColumns, columns - begin);
  double squares[kConstrainedColumns] = {};
  for (Index r = 0; r < rows; ++r) {
    T* row = w + r * columns + begin;
    if (constraint.non_negative)
      for (Index j = 0; j < n; ++j) row[j] = row[j] > 0 ? row[j] : T(0);
    for (Index j = 0; j < n; ++j)
      squares[j] += static_cast<double>(row[j]) * static_cast<double>(row[j]);
  }
  T factor[kConstrainedColumns];
  bool all_right = true;
  for (Index j = 0; j < n; ++j) {
    const double norm = std::sqrt(squares[j]);
    const double wanted = std::clamp(norm, constraint.least, constraint.most);
    factor[j] = T(norm > 0 ? wanted / norm : 1);
    all_right = all_right && factor[j] == 1;
  }
  if (all_right) return;
  for (Index r = 0; r < rows; ++r)
    for (Index j = 0; j < n; ++j) w[r * columns + begin + j] *= factor[j];
}

template void constrain<float>(const Constraint&, Index, Index, Index, float*);
template void constrain<double>(const Constraint&, Index, Index, Index, double*);

}  // namespace lamina
