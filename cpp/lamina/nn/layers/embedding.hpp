// y = table[code], behind Input(1, kind="codes", cardinality=...).
#pragma once

#include "lamina/functions/initializers.hpp"
#include "lamina/nn/layer.hpp"
#include "lamina/nn/ops/embedding_op.hpp"

namespace lamina {

class Embedding : public Layer {
 public:
  static std::vector<Argument> arguments() { return {required("output_dim")}; }
  Embedding(const Json& json, Names&)
      : columns_(Fields("Embedding", json).whole("output_dim", 1)) {}
  Value build(Builder& builder, Value x) const override {
    require(x.id >= 0, "Model: the first element must be lm.Input(columns), e.g. lm.Input(64)");
    const Index cardinality = builder.cardinality(x);
    require(cardinality > 0,
            "Embedding: its input must be lm.Input(1, kind='codes', cardinality=...)");
    Tensor t;
    t.name = "embeddings";
    t.role = Role::table;
    t.shape = {cardinality, columns_};
    t.fan_in = columns_, t.fan_out = columns_;
    t.initializer = read_choice("initializer", Initializers::infos(), "lecun_normal");
    const int table = builder.tensor(t);
    return builder.op<EmbeddingOp>({x}, columns_, table, builder.tensor_at(table));
  }
  Json config() const override { return {{"output_dim", columns_}}; }

 private:
  Index columns_;
};

}  // namespace lamina
