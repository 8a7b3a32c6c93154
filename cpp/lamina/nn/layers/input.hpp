// The shape of a row. Rows of images, Input((28, 28)), are 784 columns to the layers behind.
#pragma once

#include "lamina/nn/layer.hpp"

namespace lamina {

class Input : public Layer {
 public:
  static std::vector<Argument> arguments() {
    return {required("shape"), {"kind", "numeric"}, {"cardinalities", nullptr}};
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
    require(kind == "numeric" || kind == "codes" || kind == "sparse",
            "Input: kind must be 'numeric', 'codes' or 'sparse', got '", kind, "'");
    port_.codes = kind == "codes";
    port_.sparse = kind == "sparse";
    constexpr Index kMost = 2147483647;  // of int32
    require(!port_.sparse || (port_.shape.size() == 1 && port_.shape[0] <= kMost),
            "Input(kind='sparse'): a row is so many columns, at most ", kMost, ", got shape ",
            shape_text(port_.shape));
    if (port_.codes) read_cardinalities(fields);
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
            {"kind", port_.kind()},
            {"cardinalities", port_.codes ? Json(port_.cardinalities) : Json(nullptr)}};
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
    const auto what = [](bool codes, bool sparse) {
      return codes ? "category codes" : sparse ? "sparse rows" : "numbers";
    };
    require(x.codes == port_.codes && x.sparse == port_.sparse, name, ": expected ",
            what(port_.codes, port_.sparse), ", got ", what(x.codes, x.sparse));
    require(!x.codes || builder.cardinalities(x) == port_.cardinalities, name,
            ": its numbers of codes are not those of what it is given");
    return builder.shape(x) == port_.shape ? x : builder.reshaped(x, port_.shape);
  }

  // A number for each column, or one for all; "cardinality" in old files, of one column.
  void read_cardinalities(const Fields& fields) {
    constexpr Index kMost = 2147483647;  // of int32
    require(port_.shape.size() == 1, "Input(kind='codes'): a row is so many codes, got shape ",
            shape_text(port_.shape));
    const bool old = !fields.has("cardinalities") && fields.has("cardinality");
    const Json& given = fields.at(old ? "cardinality" : "cardinalities");
    const auto columns = static_cast<std::size_t>(port_.shape[0]);
    require(!given.is_array() || given.size() == columns,
            "Input: cardinalities must be one number for each column, ", columns, ", got ",
            given.size());
    constexpr std::size_t kAlike = 65536;
    require(given.is_array() || columns <= kAlike, "Input: one number of codes stands for at most ",
            kAlike, " columns, got ", columns, "; give a list");
    for (std::size_t j = 0; j < columns; ++j) {
      const Json& one = given.is_array() ? given[j] : given;
      require(one.is_number_integer() && one.get<Index>() >= 1 && one.get<Index>() <= kMost,
              "Input: cardinalities must be whole numbers in 1 ... ", kMost, ", got ",
              given.dump());
      port_.cardinalities.push_back(one.get<Index>());
    }
  }

  Port port_;
};

}  // namespace lamina
