#include "lamina/base/sparse.hpp"

#include <algorithm>

namespace lamina {
namespace {

Index number_at(const void* numbers, bool wide, Index i) {
  return wide ? static_cast<const std::int64_t*>(numbers)[i]
              : Index{static_cast<const std::int32_t*>(numbers)[i]};
}

Index start(const ArrayView& view, Index row) {
  return number_at(view.row_starts, view.wide_starts, row);
}

// Within the matrix, whatever its starts are by now.
Range between_starts(const ArrayView& view, Index row) {
  const Index begin = std::clamp<Index>(start(view, row), 0, view.entries);
  return {begin, std::clamp(start(view, row + 1), begin, view.entries)};
}

// The place of the first of n columns that does not lie behind the one before it, or not in the
// matrix; n if there is none.
template <class I>
Index first_bad(const I* columns, Index n, Index width) {
  Index before = -1, bad = 0;  // counted without a branch at first
  for (Index i = 0; i < n; ++i) {
    bad += columns[i] <= before;
    before = columns[i];
  }
  if (bad == 0 && before < width) return n;
  before = -1;
  Index i = 0;
  for (; i < n; before = columns[i++])
    if (columns[i] <= before || columns[i] >= width) break;
  return i;  // n if somebody has changed it since
}

[[noreturn]] void refuse_column(const std::string& what, const ArrayView& view, Index row,
                                Index entry) {
  const Index column = number_at(view.places, view.wide_places, entry);
  require(column >= 0 && column < view.columns, what, ": column ", column, " in row ",
          view.first_row + row, " is not in 0 ... ", view.columns - 1);
  fail(what, ": the columns of row ", view.first_row + row, " do not ascend (", column,
       " comes behind ", number_at(view.places, view.wide_places, std::max<Index>(0, entry - 1)),
       "): call X.sum_duplicates() first");
}

}  // namespace

Range entries_of(const ArrayView& view, Index row) {
  const Range all = between_starts(view, row);
  return {all.begin, std::min(all.end, all.begin + view.columns)};
}

Index most_entries(const ArrayView& view, Index rows) {
  if (view.rows <= rows) return view.entries;
  std::vector<Index> rows_of;  // by number of entries
  for (Index r = 0; r < view.rows; ++r) {
    const auto n = static_cast<std::size_t>(entries_of(view, r).size());
    if (n >= rows_of.size()) rows_of.resize(n + 1);
    ++rows_of[n];
  }
  Index sum = 0;
  for (auto n = static_cast<Index>(rows_of.size()) - 1; n > 0 && rows > 0; --n) {
    const Index taken = std::min(rows, rows_of[static_cast<std::size_t>(n)]);
    sum += taken * n;
    rows -= taken;
  }
  return sum;
}

ArrayView values_of(const ArrayView& view) {
  ArrayView out = view;
  out.row_starts = out.places = nullptr;
  out.rows = view.entries;
  out.columns = 1;
  out.row_stride = view.column_stride;
  return out;
}

template <class T>
void read_values(const ArrayView& view, Range entries, T* out) {
  if (entries.size() == 0) return;
  ArrayView row = values_of(view);
  row.data = static_cast<const std::byte*>(view.data) + entries.begin * view.column_stride;
  row.rows = 1;
  row.columns = entries.size();
  gather_row(row, 0, out);
}

void read_columns(const ArrayView& view, Range entries, std::int32_t* out) {
  Index least = 0;
  const Index most = view.columns - 1;
  for (Index i = entries.begin; i < entries.end; ++i, ++out) {
    least = std::clamp(number_at(view.places, view.wide_places, i), least, most);
    *out = static_cast<std::int32_t>(least);
  }
}

template <class T>
void scatter_rows(const ArrayView& view, const Selection& selection, Index begin, Index end,
                  T* out) {
  constexpr Index kSome = 64;
  T values[kSome];
  std::int32_t columns[kSome];
  std::fill_n(out, (end - begin) * view.columns, T(0));
  for (Index r = begin; r < end; ++r, out += view.columns) {
    const Range all = entries_of(view, selection.source(r));
    for (Index i = all.begin; i < all.end; i += kSome) {
      const Range some{i, std::min(all.end, i + kSome)};
      read_values(view, some, values);
      read_columns(view, some, columns);
      for (Index k = 0; k < some.size(); ++k) out[columns[k]] = values[k];
    }
  }
}

Place place_of(const ArrayView& view, Index entry) {
  Index row = 0, end = view.rows;  // the last row that begins at the entry or before
  while (end - row > 1) {
    const Index middle = (row + end) / 2;
    (start(view, middle) <= entry ? row : end) = middle;
  }
  return {row, number_at(view.places, view.wide_places, entry)};
}

void check_sparse(const std::string& what, const ArrayView& view) {
  require(start(view, 0) == 0, what, ": indptr must begin with 0, got ", start(view, 0));
  for (Index r = 0; r < view.rows; ++r) {
    const Index begin = start(view, r), end = start(view, r + 1);
    require(begin <= end && end <= view.entries, what, ": indptr must ascend from 0 to at most ",
            view.entries, ", got ", begin, " and ", end, " at row ", view.first_row + r);
  }
  for (Index r = 0; r < view.rows; ++r) {
    const auto [begin, end] = between_starts(view, r);
    const Index bad = view.wide_places
                          ? first_bad(static_cast<const std::int64_t*>(view.places) + begin,
                                      end - begin, view.columns)
                          : first_bad(static_cast<const std::int32_t*>(view.places) + begin,
                                      end - begin, view.columns);
    if (bad < end - begin) refuse_column(what, view, r, begin + bad);
  }
}

template void read_values<float>(const ArrayView&, Range, float*);
template void read_values<double>(const ArrayView&, Range, double*);
template void scatter_rows<float>(const ArrayView&, const Selection&, Index, Index, float*);
template void scatter_rows<double>(const ArrayView&, const Selection&, Index, Index, double*);

}  // namespace lamina
