// Schedules made of other schedules, or of a function.
#pragma once

#include "lamina/functions/schedules_shapes.hpp"

namespace lamina {

struct WarmupSchedule {
  static Info info() {
    return {"Warmup",
            "warmup",
            {"warm_up"},
            {child("schedule"),
             {"warmup_steps", std::nan(""), 0, kInfinity, kLengthUnit},
             {"start_factor", 0, 0, 1, "first value / the schedule's first"},
             kUnit},
            "schedule(0) (f + (1 - f) t / warmup_steps) up to warmup_steps, then "
            "schedule(t - warmup_steps)",
            "Goyal et al., Accurate, large minibatch SGD, arXiv 1706.02677"};
  }
  static double value(const Schedule& s, double t, double planned) {
    const double length = s.parameters()[1], factor = s.parameters()[2];
    const double rest = planned > 0 ? std::max(1.0, planned - length) : 0;
    if (t >= length) return s.children[0].at(t - length, rest);
    return s.children[0].at(0, rest) * line_between(factor, 1, t / length);
  }
  static Bounds bounds(const Schedule& s) {
    const Bounds b = s.children[0].bounds();
    return {b.low * s.parameters()[2], b.high};
  }
  static bool length_comes_from_fit(const Schedule& s) {
    return s.children[0].length_comes_from_fit();
  }
};

struct PiecewiseSchedule {
  static Info info() {
    return {"Piecewise",
            "piecewise",
            {"piecewise_constant", "piecewise_constant_decay", "sequential"},
            {{"boundaries", std::nan(""), 0, kInfinity, kLengthUnit, ParameterKind::list},
             children("values"),
             kUnit},
            "values[i] at t - boundaries[i - 1], with i the number of boundaries <= t",
            "torch.optim.lr_scheduler.SequentialLR; Keras' PiecewiseConstantDecay"};
  }
  static double value(const Schedule& s, double t, double planned) {
    const std::span<const double> ends = list_at(s.parameters(), 0);
    std::size_t i = 0;
    while (i < ends.size() && ends[i] <= t) ++i;
    const double start = i == 0 ? 0 : ends[i - 1];
    const double end = i < ends.size() ? ends[i] : planned;
    const double length = i < ends.size() || planned > 0 ? std::max(1.0, end - start) : 0;
    return s.children[i].at(t - start, length);
  }
  static Bounds bounds(const Schedule& s) {
    Bounds all = s.children[0].bounds();
    for (const Schedule& one : s.children) {
      const Bounds b = one.bounds();
      all = {lower(all.low, b.low), -lower(-all.high, -b.high)};
    }
    return all;
  }
  static bool length_comes_from_fit(const Schedule& s) {
    return s.children.back().length_comes_from_fit();
  }
  static void check(const Schedule& s) {
    const std::span<const double> ends = list_at(s.parameters(), 0);
    require(s.children.size() == ends.size() + 1, "Piecewise: expected one value more than the ",
            ends.size(), " boundaries, got ", s.children.size());
    for (std::size_t i = 1; i < ends.size(); ++i)
      require(ends[i - 1] < ends[i], "Piecewise: boundaries must rise, got ", ends[i - 1],
              " before ", ends[i]);
  }
};

struct FunctionSchedule {
  static Info info() {
    return {"Function", "function", {"lambda"}, {function("function"), kUnit}, "function(t)", ""};
  }
  static double value(const Schedule& s, double t, double) { return s.function(t); }
  static Bounds bounds(const Schedule&) { return {std::nan(""), std::nan("")}; }
  static bool length_comes_from_fit(const Schedule&) { return false; }
};

}  // namespace lamina
