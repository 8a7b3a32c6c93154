// Philox 4x32-10, the counter-based generator of Salmon et al., "Parallel random numbers: as easy
// as 1, 2, 3" (SC 2011). A number depends on (seed, stream, step, row, unit) alone, never on who
// draws it or when: that is what makes dropout the same on any number of threads.
#pragma once

#include <array>
#include <cstdint>

namespace lamina {

enum class Stream : std::uint32_t { init = 0, shuffle = 1, dropout = 2, noise = 3, split = 4 };

class Philox {
 public:
  using Block = std::array<std::uint32_t, 4>;

  explicit Philox(std::uint64_t seed)
      : key_{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)} {}

  Block operator()(Block counter) const {
    std::uint32_t k0 = key_[0], k1 = key_[1];
    for (int round = 0; round < 10; ++round) {
      const std::uint64_t a = 0xD2511F53ull * counter[0];
      const std::uint64_t b = 0xCD9E8D57ull * counter[2];
      counter = {
          static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ k0, static_cast<std::uint32_t>(b),
          static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ k1, static_cast<std::uint32_t>(a)};
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    return counter;
  }

  // The same for kMany counters at once, in registers: word w of counter i is counters[w][i].
  static constexpr int kMany = 16;
  using Many = std::array<std::array<std::uint32_t, kMany>, 4>;

  void operator()(Many& counters) const;

  // kBits random bits, a bit for each 16-bit number: is it at least `limit` (below 2^16)? The
  // numbers are those of counters 16 group ... 16 group + 15 in `first`'s first word; bit b of them
  // is the b-th half word, lower halves first, of all first words, then of all second ones, and so
  // on.
  static constexpr std::int64_t kBits = 8 * kMany;
  using Bits = std::array<std::uint32_t, 4>;
  Bits at_least(std::uint32_t limit, Block first, std::uint32_t group) const;

  // The counter's words: unit/4, row (position in batch), step, and stream with the op's index.
  static Block counter(Stream stream, std::uint32_t op, std::uint32_t step, std::uint32_t row,
                       std::uint32_t unit) {
    return {unit, row, step, (static_cast<std::uint32_t>(stream) << 24) | op};
  }

 private:
  std::array<std::uint32_t, 2> key_;
};

// The high 64 bits of a product: for a random `a` a number in 0 ... b - 1.
inline std::uint64_t multiply_high(std::uint64_t a, std::uint64_t b) {
#ifdef __SIZEOF_INT128__
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>((static_cast<Wide>(a) * b) >> 64);
#else
  const std::uint64_t al = a & 0xFFFFFFFFu, ah = a >> 32, bl = b & 0xFFFFFFFFu, bh = b >> 32;
  const std::uint64_t middle = ah * bl + (al * bl >> 32);
  return ah * bh + (middle >> 32) + ((al * bh + (middle & 0xFFFFFFFFu)) >> 32);
#endif
}

// Uniform in (0, 1) with 52 bits, from two words. (With 53 the half added could round up to 1.)
inline double uniform52(std::uint32_t high, std::uint32_t low) {
  const std::uint64_t bits = ((static_cast<std::uint64_t>(high) << 32) | low) >> 12;
  return (static_cast<double>(bits) + 0.5) * 0x1.0p-52;
}

}  // namespace lamina
