#include "lamina/base/math.hpp"

#include <cmath>

namespace lamina {
namespace {

// Taylor series of sin and cos for |x| <= pi/4: the last terms are below 1e-17.
double sin_series(double x) {
  const double z = x * x;
  double term = 1, sum = 1;
  for (int i = 1; i <= 8; ++i) {
    term *= -z / ((2 * i) * (2 * i + 1));
    sum += term;
  }
  return x * sum;
}

double cos_series(double x) {
  const double z = x * x;
  double term = 1, sum = 1;
  for (int i = 1; i <= 9; ++i) {
    term *= -z / ((2 * i - 1) * (2 * i));
    sum += term;
  }
  return sum;
}

}  // namespace

double cos_pi(double t) {
  t = std::fabs(t);
  t -= 2 * std::floor(t / 2);  // [0, 2)
  if (t > 1) t = 2 - t;        // cos(2 pi - x) = cos(x)
  const bool negative = t > 0.5;
  if (negative) t = 1 - t;  // cos(pi - x) = -cos(x)
  const double y =
      t <= 0.25 ? cos_series(std::numbers::pi * t) : sin_series(std::numbers::pi * (0.5 - t));
  return negative ? -y : y;
}

double sin_pi(double t) { return cos_pi(t - 0.5); }

double power(double base, std::uint64_t n) {
  double out = 1;
  for (; n > 0; n >>= 1, base *= base) {
    const double factors[] = {1, base};  // the bits of n change: a branch would be mispredicted
    out *= factors[n & 1];
  }
  return out;
}

}  // namespace lamina
