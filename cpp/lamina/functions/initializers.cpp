#include "lamina/functions/initializers.hpp"

#include <algorithm>

#include "lamina/functions/orthogonal.hpp"

namespace lamina {
namespace {

struct Uniforms {
  double first, second;
};

Uniforms draw(const Philox& random, std::uint32_t tensor, std::uint32_t attempt, Index pair) {
  const auto block =
      random(Philox::counter(Stream::init, tensor, attempt, static_cast<std::uint32_t>(pair >> 32),
                             static_cast<std::uint32_t>(pair)));
  return {uniform52(block[0], block[1]), uniform52(block[2], block[3])};
}

// Element i of a standard normal, by Box and Muller's transform; if cut at two deviations, rejected
// until it falls inside.
double normal(const Philox& random, std::uint32_t tensor, Index i, bool cut) {
  for (std::uint32_t attempt = 0;; ++attempt) {
    const Uniforms u = draw(random, tensor, attempt, i / 2);
    const double radius = std::sqrt(-2 * log(u.first));
    const double z = radius * (i % 2 ? sin_pi(2 * u.second) : cos_pi(2 * u.second));
    if (!cut || (z >= -2 && z <= 2)) return z;
  }
}

double element(const Filling& f, const Philox& random, std::uint32_t tensor, Index i) {
  if (f.shape == Shape::constant) return f.first;
  if (f.shape != Shape::uniform)
    return f.first + f.second * normal(random, tensor, i, f.shape == Shape::truncated_normal);
  const Uniforms u = draw(random, tensor, 0, i / 2);
  const double middle = f.first / 2 + f.second / 2, half = f.second / 2 - f.first / 2;
  return std::clamp(middle + half * (2 * (i % 2 ? u.second : u.first) - 1), f.first, f.second);
}

// A (rows, columns) matrix with orthonormal columns, or rows where these are fewer, times `gain`.
Buffer<double> orthogonal_matrix(const Philox& random, std::uint32_t tensor, Index rows,
                                 Index columns, double gain) {
  const Index most = std::max(rows, columns), least = std::min(rows, columns);
  Buffer<double> q(most * least);
  for (Index i = 0; i < q.size(); ++i) q[i] = normal(random, tensor, i, false);
  orthonormalize(most, least, q.data());
  Buffer<double> out(q.size());
  for (Index r = 0; r < rows; ++r)
    for (Index c = 0; c < columns; ++c)
      out[r * columns + c] = gain * (rows < columns ? q[c * least + r] : q[r * least + c]);
  return out;
}

Filling filling_of(const Choice& choice, Fans fans) {
  return Initializers::visit(choice.index,
                             [&]<class I>() { return I::filling(choice.parameters.data(), fans); });
}

}  // namespace

Index data_rows(const Choice& choice) {
  return Initializers::visit(choice.index, [&]<class I>() -> Index {
    if constexpr (requires { I::data_rows(nullptr); })
      return I::data_rows(choice.parameters.data());
    else
      return 0;
  });
}

template <class T>
void initialize(const Choice& choice, std::uint64_t seed, std::uint32_t tensor,
                const std::vector<Index>& shape, Fans fans, T* out) {
  const Filling f = filling_of(choice, fans);
  const Philox random(seed);
  const char* name = Initializers::infos()[static_cast<std::size_t>(choice.index)].class_name;
  const Index n = checked_size(name, shape);
  const bool matrix = f.shape == Shape::orthogonal || f.shape == Shape::identity;
  require(shape.size() == 2 || (!matrix && data_rows(choice) == 0), name,
          ": expected a matrix (inputs, outputs), got shape ", shape_text(shape));
  if (f.shape == Shape::orthogonal) {
    const Buffer<double> q = orthogonal_matrix(random, tensor, shape[0], shape[1], f.first);
    for (Index i = 0; i < n; ++i) out[i] = T(q[i]);
  } else if (f.shape == Shape::identity) {
    for (Index i = 0; i < n; ++i) out[i] = T(i / shape[1] == i % shape[1] ? f.first : 0);
  } else {
    for (Index i = 0; i < n; ++i) out[i] = T(element(f, random, tensor, i));
  }
}

template void initialize<float>(const Choice&, std::uint64_t, std::uint32_t,
                                const std::vector<Index>&, Fans, float*);
template void initialize<double>(const Choice&, std::uint64_t, std::uint32_t,
                                 const std::vector<Index>&, Fans, double*);

}  // namespace lamina
