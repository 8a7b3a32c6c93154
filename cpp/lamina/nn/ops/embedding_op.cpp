#include "lamina/nn/ops/embedding_op.hpp"

#include <algorithm>

#include "lamina/base/prefetch.hpp"

namespace lamina {

template <class T>
void EmbeddingOp<T>::forward(const Ctx& c, Range rows) const {
  constexpr Index kAhead = 8;  // a large table lies in no cache
  Index first = 0;
  for (std::size_t j = 0; j < tables_.size(); first += tables_[j++].width) {
    const Index n = tables_[j].width;
    const T* table = c.parameters + tables_[j].offset;
    const std::int32_t* code = codes(c, j, rows.begin);
    for (Index r = 0; r < rows.size(); ++r) {
      if (r + kAhead < rows.size())
        prefetch_near(reinterpret_cast<const char*>(table + code[r + kAhead] * n));
      map_packets(n, table + code[r] * n, this->out(c, rows.begin + r) + first,
                  [](Vec<T> v) { return v; });
    }
  }
}

// Rows add in order, so the sum's bits do not depend on tiles. Most rows of a batch are not in the
// tile of a large table; they are passed over some at a time, a register of them by an instruction,
// which costs little beside the tile's update.
template <class T>
void EmbeddingOp<T>::parameter_gradient(const Ctx& c, int tensor, Range tile, T* out) const {
  constexpr Index kGroup = 64;
  const auto j = static_cast<std::size_t>(tensor - tables_[0].tensor);
  Index first = 0;
  for (std::size_t i = 0; i < j; ++i) first += tables_[i].width;
  const Index n = tables_[j].width;
  std::fill_n(out, tile.size() * n, T(0));
  const std::int32_t* code = codes(c, j, 0);
  const auto begin = static_cast<std::uint32_t>(tile.begin);
  const auto count = static_cast<std::uint32_t>(tile.size());
  const auto inside = [=](std::int32_t k) { return static_cast<std::uint32_t>(k) - begin < count; };
  for (Index group = 0; group < c.rows; group += kGroup) {
    const Index end = std::min(c.rows, group + kGroup);
    if (end - group == kGroup) {
      std::uint32_t found = 0;
      for (Index i = 0; i < kGroup; ++i) found += inside(code[group + i]);
      if (found == 0) continue;
    }
    for (Index r = group; r < end; ++r) {
      if (!inside(code[r])) continue;
      T* sum = out + (code[r] - tile.begin) * n;
      map_packets(n, sum, this->d_out(c, r) + first, sum,
                  [](Vec<T> v, Vec<T> dy) { return v + dy; });
    }
  }
}

template class EmbeddingOp<float>;
template class EmbeddingOp<double>;

}  // namespace lamina
