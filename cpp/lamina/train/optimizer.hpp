// Optimizer: settings, step count and slots. It can update a model's parameters tile by tile (fit),
// from stored gradients (step), or plain arrays (update); all three run the same kernel.
#pragma once

#include <array>
#include <optional>

#include "lamina/base/prefetch.hpp"
#include "lamina/functions/optimizers.hpp"
#include "lamina/nn/model.hpp"
#include "lamina/nn/schedule_spec.hpp"

namespace lamina {

// A parameter of the method, or the weight decay, that follows a schedule.
struct ScheduledSetting {
  std::string name;
  int at;  // among the method's parameters; -1: the weight decay
  std::shared_ptr<const Scheduled> scheduled;
};

struct OptimizerSettings {
  Choice method;
  std::vector<ScheduledSetting> scheduled;
  double clipnorm, clipvalue, global_clipnorm;  // NaN: off
  double weight_decay = 0;                      // decoupled
  bool use_ema = false;
  double ema_momentum = 0.99;
  std::uint64_t accumulation = 1;  // batches a step: their gradients are averaged

  // Whether the method keeps a slot; what follows a schedule may be other than 0 at any step.
  template <class T>
  bool uses(int slot) const {
    std::vector<double> parameters = method.parameters;
    for (const ScheduledSetting& one : scheduled)
      if (one.at >= 0) parameters[static_cast<std::size_t>(one.at)] = 1;
    return optimizer_kernels<T>(method.index).uses(slot, parameters.data());
  }
  bool needs_norms() const { return !std::isnan(clipnorm) || !std::isnan(global_clipnorm); }
  bool accumulates() const { return accumulation > 1; }
};

// What one step works with: the settings, and what schedules make of them.
struct StepSettings {
  std::vector<double> parameters;  // of the method
  double weight_decay = 0;
};

// The layout that marks state as a model's.
std::vector<Index> layout_of(const Model& model);

OptimizerSettings read_optimizer(const Json& json, const ScheduleFunctions& functions = {});
Json write_optimizer(const OptimizerSettings& settings);

// State has a place for each trainable tensor; frozen ones have none.
template <class T>
struct Slots {
  Buffer<T> slot[kMaxSlots];
  Buffer<T> accumulated;             // the sum of gradients since the last step
  Buffer<T> average;                 // of all weights, if use_ema
  std::vector<Index> start;          // by tensor: where its state begins, -1: nowhere
  std::vector<std::uint64_t> since;  // by tensor: the step before the state's first
  Index size = 0;                    // of the parameters that it belongs to
  bool empty() const { return size == 0; }
  Slots copy() const;
};

// Gives every trainable tensor a place in `start`; returns the size of a slot.
Index place_state(const ParameterTable& table, std::vector<Index>& start);

class Optimizer {
 public:
  explicit Optimizer(const Json& json, const ScheduleFunctions& functions = {})
      : settings(read_optimizer(json, functions)) {}

  OptimizerSettings settings;
  std::uint64_t iterations = 0;     // completed steps
  std::uint64_t collected = 0;      // batches whose gradients wait for the next one
  std::uint64_t epoch = 0;          // completed ones, for schedules; a trainer sets it
  std::uint64_t planned_steps = 0;  // of fit, for schedules whose length comes from it
  std::uint64_t planned_epochs = 0;
  double rate_scale = 1;  // ReduceLROnPlateau's factor

  Clock clock() const { return {iterations, epoch, planned_steps, planned_epochs}; }
  bool length_comes_from_fit() const;
  // What the next step will use.
  double current(const std::string& name) const { return current_at(clock(), name); }
  double learning_rate() const { return rate_scale * current("learning_rate"); }
  // What the last step used. Of a state that was loaded since: what it would use in this epoch.
  double last_learning_rate() const;
  const StepSettings& follow_schedules();
  void reset();

  // Batches seen so far: what random numbers of a batch are drawn by.
  std::uint64_t batches() const { return iterations * settings.accumulation + collected; }
  bool step_is_due() const { return collected + 1 >= settings.accumulation; }

  template <class T>
  Slots<T>& slots();
  // Allocates state for the tensors of a table, and keeps that of tensors that had some; `weights`
  // seeds the moving average. `layout` says whose state it is: sizes, or a model's address.
  template <class T>
  void prepare(const ParameterTable& table, const T* weights, const std::vector<Index>& layout);

  // The average takes over what no step moves: frozen tensors and running statistics.
  template <class T>
  void follow(const ParameterTable& table, const T* weights);

  // While a fit uses the state nobody else may.
  bool in_fit = false;
  void require_free(const char* call) const;

  // One step over plain arrays of `sizes[i]` elements.
  template <class T>
  void update(const std::vector<T*>& parameters, const std::vector<const T*>& gradients,
              const std::vector<Index>& sizes);
  // One step from a model's stored gradients.
  void step(Model& model);
  // One step in the order that every step has; the caller says how to go over the parameters.
  // collect(): makes gradients that are stored or added up; apply(update): false if a weight became
  // non-finite; constrain(update). `gradients` as for Update. Returns what apply did.
  template <class T, class Collect, class Apply, class Constrain>
  bool step_by(const ParameterTable& table, T* weights, const T* gradients, Collect&& collect,
               Apply&& apply, Constrain&& constrain);

  // By tensor, of the last step: factors of the clip by norm, and what the method prepared.
  std::vector<double> clip;
  std::vector<std::array<double, kMaxScalars>> scalars;

  // What the next step uses, which is to begin now.
  double begin_step();

 private:
  double current_at(const Clock& clock, const std::string& name) const;
  // From gradients of a whole table, weights alike; nothing but their sum if no step is due.
  template <class T>
  void step_all(const ParameterTable& table, T* weights, const T* gradients);

  std::vector<Index> layout_;
  // Kept, so that a step allocates nothing.
  std::vector<Index> place_;
  StepSettings step_settings_;
  double rate_ = 0;              // of the step ...
  std::uint64_t rate_step_ = 0;  // ... of this number, from 1
  Slots<float> slots_f_;
  Slots<double> slots_d_;
};

// Adds gradient g of elements [offset, offset + n) to the sum since the last step.
template <class T>
void accumulate(const Optimizer& optimizer, Slots<T>& slots, const ParameterTable& table,
                const Tensor& tensor, Index offset, Index n, const T* g);

// One step of one optimizer over a model's tensors: scalars prepared once, ranges updated by
// anyone.
template <class T>
class Update {
 public:
  // `gradients` of the whole table, or null: they come one by one, or have been accumulated.
  Update(Optimizer& optimizer, const ParameterTable& table, T* parameters, const T* gradients);

  // Updates elements [offset, offset + n) of a tensor by gradient g; false if a weight became
  // non-finite.
  bool apply(const Tensor& tensor, Index offset, Index n, const T* g) const;
  // The stored gradient of these elements.
  const T* stored(const Tensor& tensor, Index offset) const;
  // What stored gradients are multiplied by: they may be a sum over batches.
  double gradient_scale() const { return 1.0 / static_cast<double>(settings_.accumulation); }
  // What must hold for whole tensors when all are updated. Shares 0 ... shares - 1 may run at once.
  void constrain(int share, int shares) const;
  // What apply() will read of this range.
  std::array<Prefetch, 4> soon(const Tensor& tensor, Index offset, Index n) const;
  // From stored gradients: the factor of clipping by norm for each tensor.
  void measure_norms();

 private:
  void constrain_columns(const Tensor& t, Index offset, Index rows, Index columns,
                         Index begin) const;
  UpdateRange<T> range(const Tensor& tensor, Index offset, Index n, const T* g) const;
  std::size_t place(const Tensor& tensor) const {
    return static_cast<std::size_t>(&tensor - table_.tensors.data());
  }
  // Where a tensor's state lies, counted from its weights.
  Index shift(const Tensor& tensor) const { return slots_.start[place(tensor)] - tensor.offset; }

  const OptimizerSettings& settings_;
  const StepSettings& of_step_;
  const ParameterTable& table_;
  T* parameters_;
  const T* gradients_;
  Slots<T>& slots_;
  double rate_;
  unsigned proportional_;
  // Kept by the optimizer, so that a step allocates nothing.
  std::vector<std::array<double, kMaxScalars>>& scalars_;
  std::vector<double>& clip_;
  bool clips_ = false;
};

template <class T, class Collect, class Apply, class Constrain>
bool Optimizer::step_by(const ParameterTable& table, T* weights, const T* gradients,
                        Collect&& collect, Apply&& apply, Constrain&& constrain) {
  std::optional<Update<T>> update;  // before anything changes: a schedule's function may fail
  if (step_is_due()) update.emplace(*this, table, weights, gradients);
  collect();
  if (!update) {
    ++collected;
    return true;
  }
  if (settings.needs_norms()) update->measure_norms();
  const bool good = apply(*update);
  if (good) constrain(*update);  // it would hide a NaN
  ++iterations;
  collected = 0;
  return good;
}

}  // namespace lamina
