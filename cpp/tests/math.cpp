// Accuracy of the transcendental functions over their range, their values at the edges, and the
// contract that an element's bits do not depend on where in an array it stands.
#include "lamina/base/math.hpp"

#include <cmath>
#include <cstring>
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

// The largest error in ulp over [low, high], away from results that are flushed as denormals.
template <class T, class Ours, class Exact>
double worst(Ours ours, Exact exact, double low, double high, int points) {
  double most = 0;
  for (int i = 0; i <= points; ++i) {
    const T x = T(low + (high - low) * i / points);
    const long double expected = exact(static_cast<long double>(x));
    if (std::fabs(expected) < static_cast<long double>(std::numeric_limits<T>::min()) * 2) continue;
    most = std::fmax(most, ulps(ours(Vec<T>(x)).first(), expected));
  }
  return most;
}

template <class T>
void check_accuracy(double exp_low, double exp_high) {
  const auto vexp = [](Vec<T> x) { return lamina::exp(x); };
  const auto vexpm1 = [](Vec<T> x) { return lamina::expm1(x); };
  const auto vlog = [](Vec<T> x) { return lamina::log(x); };
  const auto vlog1p = [](Vec<T> x) { return lamina::log1p(x); };
  const auto vtanh = [](Vec<T> x) { return lamina::tanh(x); };
  const auto vsigmoid = [](Vec<T> x) { return lamina::sigmoid(x); };
  const auto sigmoid_exact = [](long double x) { return 1 / (1 + std::exp(-x)); };
  const int n = 400000;
  struct {
    const char* name;
    double error, bound;
  } rows[] = {
      {"exp",
       worst<T>(
           vexp, [](long double x) { return std::exp(x); }, exp_low, exp_high, n),
       2},
      {"expm1",
       worst<T>(
           vexpm1, [](long double x) { return std::expm1(x); }, -20, 20, n),
       3},
      {"expm1 near 0",
       worst<T>(
           vexpm1, [](long double x) { return std::expm1(x); }, -1e-3, 1e-3, n),
       3},
      {"log",
       worst<T>(
           vlog, [](long double x) { return std::log(x); }, 1e-30, 4, n),
       2},
      {"log near 1",
       worst<T>(
           vlog, [](long double x) { return std::log(x); }, 0.99, 1.01, n),
       2},
      {"log large",
       worst<T>(
           vlog, [](long double x) { return std::log(x); }, 1, 1e30, n),
       2},
      {"log1p",
       worst<T>(
           vlog1p, [](long double x) { return std::log1p(x); }, 0, 2, n),
       3},
      {"tanh",
       worst<T>(
           vtanh, [](long double x) { return std::tanh(x); }, -12, 12, n),
       4},
      {"tanh near 0",
       worst<T>(
           vtanh, [](long double x) { return std::tanh(x); }, -1e-2, 1e-2, n),
       4},
      {"sigmoid", worst<T>(vsigmoid, sigmoid_exact, exp_low + 1, 40, n), 3},
  };
  for (const auto& row : rows) {
    std::printf("%-13s %zu bytes: %.2f ulp (at most %.0f)\n", row.name, sizeof(T), row.error,
                row.bound);
    CHECK(row.error <= row.bound);
  }
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
  check_shifts<T>([](Vec<T> x) { return sqrt(abs(x)); });
}

}  // namespace

int main() {
  check_accuracy<float>(-87, 88);
  check_accuracy<double>(-700, 709);
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
