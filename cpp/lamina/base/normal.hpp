// Normal deviates in single precision, many at once: for noise on what passes through a network.
// (Weights start from initializers.cpp's, in double.)
#pragma once

#include "lamina/base/error.hpp"
#include "lamina/base/philox.hpp"

namespace lamina {

inline constexpr Index kNormals = 4 * Philox::kMany;

// kNormals numbers from N(0, 1), those of counters kMany group ... kMany group + kMany - 1 in
// `first`'s first word. By Box and Muller's transform: 31 bits for the radius, so none is beyond
// 6.7, and 30 bits within a quarter turn for the angle.
void standard_normals(const Philox& random, Philox::Block first, std::uint32_t group, float* out);

}  // namespace lamina
