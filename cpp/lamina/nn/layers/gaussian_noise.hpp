#pragma once

#include "lamina/nn/layers/noise_level.hpp"
#include "lamina/nn/ops/noise_op.hpp"

namespace lamina {

class GaussianNoise : public Layer {
 public:
  static std::vector<Argument> arguments() { return {required("stddev")}; }
  GaussianNoise(const Json& json, Names& names)
      : deviation_("GaussianNoise", {"stddev", 0, 0, kInfinity}, json, names) {}
  Value build(Builder& builder, Value x) const override {
    width(x);
    if (deviation_.never()) return x;
    return builder.op<NoiseOp>({x}, x.width, deviation_.number(), deviation_.schedule());
  }
  Json config() const override { return deviation_.config(); }

 private:
  NoiseLevel deviation_;
};

}  // namespace lamina
