// Where branches meet in the functional form; in the list form Parallel does both at once.
#pragma once

#include "lamina/nn/layer.hpp"
#include "lamina/nn/ops/merge_ops.hpp"

namespace lamina {

// The columns of all inputs side by side.
inline Value concatenate(Builder& builder, const Values& inputs) {
  Index total = 0;
  for (const Value& x : inputs) total = checked_size("Concatenate", {total + x.width});
  return builder.op<ConcatOp>(inputs, total);
}

// Their sum; `what` opens the error where widths differ.
inline Value add(const std::string& what, Builder& builder, const Values& inputs) {
  for (const Value& x : inputs)
    require(x.width == inputs[0].width, what, ": its inputs have ", inputs[0].width, " and ",
            x.width, " columns");
  return builder.op<AddOp>(inputs, inputs[0].width);
}

class Merge : public Layer {
 public:
  static std::vector<Argument> arguments() { return {}; }
  Values apply(Builder& builder, const Values& inputs) const override {
    for (const Value& x : inputs) width(x);
    return {merge(builder, inputs)};
  }
  Json config() const override { return Json::object(); }

 protected:
  virtual Value merge(Builder& builder, const Values& inputs) const = 0;
};

class Concatenate final : public Merge {
 public:
  Concatenate(const Json&, Names&) {}

 protected:
  Value merge(Builder& builder, const Values& inputs) const override {
    return concatenate(builder, inputs);
  }
};

class Add final : public Merge {
 public:
  Add(const Json&, Names&) {}

 protected:
  Value merge(Builder& builder, const Values& inputs) const override {
    return add("Add", builder, inputs);
  }
};

}  // namespace lamina
