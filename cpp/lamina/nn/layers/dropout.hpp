#pragma once

#include "lamina/nn/layer.hpp"
#include "lamina/nn/ops/dropout_op.hpp"

namespace lamina {

class Dropout : public Layer {
 public:
  static std::vector<Argument> arguments() { return {required("rate")}; }
  Dropout(const Json& json, Names&) : rate_(Fields("Dropout", json).number("rate", 0, 1)) {
    require(rate_ < 1, "Dropout: rate must be below 1 (1 would drop everything)");
  }
  Value build(Builder& builder, Value x) const override {
    width(x);
    return rate_ == 0 ? x : builder.op<DropoutOp>({x}, x.width, rate_);
  }
  Json config() const override { return {{"rate", rate_}}; }

 private:
  double rate_;
};

}  // namespace lamina
