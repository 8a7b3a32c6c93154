// Optimizers: prepare() once a step in double, update() for a register. scalars[0] is always
// proportional to the learning rate (a tensor's multiplier is applied to it). Forms are PyTorch's.
#pragma once

#include <cmath>

#include "lamina/base/math.hpp"
#include "lamina/functions/info.hpp"

namespace lamina {

inline constexpr int kMaxSlots = 2;
inline constexpr int kMaxScalars = 6;

// A decay rate of 1 would never forget; Adam's bias correction would divide by 0.
inline constexpr double kBelowOne = 0.9999999;

inline constexpr Parameter rate(double value) { return {"learning_rate", value, 0, kInfinity}; }

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

struct Momentum {
  static Info info() {
    return {"Momentum",
            "momentum",
            {},
            {rate(0.01), {"momentum", 0.9, 0, 1}},
            "v = momentum v + g; p -= rate v",
            "Polyak, Some methods of speeding up the convergence of iteration methods, 1964"};
  }
  static constexpr int slots = 1;
  static void prepare(const double* p, double rate, std::uint64_t, double* s) {
    s[0] = rate, s[1] = p[1];
  }
  template <class T>
  static Vec<T> update(Vec<T> p, Vec<T> g, Vec<T>* v, const Vec<T>* s) {
    v[0] = fma(s[1], v[0], g);
    return fma(-s[0], v[0], p);
  }
};

struct Nesterov {
  static Info info() {
    return {"Nesterov",
            "nesterov",
            {"nag"},
            {rate(0.01), {"momentum", 0.9, 0, 1}},
            "v = momentum v + g; p -= rate (g + momentum v)",
            "Nesterov 1983; in this form Sutskever et al., On the importance of initialization and "
            "momentum, ICML 2013"};
  }
  static constexpr int slots = 1;
  static void prepare(const double* p, double rate, std::uint64_t, double* s) {
    s[0] = rate, s[1] = p[1];
  }
  template <class T>
  static Vec<T> update(Vec<T> p, Vec<T> g, Vec<T>* v, const Vec<T>* s) {
    v[0] = fma(s[1], v[0], g);
    return fma(-s[0], fma(s[1], v[0], g), p);
  }
};

struct Adagrad {
  static Info info() {
    return {"Adagrad",
            "adagrad",
            {},
            {rate(0.01),
             {"initial_accumulator_value", 0.0, 0, kInfinity},
             {"epsilon", 1e-10, 0, kInfinity}},
            "a += g^2; p -= rate g / (sqrt(a) + epsilon)",
            "Duchi, Hazan & Singer, Adaptive subgradient methods, JMLR 2011"};
  }
  static constexpr int slots = 1;
  static constexpr int initial_slot_parameter = 1;
  static void prepare(const double* p, double rate, std::uint64_t, double* s) {
    s[0] = rate, s[1] = p[2];
  }
  template <class T>
  static Vec<T> update(Vec<T> p, Vec<T> g, Vec<T>* a, const Vec<T>* s) {
    a[0] = fma(g, g, a[0]);
    return p - s[0] * g / (sqrt(a[0]) + s[1]);
  }
};

struct RMSprop {
  static Info info() {
    return {"RMSprop",
            "rmsprop",
            {},
            {rate(0.01), {"rho", 0.99, 0, 1}, {"epsilon", 1e-8, 0, kInfinity}},
            "a = rho a + (1 - rho) g^2; p -= rate g / (sqrt(a) + epsilon)",
            "Tieleman & Hinton, Neural networks for machine learning, lecture 6.5, 2012"};
  }
  static constexpr int slots = 1;
  static void prepare(const double* p, double rate, std::uint64_t, double* s) {
    s[0] = rate, s[1] = p[1], s[2] = 1 - p[1], s[3] = p[2];
  }
  template <class T>
  static Vec<T> update(Vec<T> p, Vec<T> g, Vec<T>* a, const Vec<T>* s) {
    a[0] = fma(s[2] * g, g, s[1] * a[0]);
    return p - s[0] * g / (sqrt(a[0]) + s[3]);
  }
};

struct Adam {
  static Info info() {
    return {"Adam",
            "adam",
            {},
            {rate(0.001),
             {"beta_1", 0.9, 0, kBelowOne},
             {"beta_2", 0.999, 0, kBelowOne},
             {"epsilon", 1e-8, 0, kInfinity}},
            "m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; "
            "p -= rate / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + epsilon)",
            "Kingma & Ba, Adam, arXiv 1412.6980, algorithm 1 (epsilon as there, outside the bias "
            "correction)"};
  }
  static constexpr int slots = 2;
  static void prepare(const double* p, double rate, std::uint64_t t, double* s) {
    s[0] = rate / (1 - power(p[1], t));
    s[1] = 1 - p[1];
    s[2] = p[2];
    s[3] = 1 - p[2];
    s[4] = 1 / std::sqrt(1 - power(p[2], t));
    s[5] = p[3];
  }
  template <class T>
  static Vec<T> update(Vec<T> p, Vec<T> g, Vec<T>* slot, const Vec<T>* s) {
    slot[0] = fma(s[1], g - slot[0], slot[0]);
    slot[1] = fma(s[3] * g, g, s[2] * slot[1]);
    return p - s[0] * slot[0] / fma(sqrt(slot[1]), s[4], s[5]);
  }
};

using Optimizers = List<SGD, Momentum, Nesterov, Adagrad, RMSprop, Adam>;

// One range of one tensor. The order is: gradient + L2 and L1's subgradient, clip, decoupled
// decay, optimizer, proximal L1, moving average.
template <class T>
struct UpdateRange {
  T* p = nullptr;
  const T* g = nullptr;
  T* slot[kMaxSlots] = {};
  T* average = nullptr;
  Index n = 0;
  const double* scalars = nullptr;
  double rate_multiplier = 1;
  double l2 = 0, l1 = 0;  // of the penalty
  bool proximal = true;
  double clip_scale = 1;  // from norm clipping
  double clip_value = kInfinity;
  double decay = 0;      // rate * weight_decay
  double threshold = 0;  // rate * l1, proximal
  double average_momentum = 0;
};

template <class T>
struct OptimizerKernels {
  // Updates the range; false if a weight became non-finite.
  bool (*update)(const UpdateRange<T>&);
  void (*prepare)(const double* parameters, double rate, std::uint64_t t, double* scalars);
  int slots;
  int initial_slot_parameter;  // -1: slots start at 0
};

template <class T>
const OptimizerKernels<T>& optimizer_kernels(int index);

// Sum of squares of gradient + penalty over a range, as the clip by norm sees it.
template <class T>
double squared_norm(const UpdateRange<T>& range);

}  // namespace lamina
