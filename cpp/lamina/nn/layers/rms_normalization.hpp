#pragma once

#include "lamina/nn/layers/affine.hpp"
#include "lamina/nn/ops/row_normalize_op.hpp"

namespace lamina {

class RMSNormalization : public Layer {
 public:
  static std::vector<Argument> arguments() {
    return with_parameters({{"epsilon", 1e-6},
                            {"scale", true},
                            {"gamma_initializer", "ones"},
                            {"gamma_regularizer", nullptr}});
  }
  RMSNormalization(const Json& json, Names&) {
    const Fields fields("RMSNormalization", json);
    epsilon_ = fields.number("epsilon", 0, kInfinity);
    gamma_.read(json, fields);
  }
  Value build(Builder& builder, Value x) const override {
    const Index n = width(x);
    const AffineTensors affine = affine_tensors(builder, gamma_.build(builder, Role::scale, n), -1);
    return builder.op<RowNormalizeOp>({x}, n, false, affine, n, epsilon_);
  }
  Json config() const override {
    Json out = {{"epsilon", epsilon_}};
    gamma_.write(out);
    return out;
  }

 private:
  double epsilon_;
  VectorArgument gamma_{"gamma", "scale"};
};

}  // namespace lamina
