#pragma once

#include "lamina/nn/layer.hpp"
#include "lamina/nn/ops/dropout_op.hpp"

namespace lamina {

class Dropout : public Layer {
 public:
  static std::vector<Argument> arguments() { return {required("rate")}; }
  Dropout(const Json& json, Names& names) {
    const Fields fields("Dropout", json);
    if (is_schedule(fields.at("rate"))) {
      const Parameter range = {"rate", 0, 0, kMostDropped};
      const ScheduleFunctions none;
      schedule_ = std::make_shared<Scheduled>(
          "Dropout", range,
          read_schedule(json.at("rate"), names.functions ? *names.functions : none));
      return;
    }
    rate_ = fields.number("rate", 0, 1);
    require(rate_ < 1, "Dropout: rate must be below 1 (1 would drop everything)");
  }
  Value build(Builder& builder, Value x) const override {
    width(x);
    if (!schedule_ && rate_ == 0) return x;
    return builder.op<DropoutOp>({x}, x.width, rate_, schedule_);
  }
  Json config() const override {
    return {{"rate", schedule_ ? write_schedule(schedule_->schedule()) : Json(rate_)}};
  }

 private:
  static constexpr double kMostDropped = 0.9999999;  // of a schedule
  double rate_ = 0;
  std::shared_ptr<const Scheduled> schedule_;  // instead of the rate
};

}  // namespace lamina
