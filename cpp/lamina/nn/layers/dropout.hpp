#pragma once

#include "lamina/nn/layers/noise_level.hpp"
#include "lamina/nn/ops/dropout_op.hpp"

namespace lamina {

class Dropout : public Layer {
 public:
  static std::vector<Argument> arguments() { return {required("rate")}; }
  Dropout(const Json& json, Names& names) : rate_(read_rate("Dropout", json, names)) {}
  Value build(Builder& builder, Value x) const override {
    width(x);
    if (rate_.never()) return x;
    return builder.op<DropoutOp>({x}, x.width, DropoutKind::zero, rate_.number(), rate_.schedule());
  }
  Json config() const override { return rate_.config(); }

 private:
  NoiseLevel rate_;
};

}  // namespace lamina
