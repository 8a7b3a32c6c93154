// What a batch must be: so many arrays, of so many columns, and category codes below the number of
// codes of their column.
#pragma once

#include <span>

#include "lamina/base/array.hpp"
#include "lamina/nn/op.hpp"

namespace lamina {

// Checks number and widths of the inputs; returns their rows.
Index check_inputs(const Graph& graph, std::span<const ArrayView> inputs);
// Of inputs that have passed: raises for the first code (by row, then column) that is none.
void check_codes(const Graph& graph, std::span<const ArrayView> inputs);

}  // namespace lamina
