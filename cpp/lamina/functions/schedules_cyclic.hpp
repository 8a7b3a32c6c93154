// Schedules along cosines, and those that rise and fall.
#pragma once

#include "lamina/functions/schedules_shapes.hpp"

namespace lamina {

struct CosineSchedule {
  static Info info() {
    return {"Cosine",
            "cosine",
            {"cosine_decay", "cosine_annealing"},
            {level("learning_rate"), kLength, level("final_learning_rate", 0.0), kUnit},
            "final + (learning_rate - final) (1 + cos(pi t / total_steps)) / 2",
            "Loshchilov & Hutter, SGDR, arXiv 1608.03983"};
  }
  static double value(const double* p, double t, double total) {
    return cosine_between(p[0], p[2], std::min(1.0, t / total));
  }
  static Bounds bounds(const double* p) { return between(p[0], p[2]); }
};

struct CosineRestartsSchedule {
  static Info info() {
    return {
        "CosineRestarts",
        "cosine_restarts",
        {"cosine_with_restarts", "cosine_decay_restarts", "cosine_annealing_warm_restarts", "sgdr"},
        {level("learning_rate"),
         {"first_decay_steps", std::nan(""), 1, kInfinity, kLengthUnit},
         {"t_mul", 1, 1, kInfinity, "a period / the one before"},
         {"m_mul", 1, 0, 1, "a period's height / that of the one before"},
         level("final_learning_rate", 0.0),
         kUnit},
        "final + (learning_rate - final) m_mul^i (1 + cos(pi t_i / T_i)) / 2, t_i into the "
        "i-th period, T_i = first_decay_steps t_mul^i",
        "Loshchilov & Hutter, SGDR, arXiv 1608.03983"};
  }
  static double value(const double* p, double t, double) {
    double length = p[1];
    std::uint64_t period = 0;
    if (p[2] == 1) {
      const double whole = std::floor(t / length);
      period = static_cast<std::uint64_t>(whole);
      t -= whole * length;
    } else {
      for (; t >= length; ++period, length *= p[2]) t -= length;
    }
    const double share = std::clamp(t / length, 0.0, 1.0);
    return p[4] + (p[0] - p[4]) * power(p[3], period) * 0.5 * (1 + cos_pi(share));
  }
  static Bounds bounds(const double* p) { return between(p[0], p[4]); }
};

struct FlatCosineSchedule {
  static Info info() {
    return {"FlatCosine",
            "flat_cosine",
            {"flat_then_cosine", "flat_cos"},
            {level("learning_rate"),
             kLength,
             {"pct_start", 0.75, 0, 1, "share of the length that is flat"},
             level("final_learning_rate", 0.0),
             kUnit},
            "learning_rate up to pct_start total_steps, then a cosine down to final at total_steps",
            "fastai's fit_flat_cos"};
  }
  static double value(const double* p, double t, double total) {
    const double flat = p[2] * total;
    if (t <= flat) return p[0];
    return cosine_between(p[0], p[3], std::min(1.0, (t - flat) / (total - flat)));
  }
  static Bounds bounds(const double* p) { return between(p[0], p[3]); }
};

struct CosLogSchedule {
  static Info info() {
    return {"CosLog",
            "coslog",
            {"coslog4"},
            {level("max_learning_rate"), kLength, {"cycles", 4, kLeast, 64}, kUnit},
            "max (1 - cos(2 pi log2(1 + (2^cycles - 1) t / total_steps))) / 2",
            "Holzmueller, Grinsztajn & Steinwart, Better by default, arXiv 2407.04491"};
  }
  static double value(const double* p, double t, double total) {
    const double stretch = raised(2, p[2]) - 1;
    const double turns = log(1 + stretch * std::min(1.0, t / total)) * std::numbers::log2e;
    return p[0] * 0.5 * (1 - cos_pi(2 * turns));
  }
  static Bounds bounds(const double* p) { return {0, p[0]}; }
};

struct CyclicalSchedule {
  static Info info() {
    return {"Cyclical",
            "cyclical",
            {"cyclic"},
            {level("base_learning_rate"),
             level("max_learning_rate"),
             {"step_size_up", 2000, 1, kInfinity, kLengthUnit},
             optional("step_size_down", 1, kInfinity, kLengthUnit),
             choice_of("mode", "triangular|triangular2|exp_range"),
             {"gamma", 1, 0, 1},
             kUnit},
            "base + (max - base) s h, h a triangle from 0 up to 1 and back, s = 1, 1 / 2^cycle or "
            "gamma^t",
            "Smith, Cyclical learning rates, arXiv 1506.01186"};
  }
  static double value(const double* p, double t, double) {
    const double up = p[2], down = std::isnan(p[3]) ? up : p[3];
    const double cycle = std::floor(t / (up + down));
    const double into = std::clamp(t - cycle * (up + down), 0.0, up + down);
    const double height = into <= up ? into / up : (up + down - into) / down;
    const double scale = p[4] == 0 ? 1 : p[4] == 1 ? raised(0.5, cycle) : raised(p[5], t);
    return p[0] + (p[1] - p[0]) * height * scale;
  }
  static Bounds bounds(const double* p) { return between(p[0], p[1]); }
};

struct OneCycleSchedule {
  static Info info() {
    return {"OneCycle",
            "one_cycle",
            {"onecycle", "1cycle"},
            {level("max_learning_rate"),
             kLength,
             {"pct_start", 0.3, 0, 1, "share of the length that rises"},
             {"div_factor", 25.0, kLeast, kInfinity, "maximum / initial rate"},
             {"final_div_factor", 1e4, kLeast, kInfinity, "initial / final rate"},
             flag("three_phase"),
             choice_of("anneal_strategy", "cos|linear"),
             kUnit},
            "from max / div_factor up to max, then (three_phase: down to max / div_factor, then) "
            "down to max / (div_factor final_div_factor)",
            "Smith & Topin, Super-convergence, arXiv 1708.07120"};
  }
  static double value(const double* p, double t, double total) {
    const double low = p[0] / p[3], last = total - 1, peak = p[2] * total - 1;
    t = std::min(t, last);
    // The ends of the phases, and the values there.
    const double ends[] = {peak, p[5] != 0 ? 2 * p[2] * total - 2 : last, last};
    const double values[] = {p[0], p[5] != 0 ? low : low / p[4], low / p[4]};
    const std::size_t phases = p[5] != 0 ? 3 : 2;
    double start = 0, from = low;
    for (std::size_t i = 0; i < phases; ++i) {
      if ((t <= ends[i] && ends[i] > start) || i + 1 == phases) {
        if (ends[i] <= start) return from;
        const double share = (t - start) / (ends[i] - start);
        return (p[6] == 0 ? cosine_between : line_between)(from, values[i], share);
      }
      start = ends[i], from = values[i];
    }
    return from;
  }
  static Bounds bounds(const double* p) {
    const double low = p[0] / p[3], final = low / p[4];
    return {std::min({low, p[0], final}), std::max({low, p[0], final})};
  }
};

}  // namespace lamina
