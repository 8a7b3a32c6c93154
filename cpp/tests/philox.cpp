// Random123's known answers for philox4x32-10 (its file kat_vectors), and many counters at once.
#include "lamina/base/philox.hpp"

#include "check.hpp"

using lamina::Philox;

int main() {
  CHECK((Philox(0)({0, 0, 0, 0}) == Philox::Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const std::uint32_t f = 0xffffffff;
  CHECK((Philox(~0ull)({f, f, f, f}) ==
         Philox::Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  CHECK((Philox(0x299f31d0a4093822ull)({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}) ==
         Philox::Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
  // Many counters at once: the same numbers.
  const Philox random(0x0123456789abcdefull);
  Philox::Many counters;
  for (std::uint32_t i = 0; i < Philox::kMany; ++i)
    for (std::uint32_t w = 0; w < 4; ++w) counters[w][i] = f / (1 + 7 * w + 13 * i);
  Philox::Many words = counters;
  random(words);
  for (std::size_t i = 0; i < Philox::kMany; ++i) {
    const auto alone = random({counters[0][i], counters[1][i], counters[2][i], counters[3][i]});
    for (std::size_t w = 0; w < 4; ++w) CHECK(words[w][i] == alone[w]);
  }
  CHECK(lamina::uniform52(0, 0) > 0 && lamina::uniform52(f, f) < 1);
  return 0;
}
