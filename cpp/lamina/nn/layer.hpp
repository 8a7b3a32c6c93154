// Layer: a description that writes ops. Dimension letters: B rows, K inputs, N outputs; x input,
// y output, W kernel (K, N), b bias (N); dx and dy gradients.
#pragma once

#include <map>

#include "lamina/nn/op.hpp"
#include "lamina/nn/schedule_spec.hpp"

namespace lamina {

class Layer {
 public:
  virtual ~Layer() = default;
  // Declares parameters and appends ops; returns the layer's output. A layer of several inputs or
  // outputs overrides apply() instead.
  virtual Value build(Builder& builder, Value x) const;
  virtual Values apply(Builder& builder, const Values& inputs) const;
  // The arguments, expanded, without "class" and "name".
  virtual Json config() const = 0;
  virtual bool is_input() const { return false; }

  std::string class_name, name;
  double rate_multiplier = 1, decay_multiplier = 1;  // of its tensors

 protected:
  // The input's width; refuses a layer that comes before any Input.
  Index width(Value x) const {
    require(x.id >= 0, "Model: the first element must be lm.Input(columns), e.g. lm.Input(64)");
    require(!x.codes, class_name,
            ": its input is category codes; put an Embedding or a OneHot between");
    require(!x.sparse, class_name,
            ": its input is sparse, which only Dense reads; put a Dense between, or use lm.Input(",
            x.width, ")");
    return x.width;
  }
  // The numbers of codes of an input of codes, by column; refuses any other.
  std::vector<Index> cardinalities(const Builder& builder, Value x) const {
    const std::vector<Index> out = builder.cardinalities(x);
    require(!out.empty(), class_name,
            ": its input must be codes, as of lm.Input(2, kind='codes', cardinalities=[7, 5])");
    return out;
  }
};

// An argument of a layer with its default: the one place that states it.
struct Argument {
  const char* name;
  Json value;
  bool required = false;
};
// Those of every layer with parameters, behind its own.
std::vector<Argument> with_parameters(std::vector<Argument> own);

inline Argument required(const char* name) { return {name, nullptr, true}; }

using Layers = std::vector<std::unique_ptr<Layer>>;

// Goes along while layers are read. Gives each a unique name: the class in snake case, then _1, ...
class Names {
 public:
  std::string unique(const std::string& class_name, const std::string& wanted);

  int depth = 0;                                 // of containers within containers
  const ScheduleFunctions* functions = nullptr;  // that schedules name

 private:
  std::map<std::string, int> used_, next_;  // next_: the first number that may be free
};

// Every layer's class name and arguments, for documentation and tests.
Json layer_catalogue();

std::unique_ptr<Layer> read_layer(const Json& json, Names& names);
Layers read_layers(const Json& json, Names& names);
Json write_layer(const Layer& layer);
Json write_layers(const Layers& layers);

// Builds one after another.
Value build_all(const Layers& layers, Builder& builder, Value x);

}  // namespace lamina
