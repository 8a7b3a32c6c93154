// Network: layers and who reads whom, of a model or of a model within one.
#pragma once

#include <array>

#include "lamina/nn/layer.hpp"

namespace lamina {

// An output of a layer of a list, both by number.
using Source = std::array<std::size_t, 2>;

// Layers and who reads whom. Without `wiring` each reads the one before, and the last one's outputs
// are the network's.
struct Network {
  Layers layers;
  std::vector<std::vector<Source>> wiring;  // by layer
  std::vector<Source> outputs;
};

// {"layers": [...]}, and in the functional form "wiring" and "outputs".
Network read_network(const Json& json, Names& names);
void write_network(const Network& network, Json& json);

// Appends all ops. `names`, if not null, receives those of the layers that make the outputs.
Values build_network(const Network& network, Builder& builder,
                     std::vector<std::string>* names = nullptr);

}  // namespace lamina
