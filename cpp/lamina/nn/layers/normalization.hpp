#pragma once

#include "lamina/nn/layers/preprocessing.hpp"
#include "lamina/nn/ops/rescale_columns_op.hpp"

namespace lamina {

// y = (x - mean) / deviation, both learned from data or given.
class Normalization : public Layer {
 public:
  static std::vector<Argument> arguments() { return {{"mean", nullptr}, {"variance", nullptr}}; }
  Normalization(const Json& json, Names&)
      : mean_(read(json, "mean", -kInfinity)), variance_(read(json, "variance", 0)) {
    require(mean_.empty() == variance_.empty(),
            "Normalization: mean and variance are given together, or neither: then they are "
            "learned from data");
  }

  Value build(Builder& builder, Value x) const override {
    const Index n = width(x);
    builder.require_room(n);  // for what one number is spread to
    std::vector<double> deviation = spread("variance", variance_, n);
    for (double& one : deviation) one = std::sqrt(one);
    RescaleColumns what;
    what.adapts = mean_.empty();
    what.centre = build_centre(builder, "center", n, spread("mean", mean_, n));
    what.scale = build_statistic(builder, "scale", n, deviation);
    return builder.op<RescaleColumnsOp>({x}, n, "normalization", n, what);
  }
  Json config() const override { return {{"mean", write(mean_)}, {"variance", write(variance_)}}; }

 private:
  static std::vector<double> read(const Json& json, const char* name, double least) {
    const Json given = json.value(name, Json(nullptr));
    if (given.is_null()) return {};
    std::vector<double> out;
    for (const Json& one : given.is_array() ? given : Json::array({given})) {
      require(one.is_number() && one.get<double>() >= least, "Normalization: ", name,
              " must be a number", least == 0 ? " of at least 0" : "", " or a list of them, got ",
              given.dump());
      out.push_back(one.get<double>());
    }
    require(!out.empty(), "Normalization: ", name, " is empty");
    return out;
  }
  static Json write(const std::vector<double>& values) {
    if (values.empty()) return nullptr;
    return values.size() == 1 ? Json(values[0]) : Json(values);
  }
  // One number stands for all columns.
  static std::vector<double> spread(const char* name, const std::vector<double>& values, Index n) {
    if (values.size() == 1) return std::vector<double>(static_cast<std::size_t>(n), values[0]);
    require(values.empty() || static_cast<Index>(values.size()) == n, "Normalization: ", name,
            " has ", values.size(), " numbers, its input has ", n, " columns");
    return values;
  }

  std::vector<double> mean_, variance_;  // empty: learned
};

}  // namespace lamina
