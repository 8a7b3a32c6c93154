// Losses: the list of all and the one function of each. A row's loss is the mean over outputs (the
// sum for cross-entropy over classes, divergence and Gaussian likelihood). The structs stand in
// losses/ by what they are for; losses/loss.hpp says what a loss is. `fused` means that the
// prediction is the input of the output activation (softmax, sigmoid, exponential).
#pragma once

#include "lamina/functions/losses/binary.hpp"
#include "lamina/functions/losses/categorical.hpp"
#include "lamina/functions/losses/likelihood.hpp"
#include "lamina/functions/losses/regression.hpp"

namespace lamina {

using Losses =
    List<MeanSquaredError, MeanAbsoluteError, BinaryCrossentropy, CategoricalCrossentropy, Huber,
         LogCosh, Quantile, CosineSimilarity, BinaryFocalCrossentropy, CategoricalFocalCrossentropy,
         Hinge, SquaredHinge, KLDivergence, Poisson, Gamma, Tweedie, GaussianNLL>;

// One loss over rows. values[r] receives the row's loss; gradient (rows, n), which may not be the
// prediction, receives dl/dp * scale[r] (scale null: unscaled). Targets are (rows, n /
// outputs_per_target) values or, where traits allow, labels.
template <class T>
using LossKernel = void (*)(const double* parameters, bool fused, Index rows, Index n,
                            const T* prediction, Target<T> target, const double* scale,
                            double* values, T* gradient, std::byte* scratch);

template <class T>
LossKernel<T> loss_kernel(int index);

// Bytes of scratch, aligned to 64, for that many rows of n outputs.
template <class T>
std::size_t loss_scratch(Index rows, Index n);

LossTraits loss_traits(const Choice& loss);

// Raises unless the loss can have so many outputs; returns how many targets go with them.
Index check_outputs(const Choice& loss, Index outputs);

// Raises unless the row's targets are numbers that the loss can mean.
void check_targets(const char* what, const Choice& loss, const LossTraits& traits, Index row,
                   Index n, const double* y);

}  // namespace lamina
