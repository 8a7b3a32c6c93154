#include "lamina/nn/layer.hpp"

#include <array>
#include <cctype>

#include "lamina/nn/layers/activation.hpp"
#include "lamina/nn/layers/activity_regularization.hpp"
#include "lamina/nn/layers/alpha_dropout.hpp"
#include "lamina/nn/layers/batch_normalization.hpp"
#include "lamina/nn/layers/dense.hpp"
#include "lamina/nn/layers/dropout.hpp"
#include "lamina/nn/layers/embedding.hpp"
#include "lamina/nn/layers/gaussian_noise.hpp"
#include "lamina/nn/layers/impute.hpp"
#include "lamina/nn/layers/input.hpp"
#include "lamina/nn/layers/layer_normalization.hpp"
#include "lamina/nn/layers/merge.hpp"
#include "lamina/nn/layers/nested_model.hpp"
#include "lamina/nn/layers/normalization.hpp"
#include "lamina/nn/layers/one_hot.hpp"
#include "lamina/nn/layers/parallel.hpp"
#include "lamina/nn/layers/reshape.hpp"
#include "lamina/nn/layers/residual.hpp"
#include "lamina/nn/layers/rms_normalization.hpp"
#include "lamina/nn/layers/robust_scale.hpp"
#include "lamina/nn/layers/scale.hpp"

namespace lamina {
namespace {

constexpr const char* kRateMultiplier = "learning_rate_multiplier";
constexpr const char* kDecayMultiplier = "weight_decay_multiplier";

using Maker = std::unique_ptr<Layer> (*)(const Json&, Names&);

struct Entry {
  const char* class_name;
  Maker make;
  std::vector<Argument> (*arguments)();
};

template <class L>
std::unique_ptr<Layer> make(const Json& json, Names& names) {
  return std::make_unique<L>(json, names);
}

template <class L>
constexpr Entry entry(const char* class_name) {
  return {class_name, &make<L>, &L::arguments};
}

// The list of layers: one line each.
constexpr std::array kLayers = {
    entry<Input>("Input"),
    entry<Dense>("Dense"),
    entry<Dropout>("Dropout"),
    entry<AlphaDropout>("AlphaDropout"),
    entry<GaussianNoise>("GaussianNoise"),
    entry<Activation>("Activation"),
    entry<ActivityRegularization>("ActivityRegularization"),
    entry<BatchNormalization>("BatchNormalization"),
    entry<LayerNormalization>("LayerNormalization"),
    entry<RMSNormalization>("RMSNormalization"),
    entry<Scale>("Scale"),
    entry<Residual>("Residual"),
    entry<Parallel>("Parallel"),
    entry<Embedding>("Embedding"),
    entry<OneHot>("OneHot"),
    entry<Flatten>("Flatten"),
    entry<Reshape>("Reshape"),
    entry<Concatenate>("Concatenate"),
    entry<Add>("Add"),
    entry<NestedModel>("NestedModel"),
    entry<Normalization>("Normalization"),
    entry<RobustScale>("RobustScale"),
    entry<Impute>("Impute"),
};

// The layer's description with the defaults filled in.
Json complete(const Entry& layer, const Json& given) {
  Json out = given;
  for (const Argument& argument : layer.arguments())
    if (!argument.required && !out.contains(argument.name)) out[argument.name] = argument.value;
  return out;
}

// "RMSNormalization" -> "rms_normalization"
std::string snake_case(const std::string& text) {
  const auto upper = [&](std::size_t i) {
    return i >= text.size() || std::isupper(static_cast<unsigned char>(text[i]));
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i > 0 && upper(i) && (!upper(i - 1) || !upper(i + 1))) out += '_';
    out += static_cast<char>(std::tolower(static_cast<unsigned char>(text[i])));
  }
  return out;
}

}  // namespace

std::string Names::unique(const std::string& class_name, const std::string& wanted) {
  if (!wanted.empty()) {
    require(wanted.find('/') == std::string::npos, "layer name '", wanted, "': '/' is not allowed");
    require(used_.emplace(wanted, 1).second, "two layers are named '", wanted,
            "'; a name stands once in a model, the layers of models within it included");
    return wanted;
  }
  const std::string base = snake_case(class_name);
  for (int& i = next_[base];;) {
    const std::string name = i == 0 ? base : base + "_" + std::to_string(i);
    ++i;
    if (used_.emplace(name, 1).second) return name;
  }
}

std::unique_ptr<Layer> read_layer(const Json& json, Names& names) {
  require(json.is_object() && json.contains("class"), "a layer is an object of lamina.layers, got ",
          json.dump());
  const auto class_name = json.at("class").get<std::string>();
  std::vector<std::string> known;
  for (const Entry& candidate : kLayers) {
    known.push_back(candidate.class_name);
    if (class_name != candidate.class_name) continue;
    const Json description = complete(candidate, json);
    auto layer = candidate.make(description, names);
    const Fields fields(class_name, description);
    layer->rate_multiplier = fields.number(kRateMultiplier, 1, 0, kInfinity);
    layer->decay_multiplier = fields.number(kDecayMultiplier, 1, 0, kInfinity);
    layer->class_name = class_name;
    layer->name = names.unique(class_name, Fields(class_name, json).text("name", ""));
    return layer;
  }
  fail("unknown layer '", class_name, "'.", did_you_mean(class_name, known),
       " Known: ", join(known), ".");
}

Json layer_catalogue() {
  Json out = Json::array();
  for (const Entry& layer : kLayers) {
    Json parameters = Json::array();
    for (const Argument& argument : layer.arguments())
      parameters.push_back(
          {{"name", argument.name}, {"default", argument.value}, {"required", argument.required}});
    parameters.push_back({{"name", "name"}, {"default", nullptr}, {"required", false}});
    out.push_back({{"class", layer.class_name}, {"parameters", parameters}});
  }
  return out;
}

std::vector<Argument> with_parameters(std::vector<Argument> own) {
  own.push_back({kRateMultiplier, 1.0});
  own.push_back({kDecayMultiplier, 1.0});
  own.push_back({"trainable", true});
  return own;
}

Layers read_layers(const Json& json, Names& names) {
  require(json.is_array(), "layers must be a list, got ", json.dump());
  constexpr int kDeepest = 64;
  require(names.depth < kDeepest, "layers are nested more than ", kDeepest, " deep");
  ++names.depth;
  Layers out;
  for (const Json& one : json) out.push_back(read_layer(one, names));
  --names.depth;
  return out;
}

Json write_layer(const Layer& layer) {
  Json out = {{"class", layer.class_name}, {"name", layer.name}};
  out.update(layer.config());
  if (layer.rate_multiplier != 1) out[kRateMultiplier] = layer.rate_multiplier;
  if (layer.decay_multiplier != 1) out[kDecayMultiplier] = layer.decay_multiplier;
  return out;
}

Json write_layers(const Layers& layers) {
  Json out = Json::array();
  for (const auto& layer : layers) out.push_back(write_layer(*layer));
  return out;
}

Value Layer::build(Builder&, Value) const { fail(class_name, ": it has no single input"); }

Values Layer::apply(Builder& builder, const Values& inputs) const {
  require(inputs.size() == 1, class_name, " '", name, "': expected one input, got ", inputs.size(),
          "; join them with lm.Concatenate() or lm.Add()");
  return {build(builder, inputs[0])};
}

}  // namespace lamina
