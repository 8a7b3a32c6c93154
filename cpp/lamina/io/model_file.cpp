#include "lamina/io/model_file.hpp"

#include <charconv>

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

void check_version(const std::string& what, const std::string& text) {
  int version = 0;
  const auto end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, version);
  require(error == std::errc() && stop == end && version >= 1, what,
          ": the file's 'format_version' is not a number but '", text, "'");
  require(version <= kFormatVersion, what, ": written by a newer Lamina (format_version ", version,
          ", this one reads up to ", kFormatVersion, "): pip install --upgrade lamina, or for C++ ",
          "the sources of that version");
}

std::unique_ptr<Model> create(const std::string& what, const std::string& spec) {
  const std::string opening = what + ": its spec";
  const Json json = parse_json(opening, spec);
  try {
    return Model::create(json);
  } catch (const Json::exception& error) {
    fail(opening, " is not a model's: ", error.what());
  } catch (const std::invalid_argument& error) {
    fail(opening, ": ", error.what());
  }
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
  check_version(what, text("format_version"));
  LoadedModel out;
  out.model = create(what, text("spec"));
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
