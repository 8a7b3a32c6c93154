// The table of tensors: what lies where in the one flat buffer of parameters. Gradients, optimizer
// slots, averages and snapshots have the same layout.
#pragma once

#include "lamina/base/buffer.hpp"
#include "lamina/functions/constraints.hpp"
#include "lamina/functions/info.hpp"
#include "lamina/functions/regularizers.hpp"

namespace lamina {

// table: a row for each code; row 0, missing or unseen, starts at zero.
enum class Role { kernel, bias, scale, table, statistic };
const char* role_name(Role role);

struct Tensor {
  std::string name;   // "dense_1/kernel"
  std::string layer;  // "dense_1"
  Role role = Role::kernel;
  std::vector<Index> shape;  // kernels (K, N), C-contiguous
  Index offset = 0, size = 0;
  Index fan_in = 1, fan_out = 1;
  bool trainable = true;
  double rate_multiplier = 1, decay_multiplier = 1;
  Penalty penalty;
  Constraint constraint;
  Choice initializer;
  std::vector<double> given;  // its numbers, if the description states them

  Index rows() const { return shape.size() > 1 ? shape[0] : 1; }
  Index columns() const { return shape.back(); }
};

inline constexpr Index kMostNumbers = Index{1} << 44;  // more than any memory holds

struct ParameterTable {
  std::vector<Tensor> tensors;
  Index size = 0;             // of the flat buffer, tensors padded to whole cache lines
  Index most = kMostNumbers;  // that there may be: of a model in a file, those that the file has

  int add(Tensor tensor);
  // Refuses a tensor of so many numbers more, before anybody makes a place for them.
  void require_room(const std::string& name, Index numbers) const;
  const Tensor& at(const std::string& name) const;
  Index count() const { return taken_; }  // numbers in tensors, without padding
  Index trainable_count() const;

 private:
  Index taken_ = 0;
};

// Fills a buffer of table.size by each tensor's initialiser.
template <class T>
void initialize_parameters(const ParameterTable& table, std::uint64_t seed, T* out);

}  // namespace lamina
