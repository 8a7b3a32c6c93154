// Gradient descent, with and without a velocity, and Lion.
#pragma once

#include "lamina/functions/optimizers/common.hpp"

namespace lamina {

struct SGD {
  static Info info() {
    return {
        "SGD",        "sgd",         {"gradient_descent"},
        {rate(0.01)}, "p -= rate g", "Robbins & Monro, A stochastic approximation method, 1951"};
  }
  static constexpr int slots = 0;
  static void prepare(const double*, double rate, std::uint64_t, double* s) { s[0] = rate; }
  template <class T>
  static Vec<T> update(Vec<T> p, Vec<T> g, Vec<T>*, const Vec<T>* s) {
    return fma(-s[0], g, p);
  }
};

// v = momentum v + inner g; p -= outer v, where one of the two is the rate and the other 1.
struct Velocity {
  static constexpr int slots = 1;
  static unsigned proportional(const double* p) { return p[2] == 0 ? 1u : 4u; }
  static void prepare(const double* p, double rate, std::uint64_t, double* s) {
    const bool inside = p[2] != 0;
    s[0] = inside ? 1 : rate, s[1] = p[1], s[2] = inside ? rate : 1;
  }
};

struct Momentum : Velocity {
  static Info info() {
    return {"Momentum",
            "momentum",
            {},
            {rate(0.01), {"momentum", 0.9, 0, 1}, kForm},
            "v = momentum v + g; p -= rate v; form keras: v = momentum v + rate g; p -= v",
            "Polyak, Some methods of speeding up the convergence of iteration methods, 1964"};
  }
  template <class T>
  static Vec<T> update(Vec<T> p, Vec<T> g, Vec<T>* v, const Vec<T>* s) {
    v[0] = fma(s[1], v[0], s[2] * g);
    return fma(-s[0], v[0], p);
  }
};

struct Nesterov : Velocity {
  static Info info() {
    return {"Nesterov",
            "nesterov",
            {"nag"},
            {rate(0.01), {"momentum", 0.9, 0, 1}, kForm},
            "v = momentum v + g; p -= rate (g + momentum v); form keras: the rate within v",
            "Nesterov 1983; in this form Sutskever et al., On the importance of initialization and "
            "momentum, ICML 2013"};
  }
  template <class T>
  static Vec<T> update(Vec<T> p, Vec<T> g, Vec<T>* v, const Vec<T>* s) {
    const Vec<T> push = s[2] * g;
    v[0] = fma(s[1], v[0], push);
    return fma(-s[0], fma(s[1], v[0], push), p);
  }
};

struct Lion {
  static Info info() {
    return {"Lion",
            "lion",
            {},
            {rate(1e-4), {"beta_1", 0.9, 0, 1}, {"beta_2", 0.99, 0, 1}},
            "p -= rate sign(b1 m + (1 - b1) g); m = b2 m + (1 - b2) g",
            "Chen et al., Symbolic discovery of optimization algorithms, arXiv 2302.06675"};
  }
  static constexpr int slots = 1;
  static void prepare(const double* p, double rate, std::uint64_t, double* s) {
    s[0] = rate, s[1] = 1 - p[1], s[2] = 1 - p[2];
  }
  template <class T>
  static Vec<T> update(Vec<T> p, Vec<T> g, Vec<T>* m, const Vec<T>* s) {
    const Vec<T> direction = detail::sign(detail::blend_in(m[0], g, s[1]));
    m[0] = detail::blend_in(m[0], g, s[2]);
    return fma(-s[0], direction, p);
  }
};

}  // namespace lamina
