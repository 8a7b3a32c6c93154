// y = x + f(x); with a linear projection of x where widths differ.
#pragma once

#include "lamina/nn/layer.hpp"
#include "lamina/nn/ops/merge_ops.hpp"

namespace lamina {

class Residual : public Layer {
 public:
  static std::vector<Argument> arguments() { return {required("layers")}; }
  Residual(const Json& json, Names& names)
      : layers_(read_layers(Fields("Residual", json).at("layers"), names)) {
    require(!layers_.empty(), "Residual: layers must not be empty");
  }
  Value build(Builder& builder, Value x) const override {
    width(x);
    const Value y = build_all(layers_, builder, x);
    Value shortcut = x;
    if (y.width != x.width) {
      Names unused;
      const auto projection =
          read_layer({{"class", "Dense"}, {"units", y.width}, {"use_bias", false}}, unused);
      shortcut = projection->build(builder, x);
    }
    return builder.op<AddOp>({y, shortcut}, y.width);
  }
  Json config() const override { return {{"layers", write_layers(layers_)}}; }

 private:
  Layers layers_;
};

}  // namespace lamina
