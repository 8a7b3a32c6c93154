#pragma once

#include "lamina/nn/layers/affine.hpp"
#include "lamina/nn/ops/row_normalize_op.hpp"

namespace lamina {

class LayerNormalization : public Layer {
 public:
  static std::vector<Argument> arguments() { return GammaAndBeta::arguments({{"epsilon", 1e-3}}); }
  LayerNormalization(const Json& json, Names&) {
    const Fields fields("LayerNormalization", json);
    epsilon_ = fields.number("epsilon", 0, kInfinity);
    affine_.read(json, fields);
  }
  Value build(Builder& builder, Value x) const override {
    const Index n = width(x);
    const AffineTensors affine = affine_.build(builder, n);
    return builder.op<RowNormalizeOp>({x}, n, true, affine, n, epsilon_);
  }
  Json config() const override {
    Json out = {{"epsilon", epsilon_}};
    affine_.write(out);
    return out;
  }

 private:
  double epsilon_;
  GammaAndBeta affine_;
};

}  // namespace lamina
