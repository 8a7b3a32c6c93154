// Prefetch: memory that will be needed soon, asked for bit by bit while something else is computed.
#pragma once

#include "lamina/base/error.hpp"

namespace lamina {

class Prefetch {
 public:
  Prefetch() = default;
  // A matrix; `stride` elements between its rows.
  template <class T>
  Prefetch(const T* from, Index rows, Index cols, Index stride)
      : from_(reinterpret_cast<const char*>(from)),
        stride_(stride * static_cast<Index>(sizeof(T))),
        width_(cols * static_cast<Index>(sizeof(T))),
        rows_(rows) {}

  // Spreads what is left over so many calls of go_on().
  void spread(Index calls) {
    lines_ = (rows_ * ((width_ + kLine - 1) / kLine) + calls - 1) / calls;
  }

  void go_on() {
    for (Index n = lines_; n > 0 && rows_ > 0; --n) {
#if defined(__GNUC__)
      __builtin_prefetch(from_ + at_, 0, 2);  // into the second-level cache
#endif
      at_ += kLine;
      if (at_ >= width_) at_ = 0, from_ += stride_, --rows_;
    }
  }

 private:
  static constexpr Index kLine = 64;
  const char* from_ = nullptr;
  Index stride_ = 0, width_ = 0, rows_ = 0, lines_ = 0, at_ = 0;
};

}  // namespace lamina
