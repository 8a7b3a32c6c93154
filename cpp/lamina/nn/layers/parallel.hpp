// Branches side by side, their outputs joined ("concat") or added ("add"). Branches that begin with
// an Input of their own make a model with several ports.
#pragma once

#include "lamina/nn/layers/merge.hpp"

namespace lamina {

class Parallel : public Layer {
 public:
  static std::vector<Argument> arguments() { return {required("layers"), {"merge", "concat"}}; }
  Parallel(const Json& json, Names& names) {
    const Fields fields("Parallel", json);
    const Json& branches = fields.at("layers");
    require(branches.is_array() && !branches.empty(),
            "Parallel: layers must be a list of branches");
    for (const Json& branch : branches)
      branches_.push_back(read_layers(branch.is_array() ? branch : Json::array({branch}), names));
    merge_ = fields.text("merge");
    require(merge_ == "concat" || merge_ == "add",
            "Parallel: merge must be 'concat' or 'add', got '", merge_, "'");
  }
  Value build(Builder& builder, Value x) const override {
    Values outputs;
    for (const Layers& branch : branches_) {
      outputs.push_back(build_all(branch, builder, x));
      require(outputs.back().id >= 0, "Parallel: an empty branch needs an input");
      width(outputs.back());
    }
    return merge_ == "concat" ? concatenate(builder, outputs)
                              : add("Parallel(merge='add')", builder, outputs);
  }
  Json config() const override {
    Json branches = Json::array();
    for (const Layers& branch : branches_) branches.push_back(write_layers(branch));
    return {{"layers", branches}, {"merge", merge_}};
  }
  bool is_input() const override { return !branches_[0].empty() && branches_[0][0]->is_input(); }

 private:
  std::vector<Layers> branches_;
  std::string merge_;
};

}  // namespace lamina
