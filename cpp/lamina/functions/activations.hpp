// The list of activation functions. Add a struct to one of the files below and its name to the
// list: look-up, kernels, documentation and gradient tests follow (docs/add-an-activation.md).
#pragma once

#include <optional>

#include "lamina/functions/activations/learned.hpp"
#include "lamina/functions/activations/row_wise.hpp"
#include "lamina/functions/activations/smooth.hpp"

namespace lamina {

using Activations = List<Linear, ReLU, ReLU6, LeakyReLU, PReLU, ELU, SELU, CELU, GELU, SiLU, Mish,
                         Softplus, Softsign, Sigmoid, HardSigmoid, HardSwish, Tanh, LogSigmoid,
                         Exponential, Softmax, LogSoftmax, Parametric>;

template <class Thing>
concept RowWise = requires { Thing::row_wise; };
template <class Thing>
concept Learned = requires { Thing::of_input; };

// The kernels of one activation over (rows, n) contiguous elements; y may be x, dx may be dy.
template <class T>
struct ActivationKernels {
  void (*forward)(const double* parameters, Index rows, Index n, const T* x, T* y);
  void (*backward)(const double* parameters, Index rows, Index n, const T* x, const T* y,
                   const T* dy, T* dx);
  Needs needs;
};

template <class T>
const ActivationKernels<T>& activation_kernels(int index);

// Does an output depend on the whole row of inputs?
bool is_row_wise(const Choice& activation);

// The initialiser of a kernel before this activation that keeps the spread of signals.
const char* suitable_initializer(const Choice& activation);

// Where an elementwise activation is flat: the values that it approaches far to the left and to the
// right, NaN where it goes on. Row-wise and learned ones have none.
struct Ends {
  double low = std::numeric_limits<double>::quiet_NaN(), high = low;
  double near = 0;  // an end is as good as reached within this
  bool both() const { return low == low && high == high; }
  double one() const { return low == low ? low : high; }  // if there is one
};
Ends ends_of(const Choice& activation);

// A learned activation taken apart: the function that is blended with its input. Nothing if the
// activation is not learned.
struct Blend {
  Choice function;
  bool of_input = false;  // alpha is the input's share, not the function's
  double initial = 0;
};
std::optional<Blend> blend_of(const Choice& activation);

// y = x + alpha (f - x), or of_input f + alpha (x - f), for n elements with an alpha each.
template <class T>
void blend(bool of_input, Index n, const T* alpha, const T* x, const T* f, T* y);

}  // namespace lamina
