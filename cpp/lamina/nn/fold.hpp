// Folding: a graph for predictions alone. What is the identity in inference is gone; scaling by
// column (batch normalisation, the scaling of inputs) has moved into the products beside it;
// kernels lie ready in the form that products of many rows read.
#pragma once

#include "lamina/nn/op.hpp"

namespace lamina {

template <class T>
struct Folded {
  Graph graph;  // its table of tensors is the old one's: others lie behind
  Buffer<T> weights;
};

// none: no scaling moves, so that the model's own bits come out.
enum class Folding { full, none };

template <class T>
Folded<T> fold(const Graph& graph, const T* weights, Folding folding);

}  // namespace lamina
