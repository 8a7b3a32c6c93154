// y = x * scale + bias, a number a column.
#pragma once

#include "lamina/functions/initializers.hpp"
#include "lamina/nn/layers/affine.hpp"
#include "lamina/nn/ops/affine_op.hpp"

namespace lamina {

class Scale : public Layer {
 public:
  static std::vector<Argument> arguments() {
    return with_parameters({{"use_bias", false}, {"initializer", "ones"}});
  }
  Scale(const Json& json, Names&)
      : use_bias_(Fields("Scale", json).flag("use_bias")),
        initializer_(read_choice("initializer", Initializers::infos(), json.at("initializer"))) {}
  Value build(Builder& builder, Value x) const override {
    const Index n = width(x);
    const auto add = [&](const char* tensor, Role role, const Choice& start) {
      Tensor t;
      t.name = tensor;
      t.role = role;
      t.shape = {n};
      t.initializer = start;
      return builder.tensor(t);
    };
    const int scale = add("scale", Role::scale, initializer_),
              bias = use_bias_
                         ? add("bias", Role::bias, {Initializers::place<ZerosInitializer>, {}})
                         : -1;
    const AffineTensors affine = affine_tensors(builder, scale, bias);
    return builder.op<AffineOp>({x}, n, affine, n);
  }
  Json config() const override {
    return {{"use_bias", use_bias_},
            {"initializer", write_choice(Initializers::infos(), initializer_)}};
  }

 private:
  bool use_bias_;
  Choice initializer_;
};

}  // namespace lamina
