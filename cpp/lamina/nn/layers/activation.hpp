#pragma once

#include "lamina/functions/initializers.hpp"
#include "lamina/nn/layer.hpp"
#include "lamina/nn/ops/activation_op.hpp"
#include "lamina/nn/ops/blend_op.hpp"

namespace lamina {

inline Choice read_activation(const Json& json) {
  return read_choice("activation", Activations::infos(), json.is_null() ? Json("linear") : json);
}

// Appends the op, with a tensor of its own if the activation is learned; nothing for linear.
inline Value build_activation(Builder& builder, const Choice& choice, Value x) {
  const Info& info = Activations::infos()[static_cast<std::size_t>(choice.index)];
  if (std::string(info.name) == "linear") return x;
  if (const std::optional<Blend> learned = blend_of(choice)) {
    Tensor alpha;
    alpha.name = "alpha";
    alpha.role = Role::scale;
    alpha.shape = {x.width};
    alpha.initializer = {Initializers::place<ConstantInitializer>, {learned->initial}};
    const int tensor = builder.tensor(alpha);
    return builder.op<BlendOp>({x}, x.width, *learned, tensor, builder.tensor_at(tensor).offset);
  }
  return builder.op<ActivationOp>({x}, x.width, choice);
}

class Activation : public Layer {
 public:
  static std::vector<Argument> arguments() { return with_parameters({required("activation")}); }
  Activation(const Json& json, Names&)
      : choice_(read_activation(Fields("Activation", json).at("activation"))) {}
  Value build(Builder& builder, Value x) const override {
    width(x);
    return build_activation(builder, choice_, x);
  }
  Json config() const override {
    return {{"activation", write_choice(Activations::infos(), choice_)}};
  }

 private:
  Choice choice_;
};

}  // namespace lamina
