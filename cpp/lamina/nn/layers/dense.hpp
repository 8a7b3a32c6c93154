// y = f(gain x W + b)
#pragma once

#include "lamina/functions/initializers.hpp"
#include "lamina/nn/layers/activation.hpp"
#include "lamina/nn/layers/activity_regularization.hpp"
#include "lamina/nn/ops/affine_op.hpp"
#include "lamina/nn/ops/sparse_product_op.hpp"

namespace lamina {

class Dense : public Layer {
 public:
  static std::vector<Argument> arguments() {
    return with_parameters({required("units"),
                            {"activation", "linear"},
                            {"use_bias", true},
                            {"kernel_initializer", "auto"},
                            {"bias_initializer", "zeros"},
                            {"kernel_regularizer", nullptr},
                            {"bias_regularizer", nullptr},
                            {"activity_regularizer", nullptr},
                            {"kernel_constraint", nullptr},
                            {"bias_constraint", nullptr},
                            {"gain", 1.0}});
  }
  Dense(const Json& json, Names&) {
    const Fields fields("Dense", json);
    units_ = fields.whole("units", 1);
    activation_ = read_activation(json.at("activation"));
    use_bias_ = fields.flag("use_bias");
    kernel_initializer_ = read_initializer(json.at("kernel_initializer"));
    bias_initializer_ = read_initializer(json.at("bias_initializer"));
    kernel_penalty_ = read_penalty(json.at("kernel_regularizer"));
    bias_penalty_ = read_penalty(json.at("bias_regularizer"));
    activity_penalty_ = read_penalty(json.at("activity_regularizer"));
    kernel_constraint_ = read_constraint(json.at("kernel_constraint"));
    bias_constraint_ = read_constraint(json.at("bias_constraint"));
    gain_ = json.at("gain");
    if (gain_.is_string()) {
      require(gain_ == kNtk, "Dense: gain must be a number above 0 or 'ntk', got ", gain_.dump());
      return;
    }
    require(fields.number("gain", 0, kInfinity) > 0, "Dense: gain must be above 0, got 0");
  }

  Value build(Builder& builder, Value x) const override {
    const Index inputs = x.sparse ? x.width : width(x);
    Tensor w;
    w.name = "kernel";
    w.shape = {inputs, units_};
    w.fan_in = inputs, w.fan_out = units_;
    w.penalty = kernel_penalty_;
    w.constraint = kernel_constraint_;
    w.initializer = kernel_initializer_;
    const int kernel = builder.tensor(w);
    int bias = -1;
    Index bias_offset = -1;
    if (use_bias_) {
      Tensor b;
      b.name = "bias";
      b.role = Role::bias;
      b.shape = {units_};
      b.fan_in = inputs, b.fan_out = units_;
      b.penalty = bias_penalty_;
      b.constraint = bias_constraint_;
      b.initializer = bias_initializer_;
      bias = builder.tensor(b);
      bias_offset = builder.tensor_at(bias).offset;
    }
    const double gain =
        gain_ == kNtk ? 1 / std::sqrt(static_cast<double>(inputs)) : gain_.get<double>();
    const bool gains = gain != 1;
    const Tensor& weights = builder.tensor_at(kernel);
    const int own_bias = gains ? -1 : bias;
    Value y = x.sparse
                  ? builder.op<SparseProductOp>({x}, units_, kernel, weights, own_bias, bias_offset)
                  : builder.op<ProductOp>({x}, units_, kernel, weights, own_bias, bias_offset);
    if (gains) {
      const AffineTensors affine{-1, bias, 0, bias_offset, gain};
      y = builder.op<AffineOp>({y}, units_, affine, units_);
    }
    return build_activity(builder, activity_penalty_, build_activation(builder, activation_, y));
  }

  Json config() const override {
    return {{"units", units_},
            {"activation", write_choice(Activations::infos(), activation_)},
            {"use_bias", use_bias_},
            {"kernel_initializer", write_choice(Initializers::infos(), kernel_initializer_)},
            {"bias_initializer", write_choice(Initializers::infos(), bias_initializer_)},
            {"kernel_regularizer", write_penalty(kernel_penalty_)},
            {"bias_regularizer", write_penalty(bias_penalty_)},
            {"activity_regularizer", write_penalty(activity_penalty_)},
            {"kernel_constraint", write_constraint(kernel_constraint_)},
            {"bias_constraint", write_constraint(bias_constraint_)},
            {"gain", gain_}};
  }

 private:
  // "auto": what suits the activation.
  Choice read_initializer(const Json& json) const {
    return read_choice("initializer", Initializers::infos(),
                       json == "auto" ? Json(suitable_initializer(activation_)) : json);
  }

  static constexpr const char* kNtk = "ntk";  // 1 / sqrt(inputs)

  Index units_;
  Json gain_;
  Choice activation_, kernel_initializer_, bias_initializer_;
  Penalty kernel_penalty_, bias_penalty_, activity_penalty_;
  Constraint kernel_constraint_, bias_constraint_;
  bool use_bias_;
};

}  // namespace lamina
