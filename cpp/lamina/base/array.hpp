// ArrayView: somebody else's array as it is (any numeric dtype, strides, byte order), read a row at
// a time. The core never copies a data set; it gathers the rows of a batch out of these views.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <type_traits>

#include "lamina/base/error.hpp"
#include "lamina/base/prefetch.hpp"
#include "lamina/base/simd.hpp"

namespace lamina {

enum class DType {
  float32,
  float64,
  float16,
  int8,
  int16,
  int32,
  int64,
  uint8,
  uint16,
  uint32,
  uint64,
  boolean
};

struct ArrayView {
  const void* data = nullptr;
  DType dtype = DType::float32;
  Index rows = 0, columns = 1;
  Index row_stride = 0, column_stride = 0;  // bytes
  bool swapped = false;                     // the other byte order
  bool streamed = false;  // too big to check up front (a memmap): check on the way
  Index first_row = 0;    // what messages call its row 0, of a window of a stream
  // Of a CSR matrix (base/sparse.hpp), whose values `data` then holds, one after another:
  const void *row_starts = nullptr, *places = nullptr;  // of int32, or of int64 where wide
  bool wide_starts = false, wide_places = false;
  Index entries = 0;

  bool empty() const { return data == nullptr; }
  bool sparse() const { return row_starts != nullptr; }
};

// The rows of a selection: row r is row index[r] of an array, or first + r without an index.
struct Selection {
  const std::int64_t* index = nullptr;
  Index first = 0;
  Index rows = 0;
  Index following = 0;  // rows behind these that are likely to be wanted next
  Index source(Index r) const { return index ? index[r] : first + r; }
  // Tells rows of successive selections from one order apart.
  std::uintptr_t place(Index r) const {
    return reinterpret_cast<std::uintptr_t>(index) +
           static_cast<std::uintptr_t>(index ? r * Index{sizeof *index} : first + r);
  }
};

// Does the array lie column by column (Fortran order), so that a row is all over the memory?
inline bool by_columns(const ArrayView& view) {
  return view.columns > 1 && std::abs(view.row_stride) < std::abs(view.column_stride);
}

// How many rows ahead to ask for one of `bytes`, where a selection may jump about in more memory
// than any cache holds.
inline Index rows_ahead(const Selection& selection, Index bytes, bool asked_for) {
  constexpr Index kAheadBytes = 2048;
  return selection.index && bytes > 0 && !asked_for ? 1 + kAheadBytes / (bytes + 64) : 0;
}

// As gather_rows(), for every view: float, double and int32.
template <class T>
void gather_any(const ArrayView& view, const Selection& selection, Index begin, Index end, T* out,
                bool asked_for);

// Copies rows [begin, end) of a selection into out, one after another, converting. Unless they have
// been asked for, rows a few places ahead are.
template <class T>
void gather_rows(const ArrayView& view, const Selection& selection, Index begin, Index end, T* out,
                 bool asked_for = false) {
  constexpr bool floats = std::is_floating_point_v<T>;
  constexpr DType same = sizeof(T) == 4 ? DType::float32 : DType::float64;
  if (!floats || view.dtype != same || view.column_stride != sizeof(T) || view.swapped)
    return gather_any(view, selection, begin, end, out, asked_for);
  const Index n = view.columns, bytes = n * static_cast<Index>(sizeof(T));
  const Index ahead = rows_ahead(selection, bytes, asked_for);
  const auto* data = static_cast<const std::byte*>(view.data);
  for (Index r = begin; r < end; ++r, out += n) {
    if (ahead > 0 && r + ahead < end)
      prefetch_bytes(data + selection.source(r + ahead) * view.row_stride, bytes);
    const std::byte* p = data + selection.source(r) * view.row_stride;
    // In registers here: a call for each short row would cost as much as the copy.
    constexpr Index w = Vec<T>::size;
    Index j = 0;
    if (reinterpret_cast<std::uintptr_t>(p) % alignof(T) == 0)
      for (; j + w <= n; j += w) Vec<T>::load(reinterpret_cast<const T*>(p) + j).store(out + j);
    std::memcpy(out + j, p + j * static_cast<Index>(sizeof(T)),
                static_cast<std::size_t>(n - j) * sizeof(T));
  }
}

// The rows that the next step will gather, asked for a few lines at a time while this one computes:
// all at once they would wait for each other.
class RowsAhead {
 public:
  RowsAhead() = default;
  // Rows [begin, end) of a selection, of which it knows rows + following.
  RowsAhead(const ArrayView& view, const Selection& selection, Index begin, Index end)
      : data_(static_cast<const char*>(view.data)),
        selection_(selection),
        row_stride_(view.row_stride),
        bytes_(std::max<Index>(1, view.column_stride * view.columns)),
        first_(begin),
        row_(begin),
        end_(by_columns(view) ? begin : std::min(end, selection.rows + selection.following)) {}

  Index bytes() const { return (end_ - row_) * bytes_; }

  void go_on() {
    Index lines = kLines;
    for (; lines > 0 && row_ < end_; ++row_, at_ = 0) {
      const char* row = data_ + selection_.source(row_) * row_stride_;
      const Index bytes = bytes_ + offset_in_line(row);
      Index at = at_;
      for (; at < bytes && lines > 0; at += kLine, --lines) prefetch_near(row + at);
      if (at < bytes) {
        at_ = at;
        return;
      }
    }
  }

  // Have these rows been asked for?
  bool reached(const ArrayView& view, const Selection& selection, Index begin, Index end) const {
    return view.data == data_ && selection.place(begin) >= selection_.place(first_) &&
           selection.place(end) <= selection_.place(row_);
  }

 private:
  static constexpr int kLines = 8;
  const char* data_ = nullptr;
  Selection selection_;
  Index row_stride_ = 0, bytes_ = 1, first_ = 0, row_ = 0, end_ = 0, at_ = 0;
};

// Copies row `row` of the view into out[0..columns), converting.
template <class T>
void gather_row(const ArrayView& view, Index row, T* out) {
  gather_rows(view, Selection{nullptr, row, 1}, 0, 1, out);
}

double read_element(const ArrayView& view, Index row, Index column);

}  // namespace lamina
