// ArrayView: somebody else's array as it is (any numeric dtype, strides, byte order), read a row at
// a time. The core never copies a data set; it gathers the rows of a batch out of these views.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>

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

  bool empty() const { return data == nullptr; }
};

namespace detail {

inline float half_to_float(std::uint16_t h) {
  const std::uint32_t sign = static_cast<std::uint32_t>(h & 0x8000u) << 16;
  const std::uint32_t exponent = (h >> 10) & 31u;
  std::uint32_t mantissa = h & 1023u;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7F800000u | (mantissa << 13));
  if (exponent == 0) {
    const float magnitude = static_cast<float>(mantissa) * 0x1.0p-24f;
    return sign ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
}

template <class S>
S read(const std::byte* p, bool swapped) {
  std::byte raw[sizeof(S)];
  if (swapped) {
    for (std::size_t i = 0; i < sizeof(S); ++i) raw[i] = p[sizeof(S) - 1 - i];
  } else {
    std::memcpy(raw, p, sizeof(S));
  }
  S value;
  std::memcpy(&value, raw, sizeof(S));
  return value;
}

template <class S, class T>
void copy_row(const std::byte* p, Index n, Index stride, bool swapped, T* out) {
  if constexpr (std::is_same_v<S, T> && std::is_floating_point_v<T>) {
    if (stride == sizeof(T) && !swapped) {
      // In registers here: a call for each short row would cost as much as the copy.
      constexpr Index w = Vec<T>::size;
      Index j = 0;
      if (reinterpret_cast<std::uintptr_t>(p) % alignof(T) == 0)
        for (; j + w <= n; j += w) Vec<T>::load(reinterpret_cast<const T*>(p) + j).store(out + j);
      std::memcpy(out + j, p + j * stride, static_cast<std::size_t>(n - j) * sizeof(T));
      return;
    }
  }
  if (n == 1) {  // a target
    *out = static_cast<T>(read<S>(p, swapped));
    return;
  }
  if (stride == sizeof(S) && !swapped && reinterpret_cast<std::uintptr_t>(p) % alignof(S) == 0) {
    const S* in = reinterpret_cast<const S*>(p);
    for (Index j = 0; j < n; ++j) out[j] = static_cast<T>(in[j]);
    return;
  }
  for (Index j = 0; j < n; ++j) out[j] = static_cast<T>(read<S>(p + j * stride, swapped));
}

struct Half {};

// Calls f(S()) with the scalar type of a dtype; float16 comes as Half.
template <class F>
void with_scalar(DType dtype, F&& f) {
  switch (dtype) {
    case DType::float32:
      return f(float());
    case DType::float64:
      return f(double());
    case DType::int8:
      return f(std::int8_t());
    case DType::int16:
      return f(std::int16_t());
    case DType::int32:
      return f(std::int32_t());
    case DType::int64:
      return f(std::int64_t());
    case DType::boolean:
    case DType::uint8:
      return f(std::uint8_t());
    case DType::uint16:
      return f(std::uint16_t());
    case DType::uint32:
      return f(std::uint32_t());
    case DType::uint64:
      return f(std::uint64_t());
    case DType::float16:
      return f(Half());
  }
}
}  // namespace detail

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

// Copies rows [begin, end) of a selection into out, one after another, converting. Unless they have
// been asked for, rows a few places ahead are: the selection may jump about in more memory than any
// cache holds.
template <class T>
void gather_rows(const ArrayView& view, const Selection& selection, Index begin, Index end, T* out,
                 bool asked_for = false) {
  constexpr Index kAheadBytes = 2048;
  const auto* data = static_cast<const std::byte*>(view.data);
  const Index n = view.columns, stride = view.column_stride;
  const bool swapped = view.swapped;
  detail::with_scalar(view.dtype, [&]<class S>(S) {
    const Index bytes = stride * (n - 1) + static_cast<Index>(sizeof(S));
    const bool ask = selection.index && bytes > 0 && !asked_for;
    const Index ahead = ask ? 1 + kAheadBytes / (bytes + 64) : 0;
    for (Index r = begin; r < end; ++r, out += n) {
      if (ahead > 0 && r + ahead < end)
        prefetch_bytes(data + selection.source(r + ahead) * view.row_stride, bytes);
      const std::byte* p = data + selection.source(r) * view.row_stride;
      if constexpr (std::is_same_v<S, detail::Half>) {
        for (Index j = 0; j < n; ++j)
          out[j] = static_cast<T>(
              detail::half_to_float(detail::read<std::uint16_t>(p + j * stride, swapped)));
      } else {
        detail::copy_row<S>(p, n, stride, swapped, out);
      }
    }
  });
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
        end_(std::min(end, selection.rows + selection.following)) {}

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
