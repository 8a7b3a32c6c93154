// The list of optimizers, and the update of a range of weights by any of them. Add a struct to one
// of the files below and its name to the list (docs/add-an-optimizer.md). Forms are PyTorch's,
// Keras' by the parameter `form` where they differ.
#pragma once

#include "lamina/functions/optimizers/adam.hpp"
#include "lamina/functions/optimizers/adaptive.hpp"
#include "lamina/functions/optimizers/momentum.hpp"

namespace lamina {

using Optimizers = List<SGD, Momentum, Nesterov, Adagrad, Adadelta, RMSprop, Adam, AdamW, AMSGrad,
                        Adamax, NAdam, RAdam, Lion>;

// One range of one tensor. The order is: gradient + L2 and L1's subgradient, clip, decoupled
// decay, optimizer, proximal L1, moving average. A slot that is null is none.
template <class T>
struct UpdateRange {
  T* p = nullptr;
  const T* g = nullptr;
  T* slot[kMaxSlots] = {};
  T* average = nullptr;
  Index n = 0;
  const double* scalars = nullptr;
  unsigned proportional = 1;  // which scalars the multiplier is applied to, a bit each
  double rate_multiplier = 1;
  double gradient_scale = 1;
  double l2 = 0, l1 = 0;  // of the penalty
  bool proximal = true;
  double clip_scale = 1;  // from norm clipping
  double clip_value = kInfinity;
  double decay = 0;      // rate * weight_decay
  double threshold = 0;  // rate * l1, proximal
  double average_momentum = 0;
};

template <class T>
struct OptimizerKernels {
  // Updates the range; false if a gradient was or a weight became non-finite.
  bool (*update)(const UpdateRange<T>&);
  void (*prepare)(const double* parameters, double rate, std::uint64_t t, double* scalars);
  bool (*uses)(int slot, const double* parameters);
  unsigned (*proportional)(const double* parameters);
  int initial_slot_parameter;  // of slot 0; -1: it starts at 0
  double weight_decay;         // by default
};

template <class T>
const OptimizerKernels<T>& optimizer_kernels(int index);

// Sum of squares of gradient + penalty over a range, as the clip by norm sees it.
template <class T>
double squared_norm(const UpdateRange<T>& range);

}  // namespace lamina
