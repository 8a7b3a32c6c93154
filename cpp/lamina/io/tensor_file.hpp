// A container of named arrays with text metadata, in safetensors layout: u64 length, JSON header,
// raw little-endian data. It holds no code and carries a SHA-256 of everything but itself.
#pragma once

#include <map>
#include <span>

#include "lamina/nn/model.hpp"

namespace lamina {

struct StoredTensor {
  std::string name;
  DataType dtype = DataType::float32;
  std::vector<Index> shape;
  const void* data = nullptr;
  std::size_t bytes = 0;
};

struct TensorFile {
  std::string what;  // opens errors: the path
  std::map<std::string, std::string> metadata;
  std::vector<StoredTensor> tensors;

  const StoredTensor* find(const std::string& name) const;
  // The stored tensor of that name, if it has the dtype and shape of `expected`.
  const StoredTensor& checked(const StoredTensor& expected) const;
  // Copies it into `to`.
  void read(const StoredTensor& expected, void* to) const;
};

std::string encode(const TensorFile& file);
// The tensors point into `bytes`. `what` (a path) opens every error.
TensorFile decode(const std::string& what, std::span<const char> bytes);

// Refuses a file whose 'format' is another one, or whose 'format_version' is above `newest`.
void check_format(const TensorFile& file, const std::string& format, int newest);
// The text of that name; an error if the file has none.
const std::string& metadata(const TensorFile& file, const char* key);

// Writes under a temporary name, syncs, renames: the old file stays until the new one is whole.
// The tensors go there from where they lie.
void write_atomically(const std::string& path, const TensorFile& file);
std::string read_file(const std::string& path);

}  // namespace lamina
