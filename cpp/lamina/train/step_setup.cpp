// How a StepRunner is made: apart from what runs every step, since it may be compiled for size.
#include <algorithm>

#include "lamina/train/step.hpp"

namespace lamina {
namespace {

constexpr Index kMostBlockRows = 256;
constexpr double kModestRate = 2e10;  // flops a second, of one thread

// Blocks as large as one thread alone would take; several threads share what there is.
Index block_rows(Index batch) { return std::min(round_up(batch, kRowStep), kMostBlockRows); }

PlanOptions plan_options(const Objective& objective, Index batch_rows,
                         const Scheduling& scheduling) {
  PlanOptions options;
  options.tile_elements = scheduling.tile_elements;
  options.batch_rows = batch_rows;
  options.backward = options.training = options.loss = true;
  options.fuse = objective.fused();
  for (const Head& head : objective.heads) options.idle.push_back(!head.trained);
  options.loss_is_stage = objective.custom();
  return options;
}

}  // namespace

template <class T>
StepRunner<T>::StepRunner(ModelOf<T>& model, const Objective& objective, Index batch_size,
                          int threads, const Scheduling& scheduling)
    : model_(model),
      objective_(objective),
      plan_(model.graph(), plan_options(objective, batch_size, scheduling)),
      chooser_(threads, scheduling.exact_threads),
      threads_(threads),
      space_(plan_, batch_size,
             scheduling.block_rows > 0 ? scheduling.block_rows : block_rows(batch_size), threads),
      losses_(runners<T>(objective, batch_size, space_.block(), threads)) {
  const Index capacity = round_up(batch_size, kRowStep);
  weight_.allocate(capacity);
  share_.allocate(capacity);
  for (const Head& head : objective.heads) scale_.emplace_back(head.weight == 1 ? 0 : capacity);
  for (int t = 0; t < threads; ++t) space_.context(t).row_share = share_.data();
  Index largest = 0;
  for (const Tile& tile : plan_.tiles) largest = std::max(largest, tile.size);
  for (int t = 0; t < threads; ++t) tile_.emplace_back(largest);
  // Before anything is measured: forward and backward at a modest rate.
  const double flops = 2.0 * static_cast<double>(plan_.flops_per_row * batch_size);
  stage_seconds_.assign(plan_.stages.size(), flops / kModestRate);
  for (const Tensor& t : model.graph().parameters.tensors)
    if (t.trainable && std::none_of(plan_.tiles.begin(), plan_.tiles.end(),
                                    [&](const Tile& tile) { return tile.offset == t.offset; }))
      without_gradient_.push_back(&t);
  first_tile_.reserve(static_cast<std::size_t>(threads) + 1);
  share_tiles(threads);
}

template <class T>
std::size_t StepRunner<T>::bytes() const {
  std::size_t sum = space_.bytes() + weight_.bytes() + share_.bytes() + before_.bytes();
  for (const auto& loss : losses_) sum += loss.bytes();
  for (const auto& scale : scale_) sum += scale.bytes();
  for (const auto& tile : tile_) sum += tile.bytes();
  return sum;
}

template StepRunner<float>::StepRunner(ModelOf<float>&, const Objective&, Index, int,
                                       const Scheduling&);
template StepRunner<double>::StepRunner(ModelOf<double>&, const Objective&, Index, int,
                                        const Scheduling&);
template std::size_t StepRunner<float>::bytes() const;
template std::size_t StepRunner<double>::bytes() const;

}  // namespace lamina
