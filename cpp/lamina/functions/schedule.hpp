// What a schedule is to those who follow one: a choice of schedules.hpp, with the schedules inside
// it, that gives a number for each step or epoch.
#pragma once

#include <functional>

#include "lamina/functions/info.hpp"

namespace lamina {

// Where a training is. Epochs are completed ones; planned lengths are fit's, 0 without a fit.
struct Clock {
  std::uint64_t step = 0, epoch = 0;
  std::uint64_t planned_steps = 0, planned_epochs = 0;
};

// Lowest and highest value; NaN where nobody knows.
struct Bounds {
  double low, high;
};

using ScheduleFunction = std::function<double(double)>;

struct Schedule {
  Choice choice;
  bool by_epoch = false;           // t and lengths count epochs, not steps
  std::vector<Schedule> children;  // of a compound one, in order
  ScheduleFunction function;       // of FunctionSchedule

  Schedule();
  Schedule(const Schedule&);
  Schedule(Schedule&&) noexcept;
  Schedule& operator=(Schedule&&) noexcept;
  ~Schedule();

  double operator()(const Clock& clock) const;
  // At t in its own unit; `planned` is fit's length in that unit, 0 if there is none.
  double at(double t, double planned) const;
  bool length_comes_from_fit() const;
  Bounds bounds() const;

  const Info& info() const;
  const double* parameters() const { return choice.parameters.data(); }
};

// The places of "unit" and of the one length that fit can give among a schedule's parameters; -1.
int unit_parameter(const Info& info);
int length_parameter(const Info& info);

// A parameter of something that follows a schedule. What cannot always be in the parameter's range
// is refused at once; what only turns out in a step (a function's value, growth), in that step.
class Scheduled {
 public:
  Scheduled(std::string owner, const Parameter& parameter, Schedule schedule);
  double value(const Clock& clock) const;
  const Schedule& schedule() const { return schedule_; }

 private:
  std::string owner_;
  Parameter parameter_;
  Schedule schedule_;
};

}  // namespace lamina
