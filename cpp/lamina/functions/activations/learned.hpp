// Activations with a learned number for each unit, `alpha`: a blend of a function f and its input,
//   y = x + alpha (f(x) - x), or of_input: y = f(x) + alpha (x - f(x)).
// In a network alpha is a tensor (nn/ops/blend_op.hpp); alone it is the number it starts from.
#pragma once

#include "lamina/functions/activations/piecewise.hpp"

namespace lamina {

// relu(x) + alpha (x - relu(x)) = max(0, x) + alpha min(0, x).
struct PReLU {
  static Info info() {
    return {"PReLU",
            "prelu",
            {},
            {{"initial", 0.25, -kInfinity, kInfinity, "slope for x < 0 at the start"}},
            "max(0, x) + alpha min(0, x), alpha learned for each unit; derivative alpha at 0",
            "He et al., Delving deep into rectifiers, arXiv 1502.01852",
            {0}};
  }
  static constexpr bool of_input = true;
  static double initial(const double* p) { return p[0]; }
  template <class All>
  static Choice base(const double*) {
    return {All::template place<ReLU>, {}};
  }
};

struct Parametric {
  static Info info() {
    return {"Parametric",
            "parametric",
            {},
            {activation_of("activation", "relu"),
             {"initial", 1.0, -kInfinity, kInfinity, "share of the function at the start"}},
            "x + alpha (f(x) - x), alpha learned for each unit",
            "Holzmueller, Grinsztajn & Steinwart, Better by default, arXiv 2407.04491",
            {0}};  // of the function that is the default
  }
  static constexpr bool of_input = false;
  static double initial(const double* p) { return p[1]; }
  template <class All>
  static Choice base(const double* p) {
    return activation_at(p, 0);
  }
};

}  // namespace lamina
