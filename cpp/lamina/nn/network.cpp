#include "lamina/nn/network.hpp"

#include <algorithm>

namespace lamina {
namespace {

Values build_layer(const Layer& layer, Builder& builder, const Values& inputs) {
  const Builder::Owner outer = builder.owner;
  builder.owner = {layer.name, layer.rate_multiplier, layer.decay_multiplier};
  const std::size_t record = builder.begin_layer(layer.name, layer.class_name, inputs);
  ++builder.depth;
  Values outputs = layer.apply(builder, inputs);
  --builder.depth;
  builder.end_layer(record, outputs);
  builder.owner = outer;
  return outputs;
}

Source read_source(const Json& json, std::size_t made) {
  require(json.is_array() && json.size() == 2 && json[0].is_number_unsigned() &&
              json[1].is_number_unsigned() && json[0].get<std::size_t>() < made,
          "wiring: expected [layer, output] of an earlier layer, got ", json.dump());
  return {json[0].get<std::size_t>(), json[1].get<std::size_t>()};
}

const Value& find(const std::vector<Values>& made, const Source& source, const Layers& layers) {
  const Values& outputs = made[source[0]];
  require(source[1] < outputs.size(), layers[source[0]]->name, ": it has ", outputs.size(),
          " outputs, there is no number ", source[1]);
  return outputs[source[1]];
}

// The name of one more output: a layer may make several.
std::string new_name(const std::string& name, const std::vector<std::string>& taken) {
  std::string out = name;
  for (int i = 1; std::find(taken.begin(), taken.end(), out) != taken.end(); ++i)
    out = concat(name, "_", i);
  return out;
}

}  // namespace

Network read_network(const Json& json, Names& names) {
  Network out;
  out.layers = read_layers(Fields("Model", json).at("layers"), names);
  if (!json.contains("wiring") || json.at("wiring").is_null()) return out;
  const Json &wiring = json.at("wiring"), &outputs = Fields("Model", json).at("outputs");
  require(wiring.is_array() && wiring.size() == out.layers.size(), "wiring: expected a list for ",
          out.layers.size(), " layers");
  require(outputs.is_array() && !outputs.empty(), "outputs: expected at least one");
  for (std::size_t i = 0; i < wiring.size(); ++i) {
    out.wiring.emplace_back();
    for (const Json& source : wiring[i]) out.wiring[i].push_back(read_source(source, i));
  }
  for (const Json& source : outputs) out.outputs.push_back(read_source(source, out.layers.size()));
  return out;
}

void write_network(const Network& network, Json& json) {
  json["layers"] = write_layers(network.layers);
  if (network.outputs.empty()) return;
  json["wiring"] = network.wiring;
  json["outputs"] = network.outputs;
}

Value build_all(const Layers& layers, Builder& builder, Value x) {
  for (const auto& layer : layers) {
    const Values outputs = build_layer(*layer, builder, {x});
    require(outputs.size() == 1, layer->class_name, " '", layer->name, "': it has ", outputs.size(),
            " outputs, which only the functional form can take up");
    x = outputs[0];
  }
  return x;
}

Values build_network(const Network& network, Builder& builder, std::vector<std::string>* names) {
  const Layers& layers = network.layers;
  std::vector<Values> made;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    Values inputs;
    if (network.wiring.empty())
      inputs = i == 0 ? Values{Value{}} : made.back();
    else
      for (const Source& source : network.wiring[i]) inputs.push_back(find(made, source, layers));
    if (inputs.empty()) inputs.push_back({});  // an Input's
    made.push_back(build_layer(*layers[i], builder, inputs));
  }
  std::vector<Source> sources = network.outputs;
  for (std::size_t k = 0; sources.size() < made.back().size() && network.outputs.empty(); ++k)
    sources.push_back({layers.size() - 1, k});
  Values outputs;
  for (const Source& source : sources) {
    outputs.push_back(find(made, source, layers));
    if (names) names->push_back(new_name(layers[source[0]]->name, *names));
  }
  return outputs;
}

}  // namespace lamina
