#include "lamina/io/model_file.hpp"

#include <algorithm>

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

// A small file may describe a model larger than any memory: it must hold what it describes, before
// there is a place for it.
std::unique_ptr<Model> create(const TensorFile& file, const std::string& spec) {
  const std::string opening = file.what + ": its spec";
  const Json json = parse_json(opening, spec);
  constexpr Index kFew = 1 << 20;  // numbers: of small models read() says what is missing
  Index held = 0;
  for (const StoredTensor& t : file.tensors)
    held += static_cast<Index>(t.bytes) / (t.dtype == DataType::float32 ? 4 : 8);
  try {
    return Model::create(json, {}, std::max(held, kFew));
  } catch (const Json::exception& error) {
    fail(opening, " is not a model's: ", error.what());
  } catch (const std::invalid_argument& error) {
    fail(opening, ": ", error.what());
  }
}

TensorFile file_of(Model& model, const void* weights, const std::string& extra) {
  TensorFile file;
  file.metadata = {{"format", "lamina-model"},
                   {"format_version", std::to_string(kFormatVersion)},
                   {"spec", model.spec().dump()}};
  if (!extra.empty()) file.metadata["extra"] = extra;
  file.tensors = tensors_of(model, weights);
  return file;
}

}  // namespace

std::string encode_model(Model& model, const std::string& extra) {
  const auto weights = model.still_weights();
  return encode(file_of(model, weights.get(), extra));
}

LoadedModel decode_model(const std::string& what, std::span<const char> bytes) {
  const TensorFile file = decode(what, bytes);
  check_format(file, "lamina-model", kFormatVersion);
  LoadedModel out;
  out.model = create(file, metadata(file, "spec"));
  for (const StoredTensor& t : tensors_of(*out.model, out.model->parameters()))
    file.read(t, const_cast<void*>(t.data));
  if (file.metadata.count("extra")) out.extra = metadata(file, "extra");
  check_nesting(what + ": its extra", out.extra);
  return out;
}

void save_model(const std::string& path, Model& model, const std::string& extra) {
  const auto weights = model.still_weights();
  write_atomically(path, file_of(model, weights.get(), extra));
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
