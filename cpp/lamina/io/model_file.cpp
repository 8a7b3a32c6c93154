#include "lamina/io/model_file.hpp"

#include "lamina/base/sha256.hpp"

namespace lamina {
namespace {

std::vector<StoredTensor> tensors_of(const Model& model, const void* weights) {
  const std::size_t width = model.dtype() == DataType::float32 ? 4 : 8;
  const auto* base = static_cast<const std::byte*>(weights);
  std::vector<StoredTensor> out;
  for (const Tensor& t : model.graph().parameters.tensors)
    out.push_back({t.name, model.dtype(), t.shape,
                   base + static_cast<std::size_t>(t.offset) * width,
                   static_cast<std::size_t>(t.size) * width});
  return out;
}

}  // namespace

std::string encode_model(Model& model, const std::string& extra) {
  TensorFile file;
  file.metadata = {{"format", "lamina-model"},
                   {"format_version", std::to_string(kFormatVersion)},
                   {"spec", model.spec().dump()}};
  if (!extra.empty()) file.metadata["extra"] = extra;
  const auto weights = model.still_weights();
  file.tensors = tensors_of(model, weights.get());
  return encode(file);
}

LoadedModel decode_model(const std::string& what, std::span<const char> bytes) {
  const TensorFile file = decode(what, bytes);
  const auto text = [&](const char* key) -> const std::string& {
    const auto found = file.metadata.find(key);
    require(found != file.metadata.end(), what, ": the file's '", key, "' is missing");
    return found->second;
  };
  require(text("format") == "lamina-model", what, ": not a model file but '", text("format"), "'");
  const int version = std::atoi(text("format_version").c_str());
  require(version >= 1 && version <= kFormatVersion, what, ": written by a newer Lamina (format ",
          version, ", this one reads up to ", kFormatVersion, "): pip install --upgrade lamina");
  LoadedModel out;
  out.model = Model::create(parse_json(what + ": its spec", text("spec")));
  for (const StoredTensor& t : tensors_of(*out.model, out.model->parameters()))
    file.read(t, const_cast<void*>(t.data));
  if (file.metadata.count("extra")) out.extra = text("extra");
  return out;
}

void save_model(const std::string& path, Model& model, const std::string& extra) {
  write_atomically(path, encode_model(model, extra));
}

LoadedModel load_model(const std::string& path) {
  const std::string bytes = read_file(path);
  return decode_model(path, bytes);
}

std::string fingerprint(Model& model) {
  Sha256 sum;
  sum.add(model.spec().dump());
  const auto weights = model.still_weights();
  for (const StoredTensor& t : tensors_of(model, weights.get())) sum.add(t.data, t.bytes);
  return sum.hex();
}

}  // namespace lamina
