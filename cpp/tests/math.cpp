// Accuracy of the transcendental functions over their range, their values at the edges, and the
// contract that an element's bits do not depend on where in an array it stands.
#include "lamina/base/math.hpp"

#include <bit>
#include <cmath>
#include <cstring>
#include <initializer_list>
#include <vector>

#include "check.hpp"

using namespace lamina;

namespace {

template <class T>
double ulps(T got, long double expected) {
  if (std::isnan(got)) return std::isnan(expected) ? 0 : 1e9;
  const T nearest = static_cast<T>(expected);
  if (std::isinf(nearest) || std::isinf(got)) return got == nearest ? 0 : 1e9;
  const T unit =
      std::nextafter(std::fabs(nearest), std::numeric_limits<T>::infinity()) - std::fabs(nearest);
  return static_cast<double>(std::fabs(static_cast<long double>(got) - expected) / unit);
}

// The error in ulp. Results that are, or should be, subnormal may be flushed to 0.
template <class T>
double error(T got, long double expected) {
  const auto smallest = static_cast<long double>(std::numeric_limits<T>::min());
  if (std::fabs(expected) < 2 * smallest)
    return std::fabs(static_cast<long double>(got) - expected) <= smallest ? 0 : 1e9;
  return ulps(got, expected);
}

// Every 4099th of all numbers there are of type T: subnormal ones, infinities and NaNs among them.
template <class T>
T any_number(std::uint64_t i) {
  if constexpr (sizeof(T) == 4)
    return std::bit_cast<T>(static_cast<std::uint32_t>(i * 4099));
  else
    return std::bit_cast<T>(i * 4099 * 0x1000003D5ull);
}

// Ours against libm in long double: over all numbers, and closely over [low, high].
template <class T, class Ours, class Exact>
void check(const char* name, double bound, Ours ours, Exact exact, double low, double high) {
  constexpr std::uint64_t kNumbers = (std::uint64_t{1} << 32) / 4099, kPoints = 400000;
  double most = 0;
  const auto at = [&](T x) {
    const double e = error(ours(Vec<T>(x)).first(), exact(static_cast<long double>(x)));
    if (e >= 1e9) std::fprintf(stderr, "%s(%.17g) is wrong\n", name, static_cast<double>(x));
    most = std::fmax(most, e);
  };
  for (std::uint64_t i = 0; i <= kNumbers; ++i) at(any_number<T>(i));
  for (std::uint64_t i = 0; i <= kPoints; ++i)
    at(T(low + (high - low) * static_cast<double>(i) / kPoints));
  std::printf("%-8s %zu bytes: %.2f ulp (at most %g)\n", name, sizeof(T), most, bound);
  CHECK(most <= bound);
}

// The bounds that base/math.hpp states.
template <class T>
void check_accuracy() {
  using L = long double;
  const auto at = [](const char* name, double bound, auto ours, auto exact,
                     std::initializer_list<std::pair<double, double>> intervals) {
    for (const auto& [low, high] : intervals) check<T>(name, bound, ours, exact, low, high);
  };
  const double end = sizeof(T) == 4 ? 90 : 710;
  at(
      "exp", 1.2, [](Vec<T> x) { return lamina::exp(x); }, [](L x) { return std::exp(x); },
      {{-end, end}, {-1, 1}});
  at(
      "expm1", 2.2, [](Vec<T> x) { return lamina::expm1(x); }, [](L x) { return std::expm1(x); },
      {{-50, end}, {-1, 1}, {-1e-3, 1e-3}});
  at(
      "log", 1.2, [](Vec<T> x) { return lamina::log(x); }, [](L x) { return std::log(x); },
      {{1e-30, 4}, {0.99, 1.01}, {1, 1e30}});
  at(
      "log1p", 1.5, [](Vec<T> x) { return lamina::log1p(x); }, [](L x) { return std::log1p(x); },
      {{-1, 4}, {-1e-2, 1e-2}});
  at(
      "tanh", 2.5, [](Vec<T> x) { return lamina::tanh(x); }, [](L x) { return std::tanh(x); },
      {{-20, 20}, {-1, 1}, {-1e-2, 1e-2}});
  at(
      "sigmoid", 2.5, [](Vec<T> x) { return lamina::sigmoid(x); },
      [](L x) { return 1 / (1 + std::exp(-x)); }, {{-end, 40}, {-1, 1}});
  at(
      "normal", 4.5, [](Vec<T> x) { return lamina::normal(abs(x)).below; },
      [](L x) { return std::erfc(-std::fabs(x) / std::numbers::sqrt2_v<L>) / 2; },
      {{0, 9}, {0, 1}});
}

template <class T>
void check_edges() {
  const T inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  CHECK(lamina::exp(Vec<T>(inf)).first() == inf && lamina::exp(Vec<T>(-inf)).first() == 0);
  CHECK(lamina::exp(Vec<T>(T(0))).first() == 1 && std::isnan(lamina::exp(Vec<T>(nan)).first()));
  CHECK(lamina::exp(Vec<T>(T(1e4))).first() == inf && lamina::exp(Vec<T>(T(-1e4))).first() == 0);
  CHECK(lamina::log(Vec<T>(T(0))).first() == -inf && lamina::log(Vec<T>(inf)).first() == inf);
  CHECK(lamina::log(Vec<T>(T(1))).first() == 0 && std::isnan(lamina::log(Vec<T>(T(-1))).first()));
  CHECK(std::isnan(lamina::log(Vec<T>(nan)).first()) &&
        std::isnan(lamina::tanh(Vec<T>(nan)).first()));
  CHECK(lamina::tanh(Vec<T>(inf)).first() == 1 && lamina::tanh(Vec<T>(-inf)).first() == -1);
  CHECK(lamina::log1p(Vec<T>(T(-1))).first() == -inf && lamina::log1p(Vec<T>(inf)).first() == inf);
  CHECK(lamina::expm1(Vec<T>(inf)).first() == inf && lamina::expm1(Vec<T>(-inf)).first() == -1);
  CHECK(lamina::normal(Vec<T>(inf)).below.first() == 1 &&
        lamina::normal(Vec<T>(-inf)).below.first() == 0);
  CHECK(std::isnan(lamina::normal(Vec<T>(nan)).below.first()));
  CHECK(lamina::tanh(Vec<T>(T(0))).first() == 0 && lamina::sigmoid(Vec<T>(T(-1e4))).first() == 0);
  CHECK(lamina::sigmoid(Vec<T>(T(1e4))).first() == 1 &&
        lamina::sigmoid(Vec<T>(T(0))).first() == T(0.5));
}

// Every element alone, and in arrays of 1 to 67 elements shifted by 0 to 15: the same bits.
template <class T, class F>
void check_shifts(F f) {
  constexpr int kLength = 67, kShift = 16;
  std::vector<T> x(kLength + kShift), alone(kLength), y(kLength + kShift);
  for (int i = 0; i < kLength; ++i) {
    const T value = T(0.37) * T(i - 20) + T(0.011);
    map_packets<T>(1, &value, &alone[static_cast<std::size_t>(i)], f);
  }
  for (int shift = 0; shift < kShift; ++shift) {
    for (int n = 1; n <= kLength; ++n) {
      for (int i = 0; i < n; ++i)
        x[static_cast<std::size_t>(shift + i)] = T(0.37) * T(i - 20) + T(0.011);
      map_packets<T>(n, x.data() + shift, y.data() + shift, f);
      CHECK(std::memcmp(y.data() + shift, alone.data(), sizeof(T) * static_cast<std::size_t>(n)) ==
            0);
    }
  }
}

template <class T>
void check_all_shifts() {
  check_shifts<T>([](Vec<T> x) { return lamina::exp(x); });
  check_shifts<T>([](Vec<T> x) { return lamina::log(abs(x)); });
  check_shifts<T>([](Vec<T> x) { return lamina::log1p(abs(x)); });
  check_shifts<T>([](Vec<T> x) { return lamina::tanh(x); });
  check_shifts<T>([](Vec<T> x) { return lamina::sigmoid(x); });
  check_shifts<T>([](Vec<T> x) { return lamina::expm1(x); });
  check_shifts<T>([](Vec<T> x) { return lamina::normal(x).below; });
  check_shifts<T>([](Vec<T> x) { return sqrt(abs(x)); });
}

}  // namespace

int main() {
  check_accuracy<float>();
  check_accuracy<double>();
  check_edges<float>();
  check_edges<double>();
  check_all_shifts<float>();
  check_all_shifts<double>();
  for (int i = -4000; i <= 4000; ++i) {
    const double t = i / 1000.0;
    CHECK(std::abs(cos_pi(t) - std::cos(std::numbers::pi * t)) < 1e-14);
    CHECK(std::abs(sin_pi(t) - std::sin(std::numbers::pi * t)) < 1e-14);
  }
  CHECK(std::abs(power(0.999, 1000) - std::pow(0.999, 1000)) < 1e-13 && power(2, 0) == 1);
  return 0;
}
