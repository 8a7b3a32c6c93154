// What schedules have in common: their parameters and the curves between two values.
#pragma once

#include <algorithm>
#include <cmath>

#include "lamina/base/math.hpp"
#include "lamina/functions/schedule.hpp"

namespace lamina {

inline constexpr const char* kLengthUnit = "steps or epochs";
inline constexpr double kLeast = 1e-9;  // of what is divided by
inline constexpr Parameter kUnit = choice_of("unit", "step|epoch");
inline constexpr Parameter kLength = optional("total_steps", 1, kInfinity, kLengthUnit);

// A value that a schedule begins with, reaches or ends at.
inline constexpr Parameter level(const char* name,
                                 double value = std::numeric_limits<double>::quiet_NaN()) {
  return {name, value, 0, kInfinity};
}

// At share 0 `from`, at 1 `to`.
inline double cosine_between(double from, double to, double share) {
  return to + (from - to) * 0.5 * (1 + cos_pi(share));
}
inline double line_between(double from, double to, double share) {
  return to + (from - to) * (1 - share);
}

// base^x for base >= 0, x >= 0.
inline double raised(double base, double x) {
  if (x == std::floor(x) && x < 0x1p53) return power(base, static_cast<std::uint64_t>(x));
  return base > 0 ? exp(x * log(base)) : 0;
}

inline double stairs(double x, double staircase) { return staircase != 0 ? std::floor(x) : x; }

// NaN if one is.
inline double lower(double a, double b) { return a <= b ? a : b <= a ? b : std::nan(""); }
inline Bounds between(double a, double b) { return {std::min(a, b), std::max(a, b)}; }

// Of what begins at `first` and is multiplied by gamma again and again.
inline Bounds falling(double first, double gamma) {
  return {gamma <= 1 ? 0 : first, gamma <= 1 ? first : std::nan("")};
}

}  // namespace lamina
