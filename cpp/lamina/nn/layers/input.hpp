// The shape of a row. Rows of images, Input((28, 28)), are 784 columns to the layers behind.
#pragma once

#include "lamina/nn/layer.hpp"

namespace lamina {

class Input : public Layer {
 public:
  static std::vector<Argument> arguments() {
    return {required("shape"), {"kind", "numeric"}, {"cardinality", 0}};
  }
  Input(const Json& json, Names&) {
    const Fields fields("Input", json);
    const Json& shape = fields.at("shape");
    if (shape.is_array())
      port_.shape = shape.get<std::vector<Index>>();
    else
      port_.shape = {fields.whole("shape", 1)};
    require(!port_.shape.empty(), "Input: shape must have at least one dimension");
    for (const Index n : port_.shape)
      require(n >= 1, "Input: every dimension must be at least 1, got ", shape.dump());
    const std::string kind = fields.text("kind");
    require(kind == "numeric" || kind == "codes", "Input: kind must be 'numeric' or 'codes', got '",
            kind, "'");
    port_.codes = kind == "codes";
    if (port_.codes) {
      port_.cardinality = fields.whole("cardinality", 1);
      require(port_.shape == std::vector<Index>{1},
              "Input(kind='codes'): one column a port, got shape ", shape.dump());
    }
  }
  Value build(Builder& builder, Value x) const override {
    require(x.id < 0, "Input can only be the first element of a model or branch");
    if (builder.given) return take_given(builder);
    Port port = port_;
    port.name = name;
    return builder.input(port);
  }
  Json config() const override {
    return {{"shape", port_.shape},
            {"kind", port_.codes ? "codes" : "numeric"},
            {"cardinality", port_.cardinality}};
  }
  bool is_input() const override { return true; }

 private:
  // Of a model within the model: what that reads there.
  Value take_given(Builder& builder) const {
    Builder::Given& given = *builder.given;
    require(given.taken < given.values.size(), "a model in the model: it has more inputs than the ",
            given.values.size(), " that it is given");
    const Value x = given.values[given.taken++];
    const Index width = checked_size(name, port_.shape);
    require(x.width == width, name, ": expected ", width, " columns, got ", x.width);
    require(x.codes == port_.codes, name,
            port_.codes ? ": expected category codes, got numbers"
                        : ": expected numbers, got category codes");
    return builder.shape(x) == port_.shape ? x : builder.reshaped(x, port_.shape);
  }

  Port port_;
};

}  // namespace lamina
