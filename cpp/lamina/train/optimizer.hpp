// Optimizer: settings, step count and slots. It can update a model's parameters tile by tile (fit),
// from stored gradients (step), or plain arrays (update); all three run the same kernel.
#pragma once

#include <array>

#include "lamina/base/prefetch.hpp"
#include "lamina/functions/optimizers.hpp"
#include "lamina/nn/model.hpp"
#include "lamina/nn/schedule_spec.hpp"

namespace lamina {

// A parameter of the method, or the weight decay, that follows a schedule.
struct ScheduledSetting {
  std::string name;
  int at;  // among the method's parameters; -1: the weight decay
  Scheduled scheduled;
};

struct OptimizerSettings {
  Choice method;  // and weight_decay: where they are scheduled, as the last step had them
  std::vector<ScheduledSetting> scheduled;
  double clipnorm, clipvalue, global_clipnorm;  // NaN: off
  double weight_decay = 0;                      // decoupled
  bool use_ema = false;
  double ema_momentum = 0.99;

  double& setting(int at) {
    return at < 0 ? weight_decay : method.parameters[static_cast<std::size_t>(at)];
  }
  bool needs_norms() const { return !std::isnan(clipnorm) || !std::isnan(global_clipnorm); }
};
// The layout that marks state as a model's.
std::vector<Index> layout_of(const Model& model);

OptimizerSettings read_optimizer(const Json& json, const ScheduleFunctions& functions = {});
Json write_optimizer(const OptimizerSettings& settings);

template <class T>
struct Slots {
  Buffer<T> slot[kMaxSlots];
  Buffer<T> average;  // of the weights, if use_ema
  bool empty() const { return size == 0; }
  Index size = 0;
};

class Optimizer {
 public:
  explicit Optimizer(const Json& json, const ScheduleFunctions& functions = {})
      : settings(read_optimizer(json, functions)) {}

  OptimizerSettings settings;
  std::uint64_t iterations = 0;     // completed steps
  std::uint64_t epoch = 0;          // completed ones, for schedules; a trainer sets it
  std::uint64_t planned_steps = 0;  // of fit, for schedules whose length comes from it
  std::uint64_t planned_epochs = 0;
  double rate_scale = 1;  // ReduceLROnPlateau's factor

  Clock clock() const { return {iterations, epoch, planned_steps, planned_epochs}; }
  bool length_comes_from_fit() const;
  // What the next step will use.
  double current(const std::string& name) const;
  double learning_rate() const { return rate_scale * current("learning_rate"); }
  const OptimizerSettings& follow_schedules();
  void reset();

  template <class T>
  Slots<T>& slots();
  // Allocates slots for a flat buffer of `size`; `start` seeds the moving average.
  // `layout` says whose state it is: sizes, or a model's address.
  template <class T>
  void prepare(Index size, const T* start, const std::vector<Index>& layout);

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

  std::vector<double> clip;  // by tensor: factors of the last clip by norm

 private:
  std::vector<Index> layout_;
  Slots<float> slots_f_;
  Slots<double> slots_d_;
};

// One step of one optimizer over a model's tensors: scalars prepared once, ranges updated by
// anyone.
template <class T>
class Update {
 public:
  Update(Optimizer& optimizer, const ParameterTable& table, T* parameters);

  // Updates elements [offset, offset + n) of a tensor by gradient g; false if a weight became
  // non-finite.
  bool apply(const Tensor& tensor, Index offset, Index n, const T* g) const;
  // What apply() will read of this range.
  std::array<Prefetch, 4> soon(Index offset, Index n) const;
  // From stored gradients: the factor of clipping by norm for each tensor.
  void measure_norms(const T* gradients);

 private:
  UpdateRange<T> range(const Tensor& tensor, Index offset, Index n, const T* g) const;

  const OptimizerSettings& settings_;
  const ParameterTable& table_;
  T* parameters_;
  Slots<T>& slots_;
  double rate_;
  std::array<double, kMaxScalars> scalars_{};
  std::vector<double>& clip_;  // kept by the optimizer, so that a step allocates nothing
  bool clips_ = false;
};

}  // namespace lamina
