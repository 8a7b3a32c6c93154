// Penalties on weights. L2 adds l2 * sum w^2 (gradient 2 l2 w). L1 adds l1 * sum |w|: proximal,
// each weight is soft-thresholded by rate * l1 after the step, so zeros are exact; otherwise the
// subgradient l1 sign(w), sign(0) = 0, joins the gradient.
#pragma once

#include "lamina/functions/info.hpp"

namespace lamina {

struct Penalty {
  double l1 = 0, l2 = 0;
  bool proximal = true;
};

inline constexpr Parameter kProximal = flag("proximal", true);

struct L1 {
  static Info info() {
    return {"L1",         "l1",
            {},           {{"l1", 0.01, 0, kInfinity}, kProximal},
            "l1 sum |w|", "proximal step: Parikh & Boyd, Proximal algorithms, 2014, section 6.5.2",
            {0}};
  }
  static Penalty penalty(const double* p) { return {p[0], 0, p[1] != 0}; }
};
struct L2 {
  static Info info() {
    return {"L2", "l2", {}, {{"l2", 0.01, 0, kInfinity}}, "l2 sum w^2; gradient 2 l2 w", ""};
  }
  static Penalty penalty(const double* p) { return {0, p[0], true}; }
};
struct L1L2 {
  static Info info() {
    return {"L1L2",
            "l1_l2",
            {"elastic_net"},
            {{"l1", 0.01, 0, kInfinity}, {"l2", 0.01, 0, kInfinity}, kProximal},
            "l1 sum |w| + l2 sum w^2",
            "Zou & Hastie, Regularization and variable selection via the elastic net, 2005",
            {0}};
  }
  static Penalty penalty(const double* p) { return {p[0], p[1], p[2] != 0}; }
};

using Regularizers = List<L1, L2, L1L2>;

}  // namespace lamina
