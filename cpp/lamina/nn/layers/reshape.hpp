// The shape of rows, as who reads the output sees it: layers themselves read rows flat.
#pragma once

#include <algorithm>

#include "lamina/nn/layer.hpp"

namespace lamina {

class Flatten : public Layer {
 public:
  static std::vector<Argument> arguments() { return {}; }
  Flatten(const Json&, Names&) {}
  Value build(Builder& builder, Value x) const override { return builder.reshaped(x, {width(x)}); }
  Json config() const override { return Json::object(); }
};

class Reshape : public Layer {
 public:
  static std::vector<Argument> arguments() { return {required("target_shape")}; }
  Reshape(const Json& json, Names&) {
    const Json& shape = Fields("Reshape", json).at("target_shape");
    require(shape.is_array() && !shape.empty(), "Reshape: target_shape must be a list of sizes");
    for (const Json& size : shape) {
      require(size.is_number_integer() && (size.get<Index>() >= 1 || size.get<Index>() == -1),
              "Reshape: sizes are at least 1, or -1 for what is left, got ", shape.dump());
      shape_.push_back(size.get<Index>());
    }
    require(std::count(shape_.begin(), shape_.end(), -1) <= 1, "Reshape: one size can be -1, got ",
            shape.dump());
    std::vector<Index> given = shape_;
    std::replace(given.begin(), given.end(), Index{-1}, Index{1});
    known_ = checked_size("Reshape", given);
  }
  Value build(Builder& builder, Value x) const override {
    const Index columns = width(x);
    Index known = known_;
    std::vector<Index> shape = shape_;
    const auto left = std::find(shape.begin(), shape.end(), -1);
    if (left != shape.end()) known *= * left = columns / known;
    require(known == columns, "Reshape: ", columns, " columns do not make rows of shape ",
            Json(shape_).dump());
    return builder.reshaped(x, shape);
  }
  Json config() const override { return {{"target_shape", shape_}}; }

 private:
  std::vector<Index> shape_;
  Index known_ = 1;  // columns, of the sizes that are given
};

}  // namespace lamina
