// gamma and beta as arguments of a layer: the vectors that a normalisation multiplies by and adds.
#pragma once

#include "lamina/functions/initializers.hpp"
#include "lamina/nn/layer.hpp"
#include "lamina/nn/ops/column_sums.hpp"

namespace lamina {

// One of them: whether it is there, its start and its penalty.
class VectorArgument {
 public:
  // `prefix` of the arguments' names; whether it is there is the flag `present`.
  VectorArgument(std::string prefix, const char* present)
      : prefix_(std::move(prefix)), present_name_(present) {}

  void read(const Json& json, const Fields& fields) {
    present_ = fields.flag(present_name_);
    initializer_ = read_choice("initializer", Initializers::infos(), json.at(initializer()));
    penalty_ = read_penalty(json.at(regularizer()));
  }
  void write(Json& config) const {
    config[present_name_] = present_;
    config[initializer()] = write_choice(Initializers::infos(), initializer_);
    config[regularizer()] = write_penalty(penalty_);
  }
  // The tensor's number, or -1.
  int build(Builder& builder, Role role, Index columns) const {
    if (!present_) return -1;
    Tensor t;
    t.name = prefix_;
    t.role = role;
    t.shape = {columns};
    t.penalty = penalty_;
    t.initializer = initializer_;
    return builder.tensor(t);
  }

 private:
  std::string initializer() const { return prefix_ + "_initializer"; }
  std::string regularizer() const { return prefix_ + "_regularizer"; }

  std::string prefix_;
  const char* present_name_;
  bool present_ = true;
  Choice initializer_;
  Penalty penalty_;
};

inline AffineTensors affine_tensors(Builder& builder, int gamma, int beta) {
  const auto offset = [&](int t) { return t < 0 ? 0 : builder.tensor_at(t).offset; };
  return {gamma, beta, offset(gamma), offset(beta)};
}

// Both, as Keras orders their arguments.
class GammaAndBeta {
 public:
  static std::vector<Argument> arguments(std::vector<Argument> own) {
    for (Argument one :
         {Argument{"center", true}, Argument{"scale", true}, Argument{"beta_initializer", "zeros"},
          Argument{"gamma_initializer", "ones"}, Argument{"beta_regularizer", nullptr},
          Argument{"gamma_regularizer", nullptr}})
      own.push_back(std::move(one));
    return with_parameters(std::move(own));
  }
  void read(const Json& json, const Fields& fields) {
    gamma_.read(json, fields);
    beta_.read(json, fields);
  }
  void write(Json& config) const {
    gamma_.write(config);
    beta_.write(config);
  }
  AffineTensors build(Builder& builder, Index columns) const {
    const int gamma = gamma_.build(builder, Role::scale, columns),
              beta = beta_.build(builder, Role::bias, columns);
    return affine_tensors(builder, gamma, beta);
  }

 private:
  VectorArgument gamma_{"gamma", "scale"}, beta_{"beta", "center"};
};

}  // namespace lamina
