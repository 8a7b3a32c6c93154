// Evaluator: loss, metrics and predictions of a model on data, without training. It watches over no
// state of training; any number of threads may call one at once.
#pragma once

#include <mutex>

#include "lamina/train/objective.hpp"

namespace lamina {

// Floating-point operations of a row forward.
Index forward_flops(const Model& model);

template <class T>
class Evaluator {
 public:
  Evaluator(const ModelOf<T>& model, const Objective& objective)
      : model_(model), objective_(objective) {}

  // The means over checked data, by Objective::names(); `predictions`, by head, where they are not
  // null receive those of all rows. Random numbers, if layers draw some, are the seed's. Weights:
  // those given, or the model's. `running`: the sums of the windows before, of a stream; these
  // rows' are added. `layers` receives what the layers' outputs look like.
  std::vector<double> run(const Data& data, Index block_rows, int num_threads, std::uint64_t seed,
                          const std::function<void(Index)>& tick,
                          const std::vector<T*>& predictions, const T* weights = nullptr,
                          Sums* running = nullptr, std::vector<LayerStatistics>* layers = nullptr);
  std::size_t bytes() const;
  // What run() will hold, or holds, for so many rows; 0 rows: what it holds.
  std::size_t bytes_for(Index rows, int num_threads) const;

 private:
  // What run() works with, kept for the next call.
  struct Space {
    Space(const ModelOf<T>& model, const Objective& objective, Index rows, Index block,
          int threads);
    std::size_t bytes() const;
    bool serves(const ModelOf<T>& model, Index rows, Index block, int threads) const;

    const unsigned version;  // of the model
    const Index capacity;    // rows
    Plan plan;
    Workspace<T> space;
    std::vector<ObjectiveRunner<T>> runners;
    std::vector<Buffer<T>> predictions;  // by head: of all rows, for a loss outside the core
    Buffer<double> weights;
    Sums sums;
  };
  std::unique_ptr<Space> take(Index rows, Index block, int threads);
  void measure(Space& s, const Batch& batch, const Data& data, int threads, std::uint64_t seed,
               const std::function<void(Index)>& tick, const std::vector<T*>& predictions,
               const T* weights);
  void measure_block(Space& s, int thread, Range rows, const Batch& batch, const Data& data,
                     const std::vector<T*>& predictions);

  const ModelOf<T>& model_;
  const Objective& objective_;
  mutable std::mutex mutex_;
  std::unique_ptr<Space> kept_;  // of the last call; null while a call uses it
};

}  // namespace lamina
