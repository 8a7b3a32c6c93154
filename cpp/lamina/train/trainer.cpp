#include "lamina/train/trainer.hpp"

#include <algorithm>
#include <cmath>

#include "lamina/train/order.hpp"

namespace lamina {
std::uint64_t signature(const Data& data, Index batch_size, bool shuffle) {
  constexpr Index kRows = 256, kColumns = 8;  // that are looked at
  std::uint64_t hash = 1469598103934665603ull;
  const auto mix = [&](std::uint64_t x) { hash = (hash ^ x) * 1099511628211ull; };
  const auto mix_some = [&](const ArrayView& a) {
    mix(static_cast<std::uint64_t>(a.columns));
    mix(static_cast<std::uint64_t>(a.entries));
    if (a.empty() || a.sparse()) return;
    const Index rows = std::max<Index>(1, data.rows() / kRows),
                columns = std::max<Index>(1, a.columns / kColumns);
    for (Index r = 0; r < data.rows(); r += rows)
      for (Index j = 0; j < a.columns; j += columns)
        // As float, and without the sign of 0: the same numbers of another type are the same data.
        mix(std::bit_cast<std::uint32_t>(static_cast<float>(read_element(a, data.source(r), j)) +
                                         0.0f));
  };
  mix(static_cast<std::uint64_t>(data.rows()));
  mix(static_cast<std::uint64_t>(batch_size));
  mix(shuffle);
  for (const ArrayView& x : data.inputs) mix_some(x);
  for (const ArrayView& y : data.targets) mix_some(y);
  mix_some(data.weights);
  return hash;
}

// A step is forward, backward and the gradients, and the update of every weight, which is the most
// of it where there are large embeddings.
int training_threads(const Model& model, int requested, Index rows) {
  constexpr Index kUpdate = 8;  // in a weight's time, so many operations
  const Index update = kUpdate * model.graph().parameters.trainable_count();
  return worthwhile_threads(requested, rows,
                            3 * forward_flops(model) + update / std::max<Index>(1, rows));
}

std::unique_ptr<Trainer> Trainer::create(std::shared_ptr<Model> model,
                                         std::shared_ptr<Optimizer> optimizer,
                                         const std::vector<HeadSpec>& heads, std::uint64_t seed) {
  Objective objective = read_objective(*model, heads);
  std::unique_ptr<Trainer> trainer;
  if (auto* f = dynamic_cast<ModelOf<float>*>(model.get()))
    trainer = std::make_unique<TrainerOf<float>>(*f);
  else
    trainer = std::make_unique<TrainerOf<double>>(static_cast<ModelOf<double>&>(*model));
  trainer->objective_ = std::move(objective);
  trainer->state.seed = seed;
  trainer->optimizer = std::move(optimizer);
  trainer->model = std::move(model);
  return trainer;
}

void Trainer::check(Data data, int num_threads) const {
  check_data(*model, objective_, data, true, thread_count(num_threads));
}

bool Trainer::length_comes_from_fit() const {
  const auto open = [](const Scheduled* s) { return s && s->schedule().length_comes_from_fit(); };
  return optimizer->length_comes_from_fit() ||
         std::any_of(model->graph().ops.begin(), model->graph().ops.end(),
                     [&](const auto& op) { return open(op->scheduled()); });
}

// The first fit says how long schedules are; a later one may only do what is left of it.
void Trainer::plan_schedules(Index rows, const FitOptions& options) {
  require(rows > 0,
          "a schedule's length comes from fit, and the stream does not say how many rows "
          "it has: give rows= to the stream, or total_steps to the schedule");
  Optimizer& o = *optimizer;
  const Index batch = std::min(options.batch_size, rows);
  const std::uint64_t epochs = options.epochs,
                      batches = epochs * static_cast<std::uint64_t>((rows + batch - 1) / batch);
  const std::uint64_t steps = std::max<std::uint64_t>(1, batches / o.settings.accumulation);
  require(o.iterations == 0 ||
              (o.iterations + steps <= o.planned_steps && state.epoch + epochs <= o.planned_epochs),
          "the schedule's length came from the first fit, ", o.planned_steps,
          " steps, and is used up: give total_steps, or call trainer.reset()");
  if (o.iterations > 0) return;
  o.planned_steps = steps;
  o.planned_epochs = state.epoch + epochs;
}

// The last fit may have left the average or the best weights in the model. A fit goes on beneath
// the average, or with the best weights; one that is resumed always with those of its last step.
template <class T>
void TrainerOf<T>::go_on_beneath(bool resumed) {
  if (raw_.empty()) return;
  Slots<T>& s = optimizer->slots<T>();
  const bool averages = s.average.size() == raw_.size();
  const bool shows_average = averages && !state.shows_best &&
                             std::memcmp(net_.weights(), s.average.data(), raw_.bytes()) == 0;
  if (resumed) {
    std::copy_n(raw_.data(), raw_.size(), net_.weights());
  } else if (shows_average) {
    for (const Tensor& t : net_.graph().parameters.tensors)
      if (t.trainable)  // what has been frozen stays as it is seen
        std::copy_n(raw_.data() + t.offset, t.size, net_.weights() + t.offset);
  } else if (averages) {  // the best, or the user's own: begin there
    std::copy_n(net_.weights(), raw_.size(), s.average.data());
  }
  state.shows_best = false;
  spare_ = {};
  std::swap(raw_, spare_);
}

static Batch all_rows(const Data& data) {
  return {{data.subset.empty() ? nullptr : data.subset.data(), 0, data.rows()}, &data.inputs};
}

// Keeps what a divergence in the first epoch goes back to. Returns the weights that the first fit
// begins with, if its data say: they become the model's when nothing else can fail.
template <class T>
Buffer<T> TrainerOf<T>::publish_start(const Data& data, int threads, bool resumed) {
  Buffer<T> start;
  if (resumed && state.cursor > 0 && snapshot_) {  // the end of the last good epoch, as before
    start.allocate(snapshot_->size());
    std::copy_n(snapshot_->data(), snapshot_->size(), start.data());
    net_.publish(start.data(), snapshot_);
    return {};
  }
  if (net_.awaits_data()) start = net_.learned_from(all_rows(data), threads);
  if (start.empty())
    snapshot();
  else
    net_.publish(start.data(), snapshot_);
  return start;
}

template <class T>
void TrainerOf<T>::begin_fit(Data data, const FitOptions& options) {
  require(options.batch_size >= 1, "fit: batch_size must be at least 1, got ", options.batch_size);
  auto guard = std::make_unique<Model::Guard>(net_);
  check_data(net_, objective_, data, options.check_inputs, thread_count(options.num_threads));
  const Index n = data.rows(), batch = std::min(options.batch_size, n);
  const std::uint64_t mark = signature(data, options.batch_size, options.shuffle);
  const bool same = options.begin == Begin::resumed;
  const bool in_epoch =
      state.cursor > 0 && (same || (state.data_signature == mark && !data.window));
  const bool planned = in_epoch || (options.begin != Begin::anew && optimizer->iterations > 0);
  if (!planned && length_comes_from_fit())
    plan_schedules(data.window ? options.stream_rows : n, options);
  const Buffer<T> start = publish_start(data,
                                        options.scheduling.exact_threads
                                            ? thread_count(options.num_threads)
                                            : looking_threads(net_, options.num_threads, n),
                                        in_epoch);
  struct Unpublish {  // if the rest fails, nobody would end the fit
    ModelOf<T>* net;
    ~Unpublish() {
      if (net) net->unpublish();
    }
  } unless_begun{&net_};
  optimizer->in_fit = false;
  go_on_beneath(options.begin != Begin::anew);
  spare_ = {};
  make_ready(options, batch, start.empty() ? net_.weights() : start.data());
  data_ = std::move(data);
  options_ = options;
  if (!in_epoch) state.cursor = 0, state.open = {}, state.norms = {};
  if (!same || !in_epoch) state.data_signature = mark;
  order_epoch_ = ~0ull;
  window_ = options.window;
  window_first_ = options.window_begin;
  optimizer->in_fit = true;
  std::copy_n(start.data(), start.size(), net_.weights());
  net_.note_data_seen();
  guard_ = std::move(guard);
  unless_begun.net = nullptr;
  if (options.begin != Begin::anew && !in_epoch && optimizer->iterations > 0) snapshot();
}

template <class T>
int TrainerOf<T>::fit_threads(const FitOptions& options, Index batch) const {
  return options.scheduling.exact_threads ? thread_count(options.num_threads)
                                          : training_threads(net_, options.num_threads, batch);
}

// Places for the state of what is trainable now, and a runner that trains it.
template <class T>
void TrainerOf<T>::make_ready(const FitOptions& options, Index batch, const T* weights) {
  const int threads = fit_threads(options, batch);
  optimizer->prepare(net_.graph().parameters, weights, layout_of(net_));
  optimizer->follow(net_.graph().parameters, weights);
  if (runner_ && runner_version_ == net_.version() && runner_batch_ == batch &&
      runner_threads_ == threads && runner_scheduling_ == options.scheduling)
    return;
  runner_ = std::make_unique<StepRunner<T>>(net_, objective_, batch, threads, options.scheduling);
  runner_version_ = net_.version();
  runner_batch_ = batch;
  runner_threads_ = threads;
  runner_scheduling_ = options.scheduling;
}

// The next rows in the order of training.
template <class T>
Batch TrainerOf<T>::next_batch() {
  if (options_.shuffle && order_epoch_ != state.epoch) {
    draw_order(data_, state.seed, state.epoch, window_, order_);
    order_epoch_ = state.epoch;
  }
  const std::int64_t* order = options_.shuffle       ? order_.data()
                              : data_.subset.empty() ? nullptr
                                                     : data_.subset.data();
  const Index done = state.cursor - window_first_;
  const Index left = data_.rows() - done, rows = std::min(options_.batch_size, left);
  return {{order ? order + done : nullptr, done, rows, left - rows}, &data_.inputs};
}

// The last step on a full batch; where batches are accumulated, the last that one completes.
template <class T>
bool TrainerOf<T>::watches(const Batch& batch) const {
  if (!options_.watch || !optimizer->step_is_due()) return false;
  const auto batches = static_cast<Index>(optimizer->settings.accumulation);
  const bool full = batch.rows == options_.batch_size, last = batch.following == 0;
  return (full && batch.following < batches * options_.batch_size) ||
         (last && state.norms.empty());  // fewer rows than a batch
}

template <class T>
std::vector<LayerNorms> TrainerOf<T>::layer_norms() const {
  std::vector<LayerNorms> out;
  const std::vector<Tensor>& tensors = net_.graph().parameters.tensors;
  for (std::size_t i = 0; i < tensors.size() && !state.norms.empty(); ++i) {
    if (!tensors[i].trainable) continue;
    if (out.empty() || out.back().layer != tensors[i].layer) out.push_back({tensors[i].layer});
    out.back().gradient += state.norms[3 * i];
    out.back().update += state.norms[3 * i + 1];
    out.back().weight += state.norms[3 * i + 2];
  }
  for (LayerNorms& one : out)
    for (double* norm : {&one.gradient, &one.update, &one.weight}) *norm = std::sqrt(*norm);
  return out;
}

template <class T>
void TrainerOf<T>::snapshot() {
  net_.publish(evaluation_weights(), snapshot_);
}

// They saw a non-finite gradient, or what led to it.
template <class T>
void TrainerOf<T>::forget_slots() {
  optimizer->slots<T>() = {};
  optimizer->collected = 0;
  optimizer->prepare(net_.graph().parameters, net_.weights(), layout_of(net_));
}

template <class T>
void TrainerOf<T>::roll_back() {
  std::copy_n(snapshot_->data(), snapshot_->size(), net_.weights());
  forget_slots();
  state.cursor = 0;
  state.open = {};
  state.norms = {};
}

// Whether training goes on after such a step; if not, `result` says why.
template <class T>
bool TrainerOf<T>::passed(StepResult step, EpochResult& result) {
  if (step == StepResult::done || step == StepResult::skipped) return true;
  if (step == StepResult::stopped) {
    result.end = EpochEnd::stopped;
    return false;
  }
  require(step != StepResult::bad_row, "X: row ", runner_->bad_row(),
          " holds NaN or infinity; the weights are those of the last completed step");
  result.end = EpochEnd::diverged;
  result.reason = concat(runner_->culprit(), " became non-finite in step ",
                         optimizer->iterations + (step == StepResult::bad_loss), " (epoch ",
                         state.epoch, ")", runner_->where(),
                         "; the weights are back at the last good epoch. Lower the learning "
                         "rate, or clip the gradient (global_clipnorm=1.0)");
  roll_back();
  return false;
}

template <class T>
EpochResult TrainerOf<T>::run_epoch(Monitor& monitor) {
  const EpochResult result = run_window(monitor);
  return result.end == EpochEnd::complete ? finish_epoch() : result;
}

template <class T>
void TrainerOf<T>::next_window(Data data) {
  if (!guard_ || !data_.window) throw StateError("next_window: begin_fit with a window first");
  check_data(net_, objective_, data, options_.check_inputs, thread_count(options_.num_threads));
  window_ = state.cursor == 0 ? 0 : window_ + 1;
  window_first_ = state.cursor;
  order_epoch_ = ~0ull;
  const Index batch = std::min(options_.batch_size, data.rows());
  if (batch > runner_batch_) make_ready(options_, batch, net_.weights());  // the first was short
  if (state.cursor == 0)  // a stream's mark is that of the window that an epoch begins with
    state.data_signature = signature(data, options_.batch_size, options_.shuffle);
  data_ = std::move(data);
}

// The rows of data_ that are still to be done.
template <class T>
EpochResult TrainerOf<T>::run_window(Monitor& monitor) {
  if (!guard_) throw StateError("run_epoch: begin_fit first");
  if (state.shows_best) {  // a callback went back to them, and the fit goes on
    go_on_beneath();
    snapshot();
  }
  const Index n = window_first_ + data_.rows();
  optimizer->epoch = state.epoch;
  EpochResult result;
  while (state.cursor < n) {
    if (runner_version_ != net_.version())
      make_ready(options_, runner_batch_, net_.weights());  // by a callback
    const Batch batch = next_batch();
    const bool watched = watches(batch);
    const StepResult step = runner_->run(
        batch, data_, optimizer.get(),
        {state.seed, optimizer->clock(), optimizer->batches(), true, watched}, monitor);
    if (!passed(step, result)) return result;
    state.cursor += batch.rows;
    bool stops = monitor.time_is_up();
    if (step != StepResult::skipped) {  // not all its weights are 0
      state.open.add(runner_->sums());
      if (watched) state.norms = runner_->norms();
      if (monitor.on_batch) stops |= !monitor.on_batch(optimizer->iterations, runner_->sums());
    }
    if (stops && state.cursor < n) {
      result.end = EpochEnd::stopped;
      return result;
    }
  }
  return result;
}

template <class T>
EpochResult TrainerOf<T>::finish_epoch() {
  if (!guard_) throw StateError("finish_epoch: begin_fit first");
  require(state.open.weight > 0, "sample_weight: all weights are 0");
  EpochResult result;
  result.means = state.open.means(objective_);
  result.penalty =
      penalty() + (state.open.weight > 0 ? state.open.activity / state.open.weight : 0);
  result.norms = layer_norms();
  state.cursor = 0;
  state.open = {};
  state.norms = {};
  optimizer->epoch = ++state.epoch;
  snapshot();
  return result;
}

template <class T>
void TrainerOf<T>::end_fit() {
  if (!guard_) return;
  const auto guard = std::move(guard_);  // let go even if something fails
  optimizer->in_fit = false;
  use_average();
  net_.unpublish();
  data_ = {};
  if (runner_threads_ > 1) release_threads();
}

template <class T>
double TrainerOf<T>::penalty() const {
  double sum = 0;
  for (const Tensor& t : net_.graph().parameters.tensors) {
    if (t.penalty.l1 == 0 && t.penalty.l2 == 0) continue;
    double squares = 0, absolute = 0;
    for (Index i = 0; i < t.size; ++i) {
      const double w = net_.weights()[t.offset + i];
      squares += w * w;
      absolute += std::abs(w);
    }
    sum += t.penalty.l2 * squares + t.penalty.l1 * absolute;
  }
  return sum;
}

template <class T>
const T* TrainerOf<T>::evaluation_weights() const {
  const Slots<T>& s = optimizer->slots<T>();
  return fitting() && !s.average.empty() && !state.shows_best ? s.average.data() : net_.weights();
}

// Puts such weights into the model; those of the last step are kept beneath.
template <class T>
void TrainerOf<T>::show(const T* weights) {
  const Index n = net_.graph().parameters.size;
  if (raw_.empty()) {
    std::swap(raw_, spare_);
    raw_.reserve(n);
    std::copy_n(net_.weights(), n, raw_.data());
  }
  std::copy_n(weights, n, net_.weights());
}

template <class T>
void TrainerOf<T>::use_average() {
  const Slots<T>& s = optimizer->slots<T>();
  if (!s.average.empty() && !state.shows_best) show(s.average.data());
}

template <class T>
std::vector<double> TrainerOf<T>::evaluate(Data data, Index block_rows, int num_threads,
                                           const std::function<void(Index)>& tick,
                                           const std::vector<void*>& predictions, bool looking,
                                           Sums* running) {
  if (!looking) net_.require_adapted();
  check_data(net_, objective_, data, true, thread_count(num_threads));
  const Buffer<T> start =
      looking && net_.awaits_data() ? net_.learned_from(all_rows(data), 1) : Buffer<T>();
  std::vector<T*> out(objective_.heads.size(), nullptr);
  for (std::size_t h = 0; h < predictions.size(); ++h) out[h] = static_cast<T*>(predictions[h]);
  return evaluator_.run(data, block_rows, num_threads, state.seed, tick, out,
                        start.empty() ? nullptr : start.data(), running);
}

template <class T>
std::vector<double> TrainerOf<T>::observe(Data data, int num_threads,
                                          const std::function<void(Index)>& tick,
                                          std::vector<LayerStatistics>* layers) {
  net_.require_adapted();
  check_data(net_, objective_, data, false, thread_count(num_threads));
  const std::vector<T*> nowhere(objective_.heads.size(), nullptr);
  return evaluator_.run(data, 256, num_threads, state.seed, tick, nowhere, nullptr, nullptr,
                        layers);
}

template <class T>
double TrainerOf<T>::compute_gradients(Data data, int num_threads) {
  const Model::Guard guard(net_);
  net_.require_adapted();
  check_data(net_, objective_, data, true, thread_count(num_threads));
  const Index n = data.rows();
  StepRunner<T> runner(net_, objective_, n, training_threads(net_, num_threads, n), {});
  Monitor nobody;
  const StepResult result =
      runner.run({{nullptr, 0, n}, &data.inputs}, data, optimizer.get(),
                 {state.seed, optimizer->clock(), optimizer->batches(), false}, nobody);
  require(result != StepResult::bad_row, "X: row ", runner.bad_row(), " holds NaN or infinity");
  require(result != StepResult::bad_loss, "compute_gradients: ", runner.culprit(), " is not finite",
          runner.where());
  return runner.sums().means(objective_)[0];
}

template <class T>
void TrainerOf<T>::keep_best(double value, std::uint64_t epoch) {
  const Model::OwnGuard guard(net_);
  const Index n = net_.graph().parameters.size;
  best_.reserve(n);
  std::copy_n(evaluation_weights(), n, best_.data());
  state.has_best = true;
  state.best_value = value;
  state.best_epoch = epoch;
}

template <class T>
bool TrainerOf<T>::restore_best() {
  const Model::OwnGuard guard(net_);
  if (!state.has_best || best_.empty()) return false;
  show(best_.data());
  state.shows_best = true;
  if (fitting()) {  // predictions see them, too; what a divergence goes back to stays
    std::shared_ptr<Buffer<T>> seen;
    net_.publish(net_.weights(), state.cursor > 0 ? seen : snapshot_);
  }
  return true;
}

template <class T>
void TrainerOf<T>::keep_good() {
  if (!fitting()) throw StateError("keep_good: while a fit runs");
  kept_ = snapshot_;  // the next epoch's gets memory of its own
  state.good_epochs = state.epoch;
}

template <class T>
bool TrainerOf<T>::restore_good() {
  if (!kept_) return false;
  if (!fitting()) throw StateError("restore_good: while a fit runs");
  if (state.has_best && state.best_epoch >= state.good_epochs)
    state.has_best = state.shows_best = false;
  std::copy_n(kept_->data(), kept_->size(), state.shows_best ? raw_.data() : net_.weights());
  forget_slots();
  if (!state.shows_best) {
    raw_ = {};
    snapshot();
  }
  return true;
}

template <class T>
void TrainerOf<T>::reset() {
  if (fitting()) throw StateError("trainer.reset: a fit is running");
  const std::uint64_t seed = state.seed;
  optimizer->reset();
  state = {};
  state.seed = seed;
  best_ = {};
  raw_ = {};
  kept_ = nullptr;
  order_epoch_ = ~0ull;
}

template <class T>
std::size_t TrainerOf<T>::bytes() const {
  const Slots<T>& s = optimizer->slots<T>();
  std::size_t sum = best_.bytes() + raw_.bytes() + s.average.bytes() + s.accumulated.bytes() +
                    (runner_ ? runner_->bytes() : 0);
  for (const auto& slot : s.slot) sum += slot.bytes();
  sum += spare_.bytes() + online_.bytes();
  if (kept_ && kept_ != snapshot_) sum += kept_->bytes();
  return sum + evaluator_.bytes() + (snapshot_ ? snapshot_->bytes() : 0);
}

template class TrainerOf<float>;
template class TrainerOf<double>;

}  // namespace lamina
