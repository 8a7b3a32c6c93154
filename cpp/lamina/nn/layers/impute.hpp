#pragma once

#include "lamina/nn/layers/preprocessing.hpp"
#include "lamina/nn/ops/impute_op.hpp"

namespace lamina {

class Impute : public Layer {
 public:
  static std::vector<Argument> arguments() { return {{"indicator", false}}; }
  Impute(const Json& json, Names&) : indicator_(Fields("Impute", json).flag("indicator")) {}
  Value build(Builder& builder, Value x) const override {
    const Index n = width(x);
    const Centre median = build_centre(builder, "median", n);
    const Index missing = indicator_ ? build_statistic(builder, "missing", n) : Index{-1};
    return builder.op<ImputeOp>({x}, indicator_ ? 2 * n : n, n, median, missing);
  }
  Json config() const override { return {{"indicator", indicator_}}; }

 private:
  bool indicator_;
};

}  // namespace lamina
