// Schedules: t (steps or epochs, from 0) -> a learning rate, or whatever number follows one. Here
// those that fall or stand; waves and cycles, and what is made of other schedules, lie beside.
#pragma once

#include "lamina/functions/schedules_compound.hpp"
#include "lamina/functions/schedules_cyclic.hpp"

namespace lamina {

struct ConstantSchedule {
  static Info info() {
    return {"Constant", "constant", {}, {level("learning_rate")}, "learning_rate", ""};
  }
  static double value(const double* p, double, double) { return p[0]; }
  static Bounds bounds(const double* p) { return {p[0], p[0]}; }
};

struct StepSchedule {
  static Info info() {
    return {"Step",
            "step",
            {"step_decay"},
            {level("learning_rate"),
             {"step_size", std::nan(""), 1, kInfinity, kLengthUnit},
             {"gamma", 0.1, 0, kInfinity},
             kUnit},
            "learning_rate gamma^floor(t / step_size)",
            "torch.optim.lr_scheduler.StepLR"};
  }
  static double value(const double* p, double t, double) {
    return p[0] * raised(p[2], std::floor(t / p[1]));
  }
  static Bounds bounds(const double* p) { return falling(p[0], p[2]); }
};

struct MultiStepSchedule {
  static Info info() {
    return {"MultiStep",
            "multi_step",
            {},
            {level("learning_rate"),
             {"milestones", std::nan(""), 0, kInfinity, kLengthUnit, ParameterKind::list},
             {"gamma", 0.1, 0, kInfinity},
             kUnit},
            "learning_rate gamma^(number of milestones <= t)",
            "torch.optim.lr_scheduler.MultiStepLR"};
  }
  static double value(const double* p, double t, double) {
    std::uint64_t passed = 0;
    for (const double milestone : list_at(p, 1)) passed += milestone <= t;
    return p[0] * power(p[2], passed);
  }
  static Bounds bounds(const double* p) { return falling(p[0], p[2]); }
};

struct ExponentialSchedule {
  static Info info() {
    return {"Exponential",
            "exponential",
            {"exponential_decay"},
            {level("learning_rate"),
             {"gamma", std::nan(""), 0, kInfinity},
             {"decay_steps", 1, kLeast, kInfinity, kLengthUnit},
             flag("staircase"),
             kUnit},
            "learning_rate gamma^(t / decay_steps)",
            "torch.optim.lr_scheduler.ExponentialLR; Keras' ExponentialDecay"};
  }
  static double value(const double* p, double t, double) {
    return p[0] * raised(p[1], stairs(t / p[2], p[3]));
  }
  static Bounds bounds(const double* p) { return falling(p[0], p[1]); }
};

struct InverseTimeSchedule {
  static Info info() {
    return {"InverseTime",
            "inverse_time",
            {"inverse_time_decay"},
            {level("learning_rate"),
             {"decay_rate", std::nan(""), 0, kInfinity},
             {"decay_steps", 1, kLeast, kInfinity, kLengthUnit},
             flag("staircase"),
             kUnit},
            "learning_rate / (1 + decay_rate t / decay_steps)",
            "Robbins & Monro, A stochastic approximation method, 1951; Keras' InverseTimeDecay"};
  }
  static double value(const double* p, double t, double) {
    return p[0] / (1 + p[1] * stairs(t / p[2], p[3]));
  }
  static Bounds bounds(const double* p) { return {0, p[0]}; }
};

struct PolynomialSchedule {
  static Info info() {
    return {"Polynomial",
            "polynomial",
            {"polynomial_decay"},
            {level("learning_rate"),
             kLength,
             level("final_learning_rate", 0.0),
             {"power", 1, 0, kInfinity},
             flag("cycle"),
             kUnit},
            "final + (learning_rate - final) (1 - t / total_steps)^power",
            "torch.optim.lr_scheduler.PolynomialLR; Keras' PolynomialDecay"};
  }
  static double value(const double* p, double t, double total) {
    if (p[4] != 0) total *= std::max(1.0, std::ceil(t / total));
    return p[2] + (p[0] - p[2]) * raised(1 - std::min(1.0, t / total), p[3]);
  }
  static Bounds bounds(const double* p) { return between(p[0], p[2]); }
};

struct LinearSchedule {
  static Info info() {
    return {"Linear",
            "linear",
            {},
            {level("learning_rate"), kLength, level("final_learning_rate", 0.0), kUnit},
            "learning_rate + (final - learning_rate) t / total_steps",
            "torch.optim.lr_scheduler.LinearLR"};
  }
  static double value(const double* p, double t, double total) {
    return line_between(p[0], p[2], std::min(1.0, t / total));
  }
  static Bounds bounds(const double* p) { return between(p[0], p[2]); }
};

using Schedules = List<ConstantSchedule, StepSchedule, MultiStepSchedule, ExponentialSchedule,
                       InverseTimeSchedule, PolynomialSchedule, LinearSchedule, CosineSchedule,
                       CosineRestartsSchedule, FlatCosineSchedule, CosLogSchedule, CyclicalSchedule,
                       OneCycleSchedule, WarmupSchedule, PiecewiseSchedule, FunctionSchedule>;

}  // namespace lamina
