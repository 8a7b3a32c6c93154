#include "lamina/nn/op.hpp"

namespace lamina {

Value Builder::input(Port port) {
  const Index width = checked_size(port.name, port.shape);
  port.value = graph_.new_value(width);
  port.value.codes = port.codes;
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

Index Builder::cardinality(Value x) const {
  for (const Port& port : graph_.ports)
    if (port.value.id == x.id) return port.cardinality;
  return 0;
}

}  // namespace lamina
