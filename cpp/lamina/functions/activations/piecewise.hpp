// Activations made of straight lines and parabolas.
#pragma once

#include "lamina/functions/activations/common.hpp"

namespace lamina {

struct Linear {
  static Info info() { return {"Linear", "linear", {"identity"}, {}, "x", ""}; }
  static constexpr Needs needs = Needs::nothing;
  explicit Linear(const double*) {}
  template <class T>
  Vec<T> value(Vec<T> x) const {
    return x;
  }
  template <class T>
  Vec<T> derivative(Vec<T>, Vec<T>) const {
    return Vec<T>(T(1));
  }
};

struct ReLU {
  static Info info() {
    return {
        "ReLU",
        "relu",
        {},
        {},
        "max(0, x); derivative 0 at 0",
        "Nair & Hinton, Rectified linear units improve restricted Boltzmann machines, ICML 2010",
        {0}};
  }
  static constexpr Needs needs = Needs::output;
  static constexpr const char* initializer = "he_normal";
  explicit ReLU(const double*) {}
  template <class T>
  Vec<T> value(Vec<T> x) const {
    return max(x, Vec<T>(T(0)));
  }
  template <class T>
  Vec<T> derivative(Vec<T>, Vec<T> y) const {
    return select(less(Vec<T>(T(0)), y), Vec<T>(T(1)), Vec<T>(T(0)));
  }
};

struct ReLU6 {
  static Info info() {
    return {"ReLU6",
            "relu6",
            {},
            {},
            "min(max(0, x), 6); derivative 0 at 0 and 6",
            "Krizhevsky, Convolutional deep belief networks on CIFAR-10, 2010",
            {0, 6}};
  }
  static constexpr Needs needs = Needs::output;
  static constexpr const char* initializer = "he_normal";
  explicit ReLU6(const double*) {}
  template <class T>
  Vec<T> value(Vec<T> x) const {
    return detail::clamp(x, 0, 6);
  }
  template <class T>
  Vec<T> derivative(Vec<T>, Vec<T> y) const {
    return detail::strictly_between(y, 0, 6);
  }
};

struct LeakyReLU {
  static Info info() {
    return {"LeakyReLU",
            "leaky_relu",
            {},
            {{"negative_slope", 0.01, 0, 1, "slope for x < 0"}},
            "x if x > 0 else negative_slope * x; derivative negative_slope at 0",
            "Maas, Hannun & Ng, Rectifier nonlinearities improve neural network acoustic models, "
            "ICML 2013",
            {0}};
  }
  static constexpr Needs needs = Needs::output;
  static constexpr const char* initializer = "he_normal";
  double slope;
  explicit LeakyReLU(const double* p) : slope(p[0]) {}
  template <class T>
  Vec<T> value(Vec<T> x) const {
    return select(less(Vec<T>(T(0)), x), x, x * Vec<T>(T(slope)));
  }
  template <class T>
  Vec<T> derivative(Vec<T>, Vec<T> y) const {
    return select(less(Vec<T>(T(0)), y), Vec<T>(T(1)), Vec<T>(T(slope)));
  }
};

struct HardSigmoid {
  static Info info() {
    return {"HardSigmoid",
            "hard_sigmoid",
            {},
            {},
            "min(max(0, x + 3), 6) / 6; derivative 0 at -3 and 3",
            "Courbariaux, Bengio & David, BinaryConnect, arXiv 1511.00363; with the slope 1/6 of "
            "Howard et al., arXiv 1905.02244",
            {-3, 3}};
  }
  static constexpr Needs needs = Needs::output;
  explicit HardSigmoid(const double*) {}
  template <class T>
  Vec<T> value(Vec<T> x) const {
    return detail::clamp(x + Vec<T>(T(3)), 0, 6) / Vec<T>(T(6));
  }
  template <class T>
  Vec<T> derivative(Vec<T>, Vec<T> y) const {
    return detail::strictly_between(y, 0, 1) / Vec<T>(T(6));
  }
};

struct HardSwish {
  static Info info() {
    return {"HardSwish",
            "hard_swish",
            {"hard_silu"},
            {},
            "x min(max(0, x + 3), 6) / 6; derivative 0 at -3 and 1 at 3",
            "Howard et al., Searching for MobileNetV3, arXiv 1905.02244",
            {-3, 3}};
  }
  static constexpr Needs needs = Needs::input;
  static constexpr const char* initializer = "he_normal";
  explicit HardSwish(const double*) {}
  template <class T>
  Vec<T> value(Vec<T> x) const {
    return x * (detail::clamp(x + Vec<T>(T(3)), 0, 6) / Vec<T>(T(6)));
  }
  template <class T>
  Vec<T> derivative(Vec<T> x, Vec<T>) const {
    const Vec<T> zero(T(0)), three(T(3)), middle = x / three + Vec<T>(T(0.5));
    return select(less(-three, x), select(less(x, three), middle, Vec<T>(T(1))), zero);
  }
};

}  // namespace lamina
