// What a model learns from data before training: the statistics of layers that adapt to them, and
// the scales of kernels with a data-driven initialiser (nn/unit_variance.hpp).
#pragma once

#include "lamina/nn/workspace.hpp"

namespace lamina {

// Has it ops that adapt?
bool adapts(const Graph& graph);

// Goes through the ops in order: each sees what those before it make of the rows. Statistics: of
// all of them, in inference. Raises, with `parameters` in no particular state, at numbers that are
// not finite. The bits do not depend on `threads`.
struct FirstLook {
  bool statistics = true, kernels = true;
};
template <class T>
void learn_from_data(const Graph& graph, const Batch& rows, std::uint64_t seed, int threads,
                     FirstLook what, T* parameters);

}  // namespace lamina
