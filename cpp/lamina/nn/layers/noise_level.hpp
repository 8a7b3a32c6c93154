// How much noise: an argument of a layer that is a number or follows a schedule.
#pragma once

#include "lamina/nn/layer.hpp"

namespace lamina {

class NoiseLevel {
 public:
  // The argument `parameter.name` of the layer `owner`, in the parameter's range.
  NoiseLevel(const char* owner, const Parameter& parameter, const Json& json, const Names& names)
      : name_(parameter.name) {
    const Fields fields(owner, json);
    if (!is_schedule(fields.at(name_))) {
      number_ = fields.number(name_, parameter.minimum, parameter.maximum);
      return;
    }
    const ScheduleFunctions none;
    schedule_ = std::make_shared<Scheduled>(
        owner, parameter, read_schedule(json.at(name_), names.functions ? *names.functions : none));
  }
  Json config() const {
    return {{name_, schedule_ ? write_schedule(schedule_->schedule()) : Json(number_)}};
  }
  bool never() const { return !schedule_ && number_ == 0; }
  double number() const { return number_; }
  const std::shared_ptr<const Scheduled>& schedule() const { return schedule_; }

 private:
  const char* name_;
  double number_ = 0;
  std::shared_ptr<const Scheduled> schedule_;  // instead of the number
};

// The rate of a dropout, at least 0 and below 1.
inline NoiseLevel read_rate(const char* owner, const Json& json, const Names& names) {
  const Json& rate = Fields(owner, json).at("rate");
  if (rate.is_number())
    require(rate < 1, owner, ": rate must be below 1 (1 would drop everything), got ", rate.dump());
  return NoiseLevel(owner, {"rate", 0, 0, 0.9999999}, json, names);
}

}  // namespace lamina
