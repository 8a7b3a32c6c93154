// A column of 0 and 1 for each category, behind Input(n, kind="codes", cardinalities=[...]).
#pragma once

#include "lamina/nn/layer.hpp"
#include "lamina/nn/ops/one_hot_op.hpp"

namespace lamina {

class OneHot : public Layer {
 public:
  static std::vector<Argument> arguments() { return {{"missing", "zeros"}}; }
  OneHot(const Json& json, Names&) : missing_(Fields("OneHot", json).text("missing")) {
    require(missing_ == "zeros" || missing_ == "column",
            "OneHot: missing must be 'zeros' or 'column', got '", missing_, "'");
  }
  Value build(Builder& builder, Value x) const override {
    const bool column = missing_ == "column";
    std::vector<Index> places;
    Index total = 0;
    for (const Index codes : cardinalities(builder, x)) {
      places.push_back(total + (column ? 1 : 0));
      total += codes - (column ? 0 : 1);
    }
    require(total > 0, "OneHot: no column has a code but 0; give missing='column'");
    return builder.op<OneHotOp>({x}, total, places, column);
  }
  Json config() const override { return {{"missing", missing_}}; }

 private:
  std::string missing_;
};

}  // namespace lamina
