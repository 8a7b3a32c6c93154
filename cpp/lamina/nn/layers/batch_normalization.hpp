#pragma once

#include "lamina/nn/layers/affine.hpp"
#include "lamina/nn/ops/normalize_op.hpp"

namespace lamina {

// Keras' convention: running = momentum * running + (1 - momentum) * batch.
class BatchNormalization : public Layer {
 public:
  static std::vector<Argument> arguments() {
    return GammaAndBeta::arguments({{"momentum", 0.99}, {"epsilon", 1e-3}});
  }
  BatchNormalization(const Json& json, Names&) {
    const Fields fields("BatchNormalization", json);
    momentum_ = fields.number("momentum", 0, 1);
    epsilon_ = fields.number("epsilon", 0, kInfinity);
    affine_.read(json, fields);
  }
  Value build(Builder& builder, Value x) const override {
    const Index n = width(x);
    const AffineTensors affine = affine_.build(builder, n);
    const auto statistic = [&](const char* tensor, const char* start) {
      Tensor t;
      t.name = tensor;
      t.role = Role::statistic;
      t.shape = {n};
      t.initializer = read_choice("initializer", Initializers::infos(), start);
      t.trainable = false;
      return builder.tensor_at(builder.tensor(t)).offset;
    };
    const Index mean = statistic("moving_mean", "zeros"),
                variance = statistic("moving_variance", "ones");
    const RunningStatistics running{mean, variance, momentum_};
    return builder.op<NormalizeOp>({x}, n, affine, running, n, epsilon_);
  }
  Json config() const override {
    Json out = {{"momentum", momentum_}, {"epsilon", epsilon_}};
    affine_.write(out);
    return out;
  }

 private:
  double momentum_, epsilon_;
  GammaAndBeta affine_;
};

}  // namespace lamina
