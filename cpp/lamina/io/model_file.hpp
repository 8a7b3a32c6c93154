// Model files: a model's spec and weights, with the owner's own JSON beside them; and the same
// bytes in memory, which is how models are pickled and copied.
#pragma once

#include "lamina/io/tensor_file.hpp"

namespace lamina {

inline constexpr int kFormatVersion = 1;

struct LoadedModel {
  std::unique_ptr<Model> model;
  std::string extra;  // JSON text of the owner (encoder, target), or ""
};

std::string encode_model(Model& model, const std::string& extra);
LoadedModel decode_model(const std::string& what, std::span<const char> bytes);

void save_model(const std::string& path, Model& model, const std::string& extra);
LoadedModel load_model(const std::string& path);

// SHA-256 over spec and weights: equal for equal models, whatever the machine.
std::string fingerprint(Model& model);

}  // namespace lamina
