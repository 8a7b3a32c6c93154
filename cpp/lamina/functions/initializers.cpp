#include "lamina/functions/initializers.hpp"

namespace lamina {
namespace {

// The standard deviation of a normal distribution cut at two standard deviations.
constexpr double kTruncatedDeviation = 0.87962566103423978;

struct Uniforms {
  double first, second;
};

Uniforms draw(const Philox& random, std::uint32_t tensor, std::uint32_t attempt, Index pair) {
  const auto block =
      random(Philox::counter(Stream::init, tensor, attempt, static_cast<std::uint32_t>(pair >> 32),
                             static_cast<std::uint32_t>(pair)));
  return {uniform52(block[0], block[1]), uniform52(block[2], block[3])};
}

// Element i of a standard normal cut at two deviations: Box and Muller's transform, rejected until
// it falls inside.
double truncated_normal(const Philox& random, std::uint32_t tensor, Index i) {
  for (std::uint32_t attempt = 0;; ++attempt) {
    const Uniforms u = draw(random, tensor, attempt, i / 2);
    const double radius = std::sqrt(-2 * log(u.first));
    const double z = radius * (i % 2 ? sin_pi(2 * u.second) : cos_pi(2 * u.second));
    if (z >= -2 && z <= 2) return z;
  }
}

}  // namespace

template <class T>
void initialize(const Choice& choice, std::uint64_t seed, std::uint32_t tensor, Index fan_in,
                Index fan_out, Index n, T* out) {
  const Filling filling = Initializers::visit(
      choice.index, [&]<class I>() { return I::filling(choice.parameters.data()); });
  if (filling.shape == Shape::constant) {
    for (Index i = 0; i < n; ++i) out[i] = T(filling.number);
    return;
  }
  const double fan = filling.fan == Fan::in    ? static_cast<double>(fan_in)
                     : filling.fan == Fan::out ? static_cast<double>(fan_out)
                                               : 0.5 * static_cast<double>(fan_in + fan_out);
  const double deviation = std::sqrt(filling.number / std::max(fan, 1.0));
  const Philox random(seed);
  if (filling.shape == Shape::uniform) {
    const double limit = std::sqrt(3.0) * deviation;
    for (Index i = 0; i < n; ++i) {
      const Uniforms u = draw(random, tensor, 0, i / 2);
      out[i] = T(limit * (2 * (i % 2 ? u.second : u.first) - 1));
    }
    return;
  }
  for (Index i = 0; i < n; ++i)
    out[i] = T(deviation / kTruncatedDeviation * truncated_normal(random, tensor, i));
}

template void initialize<float>(const Choice&, std::uint64_t, std::uint32_t, Index, Index, Index,
                                float*);
template void initialize<double>(const Choice&, std::uint64_t, std::uint32_t, Index, Index, Index,
                                 double*);

}  // namespace lamina
