#include "lamina/nn/parameters.hpp"

#include <algorithm>

#include "lamina/functions/initializers.hpp"
#include "lamina/nn/product.hpp"

namespace lamina {

const char* role_name(Role role) {
  constexpr const char* names[] = {"kernel", "bias", "scale", "table", "statistic"};
  return names[static_cast<int>(role)];
}

void ParameterTable::require_room(const std::string& name, Index numbers) const {
  require(numbers <= most - taken_, name, " is too large: ", numbers,
          " numbers, and there is room for ", most - taken_);
}

int ParameterTable::add(Tensor tensor) {
  tensor.size = checked_size(tensor.name, tensor.shape);
  require_room(tensor.name, tensor.size);
  taken_ += tensor.size;
  tensor.offset = size;
  size += round_up(tensor.size, 16);  // 16 floats fill a cache line
  tensors.push_back(std::move(tensor));
  return static_cast<int>(tensors.size()) - 1;
}

const Tensor& ParameterTable::at(const std::string& name) const {
  std::vector<std::string> names;
  for (const auto& tensor : tensors) {
    if (tensor.name == name) return tensor;
    names.push_back(tensor.name);
  }
  fail("no tensor '", name, "'.", did_you_mean(name, names), " Tensors: ", join(names), ".");
}

Index ParameterTable::trainable_count() const {
  Index sum = 0;
  for (const auto& tensor : tensors) sum += tensor.trainable ? tensor.size : 0;
  return sum;
}

template <class T>
void initialize_parameters(const ParameterTable& table, std::uint64_t seed, T* out) {
  for (std::size_t i = 0; i < table.tensors.size(); ++i) {
    const Tensor& t = table.tensors[i];
    if (!t.given.empty()) {
      std::transform(t.given.begin(), t.given.end(), out + t.offset, [](double x) { return T(x); });
      continue;
    }
    const Fans fans{static_cast<double>(t.fan_in), static_cast<double>(t.fan_out)};
    initialize(t.initializer, seed, static_cast<std::uint32_t>(i), t.shape, fans, out + t.offset);
    if (t.role == Role::table) std::fill_n(out + t.offset, t.columns(), T(0));
  }
}

template void initialize_parameters<float>(const ParameterTable&, std::uint64_t, float*);
template void initialize_parameters<double>(const ParameterTable&, std::uint64_t, double*);

}  // namespace lamina
