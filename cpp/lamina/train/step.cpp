#include "lamina/train/step.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "lamina/base/rows.hpp"
#include "lamina/train/finding.hpp"

namespace lamina {
namespace {

using Steady = std::chrono::steady_clock;
constexpr Index kResident = 32768;  // weights
constexpr unsigned kTimedSteps = 16;
constexpr double kLongStage = 0.04;  // seconds; longer stages are cut so that a stop is noticed

// The sum of squares of x, or of x - y: in an order that does not depend on registers, and finite.
template <class T>
double squares(Index n, const T* x, const T* y) {
  LaneSums sum;
  for_packets<T>(n, [&](auto part, Index i, Index lane) {
    const Vec<T> v = y ? part.load(x + i) - part.load(y + i) : part.load(x + i);
    sum.take(v, lane, [](Vec<double> a, Vec<double> s) { return fma(a, a, s); });
  });
  return std::min(sum.total(), std::numeric_limits<double>::max());
}

}  // namespace

bool Monitor::keep_going(Clock::time_point now) {
  if (!tick || now < next_) return true;
  const bool go_on = tick();
  next_ = Steady::now() + std::chrono::milliseconds(50);
  return go_on;
}

bool Monitor::time_is_up() {
  if (!deadline) return false;
  const auto now = Clock::now(), begin = std::exchange(step_begin_, now);
  return now + (now - begin) / 2 >= *deadline;
}

// Contiguous runs of tiles of about the same cost; the same tiles on the same thread every step.
template <class T>
void StepRunner<T>::share_tiles(int threads) {
  threads_ = threads;
  double total = 0, sum = 0;
  for (const Tile& tile : plan_.tiles) total += tile.cost;
  first_tile_.assign(static_cast<std::size_t>(threads_) + 1, plan_.tiles.size());
  std::size_t thread = 0;
  for (std::size_t i = 0; i < plan_.tiles.size(); ++i) {
    while (thread < static_cast<std::size_t>(threads_) &&
           sum >= total * static_cast<double>(thread) / threads_ - 0.5)
      first_tile_[thread++] = i;
    sum += plan_.tiles[i].cost;
  }
}

template <class T>
bool StepRunner<T>::weigh(const Batch& batch, const Data& data) {
  if (data.weights.empty() && weighed_alike_ == batch.rows) return true;
  weighed_alike_ = data.weights.empty() ? batch.rows : -1;
  double sum = 0;
  for (Index r = 0; r < batch.rows; r += kRowStep) {
    double chunk = 0;
    for (Index i = r; i < std::min(batch.rows, r + kRowStep); ++i)
      chunk += weight_[i] = data.weight(batch.source(i));
    sum += chunk;
  }
  if (sum <= 0) return false;
  for (Index r = 0; r < batch.rows; ++r) share_[r] = weight_[r] / sum;
  for (std::size_t h = 0; h < scale_.size(); ++h)
    for (Index r = 0; r < batch.rows && !scale_[h].empty(); ++r)
      scale_[h][r] = objective_.heads[h].weight * share_[r];
  return true;
}

// Where a head's loss writes its gradient of a row and those that follow.
template <class T>
auto StepRunner<T>::loss_gradient(int thread, std::size_t head, Index row) ->
    typename ObjectiveRunner<T>::Gradient {
  const Value p = plan_.outputs[head];
  const Rows<T>& gradient = space_.gradients(thread, p);
  if (!gradient.data) return {};
  return {gradient.row(row), scale_[head].empty() ? share_.data() : scale_[head].data()};
}

template <class T>
void StepRunner<T>::run_losses(int thread, Range rows, const Batch& batch, const Data& data) {
  for (std::size_t h = 0; h < losses_.size(); ++h)
    losses_[h].run(thread, rows, batch, data,
                   space_.values(thread, plan_.outputs[h]).row(rows.begin),
                   loss_gradient(thread, h, rows.begin));
}

// The same of all rows, where a loss is outside the core.
template <class T>
void StepRunner<T>::finish_losses(const Batch& batch, const Data& data) {
  for (std::size_t h = 0; h < losses_.size(); ++h)
    losses_[h].run_batch(batch, data, space_.values(0, plan_.outputs[h]).row(0),
                         loss_gradient(0, h, 0));
}

// False if the monitor asked to stop.
template <class T>
bool StepRunner<T>::run_rows(const Batch& batch, const Data& data, Monitor& monitor) {
  const auto loss = [&](int thread, Range rows) { run_losses(thread, rows, batch, data); };
  for (std::size_t s = 0; s < plan_.stages.size(); ++s) {
    const Stage& stage = plan_.stages[s];
    const Index padded = space_.padded_rows();
    // A stage that took long last time is cut into parts, with a tick between them. Short ones, of
    // which there are many, are timed one step in some.
    const bool timed = stage_seconds_[s] > kLongStage / 8 || steps_ % kTimedSteps == 0;
    const auto parts =
        std::min<Index>(padded / kRowStep, 1 + static_cast<Index>(stage_seconds_[s] / kLongStage));
    const auto start = timed ? Steady::now() : Steady::time_point();
    for (Index i = 0; i < parts; ++i) {
      if ((timed || i > 0 || !step_is_short_) && !monitor.keep_going()) return false;
      const Index chunks = padded / kRowStep;
      space_.run_stage(stage, {chunks * i / parts * kRowStep, chunks * (i + 1) / parts * kRowStep},
                       threads_, loss);
    }
    if (timed) stage_seconds_[s] = std::chrono::duration<double>(Steady::now() - start).count();
    if (stage.finish == Finish::loss) finish_losses(batch, data);
    space_.finish_stage(stage);
  }
  return true;
}

// Runs task(thread, tile) -> bool over all tiles; false if one said so.
template <class T>
template <class Task>
bool StepRunner<T>::for_tiles(Task&& task) {
  std::atomic<bool> good{true};
  parallel(threads_, [&](int thread) {
    const auto t = static_cast<std::size_t>(thread);
    space_.look_ahead(thread);
    for (std::size_t i = first_tile_[t]; i < first_tile_[t + 1]; ++i)
      if (!task(thread, plan_.tiles[i])) good = false;
  });
  return good;
}

template <class T>
StepResult StepRunner<T>::run(const Batch& batch, const Data& data, Optimizer* optimizer,
                              const StepOptions& options, Monitor& monitor) {
  const bool chooses = chooser_.chooses();
  if (chooses && chooser_.next() != threads_) share_tiles(chooser_.next());
  if (!chooses && steps_ % kTimedSteps != 0) return step(batch, data, optimizer, options, monitor);
  const auto start = Steady::now();
  const StepResult result = step(batch, data, optimizer, options, monitor);
  const auto now = Steady::now();
  const double seconds = std::chrono::duration<double>(now - start).count();
  step_is_short_ = seconds < kLongStage / kTimedSteps;
  if (result == StepResult::done)
    chooser_.took(seconds, std::chrono::duration<double>(now.time_since_epoch()).count(),
                  static_cast<double>(batch.rows));
  return result;
}

template <class T>
StepResult StepRunner<T>::step(const Batch& batch, const Data& data, Optimizer* optimizer,
                               const StepOptions& options, Monitor& monitor) {
  if (!weigh(batch, data)) return StepResult::skipped;
  space_.begin(model_.weights(), batch, true, options.seed, options.clock, options.batch);
  if (!run_rows(batch, data, monitor)) return StepResult::stopped;
  ++steps_;
  bad_row_ = space_.bad_row();
  if (bad_row_ >= 0) return StepResult::bad_row;
  reduce(losses_, objective_, batch.rows, weight_.data(), sums_);
  sums_.activity = 0;
  for (const int i : plan_.running())
    sums_.activity += op(i).penalty_sum(space_.context(0), weight_.data());
  if (!loss_is_finite()) {
    const T* weights = model_.weights();
    where_ = first_not_finite(plan_, weights, batch, options, share_.data());
    return StepResult::bad_loss;
  }

  if (options.update) return update(*optimizer, options.watch);
  store_gradients(model_.stored_gradients());
  space_.update_statistics(
      model_.weights());  // whoever updates by these gradients has no batch to do it by
  return StepResult::done;
}

template <class T>
bool StepRunner<T>::loss_is_finite() {
  auto sum = sums_.values.begin();
  for (const Head& head : objective_.heads) {
    if (!std::isfinite(*sum)) {
      culprit_ = objective_.several() ? objective_.loss_name(head) : "the loss";
      return false;
    }
    sum += static_cast<std::ptrdiff_t>(head.values());
  }
  return true;
}

// The parameters phase.
template <class T>
StepResult StepRunner<T>::update(Optimizer& optimizer, bool watch) {
  const ParameterTable& table = model_.graph().parameters;
  const bool accumulates = optimizer.settings.accumulates();
  const bool stores = (watch || optimizer.settings.needs_norms()) && !accumulates;
  T* stored = stores ? model_.stored_gradients() : nullptr;
  const bool good = optimizer.step_by(
      table, model_.weights(), stored,
      [&] {
        if (accumulates) accumulate_gradients(optimizer);
        if (stores) store_gradients(stored);
      },
      [&](Update<T>& update) {
        if (watch) note_gradients(update);
        return update_tiles(update, accumulates || stores);
      },
      [&](Update<T>& update) {
        if (std::any_of(table.tensors.begin(), table.tensors.end(),
                        [](const Tensor& t) { return !t.constraint.none(); }))
          parallel(threads_, [&](int thread) { update.constrain(thread, threads_); });
      });
  if (!good) {
    culprit_ = find_culprit(stored);
    where_.clear();
    return StepResult::bad_weight;
  }
  if (watch) note_weights();
  space_.update_statistics(model_.weights());
  optimizer.follow(table, model_.weights());
  return StepResult::done;
}

// All gradients are there, and no weight has changed yet.
template <class T>
void StepRunner<T>::note_gradients(const Update<T>& update) {
  const ParameterTable& table = model_.graph().parameters;
  norms_.assign(3 * table.tensors.size(), 0);
  before_.reserve(table.size);
  std::copy_n(model_.weights(), table.size, before_.data());
  for (std::size_t i = 0; i < table.tensors.size(); ++i)
    if (const Tensor& t = table.tensors[i]; t.trainable)
      norms_[3 * i] = squares(t.size, update.stored(t, t.offset), static_cast<const T*>(nullptr)) *
                      update.gradient_scale() * update.gradient_scale();
}

template <class T>
void StepRunner<T>::note_weights() {
  const ParameterTable& table = model_.graph().parameters;
  const T* weights = model_.weights();
  for (std::size_t i = 0; i < table.tensors.size(); ++i) {
    const Tensor& t = table.tensors[i];
    if (!t.trainable) continue;
    norms_[3 * i + 1] =
        squares(t.size, weights + t.offset, static_cast<const T*>(before_.data() + t.offset));
    norms_[3 * i + 2] = squares(t.size, weights + t.offset, static_cast<const T*>(nullptr));
  }
}

template <class T>
void StepRunner<T>::gradient(int thread, const Tile& tile, T* out) const {
  op(tile.op).parameter_gradient(space_.context(thread), tile.tensor, tile.rows, out);
}

template <class T>
void StepRunner<T>::store_gradients(T* stored) {
  for (const Tensor* t : without_gradient_) std::fill_n(stored + t->offset, t->size, T(0));
  for_tiles([&](int thread, const Tile& tile) {
    gradient(thread, tile, stored + tile.offset);
    return true;
  });
}

template <class T>
void StepRunner<T>::accumulate_gradients(Optimizer& optimizer) {
  for_tiles([&](int thread, const Tile& tile) {
    T* g = tile_[static_cast<std::size_t>(thread)].data();
    gradient(thread, tile, g);
    accumulate(optimizer, optimizer.slots<T>(), model_.graph().parameters, tensor(tile),
               tile.offset, tile.size, g);
    return true;
  });
}

// `collected`: gradients are there; otherwise each tile's is made and used at once.
template <class T>
bool StepRunner<T>::update_tiles(const Update<T>& update, bool collected) {
  // Weights and slots that do not stay in the second-level cache arrive while gradients are made.
  const bool prefetches = model_.graph().parameters.size > kResident;
  return for_tiles([&](int thread, const Tile& tile) {
    const Tensor& t = tensor(tile);
    if (collected) return update.apply(t, tile.offset, tile.size, update.stored(t, tile.offset));
    T* g = tile_[static_cast<std::size_t>(thread)].data();
    if (prefetches) space_.context(thread).scratch->soon = update.soon(t, tile.offset, tile.size);
    gradient(thread, tile, g);
    return update.apply(t, tile.offset, tile.size, g);
  });
}

// What became non-finite: one of the stored gradients, if there are any, else a weight.
template <class T>
std::string StepRunner<T>::find_culprit(const T* stored) const {
  for (const T* numbers : {stored, static_cast<const T*>(model_.weights())})
    for (const Tensor& t : model_.graph().parameters.tensors)
      for (Index i = 0; numbers && i < t.size; ++i)
        if (!std::isfinite(numbers[t.offset + i]) && (t.trainable || numbers != stored))
          return (numbers == stored ? "a gradient of " : "a weight of ") + t.name;
  return "a gradient";
}

template class StepRunner<float>;
template class StepRunner<double>;

}  // namespace lamina
