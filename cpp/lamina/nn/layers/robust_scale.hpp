#pragma once

#include "lamina/nn/layers/preprocessing.hpp"
#include "lamina/nn/ops/rescale_columns_op.hpp"

namespace lamina {

// z = (x - median) / scale, y = z / sqrt(1 + (z / limit)^2): Holzmüller, Grinsztajn & Steinwart,
// Better by default, arXiv 2407.04491. scale: the interquartile range, where that is 0 half the
// range.
class RobustScale : public Layer {
 public:
  static std::vector<Argument> arguments() { return {{"limit", 3.0}}; }
  RobustScale(const Json& json, Names&) {
    const Fields fields("RobustScale", json);
    limit_ = fields.number("limit", kInfinity, 0, kInfinity);
    require(limit_ > 0, "RobustScale: limit must be above 0, or None for no clipping, got 0");
  }
  Value build(Builder& builder, Value x) const override {
    const Index n = width(x);
    RescaleColumns what;
    what.by = ScaleBy::quartiles;
    what.limit = limit_;
    what.centre = build_centre(builder, "center", n);
    what.scale = build_statistic(builder, "scale", n);
    return builder.op<RescaleColumnsOp>({x}, n, "robust_scale", n, what);
  }
  Json config() const override {
    return {{"limit", limit_ < kInfinity ? Json(limit_) : Json(nullptr)}};
  }

 private:
  double limit_;
};

}  // namespace lamina
