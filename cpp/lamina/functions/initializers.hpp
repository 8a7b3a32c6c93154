// Initialisers of weights. Every number comes from Philox by (seed, tensor, element), so a tensor's
// start does not depend on the others.
#pragma once

#include <cmath>

#include "lamina/base/math.hpp"
#include "lamina/base/philox.hpp"
#include "lamina/functions/info.hpp"

namespace lamina {

enum class Fan { in, average, out };
enum class Shape { constant, uniform, normal };

// What an initialiser amounts to: a constant, or a variance scale / fan.
struct Filling {
  Shape shape = Shape::constant;
  double number = 0;  // the constant, or the scale of the variance
  Fan fan = Fan::in;
};

struct ZerosInitializer {
  static Info info() { return {"Zeros", "zeros", {}, {}, "0", ""}; }
  static Filling filling(const double*) { return {Shape::constant, 0, Fan::in}; }
};
struct OnesInitializer {
  static Info info() { return {"Ones", "ones", {}, {}, "1", ""}; }
  static Filling filling(const double*) { return {Shape::constant, 1, Fan::in}; }
};
struct ConstantInitializer {
  static Info info() { return {"Constant", "constant", {}, {{"value", 0.0}}, "value", ""}; }
  static Filling filling(const double* p) { return {Shape::constant, p[0], Fan::in}; }
};
inline constexpr const char* kGlorot =
    "Glorot & Bengio, Understanding the difficulty of training deep feedforward neural networks, "
    "AISTATS 2010";
struct GlorotUniform {
  static Info info() {
    return {"GlorotUniform",
            "glorot_uniform",
            {"xavier_uniform"},
            {},
            "U(-a, a), a = sqrt(6 / (fan_in + fan_out))",
            kGlorot};
  }
  static Filling filling(const double*) { return {Shape::uniform, 1, Fan::average}; }
};
struct GlorotNormal {
  static Info info() {
    return {"GlorotNormal",
            "glorot_normal",
            {"xavier_normal"},
            {},
            "N(0, 2 / (fan_in + fan_out)), truncated at two standard deviations",
            kGlorot};
  }
  static Filling filling(const double*) { return {Shape::normal, 1, Fan::average}; }
};
inline constexpr const char* kHe = "He et al., Delving deep into rectifiers, arXiv 1502.01852";
struct HeUniform {
  static Info info() {
    return {"HeUniform", "he_uniform", {"kaiming_uniform"}, {}, "U(-a, a), a = sqrt(6 / fan_in)",
            kHe};
  }
  static Filling filling(const double*) { return {Shape::uniform, 2, Fan::in}; }
};
struct HeNormal {
  static Info info() {
    return {"HeNormal",
            "he_normal",
            {"kaiming_normal"},
            {},
            "N(0, 2 / fan_in), truncated at two standard deviations",
            kHe};
  }
  static Filling filling(const double*) { return {Shape::normal, 2, Fan::in}; }
};
inline constexpr const char* kLeCun = "LeCun et al., Efficient BackProp, 1998";
struct LeCunUniform {
  static Info info() {
    return {"LeCunUniform", "lecun_uniform", {}, {}, "U(-a, a), a = sqrt(3 / fan_in)", kLeCun};
  }
  static Filling filling(const double*) { return {Shape::uniform, 1, Fan::in}; }
};
struct LeCunNormal {
  static Info info() {
    return {"LeCunNormal",
            "lecun_normal",
            {},
            {},
            "N(0, 1 / fan_in), truncated at two standard deviations",
            kLeCun};
  }
  static Filling filling(const double*) { return {Shape::normal, 1, Fan::in}; }
};

using Initializers = List<ZerosInitializer, OnesInitializer, ConstantInitializer, GlorotUniform,
                          GlorotNormal, HeUniform, HeNormal, LeCunUniform, LeCunNormal>;

// Fills out[0..n). fan_in and fan_out are the tensor's; `tensor` its place in the model.
template <class T>
void initialize(const Choice& choice, std::uint64_t seed, std::uint32_t tensor, Index fan_in,
                Index fan_out, Index n, T* out);

}  // namespace lamina
