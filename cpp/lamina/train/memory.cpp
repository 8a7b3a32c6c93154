// What a fit holds, part by part: P x (1 + slots + snapshot + [best] + [average] + [stored
// gradient]) + plan. Plans that are not there yet are made to be measured, and dropped.
#include <algorithm>

#include "lamina/train/trainer.hpp"

namespace lamina {

template <class T>
std::vector<MemoryPart> TrainerOf<T>::memory(const FitOptions& options, Index rows,
                                             Index validation_rows, bool keeps_best) const {
  const ParameterTable& table = net_.graph().parameters;
  const OptimizerSettings& settings = optimizer->settings;
  const auto sized = [](Index numbers) { return static_cast<std::size_t>(numbers) * sizeof(T); };
  std::vector<Index> start;
  const std::size_t all = sized(table.size), of_optimizer = sized(place_state(table, start));
  std::size_t slots = 0;
  for (int k = 0; k < kMaxSlots; ++k) slots += settings.uses<T>(k) ? of_optimizer : 0;
  const Index batch = rows > 0 ? std::min(options.batch_size, rows) : options.batch_size;
  const bool stores = settings.needs_norms() && !settings.accumulates();
  const bool keeps = keeps_best || !best_.empty();
  return {
      {"weights", all},
      {"optimizer state", slots},
      {"snapshot", all},
      {"best weights", keeps ? all : 0},
      {"last weights, where the best are shown", keeps && !settings.use_ema ? all : 0},
      {"moving average, and what lies beneath it", settings.use_ema ? 2 * all : 0},
      {"stored gradients", stores || options.watch || net_.has_gradients() ? all : 0},
      {"weights before a watched step", options.watch ? all : 0},
      {"sum of gradients", settings.accumulates() ? of_optimizer : 0},
      {"a batch's activations and gradients", batch_bytes(options, batch)},
      {"evaluation", evaluator_.bytes_for(validation_rows, options.num_threads)},
      {"order of the rows", options.shuffle ? static_cast<std::size_t>(rows) * 8 : 0},
  };
}

template <class T>
std::size_t TrainerOf<T>::batch_bytes(const FitOptions& options, Index batch) const {
  const int threads = fit_threads(options, batch);
  if (runner_ && runner_version_ == net_.version() && runner_batch_ == batch &&
      runner_threads_ == threads)
    return runner_->bytes();
  return StepRunner<T>(net_, objective_, batch, threads, options.scheduling).bytes();
}

template std::vector<MemoryPart> TrainerOf<float>::memory(const FitOptions&, Index, Index,
                                                          bool) const;
template std::vector<MemoryPart> TrainerOf<double>::memory(const FitOptions&, Index, Index,
                                                           bool) const;

}  // namespace lamina
