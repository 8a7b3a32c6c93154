#include "lamina/train/order.hpp"

#include <algorithm>

#include "lamina/base/philox.hpp"

namespace lamina {
namespace {

// So many numbers are drawn at once: number d is words[d % 2 * 2][d / 2] and the word after it.
constexpr Index kDraws = 2 * static_cast<Index>(Philox::kMany);

void draw_words(const Philox& random, std::uint64_t epoch, std::uint32_t window, Index draw,
                Philox::Many& words) {
  for (std::size_t k = 0; k < Philox::kMany; ++k) {
    const auto block = static_cast<std::uint64_t>(draw / 2) + k;
    const Philox::Block counter =
        Philox::counter(Stream::shuffle, window & 0xFFFFFFu, static_cast<std::uint32_t>(epoch),
                        static_cast<std::uint32_t>(block >> 32), static_cast<std::uint32_t>(block));
    for (std::size_t w = 0; w < 4; ++w) words[w][k] = counter[w];
  }
  random(words);
}

}  // namespace

// By Fisher and Yates.
void draw_order(const Data& data, std::uint64_t seed, std::uint64_t epoch, std::uint32_t window,
                std::vector<std::int64_t>& order) {
  const Index n = data.rows();
  order.resize(static_cast<std::size_t>(n));
  for (Index i = 0; i < n; ++i) order[static_cast<std::size_t>(i)] = data.source(i);
  const Philox random(seed);
  Philox::Many words;
  for (Index draw = 0; draw < n - 1; draw += kDraws) {
    draw_words(random, epoch, window, draw, words);
    for (Index d = 0; d < std::min(kDraws, n - 1 - draw); ++d) {
      const Index i = n - 1 - draw - d;
      const auto k = static_cast<std::size_t>(d / 2), w = static_cast<std::size_t>(d % 2 * 2);
      const std::uint64_t word = (static_cast<std::uint64_t>(words[w][k]) << 32) | words[w + 1][k];
      // The high word of the product lies in 0 ... i; with 2^40 rows its bias is below 2^-24.
      std::swap(order[static_cast<std::size_t>(i)],
                order[multiply_high(word, static_cast<std::uint64_t>(i + 1))]);
    }
  }
}

}  // namespace lamina
