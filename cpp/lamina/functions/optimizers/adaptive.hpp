// Optimizers with a rate for each weight, from the squares of its gradients.
#pragma once

#include "lamina/functions/optimizers/common.hpp"

namespace lamina {

struct Adagrad {
  static Info info() {
    return {"Adagrad",
            "adagrad",
            {},
            {rate(0.01), {"initial_accumulator_value", 0.0, 0, kInfinity}, epsilon(1e-10), kForm},
            "a += g^2; p -= rate g / (sqrt(a) + epsilon); form keras: / sqrt(a + epsilon)",
            "Duchi, Hazan & Singer, Adaptive subgradient methods, JMLR 2011"};
  }
  static constexpr int slots = 1;
  static constexpr int initial_slot_parameter = 1;
  static void prepare(const double* p, double rate, std::uint64_t, double* s) {
    const bool inside = p[3] != 0;
    s[0] = rate, s[1] = inside ? 0 : p[2], s[2] = inside ? p[2] : 0;
  }
  template <class T>
  static Vec<T> update(Vec<T> p, Vec<T> g, Vec<T>* a, const Vec<T>* s) {
    a[0] = fma(g, g, a[0]);
    return p - s[0] * g / (sqrt(a[0] + s[2]) + s[1]);
  }
};

struct Adadelta {
  static Info info() {
    return {"Adadelta",
            "adadelta",
            {},
            {rate(1.0), {"rho", 0.9, 0, 1}, epsilon(1e-6)},
            "a = rho a + (1 - rho) g^2; d = sqrt(u + epsilon) / sqrt(a + epsilon) g; "
            "u = rho u + (1 - rho) d^2; p -= rate d",
            "Zeiler, ADADELTA: an adaptive learning rate method, arXiv 1212.5701"};
  }
  static constexpr int slots = 2;
  static void prepare(const double* p, double rate, std::uint64_t, double* s) {
    s[0] = rate, s[1] = p[1], s[2] = 1 - p[1], s[3] = p[2];
  }
  template <class T>
  static Vec<T> update(Vec<T> p, Vec<T> g, Vec<T>* slot, const Vec<T>* s) {
    slot[0] = detail::blend_square(slot[0], g, s[1], s[2]);
    const Vec<T> d = sqrt(slot[1] + s[3]) / sqrt(slot[0] + s[3]) * g;
    slot[1] = detail::blend_square(slot[1], d, s[1], s[2]);
    return fma(-s[0], d, p);
  }
};

// Slots: mean square, mean (if centered), velocity (if there is momentum).
struct RMSprop {
  static Info info() {
    return {
        "RMSprop",
        "rmsprop",
        {},
        {rate(0.01),
         {"rho", 0.99, 0, 1},
         {"momentum", 0.0, 0, 1},
         epsilon(1e-8),
         flag("centered"),
         kForm},
        "a = rho a + (1 - rho) g^2; p -= rate g / (sqrt(a) + epsilon); centered: a - m^2 for a, "
        "m = rho m + (1 - rho) g; with momentum: v = momentum v + g / ..., p -= rate v; form "
        "keras: / sqrt(a + epsilon), the rate within v",
        "Tieleman & Hinton, Neural networks for machine learning, lecture 6.5, 2012; centered: "
        "Graves, arXiv 1308.0850"};
  }
  static constexpr int slots = 3;
  static bool uses(int slot, const double* p) {
    return slot == 0 || (slot == 1 ? p[4] != 0 : p[2] != 0);
  }
  static unsigned proportional(const double* p) { return p[5] == 0 ? 1u : 2u; }
  static void prepare(const double* p, double rate, std::uint64_t, double* s) {
    const bool keras = p[5] != 0;
    s[0] = keras ? 1 : rate, s[1] = keras ? rate : 1;
    s[2] = p[1], s[3] = 1 - p[1], s[4] = p[4] != 0 ? 1 - p[1] : 0, s[5] = p[2];
    s[6] = keras ? 0 : p[3], s[7] = keras ? p[3] : 0;
  }
  template <class T>
  static Vec<T> update(Vec<T> p, Vec<T> g, Vec<T>* slot, const Vec<T>* s) {
    slot[0] = detail::blend_square(slot[0], g, s[2], s[3]);
    slot[1] = detail::blend_in(slot[1], g, s[4]);
    const Vec<T> variance = max(fma(-slot[1], slot[1], slot[0]), Vec<T>(T(0)));
    const Vec<T> push = s[1] * g / (sqrt(variance + s[7]) + s[6]);
    slot[2] = fma(s[5], slot[2], push);
    return fma(-s[0], slot[2], p);
  }
};

}  // namespace lamina
