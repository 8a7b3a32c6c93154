// What optimizers share. One has prepare(), called once a step in double, and update(), called for
// a register. The scalars that prepare() writes hold the learning rate in scalars[0] (or where
// `proportional` says), so that a tensor's multiplier can be applied to it. Slots that uses()
// leaves out are read as 0 and never written.
#pragma once

#include <cmath>

#include "lamina/base/math.hpp"
#include "lamina/functions/info.hpp"

namespace lamina {

inline constexpr int kMaxSlots = 3;
inline constexpr int kMaxScalars = 8;

// A decay rate of 1 would never forget; Adam's bias correction would divide by 0.
inline constexpr double kBelowOne = 0.999999;

inline constexpr Parameter rate(double value) { return {"learning_rate", value, 0, kInfinity}; }
inline constexpr Parameter epsilon(double value) { return {"epsilon", value, 0, kInfinity}; }
// Whose form where the two differ; the place among the parameters is the optimizer's.
inline constexpr Parameter kForm = choice_of("form", "torch|keras");

namespace detail {

template <class T>
Vec<T> sign(Vec<T> w) {
  const Vec<T> zero(T(0)), one(T(1));
  return select(less(zero, w), one, select(less(w, zero), -one, zero));
}
// average + (value - average) share: torch's lerp.
template <class T>
Vec<T> blend_in(Vec<T> average, Vec<T> value, Vec<T> share) {
  return fma(share, value - average, average);
}
// keep average + share g^2
template <class T>
Vec<T> blend_square(Vec<T> average, Vec<T> g, Vec<T> keep, Vec<T> share) {
  return fma(share * g, g, keep * average);
}

}  // namespace detail
}  // namespace lamina
