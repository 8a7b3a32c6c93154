// What a model learns from data before training: the statistics of layers that adapt to them, and
// the scales of kernels with a data-driven initialiser (nn/unit_variance.hpp).
#pragma once

#include "lamina/nn/workspace.hpp"

namespace lamina {

// Has it ops that adapt?
bool adapts(const Graph& graph);
// Does the op learn anything from data before training?
bool learns_from_data(const Graph& graph, const OpBase& op);

// Goes through the ops in order: each sees what those before it make of the rows. Statistics: of
// all of them, in inference. Raises, with `parameters` in no particular state, at numbers that are
// not finite. The bits do not depend on `threads`.
enum class Look { waiting, all };  // which of them
struct FirstLook {
  Look statistics = Look::waiting, kernels = Look::waiting;
};
template <class T>
void learn_from_data(const Graph& graph, const Batch& rows, std::uint64_t seed, int threads,
                     FirstLook what, T* parameters);

}  // namespace lamina
