// Forward and backward by hand: what a training loop in Python, or a look at gradients, works with.
#pragma once

#include <functional>

#include "lamina/nn/workspace.hpp"

namespace lamina {

template <class T>
class ByHand {
 public:
  explicit ByHand(const Graph& graph) : graph_(graph) {}

  // Runs all rows as one batch and keeps what backward needs; in training statistics move, as in a
  // step. `version`: of the set of trainable tensors. out: by output, (n, its width).
  void forward(T* weights, const std::vector<ArrayView>& inputs, Index n, bool training,
               std::uint64_t seed, unsigned version, const std::vector<void*>& out);
  // Takes the gradient of each output of the last forward; writes those of the parameters and of
  // each port: (n, its width), where not null.
  void backward(const std::vector<const void*>& gradients, T* parameters,
                const std::vector<void*>& inputs);
  Index rows() const { return rows_; }  // of the last forward; 0: there was none

 private:
  void make(Index n, bool training, unsigned version);

  const Graph& graph_;
  std::unique_ptr<Plan> plan_;
  std::unique_ptr<Workspace<T>> space_;
  unsigned version_ = 0;
  bool training_ = false;
  Index rows_ = 0, capacity_ = 0;
  std::uint64_t calls_ = 0;
};

// d y[column] / d input of each row, in inference mode, into out: by port, (n, its width), where
// not null. `y` is any value of the graph.
template <class T>
void input_gradient(const Graph& graph, const T* weights, const std::vector<ArrayView>& inputs,
                    Index n, Value y, Index column, const std::vector<void*>& out, int threads,
                    const std::function<void(Index)>& tick);

}  // namespace lamina
