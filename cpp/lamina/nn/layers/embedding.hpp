// y = table[code], a table a column, behind Input(n, kind="codes", cardinalities=[...]).
#pragma once

#include "lamina/base/math.hpp"
#include "lamina/functions/initializers.hpp"
#include "lamina/nn/layer.hpp"
#include "lamina/nn/ops/embedding_op.hpp"

namespace lamina {

class Embedding : public Layer {
 public:
  static std::vector<Argument> arguments() {
    return with_parameters({required("output_dim"),
                            {"embeddings_initializer", "random_uniform"},
                            {"embeddings_regularizer", nullptr},
                            {"embeddings_constraint", nullptr}});
  }
  Embedding(const Json& json, Names&) {
    const Fields fields("Embedding", json);
    output_dim_ = fields.at("output_dim");
    const auto whole = [](const Json& n) { return n.is_number_integer() && n.get<Index>() >= 1; };
    require(
        output_dim_ == "auto" || whole(output_dim_) ||
            (output_dim_.is_array() && std::all_of(output_dim_.begin(), output_dim_.end(), whole)),
        "Embedding: output_dim must be a whole number of at least 1, a list of them or 'auto', "
        "got ",
        output_dim_.dump());
    initializer_ =
        read_choice("initializer", Initializers::infos(), json.at("embeddings_initializer"));
    require(data_rows(initializer_) == 0, "Embedding: embeddings_initializer cannot be ",
            Initializers::infos()[static_cast<std::size_t>(initializer_.index)].class_name,
            ", which is for kernels that numbers pass");
    penalty_ = read_penalty(json.at("embeddings_regularizer"));
    constraint_ = read_constraint(json.at("embeddings_constraint"));
  }

  Value build(Builder& builder, Value x) const override {
    const std::vector<Index> rows = cardinalities(builder, x), columns = widths(rows);
    std::vector<EmbeddingTable> tables;
    Index total = 0;
    for (std::size_t j = 0; j < rows.size(); ++j) {
      Tensor t;
      t.name = rows.size() == 1 ? "embeddings" : "embeddings_" + std::to_string(j);
      t.role = Role::table;
      t.shape = {rows[j], columns[j]};
      t.fan_in = t.fan_out = columns[j];  // so that LeCun's start makes vectors of length 1
      t.penalty = penalty_;
      t.constraint = constraint_;
      t.initializer = initializer_;
      const int tensor = builder.tensor(t);
      tables.push_back({tensor, builder.tensor_at(tensor).offset, columns[j]});
      total += columns[j];
    }
    return builder.op<EmbeddingOp>({x}, total, tables);
  }

  Json config() const override {
    return {{"output_dim", output_dim_},
            {"embeddings_initializer", write_choice(Initializers::infos(), initializer_)},
            {"embeddings_regularizer", write_penalty(penalty_)},
            {"embeddings_constraint", write_constraint(constraint_)}};
  }

 private:
  // fastai's rule (emb_sz_rule; Howard & Gugger, arXiv 2002.04688), whose most is 600; here each
  // step updates the whole table. Files rely on it: it cannot change.
  static Index automatic(Index codes) {
    constexpr double kMost = 50;
    const double n = std::floor(1.6 * exp(0.56 * log(static_cast<double>(codes))) + 0.5);
    return static_cast<Index>(std::min(n, kMost));
  }

  std::vector<Index> widths(const std::vector<Index>& codes) const {
    std::vector<Index> out(codes.size());
    if (output_dim_.is_array()) {
      require(output_dim_.size() == codes.size(), "Embedding: output_dim has ", output_dim_.size(),
              " sizes, its input ", codes.size(), " columns");
      return output_dim_.get<std::vector<Index>>();
    }
    for (std::size_t j = 0; j < codes.size(); ++j)
      out[j] = output_dim_ == "auto" ? automatic(codes[j]) : output_dim_.get<Index>();
    return out;
  }

  Json output_dim_;
  Choice initializer_;
  Penalty penalty_;
  Constraint constraint_;
};

}  // namespace lamina
