#include "lamina/nn/inference.hpp"

#include <algorithm>
#include <chrono>

namespace lamina {
namespace {

constexpr double kLong = 1e9;  // operations: some milliseconds, beside which a region is nothing

double clock_seconds() {
  using Clock = std::chrono::steady_clock;
  return std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
}

}  // namespace

int worthwhile_threads(int requested, Index rows, Index flops_per_row, double least) {
  const double work = static_cast<double>(rows) * static_cast<double>(flops_per_row);
  return work < least ? 1 : thread_count(requested);
}

template <class T>
Inference<T>::Inference(const Graph& graph, Values outputs)
    : plan_(graph, {.outputs = std::move(outputs)}) {
  const auto shares = [this](const auto& op) {
    return static_cast<const Op<T>&>(*op).shares_columns(shared_from_);
  };
  while (shared_from_ <= kRowStep && std::none_of(graph.ops.begin(), graph.ops.end(), shares))
    ++shared_from_;
}

// Memory for inference in blocks of at least `block` rows: some call's before this one, or new.
template <class T>
auto Inference<T>::take_space(Index block, int threads) const -> std::unique_ptr<Space> {
  if (SpacePool::Owned kept = spaces_.take(block, threads))
    return std::unique_ptr<Space>(static_cast<Space*>(kept.release()));
  Index capacity = kRowStep;  // calls with few rows share a small one
  while (capacity < std::min<Index>(block, 256)) capacity *= 4;
  capacity = std::max(capacity, round_up(block, kRowStep));
  return std::make_unique<Space>(plan_, capacity, threads);
}

// As many rows as each way to compute them begins with: what its products pack into is made then.
template <class T>
void Inference<T>::make_ready(const T* weights, int calls) const {
  const Index kMost = PredictOptions{}.block_rows;
  Index widest = 0;
  for (const Port& port : plan_.graph.ports) widest = std::max(widest, port.value.width);
  const Buffer<float> zeros(widest);  // every row
  std::vector<std::unique_ptr<Space>> spaces;
  for (const Index most : {kRowStep, kMost})
    for (int i = 0; i < calls; ++i) {
      spaces.push_back(take_space(most, 1));
      Space& space = *spaces.back();
      for (const Index n : {Index{1}, kFewRows, kRowStep, most}) {
        for (std::size_t p = 0; p < space.inputs.size(); ++p)
          space.inputs[p] = {.data = zeros.data(),
                             .rows = n,
                             .columns = plan_.graph.ports[p].value.width,
                             .column_stride = sizeof(float)};
        space.work.begin(weights, Batch{{nullptr, 0, n}, &space.inputs}, false, 0, {}, 0);
        run(space.work, n, n, 1, false, {}, {});
      }
    }
  for (auto& space : spaces) spaces_.give_back(std::move(space));
}

template <class T>
void Inference<T>::predict(const T* weights, std::span<const ArrayView> inputs, Index n,
                           std::span<void* const> out, const PredictOptions& options) const {
  if (n == 0) return;
  const Index block = std::clamp<Index>(options.block_rows, 1, n);
  const Index flops = plan_.flops_per_row;
  const bool by_columns = n <= std::min(block, kRowStep) && n >= shared_from_;
  int threads = by_columns || options.exact_threads
                    ? thread_count(options.num_threads)
                    : worthwhile_threads(options.num_threads, n, flops);
  std::unique_ptr<Space> space = take_space(block, threads);
  // A long call takes all threads at once; short ones are watched.
  const bool watched = threads > 1 && !options.exact_threads &&
                       static_cast<double>(n) * static_cast<double>(flops) < kLong;
  ThreadChooser* chooser = !watched ? nullptr : by_columns ? &of_columns_ : &of_rows_;
  const double start = chooser ? clock_seconds() : 0;
  if (chooser) {
    const std::lock_guard<std::mutex> lock(mutex_);
    threads = std::min(threads, chooser->next());
  }
  space->inputs.assign(inputs.begin(), inputs.end());
  space->work.begin(weights, Batch{{nullptr, 0, n}, &space->inputs}, false, 0, {}, 0);
  run(space->work, n, block, threads, by_columns, options.tick, out);
  spaces_.give_back(std::move(space));
  if (!chooser) return;
  const double now = clock_seconds();
  const std::lock_guard<std::mutex> lock(mutex_);
  chooser->took(now - start, now, static_cast<double>(n + 6));
}

template <class T>
void Inference<T>::run(Workspace<T>& space, Index n, Index block, int threads, bool by_columns,
                       const std::function<void(Index)>& tick, std::span<void* const> out) const {
  const auto copy = [&](int thread, Range rows) {
    for (std::size_t i = 0; i < out.size(); ++i) {
      const Value& y = plan_.outputs[i];
      std::copy_n(space.values(thread, y).row(rows.begin), rows.size() * y.width,
                  static_cast<T*>(out[i]) + rows.begin * y.width);
    }
  };
  if (!by_columns || threads == 1)
    return run_inference(space, plan_, n, block, threads, tick, copy);
  const FlushDenormals flush;  // as within a region
  space.enter_block(0, {0, n});
  for (const Action& action : plan_.stages[0].actions) space.act_together(action, threads, {0, n});
  copy(0, {0, n});
}

template class Inference<float>;
template class Inference<double>;

}  // namespace lamina
