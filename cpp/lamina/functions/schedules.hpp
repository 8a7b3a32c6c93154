// Schedules of the learning rate: step (from 0) and the planned number of steps -> rate.
#pragma once

#include <algorithm>
#include <cmath>

#include "lamina/base/math.hpp"
#include "lamina/functions/info.hpp"

namespace lamina {

// value + cosine arc from `from` (at 0) to `to` (at 1).
inline double cosine_between(double from, double to, double share) {
  return to + (from - to) * 0.5 * (1 + cos_pi(share));
}

struct ConstantSchedule {
  static Info info() {
    return {"Constant",      "constant", {}, {{"learning_rate", std::nan(""), 0, kInfinity}},
            "learning_rate", ""};
  }
  static constexpr int length_parameter = -1;
  static double value(const double* p, double, double) { return p[0]; }
};

struct CosineSchedule {
  static Info info() {
    return {"Cosine",
            "cosine",
            {},
            {{"learning_rate", std::nan(""), 0, kInfinity},
             optional("total_steps", 1, kInfinity, "steps"),
             {"final_learning_rate", 0.0, 0, kInfinity}},
            "final + (initial - final) (1 + cos(pi step / total_steps)) / 2",
            "Loshchilov & Hutter, SGDR, arXiv 1608.03983"};
  }
  static constexpr int length_parameter = 1;
  static double value(const double* p, double step, double total) {
    return cosine_between(p[0], p[2], std::min(1.0, step / total));
  }
};

// torch's OneCycleLR with cosine annealing in two phases.
struct OneCycleSchedule {
  static Info info() {
    return {"OneCycle",
            "one_cycle",
            {"onecycle"},
            {{"max_learning_rate", std::nan(""), 0, kInfinity},
             optional("total_steps", 1, kInfinity, "steps"),
             {"pct_start", 0.3, 0, 1, "share of the steps that rise"},
             {"div_factor", 25.0, 1, kInfinity, "maximum / initial rate"},
             {"final_div_factor", 1e4, 1, kInfinity, "initial / final rate"}},
            "from max / div_factor up to max, then down to max / (div_factor final_div_factor), "
            "along cosines",
            "Smith & Topin, Super-convergence, arXiv 1708.07120"};
  }
  static constexpr int length_parameter = 1;
  static double value(const double* p, double step, double total) {
    const double low = p[0] / p[3], final = low / p[4];
    const double peak = p[2] * total - 1, last = total - 1;
    step = std::min(step, last);
    if (step <= peak && peak > 0) return cosine_between(low, p[0], step / peak);
    if (last <= peak) return p[0];
    return cosine_between(p[0], final, (step - peak) / (last - peak));
  }
};

using Schedules = List<ConstantSchedule, CosineSchedule, OneCycleSchedule>;

// The rate at `step`. `planned` is fit's number of steps, used if the schedule has no length of its
// own; 0 means that there is no fit.
double schedule_value(const Choice& schedule, std::uint64_t step, std::uint64_t planned);

// True if the schedule takes its length from fit.
bool length_comes_from_fit(const Choice& schedule);

}  // namespace lamina
