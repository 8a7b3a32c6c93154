// What layers that adapt to data share: their statistics are tensors that no step changes.
#pragma once

#include "lamina/functions/initializers.hpp"
#include "lamina/nn/layer.hpp"
#include "lamina/nn/ops/preprocess_op.hpp"

namespace lamina {

// Declares a number a column, 0 until something is learned; `given`: or these.
inline Index build_statistic(Builder& builder, const char* name, Index columns,
                             std::vector<double> given = {}) {
  Tensor t;
  t.name = name;
  t.role = Role::statistic;
  t.shape = {columns};
  t.trainable = false;
  t.initializer = read_choice("initializer", Initializers::infos(), "zeros");
  t.given = std::move(given);
  const int i = builder.tensor(std::move(t));
  return builder.tensor_at(i).offset;
}

// Two tensors: the second one for what the model's type rounds off the first.
inline Centre build_centre(Builder& builder, const std::string& name, Index columns,
                           const std::vector<double>& given = {}) {
  const auto rounded = [&](double x) {
    return builder.narrow() ? static_cast<double>(static_cast<float>(x)) : x;
  };
  std::vector<double> rest(given);
  for (double& x : rest) x -= rounded(x);
  const Index first = build_statistic(builder, name.c_str(), columns, given);
  return {first, build_statistic(builder, (name + "_rest").c_str(), columns, rest)};
}

}  // namespace lamina
