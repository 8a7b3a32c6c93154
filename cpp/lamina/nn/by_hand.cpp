#include "lamina/nn/by_hand.hpp"

#include <algorithm>

namespace lamina {
namespace {

// The gradients of the ports; rows of zeros where no output depends on one.
template <class T>
void copy_input_gradients(const Workspace<T>& space, const Graph& graph, Range rows, Index first,
                          const std::vector<void*>& out) {
  for (std::size_t p = 0; p < out.size(); ++p) {
    if (!out[p]) continue;
    const Value x = graph.ports[p].value;
    T* to = static_cast<T*>(out[p]) + first * x.width;
    const Rows<T>& dx = space.gradients(0, x);
    if (dx.data)
      std::copy_n(dx.row(rows.begin), rows.size() * x.width, to);
    else
      std::fill_n(to, rows.size() * x.width, T(0));
  }
}

}  // namespace

template <class T>
void ByHand<T>::make(Index n, bool training, unsigned version) {
  if (space_ && training_ == training && version_ == version && capacity_ >= n) return;
  PlanOptions options;
  options.backward = options.input_gradients = options.keep_output = true;
  options.training = training;
  space_.reset();
  plan_ = std::make_unique<Plan>(graph_, options);
  capacity_ = round_up(n, kRowStep);
  space_ = std::make_unique<Workspace<T>>(*plan_, capacity_, capacity_, 1);
  training_ = training;
  version_ = version;
}

template <class T>
void ByHand<T>::forward(T* weights, const std::vector<ArrayView>& inputs, Index n, bool training,
                        std::uint64_t seed, unsigned version, const std::vector<void*>& out) {
  make(n, training, version);
  rows_ = n;
  Workspace<T>& space = *space_;
  space.begin(weights, Batch{{nullptr, 0, n}, &inputs}, training, seed, {calls_}, calls_);
  ++calls_;
  const auto no_loss = [](int, Range) {};
  for (const Stage& stage : plan_->stages) {
    space.run_stage(stage, {0, space.padded_rows()}, 1, no_loss);
    space.finish_stage(stage);
    if (stage.finish == Finish::nothing) break;  // the gradient comes next
  }
  if (training) space.update_statistics(weights);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const Value& y = plan_->outputs[i];
    std::copy_n(space.values(0, y).row(0), n * y.width, static_cast<T*>(out[i]));
  }
}

template <class T>
void ByHand<T>::backward(const std::vector<const void*>& gradients, T* parameters,
                         const std::vector<void*>& inputs) {
  Workspace<T>& space = *space_;
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    const Value& y = plan_->outputs[i];
    const Rows<T>& d = space.gradients(0, y);
    if (!d.data) continue;
    std::copy_n(static_cast<const T*>(gradients[i]), rows_ * y.width, d.row(0));
    std::fill_n(d.row(rows_), (space.padded_rows() - rows_) * y.width, T(0));
  }
  const auto no_loss = [](int, Range) {};
  bool past_forward = false;
  for (const Stage& stage : plan_->stages) {
    if (past_forward) {
      space.run_stage(stage, {0, space.padded_rows()}, 1, no_loss);
      space.finish_stage(stage);
    }
    past_forward = past_forward || stage.finish == Finish::nothing;
  }
  std::fill_n(parameters, graph_.parameters.size, T(0));
  for (const Tile& tile : plan_->tiles) {
    const Op<T>& op = static_cast<const Op<T>&>(*graph_.ops[static_cast<std::size_t>(tile.op)]);
    op.parameter_gradient(space.context(0), tile.tensor, tile.rows, parameters + tile.offset);
  }
  copy_input_gradients(space, graph_, {0, rows_}, 0, inputs);
}

template <class T>
void input_gradient(const Graph& graph, const T* weights, const std::vector<ArrayView>& inputs,
                    Index n, Value y, Index column, const std::vector<void*>& out, int threads,
                    const std::function<void(Index)>& tick) {
  constexpr Index kBatch = 1024, kBlock = 64;  // rows at a time, and a thread's of them
  PlanOptions options;
  options.backward = options.input_gradients = options.loss = true;
  options.parameter_gradients = false;
  options.outputs = {y};
  const Plan plan(graph, options);
  const Index capacity = std::min(round_up(n, kRowStep), kBatch);
  Workspace<T> space(plan, capacity, kBlock, threads);
  const auto one_hot = [&](int thread, Range rows) {
    const Rows<T>& d = space.gradients(thread, plan.outputs[0]);
    if (!d.data) return;  // it depends on no number
    std::fill_n(d.row(rows.begin), rows.size() * y.width, T(0));
    for (Index r = rows.begin; r < rows.end; ++r) d.row(r)[column] = T(1);
  };
  for (Index first = 0; first < n; first += kBatch) {
    if (tick) tick(first);
    const Index rows = std::min(kBatch, n - first);
    space.begin(weights, Batch{{nullptr, first, rows}, &inputs}, false, 0, {}, 0);
    for (const Stage& stage : plan.stages) {
      space.run_stage(stage, {0, space.padded_rows()}, threads, one_hot);
      space.finish_stage(stage);
    }
    copy_input_gradients(space, graph, {0, rows}, first, out);
  }
}

template class ByHand<float>;
template class ByHand<double>;
template void input_gradient<float>(const Graph&, const float*, const std::vector<ArrayView>&,
                                    Index, Value, Index, const std::vector<void*>&, int,
                                    const std::function<void(Index)>&);
template void input_gradient<double>(const Graph&, const double*, const std::vector<ArrayView>&,
                                     Index, Value, Index, const std::vector<void*>&, int,
                                     const std::function<void(Index)>&);

}  // namespace lamina
