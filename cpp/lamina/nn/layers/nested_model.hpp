// A model as a layer of another: its layers are the other's, its Inputs stand for what it is given.
#pragma once

#include "lamina/nn/network.hpp"

namespace lamina {

class NestedModel : public Layer {
 public:
  static std::vector<Argument> arguments() {
    return {required("layers"), {"wiring", nullptr}, {"outputs", nullptr}};
  }
  NestedModel(const Json& json, Names& names) : network_(read_network(json, names)) {
    require(!network_.layers.empty() && network_.layers[0]->is_input(),
            "NestedModel: the first layer must be an Input");
  }
  Values apply(Builder& builder, const Values& inputs) const override {
    for (const Value& x : inputs)
      require(x.id >= 0, "Model: the first element must be lm.Input(columns), e.g. lm.Input(64)");
    Builder::Given mine{inputs, 0};
    Builder::Given* const outer = std::exchange(builder.given, &mine);
    Values outputs = build_network(network_, builder);
    builder.given = outer;
    require(mine.taken == inputs.size(), "NestedModel '", name, "': it has ", mine.taken,
            " inputs, got ", inputs.size());
    return outputs;
  }
  Json config() const override {
    Json out = {{"layers", Json::array()}, {"wiring", nullptr}, {"outputs", nullptr}};
    write_network(network_, out);
    return out;
  }

 private:
  Network network_;
};

}  // namespace lamina
