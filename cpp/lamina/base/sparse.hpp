// Rows of a CSR matrix, as an ArrayView describes one: the values of row i and their columns are
// entries [starts[i], starts[i + 1]). Read where they lie; whatever changes in them meanwhile, only
// what belongs to the matrix is read, and columns ascend within it.
#pragma once

#include "lamina/base/array.hpp"
#include "lamina/base/parallel.hpp"

namespace lamina {

// Those of array.cpp: what reads sparse rows is compiled for size, which is not for these.
extern template void gather_rows<float>(const ArrayView&, const Selection&, Index, Index, float*,
                                        bool);
extern template void gather_rows<double>(const ArrayView&, const Selection&, Index, Index, double*,
                                         bool);

// The entries of a row.
Range entries_of(const ArrayView& view, Index row);
// The most that any `rows` of its rows have together.
Index most_entries(const ArrayView& view, Index rows);
// The values as one column of an array.
ArrayView values_of(const ArrayView& view);

template <class T>
void read_values(const ArrayView& view, Range entries, T* out);
void read_columns(const ArrayView& view, Range entries, std::int32_t* out);

// Writes rows [begin, end) of a selection as the numbers that they stand for.
template <class T>
void scatter_rows(const ArrayView& view, const Selection& selection, Index begin, Index end,
                  T* out);

struct Place {
  Index row, column;
};
Place place_of(const ArrayView& view, Index entry);

// Refuses rows that do not lie one behind another, and columns that do not ascend or do not exist.
void check_sparse(const std::string& what, const ArrayView& view);

}  // namespace lamina
