#include "lamina/train/online.hpp"

#include <algorithm>

#include "lamina/train/trainer.hpp"

namespace lamina {
namespace {

// Does a step call functions outside the core?
bool calls_out(const Schedule& schedule) {
  const auto child = [](const Schedule& one) { return calls_out(one); };
  return schedule.function ||
         std::any_of(schedule.children.begin(), schedule.children.end(), child);
}

bool calls_out(const Trainer& trainer) {
  const auto& scheduled = trainer.optimizer->settings.scheduled;
  const auto& ops = trainer.model->graph().ops;
  return trainer.objective().custom() ||
         std::any_of(scheduled.begin(), scheduled.end(),
                     [](const auto& one) { return calls_out(one.scheduled->schedule()); }) ||
         std::any_of(ops.begin(), ops.end(), [](const auto& op) {
           return op->scheduled() && calls_out(op->scheduled()->schedule());
         });
}

}  // namespace

template <class T>
StepRunner<T>& OnlineRunner<T>::of(ModelOf<T>& model, const Objective& objective, Index rows,
                                   const OnlineOptions& options) {
  const Index capacity = std::max(rows, capacity_);
  const int threads = options.scheduling.exact_threads
                          ? thread_count(options.num_threads)
                          : training_threads(model, options.num_threads, capacity);
  if (!runner_ || version_ != model.version() || capacity > capacity_ || threads != threads_ ||
      options.scheduling != scheduling_) {
    runner_ =
        std::make_unique<StepRunner<T>>(model, objective, capacity, threads, options.scheduling);
    version_ = model.version();
    capacity_ = capacity;
    threads_ = threads;
    scheduling_ = options.scheduling;
  }
  return *runner_;
}

// A fit takes such a start from all its rows; those of one batch would be too few.
template <class T>
void TrainerOf<T>::require_ready_for_batches() const {
  net_.require_adapted();
  if (net_.awaits_data())
    throw StateError(
        "train_on_batch: a kernel's initializer wants data and has not seen any: call "
        "model.initialize(X) with some rows, or fit");
  if (length_comes_from_fit() && optimizer->iterations >= optimizer->planned_steps)
    throw StateError(
        "train_on_batch: a schedule's length comes from fit, and none has planned this step: give "
        "total_steps");
}

// The step as it is in a fit, so on the weights beneath an average; the model gets the average.
template <class T>
StepResult TrainerOf<T>::step_online(const Data& data, const OnlineOptions& options) {
  const Index n = data.rows();
  Optimizer& o = *optimizer;
  const ParameterTable& table = net_.graph().parameters;
  if (online_.layout.empty()) online_.layout = layout_of(net_);
  o.require_free("train_on_batch");
  o.prepare(table, net_.weights(), online_.layout);
  StepRunner<T>& runner = online_.of(net_, objective_, n, options);
  if (!o.slots<T>().average.empty() && raw_.empty()) spare_.reserve(net_.graph().parameters.size);
  const typename ModelOf<T>::Changing changing(net_, calls_out(*this), online_.held, options.wait);
  struct Ending {  // however the step ends
    TrainerOf& trainer;
    ~Ending() {
      trainer.optimizer->in_fit = false;
      trainer.use_average();
    }
  } const ending{*this};
  o.in_fit = true;
  go_on_beneath();
  o.follow(table, net_.weights());
  o.epoch = state.epoch;
  return runner.run({{nullptr, 0, n}, &data.inputs}, data, &o,
                    {state.seed, o.clock(), o.batches(), true}, online_.nobody);
}

template <class T>
const std::vector<double>& TrainerOf<T>::train_on_batch(Data& data, const OnlineOptions& options) {
  const Model::Guard guard(net_);
  require_ready_for_batches();
  check_data(net_, objective_, data, true, 1);
  const StepResult result = step_online(data, options);
  const StepRunner<T>& runner = online_.last();
  require(result != StepResult::bad_row, "X: row ", runner.bad_row(),
          " holds NaN or infinity; nothing was changed");
  if (result == StepResult::bad_loss)
    throw StateError(concat("train_on_batch: ", runner.culprit(), " is not finite in step ",
                            optimizer->iterations + 1, runner.where(),
                            "; nothing was changed. Lower the learning rate, or clip the gradient "
                            "(global_clipnorm=1.0)"));
  if (result == StepResult::bad_weight)
    throw StateError(concat("train_on_batch: ", runner.culprit(), " became non-finite in step ",
                            optimizer->iterations,
                            "; no copy is kept of the weights before: load a saved model. Lower "
                            "the learning rate, or clip the gradient (global_clipnorm=1.0)"));
  runner.sums().means(objective_, online_.means);
  return online_.means;
}

template class OnlineRunner<float>;
template class OnlineRunner<double>;
template const std::vector<double>& TrainerOf<float>::train_on_batch(Data&, const OnlineOptions&);
template const std::vector<double>& TrainerOf<double>::train_on_batch(Data&, const OnlineOptions&);

}  // namespace lamina
