// ArrayView: somebody else's array as it is (any numeric dtype, strides, byte order), read a row at
// a time. The core never copies a data set; it gathers the rows of a batch out of these views.
#pragma once

#include <bit>
#include <cstring>
#include <limits>

#include "lamina/base/error.hpp"

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
  if constexpr (std::is_same_v<S, T>) {
    if (stride == sizeof(T) && !swapped) {
      std::memcpy(out, p, static_cast<std::size_t>(n) * sizeof(T));
      return;
    }
  }
  if (stride == sizeof(S) && !swapped && reinterpret_cast<std::uintptr_t>(p) % alignof(S) == 0) {
    const S* in = reinterpret_cast<const S*>(p);
    for (Index j = 0; j < n; ++j) out[j] = static_cast<T>(in[j]);
    return;
  }
  for (Index j = 0; j < n; ++j) out[j] = static_cast<T>(read<S>(p + j * stride, swapped));
}

}  // namespace detail

// Copies row `row` of the view into out[0..columns), converting.
template <class T>
void gather_row(const ArrayView& view, Index row, T* out) {
  const auto* p = static_cast<const std::byte*>(view.data) + row * view.row_stride;
  const Index n = view.columns, stride = view.column_stride;
  const bool swapped = view.swapped;
  switch (view.dtype) {
    case DType::float32:
      return detail::copy_row<float>(p, n, stride, swapped, out);
    case DType::float64:
      return detail::copy_row<double>(p, n, stride, swapped, out);
    case DType::int8:
      return detail::copy_row<std::int8_t>(p, n, stride, swapped, out);
    case DType::int16:
      return detail::copy_row<std::int16_t>(p, n, stride, swapped, out);
    case DType::int32:
      return detail::copy_row<std::int32_t>(p, n, stride, swapped, out);
    case DType::int64:
      return detail::copy_row<std::int64_t>(p, n, stride, swapped, out);
    case DType::boolean:
    case DType::uint8:
      return detail::copy_row<std::uint8_t>(p, n, stride, swapped, out);
    case DType::uint16:
      return detail::copy_row<std::uint16_t>(p, n, stride, swapped, out);
    case DType::uint32:
      return detail::copy_row<std::uint32_t>(p, n, stride, swapped, out);
    case DType::uint64:
      return detail::copy_row<std::uint64_t>(p, n, stride, swapped, out);
    case DType::float16:
      for (Index j = 0; j < n; ++j)
        out[j] = static_cast<T>(
            detail::half_to_float(detail::read<std::uint16_t>(p + j * stride, swapped)));
      return;
  }
}

inline double read_element(const ArrayView& view, Index row, Index column) {
  ArrayView one = view;
  one.data = static_cast<const std::byte*>(view.data) + column * view.column_stride;
  one.columns = 1;
  double value = 0;
  gather_row(one, row, &value);
  return value;
}

}  // namespace lamina
