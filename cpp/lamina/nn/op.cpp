#include "lamina/nn/op.hpp"

#include <algorithm>

#include "lamina/nn/ops/reshape_op.hpp"

namespace lamina {

Value Graph::new_value(std::vector<Index> shape) {
  const Index width = checked_size("a layer's output", shape);
  shapes.push_back(std::move(shape));
  return {value_count() - 1, width};
}

const LayerRecord& Graph::layer(const std::string& name) const {
  std::vector<std::string> known;
  for (const LayerRecord& record : layers) {
    if (record.name == name) return record;
    known.push_back(record.name);
  }
  fail("there is no layer '", name, "'.", did_you_mean(name, known), " Known: ", join(known), ".");
}

Value Builder::input(Port port) {
  checked_size(port.name, port.shape);
  port.value = graph_.new_value(port.shape);
  port.value.codes = port.codes;
  port.value.sparse = port.sparse;
  graph_.ports.push_back(port);
  return port.value;
}

int Builder::tensor(Tensor tensor) {
  tensor.layer = owner.layer;
  tensor.rate_multiplier = owner.rate_multiplier;
  tensor.decay_multiplier = owner.decay_multiplier;
  tensor.name = owner.layer + "/" + tensor.name;
  return graph_.parameters.add(std::move(tensor));
}

// Do all that read a value, or it in rows of another shape, take NaN? `read`: does anybody?
static bool all_take_missing(const Graph& graph, int value, bool& read) {
  for (const Value& y : graph.outputs)
    if (y.id == value) return false;
  for (const auto& op : graph.ops)
    for (const Value& x : op->inputs) {
      if (x.id != value) continue;
      const bool takes =
          op->flags.view ? all_take_missing(graph, op->output.id, read) : op->flags.takes_missing;
      if (!takes) return false;
      read = read || !op->flags.view;
    }
  return true;
}

bool takes_missing(const Graph& graph, const Port& port) {
  bool read = false;
  return all_take_missing(graph, port.value.id, read) && read;
}

std::vector<Index> Builder::cardinalities(Value x) const {
  for (const Port& port : graph_.ports)
    if (port.value.id == x.id) return port.cardinalities;
  return {};
}

Value Builder::reshaped(Value x, std::vector<Index> shape) {
  const Value y = op<ReshapeOp>({x}, x.width);
  graph_.shapes[static_cast<std::size_t>(y.id)] = std::move(shape);
  return y;
}

std::size_t Builder::begin_layer(const std::string& name, const std::string& class_name,
                                 const Values& inputs) {
  const auto ops = static_cast<Index>(graph_.ops.size());
  const auto tensors = static_cast<Index>(graph_.parameters.tensors.size());
  graph_.layers.push_back(
      {name, class_name, depth, inputs, {}, Range{ops, ops}, Range{tensors, tensors}});
  return graph_.layers.size() - 1;
}

void Builder::end_layer(std::size_t record, const Values& outputs) {
  LayerRecord& r = graph_.layers[record];
  r.outputs = outputs;
  r.ops.end = static_cast<Index>(graph_.ops.size());
  r.tensors.end = static_cast<Index>(graph_.parameters.tensors.size());
}

}  // namespace lamina
