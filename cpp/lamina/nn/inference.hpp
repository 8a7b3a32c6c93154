// Inference: predictions by one plan, from any number of threads at once. It keeps the memory of
// finished calls for the next ones, and watches how many threads are worth while.
#pragma once

#include <functional>
#include <mutex>
#include <span>

#include "lamina/base/thread_chooser.hpp"
#include "lamina/nn/space_pool.hpp"
#include "lamina/nn/workspace.hpp"

namespace lamina {

struct PredictOptions {
  Index block_rows = 256;
  int num_threads = 0;
  bool exact_threads = false;  // as many, however little the work: for tests
  // Called now and then by the calling thread with the rows done; may throw to end the call.
  std::function<void(Index)> tick = {};
};

template <class T>
class Inference {
 public:
  // `outputs`: instead of the graph's.
  explicit Inference(const Graph& graph, Values outputs = {});

  const Plan& plan() const { return plan_; }
  // out: by output, (n, its width). The inputs have been checked and nobody changes the weights.
  void predict(const T* weights, std::span<const ArrayView> inputs, Index n,
               std::span<void* const> out, const PredictOptions& options) const;
  // Makes ahead what so many calls at once work with, each on one thread: none of them allocates.
  void make_ready(const T* weights, int calls) const;

 private:
  // What a call works with.
  struct Space final : SpacePool::Space {
    Space(const Plan& plan, Index most, int shares)
        : SpacePool::Space(most, shares),
          work(plan, most, most, shares),
          inputs(plan.graph.ports.size()) {}
    Workspace<T> work;
    std::vector<ArrayView> inputs;
  };
  std::unique_ptr<Space> take_space(Index block, int threads) const;
  void run(Workspace<T>& space, Index n, Index block, int threads, bool by_columns,
           const std::function<void(Index)>& tick, std::span<void* const> out) const;

  Plan plan_;
  Index shared_from_ = 1;  // rows; up to kRowStep of them are shared by columns
  mutable SpacePool spaces_;
  mutable std::mutex mutex_;                    // of the choosers
  mutable ThreadChooser of_rows_, of_columns_;  // of predictions shared by rows, and by columns
};

// Runs `plan`'s only stage over n rows, at most `block` at a time, and hands each finished block to
// use(thread, rows). Between parts of some 25 milliseconds it calls tick(rows done).
template <class T, class Use>
void run_inference(Workspace<T>& space, const Plan& plan, Index n, Index block, int threads,
                   const std::function<void(Index)>& tick, Use&& use) {
  constexpr double kModestRate = 2e10;  // flops a second, of one thread
  const Index rounds = (n + block * threads - 1) / (block * threads);
  block = std::min(block, round_up((n + rounds * threads - 1) / (rounds * threads), kRowStep));
  const Index blocks = (n + block - 1) / block;
  const double seconds = static_cast<double>(plan.flops_per_row * block + 1) / kModestRate;
  const Index part =
      tick ? round_up(static_cast<Index>(0.025 * threads / seconds) + 1, threads) : blocks;
  for (Index first = 0; first < blocks; first += part) {
    if (tick) tick(first * block);
    const Index count = std::min(part, blocks - first);
    const int used = static_cast<int>(std::min<Index>(threads, count));
    parallel(used, [&](int thread) {
      const Range mine = share(count, thread, used);
      for (Index b = first + mine.begin; b < first + mine.end; ++b) {
        const Range rows{b * block, std::min(n, (b + 1) * block)};
        space.enter_block(thread, rows);
        for (const Action& action : plan.stages[0].actions) space.act(action, thread, rows);
        use(thread, rows);
      }
    });
  }
}

// Threads for `rows` rows at `flops_per_row`: one if the work is below so many operations, by
// default those of some tens of microseconds.
int worthwhile_threads(int requested, Index rows, Index flops_per_row, double least = 1e7);

}  // namespace lamina
