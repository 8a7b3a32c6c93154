// y = x, with a penalty on what passes.
#pragma once

#include "lamina/nn/layer.hpp"
#include "lamina/nn/ops/activity_op.hpp"

namespace lamina {

// Appends the op, or nothing where there is no penalty.
inline Value build_activity(Builder& builder, const Penalty& penalty, Value x) {
  if (penalty.l1 == 0 && penalty.l2 == 0) return x;
  return builder.op<ActivityOp>({x}, x.width, penalty);
}

class ActivityRegularization : public Layer {
 public:
  static std::vector<Argument> arguments() { return {{"l1", 0.0}, {"l2", 0.0}}; }
  ActivityRegularization(const Json& json, Names&) {
    const Fields fields("ActivityRegularization", json);
    penalty_.l1 = fields.number("l1", 0, kInfinity);
    penalty_.l2 = fields.number("l2", 0, kInfinity);
  }
  Value build(Builder& builder, Value x) const override {
    width(x);
    return build_activity(builder, penalty_, x);
  }
  Json config() const override { return {{"l1", penalty_.l1}, {"l2", penalty_.l2}}; }

 private:
  Penalty penalty_;
};

}  // namespace lamina
