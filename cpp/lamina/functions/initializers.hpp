// Initialisers of weights. Every number comes from Philox by (seed, tensor, element), so a tensor's
// start does not depend on the others; an orthogonal matrix is made of such numbers.
#pragma once

#include <cmath>

#include "lamina/base/math.hpp"
#include "lamina/base/philox.hpp"
#include "lamina/functions/info.hpp"

namespace lamina {

// Inputs and outputs of the layer that a tensor belongs to.
struct Fans {
  double in = 1, out = 1;
  double average() const { return 0.5 * (in + out); }
};

enum class Shape { constant, uniform, normal, truncated_normal, orthogonal, identity };

// What an initialiser amounts to, beside its shape: the constant or the gain; the ends of the
// interval; or mean and standard deviation, of a truncated normal before it is cut.
struct Filling {
  Shape shape = Shape::constant;
  double first = 0, second = 0;
};

// The standard deviation of a standard normal cut at two standard deviations.
inline constexpr double kTruncatedDeviation = 0.87962566103423978;

// Of mean 0 and variance `scale` / fan.
inline Filling scaled_uniform(double scale, double fan) {
  const double limit = std::sqrt(3.0) * std::sqrt(scale / std::max(fan, 1.0));
  return {Shape::uniform, -limit, limit};
}
inline Filling scaled_normal(double scale, double fan) {
  return {Shape::truncated_normal, 0, std::sqrt(scale / std::max(fan, 1.0)) / kTruncatedDeviation};
}

struct ZerosInitializer {
  static Info info() { return {"Zeros", "zeros", {}, {}, "0", ""}; }
  static Filling filling(const double*, Fans) { return {Shape::constant, 0}; }
};
struct OnesInitializer {
  static Info info() { return {"Ones", "ones", {}, {}, "1", ""}; }
  static Filling filling(const double*, Fans) { return {Shape::constant, 1}; }
};
struct ConstantInitializer {
  static Info info() { return {"Constant", "constant", {}, {{"value", 0.0}}, "value", ""}; }
  static Filling filling(const double* p, Fans) { return {Shape::constant, p[0]}; }
};
struct RandomUniform {
  static Info info() {
    return {"RandomUniform",     "random_uniform",
            {"uniform"},         {{"minval", -0.05}, {"maxval", 0.05}},
            "U(minval, maxval)", ""};
  }
  static Filling filling(const double* p, Fans) {
    require(p[0] <= p[1], "RandomUniform: minval must be at most maxval, got ", p[0], " and ",
            p[1]);
    return {Shape::uniform, p[0], p[1]};
  }
};
struct RandomNormal {
  static Info info() {
    return {"RandomNormal",      "random_normal",
            {"normal"},          {{"mean", 0.0}, {"stddev", 0.05, 0, kInfinity}},
            "N(mean, stddev^2)", ""};
  }
  static Filling filling(const double* p, Fans) { return {Shape::normal, p[0], p[1]}; }
};
struct TruncatedNormal {
  static Info info() {
    return {"TruncatedNormal",
            "truncated_normal",
            {},
            {{"mean", 0.0}, {"stddev", 0.05, 0, kInfinity}},
            "N(mean, stddev^2) where it lies within mean +- 2 stddev, not rescaled",
            ""};
  }
  static Filling filling(const double* p, Fans) { return {Shape::truncated_normal, p[0], p[1]}; }
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
  static Filling filling(const double*, Fans fans) { return scaled_uniform(1, fans.average()); }
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
  static Filling filling(const double*, Fans fans) { return scaled_normal(1, fans.average()); }
};
inline constexpr const char* kHe = "He et al., Delving deep into rectifiers, arXiv 1502.01852";
struct HeUniform {
  static Info info() {
    return {"HeUniform", "he_uniform", {"kaiming_uniform"}, {}, "U(-a, a), a = sqrt(6 / fan_in)",
            kHe};
  }
  static Filling filling(const double*, Fans fans) { return scaled_uniform(2, fans.in); }
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
  static Filling filling(const double*, Fans fans) { return scaled_normal(2, fans.in); }
};
inline constexpr const char* kLeCun = "LeCun et al., Efficient BackProp, 1998";
struct LeCunUniform {
  static Info info() {
    return {"LeCunUniform", "lecun_uniform", {}, {}, "U(-a, a), a = sqrt(3 / fan_in)", kLeCun};
  }
  static Filling filling(const double*, Fans fans) { return scaled_uniform(1, fans.in); }
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
  static Filling filling(const double*, Fans fans) { return scaled_normal(1, fans.in); }
};

struct Orthogonal {
  static Info info() {
    return {"Orthogonal",
            "orthogonal",
            {},
            {{"gain", 1.0}},
            "gain Q, where Q R is a matrix of N(0, 1) and the diagonal of R is positive",
            "Saxe, McClelland & Ganguli, Exact solutions to the nonlinear dynamics of learning in "
            "deep linear neural networks, arXiv 1312.6120 (ICLR 2014)"};
  }
  static Filling filling(const double* p, Fans) { return {Shape::orthogonal, p[0]}; }
};
struct Identity {
  static Info info() {
    return {"Identity", "identity", {"eye"}, {{"gain", 1.0}}, "gain where row = column, else 0",
            ""};
  }
  static Filling filling(const double* p, Fans) { return {Shape::identity, p[0]}; }
};
// A start whose columns are divided, when data are there, by the standard deviation of what they
// make of them (nn/unit_variance.hpp). So the scale of the start does not matter, its shape does.
struct UnitVariance {
  static Info info() {
    return {"UnitVariance",
            "unit_variance",
            {"lsuv"},
            {choice_of("start", "orthogonal|lecun_normal"), {"rows", 1024, 1, 0x1.0p40, "rows"}},
            "each column of the start / standard deviation of its pre-activation",
            "Mishkin & Matas, All you need is a good init, arXiv 1511.06422; a unit at a time as "
            "Holzmueller, Grinsztajn & Steinwart, Better by default, arXiv 2407.04491"};
  }
  static Filling filling(const double* p, Fans fans) {
    return p[0] == 0 ? Filling{Shape::orthogonal, 1} : LeCunNormal::filling(p, fans);
  }
  static Index data_rows(const double* p) { return static_cast<Index>(p[1]); }
};

using Initializers = List<ZerosInitializer, OnesInitializer, ConstantInitializer, RandomUniform,
                          RandomNormal, TruncatedNormal, GlorotUniform, GlorotNormal, HeUniform,
                          HeNormal, LeCunUniform, LeCunNormal, Orthogonal, Identity, UnitVariance>;

// Fills out[0 ... product of shape). `tensor` is the tensor's place in the model.
template <class T>
void initialize(const Choice& choice, std::uint64_t seed, std::uint32_t tensor,
                const std::vector<Index>& shape, Fans fans, T* out);

// How many rows of data an initialiser wants to see, or 0.
Index data_rows(const Choice& choice);

}  // namespace lamina
