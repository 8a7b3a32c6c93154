#include "lamina/base/normal.hpp"

#include <numbers>

#include "lamina/base/math.hpp"

namespace lamina {
namespace {

using V = Vec<float>;
constexpr int kMany = Philox::kMany;
using Words = std::array<std::uint32_t, kMany>;

// Taylor's series of sin(x) / x and cos(x) by x^2: off by less than 3e-8 for |x| <= pi / 4.
constexpr std::array<float, 5> kSine{1.0F, -1 / 6.0F, 1 / 120.0F, -1 / 5040.0F, 1 / 362880.0F};
constexpr std::array<float, 5> kCosine{1.0F, -1 / 2.0F, 1 / 24.0F, -1 / 720.0F, 1 / 40320.0F};

// kMany pairs: the radius from `length`, the direction from `turn`: two bits for the quarter, the
// others for the angle from its middle.
void box_muller(const Words& length, const Words& turn, float* out) {
  alignas(64) float uniform[kMany], angle[kMany], opposite[kMany], across[kMany];
  for (std::size_t i = 0; i < kMany; ++i) {
    uniform[i] = static_cast<float>(static_cast<std::int32_t>(length[i] >> 1)) + 0.5F;
    angle[i] = static_cast<float>(static_cast<std::int32_t>(turn[i] << 2) >> 1);
    opposite[i] = turn[i] >> 31 ? -1.0F : 1.0F;
    across[i] = static_cast<float>(turn[i] >> 30 & 1);
  }
  const V half(0.5F), least_angle(static_cast<float>(std::numbers::pi / 4 * 0x1.0p-30));
  for (Index i = 0; i < kMany; i += V::size) {
    const V radius = sqrt(V(-2.0F) * log(V::load(uniform + i) * V(0x1.0p-31F)));
    const V x = V::load(angle + i) * least_angle, square = x * x;
    const V sine = x * detail::polynomial(square, kSine),
            cosine = detail::polynomial(square, kCosine) * V::load(opposite + i);
    const auto swap = less(half, V::load(across + i));
    (radius * select(swap, sine, cosine)).store(out + i);
    (radius * select(swap, cosine, sine)).store(out + kMany + i);
  }
}

}  // namespace

void standard_normals(const Philox& random, Philox::Block first, std::uint32_t group, float* out) {
  Philox::Many words;
  for (std::uint32_t i = 0; i < kMany; ++i) words[0][i] = first[0] + kMany * group + i;
  for (std::size_t w = 1; w < 4; ++w) words[w].fill(first[w]);
  random(words);
  box_muller(words[0], words[1], out);
  box_muller(words[2], words[3], out + 2 * kMany);
}

}  // namespace lamina
