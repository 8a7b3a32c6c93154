#include "lamina/base/philox.hpp"

#if defined __AVX2__
#include <immintrin.h>
#endif

namespace lamina {

#ifdef __GNUC__
namespace {

// 32-bit words in 64-bit lanes: what then stands in the upper halves is never read.
#if defined __AVX512F__
constexpr std::size_t kBytes = 64;
#elif defined __AVX2__
constexpr std::size_t kBytes = 32;
#else
constexpr std::size_t kBytes = 16;
#endif
typedef std::uint64_t Lanes __attribute__((vector_size(kBytes)));

// The 64-bit products of the lower halves. (g++ 12 does not find the instruction by itself.)
Lanes multiply(Lanes a, Lanes b) {
#if defined __AVX512F__
  return (Lanes)_mm512_mul_epu32((__m512i)a, (__m512i)b);
#elif defined __AVX2__
  return (Lanes)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#else
  return (a & 0xFFFFFFFFull) * (b & 0xFFFFFFFFull);
#endif
}

}  // namespace

void Philox::operator()(Many& counters) const {
  constexpr std::size_t width = kBytes / 8, parts = kMany / width;
  Lanes c[4][parts];
  for (std::size_t w = 0; w < 4; ++w)
    for (std::size_t i = 0; i < kMany; ++i) c[w][i / width][i % width] = counters[w][i];
  std::uint32_t k0 = key_[0], k1 = key_[1];
  for (int round = 0; round < 10; ++round) {
    for (std::size_t p = 0; p < parts; ++p) {
      const Lanes a = multiply(c[0][p], Lanes{} + 0xD2511F53ull);
      const Lanes b = multiply(c[2][p], Lanes{} + 0xCD9E8D57ull);
      c[0][p] = (b >> 32) ^ c[1][p] ^ std::uint64_t{k0};
      c[1][p] = b;
      c[2][p] = (a >> 32) ^ c[3][p] ^ std::uint64_t{k1};
      c[3][p] = a;
    }
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  for (std::size_t w = 0; w < 4; ++w)
    for (std::size_t i = 0; i < kMany; ++i)
      counters[w][i] = static_cast<std::uint32_t>(c[w][i / width][i % width]);
}

#else

void Philox::operator()(Many& counters) const {
  for (std::size_t i = 0; i < kMany; ++i) {
    const Block block = (*this)({counters[0][i], counters[1][i], counters[2][i], counters[3][i]});
    for (std::size_t w = 0; w < 4; ++w) counters[w][i] = block[w];
  }
}

#endif

namespace {

// Bit b: is the b-th half word at least `limit`?
std::uint32_t halves_at_least(const std::array<std::uint32_t, Philox::kMany>& words,
                              std::uint32_t limit) {
#if defined __AVX512BW__
  const __m512i all = _mm512_loadu_si512(words.data());
  return _mm512_cmpge_epu16_mask(all, _mm512_set1_epi16(static_cast<short>(limit)));
#elif defined __AVX2__
  const auto compare = [&](std::size_t first) {
    const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words.data() + first));
    const __m256i least = _mm256_set1_epi16(static_cast<short>(limit));
    return _mm256_cmpeq_epi16(_mm256_max_epu16(v, least), v);
  };
  const __m256i bytes = _mm256_packs_epi16(compare(0), compare(8));  // quarters 0, 2, 1, 3
  return static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_permute4x64_epi64(bytes, 0xD8)));
#else
  std::uint32_t out = 0;
  for (std::uint32_t i = 0; i < Philox::kMany; ++i) {
    out |= std::uint32_t{(words[i] & 0xFFFF) >= limit} << (2 * i);
    out |= std::uint32_t{words[i] >> 16 >= limit} << (2 * i + 1);
  }
  return out;
#endif
}

}  // namespace

Philox::Bits Philox::at_least(std::uint32_t limit, Block first, std::uint32_t group) const {
  Many words;
  for (std::uint32_t i = 0; i < kMany; ++i) words[0][i] = first[0] + kMany * group + i;
  for (std::size_t w = 1; w < 4; ++w) words[w].fill(first[w]);
  (*this)(words);
  Bits out;
  for (std::size_t w = 0; w < 4; ++w) out[w] = halves_at_least(words[w], limit);
  return out;
}

}  // namespace lamina
