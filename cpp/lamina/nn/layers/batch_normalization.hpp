#pragma once

#include "lamina/functions/initializers.hpp"
#include "lamina/nn/layer.hpp"
#include "lamina/nn/ops/normalize_op.hpp"

namespace lamina {

// Keras' convention: running = momentum * running + (1 - momentum) * batch.
class BatchNormalization : public Layer {
 public:
  static std::vector<Argument> arguments() { return {{"momentum", 0.99}, {"epsilon", 1e-3}}; }
  BatchNormalization(const Json& json, Names&) {
    const Fields fields("BatchNormalization", json);
    momentum_ = fields.number("momentum", 0, 1);
    epsilon_ = fields.number("epsilon", 0, kInfinity);
  }
  Value build(Builder& builder, Value x) const override {
    const Index n = width(x);
    const auto add = [&](const char* tensor, Role role, const char* start, bool trainable) {
      Tensor t;
      t.name = tensor;
      t.role = role;
      t.shape = {n};
      t.initializer = read_choice("initializer", Initializers::infos(), start);
      t.trainable = trainable;
      return builder.tensor(t);
    };
    const int gamma = add("gamma", Role::scale, "ones", true),
              beta = add("beta", Role::bias, "zeros", true);
    const int mean = add("moving_mean", Role::statistic, "zeros", false);
    const int variance = add("moving_variance", Role::statistic, "ones", false);
    const auto offset = [&](int i) { return builder.tensor_at(i).offset; };
    const NormalizeOffsets at{offset(gamma), offset(beta), offset(mean), offset(variance)};
    return builder.op<NormalizeOp>({x}, n, gamma, beta, at, n, momentum_, epsilon_);
  }
  Json config() const override { return {{"momentum", momentum_}, {"epsilon", epsilon_}}; }

 private:
  double momentum_, epsilon_;
};

}  // namespace lamina
