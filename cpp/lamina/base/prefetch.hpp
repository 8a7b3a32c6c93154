// Prefetch: memory that will be needed soon, asked for a line at a time while something else is
// computed.
#pragma once

#include <algorithm>
#include <cstdint>

#include "lamina/base/error.hpp"

namespace lamina {

inline constexpr Index kLine = 64;  // bytes

// How far an address lies behind its line's beginning: so much more is to be asked for.
inline Index offset_in_line(const void* address) {
  return static_cast<Index>(reinterpret_cast<std::uintptr_t>(address) % kLine);
}

// Brings the line at `address` into the second-level cache.
inline void prefetch_line([[maybe_unused]] const char* address) {
#if defined(__GNUC__)
  __builtin_prefetch(address, 0, 2);
#endif
}

// Into the first-level cache.
inline void prefetch_near([[maybe_unused]] const char* address) {
#if defined(__GNUC__)
  __builtin_prefetch(address, 0, 3);
#endif
}

// The first 4 KiB of a run of bytes; the processor sees by itself how a longer walk goes on.
inline void prefetch_bytes(const void* data, Index bytes) {
  const char* from = static_cast<const char*>(data);
  bytes = std::min<Index>(bytes + offset_in_line(data), 4096);
  for (Index i = 0; i < bytes; i += kLine) prefetch_line(from + i);
}

// A matrix that is asked for in walks.
class Prefetch {
 public:
  // Addresses from, from + step, ...
  struct Walk {
    const char* from;
    Index step;  // bytes
  };

  Prefetch() = default;
  // A matrix; `stride` elements between its rows.
  template <class T>
  Prefetch(const T* from, Index rows, Index cols, Index stride)
      : from_(reinterpret_cast<const char*>(from)),
        stride_(stride * static_cast<Index>(sizeof(T))),
        width_(rows > 0 ? cols * static_cast<Index>(sizeof(T)) : 0),
        rows_(rows) {}

  bool done() const { return column_ >= width_; }

  // The next lines, at most `steps`. A walk goes on beyond a matrix with fewer rows than that: to
  // ask for what is not there does nothing.
  Walk take(Index steps) {
    if (rows_ == 1) {  // along the row
      const Walk walk{from_ + column_, kLine};
      column_ += steps * kLine;
      return walk;
    }
    const Walk walk{from_ + column_ + row_ * stride_, stride_};  // down a column of lines
    row_ += steps;
    if (row_ >= rows_) row_ = 0, column_ += kLine;
    return walk;
  }

 private:
  const char* from_ = nullptr;
  Index stride_ = 0, width_ = 0, rows_ = 0, row_ = 0, column_ = 0;
};

}  // namespace lamina
