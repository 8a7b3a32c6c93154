#include "lamina/nn/inputs.hpp"

#include <algorithm>
#include <cmath>

#include "lamina/base/sparse.hpp"

namespace lamina {
namespace {

// Of rows at a time; limits are repeated for each, so that any number of columns fills registers.
constexpr Index kNumbers = 1024;

bool is_code(std::int32_t code, std::int32_t limit) {
  return static_cast<std::uint32_t>(code) < static_cast<std::uint32_t>(limit);
}
bool is_code(double code, double limit) {
  return (code >= 0) & (code < limit) & (code == std::floor(code));
}

// The place of the first of n numbers that is no code, or -1.
template <class S>
Index first_bad(Index n, const S* x, const S* limits) {
  Index bad = 0;  // counted without a branch at first
  for (Index i = 0; i < n; ++i) bad += !is_code(x[i], limits[i]);
  if (bad == 0) return -1;
  for (Index i = 0; i < n; ++i)
    if (!is_code(x[i], limits[i])) return i;
  return -1;  // somebody has changed it since
}

bool is_plain(const ArrayView& v) {
  return v.dtype == DType::int32 && v.row_stride == 4 * v.columns &&
         (v.column_stride == 4 || v.columns == 1) && !v.swapped &&
         reinterpret_cast<std::uintptr_t>(v.data) % alignof(std::int32_t) == 0;
}

[[noreturn]] void refuse(const Port& port, const ArrayView& view, Index row, Index column) {
  const double code = read_element(view, row, column);
  fail(port.name, ": code ", std::isnan(code) ? std::string("NaN") : concat(code), " in row ",
       view.first_row + row, ", column ", column, " is not a whole number in 0 ... ",
       port.cardinalities[static_cast<std::size_t>(column)] - 1,
       "; 0 stands for missing or unseen");
}

// rows_from(first row, rows): as S, one row after another.
template <class S, class F>
void check(const Port& port, const ArrayView& view, F&& rows_from) {
  const Index n = view.columns;
  const Index at_a_time = std::min(view.rows, std::max<Index>(1, kNumbers / n));
  SmallBuffer<S, kNumbers> limits(at_a_time * n);
  for (Index i = 0; i < at_a_time * n; ++i)
    limits[i] = static_cast<S>(port.cardinalities[static_cast<std::size_t>(i % n)]);
  for (Index r = 0; r < view.rows; r += at_a_time) {
    const Index rows = std::min(at_a_time, view.rows - r);
    const Index bad = first_bad(rows * n, rows_from(r, rows), limits.data());
    if (bad >= 0) refuse(port, view, r + bad / n, bad % n);
  }
}

void check_codes(const Port& port, const ArrayView& view) {
  const Index n = view.columns;
  if (view.rows == 0) return;
  if (is_plain(view)) {
    const auto* codes = static_cast<const std::int32_t*>(view.data);
    return check<std::int32_t>(port, view, [&](Index r, Index) { return codes + r * n; });
  }
  SmallBuffer<double, kNumbers> copy(std::min(view.rows, std::max<Index>(1, kNumbers / n)) * n);
  check<double>(port, view, [&](Index r, Index rows) {
    gather_rows(view, Selection{nullptr, 0, view.rows}, r, r + rows, copy.data());
    return copy.data();
  });
}

}  // namespace

Index check_inputs(const Graph& graph, std::span<const ArrayView> inputs) {
  const auto& ports = graph.ports;
  require(inputs.size() == ports.size(), "the model has ", ports.size(), " inputs, got ",
          inputs.size());
  for (std::size_t p = 0; p < ports.size(); ++p) {
    require(inputs[p].columns == ports[p].value.width, ports[p].name, ": expected ",
            ports[p].value.width, " columns, got ", inputs[p].columns);
    require(inputs[p].rows == inputs[0].rows, "inputs have ", inputs[0].rows, " and ",
            inputs[p].rows, " rows");
  }
  return inputs[0].rows;
}

void check_codes(const Graph& graph, std::span<const ArrayView> inputs) {
  for (std::size_t p = 0; p < graph.ports.size(); ++p) {
    const Port& port = graph.ports[p];
    require(!inputs[p].sparse() || !port.codes, port.name,
            ": expected category codes in a dense array, got a sparse matrix");
    if (inputs[p].sparse()) check_sparse(port.name, inputs[p]);
    if (port.codes) check_codes(port, inputs[p]);
  }
}

}  // namespace lamina
